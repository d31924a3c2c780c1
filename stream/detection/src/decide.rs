//! One event to verdicts: the rows that rules and suppressions make of it.
//!
//! [`decide`] is the heart of the system. Everything it needs is an argument, so the same event gives the same rows
//! whenever and wherever it is judged.

mod key;
mod row;
mod sentence;

use crate::books::Books;
use crate::change::{Change, change};
use crate::event::CloudTrailEvent;
use crate::rules::{Case, Documents, Memory, RuleError, RuleSet};
use crate::suppress::Suppressions;
use chrono::{DateTime, Utc};
pub use key::EventKey;
pub use row::{MAX_DOCUMENT_BYTES, MAX_EVENT_BYTES, MAX_PARAMETERS_BYTES};
use schemas::{IamEvent, Outcome, Violation};

/// How an event came in.
#[derive(Debug, Clone, Copy, Default)]
pub struct Arrival<'a> {
    /// Arrival in the stream; `None` for files, whose rows carry the event time so that a second run gives the same.
    pub detected_at: Option<DateTime<Utc>>,
    /// Kinesis shard.
    pub shard_id: Option<&'a str>,
    /// Kinesis sequence number.
    pub sequence_number: Option<&'a str>,
}

/// What judges events.
#[derive(Debug, Clone, Copy)]
pub struct Judges<'a> {
    /// The rules.
    pub rules: &'a RuleSet,
    /// What is held back.
    pub suppressions: &'a Suppressions,
}

/// The verdicts on one event.
#[derive(Debug, Clone)]
pub struct Decided {
    /// The event itself as the lake keeps it, without secrets: rules can be tried on it later.
    pub event: IamEvent,
    /// One row for each rule that matched, suppressed ones marked, in the order of the rules.
    pub violations: Vec<Violation>,
    /// Names of rules that could not be decided, as a policy document they need is not visible.
    pub undecided: Vec<String>,
    /// Rules that failed. The record is stored and the other rules were evaluated all the same.
    pub errors: Vec<RuleError>,
    /// The call had failed: an attempt, not a change.
    pub attempt: bool,
}

/// Judges that keep in mind what they found out about a policy document, for many events in a row.
#[derive(Debug)]
pub struct Sitting<'a> {
    judges: Judges<'a>,
    memory: Memory,
}

impl<'a> Sitting<'a> {
    /// A sitting that remembers nothing yet.
    pub fn new(judges: Judges<'a>) -> Sitting<'a> {
        Sitting { judges, memory: Memory::default() }
    }

    /// The same as [`decide`](fn@decide), of an event whose `change` was read.
    pub fn decide(
        &self,
        event: &CloudTrailEvent<'_>,
        change: Option<&Change<'_>>,
        documents: &Documents,
        arrival: Arrival<'_>,
    ) -> Decided {
        verdicts(&Case::new(event, change, documents, &self.memory), self.judges, arrival)
    }
}

/// Judges one event. `documents` holds what [`RuleSet::needs`] asked for, as far as it could be had.
pub fn decide(event: &CloudTrailEvent<'_>, judges: Judges<'_>, documents: &Documents, arrival: Arrival<'_>) -> Decided {
    Sitting::new(judges).decide(event, change(event).as_ref(), documents, arrival)
}

fn verdicts(case: &Case<'_>, judges: Judges<'_>, arrival: Arrival<'_>) -> Decided {
    let event = case.event;
    let evaluation = judges.rules.evaluate_case(case);
    let facts = row::Facts::new(event, case.change, arrival, &evaluation);
    let violations = evaluation.matches.iter().map(|matched| {
        let mut violation = facts.violation(matched);
        let entry = judges.suppressions.holding_back(event, matched.rule.name(), matched.rule.severity());
        violation.suppressed = entry.is_some();
        violation.suppressed_by = entry.map(|entry| entry.label().to_owned());
        violation
    });
    let violations = violations.collect();
    Decided {
        event: facts.into_event(),
        violations,
        undecided: evaluation.undecided.iter().map(|rule| rule.name().to_owned()).collect(),
        attempt: event.outcome() == Outcome::Failure,
        errors: evaluation.errors,
    }
}

impl Decided {
    /// The violations that no suppression holds back.
    pub fn reportable(&self) -> impl Iterator<Item = &Violation> {
        self.violations.iter().filter(|violation| !violation.suppressed)
    }

    /// Enters the verdicts on one judged event into the books. The event itself ([`Books::events_in`]) was entered by
    /// whoever took it in.
    pub fn enter(&self, books: &mut Books) {
        let suppressed = count(self.violations.iter().filter(|violation| violation.suppressed));
        books.judged += 1;
        books.attempts += u64::from(self.attempt);
        books.violations += count(self.violations.iter());
        books.suppressed += suppressed;
        books.reported += count(self.reportable());
        books.rule_errors += count(self.errors.iter());
        books.undecided += count(self.undecided.iter());
    }
}

fn count<T>(items: impl Iterator<Item = T>) -> u64 {
    items.fold(0, |sum, _| sum + 1)
}
