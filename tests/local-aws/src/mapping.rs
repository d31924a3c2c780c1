//! The Kinesis event source mapping of Lambda: cuts batches, retries, bisects, gives up.
//!
//! A model of ours. Its rules are those of "Using Lambda to process records from Amazon Kinesis Data Streams", "Configuring
//! partial batch response" and "Retain discarded batches" in the Lambda developer guide; each has a test.

use std::collections::VecDeque;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use crate::function::FunctionError;
use crate::server::{ACCOUNT, LocalAws, REGION};

/// Lambda's limit for a synchronous payload, in bytes.
const MAX_PAYLOAD: usize = 6 * 1024 * 1024;
/// A test whose mapping would go on for ever stops here.
const MAX_INVOCATIONS: usize = 10_000;

/// One record of a shard.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// `shardId-000000000000`.
    pub shard_id: String,
    /// Its place in the shard.
    pub sequence_number: String,
    /// Decides about the shard.
    pub partition_key: String,
    /// Base64, as Lambda hands it over.
    pub data: String,
    /// Seconds since the epoch.
    pub arrived: f64,
}

/// Settings of a mapping, under AWS's names. The defaults are AWS's, but for `report_batch_item_failures`.
#[derive(Debug, Clone)]
pub struct Mapping {
    /// Records of a batch at most.
    pub batch_size: usize,
    /// `None` stands for -1: for ever.
    pub maximum_retry_attempts: Option<u32>,
    /// `None` stands for -1: never too old.
    pub maximum_record_age: Option<Duration>,
    /// BisectBatchOnFunctionError.
    pub bisect: bool,
    /// FunctionResponseTypes = ReportBatchItemFailures.
    pub report_batch_item_failures: bool,
    /// Bucket of the on-failure destination, which gets the whole payload.
    pub on_failure: Option<String>,
}

impl Default for Mapping {
    fn default() -> Mapping {
        Mapping {
            batch_size: 100,
            maximum_retry_attempts: None,
            maximum_record_age: None,
            bisect: false,
            report_batch_item_failures: true,
            on_failure: None,
        }
    }
}

/// A batch that was given up.
#[derive(Debug, Clone, PartialEq)]
pub struct Failed {
    /// Its records.
    pub records: Vec<Record>,
    /// `RetryAttemptsExhausted` or `MaximumRecordAgeExceeded`.
    pub condition: &'static str,
    /// How often it was tried.
    pub invocations: u32,
}

/// What a run of the mapping did.
#[derive(Debug, Default)]
pub struct Drained {
    /// Sequence numbers of every invocation, in order.
    pub invocations: Vec<Vec<String>>,
    /// The answers, in the same order.
    pub answers: Vec<Result<Value, FunctionError>>,
    /// What was given up.
    pub failed: Vec<Failed>,
}

struct Batch {
    records: Vec<Record>,
    retries: u32,
    invocations: u32,
}

impl Mapping {
    /// Reads every shard of a stream from its beginning to its present end and invokes the function with its batches.
    pub fn drain(
        &self,
        aws: &LocalAws,
        stream: &str,
        mut invoke: impl FnMut(&Value) -> Result<Value, FunctionError>,
    ) -> Drained {
        let mut drained = Drained::default();
        for records in aws.shards(stream) {
            let shard = self.run(stream, &records, &mut invoke);
            drained.invocations.extend(shard.invocations);
            drained.answers.extend(shard.answers);
            for failed in shard.failed {
                if let Some(bucket) = &self.on_failure {
                    store_failed(aws, bucket, stream, &failed);
                }
                drained.failed.push(failed);
            }
        }
        drained
    }

