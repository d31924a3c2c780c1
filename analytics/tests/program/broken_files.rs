//! Files that cannot be read are named and left out; the rest is still reported.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use datafusion::parquet::arrow::ArrowWriter;

use crate::fixture::{Fixture, Run};

const MONTH: &str = "violations/year=2024/month=01";

fn report(fixture: &Fixture) -> Run {
    fixture.run(&["report", "--month", "2024-01", "--audit", "audit", "--format", "json"])
}

/// The report without the first file of January, which is left out for another reason in every test.
async fn without_first_file() -> serde_json::Value {
    let fixture = Fixture::two_months().await;
    fs::remove_file(&fixture.files(MONTH)[0]).unwrap();
    let run = report(&fixture);
    assert_eq!(run.code, 0, "{}", run.err);
    serde_json::from_str(&run.out).unwrap()
}

/// Breaks the first file of January and compares the report with one where that file is not there at all.
async fn left_out_when(broken: impl FnOnce(&Path), reason: &str) {
    let fixture = Fixture::two_months().await;
    let file = fixture.files(MONTH)[0].clone();
    broken(&file);
    let run = report(&fixture);
    assert_eq!(run.code, 4, "{}", run.err);
    let name = file.strip_prefix(fixture.path("audit")).unwrap().to_str().unwrap().to_owned();
    assert!(run.err.contains(&format!("warning: left out {name}: ")), "{}", run.err);
    assert!(run.err.contains(reason), "{}", run.err);
    let mut found: serde_json::Value = serde_json::from_str(&run.out).unwrap();
    assert_eq!(found["left_out"][0]["file"], name.as_str());
    found["left_out"] = serde_json::json!([]);
    assert_eq!(found, without_first_file().await);
    let text = fixture.run(&["report", "--month", "2024-01", "--audit", "audit"]);
    assert!(text.out.contains("Files left out  1 not part of any number above"), "{}", text.out);
}

#[tokio::test]
async fn a_file_cut_short_is_left_out() {
    let cut = |file: &Path| {
        let bytes = fs::read(file).unwrap();
        fs::write(file, &bytes[..bytes.len() / 2]).unwrap();
    };
    left_out_when(cut, "not a readable Parquet file").await;
}

#[tokio::test]
async fn a_file_that_is_no_parquet_is_left_out() {
    left_out_when(|file| fs::write(file, "rule_name,severity\n").unwrap(), "not a readable Parquet file").await;
}

#[tokio::test]
async fn a_file_whose_footer_would_begin_before_the_file_is_left_out() {
    left_out_when(|file| fs::write(file, b"PAR1 no Parquet\xff\xff\xff\x7fPAR1").unwrap(), "a footer of ").await;
}

#[tokio::test]
async fn an_empty_file_is_left_out() {
    left_out_when(|file| fs::write(file, "").unwrap(), "not a readable Parquet file").await;
}

#[tokio::test]
async fn a_file_with_a_good_footer_and_damaged_rows_is_left_out() {
    let damage = |file: &Path| {
        let mut bytes = fs::read(file).unwrap();
        let footer = u32::from_le_bytes(bytes[bytes.len() - 8..bytes.len() - 4].try_into().unwrap()) as usize;
        let rows = bytes.len() - 8 - footer;
        bytes[4..rows / 2].fill(0xff);
        fs::write(file, bytes).unwrap();
    };
    left_out_when(damage, "not a readable Parquet file").await;
}

fn other_table(file: &Path, columns: Vec<(&str, ArrayRef)>) {
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let mut writer = ArrowWriter::try_new(fs::File::create(file).unwrap(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
}

#[tokio::test]
async fn a_file_of_another_table_is_left_out() {
    let other = |file: &Path| other_table(file, vec![("n", Arc::new(Int64Array::from(vec![1])) as ArrayRef)]);
    left_out_when(other, "it has no column violation_id").await;
}

#[tokio::test]
async fn a_file_whose_column_holds_something_else_is_left_out() {
    let retyped = |file: &Path| {
        let id = Arc::new(StringArray::from(vec!["v"])) as ArrayRef;
        other_table(file, vec![("violation_id", id), ("event_time", Arc::new(Int64Array::from(vec![1])) as ArrayRef)]);
    };
    left_out_when(retyped, "its column event_time holds Int64 instead of Timestamp").await;
}

#[tokio::test]
async fn sql_leaves_out_and_names_the_file_too() {
    let fixture = Fixture::two_months().await;
    fs::write(&fixture.files(MONTH)[0], "no parquet").unwrap();
    let sql = "SELECT COUNT(*) > 0 AS some FROM violations WHERE year = '2024' AND month = '01'";
    let run = fixture.run(&["sql", sql, "--audit", "audit", "--format", "csv"]);
    assert_eq!((run.code, run.out.as_str()), (4, "some\r\ntrue\r\n"));
    assert!(run.err.starts_with("warning: left out violations/year=2024/month=01/"), "{}", run.err);
}

#[tokio::test]
async fn a_broken_file_of_another_month_does_not_matter() {
    let fixture = Fixture::two_months().await;
    let november = fixture.path("audit/violations/year=2023/month=11/day=05");
    fs::create_dir_all(&november).unwrap();
    fs::write(november.join("broken.parquet"), "no parquet").unwrap();
    assert_eq!(report(&fixture).code, 0);
}
