//! The sentences people read, the same in every channel: who did what to whom, why it matters, what happens next.
//!
//! Plain text with names as the event gives them; each channel escapes and cuts for itself.

use schemas::{Certainty, Outcome, RuleAction, Violation};

use super::event::{Fault, Remediation, Status};
use super::text::UNKNOWN;

/// Who did it, in one phrase: `user alice`, `role Deploy (session ci-42)`, `the root user of 111111111111`.
pub fn actor(violation: &Violation) -> String {
    let name = violation.principal_name.as_deref();
    let arn = violation.principal_arn.as_deref();
    let session = arn.and_then(|arn| arn.split_once(":assumed-role/")).and_then(|(_, rest)| rest.split_once('/'));
    match (violation.principal_type.as_deref(), name, session) {
        (Some("Root"), ..) => {
            let account = violation.principal_account_id.as_deref().unwrap_or(&violation.account_id);
            format!("the root user of {account}")
        }
        (Some("IAMUser"), Some(name), _) => format!("user {name}"),
        (Some("AssumedRole"), _, Some((role, session))) => format!("role {role} (session {session})"),
        (Some("AssumedRole"), Some(name), _) => format!("role {name}"),
        (_, Some(name), _) => name.to_owned(),
        (_, None, _) => arn.or(violation.invoked_by.as_deref()).unwrap_or("an unknown caller").to_owned(),
    }
}

/// What was done to whom: `attached policy AdministratorAccess to user bob`.
pub fn change(violation: &Violation) -> String {
    let target = target(violation);
    let policy = policy(violation);
    match violation.event_kind.as_deref().unwrap_or_default() {
        "inline_policy_put" => format!("wrote inline policy {policy} of {target}"),
        "inline_policy_delete" => format!("deleted inline policy {policy} of {target}"),
        "managed_policy_attach" => format!("attached policy {policy} to {target}"),
        "managed_policy_detach" => format!("detached policy {policy} from {target}"),
        "managed_policy_create" => format!("created policy {policy}"),
        "managed_policy_version" => format!("wrote a new version of policy {policy}"),
        "managed_policy_default" => format!("put another version of policy {policy} in force"),
        "managed_policy_delete" => format!("deleted policy {policy}"),
        "trust_policy" => format!("set who may assume {target}"),
        "boundary_set" => format!("set the permissions boundary of {target} to {policy}"),
        "boundary_removed" => format!("took the permissions boundary from {target}"),
        "user_create" | "group_create" => format!("created {target}"),
        "group_membership_add" => format!("added a user to {target}"),
        "credential_create" => format!("created a credential for {target}"),
        "login_profile" => format!("set a console password for {target}"),
        "mfa_removed" => format!("took a second factor from {target}"),
        "resource_policy" => format!("wrote the policy of {target}"),
        _ => format!("called {} on {target}", violation.event_name),
    }
}

/// What was changed: `user bob`, or its ARN, or a plain word when the event does not say.
pub fn target(violation: &Violation) -> String {
    let kind = violation.target_type.as_deref().unwrap_or("").replace('_', " ");
    let name = violation.target_name.as_deref().or(violation.target_arn.as_deref());
    match (kind.as_str(), name) {
        ("", Some(name)) => name.to_owned(),
        (kind, Some(name)) => format!("{kind} {name}"),
        ("", None) => "the account".to_owned(),
        (kind, None) => format!("a {kind}"),
    }
}

/// Name of the policy involved.
pub fn policy(violation: &Violation) -> &str {
    let named = violation.policy_name.as_deref();
    let from_arn = || violation.policy_arn.as_deref().map(|arn| arn.rsplit_once('/').map_or(arn, |(_, name)| name));
    named.or_else(from_arn).unwrap_or(UNKNOWN)
}

/// The whole story in one sentence.
pub fn story(violation: &Violation) -> String {
    let (actor, change, account) = (actor(violation), change(violation), &violation.account_id);
    match violation.outcome {
        Outcome::Success => format!("{actor} {change} in account {account}."),
        Outcome::Failure => {
            let code = violation.error_code.as_deref().unwrap_or("an error");
            format!("Attempt, refused by AWS with {code}: {actor} tried this in account {account}: {change}.")
        }
    }
}

/// Why it matters: what the rule detects, and the evidence.
pub fn reason(violation: &Violation) -> String {
    let holds = match violation.certainty {
        Certainty::Must => "",
        Certainty::May => " This holds only if the conditions of the policy are met.",
    };
    format!("{} Evidence: {}{holds}", sentence(&violation.description), sentence(&violation.evidence))
}

