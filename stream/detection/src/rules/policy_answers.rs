//! The answers to what a rule asks about a policy, with evidence.
//!
//! A document that is needed and cannot be seen makes its leaves [`Truth::Unknown`]: the rule neither matches nor is
//! clean, it is counted as undecided, and a rule with the leaf `not_visible` tells people. A document that could be
//! read only in part is judged by what was read, but its "no" is unknown, too.

use super::case::{Case, Sight};
use super::leaf::{Condition, Leaf};
use super::memory::Studied;
use super::truth::Truth;
use crate::change::EventKind;
use policy::{Effect, Exposure, Fault, Finding, Kind, MethodSet, Pattern, Policy, Statement};
use schemas::Certainty;
use serde::Serialize;

/// Why a leaf holds, as data; the row's `evidence_detail`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Evidence {
    /// The leaf, as written in rules.
    pub leaf: &'static str,
    /// Whether it holds whatever the conditions of the policy.
    pub certainty: Certainty,
    /// One clause for people, such as "it allows iam:PassRole on * (statement 1)".
    pub sentence: String,
    /// Statement of the document that shows it, from 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub statement: Option<usize>,
    /// `Sid` of that statement.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sid: Option<String>,
    /// The pattern of the statement that matched.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pattern: Option<String>,
    /// An IAM action that shows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action: Option<String>,
    /// A resource that shows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource: Option<String>,
    /// Escalation methods, of the leaf `privilege_escalation` alone.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub methods: Vec<String>,
}

/// An answer with what speaks for it.
pub(super) type Answered = (Truth, Option<Evidence>);

impl Evidence {
    fn new(leaf: &Leaf, truth: Truth, sentence: String) -> Evidence {
        let certainty = if truth == Truth::Must { Certainty::Must } else { Certainty::May };
        Evidence {
            leaf: leaf.name(),
            certainty,
            sentence,
            statement: None,
            sid: None,
            pattern: None,
            action: None,
            resource: None,
            methods: Vec::new(),
        }
    }
}

/// Whether the condition holds for the event. Evidence of leaves that do not decide is left out.
pub(super) fn answer(case: &Case<'_>, condition: &Condition, evidence: &mut Vec<Evidence>) -> Truth {
    match condition {
        Condition::All(parts) => {
            let kept = evidence.len();
            let truth = parts.iter().map(|part| answer(case, part, evidence)).min().unwrap_or(Truth::No);
            if !truth.holds() {
                evidence.truncate(kept);
            }
            truth
        }
        // Every part is asked, also after one that holds: each that holds is evidence.
        Condition::Any(parts) => parts.iter().map(|part| answer(case, part, evidence)).max().unwrap_or(Truth::No),
        Condition::Not(part) => {
            let mut against = Vec::new();
            !answer(case, part, &mut against)
        }
        Condition::Leaf(leaf) => {
            let (truth, found) = leaf_answer(case, leaf);
            if truth.holds() {
                evidence.extend(found);
            }
            truth
        }
    }
}

fn leaf_answer(case: &Case<'_>, leaf: &Leaf) -> Answered {
    match leaf {
        Leaf::NotVisible => not_visible(case, leaf),
        Leaf::BoundaryRemoved => boundary_removed(case, leaf),
        Leaf::NewAccess => new_access(case).clone(),
        Leaf::LostDeny => lost_deny(case, leaf),
        _ => match (case.judged_sight(), case.judged()) {
            (Sight::NotVisible(_), _) => (Truth::Unknown, None),
            (_, None) => (Truth::No, None),
            (_, Some(studied)) => {
                let (truth, evidence) = exposure_answer(case, &studied.policy, leaf)
                    .unwrap_or_else(|| studied.answer(leaf, || document_answer(studied, leaf)));
                // What could not be read may hold what was not found.
                let blurred = truth == Truth::No && is_partial(&studied.policy) && !matches!(leaf, Leaf::Malformed);
                (if blurred { Truth::Unknown } else { truth }, evidence)
            }
        },
    }
}

