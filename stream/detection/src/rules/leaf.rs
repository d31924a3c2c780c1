//! What a rule may ask about a policy: leaves joined by `all`, `any` and `not`, checked at load.

use super::read_checks::{check_value, is_account_pattern};
use crate::yaml::{Entry, Faults, Fields, Node, Text, closest};
use policy::catalogue::AccessLevel;
use policy::{ActionNames, MethodSet, Pattern};
use std::sync::Arc;

/// Conditions nested deeper than this are refused.
const MAX_DEPTH: usize = 16;

/// A condition on the policy of an event.
#[derive(Debug, Clone)]
pub(crate) enum Condition {
    All(Vec<Condition>),
    Any(Vec<Condition>),
    Not(Box<Condition>),
    Leaf(Leaf),
}

/// One question about a policy. A list of actions is met by any one of them.
#[derive(Debug, Clone)]
pub(crate) enum Leaf {
    /// Allows one of the actions on some resource.
    Grants(Vec<String>),
    /// Allows the action on the resource.
    GrantsOn { action: String, resource: String },
    /// Every action on every resource.
    FullAdmin,
    /// The holder can make itself full administrator.
    EffectiveAdmin,
    /// `service:*`; an empty list means any service.
    WildcardService(Vec<String>),
    /// `*` as an action.
    WildcardAction,
    /// Allow with NotAction.
    NotActionAllow,
    /// Allow with NotResource.
    NotResourceAllow,
    /// One of the actions on resource `*`.
    ResourceWildcardOn(Vec<String>),
    /// One of these actions, all that are known of some access levels.
    AccessLevel(Arc<ActionNames>),
    /// One of the methods.
    PrivilegeEscalation { methods: MethodSet, must: bool },
    /// Anybody may use the resource or role.
    PublicPrincipal,
    /// Another account may, other than these accounts and organizations.
    CrossAccountPrincipal { outside: Vec<Pattern> },
    /// Another account may assume the role without an external id.
    ExternalIdMissing,
    /// A web identity provider may, for any of its tenants.
    OidcUnrestricted,
    /// A service may, for whoever makes it act.
    ConfusedDeputy,
    /// The boundary is gone, or the new one limits nothing.
    BoundaryRemoved,
    /// Grants what the version before did not.
    NewAccess,
    /// A Deny of the version before is gone.
    LostDeny,
    /// The document is not as IAM's grammar wants it.
    Malformed,
    /// The document could not be had.
    NotVisible,
}

/// Source: service authorization reference, "access levels".
const ACCESS_LEVELS: [(&str, AccessLevel); 5] = [
    ("list", AccessLevel::List),
    ("read", AccessLevel::Read),
    ("tagging", AccessLevel::Tagging),
    ("write", AccessLevel::Write),
    ("permissions_management", AccessLevel::PermissionsManagement),
];

/// Leaves that are asked with `true` or `false`.
const FLAGS: [(&str, Leaf); 13] = [
    ("full_admin", Leaf::FullAdmin),
    ("effective_admin", Leaf::EffectiveAdmin),
    ("wildcard_action", Leaf::WildcardAction),
    ("not_action_allow", Leaf::NotActionAllow),
    ("not_resource_allow", Leaf::NotResourceAllow),
    ("public_principal", Leaf::PublicPrincipal),
    ("external_id_missing", Leaf::ExternalIdMissing),
    ("oidc_unrestricted", Leaf::OidcUnrestricted),
    ("confused_deputy", Leaf::ConfusedDeputy),
    ("boundary_removed", Leaf::BoundaryRemoved),
    ("new_access", Leaf::NewAccess),
    ("lost_deny", Leaf::LostDeny),
    ("malformed", Leaf::Malformed),
];

/// Every key that may stand under `policy`, for messages.
const KEYS: [&str; 25] = [
    "all",
    "any",
    "not",
    "grants",
    "not_grants",
    "grants_on",
    "full_admin",
    "effective_admin",
    "wildcard_service",
    "wildcard_action",
    "not_action_allow",
    "not_resource_allow",
    "resource_wildcard_on",
    "access_level",
    "privilege_escalation",
    "public_principal",
    "cross_account_principal",
    "external_id_missing",
    "oidc_unrestricted",
    "confused_deputy",
    "boundary_removed",
    "new_access",
    "lost_deny",
    "malformed",
    "not_visible",
];

