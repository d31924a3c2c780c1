//! The map under `conditions` of a rule to checks.

use super::check::{Check, OutcomeWanted, Target};
use super::leaf::read_condition;
use super::matching::{FieldTest, Wording, flat};
use super::rule::Remediation;
use crate::yaml::{Faults, Fields, Node, Text, Tree, choose, closest};
use crate::{EventKind, kind_of, names_of};
use ipnet::IpNet;
use policy::Pattern;
use schemas::Outcome;
use std::net::IpAddr;

const CONDITION_KEYS: [&str; 18] = [
    "event_names",
    "event_sources",
    "event_kinds",
    "outcome",
    "resource_types",
    "principals",
    "not_principals",
    "accounts",
    "source_ips",
    "not_source_ips",
    "user_agents",
    "actor_types",
    "mfa",
    "target",
    "event_fields",
    "drill",
    "conditions",
    "policy",
];

/// `userIdentity.type`. Source: CloudTrail user guide, "CloudTrail userIdentity element".
const ACTOR_TYPES: [&str; 12] = [
    "Root",
    "IAMUser",
    "AssumedRole",
    "Role",
    "FederatedUser",
    "Directory",
    "AWSAccount",
    "AWSService",
    "IdentityCenterUser",
    "SAMLUser",
    "WebIdentityUser",
    "Unknown",
];

/// Members of a CloudTrail record. Source: CloudTrail user guide, "CloudTrail record contents".
const EVENT_FIELDS: [&str; 28] = [
    "eventVersion",
    "userIdentity",
    "eventTime",
    "eventSource",
    "eventName",
    "awsRegion",
    "sourceIPAddress",
    "userAgent",
    "errorCode",
    "errorMessage",
    "requestParameters",
    "responseElements",
    "additionalEventData",
    "requestID",
    "eventID",
    "readOnly",
    "resources",
    "eventType",
    "recipientAccountId",
    "sharedEventID",
    "eventCategory",
    "apiVersion",
    "managementEvent",
    "tlsDetails",
    "sessionCredentialFromConsole",
    "vpcEndpointId",
    "addendum",
    "serviceEventDetails",
];

/// Fields below these that people write by mistake where a value is due.
const INNER_FIELDS: [&str; 10] = [
    "policyArn",
    "policyDocument",
    "policyName",
    "userName",
    "roleName",
    "groupName",
    "accessKeyId",
    "principalId",
    "sessionContext",
    "invokedBy",
];

/// Which events a rule wants to see.
#[derive(Debug, Clone)]
pub(super) struct RuleEvents {
    /// Event name with its source, or with any source.
    pub(super) names: Vec<(Option<String>, String)>,
}

impl RuleEvents {
    /// Repairs that undo at least one of the events.
    pub(super) fn repairs(&self) -> Vec<Remediation> {
        let mut repairs = Vec::new();
        for (source, name) in &self.names {
            let source = source.as_deref().unwrap_or("iam.amazonaws.com");
            let Some(kind) = kind_of(source, name) else { continue };
            for repair in Remediation::fitting(source, name, kind) {
                if !repairs.contains(repair) {
                    repairs.push(*repair);
                }
            }
        }
        repairs
    }
}

/// Reads `conditions`. `None` when a fault was told.
pub(super) fn read_conditions(node: &Node, faults: &mut Faults) -> Option<(Vec<Check>, RuleEvents)> {
    let fields = Fields::of(node, "conditions", &CONDITION_KEYS, faults)?;
    let mut checks = Vec::new();
    let events = read_events(fields, &mut checks, faults);
    let outcomes = [
        ("success", OutcomeWanted::Only(Outcome::Success)),
        ("failure", OutcomeWanted::Only(Outcome::Failure)),
        ("any", OutcomeWanted::Any),
    ];
    let outcome = fields.choice("outcome", &outcomes, faults);
    checks.push(Check::Outcome(outcome.unwrap_or(OutcomeWanted::Only(Outcome::Success))));
    read_actor(fields, &mut checks, faults);
    read_network(fields, &mut checks, faults);
    push_list(&mut checks, texts(fields, "resource_types", faults), Check::ResourceTypes);
    let targets = [("self", Target::Caller), ("other", Target::Other)];
    checks.extend(fields.choice("target", &targets, faults).map(Check::Target));
    read_fields(fields, &mut checks, faults);
    if fields.flag("drill", faults) == Some(true) {
        faults.warning(fields.at("drill"), "the rule fails on purpose and never matches; take it out after the drill");
        checks.push(Check::Drill);
    }
    // Documents last: what is cheap and fails spares reading them.
    checks.extend(read_text_conditions(fields, faults));
    let policy = fields.node("policy").and_then(|node| read_condition(node, 0, faults));
    if fields.has("policy") && fields.node("policy").is_none() {
        faults.error(fields.at("policy"), "policy has no condition; name one or remove the key");
    }
    checks.extend(policy.map(Check::Policy));
    Some((checks, events?))
}

