//! The one place where something is changed. It takes an approved plan, the budget's slots and the stored snapshot: none
//! of the three can be had without the check behind it.

use std::time::Duration;

use aws_sdk_iam::Client;
use aws_sdk_iam::types::StatusType;
use stream::backoff::{Backoff, Deadline};

use crate::accounts::Accounts;
use crate::budget::Slots;
use crate::error::{Failure, found};
use crate::guard::ApprovedPlan;
use crate::look::Look;
use crate::snapshot::Stored;
use crate::step::{HolderKind, Step, Tag};

/// Tries of a call that was throttled or whose answer was lost.
const CALLS: Backoff = Backoff { tries: 3, first: Duration::from_millis(300), longest: Duration::from_secs(2) };
/// Looks until IAM shows a change: it is eventually consistent, within some seconds.
const LOOKS: Backoff = Backoff { tries: 8, first: Duration::from_millis(200), longest: Duration::from_secs(2) };

/// A run that broke off: what was done until then, and why.
#[derive(Debug)]
pub(crate) struct Broken {
    /// Steps that IAM shows.
    pub done: usize,
    /// Why the next one does not.
    pub failure: Failure,
}

/// Carries an approved plan out, step by step. A step that IAM shows already is not made again; after each the change is
/// waited for. Returns the number of calls that changed something.
pub(crate) async fn run(
    approved: &ApprovedPlan,
    _budget: &Slots,
    _snapshot: &Stored,
    accounts: &Accounts,
    deadline: Deadline,
) -> Result<usize, Broken> {
    let mut calls = 0;
    let account_id = &approved.plan().account_id;
    for (done, step) in approved.steps().unwrap_or_default().iter().enumerate() {
        let made = make(step, account_id, accounts, deadline).await;
        calls += usize::from(made.map_err(|failure| Broken { done, failure })?);
    }
    Ok(calls)
}

/// Returns whether a call was needed.
async fn make(step: &Step, account_id: &str, accounts: &Accounts, deadline: Deadline) -> Result<bool, Failure> {
    let reader = accounts.reader(account_id).await?;
    let look = Look::new(&reader);
    let mut failed = 0;
    loop {
        // Also after a failed try: its answer may have been lost on the way back.
        if look.shows(step).await? {
            return Ok(failed > 0);
        }
        let client = accounts.changer(account_id, step).await?;
        match call(&client, step).await {
            Ok(()) => break,
            Err(Failure::Never(reason)) => return Err(Failure::Never(reason)),
            Err(Failure::Later(reason)) => {
                failed += 1;
                match CALLS.pause(failed) {
                    Some(pause) if pause < deadline.remaining() => tokio::time::sleep(pause).await,
                    _ => return Err(Failure::Later(reason)),
                }
            }
        }
    }
    let mut looks = 0;
    loop {
        if look.shows(step).await? {
            return Ok(true);
        }
        looks += 1;
        match LOOKS.pause(looks) {
            Some(pause) if pause < deadline.remaining() => tokio::time::sleep(pause).await,
            _ => return Err(Failure::Later(format!("{step}: the call succeeded, but IAM does not show it yet"))),
        }
    }
}

/// The call itself. What is gone already is no failure of taking it away.
async fn call(client: &Client, step: &Step) -> Result<(), Failure> {
    let was_there = match step {
        Step::Detach { .. } | Step::Attach { .. } => attachment(client, step).await?,
        Step::DeleteInline { .. } | Step::PutInline { .. } => inline(client, step).await?,
        Step::PutBoundary { .. } | Step::DeleteBoundary { .. } => boundary(client, step).await?,
        Step::SetKey { .. } | Step::RemoveFromGroup { .. } | Step::AddToGroup { .. } | Step::PutTrust { .. } => {
            identity(client, step).await?
        }
        _ => policy(client, step).await?,
    };
    let takes_away = matches!(
        step,
        Step::Detach { .. }
            | Step::DeleteInline { .. }
            | Step::DeleteVersion { .. }
            | Step::DeletePolicy { .. }
            | Step::DeleteBoundary { .. }
            | Step::RemoveFromGroup { .. }
    );
    if was_there || takes_away {
        Ok(())
    } else {
        Err(Failure::Never(format!("{step}: IAM says there is no such thing")))
    }
}

/// Whether the thing was there.
type There = Result<bool, Failure>;

fn there<T, E>(step: &Step, reply: Result<T, E>) -> There
where
    E: aws_sdk_iam::error::ProvideErrorMetadata + std::error::Error + 'static,
{
    Ok(found(&step.to_string(), reply)?.is_some())
}