impl Leaf {
    /// The key as written in rules.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Leaf::Grants(_) => "grants",
            Leaf::GrantsOn { .. } => "grants_on",
            Leaf::FullAdmin => "full_admin",
            Leaf::EffectiveAdmin => "effective_admin",
            Leaf::WildcardService(_) => "wildcard_service",
            Leaf::WildcardAction => "wildcard_action",
            Leaf::NotActionAllow => "not_action_allow",
            Leaf::NotResourceAllow => "not_resource_allow",
            Leaf::ResourceWildcardOn(_) => "resource_wildcard_on",
            Leaf::AccessLevel(_) => "access_level",
            Leaf::PrivilegeEscalation { .. } => "privilege_escalation",
            Leaf::PublicPrincipal => "public_principal",
            Leaf::CrossAccountPrincipal { .. } => "cross_account_principal",
            Leaf::ExternalIdMissing => "external_id_missing",
            Leaf::OidcUnrestricted => "oidc_unrestricted",
            Leaf::ConfusedDeputy => "confused_deputy",
            Leaf::BoundaryRemoved => "boundary_removed",
            Leaf::NewAccess => "new_access",
            Leaf::LostDeny => "lost_deny",
            Leaf::Malformed => "malformed",
            Leaf::NotVisible => "not_visible",
        }
    }

    /// Whether the answer needs the version before, too.
    pub(crate) fn compares(&self) -> bool {
        matches!(self, Leaf::NewAccess | Leaf::LostDeny)
    }
}

impl Condition {
    /// Whether any leaf below meets the test.
    pub(crate) fn any_leaf(&self, test: &dyn Fn(&Leaf) -> bool) -> bool {
        match self {
            Condition::All(parts) | Condition::Any(parts) => parts.iter().any(|part| part.any_leaf(test)),
            Condition::Not(part) => part.any_leaf(test),
            Condition::Leaf(leaf) => test(leaf),
        }
    }

    /// The condition in one line, for explanations.
    pub(crate) fn to_line(&self) -> String {
        let join = |parts: &[Condition]| parts.iter().map(Condition::to_line).collect::<Vec<_>>().join(", ");
        match self {
            Condition::All(parts) if parts.len() == 1 => join(parts),
            Condition::All(parts) => format!("all({})", join(parts)),
            Condition::Any(parts) => format!("any({})", join(parts)),
            Condition::Not(part) => format!("not({})", part.to_line()),
            Condition::Leaf(leaf) => match leaf {
                Leaf::Grants(names) | Leaf::ResourceWildcardOn(names) | Leaf::WildcardService(names)
                    if !names.is_empty() =>
                {
                    format!("{}: {}", leaf.name(), names.join(" or "))
                }
                Leaf::GrantsOn { action, resource } => format!("grants_on: {action} on {resource}"),
                _ => leaf.name().to_owned(),
            },
        }
    }
}

/// Reads the map under `policy`, or one inside a list: all of its keys must hold.
pub(super) fn read_condition(node: &Node, depth: usize, faults: &mut Faults) -> Option<Condition> {
    if depth > MAX_DEPTH {
        faults.error(node.at, format!("policy conditions nest deeper than {MAX_DEPTH}; simplify the rule"));
        return None;
    }
    let fields = Fields::of(node, "policy", &KEYS, faults)?;
    if fields.entries().is_empty() {
        faults.error(node.at, "policy is empty and would match nothing; name a condition or remove the key");
        return None;
    }
    let known = fields.entries().iter().filter(|entry| KEYS.contains(&entry.key.as_str()));
    let parts: Vec<Option<Condition>> = known.map(|entry| read_entry(fields, entry, depth, faults)).collect();
    parts.into_iter().collect::<Option<Vec<_>>>().map(Condition::All)
}

