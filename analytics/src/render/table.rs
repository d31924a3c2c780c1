//! Answers of `analytics sql`: a table for people, CSV and JSON for programs.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::DataType;
use arrow::json::writer::{JsonArray, WriterBuilder};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use comfy_table::{CellAlignment, ContentArrangement, Table, presets};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use serde_json::Value;

use super::csv::{Cell, record};
use super::json::json;
use crate::error::AnalyticsError;
use crate::plain::{fit, plain, width, wrap};
use crate::tables::Answer;

/// Narrowest useful column, in cells. When not even these fit, rows are shown one column a line.
const NARROWEST: usize = 6;
/// Cells between two columns.
const GAP: usize = 2;
/// Lines of one value when rows are shown one column a line.
const VALUE_LINES: usize = 4;
/// Columns of the answer to EXPLAIN.
const EXPLAINED: [&str; 2] = ["plan_type", "plan"];
/// How a missing value looks in a table.
const NULL: &str = "null";

/// The answer in at most `cells` columns of a terminal. Long values are cut; the other formats have them whole.
pub(crate) fn table(answer: &Answer, cells: usize) -> Result<String, AnalyticsError> {
    let names: Vec<&str> = answer.schema.fields().iter().map(|field| field.name().as_str()).collect();
    if names == EXPLAINED {
        return explained(answer);
    }
    let rows = shown(answer, cells)?;
    let rows_text = if rows.len() == 1 { "1 row".to_owned() } else { format!("{} rows", rows.len()) };
    if names.is_empty() {
        return Ok(format!("({rows_text})\n"));
    }
    let body = if names.len() * (NARROWEST + GAP) > cells {
        upright(&names, &rows, cells)
    } else {
        flat(answer, &names, &rows, cells)
    };
    Ok(format!("{body}({rows_text})\n"))
}

/// The answer as CSV with a header.
pub(crate) fn csv(answer: &Answer) -> Result<String, AnalyticsError> {
    let mut out = String::new();
    record(&mut out, answer.schema.fields().iter().map(|field| Cell::Text(field.name())));
    let texts: Vec<bool> = answer.schema.fields().iter().map(|field| is_text(field.data_type())).collect();
    for row in values(answer)? {
        let cells = row.iter().zip(&texts).map(|(value, text)| match (value, text) {
            (None, _) => Cell::Null,
            (Some(value), true) => Cell::Text(value),
            (Some(value), false) => Cell::Plain(value.clone()),
        });
        record(&mut out, cells);
    }
    Ok(out)
}

/// The answer as a JSON list of objects, missing values as null.
pub(crate) fn json_rows(answer: &Answer) -> Result<String, AnalyticsError> {
    let mut writer = WriterBuilder::new().with_explicit_nulls(true).build::<_, JsonArray>(Vec::new());
    writer.write_batches(&answer.batches.iter().collect::<Vec<_>>())?;
    writer.finish()?;
    let written = writer.into_inner();
    let rows: Vec<Value> = if written.is_empty() { Vec::new() } else { serde_json::from_slice(&written)? };
    Ok(json(&rows)?)
}

/// The answer as one Parquet file.
pub(crate) fn parquet(answer: &Answer) -> Result<Vec<u8>, AnalyticsError> {
    let refused = |error: ParquetError| AnalyticsError::Page(error.to_string());
    let properties = WriterProperties::builder().set_compression(Compression::ZSTD(ZstdLevel::default())).build();
    let mut writer = ArrowWriter::try_new(Vec::new(), Arc::clone(&answer.schema), Some(properties)).map_err(refused)?;
    for batch in &answer.batches {
        writer.write(batch).map_err(refused)?;
    }
    writer.into_inner().map_err(refused)
}

/// Every value as text; timestamps in RFC 3339.
fn values(answer: &Answer) -> Result<Vec<Vec<Option<String>>>, AnalyticsError> {
    let mut rows = Vec::new();
    for batch in &answer.batches {
        append(&mut rows, batch)?;
    }
    Ok(rows)
}

