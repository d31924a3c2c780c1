//! Rows fit their tables, and odd values are refused with a reason.
#![allow(clippy::expect_used, clippy::indexing_slicing)] // helpers of tests, which clippy.toml does not cover

mod support;

use arrow::array::AsArray;
use arrow::datatypes::TimestampMillisecondType;
use schemas::{
    AUDIT_LOG, IAM_EVENTS, IamEvent, Kind, Presence, REMEDIATION_LOGS, RemediationLog, TABLES, VIOLATIONS, Violation,
    arrow_schema, record_batch,
};
use serde_json::{Map, Value, json};
use support::{remediation_log, violation};

const EVENT: &str = "8e0f1b2c-0000-4000-8000-000000000001";

#[test]
fn the_fields_of_a_violation_are_the_columns_in_order() {
    let row = serde_json::to_value(violation(EVENT, "2024-01-05T12:00:00Z")).expect("JSON");
    let fields: Vec<&str> = row.as_object().expect("object").keys().map(String::as_str).collect();
    let columns: Vec<&str> = VIOLATIONS.columns.iter().map(|column| column.name).collect();
    assert_eq!(fields, columns);
}

#[test]
fn optional_columns_are_the_fields_that_may_be_null() {
    let mut row = serde_json::to_value(violation(EVENT, "2024-01-05T12:00:00Z")).expect("JSON");
    for column in VIOLATIONS.columns {
        let before = row[column.name].take();
        let read = serde_json::from_value::<Violation>(row.clone());
        assert_eq!(read.is_ok(), column.presence == Presence::Optional, "{}", column.name);
        row[column.name] = before;
    }
}

#[test]
fn the_fields_of_a_remediation_log_are_the_columns_in_order_and_optional_ones_may_be_null() {
    let log = remediation_log(&violation(EVENT, "2024-01-05T12:00:00Z"));
    let mut row = serde_json::to_value(&log).expect("JSON");
    let fields: Vec<&str> = row.as_object().expect("object").keys().map(String::as_str).collect();
    assert_eq!(fields, REMEDIATION_LOGS.columns.iter().map(|column| column.name).collect::<Vec<_>>());
    for column in REMEDIATION_LOGS.columns {
        let before = row[column.name].take();
        let read = serde_json::from_value::<RemediationLog>(row.clone());
        assert_eq!(read.is_ok(), column.presence == Presence::Optional, "{}", column.name);
        row[column.name] = before;
    }
    let batch = record_batch(&REMEDIATION_LOGS, &[log]).expect("batch");
    assert_eq!((batch.num_rows(), batch.schema()), (1, arrow_schema(&REMEDIATION_LOGS)));
}

#[test]
fn the_fields_of_an_event_are_the_columns_in_order_and_optional_ones_may_be_null() {
    let mut row = json!({"event_id": EVENT, "event_time": "2024-01-05T12:00:00Z", "account_id": "111122223333",
        "aws_region": "us-east-1", "event_source": "iam.amazonaws.com", "event_name": "CreateUser",
        "principal_arn": "arn:aws:iam::111122223333:user/alice", "error_code": "AccessDenied", "event": "{}"});
    let read: IamEvent = serde_json::from_value(row.clone()).expect("a row");
    let written = serde_json::to_value(&read).expect("JSON");
    let fields: Vec<&str> = written.as_object().expect("object").keys().map(String::as_str).collect();
    assert_eq!(fields, IAM_EVENTS.columns.iter().map(|column| column.name).collect::<Vec<_>>());
    assert_eq!(written, row);
    for column in IAM_EVENTS.columns {
        let before = row[column.name].take();
        let read = serde_json::from_value::<IamEvent>(row.clone());
        assert_eq!(read.is_ok(), column.presence == Presence::Optional, "{}", column.name);
        row[column.name] = before;
    }
    assert_eq!(record_batch(&IAM_EVENTS, &[read]).expect("batch").schema(), arrow_schema(&IAM_EVENTS));
}

#[test]
fn a_row_becomes_a_batch_with_every_value_in_its_column() {
    let row = violation(EVENT, "2024-01-05T12:00:00.123Z");
    let batch = record_batch(&VIOLATIONS, &[row]).expect("batch");
    assert_eq!(batch.schema(), arrow_schema(&VIOLATIONS));
    assert_eq!(batch.num_rows(), 1);
    for (column, values) in VIOLATIONS.columns.iter().zip(batch.columns()) {
        assert_eq!(values.null_count(), 0, "{}", column.name);
    }
    let time = batch.column_by_name("event_time").expect("column").as_primitive::<TimestampMillisecondType>();
    assert_eq!(time.value(0), 1_704_456_000_123);
}

#[test]
fn a_row_of_every_table_fits_its_schema() {
    for table in TABLES {
        let row: Map<String, Value> = table
            .columns
            .iter()
            .map(|column| {
                let value = match column.kind {
                    Kind::Text | Kind::Json => json!("text"),
                    Kind::Timestamp => json!("2024-01-05T12:00:00Z"),
                    Kind::Boolean => json!(true),
                    Kind::BigInt => json!(i64::MAX),
                    Kind::Int => json!(i32::MIN),
                };
                (column.name.to_owned(), value)
            })
            .collect();
        let batch = record_batch(table, &[row]).expect(table.name);
        assert_eq!(batch.num_columns(), table.columns.len());
    }
}

#[test]
fn no_rows_are_an_empty_batch() {
    let batch = record_batch(&REMEDIATION_LOGS, &[] as &[Value]).expect("batch");
    assert_eq!((batch.num_rows(), batch.schema()), (0, arrow_schema(&REMEDIATION_LOGS)));
}

#[test]
fn rows_that_do_not_fit_are_refused_by_name() {
    let fit = json!({"event_id": "e", "timestamp": "2024-01-05T12:00:00Z", "source": "s", "detail_type": "d"});
    assert!(record_batch(&AUDIT_LOG, std::slice::from_ref(&fit)).is_ok());
    let cases = [
        ("unknown", json!("field"), "unknown"),
        ("source", Value::Null, "source"),
        ("source", json!(1), "1"),
        ("timestamp", json!("yesterday"), "yesterday"),
        ("timestamp", json!("+12024-01-05T12:00:00Z"), "+12024"),
    ];
    for (name, value, named) in cases {
        let mut row = fit.clone();
        row[name] = value;
        let error = record_batch(&AUDIT_LOG, &[row]).expect_err(name).to_string();
        assert!(error.contains("audit_log") && error.contains(named), "{error}");
    }
}

#[test]
fn first_and_last_years_and_leap_seconds_have_a_time() {
    for (text, millis) in [
        ("0001-01-01T00:00:00Z", -62_135_596_800_000),
        ("9999-12-31T23:59:59.999Z", 253_402_300_799_999),
        ("2016-12-31T23:59:60Z", 1_483_228_800_000),
        ("1969-12-31T23:59:59.999999Z", -1),
    ] {
        let batch = record_batch(&VIOLATIONS, &[violation(EVENT, text)]).expect(text);
        let time = batch.column_by_name("event_time").expect("column").as_primitive::<TimestampMillisecondType>();
        assert_eq!(time.value(0), millis, "{text}");
    }
}

#[test]
fn the_raw_event_is_the_last_column() {
    for (table, raw) in [(&VIOLATIONS, "original_event"), (&IAM_EVENTS, "event"), (&AUDIT_LOG, "detail")] {
        assert_eq!(table.columns.last().map(|column| column.name), Some(raw));
    }
}
