//! Counts what is different, event by event.

use std::collections::{BTreeMap, BTreeSet};

use chrono::SecondsFormat;
use detection::{Arrival, CloudTrailEvent, Documents, Judges, decide};
use schemas::{RuleAction, Severity};

use super::config::{Config, Side};
use super::{Account, Backtest, Changes, Example, Kind, RuleChanges, Undecided};

/// Differences kept for each rule and kind.
const EXAMPLES: usize = 3;
/// Reasons and failed rules kept; all of them are counted.
const PROBLEMS: usize = 20;

/// What a rule says to an event.
#[derive(Debug, Clone)]
pub(super) struct Verdict {
    pub(super) severity: Severity,
    /// No suppression holds it back.
    pub(super) reported: bool,
    pub(super) repair: Option<String>,
    pub(super) evidence: Option<String>,
}

/// What all rules of one side say to an event.
#[derive(Debug, Default)]
pub(super) struct Verdicts {
    pub(super) by_rule: BTreeMap<String, Verdict>,
    undecided: BTreeSet<String>,
}

#[derive(Default)]
struct Counted {
    changes: Changes,
    severity_before: Option<Severity>,
    severity_after: Option<Severity>,
}

/// Differences under construction.
pub(super) struct Tally<'c> {
    config: &'c Config,
    found: Backtest,
    counted: BTreeMap<(String, String), Counted>,
    examples: BTreeMap<(String, Kind), Vec<Example>>,
    undecided: BTreeMap<String, u64>,
    names: BTreeSet<(String, String)>,
}

impl<'c> Tally<'c> {
    pub(super) fn new(config: &'c Config) -> Tally<'c> {
        let against =
            config.old.as_ref().map_or_else(|| "the violations of the lake".to_owned(), |old| old.file.clone());
        let found = Backtest { rules: config.new.file.clone(), against, ..Backtest::default() };
        let (counted, examples) = (BTreeMap::new(), BTreeMap::new());
        Tally { config, found, counted, examples, undecided: BTreeMap::new(), names: BTreeSet::new() }
    }

    pub(super) fn config(&self) -> &'c Config {
        self.config
    }

    /// Whether what was before has to come from the lake.
    pub(super) fn compares_with_lake(&self) -> bool {
        self.config.old.is_none()
    }

    /// Takes an event; `before` is what the lake says of it, where that counts.
    pub(super) fn event(&mut self, event: &CloudTrailEvent<'_>, before: Option<Verdicts>) {
        let (source, name) = (&event.event_source, &event.event_name);
        let is_known = before.as_ref().is_some_and(|before| !before.by_rule.is_empty());
        let wants = |side: &Side| side.rules.wants(source, name);
        if !is_known && !wants(&self.config.new) && !self.config.old.as_ref().is_some_and(wants) {
            return;
        }
        self.found.events += 1;
        self.names.insert((source.to_string(), name.to_string()));
        let after = self.judge(event, &self.config.new);
        let before = match (&self.config.old, before) {
            (Some(old), _) => self.judge(event, old),
            (None, before) => before.unwrap_or_default(),
        };
        for rule in &after.undecided {
            *self.undecided.entry(rule.clone()).or_default() += 1;
        }
        let rules: BTreeSet<&String> = before.by_rule.keys().chain(after.by_rule.keys()).collect();
        for rule in rules {
            self.compare(event, rule, &before, &after);
        }
    }

    fn judge(&mut self, event: &CloudTrailEvent<'_>, side: &Side) -> Verdicts {
        if !side.rules.wants(&event.event_source, &event.event_name) {
            return Verdicts::default();
        }
        let judges = Judges { rules: &side.rules, suppressions: &side.suppressions };
        let decided = decide(event, judges, &Documents::none(), Arrival::default());
        let room = PROBLEMS.saturating_sub(self.found.rule_errors.len());
        self.found.rule_errors.extend(decided.errors.iter().take(room).map(|error| format!("{}: {error}", side.file)));
        let verdicts = decided.violations.into_iter().map(|violation| {
            let asks = violation.action == RuleAction::Remediate;
            let repair = violation.remediation_action.filter(|repair| asks && repair != "log_only");
            let evidence = Some(violation.evidence);
            (
                violation.rule_name,
                Verdict { severity: violation.severity, reported: !violation.suppressed, repair, evidence },
            )
        });
        Verdicts { by_rule: verdicts.collect(), undecided: decided.undecided.into_iter().collect() }
    }

