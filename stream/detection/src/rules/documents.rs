//! Policy documents that are not in the event: what is needed, and what a caller could get.

use crate::change::{Change, Document, EventKind, LookUp, TargetType};
use crate::event::CloudTrailEvent;
use std::collections::HashMap;

/// One document to fetch. The same document of two events of one account is the same request.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DocumentRequest {
    /// Account to ask, or [`crate::UNKNOWN_ACCOUNT`].
    pub account_id: String,
    /// Which document.
    pub name: DocumentName,
    /// From which side of the event.
    pub moment: Moment,
}

/// Which document.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DocumentName {
    /// A managed policy; without a version, the default one.
    ManagedPolicy {
        /// ARN of the policy.
        arn: String,
        /// Version id such as `v3`.
        version: Option<String>,
    },
    /// A customer managed policy known by name.
    PolicyNamed {
        /// Its name.
        name: String,
    },
    /// A policy of the organization.
    OrganizationPolicy {
        /// Its id.
        id: String,
    },
    /// An inline policy.
    InlinePolicy {
        /// `user`, `role`, `group` or `permission_set`.
        holder_type: &'static str,
        /// Name of the holder.
        holder: String,
        /// Name of the policy; empty for a permission set, which has one.
        policy: String,
    },
    /// The trust policy of a role.
    TrustPolicy {
        /// Name of the role.
        role: String,
    },
    /// The policy of a resource.
    ResourcePolicy {
        /// Event source of the service.
        service: String,
        /// Name, id or ARN of the resource as the event gives it.
        resource: String,
    },
}

/// From which side of the event a document is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Moment {
    /// As it was in force just before the event. IAM keeps former versions of managed policies only; for others a
    /// cache or an account dump may know.
    Before,
    /// As the event left it.
    After,
}

/// The documents a caller could get. What is not here is not visible, and judged so.
#[derive(Debug, Clone, Default)]
pub struct Documents {
    found: HashMap<DocumentRequest, Option<String>>,
}

/// What is known of one document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Found<'d> {
    Text(&'d str),
    /// It is known that there was none, such as the version before the first.
    Nothing,
    Unknown,
}

impl Documents {
    /// No document.
    pub fn none() -> Documents {
        Documents::default()
    }

    /// Adds a document; `None` when it is certain that there is none. A look-up that failed is not added at all.
    pub fn insert(&mut self, request: DocumentRequest, text: Option<String>) {
        self.found.insert(request, text);
    }

    pub(crate) fn get(&self, request: &DocumentRequest) -> Found<'_> {
        match self.found.get(request) {
            Some(Some(text)) => Found::Text(text),
            Some(None) => Found::Nothing,
            None => Found::Unknown,
        }
    }
}

/// The request for the document an event is about, when the event does not carry it.
pub(crate) fn judged_request(event: &CloudTrailEvent<'_>, change: &Change<'_>) -> Option<DocumentRequest> {
    let name = match &change.document {
        Document::LookUp(LookUp::ManagedPolicy { arn, version }) => DocumentName::ManagedPolicy {
            arn: arn.clone().into_owned(),
            version: version.clone().map(std::borrow::Cow::into_owned),
        },
        Document::LookUp(LookUp::PolicyNamed { name }) => DocumentName::PolicyNamed { name: name.clone().into_owned() },
        Document::LookUp(LookUp::OrganizationPolicy { id }) => {
            DocumentName::OrganizationPolicy { id: id.clone().into_owned() }
        }
        Document::Omitted | Document::Missing => created_policy(change).or_else(|| held_document(event, change))?,
        Document::None | Document::Policy(_) | Document::Details(_) => return None,
    };
    Some(request(event, name, Moment::After))
}

/// The request for the document that was in force before the event, for kinds that replace or delete one.
pub(crate) fn before_request(event: &CloudTrailEvent<'_>, change: &Change<'_>) -> Option<DocumentRequest> {
    let name = match change.kind {
        EventKind::ManagedPolicyVersion | EventKind::ManagedPolicyDefault => {
            DocumentName::ManagedPolicy { arn: change.policy_arn.clone()?.into_owned(), version: None }
        }
        EventKind::OrgPolicy => DocumentName::OrganizationPolicy { id: change.subject.clone()?.into_owned() },
        _ => held_document(event, change)?,
    };
    Some(request(event, name, Moment::Before))
}

fn request(event: &CloudTrailEvent<'_>, name: DocumentName, moment: Moment) -> DocumentRequest {
    DocumentRequest { account_id: event.account_id().to_owned(), name, moment }
}

/// A policy that was just made: IAM's answer names it though CloudTrail left the request out, and its first version is v1.
fn created_policy(change: &Change<'_>) -> Option<DocumentName> {
    let arn = change.policy_arn.clone().filter(|_| change.kind == EventKind::ManagedPolicyCreate)?;
    Some(DocumentName::ManagedPolicy { arn: arn.into_owned(), version: Some("v1".to_owned()) })
}

/// The document that hangs on what was changed: an inline policy, a trust policy, the policy of a resource.
fn held_document(event: &CloudTrailEvent<'_>, change: &Change<'_>) -> Option<DocumentName> {
    let target = change.target_name.clone()?.into_owned();
    match change.kind {
        EventKind::InlinePolicyPut | EventKind::InlinePolicyDelete => Some(DocumentName::InlinePolicy {
            holder_type: change.target_type.as_str(),
            holder: target,
            policy: change.policy_name.clone()?.into_owned(),
        }),
        // A permission set has one inline policy, without a name.
        EventKind::PermissionSet if event.event_name.contains("InlinePolicy") => Some(DocumentName::InlinePolicy {
            holder_type: change.target_type.as_str(),
            holder: change.subject.clone()?.into_owned(),
            policy: String::new(),
        }),
        EventKind::TrustPolicy => Some(DocumentName::TrustPolicy { role: target }),
        EventKind::ResourcePolicy | EventKind::ResourcePolicyDelete | EventKind::PrincipalGrant
            if change.target_type != TargetType::Account =>
        {
            let resource = change.target_arn.clone().or_else(|| change.subject.clone())?.into_owned();
            Some(DocumentName::ResourcePolicy { service: event.event_source.clone().into_owned(), resource })
        }
        _ => None,
    }
}
