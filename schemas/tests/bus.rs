//! Bus entries have the fixed shape and stay under the cap.
#![allow(clippy::expect_used, clippy::indexing_slicing)] // helpers of tests, which clippy.toml does not cover

mod support;

use schemas::bus::{BusEntry, DEFAULT_ENTRY_CAP, entry_size, remediation_entry, violation_entry};
use schemas::{SchemaError, VIOLATIONS, Violation};
use serde_json::{Value, json};
use support::{remediation_log, violation};

const KEY: &str = "violations/year=2024/month=01/day=05/20240105T120000Z-0123456789abcdef.parquet";

fn sample() -> Violation {
    violation("8e0f1b2c-0000-4000-8000-000000000001", "2024-01-05T12:00:00Z")
}

fn detail(entry: &BusEntry) -> Value {
    serde_json::from_str(&entry.detail).expect("detail is JSON")
}

#[test]
fn an_entry_has_every_column_and_the_event_as_json() {
    let row = sample();
    let entry = violation_entry(&row, KEY, DEFAULT_ENTRY_CAP).expect("entry");
    assert_eq!((entry.source, entry.detail_type), ("iam.policy.monitor", "IAM Policy Violation"));
    let detail = detail(&entry);
    assert_eq!(detail["eventId"], json!(row.violation_id));
    assert_eq!(detail["timestamp"], "2024-01-05T12:00:00Z");
    assert_eq!(detail["correlationId"], json!(row.event_id));
    assert_eq!(detail["originalEvent"]["eventName"], "AttachUserPolicy");
    let columns: Vec<&String> = detail["violation"].as_object().expect("object").keys().collect();
    assert_eq!(columns, VIOLATIONS.columns.iter().map(|column| column.name).collect::<Vec<_>>());
    assert_eq!(detail["violation"]["original_event"], Value::Null, "not sent twice");
    assert_eq!(detail["violation"]["rule_name"], "AdminPolicyAttachment");
}

#[test]
fn the_size_is_what_eventbridge_counts() {
    assert_eq!(entry_size("ab", "cde", "{}"), 14 + 2 + 3 + 2);
    assert_eq!(entry_size("", "", "é"), 14 + 2);
}

#[test]
fn at_the_cap_the_event_is_whole_and_one_byte_less_omits_it() {
    let row = sample();
    let whole = violation_entry(&row, KEY, DEFAULT_ENTRY_CAP).expect("entry");
    assert_eq!(violation_entry(&row, KEY, whole.size()).expect("entry"), whole);

    let long = Violation { original_event: Some(json!({"pad": "x".repeat(DEFAULT_ENTRY_CAP)}).to_string()), ..row };
    let entry = violation_entry(&long, KEY, DEFAULT_ENTRY_CAP).expect("entry");
    assert!(entry.size() <= DEFAULT_ENTRY_CAP);
    assert_eq!(detail(&entry)["originalEvent"], json!({"omitted": true, "lake": KEY}));
    assert_eq!(detail(&entry)["violation"]["policy_document"], json!(long.policy_document));

    let exact = violation_entry(&long, KEY, entry.size()).expect("entry");
    assert_eq!(exact, entry);
    let shorter = violation_entry(&long, KEY, entry.size() - 1).expect("entry");
    assert_eq!(detail(&shorter)["violation"]["policy_document"], Value::Null);
}

#[test]
fn long_json_columns_give_way_before_the_entry_is_refused() {
    let long = Some(json!("x".repeat(DEFAULT_ENTRY_CAP)).to_string());
    let row = Violation { policy_document: long.clone(), request_parameters: long.clone(), ..sample() };
    let entry = violation_entry(&row, KEY, DEFAULT_ENTRY_CAP).expect("entry");
    assert!(entry.size() <= DEFAULT_ENTRY_CAP);
    assert_eq!(detail(&entry)["violation"]["evidence"], "Statement 1 allows * on *");

    let refused = violation_entry(&Violation { user_agent: long, ..sample() }, KEY, DEFAULT_ENTRY_CAP);
    assert!(matches!(refused, Err(SchemaError::EntryTooLarge { cap: DEFAULT_ENTRY_CAP, .. })), "{refused:?}");
}

#[test]
fn an_event_that_is_missing_or_no_json_is_found_in_the_lake() {
    for original_event in [None, Some("{broken".to_owned())] {
        let entry = violation_entry(&Violation { original_event, ..sample() }, KEY, DEFAULT_ENTRY_CAP).expect("entry");
        assert_eq!(detail(&entry)["originalEvent"], json!({"omitted": true, "lake": KEY}));
    }
}

#[test]
fn a_status_entry_names_the_attempt_the_violation_and_the_event() {
    let row = sample();
    let log = remediation_log(&row);
    let entry = remediation_entry(&log, "Detached it", &row, KEY, DEFAULT_ENTRY_CAP).expect("entry");
    assert_eq!((entry.source, entry.detail_type), ("iam.policy.remediator", "IAM Policy Remediation Status"));
    let detail = detail(&entry);
    assert_eq!(detail["eventId"], json!(log.remediation_id));
    assert_eq!(detail["correlationId"], json!(row.event_id));
    assert_eq!(detail["originalEventId"], json!(row.violation_id));
    assert_eq!(detail["originalEvent"]["eventName"], "AttachUserPolicy");
    assert_eq!(detail["originalViolation"]["rule_name"], "AdminPolicyAttachment");
    let expected = json!({
        "rule_name": "AdminPolicyAttachment", "severity": "HIGH", "action": "detach_policy", "status": "SUCCESS",
        "description": "Detached it", "details": {"steps": ["detach"]}, "error": "none",
    });
    assert_eq!(detail["remediation"], expected);
}

#[test]
fn a_status_entry_sheds_its_long_parts_to_stay_under_the_cap() {
    let row = sample();
    let mut log = remediation_log(&row);
    let whole = remediation_entry(&log, "d", &row, KEY, DEFAULT_ENTRY_CAP).expect("entry");
    assert_eq!(remediation_entry(&log, "d", &row, KEY, whole.size()).expect("entry"), whole);
    let shorter = remediation_entry(&log, "d", &row, KEY, whole.size() - 1).expect("entry");
    assert_eq!(detail(&shorter)["originalEvent"], json!({"omitted": true, "lake": KEY}));
    log.details = Some(json!({"pad": "x".repeat(DEFAULT_ENTRY_CAP)}).to_string());
    let smallest = remediation_entry(&log, "d", &row, KEY, DEFAULT_ENTRY_CAP).expect("entry");
    assert_eq!(detail(&smallest)["remediation"]["details"], json!({}));
    let error = remediation_entry(&log, "d", &row, KEY, smallest.size() - 1).expect_err("too large");
    assert!(matches!(error, SchemaError::EntryTooLarge { .. }), "{error}");
}
