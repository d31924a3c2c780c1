#!/bin/sh
# The dependency rules of ARCHITECTURE.md, checked against the real tree.
set -eu
fail() { echo "dependency rule broken: $1" >&2; exit 1; }
tree() { cargo tree --locked --edges normal --prefix none -p "$1" | cut -d' ' -f1 | sort -u; }

for crate in detection policy; do
  for banned in tokio object_store lambda_runtime datafusion; do
    tree $crate | grep -qx "$banned" && fail "$crate must stay pure, but depends on $banned"
  done
  tree $crate | grep -q '^aws-' && fail "$crate must stay pure, but depends on an AWS crate"
done
tree policy | grep -qxE 'schemas|detection|lake' && fail "policy depends on another crate of ours"
tree analytics | grep -qxE 'stream|remediation' && fail "analytics depends on a program that changes or delivers things"
tree stream | grep -qx datafusion && fail "the Lambda programs link DataFusion"
for single in arrow-array parquet object_store chrono comfy-table; do
  copies=$(cargo tree --locked --workspace --edges normal --prefix none | grep -E "^$single v" | cut -d' ' -f1,2 | sort -u | wc -l)
  [ "$copies" -le 1 ] || fail "$copies copies of $single"
done
if command -v cargo-deny >/dev/null 2>&1; then
  cargo deny --all-features check bans licenses sources
else
  echo "NOT RUN: cargo-deny is not installed (cargo install cargo-deny): licences and sources were not checked"
fi
echo "dependency rules hold"
