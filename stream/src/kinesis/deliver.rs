//! Makes what came of a part durable, in the fixed order: dead letters, lake, bus.
//!
//! What fails for now cuts the part: records before the cut go on to the next step, the rest is handed back. What can
//! never succeed becomes a dead letter of its own.

use std::future::Future;

use chrono::SecondsFormat;
use futures::{StreamExt, stream};
use lake::{DeadLetter, Lake, LakeError, Written};
use schemas::bus::violation_entry;
use schemas::{IAM_EVENTS, IamEvent, RuleAction, Table, VIOLATIONS, Violation};
use serde::Serialize;
use tracing::{error, warn};

use super::batch::Record;
use super::judge::{Part, letter};
use crate::backoff::Deadline;
use crate::bus::{Bus, Outgoing, Unsent, rule_error_entry};

/// Dead letters written at the same time.
const WRITES_AT_ONCE: usize = 8;

/// What was delivered of a part.
#[derive(Debug, Default)]
pub(super) struct Delivered {
    /// Place of the first record that is not done.
    pub(super) failed_from: Option<usize>,
    pub(super) published: u64,
    pub(super) publish_failures: u64,
    pub(super) direct: u64,
    /// Objects written to the lake, those that were there already included.
    pub(super) objects: u64,
    /// Rows of `violations` in them.
    pub(super) violation_rows: u64,
    /// Rows of `iam_events` in them.
    pub(super) event_rows: u64,
}

impl Delivered {
    fn cut(&mut self, record: usize) {
        self.failed_from = Some(self.failed_from.map_or(record, |known| known.min(record)));
    }

    fn is_wanted(&self, record: usize) -> bool {
        self.failed_from.is_none_or(|cut| record < cut)
    }
}

pub(super) async fn deliver(lake: &Lake, bus: &Bus, part: &Part, records: &[Record], deadline: Deadline) -> Delivered {
    let mut delivery = Delivery { lake, records, deadline, delivered: Delivered::default() };
    delivery.letters(part.letters.iter().map(|(record, letter)| (*record, letter))).await;
    let written = delivery.lake_rows(part).await;
    delivery.entries(bus, part, &written).await;
    delivery.delivered
}

struct Delivery<'d> {
    lake: &'d Lake,
    records: &'d [Record],
    deadline: Deadline,
    delivered: Delivered,
}

