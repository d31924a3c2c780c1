//! One event before the rules, with its change and its documents, each read at most once for all rules.

use super::documents::{DocumentName, DocumentRequest, Documents, Found, before_request, judged_request};
use super::memory::{Memory, Studied};
use super::policy_answers::Answered;
use crate::change::{Change, Document, DocumentUse, EventKind};
use crate::event::{CloudTrailEvent, UNKNOWN_ACCOUNT};
use policy::{Exposure, Kind, Policy, Surroundings};
use serde_json::Value;
use std::cell::OnceCell;
use std::collections::HashSet;
use std::rc::Rc;

/// What can be seen of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sight<'c> {
    /// There is none: events of this kind carry none, or nothing was in force.
    Nothing,
    /// Its text.
    Text(&'c str),
    /// There is one and it cannot be seen. The reason is a phrase for a sentence.
    NotVisible(&'static str),
}

/// One event before the rules.
#[derive(Debug)]
pub(crate) struct Case<'c> {
    pub(crate) event: &'c CloudTrailEvent<'c>,
    pub(crate) change: Option<&'c Change<'c>>,
    documents: &'c Documents,
    memory: &'c Memory,
    sight: OnceCell<Sight<'c>>,
    judged: OnceCell<Option<Rc<Studied>>>,
    before: OnceCell<Option<Rc<Studied>>>,
    exposure: OnceCell<Exposure>,
    pub(super) new_access: OnceCell<Answered>,
    flat: OnceCell<Option<String>>,
    fields: OnceCell<Value>,
}

