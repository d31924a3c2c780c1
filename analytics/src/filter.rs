//! Which violations and repairs a report is about.

use schemas::CANARY_RULE;
use serde::Serialize;

/// What a violation must have to be counted: one of the values of each list that is not empty. Values are exact.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Filter {
    /// Account ids.
    pub accounts: Vec<String>,
    /// Rule names.
    pub rules: Vec<String>,
    /// `LOW`, `MEDIUM`, `HIGH` or `CRITICAL`.
    pub severities: Vec<String>,
    /// ARNs or names of callers, or ARNs of the roles whose sessions they used.
    pub principals: Vec<String>,
}

/// Columns of `violations` that may name the principal.
const OF_VIOLATIONS: [&str; 3] = ["principal_arn", "principal_name", "session_issuer_arn"];
/// The same of `remediation_logs`.
const OF_REPAIRS: [&str; 1] = ["principal_arn"];

impl Filter {
    /// True when nothing is left out.
    pub fn is_empty(&self) -> bool {
        *self == Filter::default()
    }

    /// What the filter asks for, for people: `account 111122223333`.
    pub(crate) fn described(&self) -> Vec<String> {
        let lists = [
            ("account", &self.accounts),
            ("rule", &self.rules),
            ("severity", &self.severities),
            ("principal", &self.principals),
        ];
        let named = lists.into_iter().filter(|(_, values)| !values.is_empty());
        named.map(|(name, values)| format!("{name} {}", values.join(" or "))).collect()
    }

    /// More conditions for a query of `violations`, each preceded by `AND`. The canary is no violation of anybody, and only
    /// counted when it is asked for.
    pub(crate) fn of_violations(&self) -> String {
        let mut sql = self.conditions(&OF_VIOLATIONS);
        if self.rules.is_empty() {
            sql.push_str(&format!(" AND (rule_name <> {})", literal(CANARY_RULE)));
        }
        sql
    }

    /// The same for `remediation_logs`.
    pub(crate) fn of_repairs(&self) -> String {
        self.conditions(&OF_REPAIRS)
    }

    fn conditions(&self, principal: &[&str]) -> String {
        let mut sql = String::new();
        for (columns, values) in [
            (["account_id"].as_slice(), &self.accounts),
            (&["rule_name"], &self.rules),
            (&["severity"], &self.severities),
            (principal, &self.principals),
        ] {
            if !values.is_empty() {
                let list = values.iter().map(|value| literal(value)).collect::<Vec<_>>().join(", ");
                let any = columns.iter().map(|column| format!("{column} IN ({list})")).collect::<Vec<_>>();
                sql.push_str(&format!(" AND ({})", any.join(" OR ")));
            }
        }
        sql
    }
}

/// A text as SQL writes it. The quote is the only character with a meaning inside, in DataFusion and in Athena.
pub(crate) fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_one_list_are_alternatives_and_lists_must_all_hold() {
        let filter = Filter {
            accounts: vec!["1".to_owned(), "2".to_owned()],
            principals: vec!["o'brien".to_owned()],
            ..Filter::default()
        };
        assert_eq!(filter.of_repairs(), " AND (account_id IN ('1', '2')) AND (principal_arn IN ('o''brien'))");
        assert_eq!(filter.described(), ["account 1 or 2", "principal o'brien"]);
        assert_eq!((Filter::default().of_repairs().as_str(), Filter::default().is_empty()), ("", true));
    }

    #[test]
    fn the_canary_is_counted_only_when_it_is_asked_for() {
        assert_eq!(Filter::default().of_violations(), " AND (rule_name <> 'Canary')");
        let asked = Filter { rules: vec![CANARY_RULE.to_owned()], ..Filter::default() };
        assert_eq!(asked.of_violations(), " AND (rule_name IN ('Canary'))");
    }
}
