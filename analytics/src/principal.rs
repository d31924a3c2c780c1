//! Everything the lake knows about one principal, as an investigator asks it.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::error::AnalyticsError;
use crate::filter::literal;
use crate::queries::fill;
use crate::report::Serious;
use crate::span::Span;
use crate::tables::{LeftOut, Tables};

/// Most violations, judged events and repairs that are read, each; of more, the latest count.
pub const MOST_ROWS: usize = 200_000;
/// Violations and repairs that are described one by one.
pub const SHOWN: usize = 50;

/// One principal. Serialized, this is the JSON answer.
///
/// A *change* is a CloudTrail event: one the detector judged, one that broke rules, or both. Addresses, programs and
/// keys are known of changes that broke a rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PrincipalStory {
    /// The ARN or name as asked.
    pub principal: String,
    /// The lake as the caller named it.
    pub lake: String,
    /// The days looked at, `2024-01` or `2024-01-05/2024-02-03`; absent for the whole lake.
    pub period: Option<String>,
    /// True when there are more than [`MOST_ROWS`] rows, so that only the latest are counted.
    pub cut: bool,
    /// Files that could not be read and are not part of any number.
    pub left_out: Vec<LeftOut>,
    /// First and last seen, and how much; absent when it did nothing.
    pub totals: Option<Activity>,
    /// Accounts its changes were made in.
    pub accounts: Vec<Seen>,
    /// Regions that handled them.
    pub regions: Vec<Seen>,
    /// ARNs it acted as: its sessions, when it is a role.
    pub identities: Vec<Seen>,
    /// Addresses its changes came from.
    pub source_addresses: Vec<Seen>,
    /// Programs that made them.
    pub user_agents: Vec<Seen>,
    /// Access keys they were signed with.
    pub access_keys: Vec<Seen>,
    /// API calls.
    pub calls: Vec<Call>,
    /// Rules it broke.
    pub rules: Vec<Broken>,
    /// Its latest violations, at most [`SHOWN`].
    pub violations: Vec<Serious>,
    /// The latest violations by others that changed it, at most [`SHOWN`].
    pub done_to_it: Vec<Serious>,
    /// Repairs of what it did or that were made on it, the latest first, at most [`SHOWN`].
    pub repairs: Vec<Repair>,
}

/// When a principal was seen, and how much it did. Times are RFC 3339, UTC.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Activity {
    pub first_seen: String,
    pub last_seen: String,
    pub changes: i64,
    /// Changes whose call failed.
    pub failed: i64,
    /// Reported and suppressed together.
    pub violations: i64,
}

/// A value that changes of the principal had.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Seen {
    pub value: String,
    pub changes: i64,
    pub first_seen: String,
    pub last_seen: String,
}

/// An API call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Call {
    pub event_source: String,
    pub event_name: String,
    pub changes: i64,
    pub failed: i64,
    pub violations: i64,
    pub first_seen: String,
    pub last_seen: String,
}

/// A rule the principal broke.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Broken {
    pub rule_name: String,
    /// The highest severity it had.
    pub severity: String,
    pub reported: i64,
    pub suppressed: i64,
    /// Reported ones whose call failed.
    pub attempts: i64,
    /// Reported ones that granted what was not granted before.
    pub new_access: i64,
    pub first_seen: String,
    pub last_seen: String,
}

/// One attempt of the remediator.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[allow(missing_docs)] // the columns are described in `schemas::REMEDIATION_LOGS`
pub struct Repair {
    pub remediation_id: String,
    pub violation_id: String,
    /// The column `timestamp`.
    pub ended: String,
    pub remediation_action: String,
    pub status: String,
    pub reason: Option<String>,
    pub error: Option<String>,
    pub rule_name: String,
    pub severity: String,
    pub account_id: String,
    pub target_type: Option<String>,
    pub target: Option<String>,
}

/// Queries an answer takes, for a progress bar.
pub const PRINCIPAL_STEPS: u64 = 15;

impl PrincipalStory {
    /// Reads everything about a principal: its ARN, its name, or the ARN of a role whose sessions acted.
    pub async fn read(
        tables: &mut Tables,
        lake: &str,
        principal: &str,
        span: Option<Span>,
        step: &mut dyn FnMut(),
    ) -> Result<PrincipalStory, AnalyticsError> {
        loop {
            let known = tables.left_out().len();
            let mut reader = Reader { tables, days: span.map_or_else(|| "1 = 1".to_owned(), Span::condition), step };
            let story = reader.read(lake, principal, span).await?;
            // A file that a later query found broken is in the numbers of the earlier ones: count again without it.
            if story.left_out.len() == known {
                return Ok(story);
            }
        }
    }

