//! A batch of 10,000 records as Lambda hands it over, judged, beside decoding and inflating it alone.
//!
//! Real records (see `testdata/`), five of them IAM writes, the rest what an account does all day. `subscription`: each
//! record as CloudWatch Logs sends it, gzip around JSON around the event. `mixed`: these, EventBridge events and bare
//! records in equal parts; a third of that batch needs no inflating, so there is less to hide behind.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)] // a benchmark may stop

use std::borrow::Cow;
use std::fs;
use std::hint::black_box;
use std::io::{Read, Write};
use std::path::Path;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use flate2::Compression;
use flate2::bufread::MultiGzDecoder;
use flate2::write::GzEncoder;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use stream::kinesis::{Data, Record, judge_alone};
use stream::live::Config;

const RECORDS: usize = 10_000;
const IAM_WRITES: usize = 5;

fn main_folder() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// Events that are no IAM writes, and events that are.
fn real_events() -> (Vec<Value>, Vec<Value>) {
    let folder = main_folder().join("testdata/cloudtrail/invictus-stratus-2023");
    let mut others = Vec::new();
    let mut names: Vec<_> = fs::read_dir(folder.join("files")).expect("files").flatten().map(|e| e.path()).collect();
    names.sort();
    for name in names {
        let bytes = fs::read(&name).expect("a file");
        let mut text = String::new();
        if bytes.starts_with(&[0x1F, 0x8B]) {
            MultiGzDecoder::new(&bytes[..]).read_to_string(&mut text).expect("gzip");
        } else {
            text = String::from_utf8(bytes).expect("text");
        }
        let file: Value = serde_json::from_str(&text).unwrap_or_default();
        others.extend(file["Records"].as_array().cloned().unwrap_or_default());
    }
    let is_iam_write = |event: &Value| event["eventSource"] == "iam.amazonaws.com" && event["readOnly"] == false;
    let (writes, others) = others.into_iter().partition(is_iam_write);
    (others, writes)
}

fn batch(is_mixed: bool) -> Vec<Vec<u8>> {
    let (others, writes) = real_events();
    let mut records = Vec::with_capacity(RECORDS);
    for place in 0..RECORDS {
        let is_write = place % (RECORDS / IAM_WRITES) == 77;
        let list = if is_write { &writes } else { &others };
        let mut event = list[place % list.len()].clone();
        event["eventID"] = json!(format!("00000000-0000-4000-8000-{place:012}"));
        records.push(match place % 3 {
            1 if is_mixed => json!({"version": "0", "id": "x", "detail-type": "AWS API Call via CloudTrail",
                "source": "aws.iam", "account": "111111111111", "time": "2024-01-05T12:00:00Z", "detail": event})
            .to_string()
            .into_bytes(),
            2 if is_mixed => event.to_string().into_bytes(),
            _ => subscription(&event),
        });
    }
    records
}

fn subscription(event: &Value) -> Vec<u8> {
    let message = json!({"messageType": "DATA_MESSAGE", "owner": "111111111111", "logGroup": "trail", "logStream": "s",
        "subscriptionFilters": ["f"], "logEvents": [{"id": "1", "timestamp": 1, "message": event.to_string()}]});
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(message.to_string().as_bytes()).expect("memory");
    encoder.finish().expect("memory")
}

/// The least that anyone must do: base64, and inflating what is compressed.
fn decode(records: &[Record], buffers: &mut (Vec<u8>, Vec<u8>)) -> usize {
    let mut bytes = 0;
    for record in records {
        let Data::Base64(text) = &record.data else { continue };
        buffers.0.clear();
        BASE64_STANDARD.decode_vec(text, &mut buffers.0).expect("base64");
        if buffers.0.starts_with(&[0x1F, 0x8B]) {
            buffers.1.clear();
            MultiGzDecoder::new(&buffers.0[..]).read_to_end(&mut buffers.1).expect("gzip");
            bytes += buffers.1.len();
        } else {
            bytes += buffers.0.len();
        }
    }
    bytes
}

/// The same, down to the text of each event: what a program must do before it can look at one.
fn decode_events(records: &[Record], buffers: &mut (Vec<u8>, Vec<u8>)) -> usize {
    let mut bytes = 0;
    for record in records {
        let Data::Base64(text) = &record.data else { continue };
        buffers.0.clear();
        BASE64_STANDARD.decode_vec(text, &mut buffers.0).expect("base64");
        if buffers.0.starts_with(&[0x1F, 0x8B]) {
            buffers.1.clear();
            MultiGzDecoder::new(&buffers.0[..]).read_to_end(&mut buffers.1).expect("gzip");
            let subscription: Subscription<'_> = serde_json::from_slice(&buffers.1).expect("a subscription");
            bytes += subscription.log_events.iter().map(|event| event.message.len()).sum::<usize>();
        } else {
            let envelope: Envelope<'_> = serde_json::from_slice(&buffers.0).expect("an envelope");
            bytes += envelope.detail.map_or(buffers.0.len(), |detail| detail.get().len());
        }
    }
    bytes
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Subscription<'a> {
    #[serde(borrow)]
    log_events: Vec<LogEvent<'a>>,
}

#[derive(Deserialize)]
struct LogEvent<'a> {
    #[serde(borrow)]
    message: Cow<'a, str>,
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    detail: Option<&'a RawValue>,
}

fn batches(criterion: &mut Criterion) {
    let rules = fs::read_to_string(main_folder().join("config/rules.yaml")).expect("rules");
    let config = Config::compile((&rules, "rules.yaml"), ("suppressions: []", "suppress.yaml")).expect("good rules");
    for (name, is_mixed) in [("subscription", false), ("mixed", true)] {
        let record = |(place, data): (usize, Vec<u8>)| Record {
            shard_id: "shardId-000000000000".to_owned(),
            sequence_number: place.to_string(),
            arrival: chrono::DateTime::from_timestamp_millis(1_704_456_000_000),
            data: Data::Base64(BASE64_STANDARD.encode(data)),
        };
        let records: Vec<Record> = batch(is_mixed).into_iter().enumerate().map(record).collect();
        let books = judge_alone(&records, &config);
        assert_eq!((books.records_read as usize, books.events_in as usize), (RECORDS, RECORDS), "{books:?}");
        let mut group = criterion.benchmark_group(name);
        group.throughput(Throughput::Elements(RECORDS as u64)).sample_size(20);
        let mut buffers = (Vec::new(), Vec::new());
        group
            .bench_function("decode and inflate", |bencher| bencher.iter(|| decode(black_box(&records), &mut buffers)));
        group.bench_function("decode to events", |bencher| {
            bencher.iter(|| decode_events(black_box(&records), &mut buffers));
        });
        group.bench_function("handle", |bencher| bencher.iter(|| judge_alone(black_box(&records), &config)));
        group.finish();
    }
}

criterion_group!(benches, batches);
criterion_main!(benches);
