//! One call that changes IAM: what it is, who may make it on what, how it reads.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Who holds policies.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Holder {
    /// User, role or group.
    pub kind: HolderKind,
    /// Name without path.
    pub name: String,
}

/// The three things of IAM that policies are attached to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HolderKind {
    /// IAM user.
    User,
    /// IAM role.
    Role,
    /// IAM group.
    Group,
}

impl HolderKind {
    /// The word of the column `target_type`.
    pub fn as_str(self) -> &'static str {
        match self {
            HolderKind::User => "user",
            HolderKind::Role => "role",
            HolderKind::Group => "group",
        }
    }

    /// The same as in the names of calls: `User`.
    fn in_calls(self) -> &'static str {
        match self {
            HolderKind::User => "User",
            HolderKind::Role => "Role",
            HolderKind::Group => "Group",
        }
    }

    /// Reads a `target_type`; `None` for what holds no policies.
    pub fn from_word(word: &str) -> Option<HolderKind> {
        [HolderKind::User, HolderKind::Role, HolderKind::Group].into_iter().find(|kind| kind.as_str() == word)
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} {}", self.kind.as_str(), self.name)
    }
}

/// A tag of IAM.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Tag {
    /// Its key.
    pub key: String,
    /// Its value.
    pub value: String,
}

/// One call that changes IAM. Each can be made again without harm, and [`crate::look::Look::shows`] tells whether IAM shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "call", rename_all = "snake_case")]
pub enum Step {
    /// Takes a managed policy away from a holder.
    Detach {
        /// From whom.
        holder: Holder,
        /// ARN of the policy.
        policy_arn: String,
    },
    /// Gives a managed policy to a holder.
    Attach {
        /// To whom.
        holder: Holder,
        /// ARN of the policy.
        policy_arn: String,
    },
    /// Deletes an inline policy.
    DeleteInline {
        /// Of whom.
        holder: Holder,
        /// Name of the policy.
        name: String,
    },
    /// Writes an inline policy.
    PutInline {
        /// Of whom.
        holder: Holder,
        /// Name of the policy.
        name: String,
        /// Its document, JSON.
        document: String,
    },
    /// Creates a managed policy, with its first version.
    CreatePolicy {
        /// The ARN it will have.
        arn: String,
        /// Its path, `/` for none.
        path: String,
        /// Its name.
        name: String,
        /// Its description, empty for none.
        description: String,
        /// Document of the first version, JSON.
        document: String,
        /// Its tags.
        tags: Vec<Tag>,
    },
    /// Adds a version to a managed policy.
    CreateVersion {
        /// ARN of the policy.
        arn: String,
        /// The number it will have, `v2`.
        version: String,
        /// Its document, JSON.
        document: String,
        /// It comes into force at once.
        in_force: bool,
    },
    /// Puts a version into force.
    SetDefault {
        /// ARN of the policy.
        arn: String,
        /// The version, `v1`.
        version: String,
    },
    /// Deletes a version that is not in force.
    DeleteVersion {
        /// ARN of the policy.
        arn: String,
        /// The version, `v1`.
        version: String,
    },
    /// Deletes a managed policy that is attached nowhere and has no version but the one in force.
    DeletePolicy {
        /// ARN of the policy.
        arn: String,
    },
    /// Writes who may assume a role.
    PutTrust {
        /// Name of the role.
        role: String,
        /// The trust policy, JSON.
        document: String,
    },
    /// Sets a permissions boundary of a user or role.
    PutBoundary {
        /// User or role.
        holder: Holder,
        /// ARN of the policy that limits.
        policy_arn: String,
    },
    /// Takes a permissions boundary away. Only ever part of taking a repair back.
    DeleteBoundary {
        /// User or role.
        holder: Holder,
    },
    /// Switches an access key off or on.
    SetKey {
        /// Whose.
        user: String,
        /// The key.
        key_id: String,
        /// On.
        active: bool,
    },
    /// Takes a user out of a group.
    RemoveFromGroup {
        /// Who.
        user: String,
        /// Of which group.
        group: String,
    },
    /// Puts a user into a group. Only ever part of taking a repair back.
    AddToGroup {
        /// Who.
        user: String,
        /// Into which group.
        group: String,
    },
}

/// Where a step is carried out, as far as ARNs need it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place<'a> {
    /// `aws`, `aws-cn`, `aws-us-gov`.
    pub partition: &'a str,
    /// Twelve digits.
    pub account_id: &'a str,
}

impl Place<'_> {
    /// ARN of a holder at any path: the events of IAM do not tell the path.
    fn holder(&self, kind: HolderKind, name: &str) -> [String; 2] {
        let arn =
            |path: &str| format!("arn:{}:iam::{}:{}/{path}{name}", self.partition, self.account_id, kind.as_str());
        [arn(""), arn("*/")]
    }
}

