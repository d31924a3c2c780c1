//! What it costs to cut a file into records, to pass over the events nobody wants, and to read the others.
//! Input: the real S3 files of one account, as JSON lines and as one `{"Records": [...]}` document.

#![allow(clippy::expect_used)] // without its input a benchmark has nothing to say

use std::fs::{self, File};
use std::hint::black_box;
use std::io::Read;
use std::path::Path;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use detection::{EventKind, Interest, Limits, Opening, Part, Piece, Splitter, change, names_of, open, redact_event};
use flate2::read::MultiGzDecoder;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

/// How a file is read by the scan: pieces of some MB.
const CHUNK: usize = 4 * 1024 * 1024;

#[derive(Deserialize)]
struct Delivery<'a> {
    #[serde(rename = "Records", borrow)]
    records: Vec<&'a RawValue>,
}

/// The typed parse that a simple program would do; the yardstick.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(dead_code)] // only parsed
struct Typed {
    event_name: String,
    event_source: String,
    event_time: String,
    #[serde(default)]
    user_identity: Value,
    #[serde(default)]
    request_parameters: Value,
}

fn records() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/cloudtrail/invictus-stratus-2023/files");
    let mut paths: Vec<_> =
        fs::read_dir(folder).expect("test data").map(|entry| entry.expect("entry").path()).collect();
    paths.sort();
    let mut records = Vec::new();
    for path in paths {
        let mut text = String::new();
        MultiGzDecoder::new(File::open(path).expect("file")).read_to_string(&mut text).expect("gzip");
        let file: Delivery<'_> = serde_json::from_str(&text).expect("records");
        records.extend(file.records.iter().map(|record| record.get().to_owned()));
    }
    records
}

fn scan(bytes: &[u8], mut each: impl FnMut(&[u8])) {
    let mut splitter = Splitter::new(Limits::default().max_event_bytes);
    let mut sink = |part: Part<'_>| {
        if let Part::Record { bytes, .. } = part {
            each(bytes);
        }
    };
    for chunk in bytes.chunks(CHUNK) {
        splitter.push(chunk, &mut sink);
    }
    splitter.finish(&mut sink);
}

fn benches(criterion: &mut Criterion) {
    let records = records();
    // Several times over, so that the input is larger than the caches.
    let lines = format!("{}\n", records.join("\n")).repeat(8);
    let document = format!("{{\"Records\":[{}]}}", vec![records.join(","); 8].join(","));
    let names: Vec<&str> = EventKind::ALL.into_iter().flat_map(names_of).map(|(_, name)| name).collect();
    let interest = Interest::in_names(names);
    let limits = Limits::default();

    for (form, bytes) in [("lines", lines.as_bytes()), ("document", document.as_bytes())] {
        let mut group = criterion.benchmark_group(form);
        group.sample_size(10).throughput(Throughput::Bytes(bytes.len() as u64));
        group.bench_function("split", |bench| bench.iter(|| scan(bytes, |record| _ = black_box(record))));
        group.bench_function("split and interest", |bench| {
            bench.iter(|| scan(bytes, |record| _ = black_box(interest.surely_not(record))));
        });
        for (name, interest) in [("open those of interest", Some(&interest)), ("open all", None)] {
            let opening = Opening { limits: &limits, interest, arrival: None };
            group.bench_function(name, |bench| {
                bench.iter(|| scan(bytes, |record| open(record, &opening, &mut |piece| _ = black_box(piece))));
            });
        }
        group.bench_function("serde typed", |bench| {
            bench.iter(|| scan(bytes, |record| _ = black_box(serde_json::from_slice::<Typed>(record).is_ok())));
        });
        group.finish();
    }

    let changes: Vec<&String> = records.iter().filter(|record| !interest.surely_not(record.as_bytes())).collect();
    let mut group = criterion.benchmark_group("one event of interest");
    group.throughput(Throughput::Elements(changes.len() as u64));
    let opening = Opening { limits: &limits, interest: None, arrival: None };
    group.bench_function("open and read the change", |bench| {
        bench.iter(|| {
            for record in &changes {
                open(record.as_bytes(), &opening, &mut |piece| {
                    if let Piece::Event(event) = piece {
                        black_box(change(&event));
                    }
                });
            }
        });
    });
    group.bench_function("take secrets out", |bench| {
        bench.iter(|| {
            for record in &changes {
                open(record.as_bytes(), &opening, &mut |piece| {
                    if let Piece::Event(event) = piece {
                        black_box(redact_event(&event, 256 * 1024));
                    }
                });
            }
        });
    });
    group.finish();
}

criterion_group!(all, benches);
criterion_main!(all);
