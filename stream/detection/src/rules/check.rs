//! The conditions of a rule, each a question about one event that can also explain its answer.

use super::case::{Case, Sight};
use super::leaf::Condition;
use super::matching::{FieldTest, Wording};
use super::policy_answers::{Evidence, answer};
use super::rule::Explained;
use super::truth::Truth;
use crate::change::{EventKind, TargetType};
use crate::event::base_name;
use ipnet::IpNet;
use policy::Pattern;
use schemas::Outcome;
use serde_json::Value;
use std::borrow::Cow;
use std::net::IpAddr;
use std::panic::resume_unwind;

/// One condition of a rule.
#[derive(Debug, Clone)]
pub(crate) enum Check {
    EventNames(Vec<String>),
    EventSources(Vec<String>),
    EventKinds(Vec<EventKind>),
    Outcome(OutcomeWanted),
    ResourceTypes(Vec<String>),
    Principals(Vec<Wording>),
    NotPrincipals(Vec<Wording>),
    Accounts(Vec<Pattern>),
    SourceIps(Vec<IpNet>),
    NotSourceIps(Vec<IpNet>),
    UserAgents(Vec<String>),
    ActorTypes(Vec<String>),
    Mfa(bool),
    Target(Target),
    /// All fields of one of the alternatives.
    EventFields(Vec<Vec<FieldTest>>),
    /// Attached by one of these ARNs, or its text contains one of these (already flat).
    PolicyText {
        arns: Vec<Pattern>,
        contains: Vec<String>,
    },
    Policy(Condition),
    /// The rule fails on purpose, so that people can see that they would hear of a rule that does.
    Drill,
}

/// Which outcome of the call a rule is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OutcomeWanted {
    Only(Outcome),
    Any,
}

/// Whom the change is about, seen from the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Target {
    Caller,
    Other,
}

impl Check {
    /// Whether the condition holds; what speaks for it is added to `evidence`.
    pub(crate) fn judge(&self, case: &Case<'_>, evidence: &mut Vec<Evidence>) -> Truth {
        let event = case.event;
        let kind = case.change.map(|change| change.kind);
        match self {
            Check::EventNames(names) => {
                let (name, base) = (event.event_name.as_ref(), base_name(&event.event_name));
                Truth::of(names.iter().any(|wanted| wanted == name || wanted == base))
            }
            Check::EventSources(sources) => Truth::of(sources.iter().any(|source| *source == event.event_source)),
            Check::EventKinds(kinds) => Truth::of(kind.is_some_and(|kind| kinds.contains(&kind))),
            Check::Outcome(OutcomeWanted::Any) => Truth::Must,
            Check::Outcome(OutcomeWanted::Only(outcome)) => Truth::of(event.outcome() == *outcome),
            Check::ResourceTypes(types) => {
                let held = resource_types(case);
                Truth::of(types.iter().any(|wanted| held.iter().any(|held| held.contains(wanted.as_str()))))
            }
            Check::Principals(wordings) => Truth::of(is_caller(case, wordings)),
            Check::NotPrincipals(wordings) => Truth::of(!is_caller(case, wordings)),
            Check::Accounts(patterns) => Truth::of(patterns.iter().any(|pattern| pattern.matches(event.account_id()))),
            Check::SourceIps(networks) => Truth::of(comes_from(case, networks)),
            Check::NotSourceIps(networks) => Truth::of(!comes_from(case, networks)),
            Check::UserAgents(parts) => {
                let agent = event.user_agent.as_deref().unwrap_or_default();
                Truth::of(parts.iter().any(|part| agent.contains(part.as_str())))
            }
            Check::ActorTypes(types) => {
                let actor = event.user_identity.identity_type.as_deref();
                Truth::of(types.iter().any(|wanted| Some(wanted.as_str()) == actor))
            }
            // A session that does not mention a second factor had none that anybody could rely on.
            Check::Mfa(wanted) => Truth::of(event.mfa_authenticated().unwrap_or(false) == *wanted),
            Check::Target(wanted) => Truth::of((*wanted == Target::Caller) == changes_itself(case)),
            Check::EventFields(alternatives) => {
                Truth::of(alternatives.iter().any(|fields| fields.iter().all(|test| test.holds(case))))
            }
            Check::PolicyText { arns, contains } => policy_text(case, arns, contains),
            Check::Policy(condition) => answer(case, condition, evidence),
            // As a fault of our own would: caught where rules are held against an event.
            Check::Drill => resume_unwind(Box::new("it fails on purpose, as a drill".to_owned())),
        }
    }