fn read_events(fields: Fields<'_>, checks: &mut Vec<Check>, faults: &mut Faults) -> Option<RuleEvents> {
    let names = fields.texts("event_names", faults);
    let sources = texts(fields, "event_sources", faults);
    let kinds = fields.texts("event_kinds", faults);
    for (key, list) in [("event_names", &names), ("event_kinds", &kinds)] {
        if list.as_ref().is_some_and(Vec::is_empty) {
            faults.error(fields.at(key), format!("{key} is empty, so the rule would never match; name at least one"));
        }
    }
    if names.is_none() && kinds.is_none() {
        faults.error(fields.at, "neither event_names nor event_kinds is given; say which events the rule is about");
    }
    for name in names.iter().flatten() {
        check_event_name(name, faults);
    }
    for source in &sources {
        check_event_source(source, faults);
    }
    let known: Vec<(&str, EventKind)> = EventKind::ALL.iter().map(|kind| (kind.as_str(), *kind)).collect();
    let kinds: Option<Vec<EventKind>> =
        kinds.map(|kinds| kinds.iter().filter_map(|kind| choose("event_kinds", kind, &known, faults)).collect());
    let names = names.map(|names| plain(&names));
    let sources = plain(&sources);
    let wanted = wanted_events(names.as_deref(), &sources, kinds.as_deref());
    if wanted.is_empty() && kinds.as_ref().is_some_and(|kinds| !kinds.is_empty()) && !sources.is_empty() {
        faults.error(fields.at("event_sources"), "no event of these kinds comes from these event_sources");
    }
    checks.extend(names.filter(|names| !names.is_empty()).map(Check::EventNames));
    checks.extend(Some(sources).filter(|sources| !sources.is_empty()).map(Check::EventSources));
    checks.extend(kinds.filter(|kinds| !kinds.is_empty()).map(Check::EventKinds));
    (!wanted.is_empty()).then_some(RuleEvents { names: wanted })
}

fn wanted_events(
    names: Option<&[String]>,
    sources: &[String],
    kinds: Option<&[EventKind]>,
) -> Vec<(Option<String>, String)> {
    match (names, kinds) {
        (Some(names), _) if sources.is_empty() => names.iter().map(|name| (None, name.clone())).collect(),
        (Some(names), _) => sources
            .iter()
            .flat_map(|source| names.iter().map(move |name| (Some(source.clone()), name.clone())))
            .collect(),
        (None, Some(kinds)) => kinds
            .iter()
            .flat_map(|kind| names_of(*kind))
            .filter(|(source, _)| sources.is_empty() || sources.contains(source))
            .map(|(source, name)| (Some(source), name.to_owned()))
            .collect(),
        (None, None) => Vec::new(),
    }
}

fn check_event_name(name: &Text, faults: &mut Faults) {
    let Text { at, text } = name;
    if EventKind::parse(text).is_some() {
        faults.error(*at, format!("{text:?} is a kind of event; write it under event_kinds"));
    } else if !text.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_') {
        faults.error(*at, format!("{text:?} is no event name; names take no wildcards, use event_kinds for groups"));
    } else {
        let known = EventKind::ALL.into_iter().flat_map(names_of).map(|(_, name)| name);
        // Distance 0 but for case, or one letter: other names just look alike, such as PutUserPolicy and PutRolePolicy.
        let near = known.into_iter().find(|name| *name != text && name.eq_ignore_ascii_case(text));
        if let Some(near) = near {
            faults.error(*at, format!("{text:?} is written {near:?}; event names are case-sensitive"));
        }
    }
    check_value("event_names", name, faults);
}

