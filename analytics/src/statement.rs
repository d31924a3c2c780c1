//! Errors of SQL, shown where they are in the statement.

use datafusion::error::DataFusionError;

use crate::error::AnalyticsError;
use crate::plain::{fit, plain};

/// Cells of the statement shown before the fault, and the width of the whole excerpt.
const BEFORE_FAULT: usize = 40;
const EXCERPT: usize = 90;

/// A place in a statement, both counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    line: u64,
    column: u64,
}

/// Why a statement could not be planned: the message, then the line with a mark under the fault where it is known.
pub(crate) fn explain(sql: &str, error: DataFusionError) -> AnalyticsError {
    if let DataFusionError::ObjectStore(_) = error.find_root() {
        return error.into();
    }
    let diagnostic = error.diagnostic().cloned();
    let (message, place) = match error.find_root() {
        DataFusionError::SQL(parser, _) => split_place(&parser.to_string()),
        root => (root.message().into_owned(), None),
    };
    if message.contains("not supported: ")
        && (message.starts_with("DDL") || message.starts_with("DML") || message.starts_with("Statement"))
    {
        return AnalyticsError::Sql(format!(
            "analytics only reads the lake: write SELECT, EXPLAIN, SHOW or DESCRIBE ({})",
            plain(&message)
        ));
    }
    let span = diagnostic.and_then(|diagnostic| diagnostic.span);
    let place = place.or(span.map(|span| Place { line: span.start.line, column: span.start.column }));
    let mut text = format!("SQL: {}", plain(message.lines().next().unwrap_or_default()));
    if let Some(excerpt) = place.and_then(|place| excerpt(sql, place)) {
        text.push_str(&excerpt);
    }
    AnalyticsError::Sql(text)
}

/// Why a statement that was planned could not be carried out.
pub(crate) fn explain_failure(sql: &str, error: DataFusionError) -> AnalyticsError {
    match error.find_root() {
        DataFusionError::ArrowError(..) | DataFusionError::Execution(_) | DataFusionError::Plan(_) => {
            explain(sql, error)
        }
        _ => error.into(),
    }
}

/// Splits `… at Line: 1, Column: 8`, as the parser writes it.
fn split_place(message: &str) -> (String, Option<Place>) {
    let message = message.strip_prefix("sql parser error: ").unwrap_or(message);
    let split = message.rsplit_once(" at Line: ").and_then(|(text, place)| {
        let (line, column) = place.split_once(", Column: ")?;
        Some((text.to_owned(), Place { line: line.trim().parse().ok()?, column: column.trim().parse().ok()? }))
    });
    match split {
        Some((text, place)) => (text, Some(place)),
        None => (message.to_owned(), None),
    }
}

fn excerpt(sql: &str, place: Place) -> Option<String> {
    let line = sql.lines().nth(usize::try_from(place.line).ok()?.checked_sub(1)?)?;
    let fault = usize::try_from(place.column).ok()?.checked_sub(1)?;
    let skipped = fault.saturating_sub(BEFORE_FAULT);
    let before: String = line.chars().skip(skipped).take(fault - skipped).collect();
    let after: String = line.chars().skip(fault).collect();
    let before = plain(&before);
    let shown = fit(&format!("{before}{after}"), EXCERPT);
    let mark = " ".repeat(crate::plain::width(&before));
    Some(format!("\n  line {}, column {}:\n    {shown}\n    {mark}^", place.line, place.column))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_of_a_fault_is_split_from_the_message() {
        let (text, place) =
            split_place("sql parser error: Expected: end of statement, found: x at Line: 2, Column: 14");
        assert_eq!(text, "Expected: end of statement, found: x");
        assert_eq!(place, Some(Place { line: 2, column: 14 }));
        assert_eq!(split_place("no place").1, None);
    }

    #[test]
    fn the_mark_stands_under_the_fault_also_in_a_long_line() {
        assert_eq!(
            excerpt("SELECT 1\nFROM x y z", Place { line: 2, column: 8 }).unwrap(),
            "\n  line 2, column 8:\n    FROM x y z\n           ^"
        );
        let long = format!("{}FAULT", "a".repeat(500));
        let shown = excerpt(&long, Place { line: 1, column: 501 }).unwrap();
        assert!(shown.lines().all(|line| line.len() <= EXCERPT + 4), "{shown}");
        assert!(shown.contains("FAULT"));
        assert_eq!(excerpt("x", Place { line: 9, column: 1 }), None);
        assert_eq!(excerpt("x", Place { line: 0, column: 0 }), None);
    }
}
