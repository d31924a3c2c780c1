//! The sentences of AWS's documentation that the model of the event source mapping follows.

use std::cell::RefCell;
use std::time::Duration;

use local_aws::{FunctionError, LocalAws, Mapping, Record};
use serde_json::{Value, json};

fn records(count: u64) -> Vec<Record> {
    (1..=count).map(|number| Record::new(number, b"{}")).collect()
}

fn numbers(event: &Value) -> Vec<u64> {
    let records = event["Records"].as_array().expect("records");
    records.iter().map(|record| record["kinesis"]["sequenceNumber"].as_str().unwrap().parse().unwrap()).collect()
}

fn failure(number: u64) -> Value {
    json!({"batchItemFailures": [{"itemIdentifier": format!("{number:056}")}]})
}

fn crash() -> Result<Value, FunctionError> {
    Err(FunctionError::Handler(json!({"errorType": "Crash"})))
}

/// Runs a mapping over records and returns what each invocation was given.
fn seen(
    mapping: &Mapping,
    records: &[Record],
    mut answer: impl FnMut(&[u64]) -> Result<Value, FunctionError>,
) -> (Vec<Vec<u64>>, Vec<Vec<u64>>) {
    let seen = RefCell::new(Vec::new());
    let drained = mapping.run("stream", records, |event| {
        let numbers = numbers(event);
        seen.borrow_mut().push(numbers.clone());
        answer(&numbers)
    });
    let number = |record: &Record| record.sequence_number.parse().unwrap();
    let failed = drained.failed.iter().map(|failed| failed.records.iter().map(number).collect()).collect();
    (seen.into_inner(), failed)
}

#[test]
fn an_empty_or_null_list_is_complete_success() {
    for answer in [json!({"batchItemFailures": []}), json!({"batchItemFailures": null}), json!({}), Value::Null] {
        let (calls, failed) = seen(&Mapping::default(), &records(3), |_| Ok(answer.clone()));
        assert_eq!((calls, failed), (vec![vec![1, 2, 3]], vec![]), "{answer}");
    }
}

#[test]
fn the_lowest_sequence_number_is_the_checkpoint() {
    let mut failures = vec![json!({"batchItemFailures": [
        {"itemIdentifier": format!("{:056}", 4)}, {"itemIdentifier": format!("{:056}", 2)}]})];
    let (calls, failed) = seen(&Mapping::default(), &records(5), |_| Ok(failures.pop().unwrap_or(json!({}))));
    assert_eq!(calls, [vec![1, 2, 3, 4, 5], vec![2, 3, 4, 5]]);
    assert!(failed.is_empty());
}

#[test]
fn an_identifier_that_is_empty_null_misnamed_or_unknown_fails_the_whole_batch() {
    let bad = [
        json!({"itemIdentifier": ""}),
        json!({"itemIdentifier": null}),
        json!({"item": "1"}),
        json!({"itemIdentifier": "9"}),
    ];
    for bad in bad {
        let mapping = Mapping { maximum_retry_attempts: Some(1), ..Mapping::default() };
        let (calls, failed) = seen(&mapping, &records(2), |_| Ok(json!({"batchItemFailures": [bad]})));
        assert_eq!((calls, failed), (vec![vec![1, 2], vec![1, 2]], vec![vec![1, 2]]), "{bad}");
    }
}

#[test]
fn without_report_batch_item_failures_the_answer_is_not_read() {
    let mapping = Mapping { report_batch_item_failures: false, ..Mapping::default() };
    assert_eq!(seen(&mapping, &records(2), |_| Ok(failure(1))).0, [vec![1, 2]]);
}

#[test]
fn a_batch_ends_at_its_size() {
    let mapping = Mapping { batch_size: 2, ..Mapping::default() };
    assert_eq!(seen(&mapping, &records(5), |_| Ok(json!({}))).0, [vec![1, 2], vec![3, 4], vec![5]]);
}

