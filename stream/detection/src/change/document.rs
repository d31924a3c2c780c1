//! The document of a change: the policy itself, or where it has to be fetched.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::path::{at, word};
use super::table::{Content, Row};
use super::{EventKind, LookUp};
use crate::event::CloudTrailEvent;
use crate::members::{Members, boolean, text};

/// What an event says about the document it changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Document<'a> {
    /// Changes of this kind have no document, or this one left an optional one out.
    None,
    /// A policy document as JSON text, decoded but otherwise as sent: it may be malformed, and that is a finding.
    Policy(Cow<'a, str>),
    /// Not a policy: the access control list, actions or accounts of the request, as JSON text.
    Details(Cow<'a, str>),
    /// The document is not in the event; this names it.
    LookUp(LookUp<'a>),
    /// CloudTrail left the request out because it was too large, and nothing in the event names the document.
    Omitted,
    /// The request has no document though calls of this name carry one: usual for calls that AWS refused.
    Missing,
}

/// What a policy document decides, which the document itself does not say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DocumentUse {
    /// What its holder may do.
    Identity,
    /// Who may assume a role.
    Trust,
    /// How far the permissions of its holder can reach; grants nothing.
    Boundary,
    /// What an organization allows its accounts; grants nothing.
    Organization,
    /// Who may use a resource; the event's service says of which type.
    Resource,
    /// How far one session can reach.
    Session,
}

impl DocumentUse {
    pub(super) fn of(row: &Row) -> Option<DocumentUse> {
        match row.kind {
            // A profile of Roles Anywhere may carry the policy of its sessions.
            EventKind::IdentityProvider if row.name == "CreateProfile" => Some(DocumentUse::Session),
            EventKind::InlinePolicyPut
            | EventKind::InlinePolicyDelete
            | EventKind::ManagedPolicyAttach
            | EventKind::ManagedPolicyDetach
            | EventKind::ManagedPolicyCreate
            | EventKind::ManagedPolicyVersion
            | EventKind::ManagedPolicyDefault
            | EventKind::ManagedPolicyVersionDelete
            | EventKind::ManagedPolicyDelete
            | EventKind::PermissionSet => Some(DocumentUse::Identity),
            EventKind::TrustPolicy => Some(DocumentUse::Trust),
            EventKind::BoundarySet | EventKind::BoundaryRemoved => Some(DocumentUse::Boundary),
            EventKind::OrgPolicy | EventKind::OrgPolicyAttach | EventKind::OrgPolicyDetach => {
                Some(DocumentUse::Organization)
            }
            EventKind::ResourcePolicy | EventKind::ResourcePolicyDelete | EventKind::PrincipalGrant => {
                Some(DocumentUse::Resource)
            }
            EventKind::Session => Some(DocumentUse::Session),
            _ => None,
        }
    }
}

/// The document of `event`, which `row` describes.
pub(super) fn document<'a>(event: &CloudTrailEvent<'a>, row: &Row) -> Document<'a> {
    match (sent(event, row), row.content) {
        (Some(raw), Content::Policy | Content::Nothing) if !is_blank(raw) => return Document::Policy(policy_text(raw)),
        (Some(raw), Content::Details) if row.service != "lambda" => return Document::Details(Cow::Borrowed(raw.get())),
        _ => {}
    }
    if row.service == "lambda" && row.kind == EventKind::PrincipalGrant {
        return lambda_statement(event).map_or(absent(event, row), |policy| Document::Policy(Cow::Owned(policy)));
    }
    if let Some(look_up) = LookUp::of(event, row) {
        return Document::LookUp(look_up);
    }
    absent(event, row)
}

/// An empty text is how SQS is told to take the policy away.
fn is_blank(raw: &RawValue) -> bool {
    let begins_object = raw.get().trim_start_matches('"').trim_start().starts_with('{');
    !begins_object && text(raw).is_some_and(|text| text.trim().is_empty())
}

/// The document as it stands in the event.
pub(super) fn sent<'a>(event: &CloudTrailEvent<'a>, row: &Row) -> Option<&'a RawValue> {
    at(event, row.document).or_else(|| other_path(event, row))
}

/// Services that moved or renamed the document: SQS has used `attribute`; IAM repeats a new role's trust policy in the
/// response, which remains when the request was too large to be logged.
fn other_path<'a>(event: &CloudTrailEvent<'a>, row: &Row) -> Option<&'a RawValue> {
    match (row.service, row.name) {
        ("sqs", "CreateQueue" | "SetQueueAttributes") => at(event, "attribute.Policy"),
        ("iam", "CreateRole") => at(event, "responseElements.role.assumeRolePolicyDocument"),
        ("rolesanywhere", "CreateProfile") => at(event, "sessionPolicy"),
        _ => None,
    }
}

fn absent<'a>(event: &CloudTrailEvent<'a>, row: &Row) -> Document<'a> {
    match (event.request_omitted(), row.content) {
        (true, _) => Document::Omitted,
        (false, Content::Nothing) if !names_a_policy(row.kind) => Document::None,
        (false, _) if is_optional(row) => Document::None,
        (false, _) => Document::Missing,
    }
}

/// Kinds whose request names a policy in place of carrying it.
fn names_a_policy(kind: EventKind) -> bool {
    matches!(
        kind,
        EventKind::ManagedPolicyAttach
            | EventKind::ManagedPolicyDetach
            | EventKind::ManagedPolicyDefault
            | EventKind::BoundarySet
            | EventKind::OrgPolicyAttach
    )
}

