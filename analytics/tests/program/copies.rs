//! Random rows with copies in and between files: the tables show what the views of Athena show, value for value.

use std::collections::BTreeMap;
use std::fs::{File, create_dir_all};
use std::sync::Arc;

use analytics::Tables;
use arrow::array::{ArrayRef, RecordBatch, StringArray, TimestampMillisecondArray, new_null_array};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use arrow::util::pretty::pretty_format_batches;
use datafusion::parquet::arrow::ArrowWriter;
use datafusion::parquet::file::properties::WriterProperties;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use schemas::{IAM_EVENTS, REMEDIATION_LOGS, Table, VIOLATIONS, arrow_schema, athena_view, physical_name};

use crate::fixture::Fixture;

/// Files of a day; the last one is old and has the columns alone that every file must have.
const FILES: usize = 4;
const ROWS_OF_A_GROUP: usize = 5;
const TIME: i64 = 1_704_456_000_000;

/// Few different values, so that rows have copies and copies are alike; 0 is null where the row decides.
#[derive(Debug, Clone)]
struct Row {
    day: usize,
    file: usize,
    key: [u8; 2],
    order: [u8; 2],
}

fn row() -> impl Strategy<Value = Row> {
    (0..2_usize, 0..FILES, [0..7_u8, 0..2_u8], [0..3_u8, 0..3_u8]).prop_map(|(day, file, key, order)| Row {
        day,
        file,
        key,
        order,
    })
}

/// A column that says where a row is, in the order of paths and of places in a file: what "$path" is to the views.
fn mark(table: &Table) -> &'static str {
    if *table.name == *VIOLATIONS.name {
        "evidence"
    } else if *table.name == *REMEDIATION_LOGS.name {
        "error"
    } else {
        "event"
    }
}

fn column(table: &Table, name: &str, wanted: &DataType, rows: &[&Row], file: usize) -> ArrayRef {
    let value = |row: &&Row| {
        let key = table.key().position(|key| key == name).map(|place| row.key[place]);
        let order = table.first_copy.iter().position(|order| *order == name).map(|place| row.order[place]);
        key.or(order).filter(|value| *value > 0)
    };
    if name == mark(table) {
        let marks = rows.iter().enumerate().map(|(place, _)| format!("{file}-{place:04}"));
        return Arc::new(StringArray::from_iter_values(marks));
    }
    match wanted {
        DataType::Timestamp(..) if table.first_copy.contains(&name) => {
            let times = rows.iter().map(|row| value(row).map(|value| TIME + i64::from(value)));
            Arc::new(times.collect::<TimestampMillisecondArray>().with_timezone("UTC"))
        }
        DataType::Timestamp(..) => {
            Arc::new(TimestampMillisecondArray::from(vec![TIME; rows.len()]).with_timezone("UTC"))
        }
        DataType::Utf8 => {
            let text = rows.iter().map(|row| value(row).map(|value| format!("{name} {value}")));
            Arc::new(text.collect::<StringArray>())
        }
        other => new_null_array(other, rows.len()),
    }
}

fn write(table: &Table, folder: &std::path::Path, file: usize, rows: &[&Row]) {
    let is_old = file + 1 == FILES;
    let kept = |name: &str| !is_old || [table.id, table.time, mark(table)].contains(&name);
    let schema = arrow_schema(table);
    let columns = schema.fields().iter().filter(|field| kept(field.name())).map(|field| {
        let values = column(table, field.name(), field.data_type(), rows, file);
        // Another writer's way to hold the same text.
        let held = is_old && *field.data_type() == DataType::Utf8;
        (field.name(), if held { cast(&values, &DataType::LargeUtf8).unwrap() } else { values }, true)
    });
    let batch = RecordBatch::try_from_iter_with_nullable(columns).unwrap();
    let few = WriterProperties::builder().set_max_row_group_row_count(Some(ROWS_OF_A_GROUP)).build();
    let path = folder.join(format!("{file}.parquet"));
    let mut writer = ArrowWriter::try_new(File::create(path).unwrap(), batch.schema(), Some(few)).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
}

fn lake_of(table: &Table, rows: &[Row]) -> Fixture {
    let fixture = Fixture::empty();
    let mut files: BTreeMap<(usize, usize), Vec<&Row>> = BTreeMap::new();
    for row in rows {
        files.entry((row.day, row.file)).or_default().push(row);
    }
    for ((day, file), rows) in files {
        let folder = fixture.path(&format!("audit/{}/year=2024/month=01/day=0{}", table.name, day + 1));
        create_dir_all(&folder).unwrap();
        write(table, &folder, file, &rows);
    }
    fixture
}

async fn shown(tables: &mut Tables, sql: &str) -> String {
    pretty_format_batches(&tables.query(sql).await.unwrap().batches).unwrap().to_string()
}

/// Questions to a table: all of it, what statistics and pages can rule out, none of its columns, and a few rows.
const QUESTIONS: [&str; 5] = [
    "SELECT * FROM {table} ORDER BY day, {mark}",
    "SELECT day, {mark} FROM {table} WHERE {mark} > '1' AND day = '01' ORDER BY {mark}",
    "SELECT {mark} FROM {table} WHERE {id} IS NULL OR {id} LIKE '%3' ORDER BY day, {mark}",
    "SELECT COUNT(*) AS n, COUNT(DISTINCT {id}) AS ids FROM {table}",
    "SELECT COUNT(*) AS n FROM (SELECT {id} FROM {table} LIMIT 7) AS few",
];

fn compare(table: &'static Table, rows: &[Row]) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let fixture = lake_of(table, rows);
        let mut tables = Tables::open(&fixture.lake().await).await.unwrap();
        let view = athena_view(table).unwrap().replace("\"$path\"", mark(table));
        let (_, numbered) = view.split_once(" AS\n").unwrap();
        for question in QUESTIONS {
            let ask =
                |from: &str| question.replace("{id}", table.id).replace("{mark}", mark(table)).replace("{table}", from);
            let expected = shown(&mut tables, &ask(&format!("({numbered}) AS numbered"))).await;
            assert_eq!(shown(&mut tables, &ask(table.name)).await, expected, "{question} of {}", physical_name(table));
        }
    });
}

#[test]
fn each_row_is_shown_once_and_it_is_the_copy_that_athena_shows() {
    for table in [&VIOLATIONS, &REMEDIATION_LOGS, &IAM_EVENTS] {
        let mut runner =
            TestRunner::new(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() });
        let checked = runner.run(&prop::collection::vec(row(), 1..60), |rows| {
            compare(table, &rows);
            Ok(())
        });
        checked.unwrap();
    }
}
