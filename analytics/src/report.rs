//! The monthly report as data. Rendering it is the business of [`crate::render`].

use std::collections::BTreeMap;

use schemas::{REMEDIATION_LOGS, VIOLATIONS};
use serde::{Deserialize, Serialize};

use crate::error::AnalyticsError;
use crate::month::Month;
use crate::queries::{self, Period};
use crate::tables::{LeftOut, Tables};

/// Everything the report says about one month. Serialized, this is the JSON report.
///
/// A violation is a row of `violations` after duplicates are dropped. It is *reported* unless a suppression held it
/// back; a reported one whose call failed is also an *attempt*. Sections count reported violations unless they say
/// otherwise. `…_before` is the same number for the month before.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// `2024-01`.
    pub month: String,
    /// `2023-12`.
    pub month_before: String,
    /// The lake as the caller named it.
    pub lake: String,
    /// True when there is neither a violation nor an attempt of the remediator in the month.
    pub empty: bool,
    /// Months the lake has folders for.
    pub months_in_lake: Vec<String>,
    /// Files that could not be read and are not part of any number.
    pub left_out: Vec<LeftOut>,
    /// Totals of the month.
    pub summary: Totals,
    /// Totals of the month before.
    pub summary_before: Totals,
    /// Days with reported violations.
    pub by_day: Vec<Day>,
    /// The violations to look at first, at most 30, at most 3 for each rule.
    pub most_serious: Vec<Serious>,
    /// Rules that matched in either month.
    pub by_rule: Vec<Rule>,
    /// Accounts with reported violations in either month.
    pub by_account: Vec<Account>,
    /// Principals with more than 3 violations or more than 2 rules.
    pub high_risk_principals: Vec<Principal>,
    /// Suppressions that held something back in either month.
    pub suppressions: Vec<Suppression>,
    /// Attempts of the remediator by action.
    pub remediation: Vec<Remediation>,
}

/// Totals of one month.
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
    /// `05`.
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

/// How a rule compares with the month before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Novelty {
    /// Matched in the month but not in the month before.
    New,
    /// Matched in the month before but not in the month.
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
    /// Absent when it matched in both months, or when the month before has no violations at all.
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

/// One suppression.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Suppression {
    pub suppressed_by: String,
    pub violations: i64,
    pub violations_before: i64,
    /// Different rules.
    pub rules: i64,
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

#[derive(Deserialize)]
struct PeriodTotals {
    period: String,
    #[serde(flatten)]
    totals: Totals,
}

#[derive(Default, Deserialize)]
struct RemediationRow {
    remediation_action: String,
    total_attempts: i64,
    successful: i64,
    repaired: i64,
    dry_runs: i64,
    undone: i64,
    skipped: i64,
    failed: i64,
    seconds: i64,
}

/// Queries a report takes, for a progress bar.
pub const STEPS: u64 = 11;

impl Report {
    /// Reads one month and the month before it. `step` is called after every query.
    pub async fn read(
        tables: &mut Tables,
        lake: &str,
        month: Month,
        step: &mut dyn FnMut(),
    ) -> Result<Report, AnalyticsError> {
        loop {
            let known = tables.left_out().len();
            let report = Self::read_once(tables, lake, month, step).await?;
            // A file that a later section found broken is in the numbers of the earlier ones: count again without it.
            if report.left_out.len() == known {
                return Ok(report);
            }
        }
    }

    async fn read_once(
        tables: &mut Tables,
        lake: &str,
        month: Month,
        step: &mut dyn FnMut(),
    ) -> Result<Report, AnalyticsError> {
        let mut sections = Sections { tables, month, step };
        sections.facts().await?;
        let (summary, summary_before) = sections.totals().await?;
        let by_rule = sections.rules(summary_before != Totals::default()).await?;
        let remediation = sections.remediation().await?;
        let report = Report {
            month: month.to_string(),
            month_before: month.before().to_string(),
            lake: lake.to_owned(),
            empty: summary.violations == 0 && remediation.iter().all(|action| action.total_attempts == 0),
            by_day: sections.rows(queries::BY_DAY).await?,
            most_serious: sections.rows(&queries::for_month(queries::MOST_SERIOUS, month, Period::Now)).await?,
            by_rule,
            by_account: sections.rows(queries::BY_ACCOUNT).await?,
            high_risk_principals: sections.rows(queries::HIGH_RISK_PRINCIPALS).await?,
            suppressions: sections.rows(queries::SUPPRESSIONS).await?,
            remediation,
            summary,
            summary_before,
            months_in_lake: months(sections.tables).await?,
            left_out: sections.tables.left_out(),
        };
        let files_opened = sections.tables.opened().len();
        tracing::info!(%month, files_opened, files_left_out = report.left_out.len(), "report read");
        Ok(report)
    }
}

