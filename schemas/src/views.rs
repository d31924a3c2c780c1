//! Views that answer what is asked most often, over the views that show each row once. Their SQL is written once, in the
//! dialect that Athena and DataFusion share.

use crate::columns::Kind::{BigInt, Text, Timestamp};
use crate::columns::{Column, optional, required};

/// A view over other views.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct View {
    /// Its name.
    pub name: &'static str,
    /// One line about a row.
    pub description: &'static str,
    /// Its columns in order.
    pub columns: &'static [Column],
    file: &'static str,
}

impl View {
    /// The SELECT of the view, which reads `FROM violations` once.
    pub fn select(&self) -> String {
        let statement = self.file.lines().skip_while(|line| line.starts_with("--"));
        statement.map(|line| format!("{line}\n")).collect()
    }

    /// The statement that makes the view, in Athena and elsewhere.
    pub fn statement(&self) -> String {
        format!("CREATE OR REPLACE VIEW {} AS\n{}", self.name, self.select())
    }
}

const YEAR: Column = required("year", Text, "Year of the event, UTC");
const MONTH: Column = required("month", Text, "Month of the event, two digits");
const DAY: Column = required("day", Text, "Day of the event, two digits");
const PRINCIPAL: Column = required("principal", Text, "ARN, else name of the caller");
const VIOLATIONS: Column = required("violations", BigInt, "Reported violations");
const ATTEMPTS: Column = required("attempts", BigInt, "Of these, failed calls");
const ACCOUNTS: Column = required("accounts", BigInt, "Different accounts");
const ADDRESSES: Column = required("source_addresses", BigInt, "Different source addresses");
const FIRST_SEEN: Column = optional("first_seen", Timestamp, "Time of the first of these events, UTC");
const LAST_SEEN: Column = optional("last_seen", Timestamp, "Time of the last of these events, UTC");

/// Violations of each day and severity.
pub const VIOLATION_TRENDS: View = View {
    name: "violation_trends",
    description: "One row for each day and severity that has violations",
    columns: &[
        YEAR,
        MONTH,
        DAY,
        required("severity", Text, "LOW, MEDIUM, HIGH or CRITICAL"),
        VIOLATIONS,
        ATTEMPTS,
        required("suppressed", BigInt, "Violations that a suppression held back"),
        required("new_access", BigInt, "Reported changes that granted what was not granted before"),
        required("rules", BigInt, "Different rules of reported violations"),
        ACCOUNTS,
    ],
    file: include_str!("views/violation_trends.sql"),
};

/// Principals to look at, by month.
pub const HIGH_RISK_PRINCIPALS: View = View {
    name: "high_risk_principals",
    description: "One row for each month and principal with more than 3 reported violations or more than 2 rules",
    columns: &[
        YEAR,
        MONTH,
        PRINCIPAL,
        required("severity", Text, "The highest severity among its violations"),
        VIOLATIONS,
        ATTEMPTS,
        required("new_access", BigInt, "Reported changes that granted what was not granted before"),
        required("rules", BigInt, "Different rules"),
        ACCOUNTS,
        ADDRESSES,
        FIRST_SEEN,
        LAST_SEEN,
    ],
    file: include_str!("views/high_risk_principals.sql"),
};

/// Days on which a principal behaved as attackers do.
pub const POLICY_ATTACK_PATTERNS: View = View {
    name: "policy_attack_patterns",
    description: "One row for each day and principal with many changes, several source addresses or many failed calls",
    columns: &[
        YEAR,
        MONTH,
        DAY,
        PRINCIPAL,
        required("pattern", Text, "What is conspicuous, in words"),
        required("changes", BigInt, "Different events that were carried out"),
        required("attempts", BigInt, "Different events that failed"),
        VIOLATIONS,
        ACCOUNTS,
        ADDRESSES,
        FIRST_SEEN,
        LAST_SEEN,
    ],
    file: include_str!("views/policy_attack_patterns.sql"),
};

/// Every view over other views.
pub const VIEWS: [&View; 3] = [&VIOLATION_TRENDS, &HIGH_RISK_PRINCIPALS, &POLICY_ATTACK_PATTERNS];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_view_reads_the_violations_at_one_place_so_that_a_reader_can_narrow_them() {
        for view in VIEWS {
            assert_eq!(view.select().matches("FROM violations\n").count(), 1, "{}", view.name);
            assert!(["SELECT\n", "WITH "].iter().any(|word| view.select().starts_with(word)), "{}", view.name);
        }
    }
}