    /// The rules themselves, on the records of one shard.
    pub fn run(
        &self,
        stream: &str,
        records: &[Record],
        mut invoke: impl FnMut(&Value) -> Result<Value, FunctionError>,
    ) -> Drained {
        let mut drained = Drained::default();
        let mut waiting: VecDeque<Batch> = self.cut(records);
        while let Some(mut batch) = waiting.pop_front() {
            if let Some(old) = self.take_old(&mut batch) {
                drained.failed.push(old);
            }
            if batch.records.is_empty() {
                continue;
            }
            assert!(drained.invocations.len() < MAX_INVOCATIONS, "the shard is blocked: a batch is retried for ever");
            let answer = invoke(&kinesis_event(stream, &batch.records));
            drained.invocations.push(batch.records.iter().map(|record| record.sequence_number.clone()).collect());
            batch.invocations += 1;
            let failed_from = self.failed_from(&batch.records, &answer);
            drained.answers.push(answer);
            if let Some(place) = failed_from {
                self.retry(batch, place, &mut waiting, &mut drained);
            }
        }
        drained
    }

    /// A batch ends at its size or at the payload limit.
    fn cut(&self, records: &[Record]) -> VecDeque<Batch> {
        let mut batches: Vec<Vec<Record>> = Vec::new();
        let mut size = MAX_PAYLOAD;
        for record in records {
            let more = kinesis_event("", std::slice::from_ref(record)).to_string().len();
            match batches.last_mut() {
                Some(last) if last.len() < self.batch_size && size + more <= MAX_PAYLOAD => {
                    last.push(record.clone());
                    size += more;
                }
                _ => {
                    batches.push(vec![record.clone()]);
                    size = more;
                }
            }
        }
        batches.into_iter().map(|records| Batch { records, retries: 0, invocations: 0 }).collect()
    }

    fn take_old(&self, batch: &mut Batch) -> Option<Failed> {
        let limit = self.maximum_record_age?.as_secs_f64();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
        let (old, young) =
            std::mem::take(&mut batch.records).into_iter().partition(|record: &Record| now - record.arrived > limit);
        batch.records = young;
        let invocations = batch.invocations;
        let is_any = |records: &Vec<Record>| !records.is_empty();
        Some(old).filter(is_any).map(|records| Failed { records, condition: "MaximumRecordAgeExceeded", invocations })
    }

    /// The place from which records failed: `None` is success, 0 the whole batch.
    fn failed_from(&self, records: &[Record], answer: &Result<Value, FunctionError>) -> Option<usize> {
        let Ok(answer) = answer else { return Some(0) };
        if !self.report_batch_item_failures {
            return None;
        }
        let failures = match answer.get("batchItemFailures") {
            None | Some(Value::Null) => return None,
            Some(Value::Array(failures)) => failures,
            Some(_) => return Some(0),
        };
        let place = |failure: &Value| {
            let number = failure.get("itemIdentifier").and_then(Value::as_str).filter(|number| !number.is_empty());
            // An identifier that is missing, empty or unknown fails the whole batch.
            number.and_then(|number| records.iter().position(|record| record.sequence_number == number)).unwrap_or(0)
        };
        failures.iter().map(place).min()
    }

    fn retry(&self, mut batch: Batch, place: usize, waiting: &mut VecDeque<Batch>, drained: &mut Drained) {
        let rest = batch.records.split_off(place);
        let is_cut = place > 0;
        if self.bisect && !is_cut && rest.len() > 1 {
            let mut first = rest;
            let second = first.split_off(first.len().div_ceil(2));
            for records in [second, first] {
                waiting.push_front(Batch { records, retries: batch.retries, invocations: batch.invocations });
            }
            return;
        }
        // Splitting a batch does not use up its retries.
        let retries = if self.bisect && is_cut { batch.retries } else { batch.retries + 1 };
        if self.maximum_retry_attempts.is_some_and(|most| retries > most) {
            let invocations = batch.invocations;
            drained.failed.push(Failed { records: rest, condition: "RetryAttemptsExhausted", invocations });
        } else {
            waiting.push_front(Batch { records: rest, retries, invocations: batch.invocations });
        }
    }
}

