//! All set questions and all methods over one parsed document, as a distribution over every AWS-managed
//! policy of the test data: `cargo bench -p policy`. The percentiles are printed before criterion's figures.

#![allow(clippy::expect_used, missing_docs, reason = "a benchmark may fail loudly")]

use std::hint::black_box;
use std::io::Read;
use std::time::Instant;

use criterion::{Criterion, criterion_group, criterion_main};
use policy::{Kind, Policy};
use serde::Deserialize;
use serde_json::value::RawValue;

#[derive(Deserialize)]
struct Managed {
    document: Box<RawValue>,
}

fn documents() -> Vec<String> {
    let bytes = include_bytes!("../tests/data/aws-managed/cases.jsonl.gz");
    let mut text = String::new();
    flate2::read::GzDecoder::new(bytes.as_slice()).read_to_string(&mut text).expect("gzip of the test data");
    let parse = |line| serde_json::from_str::<Managed>(line).expect("a line of the test data");
    text.lines().map(|line| parse(line).document.get().to_owned()).collect()
}

/// What the rules ask of every document.
fn every_leaf(policy: &Policy) -> usize {
    let escalations = policy.escalations();
    let leaves = [
        policy.full_admin().is_some(),
        policy.effective_admin_given(&escalations).is_some(),
        policy.wildcard_action().is_some(),
        policy.not_action_allow().is_some(),
        policy.not_resource_allow().is_some(),
        policy.grants("iam:PassRole").is_some(),
        policy.resource_wildcard_on("iam:PassRole").is_some(),
        !policy.wildcard_services().is_empty(),
        !policy.malformed.is_empty(),
    ];
    escalations.may.len() + leaves.into_iter().filter(|leaf| *leaf).count()
}

/// Best of a few runs for each document, sorted, in nanoseconds.
fn distribution(policies: &[Policy], run: impl Fn(&Policy) -> usize) -> Vec<u128> {
    let time = |policy: &Policy| {
        let once = || {
            let start = Instant::now();
            black_box(run(black_box(policy)));
            start.elapsed().as_nanos()
        };
        (0..7).map(|_| once()).min().unwrap_or_default()
    };
    let mut times: Vec<u128> = policies.iter().map(time).collect();
    times.sort_unstable();
    times
}

#[expect(clippy::print_stderr, reason = "a benchmark prints its figures")]
fn report(name: &str, times: &[u128]) {
    let at = |percent: usize| times.get((times.len() - 1) * percent / 100).copied().unwrap_or_default();
    eprintln!("{name}: p50 {} ns, p95 {} ns, p99 {} ns, max {} ns", at(50), at(95), at(99), at(100));
}

fn benches(criterion: &mut Criterion) {
    let texts = documents();
    let policies: Vec<Policy> = texts.iter().map(|text| Policy::parse(text, Kind::Identity)).collect();
    report("89 methods", &distribution(&policies, |policy| policy.escalations().may.len()));
    report("all leaves and methods", &distribution(&policies, every_leaf));
    let bytes: usize = texts.iter().map(String::len).sum();
    criterion.bench_function(&format!("parse {} documents ({bytes} bytes)", texts.len()), |bencher| {
        bencher.iter(|| texts.iter().map(|text| Policy::parse(text, Kind::Identity).statements.len()).sum::<usize>());
    });
    criterion.bench_function(&format!("all leaves and methods over {} documents", texts.len()), |bencher| {
        bencher.iter(|| policies.iter().map(every_leaf).sum::<usize>());
    });
}

criterion_group! { name = policy; config = Criterion::default().sample_size(10); targets = benches }
criterion_main!(policy);
