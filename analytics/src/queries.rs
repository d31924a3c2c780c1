//! The queries of the report, one `.sql` file each, in the dialect that DataFusion and Athena share.
//!
//! `facts.sql` reads the lake once for each period and counts violations by everything the report groups by.
//! The sections then read `facts`, a table of counts, and never the lake again. Every query has a total order.

use schemas::POLICY_ATTACK_PATTERNS;

use crate::filter::{Filter, literal};
use crate::span::Span;

/// Which period a query is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Period {
    /// The period of the report.
    Now,
    /// The period before it.
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

/// Counts of violations by everything the report groups by. Needs [`about`].
pub(crate) const FACTS: &str = include_str!("queries/facts.sql");
/// One row for each period that has violations.
pub(crate) const SUMMARY: &str = include_str!("queries/summary.sql");
/// One row for each day that has reported violations.
pub(crate) const BY_DAY: &str = include_str!("queries/by_day.sql");
/// One row for each rule of either period.
pub(crate) const BY_RULE: &str = include_str!("queries/by_rule.sql");
/// One row for each account of either period.
pub(crate) const BY_ACCOUNT: &str = include_str!("queries/by_account.sql");
/// One row for each caller of either period, kept as the table `principals` for the two queries below.
pub(crate) const PRINCIPALS: &str = include_str!("queries/principals.sql");
/// One row for each high-risk principal.
pub(crate) const HIGH_RISK_PRINCIPALS: &str = include_str!("queries/high_risk_principals.sql");
/// One row for each of the callers with the most violations.
pub(crate) const BY_PRINCIPAL: &str = include_str!("queries/by_principal.sql");
/// The days on which the most serious violations are.
pub(crate) const SERIOUS_DAYS: &str = include_str!("queries/serious_days.sql");
/// The most serious violations themselves. Needs [`about_days`].
pub(crate) const MOST_SERIOUS: &str = include_str!("queries/most_serious.sql");
/// One row for each suppression that held something back in either period.
pub(crate) const SUPPRESSIONS: &str = include_str!("queries/suppressions.sql");
/// One row for each action of the remediator. Needs [`about`].
pub(crate) const REMEDIATION: &str = include_str!("queries/remediation.sql");

/// Changes of each day that granted new access.
pub(crate) const GRANTED: &str = include_str!("queries/granted.sql");
/// Of these, the ones that a repair took back. Needs [`about`].
pub(crate) const TAKEN_BACK: &str = include_str!("queries/taken_back.sql");
/// Repairs by the time they took. Needs [`about`].
pub(crate) const REPAIR_TIMES: &str = include_str!("queries/repair_times.sql");

/// The query about one period and what the filter lets through: `{violations}` and `{repairs}` become conditions.
pub(crate) fn about(query: &str, span: Span, filter: &Filter, period: Period) -> String {
    let filled = |name: &str| match name {
        "period" => period.name().to_owned(),
        "repairs" => format!("{}{}", span.condition(), filter.of_repairs()),
        _ => format!("{}{}", span.condition(), filter.of_violations()),
    };
    fill(query, filled)
}

/// The query about these days of a period, as `facts` has them, and what the filter lets through.
pub(crate) fn about_days(query: &str, span: Span, days: &[String], filter: &Filter) -> String {
    let days = days.iter().map(|day| literal(day)).collect::<Vec<_>>().join(", ");
    let on_days = format!("{} AND year || '-' || month || '-' || day IN ({days})", span.condition());
    fill(query, |_| format!("{on_days}{}", filter.of_violations()))
}

/// Days on which a principal did what attackers do: the shared view, which reads only what the filter lets through.
pub(crate) fn attack_patterns(span: Span, filter: &Filter) -> String {
    let narrowed = "FROM (SELECT * FROM violations WHERE {violations}) AS violations\n";
    let view = POLICY_ATTACK_PATTERNS.select().replacen("FROM violations\n", narrowed, 1);
    let query = include_str!("queries/attack_patterns.sql");
    let query = query.replacen("FROM patterns\n", &format!("FROM ({view}) AS patterns\n"), 1);
    about(&query, span, filter, Period::Now)
}

/// A query with its names in braces filled in, in one pass, so that braces in a value stay what they are.
pub(crate) fn fill(query: &str, value: impl Fn(&str) -> String) -> String {
    // Every second part stands in braces.
    let parts = query.split(['{', '}']).enumerate();
    parts.map(|(place, part)| if place % 2 == 0 { part.to_owned() } else { value(part) }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_of_the_filter_is_never_filled_in_itself() {
        let filter = Filter { rules: vec!["{violations}".to_owned()], ..Filter::default() };
        let month: crate::month::Month = "2024-01".parse().unwrap();
        let sql = about("WHERE {repairs} AND {violations}", month.into(), &filter, Period::Now);
        let condition = "year = '2024' AND month = '01' AND (rule_name IN ('{violations}'))";
        assert_eq!(sql, format!("WHERE {condition} AND {condition}"));
    }

    #[test]
    fn days_are_named_as_values_and_the_period_and_the_filter_hold_too() {
        let month: crate::month::Month = "2024-01".parse().unwrap();
        let days = ["2024-01-05".to_owned(), "2024-01-o'".to_owned()];
        let sql = about_days("WHERE {violations}", month.into(), &days, &Filter::default());
        let on_days = "year || '-' || month || '-' || day IN ('2024-01-05', '2024-01-o''')";
        assert_eq!(sql, format!("WHERE year = '2024' AND month = '01' AND {on_days} AND (rule_name <> 'Canary')"));
    }
}
