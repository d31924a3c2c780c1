//! What a scan says at its end: the books, what was found and why, what was written, what could not be read.

use std::fmt::Write as _;
use std::io::{self, Write};

use schemas::{Severity, Violation};
use serde_json::json;

use super::inputs::Found;
use super::writer::{Outcome, RuleCount};

/// Objects named in the text summary; the rest are counted.
const OBJECTS_SHOWN: usize = 5;
/// Unreadable files named on standard error; the rest are counted and stored.
const UNREAD_SHOWN: usize = 20;

/// Everything the summary is made of.
pub struct Summary<'s> {
    /// What was looked for.
    pub found: &'s Found,
    /// What came of it.
    pub outcome: &'s Outcome,
    /// Bytes of log text, after inflating.
    pub text_bytes: u64,
    /// The lake as the user named it.
    pub lake: &'s str,
}

/// For people.
pub fn write_text(out: &mut impl Write, summary: &Summary<'_>) -> io::Result<()> {
    write_books(out, summary)?;
    write_violations(out, summary.outcome)?;
    write_objects(out, summary)
}

fn write_books(out: &mut impl Write, summary: &Summary<'_>) -> io::Result<()> {
    let books = &summary.outcome.books;
    let (files, passed_over) = (summary.found.files, summary.found.passed_over);
    writeln!(out, "Books")?;
    write!(out, "  files       {:>12}", number(files))?;
    writeln!(out, " read, {} of log text; {passed_over} passed over", size(summary.text_bytes))?;
    let row = |name: &str, whole: u64, parts: &[(u64, &str)]| {
        let parts: Vec<String> = parts.iter().map(|(count, what)| format!("{} {what}", number(*count))).collect();
        format!("  {name:<11} {:>12} = {}", number(whole), parts.join(" + "))
    };
    let records = [(books.records_read, "read"), (books.dead_letters, "dead letters")];
    let events =
        [(books.duplicates, "duplicates"), (books.not_of_interest, "not of interest"), (books.judged, "judged")];
    let violations = [(books.reported, "reported"), (books.suppressed, "suppressed")];
    writeln!(out, "{}", row("records", books.records_in, &records))?;
    writeln!(out, "{}", row("events", books.events_in, &events))?;
    writeln!(out, "{}", row("violations", books.violations, &violations))?;
    if !books.recognised.is_empty() {
        let kinds: Vec<String> = books.recognised.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
        writeln!(out, "  recognised, no events: {}", kinds.join(", "))?;
    }
    if books.attempts > 0 {
        writeln!(out, "  of the judged events, {} were attempts: the call failed", number(books.attempts))?;
    }
    if books.undecided > 0 {
        let advice = "a policy is not visible; --policies can supply it";
        writeln!(out, "  {} times a rule could not be decided: {advice}", number(books.undecided))?;
    }
    if books.rule_errors > 0 {
        writeln!(out, "  {} times a rule failed: see standard error", number(books.rule_errors))?;
    }
    Ok(())
}

fn write_violations(out: &mut impl Write, outcome: &Outcome) -> io::Result<()> {
    if outcome.rules.is_empty() {
        return writeln!(out, "\nNo violations.");
    }
    writeln!(out, "\nViolations")?;
    for rule in outcome.rules.values() {
        writeln!(
            out,
            "  {:<9} {:>6}  {}{}",
            rule.severity.as_str(),
            number(rule.reported),
            rule.rule_name,
            notes(rule)
        )?;
        if rule.severity >= Severity::High
            && let Some(example) = &rule.example
        {
            write_example(out, example, rule.reported > 1)?;
        }
    }
    Ok(())
}

fn notes(rule: &RuleCount) -> String {
    let mut notes = Vec::new();
    if rule.attempts > 0 {
        notes.push(format!("{} failed", number(rule.attempts)));
    }
    if rule.suppressed > 0 {
        notes.push(format!("{} suppressed", number(rule.suppressed)));
    }
    if notes.is_empty() { String::new() } else { format!("  ({})", notes.join(", ")) }
}

fn write_example(out: &mut impl Write, violation: &Violation, first_of_more: bool) -> io::Result<()> {
    let indent = " ".repeat(19);
    let time = violation.event_time.format("%Y-%m-%d %H:%M:%S");
    let first = if first_of_more { "first " } else { "" };
    writeln!(out, "{indent}{first}{time}  account {}", plain(&violation.account_id))?;
    for line in wrapped(&plain(&violation.evidence), 78) {
        writeln!(out, "{indent}{line}")?;
    }
    Ok(())
}

