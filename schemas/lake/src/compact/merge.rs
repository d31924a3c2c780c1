//! Merging: files to rows, the copy of each row that readers show, rows to one file.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringArray, UInt32Array, UInt64Array, new_null_array};
use arrow::compute::{SortColumn, SortOptions, cast, concat_batches, lexsort_to_indices, take_record_batch};
use arrow::datatypes::{DataType, TimestampMillisecondType};
use arrow::error::ArrowError;
use bytes::Bytes;
use chrono::{DateTime, Datelike};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use schemas::{Table, arrow_schema};

use crate::encode::encode;
use crate::error::LakeError;
use crate::order::short_hash;

/// Decoded rows merged at once. Sorting and writing them takes about four times as much memory.
pub(super) const GROUP_BYTES: usize = 128 << 20;
/// Most decoded bytes of one file; a small file may hold a bomb.
const FILE_BYTES: usize = 4 * GROUP_BYTES;

/// Files that are merged together.
pub(super) struct Group {
    table: &'static Table,
    /// Their keys, in the order of paths.
    pub(super) inputs: Vec<String>,
    /// Their size in the store.
    pub(super) bytes: u64,
    /// Their rows, repeats included.
    pub(super) rows: usize,
    batches: Vec<(u32, RecordBatch)>,
    decoded: usize,
}

/// A merged file that is not written yet.
pub(super) struct MergedFile {
    /// Name without its ending.
    pub(super) name: String,
    pub(super) bytes: Bytes,
    pub(super) rows: usize,
}

impl Group {
    pub(super) fn new(table: &'static Table) -> Group {
        Group { table, inputs: Vec::new(), bytes: 0, rows: 0, batches: Vec::new(), decoded: 0 }
    }

    /// True when these rows are too many for this group, which has some.
    pub(super) fn is_full(&self, rows: &[RecordBatch]) -> bool {
        !self.inputs.is_empty() && self.decoded + decoded(rows) > GROUP_BYTES
    }

    /// Adds a file. Files come in the order of their paths.
    pub(super) fn push(&mut self, key: String, bytes: u64, rows: Vec<RecordBatch>) {
        let place = u32::try_from(self.inputs.len()).unwrap_or(u32::MAX);
        self.inputs.push(key);
        self.bytes += bytes;
        self.decoded += decoded(&rows);
        self.rows += rows.iter().map(RecordBatch::num_rows).sum::<usize>();
        self.batches.extend(rows.into_iter().map(|rows| (place, rows)));
    }

    /// The rows of all files, each once, sorted, as one file. Its name comes from the names of the inputs: other than a
    /// hash of the rows it never is the name of an input.
    pub(super) fn merge(self) -> Result<MergedFile, LakeError> {
        let table = self.table;
        let name = format!("{}-merged", short_hash(self.inputs.iter().map(String::as_bytes)));
        let refused = |source: ArrowError| LakeError::Encode { table: table.name, source: source.into() };
        let files: UInt32Array =
            self.batches.iter().flat_map(|(place, rows)| std::iter::repeat_n(*place, rows.num_rows())).collect();
        let batches: Vec<RecordBatch> = self.batches.into_iter().map(|(_, rows)| rows).collect();
        let all = concat_batches(&arrow_schema(table), &batches).map_err(refused)?;
        drop(batches);
        let rows = first_copies(table, &all, Arc::new(files)).map_err(refused)?;
        drop(all);
        let name = format!("{}-{name}", first_time(table, &rows));
        Ok(MergedFile { name, rows: rows.num_rows(), bytes: encode(table, &rows)? })
    }
}

/// Rows of a file in the columns of the table, or why the file must stay as it is.
pub(super) fn rows_of(table: &Table, file: Bytes) -> Result<Vec<RecordBatch>, String> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).map_err(unreadable)?.build().map_err(unreadable)?;
    let mut rows = Vec::new();
    let mut size = 0;
    for batch in reader {
        let batch = in_columns(table, &batch.map_err(unreadable)?)?;
        size += batch.get_array_memory_size();
        if size > FILE_BYTES {
            return Err(format!("its rows take more than {FILE_BYTES} bytes of memory"));
        }
        rows.push(batch);
    }
    Ok(rows)
}

/// Rows of a file, from its footer.
pub(super) fn row_count(file: Bytes) -> Result<usize, String> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).map_err(unreadable)?;
    let rows = reader.metadata().file_metadata().num_rows();
    usize::try_from(rows).map_err(|_| "its number of rows is negative".to_owned())
}

