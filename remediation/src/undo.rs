//! How a repair is taken back: from what IAM showed before it and what IAM shows now. Pure.

use policy::Kind;

use crate::facts::{Facts, PolicyFacts, same_document};
use crate::plan::Plan;
use crate::refusal::Refusal;
use crate::request::{Request, Target};
use crate::step::{Holder, Step};

type Steps = Result<Vec<Step>, Refusal>;

fn changed<T>(what: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal::ChangedSince(what.into()))
}

/// Works out the steps that restore `before`. Refuses when somebody changed the same thing since the repair.
pub fn undo(request: &Request, before: &Facts, live: &Facts) -> Result<Plan, Refusal> {
    let action = request.action.ok_or_else(|| Refusal::UnknownAction(request.action_word.clone()))?;
    let account_id = request.known_account().ok_or(Refusal::AccountUnknown)?.to_owned();
    let steps = match &request.target {
        Target::Attachment { holder, policy_arn } => attach(holder, policy_arn, live),
        Target::Policy { .. } if action == detection::Remediation::RevertPolicyVersion => set_default(before, live),
        Target::Policy { .. } => restore_policy(before, live),
        Target::Inline { holder, name } => put_inline(holder, name, before, live),
        Target::Trust { role } => put_trust(role, before, live),
        Target::Boundary { holder } => put_boundary(holder, before, live),
        Target::Key { user, key_id } => match live.key_active {
            None => changed(format!("user {user} has no access key {key_id}")),
            Some(true) => Ok(Vec::new()),
            Some(false) => Ok(vec![Step::SetKey { user: user.clone(), key_id: key_id.clone(), active: true }]),
        },
        Target::Membership { user, group } if live.in_group => {
            let _ = (user, group);
            Ok(Vec::new())
        }
        Target::Membership { user, group } => Ok(vec![Step::AddToGroup { user: user.clone(), group: group.clone() }]),
        Target::Nothing => Err(Refusal::TargetUnknown),
    }?;
    Ok(Plan { action, account_id, steps })
}

fn attach(holder: &Holder, policy_arn: &str, live: &Facts) -> Steps {
    let Some(facts) = &live.holder else { return changed(format!("there is no {holder}")) };
    if live.policy.is_none() {
        return changed(format!("there is no policy {policy_arn}"));
    }
    if facts.attached.iter().any(|arn| arn == policy_arn) {
        return Ok(Vec::new());
    }
    Ok(vec![Step::Attach { holder: holder.clone(), policy_arn: policy_arn.to_owned() }])
}

fn put_inline(holder: &Holder, name: &str, before: &Facts, live: &Facts) -> Steps {
    let document = before.inline_document.as_deref().ok_or(Refusal::NoStateBefore)?;
    if live.holder.is_none() {
        return changed(format!("there is no {holder}"));
    }
    match &live.inline_document {
        Some(now) if same_document(now, document, Kind::Identity) => Ok(Vec::new()),
        Some(_) => changed(format!("{holder} has another inline policy {name}")),
        None => {
            Ok(vec![Step::PutInline { holder: holder.clone(), name: name.to_owned(), document: document.to_owned() }])
        }
    }
}

fn put_trust(role: &str, before: &Facts, live: &Facts) -> Steps {
    let trust = |facts: &Facts| facts.holder.as_ref().and_then(|holder| holder.trust.clone());
    let document = trust(before).ok_or(Refusal::NoStateBefore)?;
    let Some(now) = trust(live) else { return changed(format!("there is no role {role}")) };
    if same_document(&now, &document, Kind::Trust) {
        return Ok(Vec::new());
    }
    let written = before.baseline.as_ref().and_then(|baseline| baseline.trust.as_deref());
    if !written.is_some_and(|written| same_document(&now, written, Kind::Trust)) {
        return changed(format!("role {role} has another trust policy"));
    }
    Ok(vec![Step::PutTrust { role: role.to_owned(), document }])
}

fn put_boundary(holder: &Holder, before: &Facts, live: &Facts) -> Steps {
    let boundary = |facts: &Facts| facts.holder.as_ref().map(|holder| holder.boundary.clone());
    let was = boundary(before).ok_or(Refusal::NoStateBefore)?;
    let Some(now) = boundary(live) else { return changed(format!("there is no {holder}")) };
    if now == was {
        return Ok(Vec::new());
    }
    if now.as_deref() != before.baseline.as_ref().and_then(|baseline| baseline.boundary.as_deref()) {
        return changed(format!("{holder} has another boundary"));
    }
    Ok(vec![match was {
        Some(policy_arn) => Step::PutBoundary { holder: holder.clone(), policy_arn },
        None => Step::DeleteBoundary { holder: holder.clone() },
    }])
}

