//! All rules of a file, indexed by the events they name.

use super::case::{Case, needs};
use super::check::Check;
use super::documents::{DocumentRequest, Documents};
use super::leaf::Leaf;
use super::memory::Memory;
use super::policy_answers::{Evidence, grows};
use super::read::read_rules;
use super::rule::{Explained, Rule};
use super::truth::Truth;
use crate::change::Change;
use crate::event::{CloudTrailEvent, base_name};
use crate::yaml::{Fault, Level};
use hashbrown::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// The rules of a file, compiled once. An event that no rule names costs two hash look-ups.
#[derive(Debug, Clone, Default)]
pub struct RuleSet {
    rules: Vec<Rule>,
    /// Event name to the rules that name it, in the order of the file; a source narrows it.
    by_name: HashMap<String, Vec<Wanted>>,
    warnings: Vec<Fault>,
}

#[derive(Debug, Clone)]
struct Wanted {
    source: Option<String>,
    rule: usize,
}

/// A rule that matches an event.
#[derive(Debug, Clone)]
pub struct RuleMatch<'r> {
    /// The rule.
    pub rule: &'r Rule,
    /// [`Truth::Must`] or [`Truth::May`].
    pub truth: Truth,
    /// What the policy conditions rest on; empty for rules without any.
    pub evidence: Vec<Evidence>,
}

/// A rule whose evaluation failed. The event's other rules were evaluated all the same.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("rule {rule} failed on event {event_id}: {reason}; report this with the event")]
pub struct RuleError {
    /// Name of the rule.
    pub rule: String,
    /// eventID of the event.
    pub event_id: String,
    /// What went wrong.
    pub reason: String,
}

/// What the rules say to one event.
#[derive(Debug, Clone, Default)]
pub struct Evaluation<'r> {
    /// Every rule that matches, in the order of the file.
    pub matches: Vec<RuleMatch<'r>>,
    /// Rules that could not be decided, as a document they need is not visible.
    pub undecided: Vec<&'r Rule>,
    /// Rules whose evaluation failed.
    pub errors: Vec<RuleError>,
    /// Whether the document grants what the one before did not; `None` when they could not be compared, or no rule
    /// matched and nobody asks.
    pub new_access: Option<bool>,
}

impl RuleSet {
    /// Reads rules.yaml. With any error the file is refused, and all of its faults are told.
    pub fn load(text: &str, file: &str) -> Result<RuleSet, Vec<Fault>> {
        let (read, faults) = read_rules(text, file);
        if faults.iter().any(|fault| fault.level == Level::Error) {
            return Err(faults);
        }
        let mut set = RuleSet { warnings: faults, ..RuleSet::default() };
        for (rule, events) in read {
            let index = set.rules.len();
            for (source, name) in events.names {
                set.by_name.entry(name).or_default().push(Wanted { source, rule: index });
            }
            set.rules.push(rule);
        }
        Ok(set)
    }

    /// The rules in the order of the file.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// The rule of that name.
    pub fn rule(&self, name: &str) -> Option<&Rule> {
        self.rules.iter().find(|rule| rule.name == name)
    }

    /// What a person should look at in the file, though it loaded.
    pub fn warnings(&self) -> &[Fault] {
        &self.warnings
    }

    /// Every event name some rule wants, in no order. Lambda's names also come with a version date appended;
    /// [`base_name`] takes it off.
    pub fn event_names(&self) -> impl Iterator<Item = &str> {
        self.by_name.keys().map(String::as_str)
    }

    /// Whether any rule wants events of this source and name.
    pub fn wants(&self, event_source: &str, event_name: &str) -> bool {
        !self.naming(event_source, event_name).is_empty()
    }

    /// Whether the event is of interest: some rule names it. Of data events, such as every upload to a bucket, only those
    /// count that a rule may match: there can be thousands for each call that changes privilege.
    pub fn wants_event(&self, event: &CloudTrailEvent<'_>, change: Option<&Change<'_>>) -> bool {
        let naming = self.naming(&event.event_source, &event.event_name);
        if !event.is_data_event() {
            return !naming.is_empty();
        }
        let (documents, memory) = (Documents::none(), Memory::default());
        let case = Case::new(event, change, &documents, &memory);
        // A rule that fails here fails again where it is held against the event, and is told there.
        naming.iter().any(|rule| rule.may_match(&case).unwrap_or(true))
    }

