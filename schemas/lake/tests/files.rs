//! What a Parquet file of the lake holds, whoever reads it.
#![allow(clippy::expect_used, clippy::indexing_slicing)] // helpers of tests, which clippy.toml does not cover

#[path = "../../tests/support/mod.rs"]
mod support;

use arrow::array::{AsArray, RecordBatch};
use arrow::compute::concat_batches;
use bytes::Bytes;
use lake::{LakeError, encode};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::basic::{Compression, LogicalType, TimeUnit, TimestampType, Type};
use parquet::file::properties::ReaderProperties;
use parquet::file::reader::FileReader;
use parquet::file::serialized_reader::{ReadOptionsBuilder, SerializedFileReader};
use proptest::prelude::*;
use schemas::{IAM_EVENTS, Kind, TABLES, VIOLATIONS, Violation, arrow_schema, record_batch};
use serde_json::json;
use support::violation;

fn rows(count: usize) -> Vec<Violation> {
    (0..count)
        .map(|row| violation(&format!("event-{row:03}"), &format!("2024-01-05T12:{:02}:00.5Z", (row * 7) % 60)))
        .collect()
}

fn file(rows: &[Violation]) -> Bytes {
    encode(&VIOLATIONS, &record_batch(&VIOLATIONS, rows).expect("batch")).expect("file")
}

fn open(file: &Bytes) -> SerializedFileReader<Bytes> {
    let properties = ReaderProperties::builder().set_read_bloom_filter(true).build();
    let options = ReadOptionsBuilder::new().with_page_index().with_reader_properties(properties).build();
    SerializedFileReader::new_with_options(file.clone(), options).expect("parquet")
}

fn read(file: &Bytes) -> RecordBatch {
    let reader = ParquetRecordBatchReaderBuilder::try_new(file.clone()).expect("parquet");
    let schema = reader.schema().clone();
    let batches: Vec<RecordBatch> = reader.build().expect("reader").map(|batch| batch.expect("batch")).collect();
    concat_batches(&schema, &batches).expect("batches")
}

#[test]
fn what_is_read_back_is_what_was_written_in_order_of_time_and_id() {
    let mut rows = rows(100);
    let back = read(&file(&rows));
    rows.sort_by_key(|row| (row.event_time, row.violation_id.to_string()));
    assert_eq!(back, record_batch(&VIOLATIONS, &rows).expect("batch"));
    assert_eq!(back.schema(), arrow_schema(&VIOLATIONS));
}

#[test]
fn timestamps_are_int64_milliseconds_utc() {
    let file = open(&file(&rows(1)));
    let schema = file.metadata().file_metadata().schema_descr();
    let millis = LogicalType::Timestamp(TimestampType { is_adjusted_to_u_t_c: true, unit: TimeUnit::MILLIS });
    for (index, column) in VIOLATIONS.columns.iter().enumerate() {
        let field = schema.column(index);
        assert_eq!(field.name(), column.name);
        if column.kind == Kind::Timestamp {
            assert_eq!((field.physical_type(), field.logical_type_ref()), (Type::INT64, Some(&millis)));
        }
    }
}

#[test]
fn a_file_is_zstd_says_how_it_is_sorted_and_carries_no_foreign_metadata() {
    let file = open(&file(&rows(10)));
    let about = file.metadata().file_metadata();
    assert_eq!(about.created_by(), Some("iam-policy-monitor lake version 1"));
    assert!(about.key_value_metadata().is_none_or(|entries| entries.is_empty()));
    let group = file.metadata().row_group(0);
    assert!(group.columns().iter().all(|column| matches!(column.compression(), Compression::ZSTD(_))));
    let sorted: Vec<_> = group
        .sorting_columns()
        .expect("sorting columns")
        .iter()
        .map(|column| (VIOLATIONS.columns[column.column_idx as usize].name, column.descending))
        .collect();
    assert_eq!(sorted, [("event_time", false), ("violation_id", false)]);
}