/// A question about whom a document lets in, which depends on the account of the event, too.
fn exposure_answer(case: &Case<'_>, policy: &Policy, leaf: &Leaf) -> Option<Answered> {
    let (finding, who) = match leaf {
        Leaf::CrossAccountPrincipal { outside } => return Some(cross_account(case.exposure(policy), outside, leaf)),
        Leaf::PublicPrincipal => (&case.exposure(policy).public, "anybody"),
        Leaf::ExternalIdMissing => {
            (&case.exposure(policy).external_id_missing, "another account without an external id")
        }
        Leaf::OidcUnrestricted => (&case.exposure(policy).oidc_unrestricted, "every user of a web identity provider"),
        Leaf::ConfusedDeputy => (&case.exposure(policy).confused_deputy, "a service, whoever it acts for"),
        _ => return None,
    };
    Some(principal(leaf, finding.as_ref(), who))
}

/// A question that one document answers, whatever the event.
fn document_answer(studied: &Studied, leaf: &Leaf) -> Answered {
    let policy = &studied.policy;
    let strongest = |actions: &[String], ask: &dyn Fn(&str) -> Option<Finding>| {
        actions.iter().filter_map(|action| ask(action)).max_by_key(|finding| finding.certainty)
    };
    match leaf {
        Leaf::Grants(actions) => found(leaf, strongest(actions, &|action| policy.grants(action)), "it allows"),
        Leaf::GrantsOn { action, resource } => found(leaf, policy.grants_on(action, resource), "it allows"),
        Leaf::FullAdmin => whole(leaf, policy.full_admin(), "it allows every action on every resource"),
        Leaf::EffectiveAdmin => {
            let finding = policy.effective_admin_given(studied.escalations());
            found(leaf, finding, "its holder can make itself administrator with")
        }
        Leaf::WildcardService(services) => {
            let wanted =
                |name: &str| name == "*" || services.is_empty() || services.iter().any(|wanted| wanted == name);
            let named = policy.wildcard_services().into_iter().filter(|(name, _)| wanted(name));
            let finding = named.map(|(_, finding)| finding).max_by_key(|finding| finding.certainty);
            found(leaf, finding, "it allows a whole service, such as")
        }
        Leaf::WildcardAction => found(leaf, policy.wildcard_action(), "it allows every action, such as"),
        Leaf::NotActionAllow => found(leaf, policy.not_action_allow(), "it allows all but a list of actions, such as"),
        Leaf::NotResourceAllow => {
            found(leaf, policy.not_resource_allow(), "it allows on all but a list of resources, such as")
        }
        Leaf::ResourceWildcardOn(actions) => {
            let finding = strongest(actions, &|action| policy.resource_wildcard_on(action));
            found(leaf, finding, "it allows on every resource")
        }
        Leaf::AccessLevel(names) => found(leaf, policy.grants_any_of(names), "it allows"),
        Leaf::PrivilegeEscalation { methods, must } => escalation(studied, leaf, (*methods, *must)),
        Leaf::Malformed => malformed(policy, leaf),
        // Answered before, as these look at the event or at more than one document.
        Leaf::PublicPrincipal
        | Leaf::CrossAccountPrincipal { .. }
        | Leaf::ExternalIdMissing
        | Leaf::OidcUnrestricted
        | Leaf::ConfusedDeputy
        | Leaf::BoundaryRemoved
        | Leaf::NewAccess
        | Leaf::LostDeny
        | Leaf::NotVisible => (Truth::No, None),
    }
}

fn found(leaf: &Leaf, finding: Option<Finding>, says: &str) -> Answered {
    let shown = finding.as_ref().map(|finding| &finding.evidence);
    let sentence = shown.map(|shown| format!("{says} {} on {}", shown.action, shown.resource));
    whole(leaf, finding, &sentence.unwrap_or_default())
}

/// A finding whose sentence needs no example.
fn whole(leaf: &Leaf, finding: Option<Finding>, says: &str) -> Answered {
    let Some(Finding { certainty, evidence: shown }) = finding else { return (Truth::No, None) };
    let truth = truth_of(certainty);
    let mut sentence = format!("{says} (statement {})", shown.statement + 1);
    if let (Truth::May, Some(reason)) = (truth, shown.unless.first()) {
        sentence = format!("{sentence}; this depends: {reason}");
    }
    let evidence = Evidence {
        statement: Some(shown.statement),
        sid: shown.sid,
        pattern: Some(shown.pattern),
        action: Some(shown.action),
        resource: Some(shown.resource),
        ..Evidence::new(leaf, truth, sentence)
    };
    (truth, Some(evidence))
}

