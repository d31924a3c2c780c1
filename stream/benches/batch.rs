//! A batch of 10,000 records as Lambda hands it over, judged, beside decoding and inflating it alone.
//!
//! Real records (see `testdata/`), five of them IAM writes, the rest what an account does all day. `subscription`: each
//! record as CloudWatch Logs sends it, gzip around JSON around the event. `mixed`: these, EventBridge events and bare
//! records in equal parts; a third of that batch needs no inflating, so there is less to hide behind.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)] // a benchmark may stop

mod records;

use std::borrow::Cow;
use std::fs;
use std::hint::black_box;
use std::io::Read;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use flate2::bufread::MultiGzDecoder;
use flate2::{Crc, Decompress, FlushDecompress};
use serde::Deserialize;
use serde_json::value::RawValue;
use stream::kinesis::{Data, Record, judge_alone};
use stream::live::Config;

const RECORDS: usize = 10_000;

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

/// The same with the fastest parts written in Rust, their memory used again.
fn decode_faster(records: &[Record], buffers: &mut (Vec<u8>, Vec<u8>), inflater: &mut Decompress) -> usize {
    let mut bytes = 0;
    buffers.1.resize(1 << 20, 0);
    for record in records {
        let Data::Base64(text) = &record.data else { continue };
        buffers.0.clear();
        base64_simd::STANDARD.decode_append(text, &mut buffers.0).expect("base64");
        if buffers.0.starts_with(&[0x1F, 0x8B]) {
            inflater.reset(false);
            // A header without names, as the records here have it; the sum at the end is checked as a reader would.
            inflater.decompress(&buffers.0[10..], &mut buffers.1, FlushDecompress::Finish).expect("gzip");
            let length = usize::try_from(inflater.total_out()).expect("memory");
            let mut sum = Crc::new();
            sum.update(&buffers.1[..length]);
            let end = buffers.0.len() - 8;
            assert_eq!(sum.sum().to_le_bytes(), buffers.0[end..end + 4]);
            bytes += length;
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
    let rules = fs::read_to_string(records::main_folder().join("config/rules.yaml")).expect("rules");
    let config = Config::compile((&rules, "rules.yaml"), ("suppressions: []", "suppress.yaml")).expect("good rules");
    for (name, is_mixed) in [("subscription", false), ("mixed", true)] {
        let records = records::batch(is_mixed, RECORDS);
        let books = judge_alone(&records, &config);
        assert_eq!((books.records_read as usize, books.events_in as usize), (RECORDS, RECORDS), "{books:?}");
        let mut group = criterion.benchmark_group(name);
        group.throughput(Throughput::Elements(RECORDS as u64)).sample_size(20);
        let mut buffers = (Vec::new(), Vec::new());
        group
            .bench_function("decode and inflate", |bencher| bencher.iter(|| decode(black_box(&records), &mut buffers)));
        let mut inflater = Decompress::new(false);
        group.bench_function("decode and inflate, fastest", |bencher| {
            bencher.iter(|| decode_faster(black_box(&records), &mut buffers, &mut inflater));
        });
        group.bench_function("decode to events", |bencher| {
            bencher.iter(|| decode_events(black_box(&records), &mut buffers));
        });
        group.bench_function("handle", |bencher| bencher.iter(|| judge_alone(black_box(&records), &config)));
        group.finish();
    }
}

criterion_group!(benches, batches);
criterion_main!(benches);
