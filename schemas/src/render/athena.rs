//! Athena DDL: tables over the files, and the views that show each row once.
//!
//! Names carry no database: the statement runs in the database of the query context. `${bucket}` stands for the bucket,
//! or bucket and prefix, of the lake; `${year}`, `${month}` and `${day}` are Athena's own and stay.

use crate::columns::{Kind, PARTITION_COLUMNS, Table};
use crate::render::{partition_template, physical_name, projection};

/// Words among our column names that Athena's DDL reserves (Athena user guide, "Escape reserved keywords").
const RESERVED: [&str; 1] = ["timestamp"];

/// `CREATE EXTERNAL TABLE` over the files of a table.
pub fn athena_table(table: &Table) -> String {
    let columns: Vec<String> = table
        .columns
        .iter()
        .map(|column| {
            let quote = if RESERVED.contains(&column.name) { "`" } else { "" };
            let athena = hive_type(column.kind);
            format!("  {quote}{}{quote} {athena} COMMENT '{}'", column.name, column.description)
        })
        .collect();
    let partitions: Vec<String> = PARTITION_COLUMNS.iter().map(|name| format!("{name} string")).collect();
    let template = ("storage.location.template".to_owned(), format!("s3://${{bucket}}/{}", partition_template(table)));
    let properties: Vec<String> = [("classification".to_owned(), "parquet".to_owned())]
        .into_iter()
        .chain(projection())
        .chain([template])
        .map(|(key, value)| format!("  '{key}' = '{value}'"))
        .collect();
    format!(
        "CREATE EXTERNAL TABLE IF NOT EXISTS {} (\n{}\n)\nCOMMENT '{}'\nPARTITIONED BY ({})\nSTORED AS PARQUET\n\
         LOCATION 's3://${{bucket}}/{}/'\nTBLPROPERTIES (\n{}\n)\n",
        physical_name(table),
        columns.join(",\n"),
        table.description,
        partitions.join(", "),
        table.name,
        properties.join(",\n"),
    )
}

/// The view that shows each row once, for tables that have one.
///
/// The partition columns are in the window's PARTITION BY so that a filter on them reaches the table. Which copy stays
/// is decided by the row, then by the object name ("$path"), never by chance.
pub fn athena_view(table: &Table) -> Option<String> {
    let physical = physical_name(table);
    if physical == table.name {
        return None;
    }
    let names: Vec<String> = table.columns.iter().map(|column| quoted(column.name)).collect();
    let names = names.into_iter().chain(PARTITION_COLUMNS.map(quoted)).map(|name| format!("  {name}"));
    let order: Vec<String> = table.first_copy.iter().copied().chain(["$path"]).map(quoted).collect();
    Some(format!(
        "CREATE OR REPLACE VIEW {} AS\nSELECT\n{}\nFROM (\n  SELECT\n    *,\n    ROW_NUMBER() OVER (\n      \
         PARTITION BY {}, {}\n      ORDER BY {}\n    ) AS copy_number\n  FROM {physical}\n) AS copies\n\
         WHERE copy_number = 1\n",
        table.name,
        names.collect::<Vec<_>>().join(",\n"),
        PARTITION_COLUMNS.join(", "),
        table.key().map(quoted).collect::<Vec<_>>().join(", "),
        order.join(", "),
    ))
}

/// The type of a column in Hive's words, which Glue and Athena's DDL use.
pub(super) fn hive_type(kind: Kind) -> &'static str {
    match kind {
        Kind::Text | Kind::Json => "string",
        Kind::Timestamp => "timestamp",
        Kind::Boolean => "boolean",
        Kind::BigInt => "bigint",
        Kind::Int => "int",
    }
}

fn quoted(name: &str) -> String {
    if name.starts_with('$') || RESERVED.contains(&name) { format!("\"{name}\"") } else { name.to_owned() }
}
