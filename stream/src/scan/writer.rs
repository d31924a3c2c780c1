//! Takes judged events in input order and writes what they came to: dead letters, then Parquet, then the bus.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::PathBuf;

use anyhow::{Context, Result};
use detection::{Books, EventKey, RuleError};
use hashbrown::HashSet;
use lake::{Lake, Written};
use schemas::bus::{DEFAULT_ENTRY_CAP, violation_entry};
use schemas::{IAM_EVENTS, IamEvent, Severity, Table, VIOLATIONS, Violation};
use serde::Serialize;
use tokio::runtime::Runtime;

use super::judge::{Batch, Judged};

/// Rows held before they are written. The count decides how objects are cut, so it must not depend on the machine.
const ROWS_PER_WRITE: usize = 10_000;
/// Bytes of long columns held before they are written. While they are written Arrow and Parquet hold about six times as
/// much, which is what a large scan needs more than a small one.
const BYTES_PER_WRITE: usize = 1 << 20;
/// Rule errors kept for the summary; all of them are counted.
const MAX_RULE_ERRORS: usize = 20;

/// What a rule found.
#[derive(Debug, Clone, Serialize)]
pub struct RuleCount {
    /// Severity of its violations.
    pub severity: Severity,
    /// Name of the rule.
    pub rule_name: String,
    /// Violations that no suppression holds back.
    pub reported: u64,
    /// Violations held back.
    pub suppressed: u64,
    /// Of the reported ones, those of failed calls.
    pub attempts: u64,
    /// The first reported violation, as an example.
    pub example: Option<Box<Violation>>,
}

/// What a scan came to.
#[derive(Debug, Default)]
pub struct Outcome {
    /// The counts that must add up.
    pub books: Books,
    /// By severity, worst first, then by name.
    pub rules: BTreeMap<(std::cmp::Reverse<Severity>, String), RuleCount>,
    /// Parquet objects.
    pub objects: Vec<Written>,
    /// Rows of `violations` in them.
    pub violation_rows: u64,
    /// Rows of `iam_events` in them.
    pub event_rows: u64,
    /// Dead letters stored, by code.
    pub letters: BTreeMap<String, u64>,
    /// One line for each dead letter of a file, the first of each file and code.
    pub unread: BTreeMap<(String, String), (String, u64)>,
    /// Rules that failed, the first few.
    pub rule_errors: Vec<RuleError>,
}

/// Writes in input order. Nothing is taken for done before [`Writer::finish`] answered.
pub struct Writer<'w> {
    runtime: &'w Runtime,
    lake: &'w Lake,
    bus: Option<BusFile>,
    seen: HashSet<EventKey>,
    violations: Rows<Violation>,
    events: Rows<IamEvent>,
    outcome: Outcome,
}

/// Rows of one table that wait to be written.
struct Rows<R> {
    rows: Vec<R>,
    bytes: usize,
}

struct BusFile {
    path: PathBuf,
    lines: BufWriter<File>,
}

/// A bus entry as one line of a file: what a route would hand to its target.
#[derive(Serialize)]
struct BusLine {
    source: &'static str,
    #[serde(rename = "detail-type")]
    detail_type: &'static str,
    detail: Box<serde_json::value::RawValue>,
}

