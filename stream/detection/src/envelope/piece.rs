//! What the parts of a record turn out to be, and where in the record they lie.

use std::fmt;

use crate::event::{CloudTrailEvent, EventError, MAX_EVENT_DEPTH};

/// One part of a record.
#[derive(Debug)]
pub enum Piece<'p> {
    /// A CloudTrail event.
    Event(Box<CloudTrailEvent<'p>>),
    /// A CloudTrail event whose name no rule asks for.
    NotOfInterest,
    /// No event, and no error either.
    Other(Other),
    /// Something that could not be read: the raw bytes belong to a dead letter.
    Unreadable(Unreadable<'p>),
}

/// What is recognised and not judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Other {
    /// A `CONTROL_MESSAGE` of a CloudWatch Logs subscription.
    ControlMessage,
    /// A CloudTrail digest file.
    Digest,
    /// A CloudTrail Insights event.
    Insight,
    /// A CloudTrail aggregated event.
    Aggregated,
    /// An event of EventBridge that does not come from CloudTrail.
    BusEvent,
}

impl Other {
    /// The name under which it is counted.
    pub fn as_str(self) -> &'static str {
        match self {
            Other::ControlMessage => "control_message",
            Other::Digest => "digest",
            Other::Insight => "insight",
            Other::Aggregated => "aggregated",
            Other::BusEvent => "bus_event",
        }
    }
}

/// A part that could not be read.
#[derive(Debug)]
pub struct Unreadable<'p> {
    /// Why.
    pub reason: Reason,
    /// The bytes of this part, as far as the envelopes around it were opened.
    pub bytes: &'p [u8],
    /// Its number among the parts of the record, from 0.
    pub index: usize,
    /// The way to it from the outside, such as `gzip/logEvents[2]`; empty for the record itself.
    pub path: &'p PiecePath,
}

/// Why something could not be read. `Display` says it to a person, [`Reason::code`] to a program.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// Nothing but white space.
    #[error("record is empty")]
    Empty,
    /// Neither JSON nor any envelope.
    #[error("neither JSON nor gzip, a KPL aggregate or base64 of these")]
    NotRecognised,
    /// Starts as JSON and is none.
    #[error("not JSON: {0}")]
    NotJson(String),
    /// JSON text with bytes that are no UTF-8.
    #[error("text is not UTF-8")]
    NotUtf8,
    /// JSON that is neither a CloudTrail event nor an envelope of one.
    #[error("JSON without a CloudTrail event in it")]
    NotCloudTrail,
    /// Text that should be base64 and is not.
    #[error("not base64: {0}")]
    NotBase64(String),
    /// A gzip stream that is cut or damaged; what came before was read.
    #[error("gzip stream is damaged: {0}")]
    GzipDamaged(String),
    /// Inflates to more than allowed.
    #[error("record inflates to more than {limit} bytes")]
    InflatesTooLarge {
        /// The limit.
        limit: usize,
    },
    /// Inflates to many times its size.
    #[error("gzip stream grows more than {limit} times")]
    GzipRatio {
        /// The limit.
        limit: usize,
    },
    /// A KPL aggregate whose checksum does not fit its content.
    #[error("KPL aggregate has a wrong MD5 sum")]
    KplChecksum,
    /// A KPL aggregate whose content is no protobuf.
    #[error("KPL aggregate is damaged: {0}")]
    KplDamaged(String),
    /// Envelope in envelope in envelope.
    #[error("more than {limit} envelopes inside one another")]
    NestedTooDeep {
        /// The limit.
        limit: usize,
    },
    /// One part too many; the rest of the record was not looked at.
    #[error("record holds more than {limit} events")]
    TooManyEvents {
        /// The limit.
        limit: usize,
    },
    /// One event over the limit.
    #[error("event is larger than {limit} bytes")]
    EventTooLarge {
        /// The limit.
        limit: usize,
    },
    /// Objects and lists inside one another.
    #[error("event is nested deeper than {MAX_EVENT_DEPTH} levels")]
    EventTooDeep,
    /// The text ends inside a document; what came before was read.
    #[error("text ends inside a document")]
    Truncated,
    /// An event without a time, in an envelope without one.
    #[error("event has no readable eventTime, and its envelope gives no time")]
    NoEventTime,
}

impl Reason {
    /// A word for metrics and for the reason of a dead letter; never changes.
    pub fn code(&self) -> &'static str {
        match self {
            Reason::Empty => "empty",
            Reason::NotRecognised => "not_recognised",
            Reason::NotJson(_) => "not_json",
            Reason::NotUtf8 => "not_utf8",
            Reason::NotCloudTrail => "not_cloudtrail",
            Reason::NotBase64(_) => "not_base64",
            Reason::GzipDamaged(_) => "gzip_damaged",
            Reason::InflatesTooLarge { .. } => "inflates_too_large",
            Reason::GzipRatio { .. } => "gzip_ratio",
            Reason::KplChecksum => "kpl_checksum",
            Reason::KplDamaged(_) => "kpl_damaged",
            Reason::NestedTooDeep { .. } => "nested_too_deep",
            Reason::TooManyEvents { .. } => "too_many_events",
            Reason::EventTooLarge { .. } => "event_too_large",
            Reason::EventTooDeep => "event_too_deep",
            Reason::Truncated => "truncated",
            Reason::NoEventTime => "no_event_time",
        }
    }
}

impl From<EventError> for Reason {
    fn from(error: EventError) -> Reason {
        match error {
            EventError::NotAnObject(error) => Reason::NotJson(error.to_string()),
            EventError::TooDeep => Reason::EventTooDeep,
            EventError::NoEventName => Reason::NotCloudTrail,
            EventError::NoEventTime => Reason::NoEventTime,
        }
    }
}

/// One step inwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// Into an envelope, named as the format or the key it is known by.
    Into(&'static str),
    /// To an entry of the list just entered.
    Entry(usize),
}

/// The way from a record to one of its parts. `Display` writes it as `gzip/logEvents[2]`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PiecePath(Vec<Step>);

impl PiecePath {
    pub(super) fn push(&mut self, step: Step) {
        self.0.push(step);
    }

    pub(super) fn pop(&mut self) {
        self.0.pop();
    }

    /// How many envelopes lie around the part.
    pub(super) fn envelopes(&self) -> usize {
        self.0.iter().filter(|step| matches!(step, Step::Into(_))).count()
    }
}

impl fmt::Display for PiecePath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, step) in self.0.iter().enumerate() {
            match step {
                Step::Into(name) if number == 0 => write!(formatter, "{name}")?,
                Step::Into(name) => write!(formatter, "/{name}")?,
                Step::Entry(index) => write!(formatter, "[{index}]")?,
            }
        }
        Ok(())
    }
}
