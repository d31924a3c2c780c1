//! `analytics sql`: the two queries of the design against values worked out by hand, formats, and what is refused.

use crate::fixture::{Fixture, HOSTILE_RULE};

const BY_RULE: &str =
    "SELECT rule_name, severity, COUNT(*) AS violation_count FROM violations WHERE year = '2024' AND month = '01'
GROUP BY rule_name, severity ORDER BY violation_count DESC;";
const SUCCESS_RATE: &str = "SELECT remediation_action, COUNT(*) AS total_attempts, SUM(CASE WHEN success = true THEN 1 ELSE 0 END) AS successful,
       AVG(CASE WHEN success = true THEN 1.0 ELSE 0.0 END) * 100 AS success_rate
FROM remediation_logs WHERE year = '2024' AND month = '01' GROUP BY remediation_action;";

#[tokio::test]
async fn the_first_query_of_the_design_counts_every_violation_once() {
    let run = Fixture::two_months().await.run(&["sql", BY_RULE, "--audit", "audit", "--format", "json"]);
    assert_eq!(run.code, 0, "{}", run.err);
    let rows: serde_json::Value = serde_json::from_str(&run.out).unwrap();
    let row = |rule: &str, severity: &str, count: i64| serde_json::json!({ "rule_name": rule, "severity": severity, "violation_count": count });
    let expected = serde_json::json!([
        row("AdminPolicyAttachment", "HIGH", 120),
        row("AccessKeyForOtherUser", "MEDIUM", 90),
        row("PrivilegeEscalationGranted", "CRITICAL", 60),
        row("WildcardServicePolicy", "LOW", 30),
        row(HOSTILE_RULE, "CRITICAL", 5),
    ]);
    assert_eq!(rows, expected);
}

#[tokio::test]
async fn the_second_query_of_the_design_gives_the_success_rate_of_each_action() {
    let run = Fixture::two_months().await.run(&["sql", SUCCESS_RATE, "--audit", "audit", "--format", "csv"]);
    assert_eq!(run.code, 0, "{}", run.err);
    let mut lines: Vec<&str> = run.out.lines().collect();
    lines[1..].sort_unstable();
    let expected = [
        "remediation_action,total_attempts,successful,success_rate",
        "delete_policy,4,1,25.0",
        "detach_policy,8,6,75.0",
    ];
    assert_eq!(lines, expected);
}

#[tokio::test]
async fn a_table_fits_its_width_and_shows_times_in_rfc_3339() {
    let sql = "SELECT event_time, rule_name, suppressed, error_code, evidence, original_event FROM violations
               WHERE year = '2024' AND month = '01' AND event_id = 'event-00001'";
    let run = Fixture::two_months().await.run(&["sql", sql, "--audit", "audit"]);
    assert_eq!(run.code, 0, "{}", run.err);
    assert!(run.out.contains("2024-01-01T02:28:00Z"), "{}", run.out);
    assert!(run.out.contains("null"), "{}", run.out);
    assert!(run.out.ends_with("(1 row)\n"), "{}", run.out);
    assert!(run.out.lines().all(|line| unicode_width::UnicodeWidthStr::width(line) <= 120), "{}", run.out);
}

#[tokio::test]
async fn a_row_of_many_columns_is_shown_one_column_a_line() {
    let sql = "SELECT * FROM violations WHERE year = '2024' AND month = '01' AND event_id = 'event-00001'";
    let run = Fixture::two_months().await.run(&["sql", sql, "--audit", "audit"]);
    assert!(run.out.starts_with("── row 1 ──\nviolation_id"), "{}", run.out);
    assert!(run.out.contains("\nday                   01\n"), "{}", run.out);
}

#[tokio::test]
async fn only_statements_that_read_are_carried_out() {
    let lake = Fixture::two_months().await;
    let before = lake.files("");
    for sql in [
        "COPY violations TO 'audit/copy.parquet'",
        "CREATE EXTERNAL TABLE t (a INT) STORED AS CSV LOCATION '/etc/hostname'",
        "CREATE TABLE t AS SELECT 1",
        "CREATE VIEW v AS SELECT 1",
        "INSERT INTO violations_raw SELECT * FROM violations_raw",
        "DROP TABLE violations_raw",
        "SET datafusion.execution.batch_size = 1",
        "EXPLAIN ANALYZE INSERT INTO violations_raw SELECT * FROM violations_raw",
        "DELETE FROM violations",
        "SELECT * FROM '/etc/passwd'",
    ] {
        let run = lake.run(&["sql", sql, "--audit", "audit"]);
        assert_eq!((run.code, run.out.as_str()), (1, ""), "{sql}: {}", run.err);
    }
    assert_eq!(lake.files(""), before);
    let refused = lake.run(&["sql", "DROP TABLE violations_raw", "--audit", "audit"]).err;
    assert!(refused.contains("only reads the lake: write SELECT, EXPLAIN, SHOW or DESCRIBE"), "{refused}");
}

#[tokio::test]
async fn explain_show_and_describe_are_answered() {
    let lake = Fixture::two_months().await;
    for (sql, expected) in [
        ("EXPLAIN SELECT * FROM violations WHERE year = '2024'", "violations/year=2024/month=01"),
        ("SHOW TABLES", "remediation_logs"),
        ("DESCRIBE violations", "principal_arn"),
    ] {
        let run = lake.run(&["sql", sql, "--audit", "audit", "--format", "csv"]);
        assert_eq!(run.code, 0, "{sql}: {}", run.err);
        assert!(run.out.contains(expected), "{sql}: {}", run.out);
    }
}

#[tokio::test]
async fn a_plan_is_shown_in_lines_and_not_cut() {
    let sql = "EXPLAIN SELECT COUNT(*) FROM violations WHERE year = '2024' AND month = '01'";
    let run = Fixture::two_months().await.run(&["sql", sql, "--audit", "audit"]);
    assert_eq!(run.code, 0, "{}", run.err);
    assert!(run.out.contains("\nphysical_plan\n  "), "{}", run.out);
    assert!(!run.out.contains('…') && !run.out.contains("year=2023"), "{}", run.out);
}
