//! Rows of Athena, which are text, as the columns that the report expects.

use std::sync::Arc;

use arrow::compute::{CastOptions, cast_with_options};
use aws_sdk_athena::types::{ColumnInfo, Row};
use datafusion::arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions, StringBuilder};
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};

use super::athena_error::AthenaError;

/// Collects the rows of one answer.
pub(super) struct Rows {
    expected: SchemaRef,
    columns: Vec<StringBuilder>,
    rows: usize,
}

impl Rows {
    /// For an answer of these columns. Any value may be null: Athena does not say which can.
    pub(super) fn new(expected: &Schema) -> Rows {
        let nullable = |field: &Arc<Field>| field.as_ref().clone().with_nullable(true);
        let expected = Arc::new(Schema::new(expected.fields().iter().map(nullable).collect::<Vec<_>>()));
        let columns = expected.fields().iter().map(|_| StringBuilder::new()).collect();
        Rows { expected, columns, rows: 0 }
    }

    /// An error unless the answer has the columns expected: the same names, in the same order, of the same kind.
    pub(super) fn check(&self, columns: &[ColumnInfo]) -> Result<(), AthenaError> {
        let expected = self.expected.fields();
        if columns.len() != expected.len() {
            return Err(AthenaError::Shape(format!("{} columns instead of {}", columns.len(), expected.len())));
        }
        for (found, expected) in columns.iter().zip(expected) {
            if found.name() != expected.name() {
                return Err(AthenaError::Shape(format!("column {} instead of {}", found.name(), expected.name())));
            }
            if !fits(found.r#type(), expected.data_type()) {
                let (name, kind) = (found.name(), found.r#type());
                return Err(AthenaError::Shape(format!("column {name} is {kind} instead of {}", expected.data_type())));
            }
        }
        Ok(())
    }

    /// True for the row of names that Athena puts before the rows of a SELECT.
    pub(super) fn is_head(&self, row: &Row) -> bool {
        let cells = row.data().iter().map(|cell| cell.var_char_value());
        cells.eq(self.expected.fields().iter().map(|field| Some(field.name().as_str())))
    }

    /// Takes one row.
    pub(super) fn push(&mut self, row: &Row) -> Result<(), AthenaError> {
        if row.data().len() != self.columns.len() {
            return Err(AthenaError::Shape(format!("a row of {} values", row.data().len())));
        }
        for (column, cell) in self.columns.iter_mut().zip(row.data()) {
            column.append_option(cell.var_char_value());
        }
        self.rows += 1;
        Ok(())
    }

    /// The rows as the types expected.
    pub(super) fn finish(mut self) -> Result<RecordBatch, AthenaError> {
        let strict = CastOptions { safe: false, ..CastOptions::default() };
        let mut arrays: Vec<ArrayRef> = Vec::with_capacity(self.columns.len());
        for (column, field) in self.columns.iter_mut().zip(self.expected.fields()) {
            let cast = cast_with_options(&column.finish(), field.data_type(), &strict);
            arrays.push(cast.map_err(|error| AthenaError::Shape(format!("column {}: {error}", field.name())))?);
        }
        let rows = RecordBatchOptions::new().with_row_count(Some(self.rows));
        RecordBatch::try_new_with_options(self.expected, arrays, &rows)
            .map_err(|error| AthenaError::Shape(error.to_string()))
    }
}

/// True when values of a type of Athena can be read as a type of Arrow without a change of meaning.
fn fits(found: &str, expected: &DataType) -> bool {
    let found = found.split('(').next().unwrap_or_default();
    match expected {
        DataType::Utf8 | DataType::Utf8View | DataType::LargeUtf8 => matches!(found, "varchar" | "char" | "string"),
        DataType::Boolean => found == "boolean",
        DataType::Timestamp(..) => found.starts_with("timestamp"),
        whole if whole.is_integer() => matches!(found, "bigint" | "integer" | "int" | "smallint" | "tinyint"),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_athena::types::Datum;
    use datafusion::arrow::datatypes::TimeUnit;
    use datafusion::arrow::util::pretty::pretty_format_batches;

    fn expected() -> Schema {
        Schema::new(vec![
            Field::new("rule_name", DataType::Utf8, false),
            Field::new("event_time", DataType::Timestamp(TimeUnit::Millisecond, None), true),
            Field::new("suppressed", DataType::Boolean, true),
            Field::new("violations", DataType::Int64, true),
        ])
    }

    fn columns(types: [&str; 4]) -> Vec<ColumnInfo> {
        let names = expected().fields().iter().map(|field| field.name().clone()).collect::<Vec<_>>();
        let column = |(name, kind): (String, &str)| ColumnInfo::builder().name(name).r#type(kind).build().unwrap();
        names.into_iter().zip(types).map(column).collect()
    }

    fn row(cells: [Option<&str>; 4]) -> Row {
        let cell = |cell: Option<&str>| Datum::builder().set_var_char_value(cell.map(str::to_owned)).build();
        Row::builder().set_data(Some(cells.map(cell).to_vec())).build()
    }

    #[test]
    fn text_becomes_the_types_of_the_report_and_null_is_not_empty() {
        let mut rows = Rows::new(&expected());
        rows.check(&columns(["varchar", "timestamp(3)", "boolean", "bigint"])).unwrap();
        assert!(rows.is_head(&row([Some("rule_name"), Some("event_time"), Some("suppressed"), Some("violations")])));
        rows.push(&row([Some(""), Some("2024-01-05 10:00:00.250"), Some("true"), Some("7")])).unwrap();
        rows.push(&row([None, None, None, None])).unwrap();
        let shown = pretty_format_batches(&[rows.finish().unwrap()]).unwrap().to_string();
        assert!(shown.contains("2024-01-05T10:00:00.250 | true       | 7"), "{shown}");
    }

    #[test]
    fn another_shape_is_an_error_that_names_the_column() {
        let rows = Rows::new(&expected());
        let kinds = columns(["varchar", "timestamp(3)", "boolean", "double"]);
        assert!(rows.check(&kinds).unwrap_err().to_string().contains("column violations is double"));
        let fewer = &columns(["varchar", "timestamp(3)", "boolean", "bigint"])[..3];
        assert!(rows.check(fewer).unwrap_err().to_string().contains("3 columns instead of 4"));
        let mut rows = Rows::new(&expected());
        rows.push(&row([Some("x"), None, None, Some("many")])).unwrap();
        assert!(rows.finish().unwrap_err().to_string().contains("column violations"));
    }
}
