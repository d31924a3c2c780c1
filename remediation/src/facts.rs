//! What IAM shows of the things a repair touches. Plain data: looked up by `look`, judged by `plan`, stored by
//! `snapshot`.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::request::{Request, Target};
use crate::step::{Holder, HolderKind, Tag};

/// Everything a plan is made from. Parts that its action does not need are `None`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// The user, role or group, or `None` when IAM has none of the name.
    pub holder: Option<HolderFacts>,
    /// The managed policy, or `None` when IAM has none of the ARN.
    pub policy: Option<PolicyFacts>,
    /// The copy that quarantine makes, when it is there already.
    pub copy: Option<PolicyFacts>,
    /// The document of the inline policy; `None` when there is none of the name.
    pub inline_document: Option<String>,
    /// Whether the access key is active; `None` when there is none of the id.
    pub key_active: Option<bool>,
    /// Whether the user is in the group.
    pub in_group: bool,
    /// What was noted as good before the event; see [`Baseline`].
    pub baseline: Option<Baseline>,
}

/// A user, role or group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HolderFacts {
    /// Which.
    pub holder: Holder,
    /// Its ARN, with its path.
    pub arn: String,
    /// Its tags, sorted. Groups have none.
    pub tags: Vec<Tag>,
    /// ARNs of the managed policies attached to it, sorted.
    pub attached: Vec<String>,
    /// ARN of its permissions boundary.
    pub boundary: Option<String>,
    /// Trust policy of a role, JSON.
    pub trust: Option<String>,
}

/// A managed policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyFacts {
    /// Its ARN.
    pub arn: String,
    /// Its name.
    pub name: String,
    /// Its path, `/` for none.
    pub path: String,
    /// Its description, empty for none.
    pub description: String,
    /// Its tags, sorted.
    pub tags: Vec<Tag>,
    /// Every version, oldest first.
    pub versions: Vec<Version>,
    /// The version in force.
    pub default_version: String,
    /// Who has it, sorted.
    pub attached_to: Vec<Holder>,
    /// Whom it limits as a permissions boundary, sorted.
    pub boundary_of: Vec<Holder>,
}

/// A version of a managed policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version {
    /// `v1`.
    pub id: String,
    /// Its document, JSON.
    pub document: String,
}

/// What `remediator baseline` noted of a user or role while all was well: IAM itself forgets it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Baseline {
    /// Trust policy of a role, JSON.
    pub trust: Option<String>,
    /// ARN of the permissions boundary.
    pub boundary: Option<String>,
    /// Version in force of a managed policy.
    pub default_version: Option<String>,
}

impl PolicyFacts {
    /// The document of a version.
    pub fn document(&self, version: &str) -> Option<&str> {
        self.versions.iter().find(|known| known.id == version).map(|known| known.document.as_str())
    }

    /// Whether AWS owns it: nobody else can change it.
    pub fn is_aws_managed(&self) -> bool {
        is_aws_managed(&self.arn)
    }
}

/// Whether AWS owns the policy of an ARN: it has `aws` where others have an account.
pub(crate) fn is_aws_managed(arn: &str) -> bool {
    arn.split(':').nth(4) == Some("aws")
}

/// Whether two documents say the same: equal as JSON, or proved to grant the same requests.
pub(crate) fn same_document(one: &str, other: &str, kind: policy::Kind) -> bool {
    let json = |text: &str| serde_json::from_str::<Value>(text).ok();
    if let (Some(one), Some(other)) = (json(one), json(other))
        && one == other
    {
        return true;
    }
    let (one, other) = (policy::Policy::parse(one, kind), policy::Policy::parse(other, kind));
    one.malformed.is_empty()
        && other.malformed.is_empty()
        && policy::compare(&one, &other).relation() == policy::Relation::Equal
}

/// The facts as the event left them, for showing a plan where there is no IAM to ask.
pub(crate) fn assumed(request: &Request) -> Facts {
    let violation = &request.violation;
    let arn_of = |holder: &Holder| {
        let made = format!("arn:aws:iam::{}:{}/{}", request.account_id(), holder.kind.as_str(), holder.name);
        violation.target_arn.clone().filter(|arn| arn.ends_with(&format!("/{}", holder.name))).unwrap_or(made)
    };
    let holder = |holder: &Holder| HolderFacts {
        holder: holder.clone(),
        arn: arn_of(holder),
        tags: Vec::new(),
        attached: violation.policy_arn.iter().cloned().collect(),
        boundary: None,
        trust: violation.policy_document.clone(),
    };
    let policy = |arn: &str, attached_to: Vec<Holder>| PolicyFacts {
        arn: arn.to_owned(),
        name: arn.rsplit('/').next().unwrap_or_default().to_owned(),
        path: "/".to_owned(),
        description: String::new(),
        tags: Vec::new(),
        versions: vec![Version {
            id: "v1".to_owned(),
            document: violation.policy_document.clone().unwrap_or_default(),
        }],
        default_version: "v1".to_owned(),
        attached_to,
        boundary_of: Vec::new(),
    };
    let mut facts = Facts::default();
    match &request.target {
        Target::Attachment { holder: of, policy_arn } => {
            facts.holder = Some(holder(of));
            facts.policy = Some(policy(policy_arn, vec![of.clone()]));
        }
        Target::Policy { arn } => facts.policy = Some(policy(arn, Vec::new())),
        Target::Inline { holder: of, .. } => {
            facts.holder = Some(holder(of));
            facts.inline_document = violation.policy_document.clone();
        }
        Target::Trust { role } => {
            facts.holder = Some(holder(&Holder { kind: HolderKind::Role, name: role.clone() }));
        }
        Target::Boundary { holder: of } => {
            facts.holder = Some(HolderFacts { boundary: violation.policy_arn.clone(), ..holder(of) });
        }
        Target::Key { user, .. } => {
            facts.holder = Some(holder(&Holder { kind: HolderKind::User, name: user.clone() }));
            facts.key_active = Some(true);
        }
        Target::Membership { user, .. } => {
            facts.holder = Some(holder(&Holder { kind: HolderKind::User, name: user.clone() }));
            facts.in_group = true;
        }
        Target::Nothing => {}
    }
    facts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_are_the_same_when_they_say_the_same_and_not_when_they_do_not() {
        let one = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"}]}"#;
        let spaced =
            r#"{ "Statement": {"Resource":["*"],"Effect":"Allow","Action":["S3:getobject"]}, "Version":"2012-10-17" }"#;
        let more = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}"#;
        let broken =
            r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"},7]}"#;
        let kind = policy::Kind::Identity;
        assert!(same_document(one, one, kind) && same_document(one, spaced, kind));
        assert!(!same_document(one, more, kind) && !same_document(more, one, kind));
        assert!(!same_document(one, broken, kind) && !same_document("", one, kind));
    }

    #[test]
    fn policies_of_aws_are_known_by_their_arn() {
        assert!(is_aws_managed("arn:aws-cn:iam::aws:policy/AdministratorAccess"));
        assert!(!is_aws_managed("arn:aws:iam::111111111111:policy/aws"));
    }
}
