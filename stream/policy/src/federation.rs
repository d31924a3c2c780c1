//! Roles assumed through an identity provider that many strangers share.

use crate::document::{Condition, Principal, Scope, Statement, Test};
use crate::restriction::demands_named_values;

/// Providers that hand tokens to anybody; what ties a token to an application is its audience.
const BY_AUDIENCE: [&str; 4] =
    ["accounts.google.com", "cognito-identity.amazonaws.com", "graph.facebook.com", "www.amazon.com"];

/// Parts of a subject that every user of the provider has; what follows tells one from another.
const COMMON_STARTS: [&str; 5] =
    ["repo:", "project_path:", "organization:", "system:serviceaccount:", "repository_owner:"];

/// The OIDC provider whose every user may assume the role.
pub(crate) fn unrestricted_provider(statement: &Statement) -> Option<&str> {
    let by_token = statement.actions.contains(|pattern| pattern.matches("sts:assumerolewithwebidentity"));
    let Some(Scope::Only(principals)) = &statement.principals else { return None };
    if !by_token {
        return None;
    }
    principals.iter().find_map(|principal| {
        let Principal::Federated(provider) = principal else { return None };
        let host = host_of(provider)?;
        let tied = statement.conditions.iter().any(|condition| ties_to_somebody(condition, host));
        (!tied).then_some(&**provider)
    })
}

/// The issuer of an OIDC provider ARN or of a bare host name; `None` for SAML.
fn host_of(provider: &str) -> Option<&str> {
    if let Some((_, host)) = provider.split_once(":oidc-provider/") {
        return Some(host);
    }
    (!provider.starts_with("arn:")).then_some(provider)
}

fn ties_to_somebody(condition: &Condition, host: &str) -> bool {
    let Some(claim) = claim_of(&condition.key, host) else { return false };
    if !demands_named_values(condition) {
        return false;
    }
    if BY_AUDIENCE.contains(&host) {
        return matches!(claim, "aud" | "app_id" | "oaud" | "sub" | "amr");
    }
    match claim {
        "aud" | "amr" | "azp" | "email_verified" => false,
        _ => condition.values.iter().all(|value| names_somebody(condition, value.source())),
    }
}

/// `host:claim` without the host; hosts ignore case, as the key has been folded.
fn claim_of<'k>(key: &'k str, host: &str) -> Option<&'k str> {
    let start = key.get(..host.len())?;
    start.eq_ignore_ascii_case(host).then(|| key.get(host.len()..)?.strip_prefix(':')).flatten()
}

/// Whether the fixed start of a subject goes beyond what everybody's subject starts with.
fn names_somebody(condition: &Condition, subject: &str) -> bool {
    let globs = matches!(condition.operator.test, Test::StringLike | Test::Arn);
    let fixed = match subject.find(['*', '?']) {
        Some(wild) if globs => subject.get(..wild).unwrap_or_default(),
        _ => return !subject.is_empty(),
    };
    let own = COMMON_STARTS.iter().find_map(|start| fixed.strip_prefix(start)).unwrap_or(fixed);
    // `repo:acme*` also fits `repo:acme-evil/x`: the name must be closed.
    own.find(['/', ':']).is_some_and(|end| end > 0)
}
