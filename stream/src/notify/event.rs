//! An event of the bus, read once at the door. What has another shape is refused with the reason, and nothing is sent.

use chrono::{DateTime, SubsecRound, Utc};
use schemas::{Severity, Violation};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use uuid::Uuid;

use super::text::visible;
use crate::bus::{CONFIG_REJECTED_DETAIL_TYPE, RULE_ERROR_DETAIL_TYPE};

/// A reason quotes what it found, which may be long and hostile.
const MAX_REASON: usize = 200;

/// An event as every handler sees it.
#[derive(Debug, Clone)]
pub struct BusEvent {
    /// `source` of the entry.
    pub source: String,
    /// `detail-type` of the entry.
    pub detail_type: String,
    /// `eventId`: the same for every delivery of this event.
    pub event_id: String,
    /// The same as a UUID, for names of objects: `eventId` itself where it is one, else derived from it.
    pub key: Uuid,
    /// `timestamp` of the detail, UTC, milliseconds.
    pub timestamp: DateTime<Utc>,
    /// eventID of the CloudTrail event behind it.
    pub correlation_id: Option<String>,
    /// What it tells.
    pub subject: Subject,
    /// The whole detail, for the audit log.
    pub detail: Value,
}

/// What an event tells.
#[derive(Debug, Clone)]
pub enum Subject {
    /// A rule matched.
    Violation(Box<Violation>),
    /// The remediator did, or refused, a repair.
    Remediation(Box<Remediation>),
    /// Something is wrong with this system itself.
    Fault(Fault),
    /// Another event of this system: kept in the audit log only.
    Other,
}

/// What is wrong with this system itself. People must know: it may miss violations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// A rule could not be evaluated on an event.
    RuleError {
        /// The rule.
        rule_name: String,
        /// What went wrong.
        reason: String,
    },
    /// New configuration files were refused; the last good ones are in force.
    ConfigRejected {
        /// The files, as locations.
        files: String,
        /// What is wrong in them, with lines.
        faults: Vec<String>,
    },
}

impl Fault {
    /// How bad: whatever it misses could be.
    pub const SEVERITY: Severity = Severity::High;

    fn read(detail_type: &str, detail: &Value) -> Result<Option<Fault>, EventError> {
        match detail_type {
            RULE_ERROR_DETAIL_TYPE => {
                let given = object(detail, "ruleError", "detail.ruleError")?;
                let rule_name = text(given, "rule_name", "detail.ruleError.rule_name")?;
                Ok(Some(Fault::RuleError { rule_name, reason: text(given, "reason", "detail.ruleError.reason")? }))
            }
            CONFIG_REJECTED_DETAIL_TYPE => {
                let given = object(detail, "configRejected", "detail.configRejected")?;
                let faults = given.get("faults").and_then(|faults| Vec::<String>::deserialize(faults).ok());
                let faults = faults.ok_or_else(|| shape("detail.configRejected.faults", "is no list of texts"))?;
                Ok(Some(Fault::ConfigRejected { files: text(given, "files", "detail.configRejected.files")?, faults }))
            }
            _ => Ok(None),
        }
    }
}

/// What came of a repair.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Status {
    /// The change was made and seen.
    Success,
    /// The change could not be made.
    Failed,
    /// The remediator rightly did nothing.
    Skipped,
    /// It only said what it would do.
    DryRun,
    /// An earlier repair was taken back.
    Undone,
}

impl Status {
    /// The word on the bus.
    pub fn as_str(self) -> &'static str {
        match self {
            Status::Success => "SUCCESS",
            Status::Failed => "FAILED",
            Status::Skipped => "SKIPPED",
            Status::DryRun => "DRY_RUN",
            Status::Undone => "UNDONE",
        }
    }
}

