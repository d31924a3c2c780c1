//! Records to verdicts, in parts of bounded size.
//!
//! A record may inflate to far more than came in. Once a part holds [`PART_BYTES`] it ends, in the middle of a record if
//! need be; the next part opens that record again and skips what was judged.

use std::collections::{BTreeSet, HashSet};
use std::panic::{AssertUnwindSafe, catch_unwind};

use chrono::{DateTime, Utc};
use detection::{
    Arrival, Books, Change, CloudTrailEvent, Decided, DocumentRequest, Documents, EventKey, Judges, Limits, Opener,
    Opening, Piece, Reason, RuleError, Sitting, Unreadable, change,
};
use lake::DeadLetter;
use schemas::{IamEvent, Violation};

use super::batch::Record;
use crate::backoff::Deadline;
use crate::documents::Found;
use crate::live::Config;

/// What a part may hold of violations, dead letters and events before it is delivered, bytes.
pub(super) const PART_BYTES: usize = 16 * 1024 * 1024;
/// Dead letters of one record. A record with more is kept once more as a whole instead of the rest.
const MAX_LETTERS: usize = 100;
/// What an item takes besides its long texts, bytes; about.
const ITEM_BYTES: usize = 1024;

/// A place in a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Cursor {
    /// Place of the record.
    pub(super) record: usize,
    /// Pieces of it that were judged.
    piece: usize,
    /// Dead letters these gave.
    letters: usize,
}

/// What came of some records. Every item has the place of its record.
#[derive(Debug, Default)]
pub(super) struct Part {
    /// Where the next part begins.
    pub(super) end: Cursor,
    pub(super) books: Vec<(usize, Books)>,
    pub(super) violations: Vec<(usize, Violation)>,
    /// Every event that was judged.
    pub(super) events: Vec<(usize, IamEvent)>,
    pub(super) letters: Vec<(usize, DeadLetter)>,
    pub(super) rule_errors: Vec<(usize, RuleError, DateTime<Utc>)>,
    /// Events that wait for a document.
    pub(super) pending: Vec<Pending>,
    bytes: usize,
}

/// An event that waits for documents.
#[derive(Debug)]
pub(super) struct Pending {
    record: usize,
    raw: String,
    event_time: DateTime<Utc>,
    needs: Vec<DocumentRequest>,
}

/// Judges the records of one batch.
pub(super) struct Judge<'c> {
    config: &'c Config,
    sitting: Sitting<'c>,
    limits: Limits,
    seen: HashSet<EventKey>,
    buffer: Vec<u8>,
    opener: Opener,
}

