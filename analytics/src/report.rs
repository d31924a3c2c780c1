//! The report as data. Reading it is the business of [`crate::sections`], rendering it of [`crate::render`].

use chrono::{NaiveTime, SecondsFormat};
use detection::Suppressions;
use serde::{Deserialize, Serialize};

use crate::filter::Filter;
use crate::span::Span;
use crate::tables::LeftOut;

/// Everything the report says about one period. Serialized, this is the JSON report.
///
/// A violation is a row of `violations` after duplicates are dropped. It is *reported* unless a suppression held it
/// back; a reported one whose call failed is also an *attempt*. Sections count reported violations unless they say
/// otherwise. `…_before` is the same number for the period before: the month before a month, else as many days.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// The period.
    #[serde(skip)]
    pub span: Span,
    /// The period as `2024-01`, or `2024-01-05/2024-02-03` when it is no month.
    pub month: String,
    /// The period before in the same form.
    pub month_before: String,
    /// First day, `2024-01-01`.
    pub from: String,
    /// Last day.
    pub to: String,
    /// What a violation must have to be counted.
    pub filter: Filter,
    /// The lake as the caller named it.
    pub lake: String,
    /// True when there is neither a violation nor an attempt of the remediator in the period.
    pub empty: bool,
    /// Months the lake has folders for.
    pub months_in_lake: Vec<String>,
    /// Files that could not be read and are not part of any number.
    pub left_out: Vec<LeftOut>,
    /// Totals of the period.
    pub summary: Totals,
    /// Totals of the period before.
    pub summary_before: Totals,
    /// Days with reported violations.
    pub by_day: Vec<Day>,
    /// The violations to look at first, at most 30, at most 3 for each rule.
    pub most_serious: Vec<Serious>,
    /// Rules that matched in either period.
    pub by_rule: Vec<Rule>,
    /// Accounts with reported violations in either period.
    pub by_account: Vec<Account>,
    /// Principals with more than 3 violations or more than 2 rules.
    pub high_risk_principals: Vec<Principal>,
    /// The 50 callers with the most reported violations.
    pub by_principal: Vec<Caller>,
    /// Days on which one principal made many changes, came from several addresses or failed often; at most 200.
    pub attack_patterns: Vec<AttackPattern>,
    /// Suppressions that held something back in either period, then those of the file that did not.
    pub suppressions: Vec<Suppression>,
    /// Attempts of the remediator by action.
    pub remediation: Vec<Remediation>,
    /// Repairs by the time they took.
    pub repair_times: Vec<RepairTime>,
    /// Days on which access grew.
    pub privilege: Vec<Privilege>,
}

/// Totals of one period.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)] // the severities speak for themselves
pub struct Totals {
    /// Reported and suppressed together.
    pub violations: i64,
    /// Not held back by a suppression.
    pub reported: i64,
    /// Held back by a suppression.
    pub suppressed: i64,
    /// Reported ones whose call failed.
    pub attempts: i64,
    /// Reported changes that granted what was not granted before.
    pub new_access: i64,
    pub critical: i64,
    pub high: i64,
    pub medium: i64,
    pub low: i64,
    /// Different rules of reported violations.
    pub rules: i64,
    /// Different accounts of reported violations.
    pub accounts: i64,
    /// Different callers of reported violations.
    pub principals: i64,
}

/// Reported violations of one day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Day {
    /// `2024-01-05`.
    pub day: String,
    pub violations: i64,
    pub critical: i64,
    pub high: i64,
    pub medium: i64,
    pub low: i64,
}

/// One violation. What the file does not say is empty.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[allow(missing_docs)] // the columns are described in `schemas::VIOLATIONS`
pub struct Serious {
    pub violation_id: String,
    /// RFC 3339, UTC.
    pub event_time: String,
    pub severity: String,
    pub rule_name: String,
    pub account_id: String,
    /// ARN, else name of the caller.
    pub principal: String,
    pub source_ip_address: Option<String>,
    pub event_name: String,
    pub outcome: String,
    pub error_code: Option<String>,
    pub target_type: Option<String>,
    /// ARN, else name of what was changed.
    pub target: Option<String>,
    pub policy_arn: Option<String>,
    pub certainty: String,
    pub evidence: String,
}

/// How a rule compares with the period before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Novelty {
    /// Matched in the period but not in the period before.
    New,
    /// Matched in the period before but not in the period.
    Vanished,
}

/// One rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Rule {
    pub rule_name: String,
    /// The highest severity it had.
    pub severity: String,
    pub violations: i64,
    pub violations_before: i64,
    pub attempts: i64,
    pub suppressed: i64,
    pub suppressed_before: i64,
    /// Different accounts.
    pub accounts: i64,
    /// Absent when it matched in both periods, or when the period before has no violations at all.
    #[serde(skip_deserializing)]
    pub novelty: Option<Novelty>,
}

