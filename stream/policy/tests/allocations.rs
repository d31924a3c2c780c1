//! What judging costs in allocations once everything is warm: counted by dhat over every AWS-managed policy.
//!
//! Counts, unlike times, are the same on every machine, so they are asserted.

#![allow(clippy::print_stdout, clippy::indexing_slicing, reason = "a test prints its figures and may fail loudly")]

use policy::{Comparer, Kind, Policy, Statement, catalogue};

#[global_allocator]
static ALLOCATOR: dhat::Alloc = dhat::Alloc;

fn allocations_of(mut work: impl FnMut()) -> u64 {
    let before = dhat::HeapStats::get().total_blocks;
    work();
    dhat::HeapStats::get().total_blocks - before
}

/// Every so many policies are counted: counting is slow.
const STEP: usize = 8;

/// Allocations for each item: the median and the 99th percentile. The first run over all of them warms up.
fn warm<T>(name: &str, items: &[T], mut work: impl FnMut(&T)) -> (u64, u64) {
    items.iter().for_each(&mut work);
    let mut counts: Vec<u64> = items.iter().map(|item| allocations_of(|| work(item))).collect();
    counts.sort_unstable();
    let at = |percent: usize| counts[(counts.len() - 1) * percent / 100];
    println!("{name}: p50 {}, p99 {}, max {} allocations, of {} policies", at(50), at(99), at(100), counts.len());
    (at(50), at(99))
}

#[test]
fn judging_a_parsed_document_allocates_next_to_nothing() {
    let _profiler = dhat::Profiler::builder().testing().build();
    let policies: Vec<Policy> = catalogue::managed_policies()
        .step_by(STEP)
        .map(|managed| Policy::parse(managed.document, Kind::Identity))
        .collect();
    // The tail is long lists of Deny, which need a search, and the evidence of a yes.
    let methods = warm("89 methods", &policies, |policy| _ = policy.escalations());
    assert!(methods.0 <= 2 && methods.1 <= 700, "{methods:?}");
    let action = warm("one action", &policies, |policy| drop(policy.grants("iam:PassRole")));
    assert!(action.0 <= 8 && action.1 <= 50, "{action:?}");

    let added = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"iam:*","Resource":"*"}]}"#;
    let added: Vec<Statement> = Policy::parse(added, Kind::Identity).statements;
    let with_more = |old: &Policy| {
        let mut new = old.clone();
        new.statements.extend(added.iter().cloned());
        (old.clone(), new)
    };
    let pairs: Vec<(Policy, Policy)> = policies.iter().map(with_more).collect();
    let mut comparer = Comparer::default();
    let compare = warm("compare", &pairs, |(old, new)| drop(comparer.compare(old, new)));
    assert!(compare.0 <= 2 && compare.1 <= 60, "{compare:?}");
}
