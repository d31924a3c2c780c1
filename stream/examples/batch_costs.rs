//! What a batch of records costs the Lambda, by part. Prints JSON; `bench/run.py` makes a table of it.
//!
//! Each part is timed by itself or as the difference to the one before, best of several rounds, one thread.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)] // a benchmark may stop

#[path = "../benches/records/mod.rs"]
mod records;

use std::collections::BTreeMap;
use std::fs;
use std::hint::black_box;
use std::io::Write;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use detection::{
    Arrival, CloudTrailEvent, Decided, Document, Documents, Gunzip, Interest, Judges, Limits, Opener, Opening, Piece,
    change, decide,
};
use lake::Lake;
use policy::Policy;
use schemas::{IAM_EVENTS, VIOLATIONS};
use stream::kinesis::{Data, Record, judge_alone};
use stream::live::Config;

const SIZES: [usize; 3] = [1, 100, 10_000];
/// Rounds of which the best counts, and the time one round takes at least.
const ROUNDS: usize = 9;
const ROUND: Duration = Duration::from_millis(60);

fn main() {
    let begun = processor_time();
    let rules = fs::read_to_string(records::main_folder().join("config/rules.yaml")).expect("rules");
    let config = Config::compile((&rules, "rules.yaml"), ("suppressions: []", "suppress.yaml")).expect("good rules");
    let compiled = processor_time() - begun;
    let mut told = BTreeMap::new();
    for (form, is_mixed) in [("mixed", true), ("subscription", false)] {
        for size in SIZES {
            told.insert(format!("{form} {size}"), costs(&records::batch(is_mixed, size), &config));
        }
    }
    let told = serde_json::json!({"compile_rules_ms": compiled.as_secs_f64() * 1e3, "batches": told});
    writeln!(std::io::stdout(), "{told}").expect("standard output");
}

/// Microseconds of the batch by part.
fn costs(records: &[Record], config: &Config) -> BTreeMap<&'static str, f64> {
    let nothing = Interest::in_names(["-"]);
    let decoded: Vec<Vec<u8>> = records.iter().map(|record| base64(record, &mut Vec::new()).to_vec()).collect();
    let mut buffer = Vec::new();
    let base64 = best(|| records.iter().map(|record| base64(record, &mut buffer).len()).sum());
    let mut gunzip = Gunzip::default();
    let inflate = best(|| decoded.iter().map(|bytes| inflate(bytes, &mut gunzip)).sum());
    let mut opener = Opener::default();
    let find = best(|| open_all(&decoded, &mut opener, &nothing, &mut |_| {})) - inflate;
    let parse = best(|| open_all(&decoded, &mut opener, &config.interest, &mut |_| {})) - inflate - find;
    let mut wanted = Vec::new();
    open_all(&decoded, &mut opener, &config.interest, &mut |event| wanted.push(event.raw.to_owned()));
    let events: Vec<_> = wanted.iter().map(|raw| CloudTrailEvent::parse(raw, None).expect("an event")).collect();
    let policy = best(|| events.iter().map(policy).sum());
    let rules = best(|| events.iter().map(|event| judge(event, config).violations.len()).sum()) - policy;
    let whole = best(|| usize::try_from(judge_alone(records, config).events_in).expect("a count"));
    let decided: Vec<Decided> = events.iter().map(|event| judge(event, config)).collect();
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let parquet = best(|| runtime.block_on(write(&decided)));
    let parts = [base64, inflate, find, parse, policy, rules, parquet, whole].map(|time| time * 1e6);
    ["base64", "inflate", "find", "parse", "policy", "rules", "parquet", "whole without parquet"]
        .into_iter()
        .zip(parts)
        .collect()
}

/// CPU seconds of one run, the best of some rounds.
fn best(mut run: impl FnMut() -> usize) -> f64 {
    let round = |_| {
        let (begun, clock) = (processor_time(), Instant::now());
        let mut times = 0_u32;
        // The clock on the wall ends the round: that of the processor may stand still for some milliseconds.
        while times == 0 || clock.elapsed() < ROUND {
            black_box(run());
            times += 1;
        }
        (processor_time() - begun).as_secs_f64() / f64::from(times)
    };
    (0..ROUNDS).map(round).fold(f64::INFINITY, f64::min)
}

/// What this thread has had of a processor; where the kernel does not say, the time on the wall.
fn processor_time() -> Duration {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    let told = fs::read_to_string("/proc/thread-self/schedstat").ok();
    let nanos = told.and_then(|text| text.split(' ').next()?.parse().ok());
    nanos.map_or_else(|| START.elapsed(), Duration::from_nanos)
}

fn base64<'b>(record: &Record, buffer: &'b mut Vec<u8>) -> &'b [u8] {
    let Data::Base64(text) = &record.data else { return &[] };
    buffer.clear();
    base64_simd::STANDARD.decode_append(text, buffer).expect("base64");
    buffer
}

fn inflate(bytes: &[u8], gunzip: &mut Gunzip) -> usize {
    if bytes.starts_with(&[0x1F, 0x8B]) { gunzip.text(bytes, usize::MAX).map_or(0, <[u8]>::len) } else { 0 }
}

fn open_all(
    decoded: &[Vec<u8>],
    opener: &mut Opener,
    interest: &Interest,
    each: &mut dyn FnMut(&CloudTrailEvent<'_>),
) -> usize {
    let limits = Limits::default();
    let opening = Opening { limits: &limits, interest: Some(interest), arrival: None };
    let mut pieces = 0;
    for bytes in decoded {
        opener.open(bytes, &opening, &mut |piece| {
            pieces += 1;
            if let Piece::Event(event) = piece {
                each(&event);
            }
        });
    }
    pieces
}

/// What the rules ask of the document in an event.
fn policy(event: &CloudTrailEvent<'_>) -> usize {
    let Some(Document::Policy(text)) = change(event).map(|change| change.document) else { return 0 };
    let policy = Policy::parse(&text, policy::Kind::Identity);
    policy.escalations().may.len() + usize::from(policy.full_admin().is_some()) + policy.wildcard_services().len()
}

fn judge(event: &CloudTrailEvent<'_>, config: &Config) -> Decided {
    let judges = Judges { rules: &config.rules, suppressions: &config.suppressions };
    decide(event, judges, &Documents::none(), Arrival::default())
}

/// Rows as Parquet, into memory.
async fn write(decided: &[Decided]) -> usize {
    let lake = Lake::open("memory://").await.expect("memory");
    let events: Vec<_> = decided.iter().map(|decided| &decided.event).collect();
    let violations: Vec<_> = decided.iter().flat_map(|decided| &decided.violations).collect();
    let mut objects = 0;
    if !events.is_empty() {
        objects += lake.write_rows(&IAM_EVENTS, &events).await.expect("memory").len();
    }
    if !violations.is_empty() {
        objects += lake.write_rows(&VIOLATIONS, &violations).await.expect("memory").len();
    }
    objects
}