fn read_entry(fields: Fields<'_>, entry: &Entry, depth: usize, faults: &mut Faults) -> Option<Condition> {
    let key = entry.key.as_str();
    match key {
        "all" => read_list(fields, key, depth, faults).map(Condition::All),
        "any" => read_list(fields, key, depth, faults).map(Condition::Any),
        "not" => Some(Condition::Not(Box::new(read_condition(&entry.value, depth + 1, faults)?))),
        "grants" => Some(Condition::Leaf(Leaf::Grants(actions(fields, key, faults)?))),
        "not_grants" => Some(Condition::Not(Box::new(Condition::Leaf(Leaf::Grants(actions(fields, key, faults)?))))),
        "not_visible" => flag(entry, Leaf::NotVisible, faults),
        _ => match FLAGS.iter().find(|(name, _)| *name == key) {
            Some((_, leaf)) => flag(entry, leaf.clone(), faults),
            None => read_leaf(fields, entry, faults).map(Condition::Leaf),
        },
    }
}

fn read_list(fields: Fields<'_>, key: &str, depth: usize, faults: &mut Faults) -> Option<Vec<Condition>> {
    let Some(items) = fields.list(key, faults) else {
        if fields.node(key).is_none() {
            faults.error(fields.at(key), format!("{key} is empty; list conditions or remove it"));
        }
        return None;
    };
    if items.is_empty() {
        faults.error(fields.at(key), format!("{key} is empty; list conditions or remove it"));
        return None;
    }
    let parts: Vec<_> = items.iter().map(|item| read_condition(item, depth + 1, faults)).collect();
    parts.into_iter().collect()
}

/// `leaf: true` asks for it, `leaf: false` for its absence.
fn flag(entry: &Entry, leaf: Leaf, faults: &mut Faults) -> Option<Condition> {
    match entry.value.text().as_deref() {
        Some("true") => Some(Condition::Leaf(leaf)),
        Some("false") => Some(Condition::Not(Box::new(Condition::Leaf(leaf)))),
        _ => {
            faults.error(entry.value.at, format!("{} takes true or false, found {}", entry.key, entry.value.kind()));
            None
        }
    }
}

fn read_leaf(fields: Fields<'_>, entry: &Entry, faults: &mut Faults) -> Option<Leaf> {
    let key = entry.key.as_str();
    let asked = entry.value.text().as_deref() == Some("true");
    match key {
        "wildcard_service" if asked => Some(Leaf::WildcardService(Vec::new())),
        "wildcard_service" => {
            let services = filled(fields, key, faults)?;
            Some(Leaf::WildcardService(services.iter().map(|service| service.text.to_ascii_lowercase()).collect()))
        }
        "resource_wildcard_on" => Some(Leaf::ResourceWildcardOn(actions(fields, key, faults)?)),
        "access_level" => {
            let levels = filled(fields, key, faults)?;
            let parsed: Vec<_> = levels.iter().map(|level| access_level(level, faults)).collect();
            Some(Leaf::AccessLevel(actions_of(&parsed.into_iter().collect::<Option<Vec<_>>>()?)))
        }
        "grants_on" => read_grants_on(&entry.value, faults),
        "privilege_escalation" if asked => Some(Leaf::PrivilegeEscalation { methods: any_method(), must: false }),
        "privilege_escalation" => read_escalation(&entry.value, faults),
        "cross_account_principal" if asked => Some(Leaf::CrossAccountPrincipal { outside: Vec::new() }),
        "cross_account_principal" => read_cross_account(&entry.value, faults),
        _ => None,
    }
}

fn read_grants_on(node: &Node, faults: &mut Faults) -> Option<Leaf> {
    let fields = Fields::of(node, "grants_on", &["action", "resource"], faults)?;
    fields.required("action", faults);
    fields.required("resource", faults);
    let action = fields.text("action", faults);
    let resource = fields.text("resource", faults);
    let (action, resource) = (check_action("grants_on", action?, faults)?, resource?);
    if resource.text != "*" && !resource.text.starts_with("arn:") {
        faults.error(resource.at, format!("{:?} is no resource; write an ARN or *", resource.text));
        return None;
    }
    Some(Leaf::GrantsOn { action, resource: resource.text })
}

