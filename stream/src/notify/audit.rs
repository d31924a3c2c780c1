//! The audit log: one row for every event of the bus, whatever it tells.

pub mod channel;

use chrono::{DateTime, Utc};
use schemas::millis;
use serde::Serialize;
use serde_json::Value;

use super::event::{BusEvent, Subject};

/// Largest detail kept in a row, bytes. Firehose takes records of 1,000 KiB; a bus entry may reach 1 MiB.
pub const MAX_DETAIL: usize = 512 * 1024;
/// A detail is never larger than its bus entry was; the store holds it whole.
const MAX_WHOLE: usize = 8 * 1024 * 1024;

/// A row of `audit_log`, in column order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AuditRow {
    /// `eventId`.
    pub event_id: String,
    /// `timestamp` of the detail.
    #[serde(with = "millis")]
    pub timestamp: DateTime<Utc>,
    /// `source`.
    pub source: String,
    /// `detail-type`.
    pub detail_type: String,
    /// eventID of the CloudTrail event.
    pub correlation_id: Option<String>,
    /// Rule that matched.
    pub rule_name: Option<String>,
    /// Severity.
    pub severity: Option<&'static str>,
    /// Status of a repair.
    pub status: Option<&'static str>,
    /// Account.
    pub account_id: Option<String>,
    /// The detail as JSON text, secrets removed.
    pub detail: Option<String>,
}

/// A row, and its detail when that is too large to travel in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The row; its detail names `oversize` when there is one.
    pub row: AuditRow,
    /// Key in the lake and the whole detail.
    pub oversize: Option<(String, String)>,
}

/// The row of an event. Whatever secrets the publisher left in the detail are removed here.
pub fn entry(event: &BusEvent) -> Entry {
    let detail = detection::redact(&event.detail.to_string(), MAX_WHOLE);
    let status = match &event.subject {
        Subject::Remediation(repair) => Some(repair.status.as_str()),
        Subject::Violation(_) | Subject::Fault(_) | Subject::Other => None,
    };
    let (detail, oversize) = if detail.len() <= MAX_DETAIL {
        (detail, None)
    } else {
        let key = format!("audit-oversize/{}.json", event.key);
        let reference = serde_json::json!({"omitted": true, "lake": key, "bytes": detail.len()});
        (reference.to_string(), Some((key, detail)))
    };
    let row = AuditRow {
        event_id: event.event_id.clone(),
        timestamp: event.timestamp,
        source: event.source.clone(),
        detail_type: event.detail_type.clone(),
        correlation_id: event.correlation_id.clone(),
        rule_name: event.rule_name().map(str::to_owned),
        severity: event.severity().map(schemas::Severity::as_str),
        status,
        account_id: account(event),
        detail: Some(detail),
    };
    Entry { row, oversize }
}

fn account(event: &BusEvent) -> Option<String> {
    let violation = event.violation().map(|violation| violation.account_id.clone());
    let original = || event.detail.get("originalViolation").or_else(|| event.detail.get("violation"));
    violation.or_else(|| original()?.get("account_id").and_then(Value::as_str).map(str::to_owned))
}