fn truth_of(certainty: policy::Certainty) -> Truth {
    match certainty {
        policy::Certainty::Must => Truth::Must,
        policy::Certainty::May => Truth::May,
    }
}

/// A finding about who is let in; `who` in the words of a sentence.
fn principal(leaf: &Leaf, finding: Option<&Finding>, who: &str) -> Answered {
    let named = finding.map(|finding| finding.evidence.pattern.as_str()).filter(|named| !who.contains(named));
    let named = named.map(|named| format!(": {named}")).unwrap_or_default();
    whole(leaf, finding.cloned(), &format!("it lets in {who}{named}"))
}

fn cross_account(exposure: &Exposure, outside: &[Pattern], leaf: &Leaf) -> Answered {
    let strangers = exposure.cross_account.iter().chain(&exposure.other_organizations);
    let untrusted = strangers.filter(|(name, _)| !outside.iter().any(|trusted| trusted.matches(name)));
    let Some((name, finding)) = untrusted.max_by_key(|(_, finding)| finding.certainty) else {
        return (Truth::No, None);
    };
    let kind = if name.starts_with("o-") { "organization" } else { "account" };
    principal(leaf, Some(finding), &format!("{kind} {name}"))
}

fn escalation(studied: &Studied, leaf: &Leaf, (methods, must): (MethodSet, bool)) -> Answered {
    let escalations = studied.escalations();
    let (certain, possible) = (escalations.must.and(methods), escalations.may.and(methods));
    let (truth, shown) = match (certain.is_empty(), possible.is_empty() || must) {
        (false, _) => (Truth::Must, certain),
        (true, false) => (Truth::May, possible),
        (true, true) => return (Truth::No, None),
    };
    let Some(first) = shown.iter().next() else { return (Truth::No, None) };
    let findings = studied.policy.escalation_evidence(first).map(|(_, findings)| findings).unwrap_or_default();
    let mut sentence =
        format!("its holder can raise its own privilege with {} ({})", first.actions.join(" and "), first.id);
    if shown.len() > 1 {
        sentence = format!("{sentence} and {} other ways", shown.len() - 1);
    }
    let mut evidence = Evidence {
        methods: shown.iter().map(|method| method.id.clone()).collect(),
        ..Evidence::new(leaf, truth, sentence)
    };
    if let Some(finding) = findings.into_iter().next() {
        evidence.statement = Some(finding.evidence.statement);
        evidence.sid = finding.evidence.sid;
        evidence.pattern = Some(finding.evidence.pattern);
        evidence.action = Some(finding.evidence.action);
        evidence.resource = Some(finding.evidence.resource);
    }
    (truth, Some(evidence))
}

fn malformed(policy: &Policy, leaf: &Leaf) -> Answered {
    let Some(first) = policy.malformed.first() else { return (Truth::No, None) };
    let sentence = format!("the document is malformed: {first}");
    let evidence = Evidence { statement: first.position.statement, ..Evidence::new(leaf, Truth::Must, sentence) };
    (Truth::Must, Some(evidence))
}

/// Whether parts of the text were not read at all.
fn is_partial(policy: &Policy) -> bool {
    let lost = |fault: &Fault| {
        matches!(fault, Fault::NotJson(_) | Fault::TooLong { .. } | Fault::TooDeep { .. } | Fault::TooMany { .. })
    };
    policy.malformed.iter().any(|malformed| lost(&malformed.fault))
}

fn not_visible(case: &Case<'_>, leaf: &Leaf) -> Answered {
    let Sight::NotVisible(why) = case.judged_sight() else { return (Truth::No, None) };
    let sentence = format!("the policy document is not visible: {why}");
    (Truth::Must, Some(Evidence::new(leaf, Truth::Must, sentence)))
}