#[test]
fn a_batch_ends_at_the_six_megabytes_of_a_payload() {
    let records: Vec<Record> = (1..=8).map(|number| Record::new(number, &vec![b'x'; 1024 * 1024])).collect();
    assert_eq!(seen(&Mapping::default(), &records, |_| Ok(json!({}))).0, [vec![1, 2, 3, 4], vec![5, 6, 7, 8]]);
}

#[test]
fn a_crashing_batch_is_retried_and_then_given_up_so_that_the_shard_goes_on() {
    let mapping = Mapping { batch_size: 2, maximum_retry_attempts: Some(2), ..Mapping::default() };
    let (calls, failed) = seen(&mapping, &records(3), |batch| if batch.contains(&1) { crash() } else { Ok(json!({})) });
    assert_eq!(calls, [vec![1, 2], vec![1, 2], vec![1, 2], vec![3]]);
    assert_eq!(failed, [vec![1, 2]]);
}

#[test]
fn bisecting_isolates_the_bad_record_without_using_up_retries() {
    let mapping = Mapping { maximum_retry_attempts: Some(1), bisect: true, ..Mapping::default() };
    let (calls, failed) = seen(&mapping, &records(4), |batch| if batch.contains(&3) { crash() } else { Ok(json!({})) });
    assert_eq!(calls, [vec![1, 2, 3, 4], vec![1, 2], vec![3, 4], vec![3], vec![3], vec![4]]);
    assert_eq!(failed, [vec![3]]);
}

#[test]
fn with_bisect_on_a_reported_number_is_where_the_batch_is_cut() {
    let mapping = Mapping { maximum_retry_attempts: Some(0), bisect: true, ..Mapping::default() };
    let mut once = Some(failure(3));
    let (calls, failed) = seen(&mapping, &records(4), |_| Ok(once.take().unwrap_or(json!({}))));
    assert_eq!((calls, failed), (vec![vec![1, 2, 3, 4], vec![3, 4]], vec![]));
}

#[test]
fn records_over_the_maximum_age_are_given_up_untried() {
    let mapping = Mapping { maximum_record_age: Some(Duration::from_secs(60)), ..Mapping::default() };
    let mut all = records(3);
    all[0].arrived -= 61.0;
    let (calls, failed) = seen(&mapping, &all, |_| Ok(json!({})));
    assert_eq!((calls, failed), (vec![vec![2, 3]], vec![vec![1]]));
}

#[test]
#[should_panic(expected = "retried for ever")]
fn minus_one_retries_block_the_shard() {
    seen(&Mapping::default(), &records(1), |_| crash());
}

#[test]
fn what_is_given_up_lands_in_the_bucket_with_its_whole_payload() {
    let aws = LocalAws::start();
    aws.create_stream("events", 2);
    aws.create_bucket("failed");
    aws.put_records("events", &[("a", b"one".to_vec()), ("a", b"two".to_vec())]);
    let mapping =
        Mapping { maximum_retry_attempts: Some(0), on_failure: Some("failed".to_owned()), ..Mapping::default() };
    let drained = mapping.drain(&aws, "events", |_| crash());
    assert_eq!(drained.failed.len(), 1);
    let keys = aws.keys("failed", "aws/lambda/");
    let document: Value = serde_json::from_slice(&aws.object("failed", &keys[0]).expect("the object")).unwrap();
    assert_eq!(document["KinesisBatchInfo"]["batchSize"], 2);
    assert_eq!(document["requestContext"]["condition"], "RetryAttemptsExhausted");
    let payload: Value = serde_json::from_str(document["payload"].as_str().unwrap()).unwrap();
    let data: Vec<&str> =
        payload["Records"].as_array().unwrap().iter().map(|r| r["kinesis"]["data"].as_str().unwrap()).collect();
    assert_eq!(data, ["b25l", "dHdv"]);
}
