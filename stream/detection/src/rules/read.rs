//! rules.yaml as text to checked rules; every fault of the file in one pass.

use super::check::Check;
use super::leaf::Leaf;
use super::read_checks::{RuleEvents, read_conditions};
use super::rule::{Remediation, Rule};
use crate::rule_tests::read_tests;
use crate::yaml::{At, Fault, Faults, Fields, Node, Text, parse};
use schemas::{RuleAction, Severity};
use std::collections::HashMap;

const RULE_KEYS: [&str; 10] =
    ["name", "description", "severity", "action", "remediation", "mitre", "runbook", "owner", "conditions", "tests"];

pub(crate) const SEVERITIES: [(&str, Severity); 4] =
    [("LOW", Severity::Low), ("MEDIUM", Severity::Medium), ("HIGH", Severity::High), ("CRITICAL", Severity::Critical)];

const ACTIONS: [(&str, RuleAction); 3] =
    [("log", RuleAction::Log), ("alert", RuleAction::Alert), ("remediate", RuleAction::Remediate)];

/// More rules than this are refused: each costs memory and time on every event it names.
pub const MAX_RULES: usize = 2_000;
/// A longer rule name is refused, characters: names go into subjects, metrics and file names.
pub const MAX_NAME_CHARS: usize = 128;

/// A rule and the events it wants to see.
pub(super) type ReadRule = (Rule, RuleEvents);

/// Reads the rules of a file. The rules are only to be used if no fault is an error.
pub(super) fn read_rules(text: &str, file: &str) -> (Vec<ReadRule>, Vec<Fault>) {
    let mut faults = Faults::of(file);
    let rules = parse(text, &mut faults).map(|root| read_root(&root, &mut faults)).unwrap_or_default();
    (rules, faults.into_sorted())
}

fn read_root(root: &Node, faults: &mut Faults) -> Vec<ReadRule> {
    if root.is_null() {
        faults.error(At::default(), "the file is empty; it must hold a list under rules");
        return Vec::new();
    }
    let Some(fields) = Fields::of(root, "the file", &["rules"], faults) else { return Vec::new() };
    fields.required("rules", faults);
    let Some(nodes) = fields.list("rules", faults) else { return Vec::new() };
    if nodes.is_empty() {
        faults.error(fields.at("rules"), "there is no rule, so nothing would be found; add one");
    }
    if nodes.len() > MAX_RULES {
        faults.error(fields.at("rules"), format!("{} rules are over the limit of {MAX_RULES}", nodes.len()));
        return Vec::new();
    }
    tell_repeated_names(nodes, faults);
    let rules: Vec<ReadRule> = nodes.iter().filter_map(|node| read_rule(node, faults)).collect();
    faults.within(None);
    tell_blind_spot(&rules, fields.at("rules"), faults);
    rules
}

/// Tells every name that stands in the list twice.
pub(crate) fn tell_repeated_names(nodes: &[Node], faults: &mut Faults) {
    let mut first: HashMap<String, At> = HashMap::new();
    for node in nodes {
        let Some(name) = node.get("name").and_then(Node::text) else { continue };
        let at = node.get("name").map_or(node.at, |name| name.at);
        faults.within(Some(&name));
        match first.get(&name) {
            Some(before) => {
                faults.error(at, format!("this name stands in line {} already; names must differ", before.line));
            }
            None => {
                first.insert(name, at);
            }
        }
    }
    faults.within(None);
}

/// Rules that read policies, and none that tells when a policy could not be read.
fn tell_blind_spot(rules: &[ReadRule], at: At, faults: &mut Faults) {
    let asks = |test: &dyn Fn(&Leaf) -> bool| {
        rules.iter().flat_map(|(rule, _)| &rule.checks).any(|check| match check {
            Check::Policy(condition) => condition.any_leaf(test),
            _ => false,
        })
    };
    if asks(&|_| true) && !asks(&|leaf| matches!(leaf, Leaf::NotVisible)) {
        let message = "rules judge policies, but none has the condition `policy: {not_visible: true}`: \
             a policy that cannot be seen is only counted, nobody is told; add such a rule";
        faults.warning(at, message);
    }
}

