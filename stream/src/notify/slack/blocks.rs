//! Messages in Slack's Block Kit, written from events; nothing is sent here.
//!
//! Whatever a stranger chose stands in plain text or inline code, escaped and cut, so that no name can mention a
//! channel, make a link or hide a line.

use schemas::{Severity, Violation};
use serde_json::{Value, json};

use super::config::SlackConfig;
use super::fields::Field;
use super::limits::{MAX_FIELDS, MAX_HEADER};
use crate::notify::event::{BusEvent, Fault, Remediation, Status, Subject};
use crate::notify::text::{UNKNOWN, code, slack, visible};
use crate::notify::wording;

/// Longest value of a field; twenty fields stay far below the limit of a message.
const MAX_VALUE: usize = 300;
/// Longest sentence.
const MAX_SENTENCE: usize = 1000;
/// Longest text in a notification on a telephone.
const MAX_NOTICE: usize = 300;
/// Colour of a repair that holds, and of one that does not.
const GREEN: &str = "#2EB67D";
const RED: &str = "#E01E5A";
const GREY: &str = "#8D8D8D";

/// The message for one event; `None` for events that are kept in the audit log only.
pub fn message(event: &BusEvent, config: &SlackConfig, channel: Option<&str>) -> Option<Value> {
    match &event.subject {
        Subject::Violation(violation) => Some(for_violation(event, violation, config, channel)),
        Subject::Remediation(remediation) => Some(for_remediation(event, remediation, config, channel)),
        Subject::Fault(fault) => Some(for_fault(event, fault, channel)),
        Subject::Other => None,
    }
}

fn for_fault(event: &BusEvent, fault: &Fault, channel: Option<&str>) -> Value {
    let (title, story) = (wording::fault_title(fault), wording::fault(fault));
    let blocks = vec![
        header(&format!("\u{1F6E0} FAULT {title}")),
        plain("", &story),
        plain("Why it matters: ", wording::fault_meaning(fault)),
        plain("What to do: ", wording::after_fault(fault)),
        tracking(event),
    ];
    envelope(&format!("FAULT: {story}"), RED, blocks, channel)
}

fn for_violation(event: &BusEvent, violation: &Violation, config: &SlackConfig, channel: Option<&str>) -> Value {
    let (color, emoji) = look(config, violation.severity);
    let title = config.title.as_ref().map(|title| format!("{title}: ")).unwrap_or_default();
    let title = format!("{emoji} {} {title}{}", violation.severity.as_str(), violation.rule_name);
    let mut blocks = vec![header(&title), plain("", &wording::story(violation))];
    blocks.push(plain("Why it matters: ", &wording::reason(violation)));
    if let Some(growth) = wording::growth(violation) {
        blocks.push(plain("Access: ", &growth));
    }
    blocks.extend(fields(violation, &config.fields));
    blocks.push(plain("What happens next: ", &wording::next_step(violation)));
    blocks.push(tracking(event));
    let notice = format!("{}: {}", violation.severity.as_str(), wording::story(violation));
    envelope(&notice, &color, blocks, channel)
}

fn for_remediation(event: &BusEvent, repair: &Remediation, config: &SlackConfig, channel: Option<&str>) -> Value {
    let (color, sign) = match repair.status {
        Status::Success => (GREEN, "\u{2705}"),
        Status::Failed => (RED, "\u{274C}"),
        Status::Skipped => (GREY, "\u{23ED}"),
        Status::DryRun => (GREY, "\u{1F9EA}"),
        Status::Undone => (GREY, "\u{21A9}"),
    };
    let title = format!("{sign} {} {}: {}", repair.status.as_str(), repair.action, repair.rule_name);
    let story = wording::repair(repair);
    let mut blocks = vec![header(&title), plain("", &story)];
    if !repair.description.is_empty() {
        blocks.push(plain("Remediator says: ", &repair.description));
    }
    if let Some(error) = &repair.error {
        blocks.push(plain("Error: ", error));
    }
    if let Some(violation) = &repair.violation {
        blocks.push(plain("It was asked for because: ", &wording::story(violation)));
        blocks.extend(fields(violation, &config.fields));
    }
    blocks.push(plain("What happens next: ", wording::after_repair(repair.status)));
    blocks.push(tracking(event));
    envelope(&format!("{}: {story}", repair.status.as_str()), color, blocks, channel)
}

/// A message with a coloured bar. `notice` is what telephones and screen readers tell.
pub(super) fn envelope(notice: &str, color: &str, blocks: Vec<Value>, channel: Option<&str>) -> Value {
    let mut message = json!({
        "text": slack(notice, MAX_NOTICE),
        "mrkdwn": false,
        // Links in user-controlled text are not followed, so that no preview is fetched from an attacker's server.
        "unfurl_links": false,
        "unfurl_media": false,
        "attachments": [{"color": color, "blocks": blocks}],
    });
    if let (Some(channel), Some(object)) = (channel, message.as_object_mut()) {
        object.insert("channel".to_owned(), json!(channel));
    }
    message
}

pub(super) fn look(config: &SlackConfig, severity: Severity) -> (String, String) {
    config.looks.get(&severity).map_or_else(Default::default, |look| (look.color.clone(), look.emoji.clone()))
}

pub(super) fn header(title: &str) -> Value {
    // Signs may be written `:fire:` in the configuration; the rest of a title is rules and actions, not strangers' names.
    json!({"type": "header", "text": {"type": "plain_text", "text": visible(title.trim(), MAX_HEADER), "emoji": true}})
}

/// A sentence with names in it: as plain text, where Slack reads neither `*bold*` nor mentions.
pub(super) fn plain(label: &str, sentence: &str) -> Value {
    let text = format!("{label}{}", visible(sentence, MAX_SENTENCE));
    json!({"type": "section", "text": {"type": "plain_text", "text": text, "emoji": false}})
}

pub(super) fn context(markdown: &str) -> Value {
    json!({"type": "context", "elements": [{"type": "mrkdwn", "text": markdown, "verbatim": true}]})
}

fn fields(violation: &Violation, chosen: &[Field]) -> Vec<Value> {
    let field = |field: &Field| {
        let value = field.value(violation).unwrap_or_else(|| UNKNOWN.to_owned());
        let text = format!("*{}*\n{}", slack(field.label(), MAX_VALUE), code(&value, MAX_VALUE));
        json!({"type": "mrkdwn", "text": text, "verbatim": true})
    };
    let fields: Vec<Value> = chosen.iter().map(field).collect();
    fields.chunks(MAX_FIELDS).map(|part| json!({"type": "section", "fields": part})).collect()
}

fn tracking(event: &BusEvent) -> Value {
    let correlation = event.correlation_id.as_deref().unwrap_or(UNKNOWN);
    context(&format!("event {}  ·  CloudTrail {}", code(&event.event_id, 80), code(correlation, 80)))
}
