//! Rows as Arrow batches.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit, TimestampMillisecondType};
use arrow::error::ArrowError;
use arrow::json::ReaderBuilder;
use serde::Serialize;

use crate::columns::{Column, Kind, Presence, Table};

/// What can go wrong when rows are turned into what others read.
#[derive(Debug, thiserror::Error)]
pub enum SchemaError {
    /// A row does not have the columns of the table; permanent for these rows.
    #[error("rows do not fit the columns of table {table}: {source}")]
    Rows {
        /// Table the rows were meant for.
        table: &'static str,
        /// What Arrow refused.
        source: ArrowError,
    },
    /// A violation could not be written as JSON; permanent for this violation.
    #[error("violation {id} cannot be written as JSON: {source}")]
    Json {
        /// The `violation_id`.
        id: String,
        /// What the writer refused.
        source: serde_json::Error,
    },
    /// Even without its long parts the bus entry is over the cap; permanent for this violation.
    #[error("bus entry of violation {id} has {bytes} bytes, over the cap of {cap}: raise the cap or shorten the rule")]
    EntryTooLarge {
        /// The `violation_id`.
        id: String,
        /// Size of the smallest form of the entry.
        bytes: usize,
        /// The cap in force.
        cap: usize,
    },
}

/// The Arrow type a column has in batches and in Parquet files.
pub fn arrow_type(kind: Kind) -> DataType {
    match kind {
        Kind::Text | Kind::Json => DataType::Utf8,
        Kind::Timestamp => DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into())),
        Kind::Boolean => DataType::Boolean,
        Kind::BigInt => DataType::Int64,
        Kind::Int => DataType::Int32,
    }
}

/// The Arrow schema of a table: its columns in order, without the partition columns, which only the path holds.
///
/// Carries no metadata, so that a batch read back from a file has an equal schema.
pub fn arrow_schema(table: &Table) -> SchemaRef {
    let field =
        |column: &Column| Field::new(column.name, arrow_type(column.kind), column.presence == Presence::Optional);
    Arc::new(Schema::new(table.columns.iter().map(field).collect::<Vec<_>>()))
}

/// Rows as one batch in the order given. Serde field names are column names; a field that is no column is an error,
/// a column that is no field is null. The text of one column may sum up to 2 GiB, so cut very large inputs into batches.
pub fn record_batch(table: &Table, rows: &[impl Serialize]) -> Result<RecordBatch, SchemaError> {
    decode(table, rows).map_err(|source| SchemaError::Rows { table: table.name, source })
}

fn decode(table: &Table, rows: &[impl Serialize]) -> Result<RecordBatch, ArrowError> {
    let schema = arrow_schema(table);
    // The decoder knows no zone by name unless the whole time zone database is compiled in: it reads with the offset.
    let reading = Arc::new(Schema::new(table.columns.iter().map(offset_field).collect::<Vec<_>>()));
    let mut decoder = ReaderBuilder::new(reading).with_strict_mode(true).build_decoder()?;
    decoder.serialize(rows)?;
    let Some(batch) = decoder.flush()? else { return Ok(RecordBatch::new_empty(schema)) };
    let named = batch.columns().iter().map(|values| match values.as_primitive_opt::<TimestampMillisecondType>() {
        Some(times) => Arc::new(times.clone().with_timezone("UTC")) as ArrayRef,
        None => values.clone(),
    });
    RecordBatch::try_new(schema, named.collect())
}

fn offset_field(column: &Column) -> Field {
    let data_type = match arrow_type(column.kind) {
        DataType::Timestamp(unit, _) => DataType::Timestamp(unit, Some("+00:00".into())),
        other => other,
    };
    Field::new(column.name, data_type, column.presence == Presence::Optional)
}