/// The `remediation` object of a status event, with the violation that asked for the repair where it came along.
#[derive(Debug, Clone, Deserialize)]
pub struct Remediation {
    /// Rule that asked for the repair.
    pub rule_name: String,
    /// Its severity.
    pub severity: Severity,
    /// The repair, such as `detach_policy`.
    pub action: String,
    /// What came of it.
    pub status: Status,
    /// One sentence of the remediator.
    pub description: String,
    /// Steps taken, as data.
    pub details: serde_json::Map<String, Value>,
    /// What failed.
    #[serde(deserialize_with = "required_or_null")]
    pub error: Option<String>,
    /// The violation, when the event holds one that can be read.
    #[serde(skip)]
    pub violation: Option<Violation>,
}

/// Why an event was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EventError {
    /// Not JSON at all.
    #[error("not readable as JSON: {0}")]
    Json(String),
    /// JSON of another shape.
    #[error("{field} {reason}; the publisher must send what schemas/generated/bus describes")]
    Shape {
        /// Where in the entry.
        field: &'static str,
        /// What is wrong there.
        reason: String,
    },
}

impl EventError {
    /// Short name of the reason, for dead letters.
    pub fn code(&self) -> &'static str {
        match self {
            EventError::Json(_) => "MalformedJson",
            EventError::Shape { .. } => "WrongShape",
        }
    }
}

impl BusEvent {
    /// Severity of what it tells, where it has one.
    pub fn severity(&self) -> Option<Severity> {
        match &self.subject {
            Subject::Violation(violation) => Some(violation.severity),
            Subject::Remediation(remediation) => Some(remediation.severity),
            Subject::Fault(_) => Some(Fault::SEVERITY),
            Subject::Other => None,
        }
    }

    /// The violation it tells of, or that asked for the repair.
    pub fn violation(&self) -> Option<&Violation> {
        match &self.subject {
            Subject::Violation(violation) => Some(violation),
            Subject::Remediation(remediation) => remediation.violation.as_ref(),
            Subject::Fault(_) | Subject::Other => None,
        }
    }

    /// What is told once for all events of the same, and the same hour of the clock: faults come in thousands. `None` for
    /// what is told for each event.
    pub fn told_once(&self, now: DateTime<Utc>) -> Option<Uuid> {
        let Subject::Fault(fault) = &self.subject else { return None };
        let hour = (now.timestamp() / 3600).to_string();
        Some(match fault {
            Fault::RuleError { rule_name, .. } => schemas::derived_id(&["rule-error-told", rule_name, &hour]),
            Fault::ConfigRejected { files, faults } => {
                schemas::derived_id(&["config-rejected-told", files, &faults.join("\n"), &hour])
            }
        })
    }

    /// Rule that matched, or failed.
    pub fn rule_name(&self) -> Option<&str> {
        match &self.subject {
            Subject::Violation(violation) => Some(&violation.rule_name),
            Subject::Remediation(remediation) => Some(&remediation.rule_name),
            Subject::Fault(Fault::RuleError { rule_name, .. }) => Some(rule_name),
            Subject::Fault(Fault::ConfigRejected { .. }) | Subject::Other => None,
        }
    }

    /// Reads one entry of the bus.
    pub fn read(entry: &Value) -> Result<BusEvent, EventError> {
        let source = text(entry, "source", "source")?;
        let detail_type = text(entry, "detail-type", "detail-type")?;
        let detail = match entry.get("detail") {
            // `PutEvents` takes the detail as text, and a program that reads such requests sees it so.
            Some(Value::String(json)) => serde_json::from_str(json).map_err(|error| shape("detail", error))?,
            Some(object @ Value::Object(_)) => object.clone(),
            _ => return Err(shape("detail", "is missing or no object")),
        };
        let subject = subject(&source, &detail_type, &detail)?;
        let event_id = match subject {
            // An event of another kind may have no id; its content gives one, the same at each delivery.
            Subject::Other | Subject::Fault(_) => text(&detail, "eventId", "detail.eventId")
                .unwrap_or_else(|_| schemas::derived_id(&[&source, &detail_type, &detail.to_string()]).to_string()),
            Subject::Violation(_) | Subject::Remediation(_) => text(&detail, "eventId", "detail.eventId")?,
        };
        let key = Uuid::parse_str(&event_id).unwrap_or_else(|_| schemas::derived_id(&[&event_id]));
        let time = match subject {
            Subject::Other | Subject::Fault(_) => detail.get("timestamp").or_else(|| entry.get("time")),
            Subject::Violation(_) | Subject::Remediation(_) => detail.get("timestamp"),
        };
        let timestamp = time.and_then(Value::as_str).and_then(|text| DateTime::parse_from_rfc3339(text).ok());
        let timestamp =
            timestamp.ok_or_else(|| shape("detail.timestamp", "is no time such as 2024-01-01T12:00:00Z"))?;
        let correlation_id = detail.get("correlationId").and_then(Value::as_str).map(str::to_owned);
        let timestamp = timestamp.with_timezone(&Utc).trunc_subsecs(3);
        Ok(BusEvent { source, detail_type, event_id, key, timestamp, correlation_id, subject, detail })
    }
}

