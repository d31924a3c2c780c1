//! What a CloudTrail event does to privilege.

use std::fmt;
use std::str::FromStr;

/// What an event does to privilege. Rules name these under `event_kinds`, rows carry them as `event_kind`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EventKind {
    /// An inline policy of a user, role or group was written.
    InlinePolicyPut,
    /// An inline policy was deleted; it may have held a Deny.
    InlinePolicyDelete,
    /// A managed policy was attached to a user, role or group.
    ManagedPolicyAttach,
    /// A managed policy was detached; it may have held a Deny.
    ManagedPolicyDetach,
    /// A managed policy was created.
    ManagedPolicyCreate,
    /// A managed policy got a new version, in force only if it became the default.
    ManagedPolicyVersion,
    /// Another version of a managed policy came into force.
    ManagedPolicyDefault,
    /// A version of a managed policy was deleted.
    ManagedPolicyVersionDelete,
    /// A managed policy was deleted.
    ManagedPolicyDelete,
    /// Who may assume a role was written, with the role or later.
    TrustPolicy,
    /// A service-linked role was created.
    RoleCreate,
    /// Description or session length of a role changed.
    RoleUpdate,
    /// A role was deleted.
    RoleDelete,
    /// A permissions boundary was set.
    BoundarySet,
    /// A permissions boundary was taken away.
    BoundaryRemoved,
    /// A user was created.
    UserCreate,
    /// A group was created.
    GroupCreate,
    /// Somebody joined a group and has its policies now.
    GroupMembershipAdd,
    /// Somebody left a group; it may have held a Deny.
    GroupMembershipRemove,
    /// A long-lived credential was created.
    CredentialCreate,
    /// A credential was changed, switched on or reset.
    CredentialUpdate,
    /// A credential was deleted.
    CredentialDelete,
    /// A console password was set.
    LoginProfile,
    /// A console password was deleted.
    LoginProfileDelete,
    /// A second factor was taken away.
    MfaRemoved,
    /// A second factor was added or resynchronised.
    MfaAdded,
    /// An instance profile was created or got another role.
    InstanceProfile,
    /// A running instance got an instance profile.
    InstanceProfileUse,
    /// Somebody else's identities became trusted, or that trust changed.
    IdentityProvider,
    /// A principal or account was granted access to one resource.
    PrincipalGrant,
    /// A security setting of the account changed.
    AccountSetting,
    /// Temporary credentials or a console session were issued.
    Session,
    /// A permission set of IAM Identity Center changed.
    PermissionSet,
    /// A permission set was assigned to somebody in an account, or taken back.
    AccountAssignment,
    /// A policy of the organization (SCP, RCP, ...) was written.
    OrgPolicy,
    /// A policy of the organization was attached.
    OrgPolicyAttach,
    /// A policy of the organization was detached, deleted or switched off: a guard fell.
    OrgPolicyDetach,
    /// An account entered, left or moved in the organization, or administers it now.
    OrgMembership,
    /// The policy of a resource was written.
    ResourcePolicy,
    /// The policy of a resource, or a statement of it, was deleted.
    ResourcePolicyDelete,
    /// The access control list of a bucket or object was written.
    Acl,
    /// The block of public access was changed or taken away.
    BlockPublicAccess,
    /// A role was handed to a service (`iam:PassRole` has no event of its own).
    RoleUse,
}

/// A text that names no kind of event.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no kind of event is called {0:?}")]
pub struct UnknownKind(pub String);