    /// The condition with what was asked and what was found.
    pub(crate) fn explain(&self, case: &Case<'_>) -> Explained {
        let mut evidence = Vec::new();
        let truth = if matches!(self, Check::Drill) { Truth::Unknown } else { self.judge(case, &mut evidence) };
        let (condition, wanted) = self.wanted();
        let found = match self {
            Check::Policy(_) if !evidence.is_empty() => {
                evidence.iter().map(|evidence| evidence.sentence.clone()).collect::<Vec<_>>().join("; ")
            }
            _ => self.found(case),
        };
        Explained { condition, wanted, found, truth }
    }

    fn wanted(&self) -> (&'static str, String) {
        let wordings = |list: &[Wording]| list.iter().map(Wording::source).collect::<Vec<_>>().join(", ");
        let patterns = |list: &[Pattern]| list.iter().map(Pattern::source).collect::<Vec<_>>().join(", ");
        let networks = |list: &[IpNet]| list.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        match self {
            Check::EventNames(names) => ("event_names", names.join(", ")),
            Check::EventSources(sources) => ("event_sources", sources.join(", ")),
            Check::EventKinds(kinds) => {
                ("event_kinds", kinds.iter().map(|kind| kind.as_str()).collect::<Vec<_>>().join(", "))
            }
            Check::Outcome(OutcomeWanted::Any) => ("outcome", "any".to_owned()),
            Check::Outcome(OutcomeWanted::Only(outcome)) => ("outcome", outcome_word(*outcome).to_owned()),
            Check::ResourceTypes(types) => ("resource_types", types.join(", ")),
            Check::Principals(list) => ("principals", wordings(list)),
            Check::NotPrincipals(list) => ("not_principals", wordings(list)),
            Check::Accounts(list) => ("accounts", patterns(list)),
            Check::SourceIps(list) => ("source_ips", networks(list)),
            Check::NotSourceIps(list) => ("not_source_ips", networks(list)),
            Check::UserAgents(parts) => ("user_agents", parts.join(", ")),
            Check::ActorTypes(types) => ("actor_types", types.join(", ")),
            Check::Mfa(wanted) => ("mfa", wanted.to_string()),
            Check::Target(Target::Caller) => ("target", "self".to_owned()),
            Check::Target(Target::Other) => ("target", "other".to_owned()),
            Check::EventFields(alternatives) => {
                let line =
                    |fields: &Vec<FieldTest>| fields.iter().map(FieldTest::to_line).collect::<Vec<_>>().join(" and ");
                ("event_fields", alternatives.iter().map(line).collect::<Vec<_>>().join(" or "))
            }
            Check::PolicyText { arns, contains } => {
                let parts = [("policy_arns", patterns(arns)), ("policy_document_contains", contains.join(", "))];
                let given = parts.iter().filter(|(_, text)| !text.is_empty());
                ("conditions", given.map(|(key, text)| format!("{key}: {text}")).collect::<Vec<_>>().join(" or "))
            }
            Check::Policy(condition) => ("policy", condition.to_line()),
            Check::Drill => ("drill", "true".to_owned()),
        }
    }

    fn found(&self, case: &Case<'_>) -> String {
        let event = case.event;
        let or_none = |text: Option<&str>| text.unwrap_or("none").to_owned();
        match self {
            Check::EventNames(_) => event.event_name.clone().into_owned(),
            Check::EventSources(_) => event.event_source.clone().into_owned(),
            Check::EventKinds(_) => or_none(case.change.map(|change| change.kind.as_str())),
            Check::Outcome(_) => outcome_word(event.outcome()).to_owned(),
            Check::ResourceTypes(_) => resource_types(case).join(", "),
            Check::Principals(_) | Check::NotPrincipals(_) => callers(case).join(", "),
            Check::Accounts(_) => event.account_id().to_owned(),
            Check::SourceIps(_) | Check::NotSourceIps(_) => or_none(event.source_ip_address.as_deref()),
            Check::UserAgents(_) => or_none(event.user_agent.as_deref()),
            Check::ActorTypes(_) => or_none(event.user_identity.identity_type.as_deref()),
            Check::Mfa(_) => event.mfa_authenticated().map_or("not said".to_owned(), |mfa| mfa.to_string()),
            Check::Target(_) => or_none(target_user(case).as_deref()),
            Check::EventFields(alternatives) => {
                let found = alternatives.iter().flatten().map(|test| test.found(case));
                found.collect::<Vec<_>>().join(" and ")
            }
            Check::PolicyText { .. } | Check::Policy(_) => match case.judged_sight() {
                Sight::Nothing => "no policy document".to_owned(),
                Sight::NotVisible(why) => format!("a policy document that is not visible: {why}"),
                Sight::Text(_) => {
                    let arn = case.change.and_then(|change| change.policy_arn.as_deref());
                    arn.map_or("a policy document".to_owned(), |arn| format!("the policy document of {arn}"))
                }
            },
            Check::Drill => "the rule fails on purpose".to_owned(),
        }
    }
}

