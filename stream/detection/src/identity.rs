//! Who made the call: the `userIdentity` element of a CloudTrail event.

use std::borrow::Cow;

use serde_json::value::RawValue;

use crate::members::{Members, account, boolean, filled, present};

/// The `userIdentity` element. Every field may be missing: services, anonymous callers, SAML users and older records
/// each leave some out, and an identity that is `null` reads as one with no field at all.
/// Source: CloudTrail user guide, "CloudTrail userIdentity element". Empty text counts as absent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UserIdentity<'a> {
    /// `type`: `IAMUser`, `AssumedRole`, `Root`, `AWSService`, ...
    pub identity_type: Option<Cow<'a, str>>,
    /// `arn` of the caller; for a role this is the session's ARN.
    pub arn: Option<Cow<'a, str>>,
    /// `principalId`: the unique id, with `:session` for a role session.
    pub principal_id: Option<Cow<'a, str>>,
    /// `accountId`: the account that owns the caller.
    pub account_id: Option<Cow<'a, str>>,
    /// `userName`.
    pub user_name: Option<Cow<'a, str>>,
    /// `accessKeyId` the call was signed with.
    pub access_key_id: Option<Cow<'a, str>>,
    /// `invokedBy`: the AWS service that made the call for somebody.
    pub invoked_by: Option<Cow<'a, str>>,
    /// `identityProvider` of a SAML or web identity user.
    pub identity_provider: Option<Cow<'a, str>>,
    /// `onBehalfOf.userId` of an IAM Identity Center user.
    pub on_behalf_of: Option<Cow<'a, str>>,
    /// `sessionContext.sessionIssuer`: what the temporary credentials were made from.
    pub session_issuer: Option<SessionIssuer<'a>>,
    /// `sessionContext.attributes.mfaAuthenticated`.
    pub mfa_authenticated: Option<bool>,
    /// `sessionContext.assumedRoot`: a session of `sts:AssumeRoot`.
    pub assumed_root: Option<bool>,
}

/// The `sessionContext.sessionIssuer` element.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SessionIssuer<'a> {
    /// `type`: `Role`, `IAMUser`, `Root`.
    pub issuer_type: Option<Cow<'a, str>>,
    /// `arn`, with the path of the role.
    pub arn: Option<Cow<'a, str>>,
    /// `accountId`.
    pub account_id: Option<Cow<'a, str>>,
    /// `userName`: the name of the role or user.
    pub user_name: Option<Cow<'a, str>>,
}

