//! Records as Lambda hands them over, made of real events (see `testdata/`): one in 2,000 an IAM write, the rest what an
//! account does all day.

use std::fs;
use std::io::{Read, Write};
use std::path::Path;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use flate2::Compression;
use flate2::bufread::MultiGzDecoder;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use stream::kinesis::{Data, Record};

const ONE_WRITE_IN: usize = 2_000;

/// The root of the repository.
pub(crate) fn main_folder() -> &'static Path {
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

/// Base64 of CloudWatch Logs subscriptions; if mixed, of these, EventBridge events and bare records in equal parts.
pub(crate) fn batch(is_mixed: bool, count: usize) -> Vec<Record> {
    let (others, writes) = real_events();
    let mut records = Vec::with_capacity(count);
    for place in 0..count {
        let is_write = place % ONE_WRITE_IN == 77;
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
    records.into_iter().enumerate().map(record).collect()
}

fn record((place, data): (usize, Vec<u8>)) -> Record {
    Record {
        shard_id: "shardId-000000000000".to_owned(),
        sequence_number: place.to_string(),
        arrival: chrono::DateTime::from_timestamp_millis(1_704_456_000_000),
        data: Data::Base64(BASE64_STANDARD.encode(data)),
    }
}

fn subscription(event: &Value) -> Vec<u8> {
    let message = json!({"messageType": "DATA_MESSAGE", "owner": "111111111111", "logGroup": "trail", "logStream": "s",
        "subscriptionFilters": ["f"], "logEvents": [{"id": "1", "timestamp": 1, "message": event.to_string()}]});
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(message.to_string().as_bytes()).expect("memory");
    encoder.finish().expect("memory")
}
