//! Reads the public sets and puts records into every envelope.

#![allow(dead_code, unreachable_pub)] // each test program uses its part
#![allow(clippy::unwrap_used, clippy::indexing_slicing)] // a helper that fails fails its test

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
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

/// An envelope's name and the records in it: one outer record for all of them, or one for each.
pub type Wrapping = (&'static str, Vec<Vec<u8>>);

/// The same records in every envelope the design names, and in some that lie inside one another.
pub fn wrappings(records: &[&str]) -> Vec<Wrapping> {
    [documents(records), packed(records), triggers(records), shippers(records)].concat()
}

fn each(records: &[&str], wrap: impl Fn(&str) -> String) -> Vec<Vec<u8>> {
    records.iter().map(|record| wrap(record).into_bytes()).collect()
}

fn s3_file(records: &[&str]) -> Vec<u8> {
    format!("{{\"Records\":[{}]}}", records.join(",\n")).into_bytes()
}

fn documents(records: &[&str]) -> Vec<Wrapping> {
    let bridged: Vec<String> = records.iter().map(|record| event_bridge(record)).collect();
    vec![
        ("nothing", each(records, str::to_owned)),
        ("EventBridge", each(records, event_bridge)),
        ("Records", vec![s3_file(records)]),
        ("JSON lines", vec![format!("{}\n", records.join("\n")).into_bytes()]),
        ("JSON lines of EventBridge", vec![bridged.join("\r\n").into_bytes()]),
        ("JSON without line ends", vec![records.concat().into_bytes()]),
        ("array", vec![format!("[{}]", records.join(", ")).into_bytes()]),
        ("array of EventBridge", vec![format!("[{}]", bridged.join(",")).into_bytes()]),
        ("a JSON string", each(records, |record| json!(record).to_string())),
    ]
}

fn packed(records: &[&str]) -> Vec<Wrapping> {
    let bridged: Vec<String> = records.iter().map(|record| event_bridge(record)).collect();
    let (first, second) = records.split_at(records.len() / 2);
    let file = s3_file(records);
    let members = [gzip(first.join("\n").as_bytes()), gzip(b"\n"), gzip(second.join("\n").as_bytes())].concat();
    let logs = [cloudwatch_logs(first), cloudwatch_logs(second)];
    vec![
        ("gzip of EventBridge", records.iter().map(|record| gzip(event_bridge(record).as_bytes())).collect()),
        ("CloudWatch Logs", vec![cloudwatch_logs(records)]),
        ("gzip of Records", vec![gzip(&file)]),
        ("gzip of gzip of Records", vec![gzip(&gzip(&file))]),
        ("gzip members of JSON lines", vec![members]),
        ("KPL", vec![kpl(records.iter().map(|record| record.as_bytes()))]),
        ("KPL of EventBridge", vec![kpl(bridged.iter().map(|record| record.as_bytes()))]),
        ("KPL of CloudWatch Logs", vec![kpl(logs.iter().map(Vec::as_slice))]),
        ("base64", each(records, |record| STANDARD.encode(record))),
        ("base64 of gzip of Records", vec![STANDARD.encode(gzip(&file)).into_bytes()]),
        ("base64 of KPL", vec![STANDARD.encode(kpl([file.as_slice()])).into_bytes()]),
    ]
}

/// What Lambda's triggers hand over.
fn triggers(records: &[&str]) -> Vec<Wrapping> {
    let kinesis = |data: &[u8]| {
        let kinesis = json!({"data": STANDARD.encode(data), "approximateArrivalTimestamp": 1_704_067_200.5});
        let record = json!({"kinesis": kinesis, "eventSource": "aws:kinesis", "eventVersion": "1.0",
            "eventName": "aws:kinesis:record", "eventID": "shardId-0:1"});
        json!({"Records": [record]}).to_string().into_bytes()
    };
    let awslogs = json!({"awslogs": {"data": STANDARD.encode(cloudwatch_logs(records))}});
    let sqs = |record: &str| json!({"Records": [{"eventSource": "aws:sqs", "body": event_bridge(record)}]}).to_string();
    let sns = |record: &str| json!({"Records": [{"EventSource": "aws:sns", "Sns": {"Message": record}}]}).to_string();
    vec![
        ("Kinesis event of CloudWatch Logs", vec![kinesis(&cloudwatch_logs(records))]),
        ("Kinesis event of KPL", vec![kinesis(&kpl([s3_file(records).as_slice()]))]),
        ("awslogs", vec![awslogs.to_string().into_bytes()]),
        ("SQS", each(records, sqs)),
        ("SNS", each(records, sns)),
    ]
}

/// What log shippers and AWS' own command line make of records.
fn shippers(records: &[&str]) -> Vec<Wrapping> {
    let look_up = |record: &&str| {
        json!({"EventId": "1", "EventName": "x", "EventTime": "2024-01-01 00:00:00+00:00", "CloudTrailEvent": record})
            .to_string()
    };
    let looked_up: Vec<String> = records.iter().map(look_up).collect();
    vec![
        ("LookupEvents lines", vec![looked_up.join("\n").into_bytes()]),
        ("LookupEvents output", vec![format!("{{\"Events\":[{}]}}", looked_up.join(",")).into_bytes()]),
        ("_raw text", each(records, |record| json!({"_time": 1, "_raw": record}).to_string())),
        ("message object", each(records, |record| format!(r#"{{"@timestamp":"x","message":{record}}}"#))),
        (
            "original text beside a message in words",
            each(records, |record| json!({"message": "words", "event": {"original": record}}).to_string()),
        ),
        ("payload", each(records, |record| json!({"payload": event_bridge(record)}).to_string())),
        ("log", each(records, |record| json!({"log": record}).to_string())),
    ]
}
