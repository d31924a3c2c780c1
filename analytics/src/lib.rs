//! Reads the audit lake and tells people what is in it: a monthly report, and SQL. Never writes to the lake.
//!
//! ```text
//! Lake -> Tables (views over the Parquet files, files that cannot be read left out and named)
//!   report: queries/*.sql -> Report -> text, JSON or CSV
//!   sql:    one statement -> table, CSV or JSON
//! ```
//!
//! Read [`Tables`] first, then [`Report`], then the queries beside `queries.rs`. Answers are deterministic: every query
//! of the report has a total order, and nothing looks at the clock.

mod args;
mod commands;
mod error;
mod files;
mod month;
mod plain;
mod queries;
mod reading;
mod render;
mod report;
mod sample;
mod statement;
mod tables;

pub use args::{Args, AuditArgs, Command, ReportArgs, ReportFormat, SqlArgs, SqlFormat};
pub use commands::{Ended, Surroundings, run};
pub use error::AnalyticsError;
pub use month::{Month, NotAMonth};
pub use report::{Account, Day, Novelty, Principal, Remediation, Report, Rule, STEPS, Serious, Suppression, Totals};
pub use tables::{Answer, LeftOut, Tables};
