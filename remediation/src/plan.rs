//! What would be changed, worked out from the request and what IAM shows. Pure: the same input, the same plan.
//!
//! A plan made after a crash holds what is left to do. Steps are ordered so that whatever was reached can be told from
//! IAM itself: a copy is made before anything is taken away, attachments go before the policy, the policy goes last.

use detection::Remediation;
use policy::Kind;
use serde_json::Value;

use crate::facts::{Facts, PolicyFacts, same_document};
use crate::refusal::Refusal;
use crate::request::{Request, Target};
use crate::step::{Holder, Step, Tag};

/// Calls of one repair. A policy that more have is no accident to be repaired by a machine.
pub const MAX_STEPS: usize = 100;
/// Path of the copies that quarantine makes.
pub(crate) const QUARANTINE_PATH: &str = "/quarantine/";
/// Characters of a managed policy, white space not counted (IAM quotas).
const MAX_POLICY_CHARS: usize = 6_144;
/// Letters of the original's name in the name of the copy; IAM allows 128 in all.
const MAX_COPIED_NAME: usize = 100;

/// The calls of a repair, in their order. None when IAM shows it done already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The repair.
    pub action: Remediation,
    /// The account it happens in.
    pub account_id: String,
    /// The calls.
    pub steps: Vec<Step>,
}

/// Works out a repair. `before` is what IAM showed when an earlier attempt began, if there was one.
pub fn plan(request: &Request, live: &Facts, before: Option<&Facts>) -> Result<Plan, Refusal> {
    let action = request.action.ok_or_else(|| Refusal::UnknownAction(request.action_word.clone()))?;
    if action == Remediation::LogOnly {
        return Err(Refusal::LogOnly);
    }
    let account_id = request.known_account().ok_or(Refusal::AccountUnknown)?.to_owned();
    let case = Case { request, live, before };
    let steps = match &request.target {
        Target::Attachment { holder, policy_arn } => case.detach(holder, policy_arn),
        Target::Policy { .. } if action == Remediation::RevertPolicyVersion => case.revert(),
        Target::Policy { arn } => case.remove_policy(arn, action == Remediation::QuarantinePolicy),
        Target::Inline { holder, name } => case.delete_inline(holder, name),
        Target::Trust { role } => case.restore_trust(role),
        Target::Boundary { holder } => case.restore_boundary(holder),
        Target::Key { user, key_id } => case.deactivate(user, key_id),
        Target::Membership { user, group } => case.leave(user, group),
        Target::Nothing => Err(Refusal::TargetUnknown),
    }?;
    if steps.len() > MAX_STEPS {
        return Err(Refusal::TooLarge { steps: steps.len(), limit: MAX_STEPS });
    }
    Ok(Plan { action, account_id, steps })
}

/// Name and ARN of the copy that quarantine makes of a policy; the same at each attempt.
pub(crate) fn quarantine_copy(request: &Request, policy_arn: &str) -> (String, String) {
    let original = policy_arn.rsplit('/').next().unwrap_or_default();
    let short: String = original.chars().take(MAX_COPIED_NAME).collect();
    let id = request.repair_id().simple().to_string();
    let name = format!("quarantine-{short}-{}", id.get(..8).unwrap_or_default());
    let owner = policy_arn.split_once(":policy/").map_or("", |(owner, _)| owner);
    let arn = format!("{owner}:policy{QUARANTINE_PATH}{name}");
    (name, arn)
}

/// The version that was in force before, as far as that is sure: the only other one, or the one of the baseline.
pub(crate) fn version_before(facts: &Facts) -> Option<&str> {
    let policy = facts.policy.as_ref()?;
    let mut others = policy.versions.iter().filter(|version| version.id != policy.default_version);
    if let (Some(only), None) = (others.next(), others.next()) {
        return Some(&only.id);
    }
    let noted = facts.baseline.as_ref()?.default_version.as_deref()?;
    policy.versions.iter().map(|version| version.id.as_str()).find(|id| *id == noted && *id != policy.default_version)
}

struct Case<'c> {
    request: &'c Request,
    live: &'c Facts,
    before: Option<&'c Facts>,
}

type Steps = Result<Vec<Step>, Refusal>;

fn changed<T>(what: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal::ChangedSince(what.into()))
}

