//! Why nothing is changed. A refusal is an outcome: it is logged and announced like a repair.

use chrono::{DateTime, Utc};

/// Each reason for changing nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// `ENABLE_REMEDIATION` is not true.
    #[error("repairs are switched off: ENABLE_REMEDIATION is not true")]
    NotEnabled,
    /// The configuration cannot be read, so nothing is allowed.
    #[error("the configuration cannot be used, so nothing is allowed: {0}")]
    Configuration(String),
    /// The word is no action.
    #[error("{0:?} is no action of the remediator")]
    UnknownAction(String),
    /// The rule asks for nothing but the log.
    #[error("the rule asks for the log only")]
    LogOnly,
    /// The action is not in the list.
    #[error("{0} is not among the allowed actions")]
    NotAllowed(String),
    /// The rule does not ask for a repair.
    #[error("the rule does not ask for a repair")]
    NotForRepair,
    /// A suppression holds the violation back.
    #[error("the violation is suppressed by {0:?}")]
    Suppressed(String),
    /// The call failed, so it changed nothing.
    #[error("the call failed, so there is nothing to repair")]
    CallFailed,
    /// The caller or the target is root.
    #[error("the {0} is root")]
    Root(&'static str),
    /// The caller or the target is excluded.
    #[error("the {who} matches the excluded pattern {pattern:?}")]
    Excluded {
        /// `caller` or `target`.
        who: &'static str,
        /// The pattern.
        pattern: String,
    },
    /// The policy is protected.
    #[error("the policy matches the protected policy {0:?}")]
    ProtectedPolicy(String),
    /// The target is a service-linked role.
    #[error("the target is a service-linked role")]
    ServiceLinkedRole,
    /// The target is a role that AWS reserves (IAM Identity Center).
    #[error("the target is a role reserved by AWS")]
    ReservedRole,
    /// The target is a role of this system.
    #[error("the target is a role of this system")]
    OwnRole,
    /// The change was made by this system.
    #[error("the change was made by this system")]
    OwnChange,
    /// The account is not told.
    #[error("the event does not tell the account")]
    AccountUnknown,
    /// The account is outside the filter.
    #[error("account {0} is outside the filter")]
    AccountFiltered(String),
    /// The account is in an organizational unit outside the filter.
    #[error("the organizational unit of account {0} is outside the filter")]
    UnitFiltered(String),
    /// There is a filter, and the organizational unit of the account is not known.
    #[error("the organizational unit of account {0} is not known, and the filter asks for it")]
    UnitUnknown(String),
    /// A tag of the target keeps it out.
    #[error("the tags of the target keep it out: {0}")]
    TagFiltered(String),
    /// The event does not tell what to change.
    #[error("the event does not tell what to repair")]
    TargetUnknown,
    /// What was judged is not known, so it cannot be compared.
    #[error("the document that was judged is not visible, so it cannot be compared with the live one")]
    DocumentNotVisible,
    /// The live state is not the one that was judged.
    #[error("changed since: {0}")]
    ChangedSince(String),
    /// AWS owns the policy.
    #[error("the policy belongs to AWS and can only be detached")]
    AwsManaged,
    /// The policy limits somebody; without it they could do more.
    #[error("the policy is the permissions boundary of {0}: deleting it would widen access")]
    UsedAsBoundary(String),
    /// The state to go back to is not known.
    #[error("the state before is not known: run `remediator baseline` while all is well")]
    NoStateBefore,
    /// More steps than a repair may have.
    #[error("the repair would take {steps} calls, more than {limit}")]
    TooLarge {
        /// Calls.
        steps: usize,
        /// Limit.
        limit: usize,
    },
    /// The document is larger than IAM takes, so it could not be written back.
    #[error("the document has more than {limit} characters, so the repair could not be taken back")]
    DocumentTooLarge {
        /// Characters that IAM takes.
        limit: usize,
    },
    /// A budget is spent.
    #[error("the budget of {0} is spent")]
    BudgetSpent(String),
    /// The circuit breaker is open.
    #[error("the circuit breaker is open: {0}")]
    BreakerOpen(String),
    /// The change keeps coming back.
    #[error("this change came back {0} times: something writes it again and again, so nobody repairs it automatically")]
    Returns(usize),
    /// Somebody held the repair back.
    #[error("held back by hand: {0}")]
    HeldBack(String),
    /// The repair waits.
    #[error("it waits until {0}, in case somebody holds it back")]
    Grace(DateTime<Utc>),
}

impl Refusal {
    /// Short name of the reason, the same for each value it may carry.
    pub fn code(&self) -> &'static str {
        match self {
            Refusal::NotEnabled => "not_enabled",
            Refusal::Configuration(_) => "configuration",
            Refusal::UnknownAction(_) => "unknown_action",
            Refusal::LogOnly => "log_only",
            Refusal::NotAllowed(_) => "not_allowed",
            Refusal::NotForRepair => "not_for_repair",
            Refusal::Suppressed(_) => "suppressed",
            Refusal::CallFailed => "call_failed",
            Refusal::Root(_) => "root",
            Refusal::Excluded { .. } => "excluded",
            Refusal::ProtectedPolicy(_) => "protected_policy",
            Refusal::ServiceLinkedRole => "service_linked_role",
            Refusal::ReservedRole => "reserved_role",
            Refusal::OwnRole => "own_role",
            Refusal::OwnChange => "own_change",
            Refusal::AccountUnknown => "account_unknown",
            Refusal::AccountFiltered(_) => "account_filtered",
            Refusal::UnitFiltered(_) => "unit_filtered",
            Refusal::UnitUnknown(_) => "unit_unknown",
            Refusal::TagFiltered(_) => "tag_filtered",
            Refusal::TargetUnknown => "target_unknown",
            Refusal::DocumentNotVisible => "document_not_visible",
            Refusal::ChangedSince(_) => "changed_since",
            Refusal::AwsManaged => "aws_managed",
            Refusal::UsedAsBoundary(_) => "used_as_boundary",
            Refusal::NoStateBefore => "no_state_before",
            Refusal::TooLarge { .. } => "too_large",
            Refusal::DocumentTooLarge { .. } => "document_too_large",
            Refusal::BudgetSpent(_) => "budget_spent",
            Refusal::BreakerOpen(_) => "breaker_open",
            Refusal::Returns(_) => "returns",
            Refusal::HeldBack(_) => "held_back",
            Refusal::Grace(_) => "grace",
        }
    }
}
