//! E-mail and pager messages, decided and written here; `channel` sends them.

pub mod channel;

use schemas::{Severity, Violation};
use serde_json::json;

use super::event::{BusEvent, Fault, Remediation, Status, Subject};
use super::text::{UNKNOWN, ascii, visible};
use super::wording;

/// SNS refuses a subject of 100 characters or more (SNS API, Publish, Subject).
pub const MAX_SUBJECT: usize = 99;
/// Longest value in a body; names in IAM end at 128 characters, ARNs at 2048.
const MAX_VALUE: usize = 500;
/// Text messages are cut at 140 bytes by carriers.
const MAX_SMS: usize = 140;
/// Width of the label column of a body.
const LABEL: usize = 17;

/// A message ready to publish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnsMessage {
    /// Under 100 printable ASCII characters.
    pub subject: String,
    /// Plain text for people.
    pub body: String,
    /// One line for a telephone.
    pub short: String,
    /// The facts as JSON for pagers.
    pub facts: serde_json::Value,
    /// Attributes for subscription filters: name and value.
    pub attributes: Vec<(&'static str, String)>,
    /// Goes to the priority topic where there is one: HIGH and CRITICAL.
    pub priority: bool,
}

impl SnsMessage {
    /// The `Message` of a publish request with `MessageStructure` `json`: one text for each protocol.
    pub fn structure(&self) -> String {
        let facts = self.facts.to_string();
        json!({"default": self.body, "email": self.body, "email-json": facts, "sms": self.short,
               "http": facts, "https": facts, "sqs": facts, "lambda": facts})
        .to_string()
    }
}

/// The message for an event; `None` for events that are kept in the audit log only.
pub fn message(event: &BusEvent) -> Option<SnsMessage> {
    match &event.subject {
        Subject::Violation(violation) => Some(for_violation(event, violation)),
        Subject::Remediation(remediation) => Some(for_remediation(event, remediation)),
        Subject::Fault(fault) => Some(for_fault(event, fault)),
        Subject::Other => None,
    }
}

fn for_fault(event: &BusEvent, fault: &Fault) -> SnsMessage {
    let headline = format!("[FAULT] {}", wording::fault_title(fault));
    let story = wording::fault(fault);
    let mut body = Body::new(&headline);
    body.line("What happened", &story);
    body.line("Why it matters", wording::fault_meaning(fault));
    body.line("What to do", wording::after_fault(fault));
    body.gap();
    body.line("Time", &time(event.timestamp));
    tracking(&mut body, event, None);
    SnsMessage {
        subject: ascii(&format!("{headline} (IAM Policy Monitor)"), MAX_SUBJECT),
        body: body.0,
        short: ascii(&format!("{headline}: {story}"), MAX_SMS),
        facts: facts(event, &story),
        attributes: attributes(event, Fault::SEVERITY),
        priority: true,
    }
}

fn for_violation(event: &BusEvent, violation: &Violation) -> SnsMessage {
    let severity = violation.severity;
    let headline = format!("[{}] {}", severity.as_str(), violation.rule_name);
    let story = wording::story(violation);
    let mut body = Body::new(&headline);
    body.line("What happened", &story);
    body.line("Why it matters", &wording::reason(violation));
    if let Some(growth) = wording::growth(violation) {
        body.line("Access", &growth);
    }
    body.line("What happens next", &wording::next_step(violation));
    body.gap();
    who_and_where(&mut body, violation);
    body.gap();
    tracking(&mut body, event, Some(violation));
    let subject = format!(
        "{headline}: {} by {} in {}",
        violation.event_name,
        violation.principal_name.as_deref().unwrap_or(UNKNOWN),
        violation.account_id
    );
    SnsMessage {
        subject: ascii(&subject, MAX_SUBJECT),
        body: body.0,
        short: ascii(&format!("{headline}: {story}"), MAX_SMS),
        facts: facts(event, &story),
        attributes: attributes(event, severity),
        priority: severity >= Severity::High,
    }
}