impl<'c> Case<'c> {
    pub(crate) fn new(
        event: &'c CloudTrailEvent<'c>,
        change: Option<&'c Change<'c>>,
        documents: &'c Documents,
        memory: &'c Memory,
    ) -> Case<'c> {
        Case {
            event,
            change,
            documents,
            memory,
            sight: OnceCell::new(),
            judged: OnceCell::new(),
            before: OnceCell::new(),
            exposure: OnceCell::new(),
            new_access: OnceCell::new(),
            flat: OnceCell::new(),
            fields: OnceCell::new(),
        }
    }

    /// The document the event is about: written, attached, detached or put in force by it.
    pub(crate) fn judged_sight(&self) -> Sight<'c> {
        *self.sight.get_or_init(|| self.look_at_judged())
    }

    fn look_at_judged(&self) -> Sight<'c> {
        let Some(change) = self.change else { return Sight::Nothing };
        match &change.document {
            Document::None | Document::Details(_) => Sight::Nothing,
            Document::Policy(text) => Sight::Text(text),
            Document::LookUp(_) => self.look_up(judged_request(self.event, change), "it is not in the event"),
            Document::Omitted => {
                self.look_up(judged_request(self.event, change), "CloudTrail left the request out as too large")
            }
            Document::Missing => self.look_up(judged_request(self.event, change), "the request carries none"),
        }
    }

    /// The document that was in force before the event.
    pub(crate) fn before_sight(&self) -> Sight<'c> {
        let Some(change) = self.change else { return Sight::Nothing };
        let name = self.event.event_name.as_ref();
        match change.kind {
            // What did not exist or was not attached granted nothing; what can be deleted was not in force.
            EventKind::ManagedPolicyCreate
            | EventKind::ManagedPolicyAttach
            | EventKind::ManagedPolicyDelete
            | EventKind::ManagedPolicyVersionDelete
            | EventKind::OrgPolicyAttach => Sight::Nothing,
            EventKind::TrustPolicy if name == "CreateRole" => Sight::Nothing,
            EventKind::OrgPolicy if name == "CreatePolicy" => Sight::Nothing,
            EventKind::PermissionSet if name.starts_with("Attach") || name.starts_with("Create") => Sight::Nothing,
            EventKind::ManagedPolicyDetach => self.judged_sight(),
            EventKind::OrgPolicyDetach | EventKind::PermissionSet if name.starts_with("Detach") => self.judged_sight(),
            _ => self.look_up(before_request(self.event, change), "the version before is not known"),
        }
    }

    /// Whether the event takes the document away, so that nothing is in force after it.
    pub(crate) fn takes_away(&self) -> bool {
        self.change.is_some_and(|change| match change.kind {
            EventKind::InlinePolicyDelete
            | EventKind::ManagedPolicyDetach
            | EventKind::ManagedPolicyDelete
            | EventKind::ManagedPolicyVersionDelete
            | EventKind::BoundaryRemoved
            | EventKind::ResourcePolicyDelete
            | EventKind::OrgPolicyDetach => true,
            EventKind::PermissionSet => ["Delete", "Detach"].iter().any(|verb| self.event.event_name.starts_with(verb)),
            _ => false,
        })
    }

    fn look_up(&self, request: Option<DocumentRequest>, hidden: &'static str) -> Sight<'c> {
        let Some(request) = request else { return Sight::NotVisible(hidden) };
        match self.documents.get(&request) {
            Found::Text(text) => return Sight::Text(text),
            Found::Nothing => return Sight::Nothing,
            Found::Unknown => {}
        }
        match bundled(&request) {
            Some(text) => Sight::Text(text),
            None => Sight::NotVisible(hidden),
        }
    }

    /// The judged document, parsed.
    pub(crate) fn judged(&self) -> Option<&Studied> {
        self.judged.get_or_init(|| self.studied(self.judged_sight())).as_deref()
    }

    /// The document before, parsed.
    pub(crate) fn before(&self) -> Option<&Studied> {
        self.before.get_or_init(|| self.studied(self.before_sight())).as_deref()
    }

    /// Whom the judged document lets in, seen from the account of the event.
    pub(crate) fn exposure(&self, judged: &Policy) -> &Exposure {
        self.exposure.get_or_init(|| {
            let account = Some(self.event.account_id()).filter(|account| *account != UNKNOWN_ACCOUNT);
            judged.exposure(&Surroundings { account: account.map(str::to_owned), ..Surroundings::default() })
        })
    }

    fn studied(&self, sight: Sight<'_>) -> Option<Rc<Studied>> {
        match sight {
            Sight::Text(text) => Some(self.memory.study(text, self.kind())),
            Sight::Nothing | Sight::NotVisible(_) => None,
        }
    }

    /// What the document is attached to.
    pub(crate) fn kind(&self) -> Kind {
        match self.change.and_then(|change| change.document_use) {
            // A boundary grants nothing; read as a grant it tells how much it lets pass, which is what rules ask.
            Some(DocumentUse::Identity | DocumentUse::Boundary) | None => Kind::Identity,
            Some(DocumentUse::Trust) => Kind::Trust,
            Some(DocumentUse::Session) => Kind::Boundary,
            Some(DocumentUse::Organization) => Kind::Scp,
            Some(DocumentUse::Resource) => {
                // An unknown service is still a resource policy, which `from_word` takes for granted but for "".
                let service = self.event.event_source.split('.').next().filter(|service| !service.is_empty());
                Kind::from_word(service.unwrap_or("other"))
            }
        }
    }

    /// The judged document for text conditions; see [`super::matching::flat`].
    pub(crate) fn flat_text(&self) -> Option<&str> {
        let flatten = || match self.judged_sight() {
            Sight::Text(text) => Some(super::matching::flat(text)),
            Sight::Nothing | Sight::NotVisible(_) => None,
        };
        self.flat.get_or_init(flatten).as_deref()
    }

    /// A value of the event that lies on `path`, and the rest of the path. What a request asks for is read by itself:
    /// nearly all paths lead there, and the whole event costs several times as much.
    pub(crate) fn field<'f>(&self, path: &'f [String]) -> (&Value, &'f [String]) {
        match path.split_first() {
            Some((key, rest)) if key == "requestParameters" && !rest.is_empty() => (self.event.parameters(), rest),
            Some((key, rest)) if key == "responseElements" && !rest.is_empty() => (self.event.response(), rest),
            _ => (self.fields.get_or_init(|| serde_json::from_str(self.event.raw).unwrap_or_default()), path),
        }
    }
}

/// The document of an AWS-managed policy, which is the same in every account.
fn bundled(request: &DocumentRequest) -> Option<&'static str> {
    match &request.name {
        DocumentName::ManagedPolicy { arn, .. } if arn.starts_with("arn:") => policy::catalogue::managed_policy(arn),
        _ => None,
    }
}

/// What would have to be fetched to judge the event; `compares` when the version before is asked for, too.
pub(crate) fn needs(case: &Case<'_>, compares: bool) -> Vec<DocumentRequest> {
    let Some(change) = case.change else { return Vec::new() };
    let mut requests = HashSet::new();
    if matches!(case.judged_sight(), Sight::NotVisible(_)) {
        requests.extend(judged_request(case.event, change));
    }
    if compares && matches!(case.before_sight(), Sight::NotVisible(_)) {
        requests.extend(before_request(case.event, change));
    }
    let mut requests: Vec<_> = requests.into_iter().collect();
    requests.sort();
    requests
}
