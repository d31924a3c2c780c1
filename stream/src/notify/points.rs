//! Metrics of the bus, by severity, rule, action and account: decided here, sent by `channel`.
//!
//! Each point has the severity and one dimension more, so that the number of metrics grows as a sum and not as a product:
//! four severities times the rules, accounts and actions that the guard allows. No set of dimensions is one that the
//! detector or the remediator publishes itself, so nothing is counted twice.

pub mod channel;

use std::collections::BTreeMap;

use chrono::{DateTime, DurationRound, TimeDelta, Utc};

use super::event::{BusEvent, Status, Subject};
use super::text::ascii;

/// Violations on the bus.
pub const VIOLATION_COUNT: &str = "ViolationCount";
/// Repairs asked for or tried, by action.
pub const REMEDIATION_ACTION: &str = "RemediationAction";
/// Repairs that were made and seen to hold.
pub const REMEDIATION_SUCCESS: &str = "RemediationSuccess";
/// Repairs that failed.
pub const REMEDIATION_FAILURE: &str = "RemediationFailure";
/// Repairs that a safety check refused.
pub const REMEDIATION_SKIPPED: &str = "RemediationSkipped";
/// Repairs that were only described.
pub const DRY_RUN_EXECUTIONS: &str = "DryRunExecutions";
/// Repairs that were taken back.
pub const REMEDIATION_UNDONE: &str = "RemediationUndone";

/// What stands for values over the guard.
pub const OTHER: &str = "other";
/// Longest value of a dimension; CloudWatch takes 255 (API reference, Dimension).
const MAX_VALUE: usize = 200;
/// CloudWatch takes points of the last two weeks; a margin for the way there.
const OLDEST: TimeDelta = TimeDelta::hours(14 * 24 - 1);

/// What a metric is counted by, besides the severity. The names stand on dashboards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Dimension {
    /// `RuleName`.
    RuleName,
    /// `Action`.
    Action,
    /// `AccountId`.
    AccountId,
}

impl Dimension {
    /// Its name in CloudWatch.
    pub fn as_str(self) -> &'static str {
        match self {
            Dimension::RuleName => "RuleName",
            Dimension::Action => "Action",
            Dimension::AccountId => "AccountId",
        }
    }
}

/// The name of the first dimension of every point.
pub const SEVERITY: &str = "Severity";

/// A metric with its dimensions and minute.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Point {
    /// Name of the metric.
    pub name: &'static str,
    /// Value of the dimension `Severity`.
    pub severity: &'static str,
    /// The other dimension and its value; strangers, or growth, could make ever more values of each.
    pub by: (Dimension, String),
    /// Minute it is counted in.
    pub minute: DateTime<Utc>,
}

/// The points of an event, each counting one.
pub fn points(event: &BusEvent, now: DateTime<Utc>) -> Vec<Point> {
    let minute = minute(event.timestamp, now);
    let names: &[&'static str] = match &event.subject {
        Subject::Violation(_) => &[VIOLATION_COUNT],
        Subject::Remediation(repair) => match repair.status {
            Status::Success => &[REMEDIATION_ACTION, REMEDIATION_SUCCESS],
            Status::Failed => &[REMEDIATION_ACTION, REMEDIATION_FAILURE],
            Status::Skipped => &[REMEDIATION_ACTION, REMEDIATION_SKIPPED],
            Status::DryRun => &[REMEDIATION_ACTION, DRY_RUN_EXECUTIONS],
            Status::Undone => &[REMEDIATION_ACTION, REMEDIATION_UNDONE],
        },
        Subject::Fault(_) | Subject::Other => &[],
    };
    let dimensions = dimensions(event);
    let Some(severity) = event.severity().map(schemas::Severity::as_str) else { return Vec::new() };
    let by = |name: &'static str| dimensions.iter().cloned().map(move |by| Point { name, severity, by, minute });
    names.iter().flat_map(|name| by(name)).collect()
}

/// Equal points become one with their number.
pub fn sum(points: impl IntoIterator<Item = Point>) -> BTreeMap<Point, u64> {
    let mut sums = BTreeMap::new();
    for point in points {
        *sums.entry(point).or_default() += 1;
    }
    sums
}

fn dimensions(event: &BusEvent) -> Vec<(Dimension, String)> {
    let action = match &event.subject {
        Subject::Violation(violation) => Some(match violation.action {
            schemas::RuleAction::Log => "log",
            schemas::RuleAction::Alert => "alert",
            schemas::RuleAction::Remediate => "remediate",
        }),
        Subject::Remediation(repair) => Some(repair.action.as_str()),
        Subject::Fault(_) | Subject::Other => None,
    };
    let given = [
        (Dimension::RuleName, event.rule_name()),
        (Dimension::Action, action),
        (Dimension::AccountId, event.violation().map(|violation| violation.account_id.as_str())),
    ];
    given.into_iter().filter_map(|(dimension, text)| Some((dimension, value(text?)))).collect()
}

/// As CloudWatch takes it: printable ASCII, not empty, no colon at the start.
fn value(text: &str) -> String {
    let value = ascii(text, MAX_VALUE);
    let value = value.trim().trim_start_matches(':');
    if value.is_empty() { "unknown".to_owned() } else { value.to_owned() }
}

/// The minute of the event; the present for what is too old, or too far ahead, for CloudWatch.
fn minute(time: DateTime<Utc>, now: DateTime<Utc>) -> DateTime<Utc> {
    let fits = time > now - OLDEST && time < now + TimeDelta::minutes(90);
    let time = if fits { time } else { now };
    time.duration_trunc(TimeDelta::minutes(1)).unwrap_or(time)
}