impl Step {
    /// The IAM action it needs, `iam:DetachUserPolicy`; several where a call needs several.
    pub fn iam_actions(&self) -> Vec<String> {
        let of = |verb: &str, kind: HolderKind, what: &str| vec![format!("iam:{verb}{}{what}", kind.in_calls())];
        let plain = |name: &str| vec![format!("iam:{name}")];
        match self {
            Step::Detach { holder, .. } => of("Detach", holder.kind, "Policy"),
            Step::Attach { holder, .. } => of("Attach", holder.kind, "Policy"),
            Step::DeleteInline { holder, .. } => of("Delete", holder.kind, "Policy"),
            Step::PutInline { holder, .. } => of("Put", holder.kind, "Policy"),
            // Tags at creation need the right to tag.
            Step::CreatePolicy { tags, .. } if !tags.is_empty() => {
                vec!["iam:CreatePolicy".to_owned(), "iam:TagPolicy".to_owned()]
            }
            Step::CreatePolicy { .. } => plain("CreatePolicy"),
            Step::CreateVersion { .. } => plain("CreatePolicyVersion"),
            Step::SetDefault { .. } => plain("SetDefaultPolicyVersion"),
            Step::DeleteVersion { .. } => plain("DeletePolicyVersion"),
            Step::DeletePolicy { .. } => plain("DeletePolicy"),
            Step::PutTrust { .. } => plain("UpdateAssumeRolePolicy"),
            Step::PutBoundary { holder, .. } => of("Put", holder.kind, "PermissionsBoundary"),
            Step::DeleteBoundary { holder } => of("Delete", holder.kind, "PermissionsBoundary"),
            Step::SetKey { .. } => plain("UpdateAccessKey"),
            Step::RemoveFromGroup { .. } => plain("RemoveUserFromGroup"),
            Step::AddToGroup { .. } => plain("AddUserToGroup"),
        }
    }

    /// The ARNs it touches, as patterns of a policy's `Resource`.
    pub fn resources(&self, place: Place<'_>) -> Vec<String> {
        match self {
            Step::Detach { holder, .. }
            | Step::Attach { holder, .. }
            | Step::DeleteInline { holder, .. }
            | Step::PutInline { holder, .. }
            | Step::PutBoundary { holder, .. }
            | Step::DeleteBoundary { holder } => place.holder(holder.kind, &holder.name).to_vec(),
            Step::CreatePolicy { arn, .. }
            | Step::CreateVersion { arn, .. }
            | Step::SetDefault { arn, .. }
            | Step::DeleteVersion { arn, .. }
            | Step::DeletePolicy { arn } => vec![arn.clone()],
            Step::PutTrust { role, .. } => place.holder(HolderKind::Role, role).to_vec(),
            Step::SetKey { user, .. } => place.holder(HolderKind::User, user).to_vec(),
            Step::RemoveFromGroup { group, .. } | Step::AddToGroup { group, .. } => {
                place.holder(HolderKind::Group, group).to_vec()
            }
        }
    }

    /// The session policy that allows this call on this ARN and nothing else.
    pub fn session_policy(&self, place: Place<'_>) -> String {
        let mut statement = serde_json::json!({
            "Effect": "Allow", "Action": self.iam_actions(), "Resource": self.resources(place),
        });
        if let (Step::Detach { policy_arn, .. } | Step::Attach { policy_arn, .. }, Some(object)) =
            (self, statement.as_object_mut())
        {
            let condition = serde_json::json!({"ArnEquals": {"iam:PolicyARN": policy_arn}});
            object.insert("Condition".to_owned(), condition);
        }
        serde_json::json!({"Version": "2012-10-17", "Statement": [statement]}).to_string()
    }
}

impl fmt::Display for Step {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Step::Detach { holder, policy_arn } => write!(out, "detach {policy_arn} from {holder}"),
            Step::Attach { holder, policy_arn } => write!(out, "attach {policy_arn} to {holder}"),
            Step::DeleteInline { holder, name } => write!(out, "delete inline policy {name} of {holder}"),
            Step::PutInline { holder, name, .. } => write!(out, "write inline policy {name} of {holder}"),
            Step::CreatePolicy { arn, .. } => write!(out, "create policy {arn}"),
            Step::CreateVersion { arn, version, .. } => write!(out, "create version {version} of {arn}"),
            Step::SetDefault { arn, version } => write!(out, "put version {version} of {arn} into force"),
            Step::DeleteVersion { arn, version } => write!(out, "delete version {version} of {arn}"),
            Step::DeletePolicy { arn } => write!(out, "delete policy {arn}"),
            Step::PutTrust { role, .. } => write!(out, "write the trust policy of role {role}"),
            Step::PutBoundary { holder, policy_arn } => write!(out, "set boundary {policy_arn} on {holder}"),
            Step::DeleteBoundary { holder } => write!(out, "take the boundary away from {holder}"),
            Step::SetKey { user, key_id, active: true } => write!(out, "activate access key {key_id} of user {user}"),
            Step::SetKey { user, key_id, active: false } => {
                write!(out, "deactivate access key {key_id} of user {user}")
            }
            Step::RemoveFromGroup { user, group } => write!(out, "remove user {user} from group {group}"),
            Step::AddToGroup { user, group } => write!(out, "add user {user} to group {group}"),
        }
    }
}
