//! `detector` without a command: one event, judged and explained.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::{Args, ValueEnum};
use detection::{
    Arrival, CloudTrailEvent, Decided, Documents, Judges, Limits, Opening, Other, Piece, Truth, change, decide,
};
use schemas::Violation;
use schemas::bus::{DEFAULT_ENTRY_CAP, violation_entry};
use serde_json::json;
use serde_json::value::RawValue;

use super::files::read_whole;
use super::{ConfigArgs, Exit, Loaded};
use crate::scan::summary::{plain, wrapped};

/// The event that is judged when none is given: somebody gives another user administrator access.
const SAMPLE: &[u8] = include_bytes!("../../sample_event.json");
/// Largest input, bytes.
const MAX_INPUT_BYTES: u64 = 64 << 20;
/// Column where text starts.
const INDENT: usize = 12;

/// Characters of the reason why a rule does not match.
const MAX_REASON_CHARS: usize = 150;

/// How something is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    Text,
    /// For programs: one JSON document.
    Json,
}

/// What to judge and how to say it.
#[derive(Debug, Args)]
pub struct JudgeArgs {
    /// Event to judge: a file in any envelope, or - for standard input
    #[arg(long, value_name = "FILE")]
    pub event: Option<PathBuf>,
    /// Print the verdict as text for people or as JSON
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: Format,
    /// Also say what every rule that did not match has missed
    #[arg(long)]
    pub why: bool,
}

