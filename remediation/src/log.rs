//! What came of a request: the outcome, its row of `remediation_logs`, its sentence, and whether it is over.

use chrono::{DateTime, Utc};
use schemas::{RemediationLog, RemediationStatus};
use serde_json::{Value, json};

use crate::budget::Spent;
use crate::refusal::Refusal;
use crate::request::Request;
use crate::step::Step;

/// What came of one attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The change was made and IAM shows it.
    Done {
        /// The steps.
        steps: Vec<Step>,
        /// Calls that this attempt made; fewer when an earlier one was cut off.
        calls: usize,
    },
    /// It was said what would be done.
    DryRun {
        /// The steps.
        steps: Vec<Step>,
    },
    /// Rightly nothing was changed.
    Refused(Refusal),
    /// Something outside failed.
    Failed {
        /// What.
        error: String,
        /// Trying again makes sense.
        again: bool,
        /// Steps that were done by then.
        done: Vec<Step>,
    },
    /// A budget is spent: not now.
    Wait(Spent),
}

impl Outcome {
    /// The column `status`.
    pub fn status(&self) -> RemediationStatus {
        match self {
            Outcome::Done { .. } => RemediationStatus::Success,
            Outcome::DryRun { .. } => RemediationStatus::DryRun,
            Outcome::Refused(_) | Outcome::Wait(_) => RemediationStatus::Skipped,
            Outcome::Failed { .. } => RemediationStatus::Failed,
        }
    }

    /// Whether the request is over; else it must be delivered again.
    pub fn is_final(&self) -> bool {
        match self {
            Outcome::Done { .. } | Outcome::DryRun { .. } => true,
            // A configuration can be mended, and then the repair is still wanted.
            Outcome::Refused(refusal) => !matches!(refusal, Refusal::Configuration(_) | Refusal::Grace(_)),
            Outcome::Failed { again, .. } => !again,
            Outcome::Wait(_) => false,
        }
    }
}

/// What a row needs to know of an attempt besides its outcome.
#[derive(Debug, Clone)]
pub struct Attempt {
    /// 1 for the first.
    pub number: u32,
    /// When it began.
    pub begun: DateTime<Utc>,
    /// When it ended.
    pub ended: DateTime<Utc>,
    /// Key of the snapshot, if there is one.
    pub snapshot_key: Option<String>,
}

/// The row of an attempt.
pub(crate) fn row(request: &Request, outcome: &Outcome, attempt: &Attempt) -> RemediationLog {
    let violation = &request.violation;
    let status = outcome.status();
    let (reason, error) = match outcome {
        Outcome::Refused(refusal) => (Some(refusal.to_string()), None),
        Outcome::Wait(spent) => (Some(Refusal::BudgetSpent(spent.what.clone()).to_string()), None),
        Outcome::Failed { error, .. } => (None, Some(error.clone())),
        Outcome::Done { .. } | Outcome::DryRun { .. } => (None, None),
    };
    RemediationLog {
        remediation_id: request.attempt_id(attempt.number),
        violation_id: violation.violation_id,
        event_id: violation.event_id.clone(),
        timestamp: attempt.ended,
        event_time: violation.event_time,
        remediation_action: request.action_word.clone(),
        success: status.is_success(),
        status,
        reason,
        error,
        dry_run: matches!(outcome, Outcome::DryRun { .. }),
        rule_name: violation.rule_name.clone(),
        severity: violation.severity,
        account_id: violation.account_id.clone(),
        principal_arn: violation.principal_arn.clone(),
        target_type: violation.target_type.clone(),
        target_name: violation.target_name.clone(),
        target_arn: violation.target_arn.clone(),
        policy_arn: violation.policy_arn.clone(),
        policy_name: violation.policy_name.clone(),
        details: Some(details(request, outcome, attempt).to_string()),
        snapshot_key: attempt.snapshot_key.clone(),
        duration_ms: Some((attempt.ended - attempt.begun).num_milliseconds().max(0)),
        attempt: i32::try_from(attempt.number).unwrap_or(i32::MAX),
    }
}

fn details(request: &Request, outcome: &Outcome, attempt: &Attempt) -> Value {
    let words = |steps: &[Step]| steps.iter().map(ToString::to_string).collect::<Vec<_>>();
    let seconds = (attempt.ended - request.violation.event_time).num_milliseconds() as f64 / 1000.0;
    let mut details = json!({"repair_id": request.repair_id(), "seconds_from_event": seconds});
    let more = match outcome {
        Outcome::Done { steps, calls } => json!({"steps": words(steps), "calls": calls}),
        Outcome::DryRun { steps } => json!({"would": words(steps)}),
        Outcome::Refused(refusal) => json!({"code": refusal.code()}),
        Outcome::Wait(_) => json!({"code": "budget_spent"}),
        Outcome::Failed { done, again, .. } => json!({"done": words(done), "tried_again": again}),
    };
    if let (Some(details), Value::Object(more)) = (details.as_object_mut(), more) {
        details.extend(more);
    }
    details
}

/// One sentence for people.
pub(crate) fn sentence(row: &RemediationLog) -> String {
    let target = match (&row.target_type, &row.target_name) {
        (Some(kind), Some(name)) => format!("{kind} {name}"),
        _ => row.policy_arn.clone().unwrap_or_else(|| "its target".to_owned()),
    };
    let place = format!("{} for {target} in account {}", row.remediation_action, row.account_id);
    let why = row.reason.as_deref().or(row.error.as_deref()).unwrap_or("no reason given");
    match row.status {
        RemediationStatus::Success => {
            format!("Repaired: {place}. `remediator undo {}` takes it back.", row.remediation_id)
        }
        RemediationStatus::DryRun => format!("Dry run, nothing was changed: {place}."),
        RemediationStatus::Skipped => format!("Nothing was changed: {place}: {why}."),
        RemediationStatus::Failed => format!("Failed: {place}: {why}."),
        RemediationStatus::Undone => format!("Taken back: {place}."),
    }
}
