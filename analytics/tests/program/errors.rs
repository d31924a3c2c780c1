//! What the program says and how it ends when it cannot answer.

use std::io::Read;
use std::process::{Command, Stdio};

use crate::fixture::Fixture;

#[test]
fn a_month_that_is_none_is_refused_with_the_form_to_write() {
    let run = Fixture::empty().run(&["report", "--month", "2024-13", "--audit", "audit"]);
    assert_eq!((run.code, run.out.as_str()), (2, ""));
    assert!(run.err.contains("`2024-13` is not a month: write year and month as YYYY-MM"), "{}", run.err);
}

#[test]
fn a_folder_that_is_not_there_is_no_empty_lake() {
    let run = Fixture::empty().run(&["report", "--month", "2024-01", "--audit", "audti"]);
    assert_eq!((run.code, run.out.as_str()), (1, ""));
    assert!(run.err.starts_with("error: there is no folder audti: check --audit"), "{}", run.err);
}

#[test]
fn without_a_lake_the_program_asks_for_one() {
    let run = Fixture::empty().run(&["report", "--month", "2024-01"]);
    assert_eq!(run.code, 2);
    assert!(run.err.contains("give --audit DIR"), "{}", run.err);
}

#[tokio::test]
async fn a_month_without_rows_gives_an_empty_report_that_names_the_months_there_are() {
    let lake = Fixture::two_months().await;
    let run = lake.run(&["report", "--month", "2020-06", "--audit", "audit"]);
    assert_eq!((run.code, run.err.as_str()), (3, ""));
    assert!(run.out.contains("Nothing is recorded for June 2020"), "{}", run.out);
    assert!(run.out.contains("Months in this lake: 2023-12, 2024-01."), "{}", run.out);
    let json = lake.run(&["report", "--month", "2020-06", "--audit", "audit", "--format", "json"]);
    let report: serde_json::Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!((json.code, &report["empty"], &report["summary"]["violations"]), (3, &true.into(), &0.into()));
}

#[test]
fn an_empty_folder_gives_an_empty_report_that_doubts_the_folder() {
    let run = Fixture::empty().run(&["report", "--month", "2024-01", "--audit", "audit"]);
    assert_eq!(run.code, 3);
    assert!(run.out.contains("holds no month at all. Is it the right folder"), "{}", run.out);
}

#[test]
fn a_table_whose_folder_is_missing_is_empty() {
    let run =
        Fixture::empty().run(&["sql", "SELECT COUNT(*) AS n FROM iam_events", "--audit", "audit", "--format", "csv"]);
    assert_eq!((run.code, run.out.as_str()), (0, "n\r\n0\r\n"), "{}", run.err);
}

#[test]
fn a_fault_of_syntax_is_shown_where_it_is() {
    let run = Fixture::empty().run(&["sql", "SELECT *\nFORM violations", "--audit", "audit"]);
    assert_eq!((run.code, run.out.as_str()), (1, ""));
    assert!(run.err.contains("line 2, column "), "{}", run.err);
    assert!(run.err.contains("\n    FORM violations\n    "), "{}", run.err);
}

#[test]
fn an_unknown_column_is_named_and_shown() {
    let run = Fixture::empty().run(&["sql", "SELECT rule_nam FROM violations", "--audit", "audit"]);
    assert_eq!(run.code, 1);
    assert!(run.err.contains("rule_nam"), "{}", run.err);
    assert!(run.err.contains("\n    SELECT rule_nam FROM violations\n           ^"), "{}", run.err);
}

#[test]
fn a_bucket_without_credentials_is_an_error_that_says_what_to_set() {
    let run = Fixture::empty().run(&["report", "--month", "2024-01", "--audit", "s3://no-such-bucket/audit"]);
    assert_eq!((run.code, run.out.as_str()), (1, ""));
    assert!(run.err.contains("no AWS credentials for s3://no-such-bucket/audit"), "{}", run.err);
    assert!(run.err.contains("AWS_PROFILE"), "{}", run.err);
}

#[tokio::test]
async fn an_output_that_cannot_be_written_is_named() {
    let run =
        Fixture::two_months().await.run(&["report", "--month", "2024-01", "--audit", "audit", "--output", "no/such/x"]);
    assert_eq!((run.code, run.out.as_str()), (1, ""));
    assert!(run.err.starts_with("error: cannot write no/such/x: "), "{}", run.err);
}

#[test]
fn a_reader_that_stops_reading_ends_the_program_quietly() {
    let mut program = Command::new(env!("CARGO_BIN_EXE_analytics"));
    let mut running = program.arg("schema").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(running.stdout.take());
    let mut err = String::new();
    running.stderr.take().unwrap().read_to_string(&mut err).unwrap();
    assert_eq!((running.wait().unwrap().code(), err.as_str()), (Some(0), ""));
}

#[test]
fn help_shows_examples_and_exit_codes() {
    let run = Fixture::empty().run(&["--help"]);
    assert_eq!(run.code, 0);
    for text in ["analytics report --last 90d --audit s3://", "Exit codes:", "4  done, but files", "--log-level"] {
        assert!(run.out.contains(text), "{text} is missing in\n{}", run.out);
    }
}

#[test]
fn schema_prints_tables_and_views_in_an_order_that_can_be_run() {
    let run = Fixture::empty().run(&["schema"]);
    assert_eq!(run.code, 0);
    let table = run.out.find("CREATE EXTERNAL TABLE IF NOT EXISTS violations_raw").unwrap();
    let view = run.out.find("CREATE OR REPLACE VIEW violations AS").unwrap();
    assert!(table < view);
    assert_eq!(run.out.matches(";\n").count(), run.out.matches("CREATE ").count());
}
