//! `remediator-config.json`: what may be repaired. Read whole and checked before anything is done; a file that cannot be
//! read or says something unclear allows nothing.

use std::collections::{BTreeMap, BTreeSet};

use chrono::TimeDelta;
use detection::Remediation;
use serde::Deserialize;

use crate::pattern::Pattern;

/// Largest file, bytes.
pub(crate) const MAX_CONFIG_BYTES: usize = 1024 * 1024;
/// Longest list of patterns.
pub(crate) const MAX_PATTERNS: usize = 1_000;
/// Largest budget: one object is kept for each action of a window.
pub(crate) const MAX_RATE: u32 = 10_000;

/// Longest grace: each time a waiting message comes back, after a quarter of an hour at most, uses up a try of its claim.
pub(crate) const MAX_GRACE_MINUTES: u32 = 720;

/// What is wrong with the file; every fault at once.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ConfigError(pub String);

/// The file as written. Unknown keys are faults: a misspelt safety check must not pass for one.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    #[serde(default = "yes")]
    dry_run: bool,
    #[serde(default)]
    allowed_actions: Vec<String>,
    #[serde(default)]
    safety_checks: SafetyChecks,
    #[serde(default)]
    protected_policies: Vec<String>,
    #[serde(default)]
    rate_limits: RateLimits,
    #[serde(default)]
    accounts: Lists,
    #[serde(default)]
    organizational_units: Lists,
    #[serde(default)]
    tags: TagLists,
    #[serde(default)]
    own_roles: Vec<String>,
    #[serde(default)]
    circuit_breaker: BreakerDocument,
    #[serde(default)]
    returning_changes: ReturnsDocument,
    #[serde(default)]
    grace_minutes: BTreeMap<String, u32>,
}

