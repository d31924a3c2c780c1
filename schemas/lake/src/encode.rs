//! Batches as Parquet files that Athena, DuckDB, Spark and pyarrow read alike.

use arrow::array::RecordBatch;
use bytes::Bytes;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::metadata::SortingColumn;
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesBuilder};
use parquet::schema::types::ColumnPath;
use schemas::{Kind, Table, arrow_schema};

use crate::error::LakeError;
use crate::order::ordered;

/// Written into each file; a constant, so that an update of a library does not change the bytes by its name alone.
const CREATED_BY: &str = "iam-policy-monitor lake version 1";
/// Rows in a row group, the unit of parallel reading; the size DuckDB uses itself.
const ROW_GROUP_ROWS: usize = 122_880;
/// Encoded bytes in a row group: one Athena split.
const ROW_GROUP_BYTES: usize = 128 * 1024 * 1024;
/// The default of zstd itself.
const ZSTD_LEVEL: i32 = 3;
/// Longest minimum or maximum kept in statistics, bytes: an ARN fits, a policy does not.
const STATISTICS_BYTES: usize = 128;
/// Share of look-ups by exact value that read a row group in vain.
const BLOOM_FALSE_POSITIVES: f64 = 0.01;

/// One Parquet file of the rows, sorted by time and id, each id once. The same rows in any order give the same bytes.
pub fn encode(table: &Table, batch: &RecordBatch) -> Result<Bytes, LakeError> {
    encode_ordered(table, &ordered(table, batch)?)
}

/// As [`encode`], of rows that are in order already.
pub(crate) fn encode_ordered(table: &Table, rows: &RecordBatch) -> Result<Bytes, LakeError> {
    write(table, rows).map_err(|source| LakeError::Encode { table: table.name, source })
}

fn write(table: &Table, rows: &RecordBatch) -> Result<Bytes, ParquetError> {
    // The Arrow schema is left out of the metadata: no reader needs it, and most files are small.
    let options =
        ArrowWriterOptions::new().with_properties(properties(table, rows.num_rows())?).with_skip_arrow_metadata(true);
    let mut writer = ArrowWriter::try_new_with_options(Vec::new(), arrow_schema(table), options)?;
    writer.write(rows)?;
    Ok(writer.into_inner()?.into())
}

fn properties(table: &Table, rows: usize) -> Result<WriterProperties, ParquetError> {
    let mut properties = WriterProperties::builder()
        .set_created_by(CREATED_BY.to_owned())
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(ZSTD_LEVEL)?))
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        .set_max_row_group_bytes(Some(ROW_GROUP_BYTES))
        .set_statistics_enabled(EnabledStatistics::Page)
        .set_statistics_truncate_length(Some(STATISTICS_BYTES))
        .set_column_index_truncate_length(Some(STATISTICS_BYTES))
        .set_sorting_columns(Some(sorting_columns(table)))
        // Each id is there once, so a dictionary of ids would hold them all a second time.
        .set_column_dictionary_enabled(path(table.id), false);
    for name in table.bloom {
        // The writer folds a filter that turns out too large, so the row count is a safe guess.
        let distinct = rows.clamp(1, ROW_GROUP_ROWS) as u64;
        properties = properties
            .set_column_bloom_filter_enabled(path(name), true)
            .set_column_bloom_filter_fpp(path(name), BLOOM_FALSE_POSITIVES)
            .set_column_bloom_filter_max_ndv(path(name), distinct);
    }
    Ok(json_columns(table, properties).build())
}

/// JSON text gets no statistics: nobody compares it. The raw event, the last of them, differs in each row, so a
/// dictionary would only be built to be thrown away.
fn json_columns(table: &Table, mut properties: WriterPropertiesBuilder) -> WriterPropertiesBuilder {
    let json = || table.columns.iter().filter(|column| column.kind == Kind::Json);
    for column in json() {
        properties = properties.set_column_statistics_enabled(path(column.name), EnabledStatistics::None);
    }
    match json().next_back() {
        Some(raw) => properties.set_column_dictionary_enabled(path(raw.name), false),
        None => properties,
    }
}

fn sorting_columns(table: &Table) -> Vec<SortingColumn> {
    [table.time, table.id]
        .iter()
        .filter_map(|name| table.columns.iter().position(|column| column.name == *name))
        .filter_map(|index| i32::try_from(index).ok())
        .map(|column_idx| SortingColumn { column_idx, descending: false, nulls_first: false })
        .collect()
}

fn path(name: &str) -> ColumnPath {
    ColumnPath::from(name)
}
