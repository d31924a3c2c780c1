//! What an event changes: its kind, whom or what it changed, and the document, or where to fetch that.
//!
//! The table in `change/table.rs` says which events matter and where each keeps its parts; this file and `document`
//! hold what a table cannot say.

mod document;
mod kind;
mod path;
mod table;
mod target;

use std::borrow::Cow;

use serde::Serialize;
use serde_json::value::RawValue;

use crate::event::{CloudTrailEvent, base_name};
use crate::members::text;
pub use document::{Document, DocumentUse};
pub use kind::{EventKind, UnknownKind};
use path::{at, word};
use table::{ROWS, Row};
pub use target::TargetType;

/// A change of privilege, as the event tells it. Failed calls have one too: then it is what was tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change<'a> {
    /// What the event does to privilege.
    pub kind: EventKind,
    /// The `subject` of the event's row: name, ARN or id of what was changed.
    pub subject: Option<Cow<'a, str>>,
    /// The `arn` of the event's row: the policy, group, key, role or principal the change refers to.
    pub reference: Option<Cow<'a, str>>,
    /// The type of what was changed.
    pub target_type: TargetType,
    /// Its name, without account or path.
    pub target_name: Option<Cow<'a, str>>,
    /// Its ARN: as the event gives it, else computed where type, name, account and region determine it.
    pub target_arn: Option<Cow<'a, str>>,
    /// ARN of the managed policy that was attached, detached, written or set as boundary.
    pub policy_arn: Option<Cow<'a, str>>,
    /// Name of the inline or managed policy.
    pub policy_name: Option<Cow<'a, str>>,
    /// ARN of the permissions boundary that this event sets, also on a new user or role.
    pub boundary_arn: Option<Cow<'a, str>>,
    /// For a new version of a managed policy: whether it is in force at once.
    pub becomes_default: Option<bool>,
    /// The document, or where it is.
    pub document: Document<'a>,
    /// What the document decides; absent for kinds that have none.
    pub document_use: Option<DocumentUse>,
}

/// A document that is not in the event, named so that a caller can fetch it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum LookUp<'a> {
    /// A managed policy of IAM, customer's or AWS's own; without a version, the default one.
    ManagedPolicy {
        /// Its ARN.
        arn: Cow<'a, str>,
        /// Version id such as `v3`.
        version: Option<Cow<'a, str>>,
    },
    /// A customer managed policy known by name alone: IAM Identity Center looks for it in each account.
    PolicyNamed {
        /// Its name.
        name: Cow<'a, str>,
    },
    /// A policy of the organization.
    OrganizationPolicy {
        /// Its id, such as `p-FullAWSAccess`.
        id: Cow<'a, str>,
    },
}

/// What an event does to privilege, by service and name alone; a version date at the end of the name does not matter.
pub fn kind_of(event_source: &str, event_name: &str) -> Option<EventKind> {
    row_of(event_source, event_name).map(|row| row.kind)
}

/// Every (`eventSource`, `eventName`) of one kind.
pub fn names_of(kind: EventKind) -> impl Iterator<Item = (String, &'static str)> {
    ROWS.iter().filter(move |row| row.kind == kind).map(|row| (format!("{}.amazonaws.com", row.service), row.name))
}

/// What the event changes, or nothing if it changes no privilege.
pub fn change<'a>(event: &CloudTrailEvent<'a>) -> Option<Change<'a>> {
    let row = row_for(event)?;
    let subject = subject(event, row);
    let reference = at(event, row.arn).map(word);
    let policy_arn = policy_arn(event, row, reference.as_ref());
    let target_name = target_name(event, row, subject.as_ref());
    Some(Change {
        kind: row.kind,
        target_type: row.target,
        target_arn: target_arn(event, row, subject.as_ref().or(target_name.as_ref())),
        target_name,
        policy_name: policy_name(event, row, policy_arn.as_ref()),
        policy_arn,
        boundary_arn: boundary_arn(event, row, reference.as_ref()),
        becomes_default: document::becomes_default(event, row),
        document: document::document(event, row),
        document_use: DocumentUse::of(row),
        subject,
        reference,
    })
}

/// The answer of `detector policy` to an `event` request: values as they stand at the paths of the table.
#[derive(Debug, Clone, Serialize)]
pub struct Extracted<'a> {
    /// The kind, or `null` for an event that changes no privilege.
    pub kind: Option<&'static str>,
    /// What was changed.
    pub subject: Option<Cow<'a, str>>,
    /// Whether the event carries a document.
    pub has_document: bool,
    /// The document as sent: text stays text, an object stays an object.
    pub document: Option<&'a RawValue>,
    /// What the change refers to, as sent.
    pub arn: Option<&'a RawValue>,
}

/// Subject, document and ARN of an event, unchanged, for other programs.
pub fn extract<'a>(event: &CloudTrailEvent<'a>) -> Extracted<'a> {
    let Some(row) = row_for(event) else {
        return Extracted { kind: None, subject: None, has_document: false, document: None, arn: None };
    };
    let document = document::sent(event, row);
    Extracted {
        kind: Some(row.kind.as_str()),
        subject: subject(event, row),
        has_document: document.is_some(),
        document,
        arn: at(event, row.arn),
    }
}

