//! Repairs what a violation did to IAM: bounded, reversible, and in doubt not at all.
//!
//! ```text
//! Request -> plan (pure) -> guard (pure) -> ApprovedPlan -> budget -> snapshot -> compare -> execute -> verify
//!   -> row of remediation_logs -> status on the bus                          undo: snapshot -> steps back
//! ```
//!
//! Only the guard makes an [`ApprovedPlan`]; only that, with slots of the budget and a stored snapshot, can be carried
//! out. A refusal is an outcome, written down and announced like a repair. Read [`plan()`] and [`approve`] first, then
//! [`Remediator::handle`].

mod accounts;
mod baseline;
mod budget;
mod commands;
mod config;
mod error;
mod execute;
mod facts;
mod guard;
#[cfg(test)]
mod guard_tests;
mod handler;
mod history;
mod log;
mod look;
mod objects;
mod pattern;
mod plan;
#[cfg(test)]
mod plan_tests;
mod refusal;
mod remediator;
mod request;
#[cfg(test)]
mod samples;
mod settings;
mod settle;
mod show;
mod snapshot;
mod step;
mod tell;
mod undo;
mod undoing;

pub use accounts::{Accounts, Identity};
pub use budget::{Slots, Spent, Taken};
pub use commands::{Cli, Command, run};
pub use config::{Breaker, Config, ConfigError, Rates, WhenSpent};
pub use error::Failure;
pub use facts::{Baseline, Facts, HolderFacts, PolicyFacts, Version};
pub use guard::{ApprovedPlan, Circumstances, SESSION_NAME, approve, approve_undo, screen};
pub use handler::{Answer, Batch, Message, Program, Remediate};
pub use log::{Attempt, Outcome};
pub use look::Look;
pub use pattern::Pattern;
pub use plan::{MAX_STEPS, Plan, plan};
pub use refusal::Refusal;
pub use remediator::{ConfigSource, Disposition, Preview, Remediator, Switches};
pub use request::{Request, RequestError, Target};
pub use settings::{OwnSettings, SETTINGS};
pub use snapshot::{Snapshot, Stored};
pub use step::{Holder, HolderKind, Place, Step, Tag};
pub use tell::Teller;
pub use undo::undo;
pub use undoing::Undone;