fn write_objects(out: &mut impl Write, summary: &Summary<'_>) -> io::Result<()> {
    let objects = &summary.outcome.objects;
    let (violations, events) = (summary.outcome.violation_rows, summary.outcome.event_rows);
    let there = objects.iter().filter(|object| !object.new).count();
    writeln!(out, "\nWritten to {}", summary.lake)?;
    for object in objects.iter().take(OBJECTS_SHOWN) {
        writeln!(out, "  {}  {} rows, {}", object.key, object.rows, size(object.bytes))?;
    }
    if objects.len() > OBJECTS_SHOWN {
        writeln!(out, "  … and {} more objects", number((objects.len() - OBJECTS_SHOWN) as u64))?;
    }
    let already = if there > 0 { format!(", {there} of them there already, unchanged") } else { String::new() };
    writeln!(out, "  {}{already}", stored(violations, events, objects.len() as u64))?;
    let letters: u64 = summary.outcome.letters.values().sum();
    if letters > 0 {
        writeln!(out, "  {} dead letters in dead-letters/", number(letters))?;
    }
    Ok(())
}

/// `32 violations and the 79 events that were judged, in 2 Parquet objects`.
fn stored(violations: u64, events: u64, objects: u64) -> String {
    let plural = |count: u64, noun: &str| format!("{} {noun}{}", number(count), if count == 1 { "" } else { "s" });
    let verb = if events == 1 { "was" } else { "were" };
    let events = plural(events, "event");
    format!(
        "{} and the {events} that {verb} judged, in {}",
        plural(violations, "violation"),
        plural(objects, "Parquet object")
    )
}

/// What needs a person's eye, on standard error: paths, unreadable records, rules that failed.
pub fn write_problems(out: &mut impl Write, summary: &Summary<'_>) -> io::Result<()> {
    for (path, reason) in &summary.found.problems {
        writeln!(out, "warning: {}: {reason}", path.display())?;
    }
    let unread = &summary.outcome.unread;
    for ((file, code), (message, count)) in unread.iter().take(UNREAD_SHOWN) {
        let more = if *count > 1 { format!(" (and {} more of the kind)", count - 1) } else { String::new() };
        writeln!(out, "warning: {}: {code}: {}{more}", plain(file), plain(message))?;
    }
    if unread.len() > UNREAD_SHOWN {
        writeln!(out, "warning: {} more unreadable places, all in dead-letters/", unread.len() - UNREAD_SHOWN)?;
    }
    for error in &summary.outcome.rule_errors {
        writeln!(out, "warning: {}", plain(&error.to_string()))?;
    }
    Ok(())
}

/// For programs: the same numbers, one JSON document.
pub fn write_json(out: &mut impl Write, summary: &Summary<'_>) -> io::Result<()> {
    let rules: Vec<&RuleCount> = summary.outcome.rules.values().collect();
    let objects = summary.outcome.objects.iter();
    let objects: Vec<_> = objects
        .map(|object| json!({"key": object.key, "rows": object.rows, "bytes": object.bytes, "new": object.new}))
        .collect();
    let problems = summary.found.problems.iter();
    let problems: Vec<_> = problems.map(|(path, reason)| json!({"path": path, "reason": reason})).collect();
    let document = json!({
        "files": summary.found.files,
        "passed_over": summary.found.passed_over,
        "text_bytes": summary.text_bytes,
        "books": summary.outcome.books,
        "rules": rules,
        "rows": {"violations": summary.outcome.violation_rows, "iam_events": summary.outcome.event_rows},
        "objects": objects,
        "dead_letters": summary.outcome.letters,
        "problems": problems,
    });
    serde_json::to_writer_pretty(&mut *out, &document)?;
    writeln!(out)
}

/// Text from outside, made safe for a terminal: control characters and direction marks become visible escapes.
pub fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for char in text.chars() {
        if schemas::is_deceptive(char) {
            let _ = write!(plain, "\\u{{{:x}}}", u32::from(char));
        } else {
            plain.push(char);
        }
    }
    plain
}

/// Lines of at most `width` characters, broken at spaces; a longer word has a line of its own.
pub fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// `1,234,567`.
fn number(count: u64) -> String {
    let digits = count.to_string();
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// `12.3 MB`, powers of ten.
fn size(bytes: u64) -> String {
    match bytes {
        0..1_000 => format!("{bytes} bytes"),
        1_000..1_000_000 => format!("{:.1} kB", bytes as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} MB", bytes as f64 / 1e6),
        _ => format!("{:.2} GB", bytes as f64 / 1e9),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_sizes_read_well() {
        assert_eq!([0, 999, 1_000, 1_234_567].map(number), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!([7, 1_500, 2_000_000, 5_250_000_000].map(size), ["7 bytes", "1.5 kB", "2.0 MB", "5.25 GB"]);
    }

    #[test]
    fn text_from_outside_cannot_steer_the_terminal() {
        assert_eq!(plain("a\u{1b}[31mb\u{202e}c\n"), "a\\u{1b}[31mb\\u{202e}c\\u{a}");
        assert_eq!(plain("Ünïcödé 日本"), "Ünïcödé 日本");
    }

    #[test]
    fn lines_are_broken_at_spaces() {
        assert_eq!(wrapped("one two three four", 9), ["one two", "three", "four"]);
        assert_eq!(wrapped("averyverylongword b", 5), ["averyverylongword", "b"]);
        assert!(wrapped("  ", 5).is_empty());
    }
}
