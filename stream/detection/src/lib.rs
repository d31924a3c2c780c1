//! Decides which CloudTrail events break a rule: bytes in, verdicts out.
//!
//! Never does I/O, and knows no clock, environment or network: what it needs comes in as an argument. Read
//! [`CloudTrailEvent`] first, then [`change`](fn@change).

mod books;
mod change;
mod event;
mod identity;
mod limits;
mod members;
mod split;
pub mod yaml;

pub use books::{Books, Imbalance};
pub use change::{
    Change, Document, DocumentUse, EventKind, Extracted, LookUp, TargetType, UnknownKind, change, extract, kind_of,
    names_of,
};
pub use event::{CloudTrailEvent, EventError, MAX_EVENT_DEPTH, Resource, UNKNOWN_ACCOUNT, base_name};
pub use identity::{SessionIssuer, UserIdentity};
pub use limits::{Limits, RATIO_FLOOR_BYTES};
pub use split::{Part, Splitter};
