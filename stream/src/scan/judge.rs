//! One unit from bytes to verdicts: split, recognise, open, judge. Runs on any thread; keeps nothing between units.

use std::sync::atomic::{AtomicU64, Ordering};

use detection::{
    Arrival, Books, CloudTrailEvent, Decided, EventKey, Interest, Judges, Limits, Opening, Part, Piece, Sitting,
    Splitter, Unreadable, change,
};
use lake::{DeadLetter, MAX_RAW_BYTES, Source};

use super::in_order::{Emit, Flow};
use super::inputs::Unit;
use super::source::{self, Reader, SourceError};
use crate::policies::PolicyLibrary;

/// Judged events handed on together.
const EVENTS_PER_BATCH: usize = 128;
/// Raw bytes of dead letters handed on together.
const LETTER_BYTES_PER_BATCH: usize = 2 << 20;
/// Dead letters stored for one unit. What is beyond is counted, and one more dead letter says where it starts.
pub const MAX_LETTERS_PER_UNIT: u64 = 100;

/// What every worker judges with.
pub struct Bench<'a> {
    /// Rules and suppressions.
    pub judges: Judges<'a>,
    /// Documents that events only name.
    pub policies: &'a PolicyLibrary,
    /// Event names that some rule wants.
    pub interest: Interest,
    /// Bounds on one record.
    pub limits: Limits,
    /// Bytes read from disk so far, all workers together.
    pub progress: &'a AtomicU64,
    /// Bytes of log text so far, all workers together.
    pub text_bytes: &'a AtomicU64,
}

/// What came out of a part of a unit, to be taken in input order.
#[derive(Default)]
pub struct Batch {
    /// Counts of everything but judged events, which wait for the search for duplicates.
    pub books: Books,
    /// Events that were judged, in input order.
    pub judged: Vec<Judged>,
    /// What could not be read.
    pub letters: Vec<DeadLetter>,
}

/// One judged event.
pub struct Judged {
    /// What makes it the same event as another; `None` if it never is.
    pub key: Option<EventKey>,
    /// The verdicts.
    pub decided: Decided,
}

/// Judges units one after the other into the same memory.
pub struct Worker<'w> {
    bench: &'w Bench<'w>,
    sitting: Sitting<'w>,
    reader: Reader,
    splitter: Splitter,
}

impl<'w> Worker<'w> {
    /// A worker at this bench.
    pub fn new(bench: &'w Bench<'w>) -> Worker<'w> {
        let splitter = Splitter::new(bench.limits.max_event_bytes);
        Worker { bench, sitting: Sitting::new(bench.judges), reader: Reader::default(), splitter }
    }

    /// Reads each unit to its end, or to where it cannot be read, and hands on what they came to.
    pub fn judge(&mut self, units: &[Unit], emit: &Emit<'_, Batch>) {
        let mut batch = Batch::default();
        for unit in units {
            batch = self.unit(unit, batch, emit);
        }
        emit.send(batch);
    }

    fn unit(&mut self, unit: &Unit, batch: Batch, emit: &Emit<'_, Batch>) -> Batch {
        let base = source::first_offset(unit).unwrap_or_default();
        let bench = self.bench;
        let mut reading = Reading { bench, sitting: &self.sitting, unit, base, batch, letters: 0, cut_off: false };
        let mut end = 0;
        let splitter = &mut self.splitter;
        let result = self.reader.read(unit, bench.progress, |piece| {
            end += piece.len() as u64;
            splitter.push(piece, &mut |part| reading.part(part));
            reading.hand_on(emit)
        });
        splitter.finish(&mut |part| reading.part(part));
        bench.text_bytes.fetch_add(end, Ordering::Relaxed);
        if let Err(error) = result {
            reading.source_failed(&error, end);
        }
        reading.batch
    }
}

struct Reading<'r> {
    bench: &'r Bench<'r>,
    sitting: &'r Sitting<'r>,
    unit: &'r Unit,
    /// Offset of the unit's first byte in its file, after inflating.
    base: u64,
    batch: Batch,
    letters: u64,
    /// The last record was cut off by the end of the bytes.
    cut_off: bool,
}

