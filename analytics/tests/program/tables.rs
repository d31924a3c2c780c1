//! The tables: pruning, old files, types.

use std::fs::File;
use std::sync::Arc;

use analytics::{Answer, Asked, Month, Report, STEPS, Tables};
use arrow::array::{ArrayRef, RecordBatch, StringArray, TimestampMillisecondArray};
use arrow::util::pretty::pretty_format_batches;
use datafusion::parquet::arrow::ArrowWriter;

use crate::fixture::Fixture;

fn shown(answer: &Answer) -> String {
    pretty_format_batches(&answer.batches).unwrap().to_string()
}

fn month(name: &str) -> Asked {
    name.parse::<Month>().unwrap().into()
}

#[tokio::test]
async fn a_query_for_a_month_opens_the_files_of_that_month_and_table_only() {
    let fixture = Fixture::two_months().await;
    for condition in
        ["year = '2024' AND month = '01'", "year = '2024'", "(year = '2024' AND month = '01') OR year = '2025'"]
    {
        let mut tables = Tables::open(&fixture.lake().await).await.unwrap();
        let sql = format!("SELECT rule_name, COUNT(*) FROM violations WHERE {condition} GROUP BY rule_name");
        tables.query(&sql).await.unwrap();
        let opened = tables.opened();
        assert_eq!(opened.len(), fixture.files("violations/year=2024/month=01").len(), "{condition}");
        assert!(
            opened.iter().all(|file| file.starts_with("violations/year=2024/month=01/day=")),
            "{condition} {opened:?}"
        );
    }
}

#[tokio::test]
async fn a_query_for_a_day_opens_the_files_of_that_day_only() {
    let fixture = Fixture::two_months().await;
    let mut tables = Tables::open(&fixture.lake().await).await.unwrap();
    tables.query("SELECT * FROM violations WHERE year = '2024' AND month = '01' AND day = '05'").await.unwrap();
    assert_eq!(tables.opened().len(), fixture.files("violations/year=2024/month=01/day=05").len());
}

#[tokio::test]
async fn a_column_that_an_old_file_does_not_have_is_null() {
    let fixture = Fixture::empty();
    let folder = fixture.path("audit/violations/year=2024/month=01/day=05");
    std::fs::create_dir_all(&folder).unwrap();
    let text = |value: &str| Arc::new(StringArray::from(vec![value])) as ArrayRef;
    let time = Arc::new(TimestampMillisecondArray::from(vec![1_704_456_000_000]).with_timezone("UTC")) as ArrayRef;
    // In another order than today's columns, too.
    let columns =
        [("severity", text("HIGH")), ("violation_id", text("v1")), ("event_time", time), ("rule_name", text("Old"))];
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let mut writer =
        ArrowWriter::try_new(File::create(folder.join("old.parquet")).unwrap(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    let mut tables = Tables::open(&fixture.lake().await).await.unwrap();
    let answer = tables
        .query("SELECT violation_id, rule_name, owner, original_event, event_time, year, day FROM violations")
        .await;
    assert_eq!(
        shown(&answer.unwrap()),
        "\
+--------------+-----------+-------+----------------+----------------------+------+-----+
| violation_id | rule_name | owner | original_event | event_time           | year | day |
+--------------+-----------+-------+----------------+----------------------+------+-----+
| v1           | Old       |       |                | 2024-01-05T12:00:00Z | 2024 | 05  |
+--------------+-----------+-------+----------------+----------------------+------+-----+"
    );
    let run = fixture.run(&["report", "--month", "2024-01", "--audit", "audit"]);
    assert_eq!(run.code, 0, "{}", run.err);
    assert!(run.out.contains("Old"), "{}", run.out);
}

#[tokio::test]
async fn a_folder_whose_name_has_blanks_and_signs_is_a_lake_too() {
    let fixture = Fixture::two_months().await;
    let odd = "an audit; 100% [old] é";
    std::fs::rename(fixture.path("audit"), fixture.path(odd)).unwrap();
    let sql = "SELECT COUNT(*) AS n FROM violations WHERE year = '2024'";
    let run = fixture.run(&["sql", sql, "--audit", odd, "--format", "csv"]);
    assert_eq!((run.code, run.out.as_str()), (0, "n\r\n305\r\n"), "{}", run.err);
}

#[tokio::test]
async fn a_report_takes_as_many_steps_as_the_progress_bar_has_and_opens_both_months_only() {
    let fixture = Fixture::two_months().await;
    let mut tables = Tables::open(&fixture.lake().await).await.unwrap();
    let mut steps = 0;
    Report::read(&mut tables, "audit", &month("2024-01"), &mut || steps += 1).await.unwrap();
    assert_eq!(steps, STEPS);
    assert_eq!(tables.opened().len(), fixture.files("").len());
    let mut march = Tables::open(&fixture.lake().await).await.unwrap();
    let report = Report::read(&mut march, "audit", &month("2024-03"), &mut || ()).await.unwrap();
    assert_eq!((report.empty, march.opened()), (true, Vec::new()));
}