fn boundary_removed(case: &Case<'_>, leaf: &Leaf) -> Answered {
    match case.change.map(|change| change.kind) {
        Some(EventKind::BoundaryRemoved) => {
            let sentence = "the permissions boundary was taken away".to_owned();
            (Truth::Must, Some(Evidence::new(leaf, Truth::Must, sentence)))
        }
        Some(EventKind::BoundarySet) => match (case.judged_sight(), case.judged()) {
            (Sight::NotVisible(_), _) => (Truth::Unknown, None),
            (_, Some(studied)) if studied.policy.full_admin().is_some() => {
                let sentence = "the new permissions boundary lets everything pass".to_owned();
                (Truth::Must, Some(Evidence::new(leaf, Truth::Must, sentence)))
            }
            _ => (Truth::No, None),
        },
        _ => (Truth::No, None),
    }
}

/// Old and new document of a comparison; `Err` when one of them cannot be seen.
fn both_sides<'c>(case: &'c Case<'_>) -> Result<(Option<&'c Policy>, Option<&'c Policy>), &'static str> {
    let after = if case.takes_away() {
        None
    } else if let Sight::NotVisible(why) = case.judged_sight() {
        return Err(why);
    } else {
        case.judged().map(|studied| &studied.policy)
    };
    match case.before_sight() {
        Sight::NotVisible(why) => Err(why),
        Sight::Nothing | Sight::Text(_) => Ok((case.before().map(|studied| &studied.policy), after)),
    }
}

/// Asked by many rules and for the row: answered once for each event.
fn new_access<'c>(case: &'c Case<'_>) -> &'c Answered {
    case.new_access.get_or_init(|| {
        if case.takes_away() || case.judged_sight() == Sight::Nothing {
            return (Truth::No, None);
        }
        match both_sides(case) {
            // What cannot be compared is treated as new: a look-up that fails must not hide a grant.
            Err(why) => {
                let sentence = format!("counted as new access, as {why}");
                (Truth::May, Some(Evidence::new(&Leaf::NewAccess, Truth::May, sentence)))
            }
            Ok((before, after)) => gained(&Leaf::NewAccess, before, after, "not granted before is"),
        }
    })
}

/// Whether the event grants anything that was not granted before; `None` when that cannot be told.
pub(super) fn grows(case: &Case<'_>) -> Option<bool> {
    if !case.takes_away() && case.judged_sight() == Sight::Nothing {
        return None;
    }
    match new_access(case).0 {
        Truth::Must => Some(true),
        Truth::No => Some(false),
        Truth::May | Truth::Unknown => None,
    }
}

fn lost_deny(case: &Case<'_>, leaf: &Leaf) -> Answered {
    match both_sides(case) {
        Err(_) => (Truth::Unknown, None),
        Ok((before, after)) => {
            let before = before.map(denials);
            let after = after.map(denials);
            gained(leaf, after.as_ref(), before.as_ref(), "no longer denied is")
        }
    }
}

/// What `to` grants and `from` does not. No document grants nothing.
fn gained(leaf: &Leaf, from: Option<&Policy>, to: Option<&Policy>, says: &str) -> Answered {
    let Some(to) = to else { return (Truth::No, None) };
    let nothing = Policy { statements: Vec::new(), malformed: Vec::new(), ..to.clone() };
    match policy::compare(from.unwrap_or(&nothing), to).new_access {
        policy::Answer::No => (Truth::No, None),
        policy::Answer::Yes(witness) => {
            let sentence = format!("{says} {} on {}", witness.action, witness.resource);
            let evidence = Evidence {
                action: Some(witness.action.clone()),
                resource: Some(witness.resource.clone()),
                ..Evidence::new(leaf, Truth::Must, sentence)
            };
            (Truth::Must, Some(evidence))
        }
        policy::Answer::Unknown(reason) => {
            let sentence = format!("counted as a difference, as {reason}");
            (Truth::May, Some(Evidence::new(leaf, Truth::May, sentence)))
        }
    }
}

/// The Deny statements as if they granted, so that what is no longer denied can be asked as what is newly granted.
fn denials(policy: &Policy) -> Policy {
    let denies = policy.statements.iter().filter(|statement| statement.effect == Effect::Deny);
    let statements = denies.map(|statement| Statement { effect: Effect::Allow, ..statement.clone() }).collect();
    // Documents that only limit have no grants to compare; here it is the limits that are compared.
    let kind = if policy.kind.only_limits() { Kind::Identity } else { policy.kind };
    Policy { kind, statements, malformed: Vec::new(), ..policy.clone() }
}
