//! The records this system hands to others: table columns, rows, and the files rendered from them.
//!
//! Nothing here reads or writes anything. Read [`columns`](TABLES) first, then [`Violation`].

mod columns;
mod rows;

pub use columns::{
    AUDIT_LOG, Column, IAM_EVENTS, Kind, PARTITION_COLUMNS, Presence, REMEDIATION_LOGS, TABLES, Table, VIOLATIONS,
};
pub use rows::{Certainty, Outcome, RuleAction, Severity, Violation, derived_id, millis, violation_id};
