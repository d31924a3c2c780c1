//! Decides which CloudTrail events break a rule: bytes in, verdicts out.
//!
//! Never does I/O, and knows no clock, environment or network: what it needs comes in as an argument.
//!
//! ```text
//! bytes of a file -> Splitter -> record          Interest: is this one no rule wants? then no parse
//! record -> open -> CloudTrailEvent -> change -> RuleSet -> Suppressions -> Decided, with its Books
//! ```
//!
//! Read [`open`] and [`CloudTrailEvent`] first, then [`change`](fn@change), then [`decide`](fn@decide).

mod books;
mod change;
mod decide;
mod envelope;
mod event;
mod gunzip;
mod identity;
mod interest;
mod limits;
mod members;
mod redact;
mod rule_tests;
mod rules;
mod split;
mod suppress;
pub mod yaml;

pub use books::{Books, Imbalance};
pub use change::{
    Change, Document, DocumentUse, EventKind, Extracted, LookUp, TargetType, UnknownKind, change, extract, kind_of,
    names_of,
};
pub use decide::{
    Arrival, Decided, EventKey, Judges, MAX_DOCUMENT_BYTES, MAX_EVENT_BYTES, MAX_PARAMETERS_BYTES, Sitting, decide,
};
pub use envelope::{Opener, Opening, Other, Piece, PiecePath, Reason, Unreadable, open};
pub use event::{CloudTrailEvent, EventError, MAX_EVENT_DEPTH, Resource, UNKNOWN_ACCOUNT, base_name};
pub use gunzip::Gunzip;
pub use identity::{SessionIssuer, UserIdentity};
pub use interest::Interest;
pub use limits::{Limits, RATIO_FLOOR_BYTES};
pub use redact::{MAX_SECRET_DEPTH, REDACTED, SECRET_KEYS, redact, redact_event};
pub use rule_tests::{DEFAULT_ACCOUNT, DEFAULT_TIME, DEFAULT_USER, RuleTest, TestResult, complete, run_tests};
pub use rules::{
    DocumentName, DocumentRequest, Documents, Evaluation, Evidence, Explained, MAX_NAME_CHARS, MAX_RULES, Moment,
    Remediation, Rule, RuleError, RuleMatch, RuleSet, Truth,
};
pub use split::{Part, Splitter};
pub use suppress::{MAX_SUPPRESSIONS, Suppression, Suppressions};
