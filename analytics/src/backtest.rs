//! `analytics backtest`: what other rules would have made of past events.
//!
//! Every event is judged with the rules to try. The same event judged with the rules to compare with, or the violations
//! that the lake has of it, say what was before. Policies that an event only names are not looked up, on either side:
//! what cannot be told is counted as such, never as vanished.

mod config;
mod files;
mod lake;
mod tally;

use schemas::{IAM_EVENTS, VIOLATIONS};
use serde::Serialize;

use crate::args::{BacktestArgs, FailOn};
use crate::error::AnalyticsError;
use crate::span::Span;
use crate::tables::{LeftOut, Tables};
pub(crate) use config::{Config, suppressions_of};
use tally::Tally;

/// What would be different. Serialized, this is the JSON answer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Backtest {
    /// File of the rules that were tried.
    pub rules: String,
    /// File of the rules that were compared with, or `the violations of the lake`.
    pub against: String,
    /// Where the events come from.
    pub source: String,
    /// The days looked at; absent for all events of files.
    pub period: Option<String>,
    /// Events that some rule of either side names.
    pub events: u64,
    /// All rules and accounts together. `before + appear = after + vanish + undecided`.
    pub totals: Changes,
    /// Rules with any violation before or after.
    pub by_rule: Vec<RuleChanges>,
    /// Accounts with any violation before or after.
    pub by_account: Vec<Account>,
    /// At most three differences of each kind for each rule.
    pub examples: Vec<Example>,
    /// Rules to try that could not be decided on some events, as a policy is not visible.
    pub undecided: Vec<Undecided>,
    /// Rules that failed on an event.
    pub rule_errors: Vec<String>,
    /// Rules to try of whose events none was met: nothing is known of them.
    pub untried_rules: Vec<String>,
    /// Reported violations of the lake whose event is not stored: they were not tried.
    pub not_stored: u64,
    /// Events and records that could not be read, with the first reasons.
    pub unreadable: u64,
    /// The first reasons.
    pub problems: Vec<String>,
    /// Files of the lake that could not be read and are not part of any number.
    pub left_out: Vec<LeftOut>,
}

/// Counts of reported violations: those that no suppression holds back.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Changes {
    /// Before.
    pub before: u64,
    /// With the rules to try.
    pub after: u64,
    /// Not reported before.
    pub appear: u64,
    /// Reported before and not any more.
    pub vanish: u64,
    /// Of those that vanish, the ones that still match and that a suppression holds back.
    pub held_back: u64,
    /// Reported before; whether they still match cannot be told.
    pub undecided: u64,
    /// Of a higher severity than before.
    pub raised: u64,
    /// Of a lower severity than before.
    pub lowered: u64,
    /// Ask for a repair and did not before.
    pub repair: u64,
    /// Do not ask for a repair any more.
    pub no_repair: u64,
}

impl Changes {
    /// True when nothing is different.
    pub fn is_none(&self) -> bool {
        let Changes { appear, vanish, undecided, raised, lowered, repair, no_repair, .. } = *self;
        [appear, vanish, undecided, raised, lowered, repair, no_repair] == [0; 7]
    }

    fn add(&mut self, more: &Changes) {
        self.before += more.before;
        self.after += more.after;
        self.appear += more.appear;
        self.vanish += more.vanish;
        self.held_back += more.held_back;
        self.undecided += more.undecided;
        self.raised += more.raised;
        self.lowered += more.lowered;
        self.repair += more.repair;
        self.no_repair += more.no_repair;
    }

    /// Whether there is a difference of this kind.
    pub(crate) fn has(&self, kind: FailOn) -> bool {
        match kind {
            FailOn::Appear => self.appear > 0,
            FailOn::Vanish => self.vanish > 0,
            FailOn::Severity => self.raised + self.lowered > 0,
            FailOn::Repair => self.repair > 0,
            FailOn::Undecided => self.undecided > 0,
            FailOn::Any => !self.is_none(),
        }
    }
}

/// One rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RuleChanges {
    /// Its name.
    pub rule_name: String,
    /// Highest severity before; absent without a violation.
    pub severity_before: Option<&'static str>,
    /// Highest severity with the rules to try.
    pub severity_after: Option<&'static str>,
    /// Counts.
    #[serde(flatten)]
    pub changes: Changes,
    /// The same for each account that is concerned.
    pub accounts: Vec<Account>,
}

/// One account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Account {
    /// Its id.
    pub account_id: String,
    /// Counts.
    #[serde(flatten)]
    pub changes: Changes,
}

/// What is different with one violation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// It is reported and was not.
    Appears,
    /// It was reported and is not.
    Vanishes,
    /// It has another severity.
    Severity,
    /// It asks for a repair and did not.
    Repair,
    /// It does not ask for a repair any more.
    NoRepair,
    /// It was reported; whether it still is cannot be told.
    Undecided,
}

/// One violation that is different.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[allow(missing_docs)] // the columns are described in `schemas::VIOLATIONS`
pub struct Example {
    pub rule_name: String,
    pub kind: Kind,
    pub account_id: String,
    pub event_id: String,
    /// RFC 3339, UTC.
    pub event_time: String,
    pub event_name: String,
    pub principal: String,
    /// Why the rule to try matches; absent when it does not.
    pub evidence: Option<String>,
    /// The repair it asks for.
    pub remediation_action: Option<String>,
}

/// A rule that could not be decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Undecided {
    /// Its name.
    pub rule_name: String,
    /// Events.
    pub events: u64,
}

impl Backtest {
    /// Tries rules on the stored events of a lake. Only the partitions of the period are read, one day after the other.
    /// `more` is told the number of days, `step` is called after each.
    pub(crate) async fn of_lake(
        tables: &mut Tables,
        config: &Config,
        span: Span,
        (more, step): (&dyn Fn(u64), &dyn Fn()),
    ) -> Result<Backtest, AnalyticsError> {
        let mut tally = Tally::new(config);
        let mut days = tables.days(&IAM_EVENTS, span).await?;
        if tally.compares_with_lake() {
            days.extend(tables.days(&VIOLATIONS, span).await?);
        }
        more(days.len() as u64);
        for day in days {
            lake::day(tables, &mut tally, Span::days(day, day)?).await?;
            step();
        }
        let mut found = tally.finish();
        found.period = Some(span.label());
        found.left_out = tables.left_out();
        Ok(found)
    }

    /// Tries rules on CloudTrail files.
    pub(crate) fn of_files(config: &Config, args: &BacktestArgs, span: Option<Span>) -> Backtest {
        let mut tally = Tally::new(config);
        files::read(&args.events, span, &mut tally);
        let mut found = tally.finish();
        found.source = args.events.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ");
        found.period = span.map(Span::label);
        found
    }

    /// True when some input is not part of the numbers.
    pub fn is_incomplete(&self) -> bool {
        self.unreadable > 0 || !self.left_out.is_empty() || !self.problems.is_empty()
    }
}
