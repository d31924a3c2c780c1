//! What a policy grants that matters, in sentences for people.

use crate::document::{Kind, Policy};
use crate::exposure::Surroundings;
use crate::grants::{Certainty, Finding};
use crate::witness::Effort;

/// Sentences that say what the document grants that matters, each with the statement it rests on, counted
/// from 1 as people do. Faults of the text come first; a document with nothing to say gets one sentence.
pub fn explain(policy: &Policy, surroundings: &Surroundings) -> Vec<String> {
    let mut sentences: Vec<String> =
        policy.malformed.iter().map(|fault| format!("The document is malformed: {fault}.")).collect();
    if policy.kind.only_limits() {
        limits(policy, &mut sentences);
    } else {
        powers(policy, &mut sentences);
        shapes(policy, &mut sentences);
        exposures(policy, surroundings, &mut sentences);
    }
    if sentences.is_empty() {
        let count = policy.statements.len();
        sentences.push(format!("Nothing of note in {count} statement{}.", if count == 1 { "" } else { "s" }));
    }
    sentences
}

/// Denies that are put into words.
const MAX_DENIES: usize = 50;

fn limits(policy: &Policy, sentences: &mut Vec<String>) {
    sentences.push("This document grants nothing itself, it limits what others grant.".to_owned());
    if let Some(finding) = policy.allows_everything() {
        sentences.push(format!("It limits nothing: everything is allowed ({}).", place(&finding)));
    }
}

fn powers(policy: &Policy, sentences: &mut Vec<String>) {
    let escalations = policy.escalations();
    if let Some(finding) = policy.full_admin() {
        sentences.push(sentence(&finding, "every action on every resource is allowed"));
    } else if let Some(finding) = policy.effective_admin_given(&escalations) {
        let how = format!("the holder can make itself administrator with {}", finding.evidence.action);
        sentences.push(sentence(&finding, &how));
    }
    let mut effort = Effort::default();
    for method in escalations.may.iter() {
        let Some((certainty, findings)) = policy.evidence_within(method, &mut effort) else { continue };
        let statements: Vec<String> = findings.iter().map(place).collect();
        let mut unless: Vec<String> = findings.iter().flat_map(|finding| finding.evidence.unless.clone()).collect();
        unless.dedup();
        let what = format!("privilege escalation {} is possible: {}", method.id, method.actions.join(" with "));
        let mut places = statements;
        places.dedup();
        sentences.push(in_words(certainty, &what, &places.join(", "), &unless));
    }
}

fn shapes(policy: &Policy, sentences: &mut Vec<String>) {
    for (service, finding) in policy.wildcard_services() {
        let what = match service.as_str() {
            "*" => format!("every action of every service is allowed on {}", finding.evidence.resource),
            service => format!("every action of {service} is allowed"),
        };
        sentences.push(sentence(&finding, &what));
    }
    if let Some(finding) = policy.not_action_allow() {
        sentences
            .push(sentence(&finding, &format!("all actions but a list are allowed ({})", finding.evidence.pattern)));
    }
    if let Some(finding) = policy.not_resource_allow() {
        sentences.push(sentence(&finding, "actions are allowed on all resources but a list"));
    }
    for deny in policy.lasting_denies().take(MAX_DENIES) {
        let first = deny.actions.entries().first().map_or("", |pattern| pattern.source());
        let more = deny.actions.entries().len().saturating_sub(1);
        let rest = if more == 0 { String::new() } else { format!(" and {more} more") };
        let but = if deny.actions.is_negated() { "everything but " } else { "" };
        sentences.push(format!("Statement {}: denies {but}{first}{rest}, whatever else allows it.", deny.index + 1));
    }
}

fn exposures(policy: &Policy, surroundings: &Surroundings, sentences: &mut Vec<String>) {
    let exposure = policy.exposure(surroundings);
    let whom = if policy.kind == Kind::Trust { "assume the role" } else { "use the resource" };
    if let Some(finding) = &exposure.public {
        sentences.push(sentence(finding, &format!("anybody can {whom}")));
    }
    for (account, finding) in &exposure.cross_account {
        let what = format!("account {account} can {whom} (principal {})", finding.evidence.pattern);
        sentences.push(sentence(finding, &what));
    }
    for (organization, finding) in &exposure.other_organizations {
        sentences.push(sentence(finding, &format!("all of organization {organization} can {whom}")));
    }
    if let Some(finding) = &exposure.external_id_missing {
        let what = format!("{} can assume the role without an external id", finding.evidence.pattern);
        sentences.push(sentence(finding, &what));
    }
    if let Some(finding) = &exposure.oidc_unrestricted {
        sentences.push(sentence(finding, &format!("any user of {} can assume the role", finding.evidence.pattern)));
    }
    if let Some(finding) = &exposure.confused_deputy {
        let what = format!("{} may act on behalf of any account (confused deputy)", finding.evidence.pattern);
        sentences.push(sentence(finding, &what));
    }
}

fn sentence(finding: &Finding, what: &str) -> String {
    in_words(finding.certainty, what, &place(finding), &finding.evidence.unless)
}

fn in_words(certainty: Certainty, what: &str, place: &str, unless: &[String]) -> String {
    let mut sentence = place.to_owned();
    if let Some(first) = sentence.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    sentence.push_str(": ");
    sentence.push_str(what);
    if certainty == Certainty::May && !unless.is_empty() {
        sentence.push_str(&format!(", depending on: {}", unless.join("; ")));
    }
    sentence.push('.');
    sentence
}

fn place(finding: &Finding) -> String {
    let number = finding.evidence.statement + 1;
    match &finding.evidence.sid {
        Some(sid) if !sid.is_empty() => format!("statement {number} ({sid})"),
        _ => format!("statement {number}"),
    }
}
