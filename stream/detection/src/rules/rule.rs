//! One detection rule, checked and ready to judge events.

use super::check::Check;
use super::truth::Truth;
use crate::yaml::At;
use crate::{EventKind, RuleTest};
use schemas::{RuleAction, Severity};

/// A repair the remediator knows. Source: the list of repair actions of this system's design.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Remediation {
    /// Detach a managed policy from a user, role or group.
    DetachPolicy,
    /// Detach a managed policy everywhere and delete all its versions.
    DeletePolicy,
    /// Delete an inline policy of a user, role or group.
    DeleteInlinePolicy,
    /// Copy a managed policy under a quarantine name, detach it everywhere, delete the original.
    QuarantinePolicy,
    /// Make the version of before the default again.
    RevertPolicyVersion,
    /// Write the trust policy of before.
    RestoreTrustPolicy,
    /// Set the permissions boundary of before.
    RestoreBoundary,
    /// Switch an access key off.
    DeactivateAccessKey,
    /// Take a user out of a group.
    RemoveFromGroup,
    /// Repair nothing, write the log.
    LogOnly,
}

impl Remediation {
    /// Every repair, in the order of the documentation.
    pub const ALL: [Remediation; 10] = [
        Remediation::DetachPolicy,
        Remediation::DeletePolicy,
        Remediation::DeleteInlinePolicy,
        Remediation::QuarantinePolicy,
        Remediation::RevertPolicyVersion,
        Remediation::RestoreTrustPolicy,
        Remediation::RestoreBoundary,
        Remediation::DeactivateAccessKey,
        Remediation::RemoveFromGroup,
        Remediation::LogOnly,
    ];

    /// The name as written in rules, rows and messages: `detach_policy`.
    pub fn as_str(self) -> &'static str {
        match self {
            Remediation::DetachPolicy => "detach_policy",
            Remediation::DeletePolicy => "delete_policy",
            Remediation::DeleteInlinePolicy => "delete_inline_policy",
            Remediation::QuarantinePolicy => "quarantine_policy",
            Remediation::RevertPolicyVersion => "revert_policy_version",
            Remediation::RestoreTrustPolicy => "restore_trust_policy",
            Remediation::RestoreBoundary => "restore_boundary",
            Remediation::DeactivateAccessKey => "deactivate_access_key",
            Remediation::RemoveFromGroup => "remove_from_group",
            Remediation::LogOnly => "log_only",
        }
    }

    /// The repairs that undo an event; the first is the one taken when a rule names none. None for events that
    /// cannot be undone through IAM.
    pub fn fitting(event_source: &str, event_name: &str, kind: EventKind) -> &'static [Remediation] {
        if event_source != "iam.amazonaws.com" {
            return &[];
        }
        match (kind, event_name) {
            (EventKind::InlinePolicyPut, _) => &[Remediation::DeleteInlinePolicy],
            (EventKind::ManagedPolicyAttach, _) => {
                &[Remediation::DetachPolicy, Remediation::QuarantinePolicy, Remediation::DeletePolicy]
            }
            (EventKind::ManagedPolicyCreate, _) => &[Remediation::QuarantinePolicy, Remediation::DeletePolicy],
            (EventKind::ManagedPolicyVersion | EventKind::ManagedPolicyDefault, _) => {
                &[Remediation::RevertPolicyVersion, Remediation::QuarantinePolicy, Remediation::DeletePolicy]
            }
            // A role just created has no trust policy of before.
            (EventKind::TrustPolicy, "UpdateAssumeRolePolicy") => &[Remediation::RestoreTrustPolicy],
            (EventKind::BoundarySet | EventKind::BoundaryRemoved, _) => &[Remediation::RestoreBoundary],
            (_, "CreateAccessKey" | "UpdateAccessKey") => &[Remediation::DeactivateAccessKey],
            (_, "AddUserToGroup") => &[Remediation::RemoveFromGroup],
            _ => &[],
        }
    }
}

/// A detection rule.
#[derive(Debug, Clone)]
pub struct Rule {
    pub(super) name: String,
    pub(super) at: At,
    pub(super) description: String,
    pub(super) severity: Severity,
    pub(super) action: RuleAction,
    pub(super) remediation: Option<Remediation>,
    pub(super) mitre: Vec<String>,
    pub(super) runbook: Option<String>,
    pub(super) owner: Option<String>,
    /// All of them must hold.
    pub(super) checks: Vec<Check>,
    pub(super) tests: Vec<RuleTest>,
}

impl Rule {
    /// Unique in its file.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where the rule starts in its file.
    pub fn at(&self) -> At {
        self.at
    }

    /// What the rule detects, one sentence.
    pub fn description(&self) -> &str {
        &self.description
    }

    /// How bad a match is.
    pub fn severity(&self) -> Severity {
        self.severity
    }

    /// What happens with a match.
    pub fn action(&self) -> RuleAction {
        self.action
    }

    /// The repair the rule names; `None` leaves the choice to the kind of event.
    pub fn remediation(&self) -> Option<Remediation> {
        self.remediation
    }

    /// MITRE ATT&CK technique ids.
    pub fn mitre(&self) -> &[String] {
        &self.mitre
    }

    /// Address or text that says what to do.
    pub fn runbook(&self) -> Option<&str> {
        self.runbook.as_deref()
    }

    /// Who keeps the rule.
    pub fn owner(&self) -> Option<&str> {
        self.owner.as_deref()
    }

    /// The tests written beside the rule.
    pub fn tests(&self) -> &[RuleTest] {
        &self.tests
    }
}

/// One condition of a rule held against one event: what `detector --event` and a failed test print.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explained {
    /// The key of the condition: `event_names`.
    pub condition: &'static str,
    /// What the rule asks for.
    pub wanted: String,
    /// What the event has.
    pub found: String,
    /// Whether it holds.
    pub truth: Truth,
}
