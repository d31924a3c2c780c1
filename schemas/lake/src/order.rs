//! Order of rows, repeats, days and names: all from the rows themselves, so that any order of input gives the same.

use std::borrow::Cow;
use std::collections::HashSet;

use arrow::array::{ArrayRef, AsArray, BooleanArray, RecordBatch};
use arrow::compute::{SortColumn, SortOptions, filter_record_batch, lexsort_to_indices, take_record_batch};
use arrow::datatypes::TimestampMillisecondType;
use arrow::error::ArrowError;
use chrono::{DateTime, Datelike, NaiveDate, Utc};
use schemas::Table;
use sha2::{Digest, Sha256};

use crate::error::LakeError;

/// Rows of one day, sorted, each id once.
#[derive(Debug)]
pub(crate) struct Day {
    pub(crate) date: NaiveDate,
    pub(crate) rows: RecordBatch,
    /// Key inside the lake.
    pub(crate) key: String,
}

/// Sorts by time, then id, then every other column in file order, and keeps the first row of each id.
pub(crate) fn ordered(table: &Table, batch: &RecordBatch) -> Result<RecordBatch, LakeError> {
    let refused = |source: ArrowError| LakeError::Encode { table: table.name, source: source.into() };
    let options = Some(SortOptions { descending: false, nulls_first: false });
    let time = column(table, batch, table.time)?;
    let id = column(table, batch, table.id)?;
    let columns: Vec<SortColumn> = [time, id]
        .into_iter()
        .chain(batch.columns())
        .map(|values| SortColumn { values: values.clone(), options })
        .collect();
    let order = lexsort_to_indices(&columns, None).map_err(refused)?;
    let sorted = take_record_batch(batch, &order).map_err(refused)?;

    let ids = ids(table, &sorted)?;
    let mut seen = HashSet::with_capacity(ids.len());
    let first: BooleanArray = ids.iter().map(|id| Some(seen.insert(id.as_ref()))).collect();
    if first.true_count() == sorted.num_rows() {
        return Ok(sorted);
    }
    filter_record_batch(&sorted, &first).map_err(refused)
}

/// Cuts an ordered batch into its days, UTC, and names the object of each.
pub(crate) fn days(table: &Table, ordered: &RecordBatch) -> Result<Vec<Day>, LakeError> {
    let times = times(table, ordered)?;
    let mut days: Vec<Day> = Vec::new();
    let mut start = 0;
    for end in 1..=times.len() {
        let date = times.get(start).map(DateTime::date_naive);
        if date == times.get(end).map(DateTime::date_naive) {
            continue;
        }
        if let (Some(date), Some(first)) = (date, times.get(start)) {
            let rows = ordered.slice(start, end - start);
            let key = key(table, *first, &ids(table, &rows)?);
            days.push(Day { date, rows, key });
        }
        start = end;
    }
    Ok(days)
}

/// `<table>/year=2024/month=01/day=05/20240105T120000Z-<16 hex of the hash of the sorted row ids>.parquet`
fn key(table: &Table, first: DateTime<Utc>, ids: &[Cow<'_, str>]) -> String {
    let mut sorted: Vec<&str> = ids.iter().map(Cow::as_ref).collect();
    sorted.sort_unstable();
    let hash = short_hash(sorted.iter().map(|id| id.as_bytes()));
    format!("{}/{}/{}-{hash}.parquet", table.name, partition(first.date_naive()), first.format("%Y%m%dT%H%M%SZ"))
}

/// `year=2024/month=01/day=05`
pub(crate) fn partition(date: NaiveDate) -> String {
    format!("year={:04}/month={:02}/day={:02}", date.year(), date.month(), date.day())
}

/// The first 16 hex digits of SHA-256 over the parts. Each part is preceded by its length (8 bytes, little endian), so
/// that no choice of ids from outside makes two lists look like one.
pub(crate) fn short_hash<'a>(parts: impl Iterator<Item = &'a [u8]>) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

fn times(table: &Table, batch: &RecordBatch) -> Result<Vec<DateTime<Utc>>, LakeError> {
    let values = column(table, batch, table.time)?
        .as_primitive_opt::<TimestampMillisecondType>()
        .ok_or_else(|| misfit(table, table.time))?;
    let time = |millis: &i64| {
        DateTime::from_timestamp_millis(*millis)
            .filter(|time| (1..=9999).contains(&time.year()))
            .ok_or(LakeError::Time { table: table.name, millis: *millis })
    };
    values.values().iter().map(time).collect()
}

/// What identifies each row: the id, and after a separator that no column holds what it is unique within.
fn ids<'a>(table: &Table, batch: &'a RecordBatch) -> Result<Vec<Cow<'a, str>>, LakeError> {
    let text = |name: &str| {
        let values = column(table, batch, name)?.as_string_opt::<i32>().ok_or_else(|| misfit(table, name))?;
        Ok::<_, LakeError>(values.iter().map(Option::unwrap_or_default))
    };
    let mut ids: Vec<Cow<'_, str>> = text(table.id)?.map(Cow::Borrowed).collect();
    for name in table.id_within {
        for (id, within) in ids.iter_mut().zip(text(name)?) {
            let id = id.to_mut();
            id.push('\u{1f}');
            id.push_str(within);
        }
    }
    Ok(ids)
}

fn column<'a>(table: &Table, batch: &'a RecordBatch, name: &str) -> Result<&'a ArrayRef, LakeError> {
    batch.column_by_name(name).ok_or_else(|| misfit(table, name))
}

fn misfit(table: &Table, name: &str) -> LakeError {
    let source = ArrowError::SchemaError(format!("column {name} is missing or has another type")).into();
    LakeError::Encode { table: table.name, source }
}
