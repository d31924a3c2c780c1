//! Reads the public sets and puts records into every envelope.

#![allow(dead_code)] // each test program uses its part

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use detection::{Interest, Limits, Opening, Piece, open};
use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;
use md5::{Digest, Md5};
use prost::Message;
use serde_json::{Value, json};

pub const EVERY_SET: [&str; 10] = [
    "aws-docs-examples",
    "cribl-pack-sample",
    "custodian-cwe",
    "identity-variants-handmade",
    "invictus-stratus-2023",
    "otrf-ec2-proxy-s3",
    "plaso-lookup-events",
    "stratus-detonation",
    "traildiscover",
    "trailscraper",
];

pub fn testdata() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata")
}

/// Name and content of each file of records of a set, inflated, sorted by name.
pub fn files_of(set: &str) -> Vec<(String, Vec<u8>)> {
    let folder = testdata().join("cloudtrail").join(set);
    let files = if folder.join("files").is_dir() { folder.join("files") } else { folder };
    let mut paths: Vec<PathBuf> = fs::read_dir(files).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let is_record_file = |path: &PathBuf| {
        let name = path.file_name().unwrap().to_str().unwrap();
        !name.contains("SOURCE") && !name.contains("LICENSE")
    };
    let read = |path: PathBuf| {
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let bytes = fs::read(&path).unwrap();
        (name, if path.extension().is_some_and(|end| end == "gz") { inflate(&bytes) } else { bytes })
    };
    paths.into_iter().filter(is_record_file).map(read).collect()
}

pub fn inflate(bytes: &[u8]) -> Vec<u8> {
    let mut text = Vec::new();
    MultiGzDecoder::new(bytes).read_to_end(&mut text).unwrap();
    text
}

pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Opens without arrival time and interest.
pub fn count(record: &[u8], sink: &mut dyn FnMut(Piece<'_>)) {
    open(record, &Opening { limits: &Limits::default(), interest: None, arrival: None }, sink);
}

#[derive(Default)]
pub struct Counts {
    pub events: usize,
    pub not_of_interest: usize,
    pub others: BTreeMap<&'static str, usize>,
    pub unreadable: BTreeMap<&'static str, usize>,
}

pub type Tally = BTreeMap<&'static str, usize>;

pub fn map(pairs: &[(&'static str, usize)]) -> Tally {
    pairs.iter().copied().collect()
}

impl Counts {
    pub fn add(&mut self, record: &[u8], interest: Option<&Interest>) {
        let opening = Opening { limits: &Limits::default(), interest, arrival: None };
        open(record, &opening, &mut |piece| match piece {
            Piece::Event(_) => self.events += 1,
            Piece::NotOfInterest => self.not_of_interest += 1,
            Piece::Other(other) => *self.others.entry(other.as_str()).or_default() += 1,
            Piece::Unreadable(part) => *self.unreadable.entry(part.reason.code()).or_default() += 1,
        });
    }

    pub fn summary(self) -> (usize, Tally, Tally) {
        (self.events, self.others, self.unreadable)
    }
}

/// An aggregate as the Kinesis Producer Library writes it, with its table of keys.
#[derive(Clone, PartialEq, Message)]
pub struct Aggregate {
    #[prost(string, repeated, tag = "1")]
    pub partition_keys: Vec<String>,
    #[prost(message, repeated, tag = "3")]
    pub records: Vec<AggregatePart>,
}

#[derive(Clone, PartialEq, Message)]
pub struct AggregatePart {
    #[prost(uint64, required, tag = "1")]
    pub partition_key_index: u64,
    #[prost(bytes = "vec", required, tag = "3")]
    pub data: Vec<u8>,
}

pub fn kpl<'d>(parts: impl IntoIterator<Item = &'d [u8]>) -> Vec<u8> {
    let records = parts.into_iter().map(|data| AggregatePart { partition_key_index: 0, data: data.to_vec() }).collect();
    sealed(&Aggregate { partition_keys: vec!["key".to_owned()], records }.encode_to_vec())
}

/// Magic, message and its MD5 sum.
pub fn sealed(message: &[u8]) -> Vec<u8> {
    [&[0xF3, 0x89, 0x9A, 0xC2], message, Md5::digest(message).as_slice()].concat()
}

pub fn event_bridge(record: &str) -> String {
    format!(
        r#"{{"version":"0","id":"7d1a","detail-type":"AWS API Call via CloudTrail","source":"aws.iam","account":"111122223333","time":"2024-01-01T00:00:00Z","region":"us-east-1","resources":[],"detail":{record}}}"#
    )
}

pub fn cloudwatch_logs(records: &[&str]) -> Vec<u8> {
    let events: Vec<Value> = records
        .iter()
        .enumerate()
        .map(|(index, record)| json!({"id": index.to_string(), "timestamp": 1_704_067_200_000_i64, "message": record}))
        .collect();
    let message = json!({
        "messageType": "DATA_MESSAGE", "owner": "111122223333", "logGroup": "trail", "logStream": "s",
        "subscriptionFilters": ["f"], "logEvents": events,
    });
    gzip(message.to_string().as_bytes())
}

/// The same records in every envelope the design names, and in some that lie inside one another.
pub fn wrappings(records: &[&str]) -> Vec<(&'static str, Vec<Vec<u8>>)> {
    let each = |wrap: &dyn Fn(&str) -> Vec<u8>| -> Vec<Vec<u8>> { records.iter().map(|record| wrap(record)).collect() };
    let text = |record: &str| json!(record).to_string();
    let list = records.join(",\n");
    let s3_file = format!("{{\"Records\":[{list}]}}").into_bytes();
    let lines = format!("{}\n", records.join("\n")).into_bytes();
    let bridged: Vec<String> = records.iter().map(|record| event_bridge(record)).collect();
    let bridged: Vec<&str> = bridged.iter().map(String::as_str).collect();
    let kinesis = |data: &[u8]| {
        json!({"Records": [{"kinesis": {"data": STANDARD.encode(data), "sequenceNumber": "1", "approximateArrivalTimestamp": 1704067200.5},
            "eventSource": "aws:kinesis", "eventVersion": "1.0", "eventName": "aws:kinesis:record", "eventID": "shardId-0:1"}]})
        .to_string()
        .into_bytes()
    };
    let look_up = |record: &str| {
        format!(
            r#"{{"EventId":"1","EventName":"x","EventTime":"2024-01-01 00:00:00+00:00","CloudTrailEvent":{}}}"#,
            text(record)
        )
    };
    let half = records.len() / 2;
    vec![
        ("nothing", each(&|record| record.as_bytes().to_vec())),
        ("EventBridge", each(&|record| event_bridge(record).into_bytes())),
        ("gzip of EventBridge", each(&|record| gzip(event_bridge(record).as_bytes()))),
        ("CloudWatch Logs", vec![cloudwatch_logs(records)]),
        ("Records", vec![s3_file.clone()]),
        ("gzip of Records", vec![gzip(&s3_file)]),
        ("gzip of gzip of Records", vec![gzip(&gzip(&s3_file))]),
        ("JSON lines", vec![lines.clone()]),
        (
            "gzip members of JSON lines",
            vec![
                [gzip(records[..half].join("\n").as_bytes()), gzip(b"\n"), gzip(records[half..].join("\n").as_bytes())]
                    .concat(),
            ],
        ),
        ("JSON lines of EventBridge", vec![bridged.join("\r\n").into_bytes()]),
        ("JSON without line ends", vec![records.concat().into_bytes()]),
        ("array", vec![format!("[{list}]").into_bytes()]),
        ("array of EventBridge", vec![format!("[{}]", bridged.join(",")).into_bytes()]),
        ("KPL", vec![kpl(records.iter().map(|record| record.as_bytes()))]),
        ("KPL of EventBridge", vec![kpl(bridged.iter().map(|record| record.as_bytes()))]),
        (
            "KPL of CloudWatch Logs",
            vec![kpl([cloudwatch_logs(&records[..half]), cloudwatch_logs(&records[half..])].iter().map(Vec::as_slice))],
        ),
        ("base64", each(&|record| STANDARD.encode(record).into_bytes())),
        ("base64 of gzip of Records", vec![STANDARD.encode(gzip(&s3_file)).into_bytes()]),
        ("base64 of KPL", vec![STANDARD.encode(kpl([s3_file.as_slice()])).into_bytes()]),
        ("Kinesis event of CloudWatch Logs", vec![kinesis(&cloudwatch_logs(records))]),
        ("Kinesis event of KPL", vec![kinesis(&kpl([lines.as_slice()]))]),
        (
            "awslogs",
            vec![json!({"awslogs": {"data": STANDARD.encode(cloudwatch_logs(records))}}).to_string().into_bytes()],
        ),
        (
            "LookupEvents lines",
            vec![records.iter().map(|record| look_up(record)).collect::<Vec<_>>().join("\n").into_bytes()],
        ),
        (
            "LookupEvents output",
            vec![
                format!(
                    "{{\"Events\":[{}]}}",
                    records.iter().map(|record| look_up(record)).collect::<Vec<_>>().join(",")
                )
                .into_bytes(),
            ],
        ),
        ("_raw text", each(&|record| format!(r#"{{"_time":1,"_raw":{}}}"#, text(record)).into_bytes())),
        ("message object", each(&|record| format!(r#"{{"@timestamp":"x","message":{record}}}"#).into_bytes())),
        (
            "message text in event",
            each(&|record| {
                format!(r#"{{"message":"a line of words","event":{{"original":{}}}}}"#, text(record)).into_bytes()
            }),
        ),
        ("payload", each(&|record| format!(r#"{{"payload":{}}}"#, text(&event_bridge(record))).into_bytes())),
        ("log", each(&|record| format!(r#"{{"log":{}}}"#, text(record)).into_bytes())),
        (
            "SQS",
            each(&|record| {
                format!(
                    r#"{{"Records":[{{"eventSource":"aws:sqs","messageId":"1","body":{}}}]}}"#,
                    text(&event_bridge(record))
                )
                .into_bytes()
            }),
        ),
        (
            "SNS",
            each(&|record| {
                format!(r#"{{"Records":[{{"EventSource":"aws:sns","Sns":{{"Message":{}}}}}]}}"#, text(record))
                    .into_bytes()
            }),
        ),
        ("a JSON string", each(&|record| text(record).into_bytes())),
    ]
}