impl<'w> Writer<'w> {
    /// A writer to this lake; bus entries go to the file, if one is given, as JSON lines.
    pub fn new(runtime: &'w Runtime, lake: &'w Lake, bus: Option<PathBuf>) -> Result<Writer<'w>> {
        let bus = bus
            .map(|path| {
                let file = File::create(&path).with_context(|| format!("creating {}", path.display()))?;
                Ok::<_, anyhow::Error>(BusFile { path, lines: BufWriter::new(file) })
            })
            .transpose()?;
        let (violations, events) = (Rows::none(), Rows::none());
        Ok(Writer { runtime, lake, bus, seen: HashSet::new(), violations, events, outcome: Outcome::default() })
    }

    /// Takes the next batch in input order.
    pub fn take(&mut self, batch: Batch) -> Result<()> {
        for letter in &batch.letters {
            self.runtime.block_on(self.lake.write_dead_letter(letter))?;
            *self.outcome.letters.entry(letter.error_code.clone()).or_default() += 1;
            let file = letter.source.as_ref().map(|source| source.file.clone()).unwrap_or_default();
            let told = self.outcome.unread.entry((file, letter.error_code.clone()));
            told.or_insert_with(|| (letter.error_message.clone(), 0)).1 += 1;
        }
        self.outcome.books.merge(&batch.books);
        for judged in batch.judged {
            self.judged(judged)?;
        }
        Ok(())
    }

    fn judged(&mut self, judged: Judged) -> Result<()> {
        if judged.key.is_some_and(|key| !self.seen.insert(key)) {
            self.outcome.books.duplicates += 1;
            return Ok(());
        }
        judged.decided.enter(&mut self.outcome.books);
        let room = MAX_RULE_ERRORS.saturating_sub(self.outcome.rule_errors.len());
        self.outcome.rule_errors.extend(judged.decided.errors.into_iter().take(room));
        for violation in judged.decided.violations {
            self.outcome.count(&violation);
            self.violations.push(weight(&violation), violation);
        }
        self.events.push(judged.decided.event.event.len(), judged.decided.event);
        if self.violations.is_full() {
            self.flush_violations()?;
        }
        if self.events.is_full() {
            self.flush_events()?;
        }
        Ok(())
    }

    fn flush_events(&mut self) -> Result<()> {
        let written = self.write(&IAM_EVENTS, &self.events.rows)?;
        self.outcome.event_rows += written.iter().map(|object| object.rows as u64).sum::<u64>();
        self.outcome.objects.extend(written);
        self.events = Rows::none();
        Ok(())
    }

    fn write(&self, table: &'static Table, rows: &[impl Serialize + Sync]) -> Result<Vec<Written>> {
        if rows.is_empty() { Ok(Vec::new()) } else { Ok(self.runtime.block_on(self.lake.write_rows(table, rows))?) }
    }

    fn flush_violations(&mut self) -> Result<()> {
        let written = self.write(&VIOLATIONS, &self.violations.rows)?;
        if let Some(bus) = &mut self.bus {
            let objects = &written;
            for violation in self.violations.rows.iter().filter(|violation| !violation.suppressed) {
                let day = violation.event_time.date_naive();
                let key =
                    objects.iter().find(|object| object.day == Some(day)).map_or("", |object| object.key.as_str());
                bus.write(violation, key)?;
            }
        }
        self.outcome.violation_rows += written.iter().map(|object| object.rows as u64).sum::<u64>();
        self.outcome.objects.extend(written);
        self.violations = Rows::none();
        Ok(())
    }

    /// Writes what is left and proves the books.
    pub fn finish(mut self) -> Result<Outcome> {
        self.flush_violations()?;
        self.flush_events()?;
        if let Some(bus) = &mut self.bus {
            bus.lines.flush().with_context(|| format!("writing {}", bus.path.display()))?;
        }
        self.outcome.books.balance()?;
        Ok(self.outcome)
    }
}

impl<R> Rows<R> {
    fn none() -> Rows<R> {
        Rows { rows: Vec::new(), bytes: 0 }
    }

    fn push(&mut self, bytes: usize, row: R) {
        self.bytes += bytes;
        self.rows.push(row);
    }

    fn is_full(&self) -> bool {
        self.rows.len() >= ROWS_PER_WRITE || self.bytes >= BYTES_PER_WRITE
    }
}

impl BusFile {
    fn write(&mut self, violation: &Violation, lake_key: &str) -> Result<()> {
        if violation.action == schemas::RuleAction::Log {
            return Ok(());
        }
        let entry = violation_entry(violation, lake_key, DEFAULT_ENTRY_CAP)?;
        let line = serde_json::to_string(&BusLine {
            source: entry.source,
            detail_type: entry.detail_type,
            detail: serde_json::value::RawValue::from_string(entry.detail)?,
        })?;
        writeln!(self.lines, "{line}").with_context(|| format!("writing {}", self.path.display()))
    }
}

impl Outcome {
    fn count(&mut self, violation: &Violation) {
        let key = (std::cmp::Reverse(violation.severity), violation.rule_name.clone());
        let rule = self.rules.entry(key).or_insert_with(|| RuleCount {
            severity: violation.severity,
            rule_name: violation.rule_name.clone(),
            reported: 0,
            suppressed: 0,
            attempts: 0,
            example: None,
        });
        if violation.suppressed {
            rule.suppressed += 1;
            return;
        }
        rule.reported += 1;
        rule.attempts += u64::from(violation.outcome == schemas::Outcome::Failure);
        if rule.example.is_none() {
            rule.example = Some(Box::new(violation.clone()));
        }
    }
}

/// Bytes of the columns that an event can stretch.
fn weight(violation: &Violation) -> usize {
    let long = [
        &violation.original_event,
        &violation.policy_document,
        &violation.request_parameters,
        &violation.resources,
        &violation.evidence_detail,
    ];
    long.into_iter().flatten().map(String::len).sum::<usize>() + violation.evidence.len()
}
