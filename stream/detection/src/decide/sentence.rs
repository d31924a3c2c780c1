//! Says in one sentence what happened and why it matters: "AdministratorAccess was attached to role app by user alice".

use crate::change::{Change, EventKind, TargetType};
use crate::event::CloudTrailEvent;
use crate::rules::Evidence;
use schemas::Outcome;

/// Longest name or agent repeated in a sentence, characters.
const MAX_WORD_CHARS: usize = 256;
/// Clauses of evidence in one sentence; the row's detail has all of them.
const MAX_CLAUSES: usize = 3;

/// What happened, then what speaks for the finding.
pub(super) fn sentence(event: &CloudTrailEvent<'_>, change: Option<&Change<'_>>, evidence: &[Evidence]) -> String {
    let mut sentence = match change {
        Some(change) if event.outcome() == Outcome::Success => done(event, change),
        Some(change) => tried(event, change),
        None => called(event),
    };
    let clauses: Vec<&str> = evidence.iter().map(|evidence| evidence.sentence.as_str()).take(MAX_CLAUSES).collect();
    if !clauses.is_empty() {
        sentence = format!("{sentence}; {}", clauses.join("; "));
    }
    sentence
}

fn done(event: &CloudTrailEvent<'_>, change: &Change<'_>) -> String {
    let (by, on) = (actor(event), target(change));
    let policy = change.policy_name.as_deref().map_or("a policy".to_owned(), trimmed);
    let inline =
        change.policy_name.as_ref().map_or("an inline policy".to_owned(), |_| format!("inline policy {policy}"));
    let other = change.reference.as_deref().map_or("it".to_owned(), trimmed);
    match change.kind {
        EventKind::InlinePolicyPut => format!("{inline} of {on} was written by {by}"),
        EventKind::InlinePolicyDelete => format!("{inline} of {on} was deleted by {by}"),
        EventKind::ManagedPolicyAttach => format!("{policy} was attached to {on} by {by}"),
        EventKind::ManagedPolicyDetach => format!("{policy} was detached from {on} by {by}"),
        EventKind::ManagedPolicyCreate => format!("{on} was created by {by}"),
        EventKind::ManagedPolicyVersion if change.becomes_default == Some(false) => {
            format!("a new version of {on} was stored, not yet in force, by {by}")
        }
        EventKind::ManagedPolicyVersion => format!("a new version of {on} was put in force by {by}"),
        EventKind::ManagedPolicyDefault => format!("another version of {on} was put in force by {by}"),
        EventKind::ManagedPolicyVersionDelete => format!("a version of {on} was deleted by {by}"),
        EventKind::ManagedPolicyDelete | EventKind::RoleDelete => format!("{on} was deleted by {by}"),
        EventKind::TrustPolicy if event.event_name == "CreateRole" => format!("{on} was created by {by}"),
        EventKind::TrustPolicy => format!("the trust policy of {on} was written by {by}"),
        EventKind::RoleCreate | EventKind::UserCreate | EventKind::GroupCreate => format!("{on} was created by {by}"),
        EventKind::BoundarySet => format!("{other} was set as permissions boundary of {on} by {by}"),
        EventKind::BoundaryRemoved => format!("the permissions boundary of {on} was removed by {by}"),
        EventKind::GroupMembershipAdd => format!("{on} was added to group {other} by {by}"),
        EventKind::GroupMembershipRemove => format!("{on} was taken out of group {other} by {by}"),
        EventKind::CredentialCreate => format!("a credential of {on} was created ({}) by {by}", event.event_name),
        EventKind::CredentialDelete => format!("a credential of {on} was deleted ({}) by {by}", event.event_name),
        EventKind::LoginProfile => format!("a console password of {on} was set by {by}"),
        EventKind::LoginProfileDelete => format!("the console password of {on} was deleted by {by}"),
        EventKind::MfaRemoved => format!("an MFA device of {on} was removed by {by}"),
        EventKind::MfaAdded => format!("an MFA device of {on} was added by {by}"),
        EventKind::AccountAssignment => format!("permission set {other} was assigned to or taken from {on} by {by}"),
        EventKind::OrgPolicyAttach => format!("organization policy {policy} was attached to {on} by {by}"),
        EventKind::ResourcePolicy => format!("the resource policy of {on} was written by {by}"),
        EventKind::ResourcePolicyDelete => format!("the resource policy of {on} was deleted by {by}"),
        _ => format!("{} was called on {on} by {by}", event.event_name),
    }
}

fn tried(event: &CloudTrailEvent<'_>, change: &Change<'_>) -> String {
    let why = event.error_code.as_deref().unwrap_or("failed");
    format!("{} tried {} on {} and was refused ({})", actor(event), event.event_name, target(change), trimmed(why))
}

fn called(event: &CloudTrailEvent<'_>) -> String {
    let name = &event.event_name;
    match event.outcome() {
        Outcome::Success => format!("{name} was called by {}", actor(event)),
        Outcome::Failure => {
            let why = event.error_code.as_deref().or(event.error_message.as_deref()).unwrap_or("failed");
            format!("{} tried {name} and was refused ({})", actor(event), trimmed(why))
        }
    }
}

/// `user alice`, `role deploy`, `the root user of 111122223333`, `cloudformation.amazonaws.com`.
fn actor(event: &CloudTrailEvent<'_>) -> String {
    let identity = &event.user_identity;
    if identity.is_root() {
        return format!("the root user of {}", identity.account().unwrap_or(event.account_id()));
    }
    let name = event.principal_name().map_or("somebody unnamed".to_owned(), trimmed);
    match identity.identity_type.as_deref() {
        Some("IAMUser") => format!("user {name}"),
        Some("AssumedRole" | "Role") => format!("role {name}"),
        Some("FederatedUser" | "SAMLUser" | "WebIdentityUser" | "IdentityCenterUser") => {
            format!("federated user {name}")
        }
        Some("AWSAccount") => format!("account {}", identity.account().map_or(name, trimmed)),
        _ => name,
    }
}

/// `role app`, `policy Deploy`, `the account`.
fn target(change: &Change<'_>) -> String {
    let kind = change.target_type.as_str().replace('_', " ");
    match &change.target_name {
        Some(name) => format!("{kind} {}", trimmed(name)),
        None if change.target_type == TargetType::Account => "the account".to_owned(),
        None => format!("a {kind}"),
    }
}

/// A text chosen by users, fit for one line: control characters become spaces, and it is cut at [`MAX_WORD_CHARS`].
fn trimmed(text: &str) -> String {
    let clean = |letter: char| if letter.is_control() { ' ' } else { letter };
    let mut short: String = text.chars().take(MAX_WORD_CHARS).map(clean).collect();
    if text.chars().nth(MAX_WORD_CHARS).is_some() {
        short.push('…');
    }
    short
}