#[test]
fn columns_have_statistics_unless_they_are_json_and_long_values_are_cut() {
    let mut rows = rows(10);
    for row in &mut rows {
        row.description = "d".repeat(1000);
    }
    let file = open(&file(&rows));
    for (column, chunk) in VIOLATIONS.columns.iter().zip(file.metadata().row_group(0).columns()) {
        assert_eq!(chunk.statistics().is_some(), column.kind != Kind::Json, "{}", column.name);
        let longest = chunk.statistics().and_then(|statistics| statistics.max_bytes_opt()).map_or(0, <[u8]>::len);
        assert!(longest <= 128, "{} keeps {longest} bytes", column.name);
        assert!(chunk.offset_index_offset().is_some(), "{}", column.name);
    }
}

#[test]
fn bloom_filters_find_every_value_and_are_small() {
    let rows = rows(200);
    let file = open(&file(&rows));
    let group = file.get_row_group(0).expect("row group");
    for (index, column) in VIOLATIONS.columns.iter().enumerate() {
        let filter = group.get_column_bloom_filter(index);
        assert_eq!(filter.is_some(), VIOLATIONS.bloom.contains(&column.name), "{}", column.name);
    }
    let ids = group.get_column_bloom_filter(0).expect("filter of violation_id");
    assert!(rows.iter().all(|row| ids.check(row.violation_id.to_string().as_bytes())));
    let strangers = (0..1000).filter(|other| ids.check(format!("stranger-{other}").as_bytes())).count();
    assert!(strangers <= 30, "{strangers} of 1000");
    let length = file.metadata().row_group(0).column(0).bloom_filter_length().expect("length");
    assert!(length <= 1024, "{length} bytes for 200 ids");
}

#[test]
fn a_repeated_id_is_kept_once_whatever_the_order() {
    let first = violation("event", "2024-01-05T12:00:00Z");
    let later = Violation { sequence_number: Some("5".to_owned()), ..first.clone() };
    let earlier = Violation { sequence_number: Some("1".to_owned()), ..first };
    let file_ab = file(&[later.clone(), earlier.clone(), later.clone()]);
    assert_eq!(file_ab, file(&[earlier, later]));
    let back = read(&file_ab);
    assert_eq!(back.num_rows(), 1);
    let kept = back.column_by_name("sequence_number").expect("column").as_string::<i32>();
    assert_eq!(kept.value(0), "1");
}

#[test]
fn an_empty_file_of_every_table_can_be_read() {
    for table in TABLES {
        let file = encode(table, &record_batch(table, &[] as &[Violation]).expect("batch")).expect("file");
        assert_eq!(read(&file), RecordBatch::new_empty(arrow_schema(table)));
    }
}

#[test]
fn a_batch_of_another_table_is_refused() {
    let batch = record_batch(&VIOLATIONS, &rows(1)).expect("batch");
    let error = encode(&IAM_EVENTS, &batch).expect_err("other columns");
    assert!(matches!(error, LakeError::Encode { table: "iam_events", .. }), "{error}");
}

#[test]
fn a_row_group_ends_at_its_limit() {
    const LIMIT: usize = 122_880;
    for (count, groups) in [(LIMIT, 1), (LIMIT + 1, 2)] {
        let rows: Vec<_> = (0..count)
            .map(|row| {
                json!({"event_id": row.to_string(), "event_time": "2024-01-05T12:00:00Z", "account_id": "1",
                       "event_source": "s", "event_name": "n", "event": "{}"})
            })
            .collect();
        let file = encode(&IAM_EVENTS, &record_batch(&IAM_EVENTS, &rows).expect("batch")).expect("file");
        assert_eq!(open(&file).metadata().num_row_groups(), groups);
    }
}

fn shuffled() -> impl Strategy<Value = (Vec<Violation>, Vec<Violation>)> {
    let row = (0..20u32, 0..40u32, 0..3u32).prop_map(|(event, minute, sequence)| Violation {
        sequence_number: Some(sequence.to_string()),
        ..violation(&format!("event-{event}"), &format!("2024-01-05T12:{minute:02}:00Z"))
    });
    let rows = prop::collection::vec(row, 1..30);
    rows.prop_flat_map(|rows| (Just(rows.clone()), Just(rows).prop_shuffle()))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_same_rows_in_any_order_give_the_same_bytes((rows, others) in shuffled()) {
        prop_assert_eq!(file(&rows), file(&others));
    }
}
