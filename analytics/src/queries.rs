//! The queries of the report, one `.sql` file each, in the dialect that DataFusion and Athena share.
//!
//! `facts.sql` reads the lake once for each month and counts violations by everything the report groups by.
//! The sections then read `facts`, a table of counts, and never the lake again. Every query has a total order.

use crate::month::Month;

/// Which month a query is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Period {
    /// The month of the report.
    Now,
    /// The month before it.
    Before,
}

impl Period {
    /// The value of the column `period` of `facts`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Period::Now => "now",
            Period::Before => "before",
        }
    }
}

/// Counts of violations by everything the report groups by. Needs [`for_month`].
pub(crate) const FACTS: &str = include_str!("queries/facts.sql");
/// One row for each period that has violations.
pub(crate) const SUMMARY: &str = include_str!("queries/summary.sql");
/// One row for each day that has reported violations.
pub(crate) const BY_DAY: &str = include_str!("queries/by_day.sql");
/// One row for each rule of either month.
pub(crate) const BY_RULE: &str = include_str!("queries/by_rule.sql");
/// One row for each account of either month.
pub(crate) const BY_ACCOUNT: &str = include_str!("queries/by_account.sql");
/// One row for each high-risk principal.
pub(crate) const HIGH_RISK_PRINCIPALS: &str = include_str!("queries/high_risk_principals.sql");
/// The most serious violations themselves. Needs [`for_month`].
pub(crate) const MOST_SERIOUS: &str = include_str!("queries/most_serious.sql");
/// One row for each suppression that held something back in either month.
pub(crate) const SUPPRESSIONS: &str = include_str!("queries/suppressions.sql");
/// One row for each action of the remediator. Needs [`for_month`].
pub(crate) const REMEDIATION: &str = include_str!("queries/remediation.sql");

/// The query about one month. A [`Month`] is digits only, so nothing can be injected.
pub(crate) fn for_month(query: &str, month: Month, period: Period) -> String {
    query.replace("{year}", &month.year()).replace("{month}", &month.month()).replace("{period}", period.name())
}
