//! Notes what is in force while all is well: trust policies, boundaries, default versions. IAM forgets them when they are
//! overwritten, and then nobody could go back.

use aws_sdk_iam::Client;
use aws_sdk_iam::types::PolicyScopeType;
use lake::Lake;
use object_store::{ObjectStoreExt, PutPayload};
use percent_encoding::percent_decode_str;

use crate::error::{Failure, failure};
use crate::facts::Baseline;
use crate::history::baseline_key;

/// Notes every user, role and customer managed policy of an account. Returns how many.
pub(crate) async fn note(lake: &Lake, client: &Client, account_id: &str) -> Result<usize, Failure> {
    let mut notes: Vec<(String, Baseline)> = Vec::new();
    let roles: Vec<_> = client
        .list_roles()
        .into_paginator()
        .items()
        .send()
        .try_collect()
        .await
        .map_err(|error| failure("ListRoles", &error))?;
    for role in roles {
        let trust = role.assume_role_policy_document.as_deref().unwrap_or_default();
        let trust = percent_decode_str(trust).decode_utf8().map(String::from).ok().filter(|trust| !trust.is_empty());
        // Lists leave the boundary out.
        let reply = client.get_role().role_name(&role.role_name).send().await;
        let whole = reply.map_err(|error| failure("GetRole", &error))?.role;
        let boundary = whole.and_then(|role| role.permissions_boundary).and_then(|set| set.permissions_boundary_arn);
        let noted = Baseline { trust, boundary: boundary.filter(|arn| !arn.is_empty()), default_version: None };
        notes.push((baseline_key(account_id, "role", &role.role_name), noted));
    }
    let users: Vec<_> = client
        .list_users()
        .into_paginator()
        .items()
        .send()
        .try_collect()
        .await
        .map_err(|error| failure("ListUsers", &error))?;
    for user in users {
        let reply = client.get_user().user_name(&user.user_name).send().await;
        let whole = reply.map_err(|error| failure("GetUser", &error))?.user;
        let boundary = whole.and_then(|user| user.permissions_boundary).and_then(|set| set.permissions_boundary_arn);
        let noted = Baseline { boundary: boundary.filter(|arn| !arn.is_empty()), ..Baseline::default() };
        notes.push((baseline_key(account_id, "user", &user.user_name), noted));
    }
    let policies = client.list_policies().scope(PolicyScopeType::Local).into_paginator().items().send();
    let policies: Vec<_> = policies.try_collect().await.map_err(|error| failure("ListPolicies", &error))?;
    for policy in policies {
        let noted = Baseline { default_version: policy.default_version_id, ..Baseline::default() };
        notes.push((baseline_key(account_id, "policy", &policy.policy_name.unwrap_or_default()), noted));
    }
    for (key, noted) in &notes {
        write(lake, key, noted).await?;
    }
    Ok(notes.len())
}

/// Writes a baseline, over an older one.
pub(crate) async fn write(lake: &Lake, key: &str, noted: &Baseline) -> Result<(), Failure> {
    let bytes = serde_json::to_vec(noted).map_err(|error| Failure::Never(format!("{key}: {error}")))?;
    let put = lake.store().put(&lake.path(key), PutPayload::from(bytes)).await;
    put.map(drop).map_err(|error| Failure::Later(format!("cannot write {key} in {}: {error}", lake.location())))
}