    /// What has to be fetched so that the rules can judge the event, of which `change` was read; empty when everything
    /// is at hand.
    pub fn needs(&self, event: &CloudTrailEvent<'_>, change: Option<&Change<'_>>) -> Vec<DocumentRequest> {
        let (documents, memory) = (Documents::none(), Memory::default());
        let case = Case::new(event, change, &documents, &memory);
        // Most events carry their document, and then no rule has to be asked.
        let at_most = needs(&case, true);
        if at_most.is_empty() {
            return at_most;
        }
        let naming = self.naming(&event.event_source, &event.event_name).into_iter();
        let reading = naming.filter(|rule| rule.checks.iter().any(Check::reads_document));
        let reading: Vec<&Rule> = reading.filter(|rule| rule.may_match(&case).unwrap_or(false)).collect();
        if reading.is_empty() {
            return Vec::new();
        }
        let compares = reading.iter().any(|rule| rule.checks.iter().any(|check| check.asks(&Leaf::compares)));
        if compares { at_most } else { needs(&case, false) }
    }

    /// Holds the event against every rule that names it.
    pub fn evaluate<'r>(
        &'r self,
        event: &CloudTrailEvent<'_>,
        change: Option<&Change<'_>>,
        documents: &Documents,
    ) -> Evaluation<'r> {
        self.evaluate_case(&Case::new(event, change, documents, &Memory::default()))
    }

    /// Holds a case against every rule that names its event.
    pub(crate) fn evaluate_case<'r>(&'r self, case: &Case<'_>) -> Evaluation<'r> {
        let event = case.event;
        let mut evaluation = Evaluation::default();
        for rule in self.naming(&event.event_source, &event.event_name) {
            // A fault of our own in one rule must not blind the others; a half-filled cache of the case is harmless,
            // as each cell is filled whole or not at all.
            match catch_unwind(AssertUnwindSafe(|| rule.judge(case))) {
                Ok((Truth::No, _)) => {}
                Ok((Truth::Unknown, _)) => evaluation.undecided.push(rule),
                Ok((truth, evidence)) => evaluation.matches.push(RuleMatch { rule, truth, evidence }),
                Err(panic) => evaluation.errors.push(RuleError {
                    rule: rule.name.clone(),
                    event_id: event.event_id().into_owned(),
                    reason: panic_text(panic.as_ref()),
                }),
            }
        }
        if !evaluation.matches.is_empty() {
            evaluation.new_access = catch_unwind(AssertUnwindSafe(|| grows(case))).unwrap_or_default();
        }
        evaluation
    }

    /// The services from which a rule expects events of the name of `event`.
    pub(crate) fn sources_of(&self, rule: &Rule, event: &serde_json::Value) -> Vec<String> {
        let name = event.get("eventName").and_then(serde_json::Value::as_str).unwrap_or_default();
        let wanted = self.by_name.get(name).map(Vec::as_slice).unwrap_or_default();
        let own = wanted.iter().filter(|wanted| self.rules.get(wanted.rule).is_some_and(|at| at.name == rule.name));
        own.filter_map(|wanted| wanted.source.clone()).collect()
    }

    /// The rules that name events of this source and name, in the order of the file.
    pub fn naming(&self, event_source: &str, event_name: &str) -> Vec<&Rule> {
        let base = base_name(event_name);
        let of = |name: &str| self.by_name.get(name).map(Vec::as_slice).unwrap_or_default();
        let versioned = if base == event_name { &[] } else { of(base) };
        let mut indexes: Vec<usize> = of(event_name)
            .iter()
            .chain(versioned)
            .filter(|wanted| wanted.source.as_deref().is_none_or(|source| source == event_source))
            .map(|wanted| wanted.rule)
            .collect();
        indexes.sort_unstable();
        indexes.dedup();
        indexes.into_iter().filter_map(|index| self.rules.get(index)).collect()
    }
}

