//! The views over views, against rows counted by hand, and their columns.

use schemas::{Kind, VIEWS, VIOLATIONS, violation_id};
use serde_json::{Value, json};

use crate::fixture::Fixture;

fn row(number: u32, principal: &str, address: &str, more: Value) -> Value {
    let event = format!("e{number}");
    let mut row = json!({"violation_id": violation_id("1", &event, "R"), "event_id": event,
        "event_time": format!("2024-01-05T12:00:{number:02}Z"), "detected_at": "2024-01-05T12:00:00Z", "rule_name": "R",
        "severity": "LOW", "description": "d", "action": "alert", "suppressed": false, "event_source": "iam.amazonaws.com",
        "event_name": "CreateUser", "outcome": "success", "account_id": "1", "principal_arn": principal,
        "source_ip_address": address, "certainty": "must", "evidence": "e"});
    row.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    row
}

/// `busy` makes five changes, `spread` comes from two addresses once each, `service` from one and a service, `knocking`
/// fails five times, `quiet` does one thing and another that is suppressed.
async fn fixture() -> Fixture {
    let mut rows: Vec<Value> = (0..5).map(|number| row(number, "busy", "203.0.113.1", json!({}))).collect();
    rows.push(row(10, "spread", "203.0.113.1", json!({"severity": "HIGH", "new_access": true})));
    rows.push(row(11, "spread", "203.0.113.2", json!({"rule_name": "S", "account_id": "2"})));
    rows.push(row(20, "service", "203.0.113.1", json!({})));
    rows.push(row(21, "service", "cloudformation.amazonaws.com", json!({})));
    rows.extend((30..35).map(|number| row(number, "knocking", "203.0.113.9", json!({"outcome": "failure"}))));
    rows.push(row(40, "quiet", "203.0.113.1", json!({})));
    rows.push(row(41, "quiet", "203.0.113.2", json!({"suppressed": true})));
    let fixture = Fixture::empty();
    let lake = fixture.lake().await;
    lake.write_rows(&VIOLATIONS, &rows).await.unwrap();
    lake.write_rows(&VIOLATIONS, &rows[3..9]).await.unwrap();
    fixture
}

fn asked(fixture: &Fixture, sql: &str) -> Vec<Value> {
    let run = fixture.run(&["sql", sql, "--audit", "audit", "--format", "json"]);
    assert_eq!(run.code, 0, "{}", run.err);
    serde_json::from_str(&run.out).unwrap()
}

#[tokio::test]
async fn trends_count_each_day_and_severity() {
    let found = asked(
        &fixture().await,
        "SELECT * FROM violation_trends WHERE year = '2024' AND month = '01' ORDER BY severity",
    );
    let day = |severity: &str, counts: [i64; 6]| {
        let [violations, attempts, suppressed, new_access, rules, accounts] = counts;
        json!({"year": "2024", "month": "01", "day": "05", "severity": severity, "violations": violations, "attempts": attempts,
            "suppressed": suppressed, "new_access": new_access, "rules": rules, "accounts": accounts})
    };
    assert_eq!(found, [day("HIGH", [1, 0, 0, 1, 1, 1]), day("LOW", [14, 5, 1, 0, 2, 2])]);
}

#[tokio::test]
async fn principals_with_many_violations_are_high_risk() {
    let sql = "SELECT principal, severity, violations, attempts, rules, source_addresses, first_seen FROM high_risk_principals
               WHERE year = '2024' ORDER BY principal";
    let found = asked(&fixture().await, sql);
    let names: Vec<&str> = found.iter().map(|row| row["principal"].as_str().unwrap()).collect();
    assert_eq!(names, ["busy", "knocking"]);
    assert_eq!(
        found[0],
        json!({"principal": "busy", "severity": "LOW", "violations": 5, "attempts": 0, "rules": 1,
        "source_addresses": 1, "first_seen": "2024-01-05T12:00:00Z"})
    );
}

#[tokio::test]
async fn attack_patterns_name_what_is_conspicuous_and_services_are_no_addresses() {
    let sql = "SELECT principal, pattern, changes, attempts, accounts, source_addresses FROM policy_attack_patterns
               WHERE year = '2024' AND month = '01' ORDER BY principal";
    let row = |principal: &str, pattern: &str, counts: [i64; 4]| {
        json!({"principal": principal, "pattern": pattern, "changes": counts[0], "attempts": counts[1],
            "accounts": counts[2], "source_addresses": counts[3]})
    };
    let expected = [
        row("busy", "many changes", [5, 0, 1, 1]),
        row("knocking", "many failed calls", [0, 5, 1, 1]),
        row("spread", "several addresses", [2, 0, 2, 2]),
    ];
    assert_eq!(asked(&fixture().await, sql), expected);
}

#[tokio::test]
async fn a_view_has_the_columns_that_glue_is_told_and_a_filter_on_the_month_reaches_the_files() {
    let fixture = fixture().await;
    for view in VIEWS {
        let described = asked(&fixture, &format!("DESCRIBE {}", view.name));
        let found: Vec<(&str, &str)> = described
            .iter()
            .map(|column| (column["column_name"].as_str().unwrap(), column["data_type"].as_str().unwrap()))
            .collect();
        assert_eq!(found.len(), view.columns.len(), "{}", view.name);
        for ((name, held), column) in found.into_iter().zip(view.columns) {
            assert_eq!(name, column.name, "{}", view.name);
            let fits = match column.kind {
                Kind::Text => held.starts_with("Utf8"),
                Kind::BigInt => held == "Int64",
                Kind::Timestamp => held.starts_with("Timestamp"),
                _ => false,
            };
            assert!(fits, "{}.{name} is {held}", view.name);
        }
        let elsewhere = format!("EXPLAIN SELECT * FROM {} WHERE year = '2023' AND month = '01'", view.name);
        let plan = fixture.run(&["sql", &elsewhere, "--audit", "audit"]).out;
        assert!(!plan.contains(".parquet"), "{}: {plan}", view.name);
    }
}

#[tokio::test]
async fn an_answer_as_parquet_holds_every_value() {
    let fixture = fixture().await;
    let sql =
        "SELECT principal, violations, first_seen FROM high_risk_principals WHERE year = '2024' ORDER BY principal";
    let run = fixture.run(&["sql", sql, "--audit", "audit", "--format", "parquet", "--output", "answer.parquet"]);
    assert_eq!((run.code, run.out.as_str()), (0, ""), "{}", run.err);
    let file = std::fs::File::open(fixture.path("answer.parquet")).unwrap();
    let reader = parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
    let names: Vec<String> = reader.schema().fields().iter().map(|field| field.name().clone()).collect();
    assert_eq!(names, ["principal", "violations", "first_seen"]);
    let rows: usize = reader.build().unwrap().map(|batch| batch.unwrap().num_rows()).sum();
    assert_eq!(rows, 2);
}