fn check_event_source(source: &Text, faults: &mut Faults) {
    if !source.text.ends_with(".amazonaws.com") {
        let service = source.text.split('.').next().unwrap_or_default();
        let message = format!("{:?} is no event source; write {service}.amazonaws.com", source.text);
        faults.error(source.at, message);
    }
}

fn read_actor(fields: Fields<'_>, checks: &mut Vec<Check>, faults: &mut Faults) {
    let wordings = |texts: Vec<Text>| texts.iter().map(|text| Wording::new(&text.text)).collect::<Vec<_>>();
    let principals = texts(fields, "principals", faults);
    let not_principals = texts(fields, "not_principals", faults);
    checks.extend(Some(wordings(principals)).filter(|list| !list.is_empty()).map(Check::Principals));
    checks.extend(Some(wordings(not_principals)).filter(|list| !list.is_empty()).map(Check::NotPrincipals));
    let accounts = read_accounts("accounts", &texts(fields, "accounts", faults), faults);
    checks.extend(Some(accounts).filter(|list| !list.is_empty()).map(Check::Accounts));
    let types = texts(fields, "actor_types", faults);
    for given in &types {
        expect_known("actor_types", given, &ACTOR_TYPES, faults);
    }
    push_list(checks, types, Check::ActorTypes);
    checks.extend(fields.flag("mfa", faults).map(Check::Mfa));
}

fn read_network(fields: Fields<'_>, checks: &mut Vec<Check>, faults: &mut Faults) {
    for (key, make) in
        [("source_ips", Check::SourceIps as fn(Vec<IpNet>) -> Check), ("not_source_ips", Check::NotSourceIps)]
    {
        let networks = read_networks(key, &texts(fields, key, faults), faults);
        checks.extend(Some(networks).filter(|list| !list.is_empty()).map(make));
    }
    push_list(checks, texts(fields, "user_agents", faults), Check::UserAgents);
}

/// A map of fields, all of which must hold; or a list of such maps, one of which must.
fn read_fields(fields: Fields<'_>, checks: &mut Vec<Check>, faults: &mut Faults) {
    let Some(node) = fields.node("event_fields") else { return };
    let maps = match &node.tree {
        Tree::List(maps) => maps.as_slice(),
        Tree::Map(_) | Tree::Scalar(_) => std::slice::from_ref(node),
    };
    let alternatives: Vec<_> = maps.iter().filter_map(|map| read_alternative(map, faults)).collect();
    // A map without fields would hold for every event.
    if maps.is_empty() || alternatives.iter().any(Vec::is_empty) {
        faults.error(fields.at("event_fields"), "event_fields holds a map without fields; name one or remove it");
    }
    checks.push(Check::EventFields(alternatives));
}

fn read_alternative(node: &Node, faults: &mut Faults) -> Option<Vec<FieldTest>> {
    let Some(entries) = node.entries() else {
        faults.error(node.at, format!("event_fields must be a map of paths to values, found {}", node.kind()));
        return None;
    };
    let keys: Vec<&str> = entries.iter().map(|entry| entry.key.as_str()).collect();
    let inner = Fields::of(node, "event_fields", &keys, faults)?;
    let mut tests = Vec::with_capacity(entries.len());
    for entry in entries {
        let root = entry.key.split('.').next().unwrap_or_default();
        expect_known("event_fields", &Text { at: entry.at, text: root.to_owned() }, &EVENT_FIELDS, faults);
        let values = inner.texts(&entry.key, faults).unwrap_or_default();
        if values.is_empty() {
            faults.error(entry.at, format!("{} has no value to compare with; list at least one", entry.key));
        }
        for value in &values {
            check_value("event_fields", value, faults);
        }
        tests.push(FieldTest { path: entry.key.split('.').map(str::to_owned).collect(), values: plain(&values) });
    }
    Some(tests)
}