fn outcome_word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Success => "success",
        Outcome::Failure => "failure",
    }
}

/// The types the event lists, and the type of what it changed: IAM events list no resources.
fn resource_types(case: &Case<'_>) -> Vec<Cow<'static, str>> {
    let listed = case.event.resource_list().into_iter().filter_map(|resource| resource.resource_type);
    let mut types: Vec<Cow<'static, str>> = listed.map(|listed| Cow::Owned(listed.into_owned())).collect();
    let target = case.change.and_then(|change| match change.target_type {
        TargetType::User => Some("AWS::IAM::User"),
        TargetType::Role => Some("AWS::IAM::Role"),
        TargetType::Group => Some("AWS::IAM::Group"),
        TargetType::Policy => Some("AWS::IAM::Policy"),
        TargetType::Bucket => Some("AWS::S3::Bucket"),
        TargetType::Key => Some("AWS::KMS::Key"),
        TargetType::Function => Some("AWS::Lambda::Function"),
        _ => None,
    });
    types.extend(target.map(Cow::Borrowed));
    types
}

/// The ARN of the caller, and of the role behind its session: only that one has the path.
fn callers<'e>(case: &Case<'e>) -> Vec<&'e str> {
    let identity = &case.event.user_identity;
    let issuer = identity.session_issuer.as_ref().and_then(|issuer| issuer.arn.as_deref());
    identity.arn.as_deref().into_iter().chain(issuer).collect()
}

fn is_caller(case: &Case<'_>, wordings: &[Wording]) -> bool {
    callers(case).into_iter().any(|arn| wordings.iter().any(|wording| wording.matches(arn)))
}

/// AWS services call from a name, not from an address: no block holds them.
fn comes_from(case: &Case<'_>, networks: &[IpNet]) -> bool {
    let address: Option<IpAddr> = case.event.source_ip_address.as_deref().and_then(|text| text.parse().ok());
    address.is_some_and(|address| networks.iter().any(|network| network.contains(&address)))
}

/// The user a call is about; a user call that names none means its caller.
fn target_user(case: &Case<'_>) -> Option<String> {
    let named = case.event.parameters().get("userName").and_then(Value::as_str);
    named.or(case.event.user_identity.user_name.as_deref()).map(str::to_owned)
}

/// What CloudTrail calls the root user where a user's name is due. Source: CloudTrail user guide, "AWS Management
/// Console sign-in events", example "Root user changes MFA device".
const ROOT_AS_USER: &str = "AWS ROOT USER";

fn changes_itself(case: &Case<'_>) -> bool {
    let identity = &case.event.user_identity;
    let Some(named) = case.event.parameters().get("userName").and_then(Value::as_str) else {
        // Named another way, such as a role, it is somebody else; not named at all, the caller; left out, unknown.
        let target = case.change.map(|change| change.target_type);
        let may_be_caller =
            matches!(target, None | Some(TargetType::User | TargetType::MfaDevice | TargetType::Account));
        return may_be_caller && !case.event.request_omitted();
    };
    identity.user_name.as_deref() == Some(named) || (named == ROOT_AS_USER && identity.is_root())
}

fn policy_text(case: &Case<'_>, arns: &[Pattern], contains: &[String]) -> Truth {
    let change = case.change;
    let held = [change.and_then(|change| change.policy_arn.as_deref()), change.and_then(|c| c.boundary_arn.as_deref())];
    let in_request = case.event.parameters().get("policyArn").and_then(Value::as_str);
    let mut held = held.into_iter().flatten().chain(in_request);
    if held.any(|arn| arns.iter().any(|pattern| pattern.matches(arn))) {
        return Truth::Must;
    }
    if contains.is_empty() {
        return Truth::No;
    }
    match case.judged_sight() {
        Sight::Nothing => Truth::No,
        Sight::NotVisible(_) => Truth::Unknown,
        Sight::Text(_) => {
            let text = case.flat_text().unwrap_or_default();
            Truth::of(contains.iter().any(|part| text.contains(part.as_str())))
        }
    }
}
