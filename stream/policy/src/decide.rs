//! Allow or deny, for one request.

use crate::condition::{holds, matches_bound};
use crate::document::{Effect, Policy, Principal, Scope, Statement};
use crate::request::{Caller, Request};

/// What a document says about a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Decision {
    /// A statement allows it and none denies it.
    Allow,
    /// No statement speaks of it.
    ImplicitDeny,
    /// A statement denies it.
    ExplicitDeny,
}

impl Decision {
    /// The word of the JSON-lines interface.
    pub fn word(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::ImplicitDeny => "implicit_deny",
            Self::ExplicitDeny => "explicit_deny",
        }
    }
}

/// The documents that together decide about a request of one principal.
#[derive(Debug, Clone, Default)]
pub struct Documents<'p> {
    /// Policies of the user or role and of its groups: they add up.
    pub identity: &'p [Policy],
    /// Policy of the resource. In the caller's account it adds to the identity policies; across accounts both must allow.
    pub resource: Option<&'p Policy>,
    /// Account that owns the resource, 12 digits; `None` for the caller's own.
    pub resource_account: Option<&'p str>,
    /// Permissions boundary.
    pub boundary: Option<&'p Policy>,
    /// Organization policies, one list for each level from the root down: each level must allow.
    pub organization: &'p [Vec<Policy>],
}

/// Decides by one document. Explicit Deny comes before Allow, Allow before nothing; order never matters.
pub fn decide(policy: &Policy, request: &Request<'_>) -> Decision {
    let action = request.action.to_ascii_lowercase();
    let mut decision = Decision::ImplicitDeny;
    for statement in &policy.statements {
        if decision == Decision::Allow && statement.effect == Effect::Allow {
            continue;
        }
        if applies(statement, &action, request) {
            match statement.effect {
                Effect::Deny => return Decision::ExplicitDeny,
                Effect::Allow => decision = Decision::Allow,
            }
        }
    }
    decision
}

/// Decides by all documents together: deny anywhere wins; the boundary and every level of the organization must
/// allow what identity or resource policy grants; a user or role of another account needs both of these two.
pub fn decide_together(documents: &Documents<'_>, request: &Request<'_>) -> Decision {
    let any = |policies: &[Policy]| {
        let decisions = policies.iter().map(|policy| decide(policy, request));
        decisions.fold(Decision::ImplicitDeny, either)
    };
    let resource = documents.resource.map_or(Decision::ImplicitDeny, |policy| decide(policy, request));
    let crosses = crosses_accounts(request.caller, documents.resource_account);
    let join = if crosses { both } else { either };
    let mut decision = join(any(documents.identity), resource);
    // A boundary limits what identity policies grant; a resource policy of the same account may name the principal itself.
    if let Some(boundary) = documents.boundary {
        let bounded = decide(boundary, request);
        decision = both(decision, if crosses { bounded } else { either(bounded, resource) });
    }
    for level in documents.organization {
        decision = both(decision, any(level));
    }
    decision
}

/// Whether a user or role asks for something of another account. Others have no identity policies that could allow.
fn crosses_accounts(caller: Option<Caller<'_>>, owner: Option<&str>) -> bool {
    match (caller, owner) {
        (Some(Caller::Arn(arn)), Some(owner)) => arn.split(':').nth(4) != Some(owner),
        _ => false,
    }
}

fn either(left: Decision, right: Decision) -> Decision {
    match (left, right) {
        (Decision::ExplicitDeny, _) | (_, Decision::ExplicitDeny) => Decision::ExplicitDeny,
        (Decision::Allow, _) | (_, Decision::Allow) => Decision::Allow,
        _ => Decision::ImplicitDeny,
    }
}

fn both(left: Decision, right: Decision) -> Decision {
    match (left, right) {
        (Decision::ExplicitDeny, _) | (_, Decision::ExplicitDeny) => Decision::ExplicitDeny,
        (Decision::Allow, Decision::Allow) => Decision::Allow,
        _ => Decision::ImplicitDeny,
    }
}

fn applies(statement: &Statement, action: &str, request: &Request<'_>) -> bool {
    statement.actions.contains(|pattern| pattern.matches(action))
        && statement.resources.contains(|pattern| matches_bound(pattern, request.resource, request.context))
        && names(statement.principals.as_ref(), request)
        && statement.conditions.iter().all(|condition| holds(condition, request.context))
}

fn names(principals: Option<&Scope<Principal>>, request: &Request<'_>) -> bool {
    match (principals, request.caller) {
        (None, _) | (_, None) => true,
        (Some(scope), Some(caller)) => scope.contains(|principal| is_caller(principal, caller, request)),
    }
}

fn is_caller(principal: &Principal, caller: Caller<'_>, request: &Request<'_>) -> bool {
    match (principal, caller) {
        (Principal::Everyone, _) => true,
        (Principal::Account(account), Caller::Arn(arn)) => arn.split(':').nth(4) == Some(account),
        (Principal::Arn(named), Caller::Arn(arn)) => **named == *arn || is_session_of(arn, named),
        (Principal::UniqueId(id), Caller::Arn(_)) => {
            let user_id = request.context.single("aws:userid").unwrap_or_default();
            user_id.split(':').next() == Some(id)
        }
        (Principal::Service(named), Caller::Service(name)) => **named == *name || **named == *"*",
        (Principal::Federated(named), Caller::Federated(name)) => **named == *name || **named == *"*",
        _ => false,
    }
}

/// Whether `arn:aws:sts::1:assumed-role/NAME/SESSION` is a session of `arn:aws:iam::1:role/PATH/NAME`.
pub(crate) fn is_session_of(session: &str, role: &str) -> bool {
    let (Some((front, rest)), Some((role_front, role_path))) =
        (session.split_once(":assumed-role/"), role.split_once(":role/"))
    else {
        return false;
    };
    let same_account = front.replacen(":sts:", ":iam:", 1) == role_front;
    same_account && rest.split('/').next() == role_path.rsplit('/').next()
}
