//! Glue tables as JSON that Terraform reads with `jsondecode(file(…))`.

use serde_json::{Map, Value, json};

use crate::columns::{Column, PARTITION_COLUMNS, Table};
use crate::render::athena::hive_type;
use crate::render::{partition_template, physical_name, projection};
use crate::views::View;

/// Name and columns of a view over other views.
pub(super) fn glue_view(view: &View) -> String {
    let document = json!({ "name": view.name, "description": view.description, "columns": columns(view.columns) });
    format!("{document:#}\n")
}

fn columns(columns: &[Column]) -> Vec<Value> {
    let column =
        |column: &Column| json!({ "name": column.name, "type": hive_type(column.kind), "comment": column.description });
    columns.iter().map(column).collect()
}

/// Name, folder, columns, partition keys and table parameters of a table.
pub(super) fn glue_table(table: &Table) -> String {
    let partition_keys: Vec<Value> = PARTITION_COLUMNS
        .iter()
        .map(|name| json!({ "name": name, "type": "string", "comment": format!("{name} of {}, UTC", table.time) }))
        .collect();
    let parameters: Map<String, Value> = [("classification".to_owned(), "parquet".to_owned())]
        .into_iter()
        .chain(projection())
        .map(|(key, value)| (key, Value::String(value)))
        .collect();
    let document = json!({
        "name": physical_name(table),
        "description": table.description,
        "folder": table.name,
        "columns": columns(table.columns),
        "partition_keys": partition_keys,
        "parameters": parameters,
        "partition_template": partition_template(table),
    });
    format!("{document:#}\n")
}