fn read_rule(node: &Node, faults: &mut Faults) -> Option<ReadRule> {
    let name = node.get("name").and_then(Node::text);
    faults.within(name.as_deref());
    let errors_before = faults.errors();
    let fields = Fields::of(node, "a rule", &RULE_KEYS, faults)?;
    for key in ["name", "severity", "action", "conditions"] {
        fields.required(key, faults);
    }
    let name = fields.text("name", faults).and_then(|name| check_name(name, faults));
    let description = fields.text("description", faults).map(|text| text.text);
    if description.is_none() {
        faults.warning(fields.at("description"), "description is missing; say in one sentence what the rule detects");
    }
    let severity = fields.choice("severity", &SEVERITIES, faults);
    let action = fields.choice("action", &ACTIONS, faults);
    let repairs: Vec<(&str, Remediation)> = Remediation::ALL.iter().map(|repair| (repair.as_str(), *repair)).collect();
    let remediation = fields.choice("remediation", &repairs, faults);
    let mitre = read_mitre(fields, faults);
    let runbook = fields.text("runbook", faults).map(|text| text.text);
    let owner = fields.text("owner", faults).map(|text| text.text);
    let tests = read_tests(fields, faults);
    let conditions = fields.node("conditions").and_then(|conditions| read_conditions(conditions, faults));
    // Anything wrong above: the rule is not complete, and the file is refused anyway.
    if faults.errors() > errors_before {
        return None;
    }
    let (checks, events) = conditions?;
    let name = name?;
    let rule = Rule {
        at: fields.at,
        description: description.unwrap_or_else(|| name.clone()),
        name,
        severity: severity?,
        action: action?,
        remediation,
        mitre,
        runbook,
        owner,
        checks,
        tests,
    };
    check_action(&rule, &events, fields, faults);
    Some((rule, events))
}

fn check_name(name: Text, faults: &mut Faults) -> Option<String> {
    let Text { at, text } = name;
    if text.chars().count() > MAX_NAME_CHARS || text.chars().any(char::is_control) {
        let message = format!("name must be at most {MAX_NAME_CHARS} characters without control characters");
        faults.error(at, message);
        return None;
    }
    Some(text)
}

fn read_mitre(fields: Fields<'_>, faults: &mut Faults) -> Vec<String> {
    let ids = fields.texts("mitre", faults).unwrap_or_default();
    for id in ids.iter().filter(|id| !is_technique(&id.text)) {
        faults.error(id.at, format!("{:?} is no MITRE ATT&CK technique; write T1098 or T1098.003", id.text));
    }
    ids.into_iter().map(|id| id.text).collect()
}

fn is_technique(id: &str) -> bool {
    let digits = |text: &str, count: usize| text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit());
    let Some(rest) = id.strip_prefix('T') else { return false };
    match rest.split_once('.') {
        Some((technique, part)) => digits(technique, 4) && digits(part, 3),
        None => digits(rest, 4),
    }
}

/// Whether what is to be done fits what is detected.
fn check_action(rule: &Rule, events: &RuleEvents, fields: Fields<'_>, faults: &mut Faults) {
    if rule.severity == Severity::Critical && rule.action == RuleAction::Log {
        faults.warning(fields.at("action"), "a CRITICAL rule with action log tells nobody; use alert or remediate");
    }
    let fitting: Vec<Remediation> = events.repairs();
    match rule.remediation {
        Some(Remediation::LogOnly) => {}
        Some(repair) if rule.action != RuleAction::Remediate => {
            let message = format!("{} is never done, as action is not remediate", repair.as_str());
            faults.warning(fields.at("remediation"), message);
        }
        Some(repair) if !fitting.contains(&repair) => {
            let names: Vec<&str> = fitting.iter().map(|repair| repair.as_str()).collect();
            let advice = if names.is_empty() { "log_only".to_owned() } else { names.join(", ") };
            let message = format!("{} undoes none of the events of this rule; fitting are {advice}", repair.as_str());
            faults.error(fields.at("remediation"), message);
        }
        // A file that loaded yesterday must load today: the remediator will skip the repair and say so.
        None if rule.action == RuleAction::Remediate && fitting.is_empty() => {
            let message = "no event of this rule can be undone, so nothing will be repaired; use action alert";
            faults.warning(fields.at("action"), message);
        }
        Some(_) | None => {}
    }
}
