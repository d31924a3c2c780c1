//! The records this system hands to others: table columns, rows, bus entries, and the files rendered from them.
//!
//! Nothing here reads or writes anything. Read [`TABLES`] first, then [`Violation`], [`record_batch`], [`bus`] and
//! [`rendered_files`].

mod batch;
pub mod bus;
mod columns;
mod render;
mod rows;
mod text;
mod views;

pub use batch::{SchemaError, arrow_schema, arrow_type, record_batch};
pub use columns::{
    AUDIT_LOG, Column, IAM_EVENTS, Kind, PARTITION_COLUMNS, Presence, REMEDIATION_LOGS, TABLES, Table, VIOLATIONS,
};
pub use render::{Rendered, athena_table, athena_view, physical_name, rendered_files};
pub use rows::{
    CANARY_RULE, Certainty, IamEvent, Outcome, RemediationLog, RemediationStatus, RuleAction, Severity, Violation,
    derived_id, millis, violation_id,
};
pub use text::is_deceptive;
pub use views::{HIGH_RISK_PRINCIPALS, POLICY_ATTACK_PATTERNS, VIEWS, VIOLATION_TRENDS, View};