impl<'c> Judge<'c> {
    pub(super) fn new(config: &'c Config) -> Judge<'c> {
        Judge {
            config,
            sitting: Sitting::new(Judges { rules: &config.rules, suppressions: &config.suppressions }),
            limits: Limits::default(),
            seen: HashSet::new(),
            buffer: Vec::new(),
            opener: Opener::default(),
        }
    }

    /// Judges from `start` until the part is full, the time is up or the batch is at its end; at least one piece.
    pub(super) fn part(&mut self, records: &[Record], start: Cursor, until: Deadline) -> Part {
        let mut part = Part { end: start, ..Part::default() };
        while let Some(record) = records.get(part.end.record) {
            let is_first = part.end == start;
            if !is_first && (part.bytes >= PART_BYTES || until.has_passed()) {
                break;
            }
            self.record(record, &mut part);
            if part.end.piece > 0 {
                break;
            }
        }
        part
    }

    /// Judges the record at the part's end and moves the end on.
    fn record(&mut self, record: &Record, part: &mut Part) {
        let mut buffer = std::mem::take(&mut self.buffer);
        let place = part.end.record;
        let mut books = Books::default();
        let known =
            (part.violations.len(), part.letters.len(), part.rule_errors.len(), part.pending.len(), part.events.len());
        let mut work = Work { judge: self, record, part, books: &mut books, piece: 0, resume: None };
        let crashed = match record.data.bytes(&mut buffer) {
            // A fault of ours on one record must not block the shard: the record is kept, and the others go on.
            Ok(bytes) => catch_unwind(AssertUnwindSafe(|| work.open(bytes))).is_err(),
            Err(error) => {
                work.letter("not_base64", &format!("Lambda's data is not base64: {error}"), record_text(record), None);
                false
            }
        };
        let resume = work.resume;
        if crashed {
            part.violations.truncate(known.0);
            part.letters.truncate(known.1);
            part.rule_errors.truncate(known.2);
            part.pending.truncate(known.3);
            part.events.truncate(known.4);
            books = Books::default();
            let raw = record.data.bytes(&mut buffer).map(<[u8]>::to_vec).unwrap_or_default();
            part.end.letters += 1;
            part.letters.push((place, letter(record, "crashed", "the detector crashed on this record", raw, None)));
        }
        match resume.filter(|_| !crashed) {
            Some(piece) => part.end.piece = piece,
            None => {
                books.record(part.end.letters == 0);
                part.end = Cursor { record: place + 1, piece: 0, letters: 0 };
            }
        }
        part.books.push((place, books));
        self.buffer = buffer;
    }

    /// Judges the waiting events with what was found. Returns how many will have to be judged again: they are kept as
    /// dead letters, besides what can be said of them now.
    pub(super) fn resolve(&mut self, part: &mut Part, records: &[Record], found: &Found) -> u64 {
        let mut failed = 0;
        for pending in std::mem::take(&mut part.pending) {
            let Some(record) = records.get(pending.record) else { continue };
            let Ok(event) = CloudTrailEvent::parse(&pending.raw, Some(pending.event_time)) else { continue };
            let decided = self.decide(&event, change(&event).as_ref(), record, &found.documents);
            let mut books = Books::default();
            decided.enter(&mut books);
            part.books.push((pending.record, books));
            part.take(pending.record, decided, pending.event_time);
            if let Some(reason) = pending.needs.iter().find_map(|need| found.later.get(need)) {
                failed += 1;
                let message = format!("a policy could not be looked up, judge this event again: {reason}");
                let raw = pending.raw.into_bytes();
                part.letters.push((pending.record, letter(record, "look_up_failed", &message, raw, None)));
            }
        }
        failed
    }

    fn decide(
        &self,
        event: &CloudTrailEvent<'_>,
        change: Option<&Change<'_>>,
        record: &Record,
        documents: &Documents,
    ) -> Decided {
        let arrival = Arrival {
            detected_at: record.arrival,
            shard_id: Some(&record.shard_id),
            sequence_number: Some(&record.sequence_number),
        };
        self.sitting.decide(event, change, documents, arrival)
    }
}

/// The work on one record.
struct Work<'w, 'c> {
    judge: &'w mut Judge<'c>,
    record: &'w Record,
    part: &'w mut Part,
    books: &'w mut Books,
    /// Pieces met so far.
    piece: usize,
    /// The first piece that no longer fitted.
    resume: Option<usize>,
}

impl Work<'_, '_> {
    fn open(&mut self, bytes: &[u8]) {
        let (limits, config) = (self.judge.limits, self.judge.config);
        let opening = Opening { limits: &limits, interest: Some(&config.interest), arrival: self.record.arrival };
        // Lost when the record crashes us: what it was in the middle of is not used again.
        let mut opener = std::mem::take(&mut self.judge.opener);
        opener.open(bytes, &opening, &mut |piece| self.piece(piece, bytes));
        self.judge.opener = opener;
    }

    fn piece(&mut self, piece: Piece<'_>, record: &[u8]) {
        let number = self.piece;
        self.piece += 1;
        if number < self.part.end.piece || self.resume.is_some() {
            return;
        }
        if self.part.bytes >= PART_BYTES && number > self.part.end.piece {
            self.resume = Some(number);
            return;
        }
        match piece {
            Piece::NotOfInterest => {
                self.books.events_in += 1;
                self.books.not_of_interest += 1;
            }
            Piece::Other(other) => self.books.recognise(other.as_str()),
            Piece::Unreadable(unreadable) => self.unreadable(&unreadable, record),
            Piece::Event(event) => self.event(&event),
        }
    }