    /// True when the lake holds nothing about it.
    pub fn is_empty(&self) -> bool {
        self.totals.is_none() && self.done_to_it.is_empty() && self.repairs.is_empty()
    }
}

struct Reader<'a> {
    tables: &'a mut Tables,
    days: String,
    step: &'a mut dyn FnMut(),
}

impl Reader<'_> {
    async fn read(
        &mut self,
        lake: &str,
        principal: &str,
        span: Option<Span>,
    ) -> Result<PrincipalStory, AnalyticsError> {
        let is = |columns: &[&str]| {
            let equal: Vec<String> = columns.iter().map(|name| format!("{name} = {}", literal(principal))).collect();
            equal.join(" OR ")
        };
        let (who, target) =
            (is(&["principal_arn", "session_issuer_arn", "principal_name"]), is(&["target_arn", "target_name"]));
        let done_to_it =
            format!("({target}) AND NOT ({})", is_any(&["principal_arn", "session_issuer_arn"], principal));
        let violations = include_str!("queries/principal/violations.sql");
        let own = self.keep("principal_violations", violations, &who).await?;
        self.keep("principal_target", violations, &done_to_it).await?;
        let events = include_str!("queries/principal/events.sql");
        let judged = self.keep("principal_events", events, &is(&["principal_arn"])).await?;
        self.keep("principal_changes", include_str!("queries/principal/changes.sql"), "").await?;
        let of_repairs = format!("{} OR {target}", is(&["principal_arn"]));
        Ok(PrincipalStory {
            principal: principal.to_owned(),
            lake: lake.to_owned(),
            period: span.map(Span::label),
            cut: own.max(judged) >= MOST_ROWS,
            totals: self.rows(include_str!("queries/principal/totals.sql")).await?.pop(),
            accounts: self.seen("account_id").await?,
            regions: self.seen("aws_region").await?,
            identities: self.seen("principal_arn").await?,
            source_addresses: self.seen("source_ip_address").await?,
            user_agents: self.seen("user_agent").await?,
            access_keys: self.seen("access_key_id").await?,
            calls: self.rows(include_str!("queries/principal/calls.sql")).await?,
            rules: self.rows(include_str!("queries/principal/rules.sql")).await?,
            violations: self.described("principal_violations").await?,
            done_to_it: self.described("principal_target").await?,
            repairs: self.rows(&self.filled(include_str!("queries/principal/repairs.sql"), &of_repairs)).await?,
            left_out: self.tables.left_out(),
        })
    }

    /// Answers a query into a table of its own, and says how many rows it has.
    async fn keep(&mut self, name: &str, sql: &str, who: &str) -> Result<usize, AnalyticsError> {
        let answer = self.tables.query(&self.filled(sql, who)).await?;
        (self.step)();
        let rows = answer.batches.iter().map(|batch| batch.num_rows()).sum();
        self.tables.keep(name, vec![answer])?;
        Ok(rows)
    }

    async fn rows<T: DeserializeOwned>(&mut self, sql: &str) -> Result<Vec<T>, AnalyticsError> {
        let rows = self.tables.rows(sql).await?;
        (self.step)();
        Ok(rows)
    }

    async fn seen(&mut self, column: &str) -> Result<Vec<Seen>, AnalyticsError> {
        self.rows(&fill(include_str!("queries/principal/seen.sql"), |_| column.to_owned())).await
    }

    async fn described(&mut self, table: &str) -> Result<Vec<Serious>, AnalyticsError> {
        let shown = |name: &str| if name == "table" { table.to_owned() } else { SHOWN.to_string() };
        self.rows(&fill(include_str!("queries/principal/done.sql"), shown)).await
    }

    fn filled(&self, sql: &str, who: &str) -> String {
        fill(sql, |name| match name {
            "days" => self.days.clone(),
            "most" => MOST_ROWS.to_string(),
            "shown" => SHOWN.to_string(),
            _ => who.to_owned(),
        })
    }
}

/// Holds for a row that names the principal in one of the columns, and, unlike `=`, never is null.
fn is_any(columns: &[&str], principal: &str) -> String {
    let equal = |name: &&str| format!("COALESCE({name}, '') = {}", literal(principal));
    columns.iter().map(equal).collect::<Vec<_>>().join(" OR ")
}