impl<'a> UserIdentity<'a> {
    /// Reads the element; a value that is not an object is an identity with no field.
    pub(crate) fn read(raw: &'a RawValue) -> UserIdentity<'a> {
        let mut identity = UserIdentity::default();
        for (key, value) in Members::of(raw).iter() {
            match key {
                "type" => identity.identity_type = filled(value),
                "arn" => identity.arn = filled(value),
                "principalId" => identity.principal_id = filled(value),
                "accountId" => identity.account_id = account(value),
                "userName" => identity.user_name = filled(value),
                "accessKeyId" => identity.access_key_id = filled(value),
                "invokedBy" => identity.invoked_by = filled(value),
                "identityProvider" => identity.identity_provider = filled(value),
                "onBehalfOf" => identity.on_behalf_of = Members::of(value).get("userId").and_then(filled),
                "sessionContext" => identity.read_session(value),
                _ => {}
            }
        }
        identity
    }

    fn read_session(&mut self, raw: &'a RawValue) {
        for (key, value) in Members::of(raw).iter() {
            match key {
                "sessionIssuer" => self.session_issuer = SessionIssuer::read(value),
                "attributes" => {
                    self.mfa_authenticated = Members::of(value).get("mfaAuthenticated").and_then(boolean);
                }
                "assumedRoot" => self.assumed_root = boolean(value),
                _ => {}
            }
        }
    }

    /// Whether the account's root user made the call, itself or through `sts:AssumeRoot`.
    pub fn is_root(&self) -> bool {
        self.identity_type.as_deref() == Some("Root")
            || self.arn.as_deref().is_some_and(|arn| arn.starts_with("arn:") && arn.ends_with(":root"))
    }

    /// The account that owns the caller: `accountId`, else the one in an ARN, else that of the session's issuer.
    pub fn account(&self) -> Option<&str> {
        let issuer = self.session_issuer.as_ref();
        self.account_id
            .as_deref()
            .or_else(|| self.arn.as_deref().and_then(arn_account))
            .or_else(|| issuer.and_then(|issuer| issuer.account_id.as_deref()))
            .or_else(|| issuer.and_then(|issuer| issuer.arn.as_deref()).and_then(arn_account))
    }

    /// A name a person recognises: the user's name, the name of the role behind a session, `root`, the calling
    /// service, or what ends the ARN or the principal id. Absent when the record names nobody.
    pub fn principal_name(&self) -> Option<&str> {
        if self.is_root() {
            return Some("root");
        }
        let issuer = self.session_issuer.as_ref();
        // The issuer of a federated user is its broker: the name of the caller is in the caller's own ARN.
        let role = issuer.filter(|_| self.identity_type.as_deref() != Some("FederatedUser"));
        self.user_name
            .as_deref()
            .or_else(|| role.and_then(|issuer| issuer.user_name.as_deref()))
            .or_else(|| self.arn.as_deref().and_then(arn_principal))
            .or(self.invoked_by.as_deref())
            .or(self.on_behalf_of.as_deref())
            .or(self.principal_id.as_deref())
    }
}

impl<'a> SessionIssuer<'a> {
    fn read(raw: &'a RawValue) -> Option<SessionIssuer<'a>> {
        let members = Members::of(present(raw)?);
        let field = |key| members.get(key).and_then(filled);
        let issuer = SessionIssuer {
            issuer_type: field("type"),
            arn: field("arn"),
            account_id: members.get("accountId").and_then(account),
            user_name: field("userName"),
        };
        (issuer != SessionIssuer::default()).then_some(issuer)
    }
}

/// The account segment of an ARN, if it holds twelve digits.
pub(crate) fn arn_account(arn: &str) -> Option<&str> {
    let account = arn.strip_prefix("arn:")?.split(':').nth(3)?;
    (account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit())).then_some(account)
}

/// The partition segment of an ARN: `aws`, `aws-cn`, `aws-us-gov`.
pub(crate) fn arn_partition(arn: &str) -> Option<&str> {
    arn.strip_prefix("arn:")?.split(':').next().filter(|partition| partition.starts_with("aws"))
}

/// The user, role or session name of an IAM or STS ARN: `assumed-role/ROLE/session` gives `ROLE`, `user/team/alice`
/// gives `alice`.
pub(crate) fn arn_principal(arn: &str) -> Option<&str> {
    let resource = arn.strip_prefix("arn:")?.splitn(5, ':').nth(4)?;
    match resource.strip_prefix("assumed-role/") {
        Some(session) => session.split('/').next(),
        None => resource.rsplit('/').next(),
    }
    .filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name_of(json: &str) -> Option<String> {
        let raw: &RawValue = serde_json::from_str(json).unwrap();
        UserIdentity::read(raw).principal_name().map(str::to_owned)
    }

    #[test]
    fn a_principal_has_the_name_a_person_recognises() {
        let cases = [
            (r#"{"type":"IAMUser","userName":"alice","arn":"arn:aws:iam::1:user/x"}"#, Some("alice")),
            (r#"{"type":"Root","arn":"arn:aws:iam::111122223333:root"}"#, Some("root")),
            (r#"{"type":"AssumedRole","arn":"arn:aws:sts::111122223333:assumed-role/deploy/s"}"#, Some("deploy")),
            (
                r#"{"type":"AssumedRole","arn":"arn:aws:sts::1:assumed-role/a/s","sessionContext":{"sessionIssuer":{"userName":"b"}}}"#,
                Some("b"),
            ),
            (
                r#"{"type":"FederatedUser","arn":"arn:aws:sts::111122223333:federated-user/bob","sessionContext":{"sessionIssuer":{"userName":"broker"}}}"#,
                Some("bob"),
            ),
            (r#"{"type":"AWSService","invokedBy":"ecs.amazonaws.com"}"#, Some("ecs.amazonaws.com")),
            (r#"{"type":"IAMUser","arn":"arn:aws-cn:iam::111122223333:user/team/li"}"#, Some("li")),
            (r#"{"type":"Unknown","principalId":""}"#, None),
            ("null", None),
            ("[1]", None),
        ];
        for (json, expected) in cases {
            assert_eq!(name_of(json).as_deref(), expected, "{json}");
        }
    }
}