fn subject(source: &str, detail_type: &str, detail: &Value) -> Result<Subject, EventError> {
    use schemas::bus::{REMEDIATION_DETAIL_TYPE, REMEDIATION_SOURCE, VIOLATION_DETAIL_TYPE, VIOLATION_SOURCE};
    match (source, detail_type) {
        (VIOLATION_SOURCE, VIOLATION_DETAIL_TYPE) => {
            common(detail)?;
            let violation = object(detail, "violation", "detail.violation")?;
            let violation = Violation::deserialize(violation).map_err(|error| shape("detail.violation", error))?;
            if Uuid::parse_str(&text(detail, "eventId", "detail.eventId")?).is_err() {
                return Err(shape("detail.eventId", "is no UUID"));
            }
            Ok(Subject::Violation(Box::new(violation)))
        }
        (REMEDIATION_SOURCE, REMEDIATION_DETAIL_TYPE) => {
            common(detail)?;
            text(detail, "originalEventId", "detail.originalEventId")?;
            let original = object(detail, "originalViolation", "detail.originalViolation")?;
            let given = object(detail, "remediation", "detail.remediation")?;
            let mut remediation =
                Remediation::deserialize(given).map_err(|error| shape("detail.remediation", error))?;
            // An empty or partial violation is no fault: the repair may have been asked for by hand.
            remediation.violation = Violation::deserialize(original).ok();
            Ok(Subject::Remediation(Box::new(remediation)))
        }
        (VIOLATION_SOURCE, detail_type) => Ok(Fault::read(detail_type, detail)?.map_or(Subject::Other, Subject::Fault)),
        (REMEDIATION_SOURCE, _) => Ok(Subject::Other),
        (source, _) => Err(shape("source", format!("{source:?} is not of this system"))),
    }
}

/// What both kinds of detail have.
fn common(detail: &Value) -> Result<(), EventError> {
    text(detail, "correlationId", "detail.correlationId")?;
    let event = object(detail, "originalEvent", "detail.originalEvent")?;
    match event.get("omitted") {
        None => Ok(()),
        Some(Value::Bool(true)) => text(event, "lake", "detail.originalEvent.lake").map(|_| ()),
        Some(_) => Err(shape("detail.originalEvent.omitted", "is not true")),
    }
}

/// A key that must be there, its value text or null.
fn required_or_null<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Option::deserialize(deserializer)
}

fn object<'v>(parent: &'v Value, key: &str, field: &'static str) -> Result<&'v Value, EventError> {
    parent.get(key).filter(|value| value.is_object()).ok_or_else(|| shape(field, "is missing or no object"))
}

fn text(object: &Value, key: &str, field: &'static str) -> Result<String, EventError> {
    let text = object.get(key).and_then(Value::as_str);
    text.map(str::to_owned).ok_or_else(|| shape(field, "is missing or no text"))
}

fn shape(field: &'static str, reason: impl ToString) -> EventError {
    EventError::Shape { field, reason: visible(&reason.to_string(), MAX_REASON) }
}