fn for_remediation(event: &BusEvent, remediation: &Remediation) -> SnsMessage {
    let severity = remediation.severity;
    let headline = format!("[{}] {}: {}", remediation.status.as_str(), remediation.action, remediation.rule_name);
    let story = wording::repair(remediation);
    let mut body = Body::new(&headline);
    body.line("What happened", &story);
    if !remediation.description.is_empty() {
        body.line("Remediator says", &remediation.description);
    }
    if let Some(error) = &remediation.error {
        body.line("Error", error);
    }
    body.line("What happens next", wording::after_repair(remediation.status));
    if let Some(violation) = &remediation.violation {
        body.gap();
        body.line("It was asked for", &wording::story(violation));
        who_and_where(&mut body, violation);
    }
    body.gap();
    tracking(&mut body, event, remediation.violation.as_ref());
    let account = remediation.violation.as_ref().map_or(String::new(), |it| format!(" in {}", it.account_id));
    SnsMessage {
        subject: ascii(&format!("{headline}{account}"), MAX_SUBJECT),
        body: body.0,
        short: ascii(&format!("{headline}{account}"), MAX_SMS),
        facts: facts(event, &story),
        attributes: attributes(event, severity),
        priority: severity >= Severity::High || remediation.status == Status::Failed,
    }
}

fn who_and_where(body: &mut Body, violation: &Violation) {
    let known = |value: &Option<String>| value.clone().unwrap_or_else(|| UNKNOWN.to_owned());
    body.line("Who", &known(&violation.principal_arn));
    let mfa = match violation.mfa_authenticated {
        Some(true) => "with MFA",
        Some(false) => "without MFA",
        None => "MFA not told",
    };
    body.line("From", &format!("{} ({mfa})", known(&violation.source_ip_address)));
    body.line("With", &known(&violation.user_agent));
    body.line("Call", &format!("{} {}", violation.event_source, violation.event_name));
    body.line("On", violation.target_arn.as_deref().unwrap_or(&wording::target(violation)));
    if let Some(arn) = &violation.policy_arn {
        body.line("Policy", arn);
    }
    body.line("Account", &format!("{} {}", violation.account_id, violation.aws_region.as_deref().unwrap_or("")));
    body.line("When", &time(violation.event_time));
    if let Some(owner) = &violation.owner {
        body.line("Rule owner", owner);
    }
}

fn tracking(body: &mut Body, event: &BusEvent, violation: Option<&Violation>) {
    body.line("Event id", &event.event_id);
    if let Some(id) = &event.correlation_id {
        body.line("CloudTrail id", id);
    }
    if let Some(violation) = violation {
        let day = violation.event_time.format("year = '%Y' AND month = '%m' AND day = '%d'");
        let id = violation.violation_id;
        body.raw("In the lake", &format!("SELECT * FROM violations WHERE violation_id = '{id}' AND {day}"));
    }
}

fn facts(event: &BusEvent, story: &str) -> serde_json::Value {
    let violation = event.violation();
    let show = |text: &str| visible(text, MAX_VALUE);
    json!({
        "event_id": event.event_id,
        "correlation_id": event.correlation_id.as_deref().map(show),
        "detail_type": event.detail_type,
        "severity": event.severity().map(Severity::as_str),
        "rule_name": event.rule_name().map(show),
        "status": status(event),
        "summary": show(story),
        "account_id": violation.map(|it| show(&it.account_id)),
        "principal_arn": violation.and_then(|it| it.principal_arn.as_deref()).map(show),
        "target_arn": violation.and_then(|it| it.target_arn.as_deref()).map(show),
        "policy_arn": violation.and_then(|it| it.policy_arn.as_deref()).map(show),
        "event_time": violation.map(|it| time(it.event_time)),
    })
}

fn attributes(event: &BusEvent, severity: Severity) -> Vec<(&'static str, String)> {
    let mut attributes = vec![("detail_type", event.detail_type.clone()), ("severity", severity.as_str().to_owned())];
    attributes.extend(event.rule_name().map(|name| ("rule_name", visible(name, MAX_VALUE))));
    attributes.extend(event.violation().map(|it| ("account_id", visible(&it.account_id, MAX_VALUE))));
    attributes.extend(status(event).map(|status| ("status", status.to_owned())));
    attributes
}

fn status(event: &BusEvent) -> Option<&'static str> {
    match &event.subject {
        Subject::Remediation(remediation) => Some(remediation.status.as_str()),
        Subject::Violation(_) | Subject::Fault(_) | Subject::Other => None,
    }
}

fn time(at: chrono::DateTime<chrono::Utc>) -> String {
    at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
}

/// A text of labelled lines.
struct Body(String);

impl Body {
    fn new(headline: &str) -> Body {
        Body(format!("{}\n\n", visible(headline, MAX_VALUE)))
    }

    fn line(&mut self, label: &str, value: &str) {
        self.raw(label, &visible(value, MAX_VALUE * 2));
    }

    /// For values of our own making.
    fn raw(&mut self, label: &str, value: &str) {
        self.0.push_str(&format!("{label:<LABEL$}  {value}\n"));
    }

    fn gap(&mut self) {
        self.0.push('\n');
    }
}
