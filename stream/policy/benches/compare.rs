//! How long `compare` takes for every AWS-managed policy with one statement added.
//!
//! Besides the criterion figures for the whole set it prints the distribution over the policies, for three
//! statements: an action, a wildcard and a Deny. "Cold" is one run over all policies, each met once, so that
//! most of the time goes into fetching the document from memory; "warm" is the best of a few runs on one policy.

#![allow(clippy::print_stdout, clippy::indexing_slicing, missing_docs, reason = "a benchmark reports to people")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use policy::{Answer, Comparer, Kind, Pattern, Policy, Scope, Statement, catalogue};

const ADDED: [(&str, &str); 3] = [
    ("an action", r#"{"Effect":"Allow","Action":"iam:CreateAccessKey","Resource":"*"}"#),
    ("a wildcard", r#"{"Effect":"Allow","Action":["s3:Get*","ec2:*"],"Resource":"arn:aws:*:*:*:production-*"}"#),
    ("a deny", r#"{"Effect":"Deny","Action":"*","Resource":"*","Condition":{"Bool":{"aws:SecureTransport":"false"}}}"#),
];
/// The shortest of this many runs counts: the rest is noise of the machine.
const RUNS: usize = 5;

fn pairs(added: &str) -> Vec<(Policy, Policy)> {
    let text = format!(r#"{{"Version":"2012-10-17","Statement":[{added}]}}"#);
    let added: Vec<Statement> = Policy::parse(&text, Kind::Identity).statements;
    let policies = catalogue::managed_policies().map(|managed| Policy::parse(managed.document, Kind::Identity));
    policies
        .map(|old| {
            let mut new = old.clone();
            new.statements.extend(added.iter().cloned());
            (old, new)
        })
        .collect()
}

fn distribution(name: &str, pairs: &[(Policy, Policy)]) {
    let mut comparer = Comparer::default();
    let mut answers = [0; 3];
    for (old, new) in pairs {
        answers[match comparer.compare(old, new).new_access {
            Answer::Yes(_) => 0,
            Answer::No => 1,
            Answer::Unknown(_) => 2,
        }] += 1;
    }
    let mut time = |(old, new): &(Policy, Policy)| {
        let start = Instant::now();
        black_box(comparer.compare(black_box(old), black_box(new)));
        start.elapsed()
    };
    let cold = pairs.iter().map(&mut time).collect();
    let warm = pairs.iter().map(|pair| (0..RUNS).map(|_| time(pair)).min().unwrap_or_default()).collect();
    let [yes, no, unknown] = answers;
    println!("{name}: {} policies, new access {yes} yes, {no} no, {unknown} unknown", pairs.len());
    println!("  cold {}", quantiles(cold));
    println!("  warm {}", quantiles(warm));
}

fn quantiles(mut times: Vec<Duration>) -> String {
    times.sort_unstable();
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
    format!("p50 {:?}, p90 {:?}, p99 {:?}, max {:?}", at(0.5), at(0.9), at(0.99), at(1.0))
}

fn compare_managed_policies(criterion: &mut Criterion) {
    for (name, added) in ADDED {
        let pairs = pairs(added);
        distribution(name, &pairs);
        let mut comparer = Comparer::default();
        criterion.bench_function(&format!("all managed policies plus {name}"), |bencher| {
            bencher.iter(|| {
                for (old, new) in &pairs {
                    black_box(comparer.compare(old, new));
                }
            });
        });
    }
}

/// Documents made to be hard: one run each.
fn hostile(_: &mut Criterion) {
    let read = |text: &str| Policy::parse(text, Kind::Identity);
    let allow = |resource: &str| {
        read(&format!(
            r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Action":"s3:*","Resource":"{resource}"}}]}}"#
        ))
    };
    let stars = |count: usize| format!("arn:aws:s3:::{}*", "*a*b".repeat(count / 2));
    let far = |letter: char, back: usize| format!("\"arn:aws:s3:::*{letter}{}\"", "?".repeat(back));
    let exponential = read(&format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Action":"s3:*","NotResource":[{a},{b}]}},
            {{"Effect":"Allow","Action":"s3:*","Resource":{a}}},{{"Effect":"Allow","Action":"s3:*","Resource":{b}}}]}}"#,
        a = far('a', 25),
        b = far('b', 24)
    ));
    let numbered = |from: usize| {
        let mut document = allow("*");
        let one = document.statements[0].clone();
        document.statements = (from..from + 100_000)
            .map(|number| {
                let resource = Pattern::resource(&format!("arn:aws:s3:::bucket-{number}/*"), true);
                Statement { resources: Scope::Only(vec![resource]), ..one.clone() }
            })
            .collect();
        document
    };
    let cases = [
        ("200 infix stars", allow(&stars(200)), allow(&stars(202))),
        ("exponential patterns", exponential, allow("*")),
        ("100,000 other statements", numbered(0), numbered(50_000)),
        ("100,000 statements under one", numbered(0), allow("arn:aws:s3:::bucket-*")),
    ];
    for (name, old, new) in cases {
        let start = Instant::now();
        let relation = Comparer::default().compare(&old, &new).relation();
        println!("{name}: {relation:?} in {:?}", start.elapsed());
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(10);
    targets = compare_managed_policies, hostile
}
criterion_main!(benches);