/// One account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Account {
    pub account_id: String,
    pub violations: i64,
    pub violations_before: i64,
    pub critical: i64,
    pub high: i64,
    pub medium: i64,
    pub low: i64,
    /// Different callers.
    pub principals: i64,
}

/// One high-risk principal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Principal {
    /// ARN, else name of the caller.
    pub principal: String,
    /// The highest severity among its violations.
    pub severity: String,
    pub violations: i64,
    pub violations_before: i64,
    pub attempts: i64,
    /// Different rules.
    pub rules: i64,
    /// Different source addresses.
    pub source_addresses: i64,
}

/// One caller.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Caller {
    /// ARN, else name of the caller.
    pub principal: String,
    /// The highest severity among its violations.
    pub severity: String,
    pub violations: i64,
    pub violations_before: i64,
    pub attempts: i64,
    /// Different rules.
    pub rules: i64,
}

/// A day on which one principal did what attackers do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct AttackPattern {
    /// `2024-01-05`.
    pub day: String,
    pub principal: String,
    /// What is conspicuous, in words.
    pub pattern: String,
    /// Different events that were carried out.
    pub changes: i64,
    /// Different events that failed.
    pub attempts: i64,
    pub violations: i64,
    pub accounts: i64,
    pub source_addresses: i64,
}

/// One suppression.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Suppression {
    pub suppressed_by: String,
    pub violations: i64,
    pub violations_before: i64,
    /// Different rules.
    pub rules: i64,
    /// How it stands in the file of suppressions; absent without a file.
    #[serde(skip_deserializing)]
    pub state: Option<SuppressionState>,
    /// First instant at which the entry of the file no longer counts, RFC 3339.
    #[serde(skip_deserializing)]
    pub expires: Option<String>,
}

/// How a suppression stands in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SuppressionState {
    /// It held something back in the period.
    Used,
    /// It is in the file and held nothing back in the period.
    Unused,
    /// It counted no longer when the period ended.
    Expired,
    /// It held something back and is not in the file any more.
    Removed,
}

impl SuppressionState {
    /// As it is read.
    pub fn name(self) -> &'static str {
        match self {
            SuppressionState::Used => "used",
            SuppressionState::Unused => "matched nothing",
            SuppressionState::Expired => "expired",
            SuppressionState::Removed => "not in the file",
        }
    }
}

impl Report {
    /// Says of each suppression how it stands in the file, and adds those of the file that held nothing back.
    pub(crate) fn compare_with(&mut self, file: &Suppressions) {
        let end = self.span.last_day().succ_opt().unwrap_or(self.span.last_day()).and_time(NaiveTime::MIN).and_utc();
        for entry in file.entries() {
            if !self.suppressions.iter().any(|known| known.suppressed_by == entry.label()) {
                let suppressed_by = entry.label().to_owned();
                let unused = Suppression {
                    suppressed_by,
                    violations: 0,
                    violations_before: 0,
                    rules: 0,
                    state: None,
                    expires: None,
                };
                self.suppressions.push(unused);
            }
        }
        for known in &mut self.suppressions {
            let entry = file.entries().iter().find(|entry| entry.label() == known.suppressed_by);
            let expires = entry.and_then(detection::Suppression::expires);
            known.expires = expires.map(|time| time.to_rfc3339_opts(SecondsFormat::Secs, true));
            known.state = Some(match entry {
                None => SuppressionState::Removed,
                Some(_) if expires.is_some_and(|expires| expires <= end) => SuppressionState::Expired,
                Some(_) if known.violations > 0 => SuppressionState::Used,
                Some(_) => SuppressionState::Unused,
            });
        }
    }
}

/// What the remediator did for one action.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[allow(missing_docs)]
pub struct Remediation {
    pub remediation_action: String,
    pub total_attempts: i64,
    pub total_attempts_before: i64,
    /// Attempts with `success = true`: repaired, dry run or undone.
    pub successful: i64,
    /// `successful` in percent of all attempts, one decimal.
    pub success_rate: f64,
    pub repaired: i64,
    pub dry_runs: i64,
    pub undone: i64,
    pub skipped: i64,
    pub failed: i64,
    /// Mean time from the event to the end of a repair in seconds, one decimal; absent without repairs.
    pub mean_seconds_to_repair: Option<f64>,
}

/// Repairs that took no longer than this, and longer than the step before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RepairTime {
    /// `10 s`, `1 min`, `5 min`, `1 h`, `1 day` or `longer`.
    pub within: String,
    /// Number of repairs.
    pub repairs: i64,
}

/// How access grew on one day: changes granted what was not granted before, and repairs took some of it back.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Privilege {
    /// `2024-01-05`, the day of the change.
    pub day: String,
    /// Reported changes that granted new access.
    pub granted: i64,
    /// Those of them that were repaired since, and stayed repaired.
    pub taken_back: i64,
}