/// Whether access grew, if that was compared.
pub fn growth(violation: &Violation) -> Option<String> {
    let witness = match (&violation.witness_action, &violation.witness_resource) {
        (Some(action), Some(resource)) => format!(", for instance {action} on {resource}"),
        (Some(action), None) => format!(", for instance {action}"),
        (None, _) => String::new(),
    };
    match violation.new_access? {
        true => Some(format!("It grew{witness}: this was not granted before.")),
        false => Some("It did not grow: all of it was granted before.".to_owned()),
    }
}

/// What happens next.
pub fn next_step(violation: &Violation) -> String {
    match (violation.action, &violation.remediation_action, violation.outcome) {
        (_, _, Outcome::Failure) => "Nothing was changed. Find out who tried, and why.".to_owned(),
        (RuleAction::Remediate, Some(action), _) => {
            format!("The repair {action} was requested; a status message follows, also when it is refused.")
        }
        (RuleAction::Remediate, None, _) => {
            "A repair was requested; a status message follows, also when it is refused.".to_owned()
        }
        (RuleAction::Alert, ..) => "Nothing is repaired by itself: check whether this was intended.".to_owned(),
        (RuleAction::Log, ..) => "For the record only.".to_owned(),
    }
}

/// A repair and what came of it, in one sentence.
pub fn repair(remediation: &Remediation) -> String {
    let action = &remediation.action;
    let target = remediation
        .violation
        .as_ref()
        .map_or_else(String::new, |violation| format!(" of {} in account {}", target(violation), violation.account_id));
    match remediation.status {
        Status::Success => format!("The repair {action}{target} was made and seen to hold."),
        Status::Failed => format!("The repair {action}{target} FAILED: the change is still in force."),
        Status::Skipped => format!("The repair {action}{target} was not made: a safety check refused it."),
        Status::DryRun => format!("Dry run: the repair {action}{target} would be made; nothing was changed."),
        Status::Undone => format!("The repair {action}{target} was taken back."),
    }
}

/// What a person does after a repair.
pub fn after_repair(status: Status) -> &'static str {
    match status {
        Status::Success => {
            "Check that nothing that worked before is broken; undo restores the state before the repair."
        }
        Status::Failed => "A person must act now: repair by hand, then look at the error.",
        Status::Skipped => "A person must decide whether to repair by hand.",
        Status::DryRun => "To make such repairs, allow them in remediator-config.json.",
        Status::Undone => "What the rule found is in force again.",
    }
}

/// Faults of a configuration that a message names; the others are counted.
const MAX_FAULTS: usize = 5;

/// What is wrong with this system, in few words.
pub fn fault_title(fault: &Fault) -> String {
    match fault {
        Fault::RuleError { rule_name, .. } => format!("rule {rule_name} fails"),
        Fault::ConfigRejected { .. } => "configuration rejected".to_owned(),
    }
}

/// The same in full.
pub fn fault(fault: &Fault) -> String {
    match fault {
        Fault::RuleError { rule_name, reason } => {
            format!("Rule {rule_name} could not be evaluated on an event: {}", sentence(reason))
        }
        Fault::ConfigRejected { files, faults } => {
            let named = faults.iter().take(MAX_FAULTS).map(String::as_str).collect::<Vec<_>>().join("; ");
            let more = faults.len().saturating_sub(MAX_FAULTS);
            let more = if more > 0 { format!("; and {more} more") } else { String::new() };
            format!("{files} cannot be used: {}", sentence(&format!("{named}{more}")))
        }
    }
}

/// Why a fault matters.
pub fn fault_meaning(fault: &Fault) -> &'static str {
    match fault {
        Fault::RuleError { .. } => "This rule may miss violations. All other rules were evaluated.",
        Fault::ConfigRejected { .. } => "What these files change is not in force; the last good ones are.",
    }
}

/// What a person does about a fault.
pub fn after_fault(fault: &Fault) -> &'static str {
    match fault {
        Fault::RuleError { .. } => {
            "Look at the rule with `detector --event`. It is told once an hour; each failure is a row of audit_log."
        }
        Fault::ConfigRejected { .. } => {
            "Correct the files; `detector check` tells all that is wrong. They are looked at again by themselves."
        }
    }
}

/// `text` with a full stop at its end.
pub fn sentence(text: &str) -> String {
    let text = text.trim();
    let ends = text.ends_with(['.', '!', '?']);
    if ends { text.to_owned() } else { format!("{text}.") }
}
