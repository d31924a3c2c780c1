//! The books of the lake to read on a terminal, at most 100 columns wide.

use crate::plain::{fit, wrap};
use crate::verify::{Books, Check, Finding, Grade};

/// Widest line, in cells.
const WIDTH: usize = 100;
/// Findings shown; the JSON has all of them.
const SHOWN: usize = 60;

/// The books as text.
pub(crate) fn books(books: &Books) -> String {
    let period = books.period.as_ref().map_or_else(|| "the whole lake".to_owned(), |period| fit(period, 40));
    let mut out = format!("Books of {}, {period}\n\n", fit(&books.lake, 50));
    for table in &books.tables {
        out.push_str(&format!(
            "  {:<17} {:>7} files {:>14} bytes {:>11} rows {:>9} repeats\n",
            table.table, table.files, table.bytes, table.rows, table.repeats
        ));
    }
    if !books.compared_with_audit_log {
        out.push_str("\nThere is no audit_log for these days: violations were not compared with it.\n");
    }
    if !books.findings.is_empty() {
        out.push('\n');
    }
    for finding in books.findings.iter().take(SHOWN) {
        for (place, line) in wrap(&told(finding), WIDTH - 7, 4).iter().enumerate() {
            let mark = match (place, finding.grade) {
                (0, Grade::Fault) => "FAULT",
                (0, Grade::Note) => "note",
                _ => "",
            };
            out.push_str(&format!("{mark:<7}{line}\n"));
        }
    }
    if books.findings.len() > SHOWN {
        out.push_str(&format!("… and {} more: --format json has all of them\n", books.findings.len() - SHOWN));
    }
    out.push_str(if books.balance() { "\nThe books balance.\n" } else { "\nThe books do not balance.\n" });
    out
}

fn told(finding: &Finding) -> String {
    let Finding { check, table, place, count, detail, .. } = finding;
    match check {
        Check::OutsidePartition if place.is_empty() => format!("{table}: {count} {detail}"),
        Check::OutsidePartition | Check::Unreadable => format!("{place}: {detail}"),
        Check::UnknownColumn => format!("{place}: has columns that the table does not have: {detail}"),
        Check::MissingColumn => format!("{table}: {count} {detail}"),
        Check::WrongPartition => format!("{table} {place}: {count} rows of another day, such as {detail}"),
        Check::SeveralPartitions => format!("{table}: {count} ids are in several days, such as {detail} in {place}"),
        Check::Repeats => format!("{table}: {count} repeats; {detail}"),
        Check::NotOnBus => format!("{table} {place}: {count} reported and not in audit_log, such as {detail}"),
        Check::NotInLake => format!("{table} {place}: {count} told of and not in violations, such as {detail}"),
        Check::Silence => format!("shard {place}: nothing arrived for {count} hours after {detail}"),
    }
}
