//! Suppressions: what is known and wanted is held back from the bus, never from the lake.
//!
//! An entry with a name holds back when all of its conditions hold. In the older form without a name any one condition
//! suffices. Whether an entry has expired is asked of the event's own time, so that a replay decides as the first run did.
//! CRITICAL violations are never held back.

use crate::event::{CloudTrailEvent, base_name};
use crate::rules::{RuleSet, Wording, check_value, read_accounts, tell_repeated_names};
use crate::yaml::{At, Fault, Faults, Fields, Level, Node, Text, closest, parse};
use chrono::{DateTime, Days, NaiveDate, NaiveTime, Utc};
use ipnet::IpNet;
use policy::Pattern;
use schemas::Severity;
use std::net::IpAddr;

const ENTRY_KEYS: [&str; 5] = ["name", "reason", "owner", "expires", "conditions"];
const CONDITION_KEYS: [&str; 6] = ["user_agents", "source_ips", "principals", "event_names", "accounts", "rules"];
/// More entries than this are refused: each is asked about every violation.
pub const MAX_SUPPRESSIONS: usize = 2_000;

/// The entries of suppress.yaml.
#[derive(Debug, Clone, Default)]
pub struct Suppressions {
    entries: Vec<Suppression>,
    warnings: Vec<Fault>,
}

/// One entry.
#[derive(Debug, Clone)]
pub struct Suppression {
    label: String,
    at: At,
    /// All conditions must hold, not just one.
    all: bool,
    /// First instant at which the entry no longer counts.
    expires: Option<DateTime<Utc>>,
    conditions: Vec<Condition>,
}

#[derive(Debug, Clone)]
enum Condition {
    UserAgents(Vec<String>),
    Sources(Vec<Source>),
    Principals(Vec<Wording>),
    EventNames(Vec<String>),
    Accounts(Vec<Pattern>),
    Rules(Vec<String>),
}

/// Where a call comes from: an address, or the name of an AWS service.
#[derive(Debug, Clone)]
enum Source {
    Network(IpNet),
    Service(String),
}

impl Suppressions {
    /// Reads suppress.yaml. With any error the file is refused and all faults are told. With the rules at hand, an
    /// entry for a rule that does not exist is an error: it would silently hold nothing back.
    pub fn load(text: &str, file: &str, rules: Option<&RuleSet>) -> Result<Suppressions, Vec<Fault>> {
        let mut faults = Faults::of(file);
        let root = parse(text, &mut faults);
        let entries = root.map(|root| read_root(&root, rules, &mut faults)).unwrap_or_default();
        let refused = faults.has_errors();
        let faults = faults.into_sorted();
        if refused { Err(faults) } else { Ok(Suppressions { entries, warnings: faults }) }
    }

    /// What a person should look at in the file, though it loaded.
    pub fn warnings(&self) -> &[Fault] {
        debug_assert!(self.warnings.iter().all(|fault| fault.level == Level::Warning));
        &self.warnings
    }

    /// The entries in the order of the file.
    pub fn entries(&self) -> &[Suppression] {
        &self.entries
    }

    /// The first entry that holds back a violation of this rule by this event.
    pub fn holding_back(&self, event: &CloudTrailEvent<'_>, rule: &str, severity: Severity) -> Option<&Suppression> {
        if severity == Severity::Critical {
            return None;
        }
        self.entries.iter().find(|entry| entry.holds(event, rule))
    }
}

impl Suppression {
    /// The entry's name, or `entry 3` for the third entry when it has none.
    pub fn label(&self) -> &str {
        &self.label
    }

    /// Where it stands in the file.
    pub fn at(&self) -> At {
        self.at
    }

    /// First instant at which the entry no longer counts.
    pub fn expires(&self) -> Option<DateTime<Utc>> {
        self.expires
    }

    fn holds(&self, event: &CloudTrailEvent<'_>, rule: &str) -> bool {
        if self.expires.is_some_and(|expires| event.event_time >= expires) {
            return false;
        }
        let mut conditions = self.conditions.iter().map(|condition| condition.holds(event, rule));
        if self.all { conditions.all(|holds| holds) } else { conditions.any(|holds| holds) }
    }
}

impl Condition {
    fn holds(&self, event: &CloudTrailEvent<'_>, rule: &str) -> bool {
        match self {
            Condition::UserAgents(parts) => {
                let agent = event.user_agent.as_deref().unwrap_or_default();
                parts.iter().any(|part| agent.contains(part.as_str()))
            }
            Condition::Sources(sources) => {
                let from = event.source_ip_address.as_deref().unwrap_or_default();
                let address: Option<IpAddr> = from.parse().ok();
                sources.iter().any(|source| match source {
                    Source::Network(network) => address.is_some_and(|address| network.contains(&address)),
                    Source::Service(name) => name == from,
                })
            }
            Condition::Principals(wordings) => {
                let identity = &event.user_identity;
                let issuer = identity.session_issuer.as_ref().and_then(|issuer| issuer.arn.as_deref());
                let mut arns = identity.arn.as_deref().into_iter().chain(issuer);
                arns.any(|arn| wordings.iter().any(|wording| wording.matches(arn)))
            }
            Condition::EventNames(names) => {
                let base = base_name(&event.event_name);
                names.iter().any(|name| *name == event.event_name || name == base)
            }
            Condition::Accounts(patterns) => patterns.iter().any(|pattern| pattern.matches(event.account_id())),
            Condition::Rules(rules) => rules.iter().any(|wanted| wanted == rule),
        }
    }
}