impl Rule {
    /// Whether the conditions hold that need no document; `None` when the rule failed.
    fn may_match(&self, case: &Case<'_>) -> Option<bool> {
        let mut without_document = self.checks.iter().filter(|check| !check.reads_document());
        let mut holds = || without_document.all(|check| check.judge(case, &mut Vec::new()).holds());
        catch_unwind(AssertUnwindSafe(&mut holds)).ok()
    }

    /// Whether all conditions hold; stops at the first that does not.
    pub(super) fn judge(&self, case: &Case<'_>) -> (Truth, Vec<Evidence>) {
        let mut evidence = Vec::new();
        let mut weakest = Truth::Must;
        for check in &self.checks {
            weakest = weakest.min(check.judge(case, &mut evidence));
            if weakest == Truth::No {
                break;
            }
        }
        (weakest, evidence)
    }

    /// Every condition of the rule held against the event, whether it holds or not.
    pub fn explain(
        &self,
        event: &CloudTrailEvent<'_>,
        change: Option<&Change<'_>>,
        documents: &Documents,
    ) -> Vec<Explained> {
        let memory = Memory::default();
        let case = Case::new(event, change, documents, &memory);
        self.checks.iter().map(|check| check.explain(&case)).collect()
    }
}

impl Check {
    /// Whether the check may need a document that has to be fetched.
    fn reads_document(&self) -> bool {
        match self {
            Check::PolicyText { contains, .. } => !contains.is_empty(),
            Check::Policy(_) => true,
            _ => false,
        }
    }

    fn asks(&self, test: &dyn Fn(&Leaf) -> bool) -> bool {
        match self {
            Check::Policy(condition) => condition.any_leaf(test),
            _ => false,
        }
    }
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "it crashed".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO_RULES: &str = "
rules:
  - {name: Crashes, description: d, severity: HIGH, action: alert,
     conditions: {event_names: [CreateUser], drill: true, policy: {full_admin: true}}}
  - {name: Works, description: d, severity: HIGH, action: alert, conditions: {event_names: [CreateUser]}}
";

    #[test]
    fn a_data_event_is_of_interest_only_when_a_rule_may_match_it() {
        let rules = "
rules:
  - {name: PublicUpload, description: d, severity: HIGH, action: alert,
     conditions: {event_names: [PutObject], event_fields: {requestParameters.x-amz-acl: [public-read]}}}
";
        let set = RuleSet::load(rules, "rules.yaml").unwrap();
        let wants = |category: &str, acl: &str| {
            let raw = format!(
                r#"{{"eventName":"PutObject","eventSource":"s3.amazonaws.com","eventCategory":"{category}",
                    "eventTime":"2024-01-01T12:00:00Z","requestParameters":{{"x-amz-acl":"{acl}"}}}}"#
            );
            set.wants_event(&CloudTrailEvent::parse(&raw, None).unwrap(), None)
        };
        assert!(wants("Data", "public-read"));
        assert!(!wants("Data", "private"));
        assert!(wants("Management", "private"));
    }

    #[test]
    fn d3_d27_a_rule_that_crashes_is_reported_and_the_others_still_run() {
        let set = RuleSet::load(TWO_RULES, "rules.yaml").unwrap();
        assert!(set.warnings().iter().any(|fault| fault.to_string().contains("fails on purpose")));
        let raw = r#"{"eventName":"CreateUser","eventSource":"iam.amazonaws.com","eventID":"e1","eventTime":"2024-01-01T12:00:00Z"}"#;
        let event = CloudTrailEvent::parse(raw, None).unwrap();
        assert_eq!(set.needs(&event, None), Vec::new(), "a rule that crashes when it is asked for its needs has none");
        let evaluation = set.evaluate(&event, None, &Documents::none());
        let matched: Vec<&str> = evaluation.matches.iter().map(|matched| matched.rule.name()).collect();
        assert_eq!(matched, ["Works"]);
        let told: Vec<String> = evaluation.errors.iter().map(ToString::to_string).collect();
        assert_eq!(
            told,
            ["rule Crashes failed on event e1: it fails on purpose, as a drill; report this with the event"]
        );
    }
}
