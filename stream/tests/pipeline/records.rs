//! CloudTrail records, and every envelope they come in.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use md5::{Digest, Md5};
use serde_json::{Value, json};

use local_aws::ACCOUNT;

const ADMIN: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#;

/// An event with an id of this number; ids tell events apart in all tests.
fn event(number: u32, name: &str, parameters: Value) -> Value {
    json!({
        "eventVersion": "1.10",
        "userIdentity": {
            "type": "IAMUser", "principalId": "AIDAEXAMPLE", "arn": format!("arn:aws:iam::{ACCOUNT}:user/alice"),
            "accountId": ACCOUNT, "accessKeyId": "AKIAEXAMPLE", "userName": "alice"
        },
        "eventTime": "2024-01-05T12:00:00Z",
        "eventSource": "iam.amazonaws.com",
        "eventName": name,
        "awsRegion": "us-east-1",
        "sourceIPAddress": "203.0.113.7",
        "userAgent": "aws-cli/2.15.0",
        "requestParameters": parameters,
        "responseElements": null,
        "requestID": format!("r-{number}"),
        "eventID": event_id(number),
        "readOnly": false,
        "eventType": "AwsApiCall",
        "managementEvent": true,
        "recipientAccountId": ACCOUNT,
        "eventCategory": "Management"
    })
}

pub(crate) fn event_id(number: u32) -> String {
    format!("00000000-0000-4000-8000-{number:012}")
}

/// A change that `AdminInline` names.
pub(crate) fn admin_inline(number: u32) -> Value {
    event(number, "PutUserPolicy", json!({"userName": "bob", "policyName": "p", "policyDocument": ADMIN}))
}

/// The same by the pipeline, which is suppressed.
pub(crate) fn admin_inline_by_pipeline(number: u32) -> Value {
    let mut event = admin_inline(number);
    event["userIdentity"]["arn"] = json!(format!("arn:aws:iam::{ACCOUNT}:user/pipeline"));
    event
}

/// An inline policy of which CloudTrail left out everything: not even the user is told.
pub(crate) fn omitted_inline(number: u32) -> Value {
    event(number, "PutUserPolicy", omitted())
}

/// A new policy whose document CloudTrail left out; the answer names the policy.
pub(crate) fn omitted_policy(number: u32, arn: &str) -> Value {
    let mut event = event(number, "CreatePolicy", omitted());
    event["responseElements"] = json!({"policy": {"arn": arn, "policyName": "admin", "defaultVersionId": "v1"}});
    event
}

/// What stands in place of parameters of more than 100 KB.
fn omitted() -> Value {
    json!({"omitted": true, "originalSize": 110_000, "reason": "requestParameters too large"})
}

/// A policy attached; its document is in IAM.
pub(crate) fn attached(number: u32, policy_arn: &str) -> Value {
    event(number, "AttachRolePolicy", json!({"roleName": "app", "policyArn": policy_arn}))
}

/// In the lake only.
pub(crate) fn user_created(number: u32) -> Value {
    event(number, "CreateUser", json!({"userName": format!("user-{number}")}))
}

/// A read of no interest.
pub(crate) fn harmless(number: u32) -> Value {
    let mut event = event(number, "GetCallerIdentity", Value::Null);
    event["eventSource"] = json!("sts.amazonaws.com");
    event
}

pub(crate) fn bytes(value: &Value) -> Vec<u8> {
    value.to_string().into_bytes()
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// As an EventBridge rule sends it.
pub(crate) fn event_bridge(event: &Value) -> Vec<u8> {
    bytes(&json!({"version": "0", "id": "x", "detail-type": "AWS API Call via CloudTrail", "source": "aws.iam",
        "account": ACCOUNT, "time": "2024-01-05T12:00:00Z", "region": "us-east-1", "resources": [], "detail": event}))
}

/// As a CloudWatch Logs subscription sends them.
pub(crate) fn log_subscription(events: &[Value]) -> Vec<u8> {
    let event = |event: &Value| json!({"id": "1", "timestamp": 1_704_456_000_000_u64, "message": event.to_string()});
    gzip(&bytes(&json!({"messageType": "DATA_MESSAGE", "owner": ACCOUNT, "logGroup": "trail", "logStream": "s",
        "subscriptionFilters": ["f"], "logEvents": events.iter().map(event).collect::<Vec<_>>()})))
}

/// What CloudWatch Logs sends to see whether the stream is there.
pub(crate) fn control_message() -> Vec<u8> {
    gzip(&bytes(&json!({"messageType": "CONTROL_MESSAGE", "owner": "CloudwatchLogs", "logGroup": "", "logStream": "",
        "subscriptionFilters": [], "logEvents": [{"id": "", "timestamp": 1, "message": "CWL CONTROL MESSAGE: health"}]})))
}

/// As CloudTrail writes it to S3.
pub(crate) fn log_file(events: &[Value]) -> Vec<u8> {
    gzip(&bytes(&json!({"Records": events})))
}

/// As the Kinesis Producer Library aggregates them: magic, protobuf, MD5.
pub(crate) fn aggregate(records: &[Vec<u8>]) -> Vec<u8> {
    let mut message = field(1, b"key");
    for record in records {
        // partition_key_index 0, data
        let inner = [vec![0x08, 0x00], field(3, record)].concat();
        message.extend(field(3, &inner));
    }
    let digest = Md5::digest(&message);
    [&[0xF3, 0x89, 0x9A, 0xC2][..], &message, &digest].concat()
}

fn field(number: u8, content: &[u8]) -> Vec<u8> {
    let mut field = vec![number << 3 | 2];
    let mut length = content.len();
    while length >= 0x80 {
        field.push(length as u8 | 0x80);
        length >>= 7;
    }
    field.push(length as u8);
    field.extend_from_slice(content);
    field
}