impl EventKind {
    /// Every kind.
    pub const ALL: [EventKind; 43] = [
        EventKind::InlinePolicyPut,
        EventKind::InlinePolicyDelete,
        EventKind::ManagedPolicyAttach,
        EventKind::ManagedPolicyDetach,
        EventKind::ManagedPolicyCreate,
        EventKind::ManagedPolicyVersion,
        EventKind::ManagedPolicyDefault,
        EventKind::ManagedPolicyVersionDelete,
        EventKind::ManagedPolicyDelete,
        EventKind::TrustPolicy,
        EventKind::RoleCreate,
        EventKind::RoleUpdate,
        EventKind::RoleDelete,
        EventKind::BoundarySet,
        EventKind::BoundaryRemoved,
        EventKind::UserCreate,
        EventKind::GroupCreate,
        EventKind::GroupMembershipAdd,
        EventKind::GroupMembershipRemove,
        EventKind::CredentialCreate,
        EventKind::CredentialUpdate,
        EventKind::CredentialDelete,
        EventKind::LoginProfile,
        EventKind::LoginProfileDelete,
        EventKind::MfaRemoved,
        EventKind::MfaAdded,
        EventKind::InstanceProfile,
        EventKind::InstanceProfileUse,
        EventKind::IdentityProvider,
        EventKind::PrincipalGrant,
        EventKind::AccountSetting,
        EventKind::Session,
        EventKind::PermissionSet,
        EventKind::AccountAssignment,
        EventKind::OrgPolicy,
        EventKind::OrgPolicyAttach,
        EventKind::OrgPolicyDetach,
        EventKind::OrgMembership,
        EventKind::ResourcePolicy,
        EventKind::ResourcePolicyDelete,
        EventKind::Acl,
        EventKind::BlockPublicAccess,
        EventKind::RoleUse,
    ];

    /// The name as written in rules and rows: `inline_policy_put`.
    pub fn as_str(self) -> &'static str {
        match self {
            EventKind::InlinePolicyPut => "inline_policy_put",
            EventKind::InlinePolicyDelete => "inline_policy_delete",
            EventKind::ManagedPolicyAttach => "managed_policy_attach",
            EventKind::ManagedPolicyDetach => "managed_policy_detach",
            EventKind::ManagedPolicyCreate => "managed_policy_create",
            EventKind::ManagedPolicyVersion => "managed_policy_version",
            EventKind::ManagedPolicyDefault => "managed_policy_default",
            EventKind::ManagedPolicyVersionDelete => "managed_policy_version_delete",
            EventKind::ManagedPolicyDelete => "managed_policy_delete",
            EventKind::TrustPolicy => "trust_policy",
            EventKind::RoleCreate => "role_create",
            EventKind::RoleUpdate => "role_update",
            EventKind::RoleDelete => "role_delete",
            EventKind::BoundarySet => "boundary_set",
            EventKind::BoundaryRemoved => "boundary_removed",
            EventKind::UserCreate => "user_create",
            EventKind::GroupCreate => "group_create",
            EventKind::GroupMembershipAdd => "group_membership_add",
            EventKind::GroupMembershipRemove => "group_membership_remove",
            EventKind::CredentialCreate => "credential_create",
            EventKind::CredentialUpdate => "credential_update",
            EventKind::CredentialDelete => "credential_delete",
            EventKind::LoginProfile => "login_profile",
            EventKind::LoginProfileDelete => "login_profile_delete",
            EventKind::MfaRemoved => "mfa_removed",
            EventKind::MfaAdded => "mfa_added",
            EventKind::InstanceProfile => "instance_profile",
            EventKind::InstanceProfileUse => "instance_profile_use",
            EventKind::IdentityProvider => "identity_provider",
            EventKind::PrincipalGrant => "principal_grant",
            EventKind::AccountSetting => "account_setting",
            EventKind::Session => "session",
            EventKind::PermissionSet => "permission_set",
            EventKind::AccountAssignment => "account_assignment",
            EventKind::OrgPolicy => "org_policy",
            EventKind::OrgPolicyAttach => "org_policy_attach",
            EventKind::OrgPolicyDetach => "org_policy_detach",
            EventKind::OrgMembership => "org_membership",
            EventKind::ResourcePolicy => "resource_policy",
            EventKind::ResourcePolicyDelete => "resource_policy_delete",
            EventKind::Acl => "acl",
            EventKind::BlockPublicAccess => "block_public_access",
            EventKind::RoleUse => "role_use",
        }
    }

    /// The kind of that name.
    pub fn parse(name: &str) -> Option<EventKind> {
        EventKind::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}

impl FromStr for EventKind {
    type Err = UnknownKind;

    fn from_str(name: &str) -> Result<EventKind, UnknownKind> {
        EventKind::parse(name).ok_or_else(|| UnknownKind(name.to_owned()))
    }
}

impl fmt::Display for EventKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}