/// The event that Lambda hands to a function.
pub fn kinesis_event(stream: &str, records: &[Record]) -> Value {
    let event = |record: &Record| {
        json!({
            "kinesis": {
                "kinesisSchemaVersion": "1.0",
                "partitionKey": record.partition_key,
                "sequenceNumber": record.sequence_number,
                "data": record.data,
                "approximateArrivalTimestamp": record.arrived,
            },
            "eventSource": "aws:kinesis",
            "eventVersion": "1.0",
            "eventID": format!("{}:{}", record.shard_id, record.sequence_number),
            "eventName": "aws:kinesis:record",
            "invokeIdentityArn": format!("arn:aws:iam::{ACCOUNT}:role/under-test"),
            "awsRegion": REGION,
            "eventSourceARN": format!("arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/{stream}"),
        })
    };
    json!({"Records": records.iter().map(event).collect::<Vec<_>>()})
}

impl LocalAws {
    /// The records of every shard, from the beginning.
    pub fn shards(&self, stream: &str) -> Vec<Vec<Record>> {
        let listed = self.json("Kinesis_20131202.ListShards", &json!({"StreamName": stream}));
        let shards = listed["Shards"].as_array().cloned().unwrap_or_default();
        shards.iter().map(|shard| self.read_shard(stream, shard["ShardId"].as_str().unwrap_or_default())).collect()
    }

    fn read_shard(&self, stream: &str, shard_id: &str) -> Vec<Record> {
        let ask = json!({"StreamName": stream, "ShardId": shard_id, "ShardIteratorType": "TRIM_HORIZON"});
        let mut iterator = self.json("Kinesis_20131202.GetShardIterator", &ask)["ShardIterator"].clone();
        let mut records = Vec::new();
        loop {
            let reply = self.json("Kinesis_20131202.GetRecords", &json!({"ShardIterator": iterator, "Limit": 10_000}));
            let page = reply["Records"].as_array().cloned().unwrap_or_default();
            if page.is_empty() {
                return records;
            }
            let text = |record: &Value, name: &str| record[name].as_str().unwrap_or_default().to_owned();
            records.extend(page.iter().map(|record| Record {
                shard_id: shard_id.to_owned(),
                sequence_number: text(record, "SequenceNumber"),
                partition_key: text(record, "PartitionKey"),
                data: text(record, "Data"),
                arrived: record["ApproximateArrivalTimestamp"].as_f64().unwrap_or_default(),
            }));
            iterator = reply["NextShardIterator"].clone();
        }
    }
}

impl Record {
    /// A record that never was in a stream.
    pub fn new(number: u64, data: &[u8]) -> Record {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Record {
            shard_id: "shardId-000000000000".to_owned(),
            sequence_number: format!("{number:056}"),
            partition_key: "key".to_owned(),
            data: BASE64_STANDARD.encode(data),
            arrived: now.as_secs_f64(),
        }
    }
}

/// Writes what Lambda writes to an S3 destination: the whole event as an escaped JSON string in `payload`.
fn store_failed(aws: &LocalAws, bucket: &str, stream: &str, failed: &Failed) {
    let (Some(first), Some(last)) = (failed.records.first(), failed.records.last()) else { return };
    let document = json!({
        "requestContext": {
            "requestId": "00000000-0000-4000-8000-000000000000",
            "functionArn": format!("arn:aws:lambda:{REGION}:{ACCOUNT}:function:under-test"),
            "condition": failed.condition,
            "approximateInvokeCount": failed.invocations,
        },
        "responseContext": {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"},
        "version": "1.0",
        "timestamp": "2026-01-01T00:00:00.000Z",
        "KinesisBatchInfo": {
            "shardId": first.shard_id,
            "startSequenceNumber": first.sequence_number,
            "endSequenceNumber": last.sequence_number,
            "batchSize": failed.records.len(),
            "streamArn": format!("arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/{stream}"),
        },
        "payload": kinesis_event(stream, &failed.records).to_string(),
    });
    let key = format!(
        "aws/lambda/00000000-0000-4000-8000-000000000001/{}/2026/01/01/2026-01-01T00.00.00-{}",
        first.shard_id, first.sequence_number
    );
    aws.put_object(bucket, &key, document.to_string().as_bytes());
}