fn append(rows: &mut Vec<Vec<Option<String>>>, batch: &RecordBatch) -> Result<(), AnalyticsError> {
    let options = FormatOptions::default();
    let columns =
        batch.columns().iter().map(|column| Ok((column, ArrayFormatter::try_new(column.as_ref(), &options)?)));
    let columns = columns.collect::<Result<Vec<_>, arrow::error::ArrowError>>()?;
    for row in 0..batch.num_rows() {
        let value = |(column, format): &(&arrow::array::ArrayRef, ArrayFormatter<'_>)| {
            if column.is_null(row) { Ok(None) } else { format.value(row).try_to_string().map(Some) }
        };
        rows.push(columns.iter().map(value).collect::<Result<_, _>>()?);
    }
    Ok(())
}

fn is_text(data_type: &DataType) -> bool {
    match data_type {
        DataType::Dictionary(_, values) => is_text(values),
        DataType::Null | DataType::Boolean | DataType::Timestamp(..) | DataType::Date32 | DataType::Date64 => false,
        other => !other.is_numeric(),
    }
}

/// The plans of EXPLAIN, whole: their lines and indents are what people read them for.
fn explained(answer: &Answer) -> Result<String, AnalyticsError> {
    let mut out = String::new();
    for row in values(answer)? {
        for (place, value) in row.iter().flatten().enumerate() {
            let indent = if place == 0 { "" } else { "  " };
            for line in value.lines() {
                out.push_str(&format!("{indent}{}\n", plain(line)));
            }
        }
    }
    Ok(out)
}

/// Values as they look in a table: plain, and no longer than can be shown.
fn shown(answer: &Answer, cells: usize) -> Result<Vec<Vec<String>>, AnalyticsError> {
    let short = |value: Option<String>| fit(value.as_deref().unwrap_or(NULL), cells * VALUE_LINES);
    Ok(values(answer)?.into_iter().map(|row| row.into_iter().map(short).collect()).collect())
}

fn flat(answer: &Answer, names: &[&str], rows: &[Vec<String>], cells: usize) -> String {
    let widest =
        |place: usize| rows.iter().filter_map(|row| row.get(place)).map(|value| width(value)).max().unwrap_or(0);
    let natural: Vec<usize> =
        names.iter().enumerate().map(|(i, name)| widest(i).max(width(&fit(name, cells)))).collect();
    let widths = shares(&natural, cells.saturating_sub(GAP * names.len().saturating_sub(1)));
    let cut = |row: &mut dyn Iterator<Item = &str>| {
        row.zip(&widths).map(|(value, cells)| fit(value, *cells)).collect::<Vec<_>>()
    };
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    table.add_row(cut(&mut names.iter().copied()));
    table.add_row(widths.iter().map(|cells| "─".repeat(*cells)));
    for row in rows {
        table.add_row(cut(&mut row.iter().map(String::as_str)));
    }
    for (column, field) in table.column_iter_mut().zip(answer.schema.fields()) {
        column.set_padding((0, GAP as u16));
        if field.data_type().is_numeric() {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table.lines().map(|line| format!("{}\n", line.trim_end())).collect()
}

/// Widths that sum up to at most `cells`: every column has its natural width, except that the widest are cut alike.
fn shares(natural: &[usize], cells: usize) -> Vec<usize> {
    let fits = |most: usize| natural.iter().map(|width| (*width).min(most)).sum::<usize>() <= cells;
    let most = (1..=natural.iter().copied().max().unwrap_or(1)).rev().find(|most| fits(*most)).unwrap_or(1);
    natural.iter().map(|width| (*width).clamp(1, most)).collect()
}

fn upright(names: &[&str], rows: &[Vec<String>], cells: usize) -> String {
    let left = names.iter().map(|name| width(name)).max().unwrap_or(0).min(cells / 3);
    let right = cells.saturating_sub(left + GAP).max(1);
    let mut out = String::new();
    for (number, row) in rows.iter().enumerate() {
        out.push_str(&format!("── row {} ──\n", number + 1));
        for (name, value) in names.iter().zip(row) {
            let mut name = fit(name, left);
            for line in wrap(value, right, VALUE_LINES) {
                let pad = " ".repeat(left - width(&name) + GAP);
                out.push_str(format!("{name}{pad}{line}").trim_end());
                out.push('\n');
                name.clear();
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_widest_columns_are_cut() {
        assert_eq!(shares(&[5, 80, 90], 50), [5, 22, 22]);
        assert_eq!(shares(&[5, 10], 50), [5, 10]);
        assert_eq!(shares(&[], 50), Vec::<usize>::new());
        assert_eq!(shares(&[0, 9], 4), [1, 4]);
    }
}
