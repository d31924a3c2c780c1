//! Looking: what IAM shows of the things a repair touches. Whatever cannot be seen is an error, never "nothing there".

use aws_sdk_iam::Client;
use aws_sdk_iam::types::{PolicyUsageType, Role, StatusType, User};
use detection::Remediation;
use percent_encoding::percent_decode_str;
use policy::Kind;

use crate::error::{Failure, failure, found};
use crate::facts::{Facts, HolderFacts, PolicyFacts, Version, is_aws_managed, same_document};
use crate::plan::quarantine_copy;
use crate::request::{Request, Target};
use crate::step::{Holder, HolderKind, Step, Tag};

/// Pages of a list of entities, 100 each; a policy that more have cannot be repaired by a machine.
pub(crate) const MAX_PAGES: usize = 50;

/// A look through one client.
#[derive(Debug)]
pub struct Look<'c> {
    client: &'c Client,
}

type Found<T> = Result<Option<T>, Failure>;

impl<'c> Look<'c> {
    /// Looks with this client.
    pub fn new(client: &'c Client) -> Look<'c> {
        Look { client }
    }

    /// Everything the plan of a request needs, but for the baseline, which IAM does not know.
    pub async fn facts(&self, request: &Request) -> Result<Facts, Failure> {
        let mut facts = Facts::default();
        let user = |name: &str| Holder { kind: HolderKind::User, name: name.to_owned() };
        match &request.target {
            Target::Attachment { holder, policy_arn } => {
                facts.holder = self.holder(holder).await?;
                facts.policy = self.policy(policy_arn, false).await?;
            }
            Target::Policy { arn } => {
                facts.policy = self.policy(arn, true).await?;
                if request.action == Some(Remediation::QuarantinePolicy) {
                    facts.copy = self.policy(&quarantine_copy(request, arn).1, true).await?;
                }
            }
            Target::Inline { holder, name } => {
                facts.holder = self.holder(holder).await?;
                facts.inline_document = self.inline(holder, name).await?;
            }
            Target::Trust { role } => {
                facts.holder = self.holder(&Holder { kind: HolderKind::Role, name: role.clone() }).await?;
            }
            Target::Boundary { holder } => facts.holder = self.holder(holder).await?,
            Target::Key { user: name, key_id } => {
                facts.holder = self.holder(&user(name)).await?;
                facts.key_active = self.key_active(name, key_id).await?;
            }
            Target::Membership { user: name, group } => {
                facts.holder = self.holder(&user(name)).await?;
                facts.in_group = self.in_group(name, group).await?;
            }
            Target::Nothing => {}
        }
        Ok(facts)
    }

    /// Whether IAM shows what a step does.
    pub async fn shows(&self, step: &Step) -> Result<bool, Failure> {
        match step {
            Step::Detach { holder, policy_arn } => Ok(!self.is_attached(holder, policy_arn).await?),
            Step::Attach { holder, policy_arn } => self.is_attached(holder, policy_arn).await,
            Step::DeleteInline { holder, name } => Ok(self.inline(holder, name).await?.is_none()),
            Step::PutInline { holder, name, document } => {
                Ok(says(self.inline(holder, name).await?, document, Kind::Identity))
            }
            Step::CreatePolicy { arn, .. } => Ok(self.default_version(arn).await?.is_some()),
            Step::CreateVersion { arn, version, document, in_force } => {
                let is_there = says(self.document(arn, version).await?, document, Kind::Identity);
                Ok(is_there && (!in_force || self.default_version(arn).await?.as_ref() == Some(version)))
            }
            Step::SetDefault { arn, version } => Ok(self.default_version(arn).await?.as_ref() == Some(version)),
            Step::DeleteVersion { arn, version } => Ok(self.document(arn, version).await?.is_none()),
            Step::DeletePolicy { arn } => Ok(self.default_version(arn).await?.is_none()),
            Step::PutTrust { role, document } => {
                let trust = self.role(role).await?.and_then(|role| role.assume_role_policy_document);
                Ok(says(trust.map(|trust| decoded(&trust)).transpose()?, document, Kind::Trust))
            }
            Step::PutBoundary { holder, policy_arn } => Ok(self.boundary(holder).await?.as_ref() == Some(policy_arn)),
            Step::DeleteBoundary { holder } => Ok(self.boundary(holder).await?.is_none()),
            Step::SetKey { user, key_id, active } => Ok(self.key_active(user, key_id).await? == Some(*active)),
            Step::RemoveFromGroup { user, group } => Ok(!self.in_group(user, group).await?),
            Step::AddToGroup { user, group } => self.in_group(user, group).await,
        }
    }

    async fn user(&self, name: &str) -> Found<User> {
        let reply = self.client.get_user().user_name(name).send().await;
        Ok(found("GetUser", reply)?.and_then(|reply| reply.user))
    }

    async fn role(&self, name: &str) -> Found<Role> {
        let reply = self.client.get_role().role_name(name).send().await;
        Ok(found("GetRole", reply)?.and_then(|reply| reply.role))
    }

    async fn boundary(&self, holder: &Holder) -> Found<String> {
        let attached = match holder.kind {
            HolderKind::User => self.user(&holder.name).await?.and_then(|user| user.permissions_boundary),
            HolderKind::Role => self.role(&holder.name).await?.and_then(|role| role.permissions_boundary),
            HolderKind::Group => None,
        };
        // IAM answers with an empty element for none.
        Ok(attached.and_then(|boundary| boundary.permissions_boundary_arn).filter(|arn| !arn.is_empty()))
    }

    async fn holder(&self, holder: &Holder) -> Found<HolderFacts> {
        let (arn, trust) = match holder.kind {
            HolderKind::User => match self.user(&holder.name).await? {
                Some(user) => (user.arn, None),
                None => return Ok(None),
            },
            HolderKind::Role => match self.role(&holder.name).await? {
                Some(role) => (role.arn, role.assume_role_policy_document),
                None => return Ok(None),
            },
            HolderKind::Group => {
                let reply = self.client.get_group().group_name(&holder.name).max_items(1).send().await;
                match found("GetGroup", reply)?.and_then(|reply| reply.group) {
                    Some(group) => (group.arn, None),
                    None => return Ok(None),
                }
            }
        };
        Ok(Some(HolderFacts {
            holder: holder.clone(),
            arn,
            tags: self.holder_tags(holder).await?,
            attached: self.attached(holder).await?.unwrap_or_default(),
            boundary: self.boundary(holder).await?,
            trust: trust.map(|trust| decoded(&trust)).transpose()?,
        }))
    }

    async fn holder_tags(&self, holder: &Holder) -> Result<Vec<Tag>, Failure> {
        let name = &holder.name;
        let tags: Vec<_> = match holder.kind {
            HolderKind::User => {
                let pages = self.client.list_user_tags().user_name(name).into_paginator().items().send();
                pages.try_collect().await.map_err(|error| failure("ListUserTags", &error))?
            }
            HolderKind::Role => {
                let pages = self.client.list_role_tags().role_name(name).into_paginator().items().send();
                pages.try_collect().await.map_err(|error| failure("ListRoleTags", &error))?
            }
            HolderKind::Group => Vec::new(),
        };
        Ok(sorted_tags(&tags))
    }

    /// ARNs of what is attached to a holder; `None` when IAM has none of the name.
    async fn attached(&self, holder: &Holder) -> Found<Vec<String>> {
        let name = &holder.name;
        let policies: Option<Vec<_>> = match holder.kind {
            HolderKind::User => {
                let pages = self.client.list_attached_user_policies().user_name(name).into_paginator().items().send();
                found("ListAttachedUserPolicies", pages.try_collect().await)?
            }
            HolderKind::Role => {
                let pages = self.client.list_attached_role_policies().role_name(name).into_paginator().items().send();
                found("ListAttachedRolePolicies", pages.try_collect().await)?
            }
            HolderKind::Group => {
                let pages = self.client.list_attached_group_policies().group_name(name).into_paginator().items().send();
                found("ListAttachedGroupPolicies", pages.try_collect().await)?
            }
        };
        let arns = policies.map(|policies| policies.into_iter().filter_map(|policy| policy.policy_arn).collect());
        Ok(arns.map(sorted))
    }

    async fn is_attached(&self, holder: &Holder, policy_arn: &str) -> Result<bool, Failure> {
        Ok(self.attached(holder).await?.unwrap_or_default().iter().any(|arn| arn == policy_arn))
    }

    async fn inline(&self, holder: &Holder, name: &str) -> Found<String> {
        let document = match holder.kind {
            HolderKind::User => {
                let reply = self.client.get_user_policy().user_name(&holder.name).policy_name(name).send().await;
                found("GetUserPolicy", reply)?.map(|reply| reply.policy_document)
            }
            HolderKind::Role => {
                let reply = self.client.get_role_policy().role_name(&holder.name).policy_name(name).send().await;
                found("GetRolePolicy", reply)?.map(|reply| reply.policy_document)
            }
            HolderKind::Group => {
                let reply = self.client.get_group_policy().group_name(&holder.name).policy_name(name).send().await;
                found("GetGroupPolicy", reply)?.map(|reply| reply.policy_document)
            }
        };
        document.map(|document| decoded(&document)).transpose()
    }

    async fn default_version(&self, arn: &str) -> Found<String> {
        let reply = self.client.get_policy().policy_arn(arn).send().await;
        let policy = found("GetPolicy", reply)?.and_then(|reply| reply.policy);
        Ok(policy.and_then(|policy| policy.default_version_id))
    }

    async fn document(&self, arn: &str, version: &str) -> Found<String> {
        let reply = self.client.get_policy_version().policy_arn(arn).version_id(version).send().await;
        let version = found("GetPolicyVersion", reply)?.and_then(|reply| reply.policy_version);
        version.and_then(|version| version.document).map(|document| decoded(&document)).transpose()
    }

    /// A managed policy; `with_entities` also asks who has it.
    async fn policy(&self, arn: &str, with_entities: bool) -> Found<PolicyFacts> {
        let reply = self.client.get_policy().policy_arn(arn).send().await;
        let Some(policy) = found("GetPolicy", reply)?.and_then(|reply| reply.policy) else { return Ok(None) };
        let mut facts = PolicyFacts {
            arn: arn.to_owned(),
            name: policy.policy_name.unwrap_or_default(),
            path: policy.path.unwrap_or_else(|| "/".to_owned()),
            description: policy.description.unwrap_or_default(),
            tags: Vec::new(),
            versions: Vec::new(),
            default_version: policy.default_version_id.unwrap_or_default(),
            attached_to: Vec::new(),
            boundary_of: Vec::new(),
        };
        // AWS's own cannot change under our hands and are not ours to restore.
        if is_aws_managed(arn) {
            return Ok(Some(facts));
        }
        let pages = self.client.list_policy_tags().policy_arn(arn).into_paginator().items().send();
        let tags: Vec<_> = pages.try_collect().await.map_err(|error| failure("ListPolicyTags", &error))?;
        facts.tags = sorted_tags(&tags);
        facts.versions = self.versions(arn).await?;
        if with_entities {
            facts.attached_to = self.entities(arn, PolicyUsageType::PermissionsPolicy).await?;
            facts.boundary_of = self.entities(arn, PolicyUsageType::PermissionsBoundary).await?;
        }
        Ok(Some(facts))
    }

    async fn versions(&self, arn: &str) -> Result<Vec<Version>, Failure> {
        let pages = self.client.list_policy_versions().policy_arn(arn).into_paginator().items().send();
        let listed: Vec<_> = pages.try_collect().await.map_err(|error| failure("ListPolicyVersions", &error))?;
        let mut versions = Vec::new();
        for id in listed.into_iter().filter_map(|version| version.version_id) {
            let document = self.document(arn, &id).await?;
            let document = document.ok_or_else(|| Failure::Later(format!("version {id} of {arn} went away")))?;
            versions.push(Version { id, document });
        }
        versions.sort_by_key(|version| version.id.trim_start_matches('v').parse::<u32>().unwrap_or(u32::MAX));
        Ok(versions)
    }

    async fn entities(&self, arn: &str, usage: PolicyUsageType) -> Result<Vec<Holder>, Failure> {
        let mut holders = Vec::new();
        let mut marker = None;
        for _ in 0..MAX_PAGES {
            let call = self.client.list_entities_for_policy().policy_arn(arn).policy_usage_filter(usage.clone());
            let reply = call.set_marker(marker).send().await;
            let page = reply.map_err(|error| failure("ListEntitiesForPolicy", &error))?;
            let mut add = |kind: HolderKind, name: Option<&str>| {
                holders.extend(name.map(|name| Holder { kind, name: name.to_owned() }));
            };
            page.policy_users().iter().for_each(|user| add(HolderKind::User, user.user_name()));
            page.policy_roles().iter().for_each(|role| add(HolderKind::Role, role.role_name()));
            page.policy_groups().iter().for_each(|group| add(HolderKind::Group, group.group_name()));
            marker = page.marker().filter(|_| page.is_truncated()).map(str::to_owned);
            if marker.is_none() {
                return Ok(sorted(holders));
            }
        }
        Err(Failure::Never(format!("{arn} is attached more often than {MAX_PAGES} pages hold")))
    }

    async fn key_active(&self, user: &str, key_id: &str) -> Found<bool> {
        let pages = self.client.list_access_keys().user_name(user).into_paginator().items().send();
        let keys: Vec<_> = found("ListAccessKeys", pages.try_collect().await)?.unwrap_or_default();
        let key = keys.into_iter().find(|key| key.access_key_id.as_deref() == Some(key_id));
        Ok(key.map(|key| key.status == Some(StatusType::Active)))
    }

    async fn in_group(&self, user: &str, group: &str) -> Result<bool, Failure> {
        let pages = self.client.list_groups_for_user().user_name(user).into_paginator().items().send();
        let groups: Vec<_> = found("ListGroupsForUser", pages.try_collect().await)?.unwrap_or_default();
        Ok(groups.iter().any(|member| member.group_name == group))
    }
}

/// Whether a document is there and says what it should: IAM may write it in another form than it was given.
fn says(found: Option<String>, document: &str, kind: Kind) -> bool {
    found.is_some_and(|found| same_document(&found, document, kind))
}

/// IAM sends documents URL-encoded (RFC 3986).
fn decoded(document: &str) -> Result<String, Failure> {
    let decoded = percent_decode_str(document).decode_utf8();
    decoded.map(String::from).map_err(|_| Failure::Never("a policy document is not UTF-8".to_owned()))
}

fn sorted<T: Ord>(mut items: Vec<T>) -> Vec<T> {
    items.sort();
    items
}

fn sorted_tags(tags: &[aws_sdk_iam::types::Tag]) -> Vec<Tag> {
    sorted(tags.iter().map(|tag| Tag { key: tag.key.clone(), value: tag.value.clone() }).collect())
}