fn set_default(before: &Facts, live: &Facts) -> Steps {
    let was = before.policy.as_ref().ok_or(Refusal::NoStateBefore)?;
    let Some(now) = &live.policy else { return changed(format!("there is no policy {}", was.arn)) };
    if now.default_version == was.default_version {
        return Ok(Vec::new());
    }
    if crate::plan::version_before(before) != Some(now.default_version.as_str()) {
        return changed(format!("{} has another version in force", was.arn));
    }
    if now.document(&was.default_version) != was.document(&was.default_version) {
        return changed(format!("version {} of {} is not what it was", was.default_version, was.arn));
    }
    Ok(vec![Step::SetDefault { arn: was.arn.clone(), version: was.default_version.clone() }])
}

/// A deleted policy gets its versions back in their order, numbered from 1: IAM gives the numbers.
fn restore_policy(before: &Facts, live: &Facts) -> Steps {
    let was = before.policy.as_ref().ok_or(Refusal::NoStateBefore)?;
    let mut steps = match &live.policy {
        None => recreate(was)?,
        Some(now) => complete(was, now)?,
    };
    if let Some(copy) = &live.copy {
        steps.push(Step::DeletePolicy { arn: copy.arn.clone() });
    }
    Ok(steps)
}

fn recreate(was: &PolicyFacts) -> Steps {
    let first = was.versions.first().ok_or(Refusal::NoStateBefore)?;
    was.document(&was.default_version).ok_or(Refusal::NoStateBefore)?;
    let mut steps = vec![Step::CreatePolicy {
        arn: was.arn.clone(),
        path: was.path.clone(),
        name: was.name.clone(),
        description: was.description.clone(),
        document: first.document.clone(),
        tags: was.tags.clone(),
    }];
    // The version in force becomes so as it is created: the one after it does not.
    for (number, version) in (2..).zip(was.versions.iter().skip(1)) {
        steps.push(Step::CreateVersion {
            arn: was.arn.clone(),
            version: format!("v{number}"),
            document: version.document.clone(),
            in_force: version.id == was.default_version,
        });
    }
    steps.extend(was.attached_to.iter().map(|holder| attachment(was, holder)));
    Ok(steps)
}

/// The policy is there, because the repair or an earlier undoing broke off: what is missing is added.
fn complete(was: &PolicyFacts, now: &PolicyFacts) -> Steps {
    let mut missing: Vec<&str> = was.versions.iter().map(|version| version.document.as_str()).collect();
    for version in &now.versions {
        match missing.iter().position(|document| *document == version.document) {
            Some(place) => drop(missing.remove(place)),
            None => return changed(format!("version {} of {} is new", version.id, now.arn)),
        }
    }
    let number = |id: &str| id.trim_start_matches('v').parse::<u32>().unwrap_or(0);
    let last = now.versions.iter().map(|version| number(&version.id)).max().unwrap_or(0);
    let wanted = was.document(&was.default_version).ok_or(Refusal::NoStateBefore)?;
    let there = now.versions.iter().find(|version| version.document == wanted).map(|version| version.id.clone());
    let mut is_in_force = now.document(&now.default_version) == Some(wanted);
    let mut steps = Vec::new();
    for (number, document) in (last + 1..).zip(missing) {
        let in_force = there.is_none() && !is_in_force && document == wanted;
        is_in_force |= in_force;
        let (arn, document) = (was.arn.clone(), document.to_owned());
        steps.push(Step::CreateVersion { arn, version: format!("v{number}"), document, in_force });
    }
    match there {
        Some(version) if !is_in_force => steps.push(Step::SetDefault { arn: was.arn.clone(), version }),
        None if !is_in_force => return Err(Refusal::NoStateBefore),
        _ => {}
    }
    let lost = was.attached_to.iter().filter(|holder| !now.attached_to.contains(holder));
    steps.extend(lost.map(|holder| attachment(was, holder)));
    Ok(steps)
}

fn attachment(was: &PolicyFacts, holder: &Holder) -> Step {
    Step::Attach { holder: holder.clone(), policy_arn: was.arn.clone() }
}
