//! Reads the audit lake and tells people what is in it: a report, and SQL. Only `compact` writes
//! to the lake, and it changes nothing of what readers see.
//!
//! ```text
//! Lake -> Tables (Parquet files, each row once, files that cannot be read left out and named)
//!   report: queries/*.sql -> Report -> text, HTML, Markdown, JSON or CSV
//!   principal: queries/principal/*.sql -> PrincipalStory -> text or JSON
//!   sql:    one statement -> table, CSV, JSON or Parquet
//!   backtest: stored events or CloudTrail files -> judged with new rules -> what would be different
//! ```
//!
//! [`Tables`] answer queries here, on a Ballista cluster or through Athena: see [`EngineName`].
//! Read [`Tables`] first, then [`Report`], then the queries beside `queries.rs`. Answers are deterministic: every query
//! of the report has a total order, and nothing looks at the clock.

mod args;
mod backtest;
mod capacity;
mod commands;
mod compact;
mod copies;
mod engine;
mod error;
mod files;
mod filter;
mod footers;
mod month;
mod plain;
mod principal;
mod queries;
mod reading;
mod render;
mod report;
mod sample;
mod sections;
mod span;
mod statement;
mod tables;
mod verify;

pub use args::{
    Args, AuditArgs, BacktestArgs, BacktestFormat, CapacityArgs, Command, CompactArgs, FailOn, FilterArgs, PeriodArgs,
    PrincipalArgs, PrincipalFormat, ReportArgs, ReportFormat, SeverityArg, SqlArgs, SqlFormat, VerifyArgs,
};
pub use backtest::{Account as BacktestAccount, Backtest, Changes, Example, Kind, RuleChanges, Undecided};
pub use capacity::{Capacity, Cost, Load, Need};
pub use commands::{Ended, Surroundings, run};
pub use engine::{AthenaError, EngineArgs, EngineName};
pub use error::AnalyticsError;
pub use filter::Filter;
pub use month::{Month, NotAMonth};
pub use principal::{Activity, Broken, Call, MOST_ROWS, PRINCIPAL_STEPS, PrincipalStory, Repair, SHOWN, Seen};
pub use report::{
    Account, AttackPattern, Caller, Day, Novelty, Principal, Privilege, Remediation, RepairTime, Report, Rule, Serious,
    Suppression, SuppressionState, Totals,
};
pub use sections::{Asked, STEPS};
pub use span::{Length, MAX_DAYS, NotASpan, Span};
pub use tables::{Answer, LeftOut, Tables};
pub use verify::{Books, Check, Finding, Grade, TableBooks, VERIFY_STEPS};