async fn attachment(client: &Client, step: &Step) -> There {
    let (holder, arn, gives) = match step {
        Step::Detach { holder, policy_arn } => (holder, policy_arn, false),
        Step::Attach { holder, policy_arn } => (holder, policy_arn, true),
        _ => return Ok(false),
    };
    let name = &holder.name;
    match (holder.kind, gives) {
        (HolderKind::User, false) => {
            there(step, client.detach_user_policy().user_name(name).policy_arn(arn).send().await)
        }
        (HolderKind::Role, false) => {
            there(step, client.detach_role_policy().role_name(name).policy_arn(arn).send().await)
        }
        (HolderKind::Group, false) => {
            there(step, client.detach_group_policy().group_name(name).policy_arn(arn).send().await)
        }
        (HolderKind::User, true) => {
            there(step, client.attach_user_policy().user_name(name).policy_arn(arn).send().await)
        }
        (HolderKind::Role, true) => {
            there(step, client.attach_role_policy().role_name(name).policy_arn(arn).send().await)
        }
        (HolderKind::Group, true) => {
            there(step, client.attach_group_policy().group_name(name).policy_arn(arn).send().await)
        }
    }
}

async fn inline(client: &Client, step: &Step) -> There {
    let (holder, policy, document) = match step {
        Step::DeleteInline { holder, name } => (holder, name, None),
        Step::PutInline { holder, name, document } => (holder, name, Some(document)),
        _ => return Ok(false),
    };
    let name = &holder.name;
    match (holder.kind, document) {
        (HolderKind::User, None) => {
            there(step, client.delete_user_policy().user_name(name).policy_name(policy).send().await)
        }
        (HolderKind::Role, None) => {
            there(step, client.delete_role_policy().role_name(name).policy_name(policy).send().await)
        }
        (HolderKind::Group, None) => {
            there(step, client.delete_group_policy().group_name(name).policy_name(policy).send().await)
        }
        (HolderKind::User, Some(text)) => {
            let call = client.put_user_policy().user_name(name).policy_name(policy).policy_document(text);
            there(step, call.send().await)
        }
        (HolderKind::Role, Some(text)) => {
            let call = client.put_role_policy().role_name(name).policy_name(policy).policy_document(text);
            there(step, call.send().await)
        }
        (HolderKind::Group, Some(text)) => {
            let call = client.put_group_policy().group_name(name).policy_name(policy).policy_document(text);
            there(step, call.send().await)
        }
    }
}

async fn boundary(client: &Client, step: &Step) -> There {
    let (holder, arn) = match step {
        Step::PutBoundary { holder, policy_arn } => (holder, Some(policy_arn)),
        Step::DeleteBoundary { holder } => (holder, None),
        _ => return Ok(false),
    };
    let name = &holder.name;
    match (holder.kind, arn) {
        (HolderKind::User, Some(arn)) => {
            there(step, client.put_user_permissions_boundary().user_name(name).permissions_boundary(arn).send().await)
        }
        (HolderKind::Role, Some(arn)) => {
            there(step, client.put_role_permissions_boundary().role_name(name).permissions_boundary(arn).send().await)
        }
        (HolderKind::User, None) => there(step, client.delete_user_permissions_boundary().user_name(name).send().await),
        (HolderKind::Role, None) => there(step, client.delete_role_permissions_boundary().role_name(name).send().await),
        (HolderKind::Group, _) => Err(Failure::Never(format!("{step}: a group has no boundary"))),
    }
}

async fn identity(client: &Client, step: &Step) -> There {
    match step {
        Step::PutTrust { role, document } => {
            there(step, client.update_assume_role_policy().role_name(role).policy_document(document).send().await)
        }
        Step::SetKey { user, key_id, active } => {
            let status = if *active { StatusType::Active } else { StatusType::Inactive };
            there(step, client.update_access_key().user_name(user).access_key_id(key_id).status(status).send().await)
        }
        Step::RemoveFromGroup { user, group } => {
            there(step, client.remove_user_from_group().user_name(user).group_name(group).send().await)
        }
        Step::AddToGroup { user, group } => {
            there(step, client.add_user_to_group().user_name(user).group_name(group).send().await)
        }
        _ => Ok(false),
    }
}

async fn policy(client: &Client, step: &Step) -> There {
    match step {
        Step::CreatePolicy { path, name, description, document, tags, .. } => {
            let call = client.create_policy().path(path).policy_name(name).policy_document(document);
            let text = Some(description.clone()).filter(|text| !text.is_empty());
            let tags = tags.iter().map(tag).collect::<Result<Vec<_>, _>>()?;
            let tags = Some(tags).filter(|tags| !tags.is_empty());
            there(step, call.set_description(text).set_tags(tags).send().await)
        }
        Step::CreateVersion { arn, document, in_force, .. } => {
            let call = client.create_policy_version().policy_arn(arn).policy_document(document);
            there(step, call.set_as_default(*in_force).send().await)
        }
        Step::SetDefault { arn, version } => {
            there(step, client.set_default_policy_version().policy_arn(arn).version_id(version).send().await)
        }
        Step::DeleteVersion { arn, version } => {
            there(step, client.delete_policy_version().policy_arn(arn).version_id(version).send().await)
        }
        Step::DeletePolicy { arn } => there(step, client.delete_policy().policy_arn(arn).send().await),
        _ => Ok(false),
    }
}

fn tag(tag: &Tag) -> Result<aws_sdk_iam::types::Tag, Failure> {
    let built = aws_sdk_iam::types::Tag::builder().key(&tag.key).value(&tag.value).build();
    built.map_err(|error| Failure::Never(format!("tag {}: {error}", tag.key)))
}