impl Reading<'_> {
    fn hand_on(&mut self, emit: &Emit<'_, Batch>) -> Flow {
        let letter_bytes: usize = self.batch.letters.iter().map(|letter| letter.raw.len()).sum();
        if self.batch.judged.len() < EVENTS_PER_BATCH && letter_bytes < LETTER_BYTES_PER_BATCH {
            return Flow::Continue;
        }
        emit.send(std::mem::take(&mut self.batch))
    }

    fn part(&mut self, part: Part<'_>) {
        match part {
            Part::Record { bytes, .. } if self.bench.interest.surely_not(bytes) => {
                self.batch.books.record(true);
                self.batch.books.events_in += 1;
                self.batch.books.not_of_interest += 1;
            }
            Part::Record { offset, bytes } => self.record(offset, bytes),
            Part::TooLarge { offset, length } => {
                self.batch.books.record(false);
                let limit = self.bench.limits.max_event_bytes;
                let message = format!("record of {length} bytes is larger than {limit} bytes");
                self.letter("event_too_large", message, Place { offset, length, raw: &[] }, None);
            }
            Part::Truncated { offset, bytes } => {
                self.cut_off = true;
                self.batch.books.record(false);
                let message = "the file ends inside a record: fetch it again, it was cut off".to_owned();
                self.letter("truncated", message, Place { offset, length: bytes.len() as u64, raw: bytes }, None);
            }
        }
    }

    fn record(&mut self, offset: u64, bytes: &[u8]) {
        let opening = Opening { limits: &self.bench.limits, interest: Some(&self.bench.interest), arrival: None };
        let mut readable = true;
        detection::open(bytes, &opening, &mut |piece| match piece {
            Piece::Event(event) => self.event(&event),
            Piece::NotOfInterest => {
                self.batch.books.events_in += 1;
                self.batch.books.not_of_interest += 1;
            }
            Piece::Other(other) => self.batch.books.recognise(other.as_str()),
            Piece::Unreadable(part) => {
                readable = false;
                self.unreadable(offset, bytes.len(), &part);
            }
        });
        self.batch.books.record(readable);
    }

    fn event(&mut self, event: &CloudTrailEvent<'_>) {
        self.batch.books.events_in += 1;
        let rules = self.bench.judges.rules;
        let change = change(event);
        if !rules.wants_event(event, change.as_ref()) {
            self.batch.books.not_of_interest += 1;
            return;
        }
        let documents = self.bench.policies.answer(&rules.needs(event, change.as_ref()));
        let decided = self.sitting.decide(event, change.as_ref(), &documents, Arrival::default());
        self.batch.judged.push(Judged { key: EventKey::of(event), decided });
    }

    fn unreadable(&mut self, offset: u64, length: usize, part: &Unreadable<'_>) {
        let path = part.path.to_string();
        let place = if path.is_empty() { String::new() } else { format!(" (in {path})") };
        let message = format!("{}{place}", part.reason);
        let whole = Place { offset, length: length as u64, raw: part.bytes };
        self.letter(part.reason.code(), message, whole, Some(part.index as u64));
    }

    /// The bytes ended with an error: the record it cut off is already a dead letter, else the error is one of its own.
    fn source_failed(&mut self, error: &SourceError, end: u64) {
        if !self.cut_off {
            self.batch.books.record(false);
        }
        // Stored however many dead letters the file has: it says that there is more that nobody has seen.
        let letter =
            self.dead_letter(error.code(), error.to_string(), Place { offset: end, length: 0, raw: &[] }, None);
        self.batch.letters.push(letter);
    }

    fn letter(&mut self, code: &str, message: String, place: Place<'_>, index: Option<u64>) {
        self.letters += 1;
        if self.letters > MAX_LETTERS_PER_UNIT + 1 {
            return;
        }
        let letter = if self.letters <= MAX_LETTERS_PER_UNIT {
            self.dead_letter(code, message, place, index)
        } else {
            let message =
                format!("{message}; no more records of this file are stored from here on: fix or leave it out");
            self.dead_letter("too_many_dead_letters", message, place, index)
        };
        self.batch.letters.push(letter);
    }

    fn dead_letter(&self, code: &str, message: String, place: Place<'_>, index: Option<u64>) -> DeadLetter {
        DeadLetter {
            attempts_made: 1,
            arrival: None,
            error_code: code.to_owned(),
            error_message: message,
            raw: place.raw.get(..place.raw.len().min(MAX_RAW_BYTES)).unwrap_or_default().to_vec(),
            raw_length: Some(place.raw.len() as u64),
            shard_id: None,
            sequence_number: None,
            sub_sequence_number: index,
            source: Some(Source {
                file: self.unit.path.display().to_string(),
                offset: self.base + place.offset,
                length: place.length,
            }),
        }
    }
}

/// Where in the unit something stands.
struct Place<'p> {
    offset: u64,
    length: u64,
    raw: &'p [u8],
}