/// Calls that are complete without a document.
fn is_optional(row: &Row) -> bool {
    let other_ways =
        row.kind == EventKind::Session || row.kind == EventKind::Acl || row.kind == EventKind::PrincipalGrant;
    other_ways
        || matches!(
            (row.service, row.name),
            ("kms", "CreateKey")
                | ("sqs", "CreateQueue" | "SetQueueAttributes")
                | ("sns", "CreateTopic")
                | ("es", _)
                | ("apigateway", _)
                | ("ec2", "CreateVpcEndpoint" | "ModifyVpcEndpoint")
                | ("organizations", "UpdatePolicy")
        )
}

/// The JSON text of a policy sent as JSON in a string, URL-encoded, or as an object. Anything else comes back as it is,
/// for the policy parser to refuse.
fn policy_text(raw: &RawValue) -> Cow<'_, str> {
    let Some(text) = text(raw) else { return Cow::Borrowed(raw.get()) };
    let start = text.trim_start();
    if start.starts_with(['{', '[']) || !start.contains('%') {
        return text;
    }
    match percent_decode_str(start).decode_utf8() {
        Ok(decoded) if decoded.trim_start().starts_with(['{', '[']) => Cow::Owned(decoded.into_owned()),
        _ => text,
    }
}

/// Lambda writes one statement: its response repeats it as JSON in a string. A refused call has only the parts.
/// Source: Lambda API reference, `AddPermission`.
fn lambda_statement(event: &CloudTrailEvent<'_>) -> Option<String> {
    if let Some(statement) = event.response_elements.and_then(|response| Members::of(response).text("statement")) {
        return Some(format!(r#"{{"Version":"2012-10-17","Statement":[{statement}]}}"#));
    }
    let request = event.request_members();
    let principal = match request.text("principal")? {
        any if any == "*" => json!("*"),
        service if service.contains('.') => json!({ "Service": service }),
        account => json!({ "AWS": account }),
    };
    let action = request.text("action")?;
    let mut statement = json!({ "Effect": "Allow", "Principal": principal, "Action": action, "Resource": "*" });
    let conditions = lambda_conditions(request);
    if let (Value::Object(members), false) = (&mut statement, conditions.is_empty()) {
        members.insert("Condition".to_owned(), Value::Object(conditions));
    }
    Some(json!({ "Version": "2012-10-17", "Statement": [statement] }).to_string())
}

fn lambda_conditions(request: &Members<'_>) -> serde_json::Map<String, Value> {
    let mut conditions = serde_json::Map::new();
    let equals: serde_json::Map<String, Value> = [
        ("sourceAccount", "AWS:SourceAccount"),
        ("principalOrgID", "aws:PrincipalOrgID"),
        ("functionUrlAuthType", "lambda:FunctionUrlAuthType"),
    ]
    .into_iter()
    .filter_map(|(parameter, key)| Some((key.to_owned(), json!(request.text(parameter)?))))
    .collect();
    if !equals.is_empty() {
        conditions.insert("StringEquals".to_owned(), Value::Object(equals));
    }
    if let Some(arn) = request.text("sourceArn") {
        conditions.insert("ArnLike".to_owned(), json!({ "AWS:SourceArn": arn }));
    }
    conditions
}

impl<'a> LookUp<'a> {
    /// What to fetch for an event that names a document and does not carry it.
    fn of(event: &CloudTrailEvent<'a>, row: &Row) -> Option<LookUp<'a>> {
        let refers_to = at(event, row.arn).map(word);
        match row.kind {
            EventKind::ManagedPolicyAttach | EventKind::ManagedPolicyDetach | EventKind::BoundarySet => {
                Some(LookUp::ManagedPolicy { arn: refers_to?, version: None })
            }
            EventKind::ManagedPolicyDefault => {
                let version = event.request_members().text("versionId");
                Some(LookUp::ManagedPolicy { arn: refers_to?, version })
            }
            // Only when the request was left out: the response still says which policy came to be.
            EventKind::ManagedPolicyCreate if event.request_omitted() => {
                let version = at(event, "responseElements.policy.defaultVersionId").map(word);
                Some(LookUp::ManagedPolicy { arn: refers_to?, version })
            }
            EventKind::PermissionSet => match row.name {
                "AttachManagedPolicyToPermissionSet" | "DetachManagedPolicyFromPermissionSet" => {
                    Some(LookUp::ManagedPolicy { arn: refers_to?, version: None })
                }
                "AttachCustomerManagedPolicyReferenceToPermissionSet" => Some(LookUp::PolicyNamed { name: refers_to? }),
                _ => None,
            },
            EventKind::OrgPolicyAttach => Some(LookUp::OrganizationPolicy { id: refers_to? }),
            EventKind::OrgPolicyDetach if row.name == "DetachPolicy" => {
                Some(LookUp::OrganizationPolicy { id: refers_to? })
            }
            _ => None,
        }
    }
}

/// Whether a new version of a managed policy is in force at once.
pub(super) fn becomes_default(event: &CloudTrailEvent<'_>, row: &Row) -> Option<bool> {
    match row.kind {
        EventKind::ManagedPolicyVersion => Some(at(event, "setAsDefault").and_then(boolean).unwrap_or(false)),
        EventKind::ManagedPolicyCreate | EventKind::ManagedPolicyDefault => Some(true),
        _ => None,
    }
}