impl Delivery<'_> {
    async fn letters<'l>(&mut self, letters: impl Iterator<Item = (usize, &'l DeadLetter)>) {
        let (lake, deadline) = (self.lake, self.deadline);
        let writes =
            letters.map(async |(record, letter)| (record, in_time(deadline, lake.write_dead_letter(letter)).await));
        let results: Vec<_> = stream::iter(writes).buffered(WRITES_AT_ONCE).collect().await;
        for (record, result) in results {
            match result {
                Ok(_) => self.delivered.objects += 1,
                Err(reason) => {
                    warn!(reason = reason.to_string(), "dead letter is not written, records are handed back");
                    self.delivered.cut(record);
                }
            }
        }
    }

    /// Writes the rows of the records before the cut: violations, and the events they were found in. Answers the objects
    /// of the violations.
    async fn lake_rows(&mut self, part: &Part) -> Vec<Written> {
        let cut = self.delivered.failed_from;
        let (violations, events) = (before(cut, &part.violations), before(cut, &part.events));
        // Neither waits for the other: a request of its own each would make every batch slower.
        let (violations_done, events_done) =
            tokio::join!(self.write(&VIOLATIONS, &violations), self.write(&IAM_EVENTS, &events));
        let written = self.rows_done(&VIOLATIONS, &violations, violations_done).await;
        let stored = self.rows_done(&IAM_EVENTS, &events, events_done).await;
        self.delivered.violation_rows += row_count(&written);
        self.delivered.event_rows += row_count(&stored);
        written
    }

    async fn write<R: Row>(&self, table: &'static Table, rows: &[(usize, &R)]) -> Result<Vec<Written>, Failure> {
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        let values: Vec<&R> = rows.iter().map(|(_, row)| *row).collect();
        in_time(self.deadline, self.lake.write_rows(table, &values)).await
    }

    /// Settles what came of writing rows.
    async fn rows_done<R: Row>(
        &mut self,
        table: &'static Table,
        rows: &[(usize, &R)],
        done: Result<Vec<Written>, Failure>,
    ) -> Vec<Written> {
        match done {
            Ok(written) => {
                self.delivered.objects += written.len() as u64;
                written
            }
            Err(Failure::Lasting(reason)) => {
                error!(
                    table = table.name,
                    reason = reason.to_string(),
                    "the lake refuses a row, each is written alone"
                );
                self.rows_one_by_one(table, rows).await
            }
            Err(reason) => {
                warn!(table = table.name, reason = reason.to_string(), "rows are not written, records are handed back");
                if let Some(first) = rows.iter().map(|(record, _)| *record).min() {
                    self.delivered.cut(first);
                }
                Vec::new()
            }
        }
    }

    async fn rows_one_by_one<R: Row>(&mut self, table: &'static Table, rows: &[(usize, &R)]) -> Vec<Written> {
        let mut written = Vec::new();
        for row in rows {
            if !self.delivered.is_wanted(row.0) {
                continue;
            }
            match self.write(table, std::slice::from_ref(row)).await {
                Ok(objects) => {
                    self.delivered.objects += objects.len() as u64;
                    written.extend(objects);
                }
                Err(Failure::Lasting(reason)) => self.keep(row.0, row.1, "row_refused", &reason.to_string()).await,
                Err(_) => self.delivered.cut(row.0),
            }
        }
        written
    }

    /// Keeps the event of a row that cannot be delivered.
    async fn keep(&mut self, record: usize, row: &impl Row, code: &str, reason: &str) {
        let Some(source) = self.records.get(record) else { return };
        let letter = letter(source, code, &format!("{}: {reason}", row.label()), row.event().into(), None);
        self.letters(std::iter::once((record, &letter))).await;
    }

    /// Sends what is to be told of the records before the cut.
    async fn entries(&mut self, bus: &Bus, part: &Part, written: &[Written]) {
        let mut sources: Vec<(usize, Option<&Violation>)> = Vec::new();
        let mut outgoing = Vec::new();
        let told = part.violations.iter().filter(|(_, row)| !row.suppressed && row.action != RuleAction::Log);
        for (record, violation) in told {
            if !self.delivered.is_wanted(*record) {
                continue;
            }
            let day = violation.event_time.date_naive();
            let key = written.iter().find(|object| object.day == Some(day)).map_or("", |object| object.key.as_str());
            match violation_entry(violation, key, bus.cap()) {
                Ok(entry) => {
                    sources.push((*record, Some(violation)));
                    let is_remediation = violation.action == RuleAction::Remediate;
                    outgoing.push(Outgoing { entry, is_remediation });
                }
                Err(reason) => self.keep(*record, violation, "entry_too_large", &reason.to_string()).await,
            }
        }
        for (record, error, time) in &part.rule_errors {
            if self.delivered.is_wanted(*record) {
                let entry = rule_error_entry(error, &time.to_rfc3339_opts(SecondsFormat::Secs, true));
                sources.push((*record, None));
                outgoing.push(Outgoing { entry, is_remediation: false });
            }
        }
        if outgoing.is_empty() {
            return;
        }
        let sent = Box::pin(bus.publish(&outgoing, self.deadline)).await;
        self.delivered.published += sent.on_bus;
        self.delivered.direct += sent.direct;
        self.delivered.publish_failures += sent.failures;
        for (place, failure) in sent.unsent {
            let Some((record, violation)) = sources.get(place) else { continue };
            match (failure, violation) {
                (Unsent::Later(reason), _) => {
                    warn!(reason, "an entry is not delivered, records are handed back");
                    self.delivered.cut(*record);
                }
                (Unsent::Refused(code), Some(row)) => self.keep(*record, *row, "bus_refused", &code).await,
                (Unsent::Refused(code), None) => error!(code, "the bus refuses a rule error"),
            }
        }
    }
}

/// A row of the lake that has the event it comes from.
trait Row: Serialize + Sync {
    /// What it is, for people.
    fn label(&self) -> String;
    /// The event as JSON text.
    fn event(&self) -> &str;
}

impl Row for Violation {
    fn label(&self) -> String {
        format!("violation {}", self.violation_id)
    }

    fn event(&self) -> &str {
        self.original_event.as_deref().unwrap_or_default()
    }
}

impl Row for IamEvent {
    fn label(&self) -> String {
        format!("event {}", self.event_id)
    }

    fn event(&self) -> &str {
        &self.event
    }
}

/// The rows of the records before the cut.
fn before<R>(cut: Option<usize>, rows: &[(usize, R)]) -> Vec<(usize, &R)> {
    let wanted = rows.iter().filter(|(record, _)| cut.is_none_or(|cut| *record < cut));
    wanted.map(|(record, row)| (*record, row)).collect()
}

fn row_count(objects: &[Written]) -> u64 {
    objects.iter().map(|object| object.rows as u64).sum()
}

/// Why the lake did not take something.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("no answer in time")]
    TimedOut,
    #[error(transparent)]
    Passing(LakeError),
    #[error(transparent)]
    Lasting(LakeError),
}

async fn in_time<T>(deadline: Deadline, work: impl Future<Output = Result<T, LakeError>>) -> Result<T, Failure> {
    match tokio::time::timeout(deadline.remaining(), work).await {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(error @ (LakeError::Rows(_) | LakeError::Time { .. } | LakeError::Encode { .. }))) => {
            Err(Failure::Lasting(error))
        }
        Ok(Err(error)) => Err(Failure::Passing(error)),
        Err(_) => Err(Failure::TimedOut),
    }
}