fn read_root(root: &Node, rules: Option<&RuleSet>, faults: &mut Faults) -> Vec<Suppression> {
    // A file of comments alone suppresses nothing, which is what it says.
    if root.is_null() {
        return Vec::new();
    }
    let Some(fields) = Fields::of(root, "the file", &["suppressions"], faults) else { return Vec::new() };
    let nodes = fields.list("suppressions", faults).unwrap_or_default();
    if nodes.len() > MAX_SUPPRESSIONS {
        let message = format!("{} entries are over the limit of {MAX_SUPPRESSIONS}", nodes.len());
        faults.error(fields.at("suppressions"), message);
        return Vec::new();
    }
    tell_repeated_names(nodes, faults);
    let entries = nodes.iter().enumerate().filter_map(|(index, node)| read_entry(node, index, rules, faults)).collect();
    faults.within(None);
    entries
}

fn read_entry(node: &Node, index: usize, rules: Option<&RuleSet>, faults: &mut Faults) -> Option<Suppression> {
    let number = format!("entry {}", index + 1);
    let name = node.get("name").and_then(Node::text);
    faults.within(Some(name.as_deref().unwrap_or(&number)));
    let errors_before = faults.errors();
    let fields = Fields::of(node, "a suppression", &ENTRY_KEYS, faults)?;
    let name = fields.text("name", faults).map(|name| name.text);
    let all = fields.has("name");
    if all {
        for (key, why) in [
            ("reason", "write why this is no danger"),
            ("owner", "write who answers for it"),
            ("expires", "write a date, as suppressions are forgotten"),
        ] {
            if !fields.has(key) {
                faults.warning(fields.at, format!("{key} is missing; {why}"));
            }
        }
    }
    fields.text("reason", faults);
    fields.text("owner", faults);
    let expires = fields.text("expires", faults).and_then(|expires| read_expiry(&expires, faults));
    fields.required("conditions", faults);
    let conditions = fields.node("conditions").map(|node| read_conditions(node, rules, faults)).unwrap_or_default();
    if !all && conditions.len() > 1 {
        let message = "without a name any one of these conditions suffices; give the entry a name if all must hold";
        faults.warning(fields.at("conditions"), message);
    }
    (faults.errors() == errors_before).then(|| Suppression {
        label: name.unwrap_or(number),
        at: fields.at,
        all,
        expires,
        conditions,
    })
}

fn read_conditions(node: &Node, rules: Option<&RuleSet>, faults: &mut Faults) -> Vec<Condition> {
    let Some(fields) = Fields::of(node, "conditions", &CONDITION_KEYS, faults) else { return Vec::new() };
    if fields.entries().is_empty() {
        faults.error(node.at, "there is no condition; name at least one");
    }
    let mut conditions = Vec::new();
    for key in CONDITION_KEYS {
        let Some(given) = fields.texts(key, faults) else { continue };
        if given.is_empty() {
            // Unlike in a rule an empty list is refused: an entry must not hold back more than its author meant.
            faults.error(fields.at(key), format!("{key} is empty; remove it or name something"));
            continue;
        }
        given.iter().for_each(|text| check_value(key, text, faults));
        let texts = || given.iter().map(|text| text.text.clone()).collect::<Vec<_>>();
        conditions.push(match key {
            "user_agents" => Condition::UserAgents(texts()),
            "source_ips" => Condition::Sources(read_sources(&given, faults)),
            "principals" => Condition::Principals(given.iter().map(|text| Wording::new(&text.text)).collect()),
            "event_names" => Condition::EventNames(texts()),
            "accounts" => Condition::Accounts(read_accounts(key, &given, faults)),
            _ => {
                given.iter().for_each(|name| check_rule_name(name, rules, faults));
                Condition::Rules(texts())
            }
        });
    }
    conditions
}

fn check_rule_name(name: &Text, rules: Option<&RuleSet>, faults: &mut Faults) {
    let Some(rules) = rules.filter(|rules| rules.rule(&name.text).is_none()) else { return };
    let advice = match closest(&name.text, rules.rules().iter().map(|rule| rule.name())) {
        Some(near) => format!("did you mean {near:?}?"),
        None => "remove it or correct the name".to_owned(),
    };
    faults.error(name.at, format!("there is no rule {:?}; {advice}", name.text));
}

fn read_sources(given: &[Text], faults: &mut Faults) -> Vec<Source> {
    let mut sources = Vec::with_capacity(given.len());
    for Text { at, text } in given {
        match text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from)) {
            Ok(network) => sources.push(Source::Network(network)),
            Err(_) if text.ends_with(".amazonaws.com") => sources.push(Source::Service(text.clone())),
            Err(_) => {
                let message = format!("{text:?} is no address, CIDR block (10.0.0.0/8) or AWS service name");
                faults.error(*at, message);
            }
        }
    }
    sources
}

/// A day counts to its end, UTC; a time counts to that instant.
fn read_expiry(expires: &Text, faults: &mut Faults) -> Option<DateTime<Utc>> {
    if let Ok(day) = expires.text.parse::<NaiveDate>() {
        let next = day.checked_add_days(Days::new(1)).unwrap_or(day);
        return Some(next.and_time(NaiveTime::MIN).and_utc());
    }
    match DateTime::parse_from_rfc3339(&expires.text) {
        Ok(time) => Some(time.to_utc()),
        Err(_) => {
            let message = format!("{:?} is no date; write 2025-12-31 or 2025-12-31T18:00:00Z", expires.text);
            faults.error(expires.at, message);
            None
        }
    }
}
