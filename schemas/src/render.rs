//! The files rendered from the column lists. They are committed; a test compares them.

mod athena;
mod glue;
mod json_schema;

pub use athena::{athena_table, athena_view};

use crate::columns::{AUDIT_LOG, TABLES, Table};
use crate::views::VIEWS;

/// A rendered file: path below `schemas/generated`, and content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    /// Path with forward slashes.
    pub path: String,
    /// Whole content, ending with a line feed.
    pub content: String,
}

/// Every rendered file, sorted by path. The same columns give the same bytes.
pub fn rendered_files() -> Vec<Rendered> {
    let file = |path: String, content: String| Rendered { path, content };
    let mut files = vec![
        file("bus/violation.schema.json".to_owned(), json_schema::violation_event()),
        file("bus/remediation_status.schema.json".to_owned(), json_schema::remediation_event()),
    ];
    for table in TABLES {
        files.push(file(format!("glue/{}.json", physical_name(table)), glue::glue_table(table)));
        files.push(file(format!("athena/{}.sql", physical_name(table)), athena_table(table)));
        if let Some(view) = athena_view(table) {
            files.push(file(format!("athena/{}.sql", table.name), view));
        }
    }
    for view in VIEWS {
        files.push(file(format!("athena/{}.sql", view.name), view.statement()));
        files.push(file(format!("views/{}.json", view.name), glue::glue_view(view)));
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    files
}

/// Name of the table over the files. Where a view removes repeated rows, the view has the plain name.
pub fn physical_name(table: &Table) -> String {
    // Firehose writes the audit log; its rows are counted, repeats and all, against the lake.
    if table.name == AUDIT_LOG.name { table.name.to_owned() } else { format!("{}_raw", table.name) }
}

/// The table's projection of partitions, as table parameters of Glue.
///
/// Athena then computes the partitions from the query instead of asking a catalog. Months and days are all of them. The
/// years start where CloudTrail started (November 2013) and end far enough away that nobody forgets: a year outside
/// gives no rows and no error. Every year costs 372 listings in a query that does not name a year, so name one.
fn projection() -> Vec<(String, String)> {
    let mut parameters = vec![("projection.enabled".to_owned(), "true".to_owned())];
    for (column, range, digits) in [("year", "2013,2049", "4"), ("month", "1,12", "2"), ("day", "1,31", "2")] {
        parameters.push((format!("projection.{column}.type"), "integer".to_owned()));
        parameters.push((format!("projection.{column}.range"), range.to_owned()));
        parameters.push((format!("projection.{column}.digits"), digits.to_owned()));
    }
    parameters
}

/// Path of a partition below the bucket, with Athena's own placeholders.
fn partition_template(table: &Table) -> String {
    format!("{}/year=${{year}}/month=${{month}}/day=${{day}}/", table.name)
}