/// One event of the input and what the rules say to it.
struct Judgement {
    header: Vec<(&'static str, String)>,
    decided: Decided,
    /// Rules that looked at it and did not match, with the first condition that did not hold.
    passed: Vec<(String, String)>,
}

/// Judges every event of the input: the built-in sample, a file, or standard input (`-`).
pub fn run(asked: &JudgeArgs, config: &ConfigArgs) -> Result<Exit> {
    let (event, format) = (asked.event.as_deref(), asked.format);
    let loaded = Loaded::from_args(config)?;
    let input = read(event)?;
    let mut out = io::stdout().lock();
    if event.is_none() && format == Format::Text {
        writeln!(
            out,
            "The built-in sample event. Yours: detector --event FILE; logs: detector scan PATH --audit DIR\n"
        )?;
    }
    let limits = Limits::default();
    let opening = Opening { limits: &limits, interest: None, arrival: None };
    let (mut judgements, mut others, mut unreadable) = (Vec::new(), Vec::new(), Vec::new());
    detection::open(&input, &opening, &mut |piece| match piece {
        Piece::Event(event) => judgements.push(judge(&event, &loaded)),
        Piece::NotOfInterest => {}
        Piece::Other(other) => others.push(other),
        Piece::Unreadable(part) => unreadable.push(format!("{}: {}", part.reason.code(), part.reason)),
    });
    match format {
        Format::Text => write_text(&mut out, &judgements, &others, asked.why)?,
        Format::Json => write_json(&mut out, &judgements, &unreadable)?,
    }
    for reason in &unreadable {
        writeln!(io::stderr(), "warning: could not be read: {}", plain(reason))?;
    }
    Ok(if unreadable.is_empty() { Exit::Done } else { Exit::NotAllRead })
}

fn read(event: Option<&Path>) -> Result<Vec<u8>> {
    let Some(path) = event else { return Ok(SAMPLE.to_vec()) };
    read_whole(path, MAX_INPUT_BYTES, "use `detector scan` for logs")
}

fn judge(event: &CloudTrailEvent<'_>, loaded: &Loaded) -> Judgement {
    let documents = loaded.policies.answer(&loaded.rules.needs(event, change(event).as_ref()));
    let judges = Judges { rules: &loaded.rules, suppressions: &loaded.suppressions };
    let decided = decide(event, judges, &documents, Arrival::default());
    let passed = passed(event, loaded, &documents, &decided);
    Judgement { header: header(event), decided, passed }
}

fn header(event: &CloudTrailEvent<'_>) -> Vec<(&'static str, String)> {
    let who = event.user_identity.arn.as_deref().or(event.user_identity.invoked_by.as_deref()).unwrap_or("unknown");
    let mut lines = vec![
        ("event", format!("{} ({})", event.event_name, event.event_source)),
        ("who", format!("{who} from {}", event.source_ip_address.as_deref().unwrap_or("unknown"))),
        ("when", format!("{} in account {}", event.event_time.format("%Y-%m-%d %H:%M:%S UTC"), event.account_id())),
    ];
    if let Some(change) = change(event) {
        let name = change.target_name.as_deref().unwrap_or("(not named)");
        let policy = change.policy_arn.or(change.policy_name);
        let policy = policy.map(|policy| format!(", policy {policy}")).unwrap_or_default();
        lines.push(("change", format!("{} of {} {name}{policy}", change.kind.as_str(), change.target_type.as_str())));
    }
    if let Some(error) = &event.error_code {
        lines.push(("failed", format!("{error}: an attempt, nothing was changed")));
    }
    lines
}

fn passed(
    event: &CloudTrailEvent<'_>,
    loaded: &Loaded,
    documents: &Documents,
    decided: &Decided,
) -> Vec<(String, String)> {
    let change = change(event);
    let matched = |name: &str| decided.violations.iter().any(|violation| violation.rule_name == name);
    let rules = loaded.rules.naming(&event.event_source, &event.event_name);
    rules
        .into_iter()
        .filter(|rule| !matched(rule.name()))
        .filter_map(|rule| {
            let explained = rule.explain(event, change.as_ref(), documents);
            let missing = explained.into_iter().find(|part| matches!(part.truth, Truth::No | Truth::Unknown))?;
            let verb = if missing.truth == Truth::Unknown { "cannot tell" } else { "does not hold" };
            let reason = format!("{} {verb}: wanted {}, found {}", missing.condition, missing.wanted, missing.found);
            Some((rule.name().to_owned(), reason))
        })
        .collect()
}

fn write_text(out: &mut impl Write, judgements: &[Judgement], others: &[Other], why: bool) -> io::Result<()> {
    for (index, judgement) in judgements.iter().enumerate() {
        if index > 0 {
            writeln!(out)?;
        }
        for (name, text) in &judgement.header {
            field(out, name, text)?;
        }
        for violation in &judgement.decided.violations {
            write_violation(out, violation)?;
        }
        if judgement.decided.violations.is_empty() {
            writeln!(out, "\nNo rule matches.")?;
        }
        write_passed(out, &judgement.passed, why)?;
    }
    for other in others {
        writeln!(out, "recognised, not an event to judge: {}", other.as_str())?;
    }
    Ok(())
}

fn write_passed(out: &mut impl Write, passed: &[(String, String)], why: bool) -> io::Result<()> {
    match (passed.len(), why) {
        (0, _) => Ok(()),
        (count, false) => {
            writeln!(out, "\n{count} more rules looked at this event without a match; --why says what they missed.")
        }
        (_, true) => {
            writeln!(out, "\nLooked at this event without a match")?;
            passed.iter().try_for_each(|(rule, reason)| field(out, "", &shortened(&format!("{rule}: {reason}"))))
        }
    }
}

fn write_violation(out: &mut impl Write, violation: &Violation) -> io::Result<()> {
    let (severity, rule) = (violation.severity.as_str(), &violation.rule_name);
    writeln!(out, "\n{severity}  {rule}")?;
    field(out, "what", &violation.description)?;
    field(out, "why", &violation.evidence)?;
    if let Some(methods) = &violation.escalation_methods {
        field(out, "methods", &listed(methods))?;
    }
    if let (Some(action), Some(resource)) = (&violation.witness_action, &violation.witness_resource) {
        field(out, "for example", &format!("{action} on {resource}"))?;
    }
    if let Some(mitre) = &violation.mitre {
        field(out, "mitre", &listed(mitre))?;
    }
    let next = match (&violation.suppressed_by, violation.action, &violation.remediation_action) {
        (Some(entry), _, _) => format!("nothing: suppressed by {entry}; written to the lake all the same"),
        (None, schemas::RuleAction::Log, _) => "written to the lake".to_owned(),
        (None, schemas::RuleAction::Remediate, Some(repair)) => format!("lake, bus, and asks for the repair {repair}"),
        (None, _, _) => "lake and bus".to_owned(),
    };
    field(out, "then", &next)?;
    field(out, "id", &violation.violation_id.to_string())
}

/// A JSON list of texts as people write lists.
fn listed(json: &str) -> String {
    serde_json::from_str::<Vec<String>>(json).map_or_else(|_| json.to_owned(), |items| items.join(", "))
}

/// At most two lines.
fn shortened(text: &str) -> String {
    let mut shortened: String = text.chars().take(MAX_REASON_CHARS).collect();
    if shortened.len() < text.len() {
        shortened.push('…');
    }
    shortened
}

fn field(out: &mut impl Write, name: &str, text: &str) -> io::Result<()> {
    for (index, line) in wrapped(&plain(text), 100 - INDENT).iter().enumerate() {
        let name = if index == 0 { name } else { "" };
        writeln!(out, "{name:<INDENT$}{line}")?;
    }
    Ok(())
}

/// `violations` as they stand in the lake, and `bus` as it would be sent.
fn write_json(out: &mut impl Write, judgements: &[Judgement], unreadable: &[String]) -> Result<()> {
    let violations: Vec<&Violation> = judgements.iter().flat_map(|judgement| &judgement.decided.violations).collect();
    let mut bus = Vec::new();
    for violation in judgements.iter().flat_map(|judgement| judgement.decided.reportable()) {
        let entry = violation_entry(violation, "", DEFAULT_ENTRY_CAP)?;
        let detail = RawValue::from_string(entry.detail)?;
        bus.push(json!({"source": entry.source, "detail-type": entry.detail_type, "detail": detail}));
    }
    let document = json!({"violations": violations, "bus": bus, "unreadable": unreadable});
    serde_json::to_writer_pretty(&mut *out, &document)?;
    writeln!(out)?;
    Ok(())
}