    fn event(&mut self, event: &CloudTrailEvent<'_>) {
        self.books.events_in += 1;
        if EventKey::of(event).is_some_and(|key| !self.judge.seen.insert(key)) {
            self.books.duplicates += 1;
            return;
        }
        let rules = &self.judge.config.rules;
        let change = change(event);
        if !rules.wants_event(event, change.as_ref()) {
            self.books.not_of_interest += 1;
            return;
        }
        let record = self.part.end.record;
        let needs = rules.needs(event, change.as_ref());
        if needs.is_empty() {
            let decided = self.judge.decide(event, change.as_ref(), self.record, &Documents::none());
            decided.enter(self.books);
            self.part.take(record, decided, event.event_time);
        } else {
            self.part.bytes += event.raw.len() * 2 + ITEM_BYTES;
            let raw = event.raw.to_owned();
            self.part.pending.push(Pending { record, raw, event_time: event.event_time, needs });
        }
    }

    fn unreadable(&mut self, unreadable: &Unreadable<'_>, record: &[u8]) {
        let Unreadable { reason, bytes, index, path } = unreadable;
        let path = path.to_string();
        match self.part.end.letters {
            0..MAX_LETTERS => {
                let place = if path.is_empty() { String::new() } else { format!(" at {path}") };
                let number = (!path.is_empty()).then_some(*index as u64);
                // Of what never ends there is no use in keeping the beginning: the record is kept as it came.
                let never_ends = matches!(reason, Reason::InflatesTooLarge { .. } | Reason::GzipRatio { .. });
                let raw = if path.is_empty() || never_ends { record } else { bytes };
                self.letter(reason.code(), &format!("{reason}{place}"), raw.to_vec(), number);
            }
            MAX_LETTERS => {
                let message = format!("more than {MAX_LETTERS} unreadable parts, the whole record is kept");
                self.letter("too_many_unreadable", &message, record.to_vec(), None);
            }
            _ => {}
        }
    }

    fn letter(&mut self, code: &str, message: &str, raw: Vec<u8>, number: Option<u64>) {
        self.part.bytes += raw.len() + ITEM_BYTES;
        self.part.end.letters += 1;
        self.part.letters.push((self.part.end.record, letter(self.record, code, message, raw, number)));
    }
}

impl Part {
    /// Every document that some waiting event needs, each once.
    pub(super) fn needs(&self) -> BTreeSet<DocumentRequest> {
        self.pending.iter().flat_map(|pending| pending.needs.iter().cloned()).collect()
    }

    fn take(&mut self, record: usize, decided: Decided, event_time: DateTime<Utc>) {
        for violation in decided.violations {
            self.bytes += size(&violation);
            self.violations.push((record, violation));
        }
        self.bytes += decided.event.event.len() + ITEM_BYTES;
        self.events.push((record, decided.event));
        self.rule_errors.extend(decided.errors.into_iter().map(|error| (record, error, event_time)));
    }
}

fn size(violation: &Violation) -> usize {
    let long = [
        &violation.original_event,
        &violation.policy_document,
        &violation.request_parameters,
        &violation.resources,
        &violation.evidence_detail,
    ];
    ITEM_BYTES + long.into_iter().flatten().map(String::len).sum::<usize>()
}

pub(super) fn letter(
    record: &Record,
    code: &str,
    message: &str,
    raw: Vec<u8>,
    sub_sequence_number: Option<u64>,
) -> DeadLetter {
    DeadLetter {
        attempts_made: 1,
        arrival: record.arrival,
        error_code: code.to_owned(),
        error_message: message.to_owned(),
        raw,
        shard_id: Some(record.shard_id.clone()),
        sequence_number: Some(record.sequence_number.clone()),
        sub_sequence_number,
        ..DeadLetter::default()
    }
}

fn record_text(record: &Record) -> Vec<u8> {
    match &record.data {
        super::batch::Data::Base64(text) => text.clone().into_bytes(),
        super::batch::Data::Bytes(bytes) => bytes.clone(),
    }
}