/// The months for which the lake has violations or attempts of the remediator.
async fn months(tables: &Tables) -> Result<Vec<String>, AnalyticsError> {
    let mut months = tables.months(&VIOLATIONS).await?;
    months.extend(tables.months(&REMEDIATION_LOGS).await?);
    months.sort();
    months.dedup();
    Ok(months.iter().map(Month::to_string).collect())
}

/// Runs the queries of one report.
struct Sections<'a> {
    tables: &'a mut Tables,
    month: Month,
    step: &'a mut dyn FnMut(),
}

impl Sections<'_> {
    async fn rows<T: serde::de::DeserializeOwned>(&mut self, sql: &str) -> Result<Vec<T>, AnalyticsError> {
        let rows = self.tables.rows(sql).await?;
        (self.step)();
        Ok(rows)
    }

    /// Reads both months from the lake, once, into the table of counts.
    async fn facts(&mut self) -> Result<(), AnalyticsError> {
        let mut answers = Vec::with_capacity(2);
        for (month, period) in [(self.month, Period::Now), (self.month.before(), Period::Before)] {
            answers.push(self.tables.query(&queries::for_month(queries::FACTS, month, period)).await?);
            (self.step)();
        }
        self.tables.keep("facts", answers)
    }

    async fn totals(&mut self) -> Result<(Totals, Totals), AnalyticsError> {
        let rows: Vec<PeriodTotals> = self.rows(queries::SUMMARY).await?;
        let mut by_period: BTreeMap<String, Totals> = rows.into_iter().map(|row| (row.period, row.totals)).collect();
        let mut of = |period: Period| by_period.remove(period.name()).unwrap_or_default();
        Ok((of(Period::Now), of(Period::Before)))
    }

    /// Rules; marked as new or vanished only when there is a month before to compare with.
    async fn rules(&mut self, comparable: bool) -> Result<Vec<Rule>, AnalyticsError> {
        let mut rules: Vec<Rule> = self.rows(queries::BY_RULE).await?;
        for rule in &mut rules {
            let now = rule.violations + rule.suppressed;
            let before = rule.violations_before + rule.suppressed_before;
            rule.novelty = match (now, before) {
                (_, 0) if comparable => Some(Novelty::New),
                (0, _) => Some(Novelty::Vanished),
                _ => None,
            };
        }
        Ok(rules)
    }

    async fn remediation(&mut self) -> Result<Vec<Remediation>, AnalyticsError> {
        let now = queries::for_month(queries::REMEDIATION, self.month, Period::Now);
        let before = queries::for_month(queries::REMEDIATION, self.month.before(), Period::Before);
        let mut actions: BTreeMap<String, (Option<RemediationRow>, i64)> = BTreeMap::new();
        for row in self.rows::<RemediationRow>(&now).await? {
            actions.insert(row.remediation_action.clone(), (Some(row), 0));
        }
        for row in self.rows::<RemediationRow>(&before).await? {
            actions.entry(row.remediation_action).or_default().1 = row.total_attempts;
        }
        Ok(actions.into_iter().map(|(action, (now, before))| Remediation::of(action, now, before)).collect())
    }
}

impl Remediation {
    fn of(action: String, now: Option<RemediationRow>, before: i64) -> Remediation {
        let now = now.unwrap_or_default();
        Remediation {
            remediation_action: action,
            total_attempts: now.total_attempts,
            total_attempts_before: before,
            successful: now.successful,
            success_rate: ratio(now.successful.saturating_mul(100), now.total_attempts).unwrap_or(0.0),
            repaired: now.repaired,
            dry_runs: now.dry_runs,
            undone: now.undone,
            skipped: now.skipped,
            failed: now.failed,
            mean_seconds_to_repair: ratio(now.seconds, now.repaired),
        }
    }
}

/// The quotient with one decimal; none when there is nothing to divide by.
fn ratio(part: i64, whole: i64) -> Option<f64> {
    (whole != 0).then(|| (part as f64 / whole as f64 * 10.0).round() / 10.0)
}
