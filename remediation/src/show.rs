//! Plans and snapshots as text for people.

use std::fmt::Write as _;

use chrono::SecondsFormat;

use crate::facts::Facts;
use crate::log::Outcome;
use crate::remediator::Preview;
use crate::request::Request;
use crate::snapshot::Stored;
use crate::step::{Place, Step};

/// What would be done and why. `is_assumed`: there was no IAM to look at.
pub(crate) fn preview(request: &Request, preview: &Preview, (is_assumed, partition): (bool, &str)) -> String {
    let violation = &request.violation;
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = writeln!(text, "Rule      {} ({})", violation.rule_name, violation.severity.as_str());
    let caller = violation.principal_arn.as_deref().unwrap_or("unknown");
    let _ = writeln!(text, "Event     {} by {caller} in account {}", violation.event_name, violation.account_id);
    let _ = writeln!(text, "Evidence  {}", violation.evidence);
    let _ = writeln!(text, "Repair    {}", request.action_word);
    if is_assumed {
        text.push_str("IAM       not asked: taken as the event left it (USE_REAL_AWS=true looks)\n");
    }
    match &preview.verdict {
        Ok(approved) => {
            steps_with_rights(&mut text, &approved.plan().steps, Place { partition, account_id: request.account_id() });
            restores(&mut text, request, &preview.facts);
            let verdict = if approved.is_dry_run() { "approved, as a dry run: nothing is changed" } else { "approved" };
            let _ = writeln!(text, "Verdict   {verdict}");
        }
        Err(Outcome::Refused(refusal)) => {
            let _ = writeln!(text, "Verdict   nothing is changed: {refusal}");
        }
        Err(other) => {
            let _ = writeln!(text, "Verdict   nothing is changed: {other:?}");
        }
    }
    text
}

/// One line on a repair.
pub(crate) fn headline(stored: &Stored) -> String {
    let snapshot = stored.snapshot();
    let steps: Vec<String> = snapshot.steps.iter().map(ToString::to_string).collect();
    let at = snapshot.taken_at.to_rfc3339_opts(SecondsFormat::Secs, true);
    format!("{} in account {} at {at}: {}", snapshot.action, snapshot.violation.account_id, steps.join("; "))
}

/// Numbered steps.
pub(crate) fn steps(text: &mut String, steps: &[Step]) {
    for (number, step) in (1..).zip(steps) {
        let _ = writeln!(text, "  {number}. {step}");
    }
}

fn steps_with_rights(text: &mut String, steps: &[Step], place: Place<'_>) {
    text.push_str("Steps\n");
    for (number, step) in (1..).zip(steps) {
        let _ = writeln!(text, "  {number}. {step}");
        let resource = step.resources(place).into_iter().next().unwrap_or_default();
        let _ = writeln!(text, "     may only: {} on {resource}", step.iam_actions().join(", "));
    }
}

/// What taking it back would do, from the state that the repair leaves.
fn restores(text: &mut String, request: &Request, before: &Facts) {
    let mut after = before.clone();
    after.inline_document = None;
    after.in_group = false;
    after.key_active = after.key_active.map(|_| false);
    if let Some(holder) = &mut after.holder {
        holder.attached.clear();
    }
    if let Ok(plan) = crate::undo::undo(request, before, &after)
        && !plan.steps.is_empty()
    {
        text.push_str("Taken back by\n");
        steps(text, &plan.steps);
    }
}