/// The rows in the columns of today: what an old file does not have is null. A file with a column that this program does
/// not know stays as it is, for the column would be lost.
fn in_columns(table: &Table, batch: &RecordBatch) -> Result<RecordBatch, String> {
    let schema = arrow_schema(table);
    if let Some(unknown) = batch.schema().fields().iter().find(|held| schema.field_with_name(held.name()).is_err()) {
        return Err(format!("it has a column {} that this program does not know: use a newer one", unknown.name()));
    }
    let column = |name: &str, wanted: &DataType| -> Result<ArrayRef, String> {
        match batch.column_by_name(name) {
            None => Ok(new_null_array(wanted, batch.num_rows())),
            Some(held) if held.data_type() == wanted => Ok(Arc::clone(held)),
            Some(held) if is_same_kind(wanted, held.data_type()) => cast(held, wanted).map_err(|e| e.to_string()),
            Some(held) => Err(format!("its column {name} holds {} instead of {wanted}", held.data_type())),
        }
    };
    let columns = schema.fields().iter().map(|field| column(field.name(), field.data_type()));
    let columns = columns.collect::<Result<Vec<_>, _>>()?;
    RecordBatch::try_new(schema, columns).map_err(|error| error.to_string())
}

/// True when a cast changes how values are held and never what they are.
fn is_same_kind(wanted: &DataType, held: &DataType) -> bool {
    match (wanted, held) {
        (_, DataType::Dictionary(_, values)) => wanted == values.as_ref() || is_same_kind(wanted, values),
        (DataType::Utf8, held) => matches!(held, DataType::LargeUtf8 | DataType::Utf8View),
        // The unit decides; a missing zone is UTC here.
        (DataType::Timestamp(wanted, _), DataType::Timestamp(held, _)) => wanted == held,
        (DataType::Int64, held) => matches!(held, DataType::Int32 | DataType::Int16),
        _ => false,
    }
}

/// Of the copies of each row the one that the views show: the smallest by the columns `first_copy`, nulls last, then by
/// the path of its file.
fn first_copies(table: &Table, all: &RecordBatch, files: ArrayRef) -> Result<RecordBatch, ArrowError> {
    let options = Some(SortOptions { descending: false, nulls_first: false });
    let missing = |name: &str| ArrowError::SchemaError(format!("there is no column {name}"));
    let column = |name: &str| all.column_by_name(name).cloned().ok_or_else(|| missing(name));
    let key: Vec<ArrayRef> = table.key().map(column).collect::<Result<_, _>>()?;
    let mut by: Vec<SortColumn> = key.iter().map(|values| SortColumn { values: Arc::clone(values), options }).collect();
    for name in table.first_copy {
        by.push(SortColumn { values: column(name)?, options });
    }
    by.push(SortColumn { values: files, options });
    let order = lexsort_to_indices(&by, None)?;
    let text =
        |values: &'static str, held: &ArrayRef| held.as_string_opt::<i32>().cloned().ok_or_else(|| missing(values));
    let ids = table.key().zip(&key).map(|(name, held)| text(name, held)).collect::<Result<Vec<StringArray>, _>>()?;
    let mut kept: Vec<u64> = Vec::with_capacity(order.len());
    let mut last = None;
    for place in order.values() {
        let is_new = last.is_none_or(|last| ids.iter().any(|id| id.value(last) != id.value(*place as usize)));
        if is_new {
            kept.push(u64::from(*place));
        }
        last = Some(*place as usize);
    }
    take_record_batch(all, &UInt64Array::from(kept))
}

/// `20240105T120000Z`, the time of the first row.
fn first_time(table: &Table, rows: &RecordBatch) -> String {
    let times = rows.column_by_name(table.time).and_then(|times| times.as_primitive_opt::<TimestampMillisecondType>());
    let first = times.and_then(|times| times.values().iter().min().copied()).unwrap_or(0);
    let first = DateTime::from_timestamp_millis(first).filter(|time| (1..=9999).contains(&time.year()));
    first.map_or_else(|| "undated".to_owned(), |first| first.format("%Y%m%dT%H%M%SZ").to_string())
}

fn decoded(rows: &[RecordBatch]) -> usize {
    rows.iter().map(RecordBatch::get_array_memory_size).sum()
}

fn unreadable(error: impl std::fmt::Display) -> String {
    format!("not a readable Parquet file: {}", error.to_string().lines().next().unwrap_or_default())
}