impl Case<'_> {
    /// Nothing is left to do: after an earlier attempt that is success, else somebody was quicker.
    fn is_gone(&self, what: impl Into<String>) -> Steps {
        if self.before.is_some() { Ok(Vec::new()) } else { changed(what) }
    }

    /// The document that was judged.
    fn judged(&self) -> Result<&str, Refusal> {
        self.request.violation.policy_document.as_deref().ok_or(Refusal::DocumentNotVisible)
    }

    fn detach(&self, holder: &Holder, policy_arn: &str) -> Steps {
        let Some(facts) = &self.live.holder else { return changed(format!("there is no {holder}")) };
        if !facts.attached.iter().any(|arn| arn == policy_arn) {
            return self.is_gone(format!("{policy_arn} is no longer attached to {holder}"));
        }
        Ok(vec![Step::Detach { holder: holder.clone(), policy_arn: policy_arn.to_owned() }])
    }

    fn delete_inline(&self, holder: &Holder, name: &str) -> Steps {
        let judged = self.judged()?;
        let Some(document) = &self.live.inline_document else {
            return self.is_gone(format!("{holder} has no inline policy {name}"));
        };
        if !same_document(document, judged, Kind::Identity) {
            return changed(format!("inline policy {name} of {holder} has another document"));
        }
        Ok(vec![Step::DeleteInline { holder: holder.clone(), name: name.to_owned() }])
    }

    fn remove_policy(&self, arn: &str, is_quarantine: bool) -> Steps {
        if crate::facts::is_aws_managed(arn) {
            return Err(Refusal::AwsManaged);
        }
        let Some(policy) = &self.live.policy else { return self.is_gone(format!("there is no policy {arn}")) };
        if let Some(limited) = policy.boundary_of.first() {
            return Err(Refusal::UsedAsBoundary(limited.to_string()));
        }
        match self.before.and_then(|before| before.policy.as_ref()) {
            Some(before) => still_part_of(policy, before)?,
            None => self.still_judged(policy)?,
        }
        let mut steps = Vec::new();
        if is_quarantine && self.live.copy.is_none() {
            steps.push(self.copy(policy)?);
        }
        let detach = |holder: &Holder| Step::Detach { holder: holder.clone(), policy_arn: arn.to_owned() };
        steps.extend(policy.attached_to.iter().map(detach));
        let others = policy.versions.iter().filter(|version| version.id != policy.default_version);
        steps.extend(others.map(|version| Step::DeleteVersion { arn: arn.to_owned(), version: version.id.clone() }));
        steps.push(Step::DeletePolicy { arn: arn.to_owned() });
        Ok(steps)
    }

    /// One of the versions is the judged one; attaching does not tell a document, there the attachment was judged.
    fn still_judged(&self, policy: &PolicyFacts) -> Result<(), Refusal> {
        let limit = MAX_POLICY_CHARS;
        let chars = |document: &str| document.chars().filter(|letter| !letter.is_whitespace()).count();
        if policy.versions.iter().any(|version| chars(&version.document) > limit) {
            return Err(Refusal::DocumentTooLarge { limit });
        }
        match &self.request.violation.policy_document {
            Some(judged) => {
                let is_judged = |document: &str| same_document(document, judged, Kind::Identity);
                match policy.versions.iter().any(|version| is_judged(&version.document)) {
                    true => Ok(()),
                    false => changed(format!("no version of {} has the document that was judged", policy.arn)),
                }
            }
            None if self.request.violation.event_kind.as_deref() == Some("managed_policy_attach") => Ok(()),
            None => Err(Refusal::DocumentNotVisible),
        }
    }

    fn copy(&self, policy: &PolicyFacts) -> Result<Step, Refusal> {
        let (name, arn) = quarantine_copy(self.request, &policy.arn);
        let document = policy.document(&policy.default_version).ok_or(Refusal::DocumentNotVisible)?.to_owned();
        let tag = |key: &str, value: String| Tag { key: key.to_owned(), value };
        let tags = vec![
            tag("quarantined-by", "iam-policy-monitor".to_owned()),
            tag("quarantined-from", policy.arn.clone()),
            tag("violation-id", self.request.violation.violation_id.to_string()),
        ];
        let description = format!("Copy of {}", policy.arn);
        Ok(Step::CreatePolicy { arn, path: QUARANTINE_PATH.to_owned(), name, description, document, tags })
    }

    fn revert(&self) -> Steps {
        let Some(policy) = &self.live.policy else { return changed("the policy is gone") };
        if policy.is_aws_managed() {
            return Err(Refusal::AwsManaged);
        }
        let first = self.before.unwrap_or(self.live);
        let version = version_before(first).ok_or(Refusal::NoStateBefore)?;
        if policy.default_version == version && self.before.is_some() {
            return Ok(Vec::new());
        }
        self.judged_is_in_force(policy)?;
        Ok(vec![Step::SetDefault { arn: policy.arn.clone(), version: version.to_owned() }])
    }

    fn judged_is_in_force(&self, policy: &PolicyFacts) -> Result<(), Refusal> {
        let live = policy.document(&policy.default_version).ok_or(Refusal::DocumentNotVisible)?;
        let is_judged = match &self.request.violation.policy_document {
            Some(judged) => same_document(live, judged, Kind::Identity),
            // SetDefaultPolicyVersion names the version instead.
            None => match self.named_version() {
                Some(version) => version == policy.default_version,
                None => return Err(Refusal::DocumentNotVisible),
            },
        };
        if is_judged { Ok(()) } else { changed(format!("{} has another version in force", policy.arn)) }
    }

    fn named_version(&self) -> Option<String> {
        let text = self.request.violation.request_parameters.as_deref()?;
        let parameters: Value = serde_json::from_str(text).ok()?;
        parameters.get("versionId")?.as_str().map(str::to_owned)
    }

    fn restore_trust(&self, role: &str) -> Steps {
        let judged = self.judged()?;
        let live = self.live.holder.as_ref().and_then(|holder| holder.trust.as_deref());
        let Some(live) = live else { return changed(format!("there is no role {role}")) };
        let first = self.before.unwrap_or(self.live);
        let good = first.baseline.as_ref().and_then(|baseline| baseline.trust.as_deref());
        let good = good.ok_or(Refusal::NoStateBefore)?;
        if same_document(live, good, Kind::Trust) {
            return self.is_gone(format!("role {role} has the trust policy of before"));
        }
        if !same_document(live, judged, Kind::Trust) {
            return changed(format!("role {role} has another trust policy"));
        }
        Ok(vec![Step::PutTrust { role: role.to_owned(), document: good.to_owned() }])
    }

    fn restore_boundary(&self, holder: &Holder) -> Steps {
        let Some(facts) = &self.live.holder else { return changed(format!("there is no {holder}")) };
        let first = self.before.unwrap_or(self.live);
        let good = first.baseline.as_ref().and_then(|baseline| baseline.boundary.as_deref());
        let good = good.ok_or(Refusal::NoStateBefore)?;
        if facts.boundary.as_deref() == Some(good) {
            return self.is_gone(format!("{holder} has the boundary of before"));
        }
        let violation = &self.request.violation;
        let is_removal = violation.event_kind.as_deref() == Some("boundary_removed");
        let judged =
            if is_removal { None } else { Some(violation.policy_arn.as_deref().ok_or(Refusal::TargetUnknown)?) };
        if facts.boundary.as_deref() != judged {
            return changed(format!("{holder} has another boundary"));
        }
        Ok(vec![Step::PutBoundary { holder: holder.clone(), policy_arn: good.to_owned() }])
    }

    fn deactivate(&self, user: &str, key_id: &str) -> Steps {
        match self.live.key_active {
            None => changed(format!("user {user} has no access key {key_id}")),
            Some(false) => self.is_gone(format!("access key {key_id} is inactive")),
            Some(true) => Ok(vec![Step::SetKey { user: user.to_owned(), key_id: key_id.to_owned(), active: false }]),
        }
    }

    fn leave(&self, user: &str, group: &str) -> Steps {
        if !self.live.in_group {
            return self.is_gone(format!("user {user} is not in group {group}"));
        }
        Ok(vec![Step::RemoveFromGroup { user: user.to_owned(), group: group.to_owned() }])
    }
}

/// After a crash: what is there must have been there before, else undoing would not bring it back.
fn still_part_of(live: &PolicyFacts, before: &PolicyFacts) -> Result<(), Refusal> {
    if let Some(new) = live.versions.iter().find(|version| !before.versions.contains(version)) {
        return changed(format!("version {} of {} is new", new.id, live.arn));
    }
    if let Some(new) = live.attached_to.iter().find(|holder| !before.attached_to.contains(holder)) {
        return changed(format!("{} was attached to {new}", live.arn));
    }
    Ok(())
}