fn yes() -> bool {
    true
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct SafetyChecks {
    #[serde(default)]
    exclude_patterns: Vec<String>,
    #[serde(default)]
    protected_policies: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RateLimits {
    actions_per_minute: u32,
    actions_per_hour: u32,
    account_actions_per_minute: Option<u32>,
    account_actions_per_hour: Option<u32>,
    when_spent: WhenSpent,
}

impl Default for RateLimits {
    fn default() -> RateLimits {
        RateLimits {
            actions_per_minute: 5,
            actions_per_hour: 50,
            account_actions_per_minute: None,
            account_actions_per_hour: None,
            when_spent: WhenSpent::Delay,
        }
    }
}

/// What happens to a repair whose budget is spent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WhenSpent {
    /// It is tried again later.
    #[default]
    Delay,
    /// It is skipped, logged and announced.
    Skip,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Lists {
    allow: Vec<String>,
    deny: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct TagLists {
    require: BTreeMap<String, String>,
    deny: BTreeMap<String, String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct BreakerDocument {
    failures: u32,
    within_minutes: u32,
    requests_per_minute: Option<u32>,
}

impl Default for BreakerDocument {
    fn default() -> BreakerDocument {
        BreakerDocument { failures: 5, within_minutes: 10, requests_per_minute: None }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct ReturnsDocument {
    limit: u32,
    within_hours: u32,
}

impl Default for ReturnsDocument {
    fn default() -> ReturnsDocument {
        ReturnsDocument { limit: 3, within_hours: 24 }
    }
}

/// The checked configuration.
#[derive(Debug, Clone)]
pub struct Config {
    /// Nothing is changed, it is only said what would be.
    pub dry_run: bool,
    /// Actions that may be taken.
    pub allowed: BTreeSet<&'static str>,
    /// Callers and targets that are left alone.
    pub excluded: Vec<Pattern>,
    /// Policies that are left alone.
    pub protected: Vec<Pattern>,
    /// Accounts that are acted in; all when empty.
    pub accounts: Vec<Pattern>,
    /// Accounts that are left alone.
    pub accounts_denied: Vec<Pattern>,
    /// Organizational units, or roots, one of which must hold the account, at any depth; all when empty.
    pub units: Vec<Pattern>,
    /// Organizational units whose accounts are left alone, at any depth.
    pub units_denied: Vec<Pattern>,
    /// Tags that a target must have.
    pub tags_required: BTreeMap<String, Pattern>,
    /// Tags that keep a target out.
    pub tags_denied: BTreeMap<String, Pattern>,
    /// Further roles of this system, by name.
    pub own_roles: Vec<Pattern>,
    /// The budgets.
    pub rates: Rates,
    /// When the circuit breaker opens.
    pub breaker: Breaker,
    /// So many repairs of the same change within so long, then nobody repairs it automatically.
    pub returns: (u32, TimeDelta),
    /// How long repairs of a rule wait.
    pub grace: BTreeMap<String, TimeDelta>,
}

/// How many repairs are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rates {
    /// In a minute, everywhere.
    pub per_minute: u32,
    /// In an hour, everywhere.
    pub per_hour: u32,
    /// In a minute, in one account.
    pub account_per_minute: u32,
    /// In an hour, in one account.
    pub account_per_hour: u32,
    /// What happens beyond.
    pub when_spent: WhenSpent,
}

/// When the circuit breaker opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Breaker {
    /// So many failed repairs.
    pub failures: u32,
    /// Within so long.
    pub within: TimeDelta,
    /// So many repairs asked for in one minute.
    pub requests_per_minute: Option<u32>,
}

impl Config {
    /// Reads the file. `allowed_by_environment` narrows the allowed actions further.
    pub fn read(text: &str, allowed_by_environment: Option<&[String]>) -> Result<Config, ConfigError> {
        if text.len() > MAX_CONFIG_BYTES {
            return Err(ConfigError(format!("it has more than {MAX_CONFIG_BYTES} bytes")));
        }
        // A list would be taken for the fields in their order.
        if !text.trim_start().starts_with('{') {
            return Err(ConfigError("it is no JSON object".to_owned()));
        }
        let document: Document = serde_json::from_str(text).map_err(|error| ConfigError(error.to_string()))?;
        let mut faults = Faults(Vec::new());
        let listed = faults.actions("allowed_actions", &document.allowed_actions);
        let narrowed = allowed_by_environment.map(|words| faults.actions("ALLOWED_ACTIONS", words));
        let allowed = match narrowed {
            Some(narrowed) => listed.intersection(&narrowed).copied().collect(),
            None => listed,
        };
        let rates = faults.rates(&document.rate_limits);
        let breaker = faults.breaker(&document.circuit_breaker);
        let protected: Vec<String> =
            document.protected_policies.iter().chain(&document.safety_checks.protected_policies).cloned().collect();
        let returning = &document.returning_changes;
        faults.must(returning.limit > 0, "returning_changes.limit must be above zero");
        faults.must((1..=8_760).contains(&returning.within_hours), "returning_changes.within_hours must be 1 to 8760");
        let is_short = |minutes: &u32| *minutes <= MAX_GRACE_MINUTES;
        faults.must(
            document.grace_minutes.values().all(is_short),
            &format!("grace_minutes: at most {MAX_GRACE_MINUTES}"),
        );
        let minutes = |(rule, minutes): (&String, &u32)| (rule.clone(), TimeDelta::minutes(i64::from(*minutes)));
        let config = Config {
            dry_run: document.dry_run,
            allowed,
            excluded: faults.patterns("safety_checks.exclude_patterns", &document.safety_checks.exclude_patterns),
            protected: faults.patterns("protected_policies", &protected),
            accounts: faults.whole_patterns("accounts.allow", &document.accounts.allow),
            accounts_denied: faults.whole_patterns("accounts.deny", &document.accounts.deny),
            units: faults.units("organizational_units.allow", &document.organizational_units.allow),
            units_denied: faults.units("organizational_units.deny", &document.organizational_units.deny),
            tags_required: faults.tags("tags.require", &document.tags.require),
            tags_denied: faults.tags("tags.deny", &document.tags.deny),
            own_roles: faults.whole_patterns("own_roles", &document.own_roles),
            rates,
            breaker,
            returns: (returning.limit, TimeDelta::hours(i64::from(returning.within_hours))),
            grace: document.grace_minutes.iter().map(minutes).collect(),
        };
        if faults.0.is_empty() { Ok(config) } else { Err(ConfigError(faults.0.join("; "))) }
    }

    /// Whether it depends on the organizational unit of an account what may be done there.
    pub fn asks_for_units(&self) -> bool {
        !self.units.is_empty() || !self.units_denied.is_empty()
    }
}

struct Faults(Vec<String>);

impl Faults {
    fn must(&mut self, holds: bool, otherwise: &str) {
        if !holds {
            self.0.push(otherwise.to_owned());
        }
    }

    fn actions(&mut self, field: &str, words: &[String]) -> BTreeSet<&'static str> {
        let mut actions = BTreeSet::new();
        for word in words {
            match Remediation::ALL.into_iter().find(|action| action.as_str() == word) {
                Some(action) => drop(actions.insert(action.as_str())),
                None => self.0.push(format!("{field}: {word:?} is no action")),
            }
        }
        actions
    }

    fn patterns(&mut self, field: &str, texts: &[String]) -> Vec<Pattern> {
        self.read_patterns(field, texts, Pattern::part)
    }

    fn whole_patterns(&mut self, field: &str, texts: &[String]) -> Vec<Pattern> {
        self.read_patterns(field, texts, Pattern::whole)
    }

    /// Ids, as Organizations knows them: a name would match nothing, and a denied name would deny nothing.
    fn units(&mut self, field: &str, texts: &[String]) -> Vec<Pattern> {
        for text in texts.iter().filter(|text| !text.starts_with("ou-") && !text.starts_with("r-")) {
            self.0.push(format!(
                "{field}: {text:?} is no id of an organizational unit or root, such as ou-ab12-34cd56ef"
            ));
        }
        self.whole_patterns(field, texts)
    }

    fn read_patterns(
        &mut self,
        field: &str,
        texts: &[String],
        read: impl Fn(&str) -> Result<Pattern, String>,
    ) -> Vec<Pattern> {
        self.must(texts.len() <= MAX_PATTERNS, &format!("{field} has more than {MAX_PATTERNS} entries"));
        let mut patterns = Vec::new();
        for text in texts.iter().take(MAX_PATTERNS) {
            match read(text) {
                Ok(pattern) => patterns.push(pattern),
                Err(reason) => self.0.push(format!("{field}: {reason}")),
            }
        }
        patterns
    }

    fn tags(&mut self, field: &str, tags: &BTreeMap<String, String>) -> BTreeMap<String, Pattern> {
        let mut read = BTreeMap::new();
        for (key, value) in tags {
            match Pattern::whole(value) {
                Ok(pattern) => drop(read.insert(key.clone(), pattern)),
                Err(reason) => self.0.push(format!("{field}.{key}: {reason}")),
            }
        }
        read
    }

    fn rates(&mut self, limits: &RateLimits) -> Rates {
        let rates = Rates {
            per_minute: limits.actions_per_minute,
            per_hour: limits.actions_per_hour,
            account_per_minute: limits.account_actions_per_minute.unwrap_or(limits.actions_per_minute),
            account_per_hour: limits.account_actions_per_hour.unwrap_or(limits.actions_per_hour),
            when_spent: limits.when_spent,
        };
        let all = [rates.per_minute, rates.per_hour, rates.account_per_minute, rates.account_per_hour];
        self.must(all.iter().all(|rate| *rate <= MAX_RATE), &format!("rate_limits: at most {MAX_RATE}"));
        rates
    }

    fn breaker(&mut self, document: &BreakerDocument) -> Breaker {
        self.must(document.failures > 0, "circuit_breaker.failures must be above zero");
        self.must((1..=1_440).contains(&document.within_minutes), "circuit_breaker.within_minutes must be 1 to 1440");
        self.must(
            document.requests_per_minute.is_none_or(|rate| (1..=MAX_RATE).contains(&rate)),
            &format!("circuit_breaker.requests_per_minute must be 1 to {MAX_RATE}"),
        );
        Breaker {
            failures: document.failures,
            within: TimeDelta::minutes(i64::from(document.within_minutes)),
            requests_per_minute: document.requests_per_minute,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_that_users_have_is_read_and_both_places_of_protected_policies_count() {
        let text = r#"{"dry_run": false, "allowed_actions": ["detach_policy"],
            "safety_checks": {"exclude_patterns": [":root"], "protected_policies": ["ReadOnly"]},
            "protected_policies": ["arn:aws:iam::aws:policy/Support"],
            "rate_limits": {"actions_per_minute": 7, "actions_per_hour": 70}}"#;
        let config = Config::read(text, None).unwrap();
        assert!(!config.dry_run && config.allowed.contains("detach_policy") && config.allowed.len() == 1);
        assert_eq!((config.protected.len(), config.excluded.len()), (2, 1));
        assert_eq!((config.rates.per_minute, config.rates.account_per_hour), (7, 70));
    }

    #[test]
    fn the_file_that_ships_is_read_and_is_a_dry_run() {
        let config = Config::read(include_str!("../../config/remediator-config.json"), None).unwrap();
        assert!(config.dry_run && !config.allowed.is_empty());
    }

    #[test]
    fn an_empty_object_is_a_dry_run_that_allows_nothing() {
        let config = Config::read("{}", None).unwrap();
        assert!(config.dry_run && config.allowed.is_empty());
    }

    #[test]
    fn the_environment_narrows_the_allowed_actions_and_never_widens_them() {
        let text = r#"{"allowed_actions": ["detach_policy", "delete_policy"]}"#;
        let words = ["delete_policy".to_owned(), "quarantine_policy".to_owned()];
        let allowed = Config::read(text, Some(&words)).unwrap().allowed;
        assert_eq!(allowed.into_iter().collect::<Vec<_>>(), ["delete_policy"]);
    }

    #[test]
    fn what_is_unclear_is_a_fault_and_every_fault_is_told() {
        for (text, told) in [
            ("", "no JSON object"),
            ("{", "EOF"),
            ("[false]", "no JSON object"),
            (r#"{"safety_check": {}}"#, "unknown field `safety_check`"),
            (r#"{"allowed_actions": ["detach"], "safety_checks": {"exclude_patterns": ["^a$"]}}"#, "no action"),
            (
                r#"{"allowed_actions": ["detach"], "safety_checks": {"exclude_patterns": ["^a$"]}}"#,
                "regular expression",
            ),
            (r#"{"safety_checks": {"exclude_patterns": [""]}}"#, "empty"),
            (r#"{"rate_limits": {"actions_per_minute": 10001}}"#, "at most 10000"),
            (r#"{"rate_limits": {"actions_per_minute": -1}}"#, "invalid value"),
            (r#"{"circuit_breaker": {"failures": 0}}"#, "above zero"),
            (r#"{"organizational_units": ["ou-1"]}"#, "expected a sequence"),
            (r#"{"organizational_units": {"deny": ["Production"]}}"#, "\"Production\" is no id"),
            (r#"{"organizational_units": {"denied": []}}"#, "unknown field `denied`"),
            (r#"{"grace_minutes": {"R": 721}}"#, "at most 720"),
        ] {
            let error = Config::read(text, None).unwrap_err().to_string();
            assert!(error.contains(told), "{text}: {error}");
        }
        assert!(Config::read(r#"{"rate_limits": {"actions_per_minute": 10000}}"#, None).is_ok());
        assert!(Config::read(r#"{"grace_minutes": {"R": 720}}"#, None).is_ok());
        assert!(Config::read(&" ".repeat(MAX_CONFIG_BYTES + 1), None).is_err());
    }

    #[test]
    fn lists_of_patterns_have_a_limit() {
        let list = |count: usize| {
            let entries = vec!["\"a\""; count].join(",");
            Config::read(&format!(r#"{{"protected_policies": [{entries}]}}"#), None)
        };
        assert!(list(MAX_PATTERNS).is_ok());
        assert!(list(MAX_PATTERNS + 1).is_err());
    }
}
