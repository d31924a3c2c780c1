//! Opens a record down to its CloudTrail events: bytes from Kinesis, a file or a test payload, in whatever envelopes.
//!
//! Every part of the record ends as one [`Piece`]: an event, something recognised that is no event, or something
//! unreadable with its reason. One damaged part never hides the others. Nothing here keeps bytes: pieces borrow.

mod gzip;
mod kpl;
mod object;
mod piece;
mod skim;
mod text;

use chrono::{DateTime, Utc};

use crate::event::{CloudTrailEvent, EventError};
use crate::gunzip::Gunzip;
use crate::interest::Interest;
use crate::limits::Limits;
use piece::Step;
pub use piece::{Other, Piece, PiecePath, Reason, Unreadable};

/// What opening a record needs besides its bytes.
#[derive(Debug, Clone, Copy)]
pub struct Opening<'o> {
    /// How much one record may ask for.
    pub limits: &'o Limits,
    /// If given, events that no rule names are counted ([`Piece::NotOfInterest`]) and not parsed.
    pub interest: Option<&'o Interest>,
    /// When the record arrived: the time of events that have none, in an envelope that has none.
    pub arrival: Option<DateTime<Utc>>,
}

/// Opens one record after the other with the same memory.
#[derive(Debug, Default)]
pub struct Opener {
    /// Made when the first compressed record comes.
    gunzip: Option<Gunzip>,
}

impl Opener {
    /// Opens one record and gives its pieces in order. A record that holds nothing, such as an empty list, gives none.
    pub fn open(&mut self, record: &[u8], opening: &Opening<'_>, sink: &mut dyn FnMut(Piece<'_>)) {
        let gunzip = Some(&mut self.gunzip);
        let mut walk = Walk { opening, sink, gunzip, path: PiecePath::default(), pieces: 0, inflated: 0 };
        if record.trim_ascii().is_empty() {
            walk.unreadable(Reason::Empty, record);
            return;
        }
        walk.bytes(record, opening.arrival);
    }
}

/// Opens a single record, see [`Opener::open`].
pub fn open(record: &[u8], opening: &Opening<'_>, sink: &mut dyn FnMut(Piece<'_>)) {
    Opener::default().open(record, opening, sink);
}

/// One walk through one record.
struct Walk<'w> {
    opening: &'w Opening<'w>,
    sink: &'w mut dyn FnMut(Piece<'_>),
    /// Away while the text it gave is read.
    gunzip: Option<&'w mut Option<Gunzip>>,
    path: PiecePath,
    /// Pieces given so far.
    pieces: usize,
    /// Bytes inflated so far.
    inflated: usize,
}

impl Walk<'_> {
    /// Bytes of any kind: compressed, aggregated, text of JSON, or base64 of any of these.
    fn bytes(&mut self, bytes: &[u8], time: Option<DateTime<Utc>>) {
        if self.path.envelopes() > self.opening.limits.max_nesting {
            self.unreadable(Reason::NestedTooDeep { limit: self.opening.limits.max_nesting }, bytes);
        } else if bytes.starts_with(gzip::MAGIC) {
            self.gzip(bytes, time);
        } else if bytes.starts_with(kpl::MAGIC) {
            self.kpl(bytes, time);
        } else {
            self.text(bytes, time);
        }
    }

    /// Goes one step inwards for as long as `inside` runs.
    fn within(&mut self, step: Step, inside: impl FnOnce(&mut Self)) {
        self.path.push(step);
        inside(self);
        self.path.pop();
    }

    /// Whether the record has had all the pieces it may have; says so once.
    fn is_full(&mut self, bytes: &[u8]) -> bool {
        let limit = self.opening.limits.max_events;
        if self.pieces == limit {
            self.pieces += 1;
            let unreadable =
                Unreadable { reason: Reason::TooManyEvents { limit }, bytes, index: limit, path: &self.path };
            (self.sink)(Piece::Unreadable(unreadable));
        }
        self.pieces > limit
    }

    fn unreadable(&mut self, reason: Reason, bytes: &[u8]) {
        if !self.is_full(bytes) {
            let unreadable = Unreadable { reason, bytes, index: self.pieces, path: &self.path };
            self.pieces += 1;
            (self.sink)(Piece::Unreadable(unreadable));
        }
    }

    fn other(&mut self, other: Other, bytes: &[u8]) {
        if !self.is_full(bytes) {
            self.pieces += 1;
            (self.sink)(Piece::Other(other));
        }
    }

    fn not_of_interest(&mut self, bytes: &[u8]) {
        if !self.is_full(bytes) {
            self.pieces += 1;
            (self.sink)(Piece::NotOfInterest);
        }
    }

    fn event(&mut self, read: Result<CloudTrailEvent<'_>, EventError>, text: &str) {
        match read {
            Ok(event) if !self.is_full(text.as_bytes()) => {
                self.pieces += 1;
                let is_wanted = self.opening.interest.is_none_or(|interest| interest.wants(&event.event_name));
                (self.sink)(if is_wanted { Piece::Event(Box::new(event)) } else { Piece::NotOfInterest });
            }
            Ok(_) => {}
            Err(error) => self.unreadable(Reason::from(error), text.as_bytes()),
        }
    }
}

#[cfg(test)]
mod tests;