fn read_escalation(node: &Node, faults: &mut Faults) -> Option<Leaf> {
    let fields = Fields::of(node, "privilege_escalation", &["methods", "certainty"], faults)?;
    let certainty = [("may", false), ("must", true)];
    let must = fields.choice("certainty", &certainty, faults).unwrap_or(false);
    let given = fields.texts("methods", faults).unwrap_or_default();
    if given.iter().any(|method| method.text == "any") || !fields.has("methods") {
        return Some(Leaf::PrivilegeEscalation { methods: any_method(), must });
    }
    if given.is_empty() {
        faults.error(fields.at("methods"), "methods is empty; name method ids, or any");
        return None;
    }
    let mut methods = Vec::with_capacity(given.len());
    for method in given {
        if policy::method(&method.text).is_some() {
            methods.push(method.text);
            continue;
        }
        let advice = match closest(&method.text, policy::methods().iter().map(|method| method.id.as_str())) {
            Some(near) => format!("did you mean {near:?}?"),
            None => "see the list of methods in the documentation, or write any".to_owned(),
        };
        faults.error(method.at, format!("{:?} is no privilege escalation method; {advice}", method.text));
    }
    let methods = MethodSet::from_ids(methods.iter().map(String::as_str)).unwrap_or_default();
    Some(Leaf::PrivilegeEscalation { methods, must })
}

fn any_method() -> MethodSet {
    MethodSet::from_ids(policy::methods().iter().map(|method| method.id.as_str())).unwrap_or_default()
}

fn read_cross_account(node: &Node, faults: &mut Faults) -> Option<Leaf> {
    let fields = Fields::of(node, "cross_account_principal", &["outside"], faults)?;
    let trusted = filled(fields, "outside", faults)?;
    for entry in &trusted {
        let is_account = is_account_pattern(&entry.text);
        let is_organization = entry.text.starts_with("o-");
        if !is_account && !is_organization {
            let message = format!("{:?} is no account id and no organization id (o-...)", entry.text);
            faults.error(entry.at, message);
        }
    }
    let outside = trusted.iter().map(|entry| Pattern::like_value(&entry.text, false)).collect();
    Some(Leaf::CrossAccountPrincipal { outside })
}

fn access_level(given: &Text, faults: &mut Faults) -> Option<AccessLevel> {
    let word = given.text.to_ascii_lowercase().replace([' ', '-'], "_");
    crate::yaml::choose("access_level", &Text { at: given.at, text: word }, &ACCESS_LEVELS, faults)
}

fn actions_of(levels: &[AccessLevel]) -> Arc<ActionNames> {
    let known = policy::catalogue::actions().filter(|action| levels.contains(&action.access_level));
    Arc::new(ActionNames::new(known.map(|action| action.name)))
}

fn actions(fields: Fields<'_>, key: &str, faults: &mut Faults) -> Option<Vec<String>> {
    let given = filled(fields, key, faults)?;
    let checked: Vec<_> = given.into_iter().map(|action| check_action(key, action, faults)).collect();
    checked.into_iter().collect()
}

/// A list that must not be empty: an empty one would match nothing without anybody noticing.
fn filled(fields: Fields<'_>, key: &str, faults: &mut Faults) -> Option<Vec<Text>> {
    let texts = fields.texts(key, faults).unwrap_or_default();
    if texts.is_empty() {
        faults.error(fields.at(key), format!("{key} is empty; name at least one"));
        return None;
    }
    Some(texts)
}

/// `service:Name`, wildcards allowed, or `*`.
fn check_action(key: &str, given: Text, faults: &mut Faults) -> Option<String> {
    let Text { at, text } = given;
    if text != "*" && !is_action(&text) {
        let message = format!("{text:?} is no IAM action for {key}; write service:Name, such as iam:PassRole");
        faults.error(at, message);
        return None;
    }
    check_value(key, &Text { at, text: text.clone() }, faults);
    Some(text)
}

fn is_action(text: &str) -> bool {
    let plain = |part: &str| {
        !part.is_empty() && part.chars().all(|letter| letter.is_ascii_alphanumeric() || "-*?_".contains(letter))
    };
    text.split_once(':').is_some_and(|(service, name)| plain(service) && plain(name))
}