/// The inner `conditions` of the older form. Both lists describe the same danger in two dresses - attached by ARN or
/// written as text - so one of them suffices.
fn read_text_conditions(fields: Fields<'_>, faults: &mut Faults) -> Option<Check> {
    let node = fields.node("conditions")?;
    let keys = ["policy_arns", "policy_document_contains"];
    let inner = Fields::of(node, "conditions", &keys, faults)?;
    let arns = texts(inner, "policy_arns", faults);
    for arn in arns.iter().filter(|arn| !arn.text.starts_with("arn:") && !arn.text.contains('*')) {
        faults.error(arn.at, format!("{:?} is no policy ARN; write arn:aws:iam::aws:policy/Name", arn.text));
    }
    let contains = texts(inner, "policy_document_contains", faults);
    let check = Check::PolicyText {
        arns: arns.iter().map(|arn| Pattern::like_value(&arn.text, false)).collect(),
        contains: contains.iter().map(|text| flat(&text.text)).collect(),
    };
    (!arns.is_empty() || !contains.is_empty()).then_some(check)
}

/// A list of texts. An empty list is told: it looks like a condition and is none.
fn texts(fields: Fields<'_>, key: &str, faults: &mut Faults) -> Vec<Text> {
    let Some(texts) = fields.texts(key, faults) else { return Vec::new() };
    if texts.is_empty() {
        faults.warning(fields.at(key), format!("{key} is empty and so is no condition; remove it or name something"));
    }
    for text in &texts {
        check_value(key, text, faults);
    }
    texts
}

fn plain(texts: &[Text]) -> Vec<String> {
    texts.iter().map(|text| text.text.clone()).collect()
}

fn push_list(checks: &mut Vec<Check>, list: Vec<Text>, make: fn(Vec<String>) -> Check) {
    if !list.is_empty() {
        checks.push(make(plain(&list)));
    }
}

/// A value that is the name of a field compares nothing: `principals: [userIdentity.arn]` never matches.
pub(crate) fn check_value(key: &str, given: &Text, faults: &mut Faults) {
    let root = given.text.split('.').next().unwrap_or_default();
    let is_path = given.text.contains('.') && EVENT_FIELDS.contains(&root);
    let is_field = EVENT_FIELDS.contains(&given.text.as_str()) || INNER_FIELDS.contains(&given.text.as_str());
    if is_path || is_field {
        let message =
            format!("{:?} is the name of a field, not a value; write what the field must hold in {key}", given.text);
        faults.error(given.at, message);
    }
}

/// A word of a list that AWS may extend: a typing error is refused, a new word is accepted with a warning.
fn expect_known(key: &str, given: &Text, known: &[&str], faults: &mut Faults) {
    if known.contains(&given.text.as_str()) {
        return;
    }
    match closest(&given.text, known.iter().copied()) {
        Some(near) => faults.error(given.at, format!("{:?} is unknown in {key}; did you mean {near:?}?", given.text)),
        None => {
            faults.warning(given.at, format!("{:?} is unknown in {key}; known are {}", given.text, known.join(", ")))
        }
    }
}

/// Account ids with `*` and `?`.
pub(crate) fn read_accounts(key: &str, given: &[Text], faults: &mut Faults) -> Vec<Pattern> {
    for account in given.iter().filter(|account| !is_account_pattern(&account.text)) {
        let message =
            format!("{:?} in {key} is no account id; write twelve digits, or digits with * or ?", account.text);
        faults.error(account.at, message);
    }
    given.iter().map(|account| Pattern::like_value(&account.text, false)).collect()
}

pub(super) fn is_account_pattern(text: &str) -> bool {
    let letters = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'*' || byte == b'?');
    let open = text.contains('*');
    letters && if open { text.len() <= 13 } else { text.len() == 12 }
}

/// Addresses and CIDR blocks.
fn read_networks(key: &str, given: &[Text], faults: &mut Faults) -> Vec<IpNet> {
    let mut networks = Vec::with_capacity(given.len());
    for Text { at, text } in given {
        match text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from)) {
            Ok(network) => networks.push(network),
            Err(_) => faults.error(*at, format!("{text:?} in {key} is no address or CIDR block; write 10.0.0.0/8")),
        }
    }
    networks
}
