//! The few resources that tests make, and looking into them.

use std::time::{Duration, Instant};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use crate::client::percent;
use crate::server::{ACCOUNT, LocalAws, REGION};

/// PutRecords takes this many.
const RECORDS_PER_CALL: usize = 500;

/// A queue.
#[derive(Debug, Clone)]
pub struct Queue {
    /// Where messages are sent.
    pub url: String,
    /// What routes and subscriptions name.
    pub arn: String,
}

impl LocalAws {
    /// Makes a stream with so many shards and waits until it is active.
    pub fn create_stream(&self, name: &str, shards: u32) {
        self.json("Kinesis_20131202.CreateStream", &json!({"StreamName": name, "ShardCount": shards}));
        self.wait_until("the stream is active", || {
            let stream = self.json("Kinesis_20131202.DescribeStreamSummary", &json!({"StreamName": name}));
            stream["StreamDescriptionSummary"]["StreamStatus"] == "ACTIVE"
        });
    }

    /// Puts records, in order, under their partition keys.
    pub fn put_records(&self, stream: &str, records: &[(&str, Vec<u8>)]) {
        for part in records.chunks(RECORDS_PER_CALL) {
            let entry =
                |(key, data): &(&str, Vec<u8>)| json!({"PartitionKey": key, "Data": BASE64_STANDARD.encode(data)});
            let entries: Vec<Value> = part.iter().map(entry).collect();
            let reply = self.json("Kinesis_20131202.PutRecords", &json!({"StreamName": stream, "Records": entries}));
            assert_eq!(reply["FailedRecordCount"], 0, "{reply}");
        }
    }

    /// Makes a bucket.
    pub fn create_bucket(&self, bucket: &str) {
        let reply = self.call(("s3", ACCOUNT), ("PUT", &format!("/{bucket}")), &[], b"");
        assert_eq!(reply.status, 200, "{}", reply.text());
    }

    /// Writes an object.
    pub fn put_object(&self, bucket: &str, key: &str, content: &[u8]) {
        let reply = self.call(("s3", ACCOUNT), ("PUT", &format!("/{bucket}/{}", percent(key, "/"))), &[], content);
        assert_eq!(reply.status, 200, "{}", reply.text());
    }

    /// Reads an object; `None` when there is none.
    pub fn object(&self, bucket: &str, key: &str) -> Option<Vec<u8>> {
        let reply = self.call(("s3", ACCOUNT), ("GET", &format!("/{bucket}/{}", percent(key, "/"))), &[], b"");
        (reply.status == 200).then_some(reply.body)
    }

    /// The keys that start with a prefix, sorted; up to 1,000.
    pub fn keys(&self, bucket: &str, prefix: &str) -> Vec<String> {
        let path = format!("/{bucket}?list-type=2&prefix={}", percent(prefix, ""));
        let reply = self.call(("s3", ACCOUNT), ("GET", &path), &[], b"");
        assert_eq!(reply.status, 200, "{}", reply.text());
        reply.tags("Key")
    }

    /// Makes a queue.
    pub fn create_queue(&self, name: &str) -> Queue {
        let reply = self.json("AmazonSQS.CreateQueue", &json!({"QueueName": name}));
        let url = reply["QueueUrl"].as_str().expect("a queue has an address").to_owned();
        Queue { url, arn: format!("arn:aws:sqs:{REGION}:{ACCOUNT}:{name}") }
    }

    /// Takes every message out of a queue: the bodies as JSON, or as text where they are none.
    pub fn take_messages(&self, queue: &Queue) -> Vec<Value> {
        let mut bodies = Vec::new();
        loop {
            let ask = json!({"QueueUrl": queue.url, "MaxNumberOfMessages": 10, "WaitTimeSeconds": 0});
            let reply = self.json("AmazonSQS.ReceiveMessage", &ask);
            let messages = reply["Messages"].as_array().cloned().unwrap_or_default();
            if messages.is_empty() {
                return bodies;
            }
            for message in messages {
                let body = message["Body"].as_str().unwrap_or_default();
                bodies.push(serde_json::from_str(body).unwrap_or_else(|_| json!(body)));
                let done = json!({"QueueUrl": queue.url, "ReceiptHandle": message["ReceiptHandle"]});
                self.json("AmazonSQS.DeleteMessage", &done);
            }
        }
    }