    fn compare(&mut self, event: &CloudTrailEvent<'_>, rule: &str, before: &Verdicts, after: &Verdicts) {
        let reported = |verdicts: &Verdicts| verdicts.by_rule.get(rule).filter(|verdict| verdict.reported).cloned();
        let (was, is) = (reported(before), reported(after));
        if was.is_none() && is.is_none() {
            return;
        }
        let still_matches = after.by_rule.contains_key(rule);
        let is_undecided = !still_matches && after.undecided.contains(rule);
        let key = (rule.to_owned(), event.account_id().to_owned());
        let counted = self.counted.entry(key).or_default();
        counted.severity_before = counted.severity_before.max(was.as_ref().map(|verdict| verdict.severity));
        counted.severity_after = counted.severity_after.max(is.as_ref().map(|verdict| verdict.severity));
        let changes = &mut counted.changes;
        changes.before += u64::from(was.is_some());
        changes.after += u64::from(is.is_some());
        let mut kinds = Vec::new();
        match (&was, &is) {
            (None, Some(_)) => kinds.push(Kind::Appears),
            (Some(_), None) if is_undecided => kinds.push(Kind::Undecided),
            (Some(_), None) => {
                changes.held_back += u64::from(still_matches);
                kinds.push(Kind::Vanishes);
            }
            (Some(was), Some(is)) if was.severity != is.severity => {
                changes.raised += u64::from(is.severity > was.severity);
                changes.lowered += u64::from(is.severity < was.severity);
                kinds.push(Kind::Severity);
            }
            _ => {}
        }
        let asks = |verdict: &Option<Verdict>| verdict.as_ref().is_some_and(|verdict| verdict.repair.is_some());
        match (asks(&was), asks(&is)) {
            (false, true) => kinds.push(Kind::Repair),
            (true, false) if !is_undecided => kinds.push(Kind::NoRepair),
            _ => {}
        }
        for kind in kinds {
            match kind {
                Kind::Appears => changes.appear += 1,
                Kind::Vanishes => changes.vanish += 1,
                Kind::Undecided => changes.undecided += 1,
                Kind::Repair => changes.repair += 1,
                Kind::NoRepair => changes.no_repair += 1,
                Kind::Severity => {}
            }
            let kept = self.examples.entry((rule.to_owned(), kind)).or_default();
            if kept.len() < EXAMPLES {
                kept.push(example(event, rule, kind, is.as_ref()));
            }
        }
    }

    pub(super) fn unreadable(&mut self, reason: &str) {
        self.found.unreadable += 1;
        self.problem(reason.to_owned());
    }

    pub(super) fn problem(&mut self, reason: String) {
        if self.found.problems.len() < PROBLEMS {
            self.found.problems.push(reason);
        }
    }

    pub(super) fn not_stored(&mut self, violations: usize) {
        self.found.not_stored += violations as u64;
    }

    /// Everything counted, in the order of names.
    pub(super) fn finish(self) -> Backtest {
        let mut found = self.found;
        let mut accounts: BTreeMap<String, Changes> = BTreeMap::new();
        for ((rule_name, account_id), counted) in self.counted {
            found.totals.add(&counted.changes);
            accounts.entry(account_id.clone()).or_default().add(&counted.changes);
            let account = Account { account_id, changes: counted.changes };
            let (before, after) = (counted.severity_before, counted.severity_after);
            match found.by_rule.last_mut().filter(|last| last.rule_name == rule_name) {
                Some(rule) => {
                    rule.changes.add(&counted.changes);
                    rule.severity_before = highest(rule.severity_before, before);
                    rule.severity_after = highest(rule.severity_after, after);
                    rule.accounts.push(account);
                }
                None => found.by_rule.push(RuleChanges {
                    rule_name,
                    severity_before: highest(None, before),
                    severity_after: highest(None, after),
                    changes: counted.changes,
                    accounts: vec![account],
                }),
            }
        }
        found.by_account = accounts.into_iter().map(|(account_id, changes)| Account { account_id, changes }).collect();
        found.examples = self.examples.into_values().flatten().collect();
        found.undecided =
            self.undecided.into_iter().map(|(rule_name, events)| Undecided { rule_name, events }).collect();
        let rules = &self.config.new.rules;
        let tried: BTreeSet<&str> = self
            .names
            .iter()
            .flat_map(|(source, name)| rules.naming(source, name))
            .map(detection::Rule::name)
            .collect();
        let untried = rules.rules().iter().map(detection::Rule::name).filter(|name| !tried.contains(name));
        found.untried_rules = untried.map(str::to_owned).collect();
        found
    }
}

fn highest(known: Option<&'static str>, more: Option<Severity>) -> Option<&'static str> {
    let known = Severity::ALL.into_iter().find(|severity| Some(severity.as_str()) == known);
    known.max(more).map(Severity::as_str)
}

fn example(event: &CloudTrailEvent<'_>, rule: &str, kind: Kind, is: Option<&Verdict>) -> Example {
    let principal = event.user_identity.arn.as_deref().or(event.principal_name()).unwrap_or("(not given)");
    Example {
        rule_name: rule.to_owned(),
        kind,
        account_id: event.account_id().to_owned(),
        event_id: event.event_id().into_owned(),
        event_time: event.event_time.to_rfc3339_opts(SecondsFormat::Secs, true),
        event_name: event.event_name.to_string(),
        principal: principal.to_owned(),
        evidence: is.and_then(|verdict| verdict.evidence.clone()),
        remediation_action: is.and_then(|verdict| verdict.repair.clone()),
    }
}
