//! Reads the sections of a report, each with one query.

use std::collections::BTreeMap;

use schemas::{REMEDIATION_LOGS, VIOLATIONS};
use serde::Deserialize;

use crate::error::AnalyticsError;
use crate::filter::Filter;
use crate::month::Month;
use crate::queries::{self, Period};
use crate::report::{Novelty, Privilege, Remediation, Report, Rule, Serious, Totals};
use crate::span::Span;
use crate::tables::Tables;

/// What a report is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// The period; the one before it is compared.
    pub span: Span,
    /// Which violations and repairs.
    pub filter: Filter,
}

impl From<Month> for Asked {
    fn from(month: Month) -> Self {
        Asked { span: month.into(), filter: Filter::default() }
    }
}

impl Asked {
    fn query(&self, query: &str, period: Period) -> String {
        let span = match period {
            Period::Now => self.span,
            Period::Before => self.span.before(),
        };
        queries::about(query, span, &self.filter, period)
    }
}

#[derive(Deserialize)]
struct OnDay {
    day: String,
}

/// Changes of one day.
#[derive(Deserialize)]
struct Changes {
    day: String,
    changes: i64,
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
pub const STEPS: u64 = 18;

impl Report {
    /// Reads one period and the one before it. `step` is called after every query.
    pub async fn read(
        tables: &mut Tables,
        lake: &str,
        asked: &Asked,
        step: &mut dyn FnMut(),
    ) -> Result<Report, AnalyticsError> {
        loop {
            let known = tables.left_out().len();
            let report = Self::read_once(tables, lake, asked, step).await?;
            // A file that a later section found broken is in the numbers of the earlier ones: count again without it.
            if report.left_out.len() == known {
                return Ok(report);
            }
        }
    }

    async fn read_once(
        tables: &mut Tables,
        lake: &str,
        asked: &Asked,
        step: &mut dyn FnMut(),
    ) -> Result<Report, AnalyticsError> {
        let mut sections = Sections { tables, asked, step };
        sections.facts().await?;
        let (summary, summary_before) = sections.totals().await?;
        let by_rule = sections.rules(summary_before != Totals::default()).await?;
        let remediation = sections.remediation().await?;
        let report = Report {
            span: asked.span,
            month: asked.span.label(),
            month_before: asked.span.before().label(),
            from: asked.span.first_day().to_string(),
            to: asked.span.last_day().to_string(),
            filter: asked.filter.clone(),
            lake: lake.to_owned(),
            empty: summary.violations == 0 && remediation.iter().all(|action| action.total_attempts == 0),
            by_day: sections.rows(queries::BY_DAY).await?,
            most_serious: sections.most_serious().await?,
            by_rule,
            by_account: sections.rows(queries::BY_ACCOUNT).await?,
            by_principal: sections.rows(queries::BY_PRINCIPAL).await?,
            attack_patterns: sections.rows(&queries::attack_patterns(asked.span, &asked.filter)).await?,
            high_risk_principals: sections.rows(queries::HIGH_RISK_PRINCIPALS).await?,
            suppressions: sections.rows(queries::SUPPRESSIONS).await?,
            repair_times: sections.rows(&asked.query(queries::REPAIR_TIMES, Period::Now)).await?,
            privilege: sections.privilege().await?,
            remediation,
            summary,
            summary_before,
            months_in_lake: months(sections.tables).await?,
            left_out: sections.tables.left_out(),
        };
        let files_opened = sections.tables.opened().len();
        tracing::info!(period = report.month, files_opened, files_left_out = report.left_out.len(), "report read");
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
    asked: &'a Asked,
    step: &'a mut dyn FnMut(),
}

impl Sections<'_> {
    async fn rows<T: serde::de::DeserializeOwned>(&mut self, sql: &str) -> Result<Vec<T>, AnalyticsError> {
        let rows = self.tables.rows(sql).await?;
        (self.step)();
        Ok(rows)
    }

    /// Reads both periods from the lake, once, into the table of counts, and sums these up for each caller.
    async fn facts(&mut self) -> Result<(), AnalyticsError> {
        let mut answers = Vec::with_capacity(2);
        for period in [Period::Now, Period::Before] {
            answers.push(self.tables.query(&self.asked.query(queries::FACTS, period)).await?);
            (self.step)();
        }
        self.tables.keep("facts", answers)?;
        let principals = self.tables.query(queries::PRINCIPALS).await?;
        (self.step)();
        self.tables.keep("principals", vec![principals])
    }

    async fn totals(&mut self) -> Result<(Totals, Totals), AnalyticsError> {
        let rows: Vec<PeriodTotals> = self.rows(queries::SUMMARY).await?;
        let mut by_period: BTreeMap<String, Totals> = rows.into_iter().map(|row| (row.period, row.totals)).collect();
        let mut of = |period: Period| by_period.remove(period.name()).unwrap_or_default();
        Ok((of(Period::Now), of(Period::Before)))
    }

    /// Rules; marked as new or vanished only when there is a period before to compare with.
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
        let now = self.asked.query(queries::REMEDIATION, Period::Now);
        let before = self.asked.query(queries::REMEDIATION, Period::Before);
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

impl Sections<'_> {
    /// The counts know the days of the most serious violations, so that only these are read again.
    async fn most_serious(&mut self) -> Result<Vec<Serious>, AnalyticsError> {
        let days: Vec<OnDay> = self.rows(queries::SERIOUS_DAYS).await?;
        if days.is_empty() {
            (self.step)();
            return Ok(Vec::new());
        }
        let days: Vec<String> = days.into_iter().map(|row| row.day).collect();
        let (span, filter) = (self.asked.span, &self.asked.filter);
        self.rows(&queries::about_days(queries::MOST_SERIOUS, span, &days, filter)).await
    }

    /// Days on which access was granted or, by a repair, taken back.
    async fn privilege(&mut self) -> Result<Vec<Privilege>, AnalyticsError> {
        let mut days: BTreeMap<String, Privilege> = BTreeMap::new();
        for row in self.rows::<Changes>(queries::GRANTED).await? {
            days.entry(row.day).or_default().granted = row.changes;
        }
        let taken_back = self.asked.query(queries::TAKEN_BACK, Period::Now);
        for row in self.rows::<Changes>(&taken_back).await? {
            days.entry(row.day).or_default().taken_back = row.changes;
        }
        Ok(days.into_iter().map(|(day, privilege)| Privilege { day, ..privilege }).collect())
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