    /// Makes a bus.
    pub fn create_bus(&self, name: &str) {
        self.json("AWSEvents.CreateEventBus", &json!({"Name": name}));
    }

    /// Routes the entries of a bus that match a pattern to a queue.
    pub fn route(&self, bus: &str, pattern: &Value, queue: &Queue) {
        let name = queue.arn.rsplit(':').next().unwrap_or_default();
        let rule = json!({"Name": name, "EventBusName": bus, "EventPattern": pattern.to_string(), "State": "ENABLED"});
        self.json("AWSEvents.PutRule", &rule);
        let targets = json!({"Rule": name, "EventBusName": bus, "Targets": [{"Id": name, "Arn": queue.arn}]});
        self.json("AWSEvents.PutTargets", &targets);
    }

    /// Makes a topic and returns its ARN.
    pub fn create_topic(&self, name: &str) -> String {
        let reply = self.query("sns", ACCOUNT, &[("Action", "CreateTopic"), ("Version", "2010-03-31"), ("Name", name)]);
        reply.tag("TopicArn").expect("a topic has an ARN")
    }

    /// Delivers what is published to a topic to a queue.
    pub fn subscribe(&self, topic: &str, queue: &Queue) {
        let subscribe = [("Action", "Subscribe"), ("Version", "2010-03-31"), ("TopicArn", topic)];
        let to = [("Protocol", "sqs"), ("Endpoint", queue.arn.as_str())];
        self.query("sns", ACCOUNT, &[&subscribe[..], &to[..]].concat());
    }

    /// An IAM call of an account: `iam("222222222222", &[("Action", "CreateRole"), ...])`.
    pub fn iam(&self, account: &str, parameters: &[(&str, &str)]) -> crate::Reply {
        self.query("iam", account, &[&[("Version", "2010-05-08")], parameters].concat())
    }

    /// Sum of a metric over the last two hours, all dimensions of it as given; 0 when it was never published.
    pub fn metric_sum(&self, namespace: &str, name: &str, dimensions: &[(&str, &str)]) -> f64 {
        let mut parameters = vec![
            ("Action".to_owned(), "GetMetricStatistics".to_owned()),
            ("Version".to_owned(), "2010-08-01".to_owned()),
            ("Namespace".to_owned(), namespace.to_owned()),
            ("MetricName".to_owned(), name.to_owned()),
            ("StartTime".to_owned(), "2000-01-01T00:00:00Z".to_owned()),
            ("EndTime".to_owned(), "2100-01-01T00:00:00Z".to_owned()),
            ("Period".to_owned(), "86400".to_owned()),
            ("Statistics.member.1".to_owned(), "Sum".to_owned()),
        ];
        for (place, (key, value)) in (1..).zip(dimensions) {
            parameters.push((format!("Dimensions.member.{place}.Name"), (*key).to_owned()));
            parameters.push((format!("Dimensions.member.{place}.Value"), (*value).to_owned()));
        }
        let parameters: Vec<(&str, &str)> =
            parameters.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        let reply = self.query("monitoring", ACCOUNT, &parameters);
        reply.tags("Sum").iter().filter_map(|sum| sum.parse::<f64>().ok()).sum()
    }

    /// As [`wait_until`].
    pub fn wait_until(&self, what: &str, holds: impl FnMut() -> bool) {
        wait_until(what, holds);
    }
}

/// Waits until something holds; panics with its name after half a minute.
pub fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < Duration::from_secs(30), "waited in vain until {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