fn row_for(event: &CloudTrailEvent<'_>) -> Option<&'static Row> {
    let row = row_of(&event.event_source, &event.event_name)?;
    // SetTopicAttributes writes any attribute; only `Policy` is privilege.
    let other_attribute = row.name == "SetTopicAttributes"
        && at(event, row.arn).and_then(text).is_some_and(|attribute| attribute != "Policy");
    (!other_attribute).then_some(row)
}

fn row_of(event_source: &str, event_name: &str) -> Option<&'static Row> {
    let service = event_source.strip_suffix(".amazonaws.com")?;
    let find = |name: &str| {
        let index = ROWS.binary_search_by(|row| (row.service, row.name).cmp(&(service, name))).ok()?;
        ROWS.get(index)
    };
    find(event_name).or_else(|| find(base_name(event_name)))
}

fn subject<'a>(event: &CloudTrailEvent<'a>, row: &Row) -> Option<Cow<'a, str>> {
    let sent = at(event, row.subject).map(word).filter(|subject| !subject.is_empty());
    // A user who makes a key or changes a password without naming a user means itself.
    let means_caller = row.service == "iam"
        && matches!(row.kind, EventKind::CredentialCreate | EventKind::CredentialUpdate | EventKind::CredentialDelete)
        && !event.request_omitted();
    match sent {
        None if means_caller => event.user_identity.user_name.clone(),
        sent => sent,
    }
}

fn target_name<'a>(event: &CloudTrailEvent<'a>, row: &Row, subject: Option<&Cow<'a, str>>) -> Option<Cow<'a, str>> {
    if row.name == "CreateServiceLinkedRole" {
        return at(event, "responseElements.role.roleName").map(word);
    }
    let subject = match subject {
        Some(subject) => subject.clone(),
        None if row.target == TargetType::Account => Cow::Owned(event.account_id().to_owned()),
        None => return None,
    };
    Some(last_segment(subject))
}

/// What follows the last slash or colon of an ARN or URL; any other name as it is.
fn last_segment(name: Cow<'_, str>) -> Cow<'_, str> {
    if !name.starts_with("arn:") && !name.contains("://") {
        return name;
    }
    let cut = |name: &str| name.rfind(['/', ':']).map_or(0, |at| at + 1);
    match name {
        Cow::Borrowed(text) => Cow::Borrowed(text.get(cut(text)..).unwrap_or(text)),
        Cow::Owned(text) => Cow::Owned(text.get(cut(&text)..).unwrap_or(&text).to_owned()),
    }
}

fn target_arn<'a>(event: &CloudTrailEvent<'a>, row: &Row, name: Option<&Cow<'a, str>>) -> Option<Cow<'a, str>> {
    let in_response = match row.target {
        TargetType::User => "responseElements.user.arn",
        TargetType::Role => "responseElements.role.arn",
        TargetType::Group => "responseElements.group.arn",
        TargetType::Policy => "responseElements.policy.arn",
        TargetType::SamlProvider => "responseElements.sAMLProviderArn",
        TargetType::OidcProvider => "responseElements.openIDConnectProviderArn",
        TargetType::InstanceProfile => "responseElements.instanceProfile.arn",
        _ => "",
    };
    if let Some(arn) = at(event, in_response).and_then(text) {
        return Some(arn);
    }
    target::arn_of(event, row.target, name?).map(Cow::Owned)
}

fn policy_arn<'a>(event: &CloudTrailEvent<'a>, row: &Row, reference: Option<&Cow<'a, str>>) -> Option<Cow<'a, str>> {
    match row.kind {
        EventKind::ManagedPolicyAttach
        | EventKind::ManagedPolicyDetach
        | EventKind::ManagedPolicyCreate
        | EventKind::ManagedPolicyVersion
        | EventKind::ManagedPolicyDefault
        | EventKind::ManagedPolicyVersionDelete
        | EventKind::ManagedPolicyDelete
        | EventKind::BoundarySet
        | EventKind::PermissionSet
        | EventKind::PrincipalGrant
        | EventKind::Session => reference.filter(|arn| arn.starts_with("arn:") && arn.contains("policy/")).cloned(),
        _ => event.request_members().text("policyArn"),
    }
}

fn policy_name<'a>(event: &CloudTrailEvent<'a>, row: &Row, arn: Option<&Cow<'a, str>>) -> Option<Cow<'a, str>> {
    let request = event.request_members();
    let named = ["policyName", "policyId"].into_iter().find_map(|key| request.text(key));
    named.or_else(|| arn.cloned().map(last_segment)).or_else(|| match row.kind {
        EventKind::OrgPolicy => request.text("name"),
        EventKind::PermissionSet if !row.arn.is_empty() => at(event, row.arn).map(word).map(last_segment),
        _ => None,
    })
}

fn boundary_arn<'a>(event: &CloudTrailEvent<'a>, row: &Row, reference: Option<&Cow<'a, str>>) -> Option<Cow<'a, str>> {
    let sets_one = row.kind == EventKind::BoundarySet || row.arn == "permissionsBoundary";
    reference.filter(|_| sets_one).cloned().or_else(|| event.request_members().text("permissionsBoundary"))
}

#[cfg(test)]
mod tests;
