//! Entries of the bus. Their names and shapes are fixed: consumers outside this repository read them.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::batch::SchemaError;
use crate::rows::{RemediationLog, RemediationStatus, Severity, Violation, millis};

/// `source` of a violation on the bus.
pub const VIOLATION_SOURCE: &str = "iam.policy.monitor";
/// `detail-type` of a violation on the bus.
pub const VIOLATION_DETAIL_TYPE: &str = "IAM Policy Violation";
/// `source` of a remediation status on the bus.
pub const REMEDIATION_SOURCE: &str = "iam.policy.remediator";
/// `detail-type` of a remediation status on the bus.
pub const REMEDIATION_DETAIL_TYPE: &str = "IAM Policy Remediation Status";
/// Size of an entry that every region accepts, bytes; newer quotas are higher.
pub const DEFAULT_ENTRY_CAP: usize = 256 * 1024;
/// What EventBridge counts for the time of an entry, bytes (PutEvents, "Calculating PutEvents event entry size").
const TIME_BYTES: usize = 14;

/// One entry for `PutEvents`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BusEntry {
    /// `Source` of the entry.
    pub source: &'static str,
    /// `DetailType` of the entry.
    pub detail_type: &'static str,
    /// `Detail` of the entry, JSON.
    pub detail: String,
}

impl BusEntry {
    /// Bytes EventBridge counts for this entry.
    pub fn size(&self) -> usize {
        entry_size(self.source, self.detail_type, &self.detail)
    }
}

/// Bytes EventBridge counts for an entry that names its time and no resources.
pub fn entry_size(source: &str, detail_type: &str, detail: &str) -> usize {
    TIME_BYTES + source.len() + detail_type.len() + detail.len()
}

/// `detail` of a violation entry.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ViolationDetail<'a> {
    /// The `violation_id`.
    pub event_id: Uuid,
    /// Time of the CloudTrail event, so that a second run sends the same entry.
    #[serde(with = "millis")]
    pub timestamp: DateTime<Utc>,
    /// The eventID of the CloudTrail event.
    pub correlation_id: &'a str,
    /// Every column of the violation. `original_event` is null here: the event is beside it as JSON.
    pub violation: &'a Violation,
    /// The CloudTrail event.
    pub original_event: OriginalEvent<'a>,
}

/// The CloudTrail event in an entry, or where to find it.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum OriginalEvent<'a> {
    /// The event as JSON, secrets removed.
    Whole(&'a RawValue),
    /// Left out because the entry would be too large, or because there is no readable event.
    Omitted {
        /// Always true, so that consumers can test for it.
        omitted: bool,
        /// Object key of the Parquet file that holds the whole row.
        lake: &'a str,
    },
}

/// The bus entry of a violation, within `cap` bytes as EventBridge counts them.
///
/// Where the cap would be passed, the original event is replaced by `lake_key`, then the long JSON columns are null.
/// What is left has no part that an event can stretch far; should it still be too large, the error says so.
pub fn violation_entry(violation: &Violation, lake_key: &str, cap: usize) -> Result<BusEntry, SchemaError> {
    let original = violation.original_event.as_deref().and_then(|text| serde_json::from_str::<&RawValue>(text).ok());
    let mut columns = Violation { original_event: None, ..violation.clone() };
    let omitted = || OriginalEvent::Omitted { omitted: true, lake: lake_key };
    if let Some(original) = original {
        let whole = entry(&columns, OriginalEvent::Whole(original))?;
        if whole.size() <= cap {
            return Ok(whole);
        }
    }
    let without_event = entry(&columns, omitted())?;
    if without_event.size() <= cap {
        return Ok(without_event);
    }
    columns.policy_document = None;
    columns.evidence_detail = None;
    columns.request_parameters = None;
    columns.resources = None;
    let smallest = entry(&columns, omitted())?;
    match smallest.size() {
        bytes if bytes > cap => Err(SchemaError::EntryTooLarge { id: violation.violation_id.to_string(), bytes, cap }),
        _ => Ok(smallest),
    }
}

/// `detail` of a remediation status entry.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct StatusDetail<'a> {
    event_id: Uuid,
    #[serde(with = "millis")]
    timestamp: DateTime<Utc>,
    correlation_id: &'a str,
    remediation: StatusOf<'a>,
    original_violation: &'a Violation,
    original_event: OriginalEvent<'a>,
    original_event_id: Uuid,
}

/// The `remediation` object, with the names of the columns.
#[derive(Debug, Serialize)]
struct StatusOf<'a> {
    rule_name: &'a str,
    severity: Severity,
    action: &'a str,
    status: RemediationStatus,
    description: &'a str,
    details: &'a RawValue,
    error: Option<&'a str>,
}

/// The bus entry of an attempt of the remediator, within `cap` bytes as EventBridge counts them.
///
/// `description` says in a sentence what was done or why nothing was. Where the cap would be passed, the original event
/// is replaced by `lake_key` (that of the violation's Parquet file, empty when it is not known), then the long JSON
/// columns of the violation are null, then the details are empty.
pub fn remediation_entry(
    log: &RemediationLog,
    description: &str,
    violation: &Violation,
    lake_key: &str,
    cap: usize,
) -> Result<BusEntry, SchemaError> {
    let original = violation.original_event.as_deref().and_then(|text| serde_json::from_str::<&RawValue>(text).ok());
    let mut columns = Violation { original_event: None, ..violation.clone() };
    let omitted = || OriginalEvent::Omitted { omitted: true, lake: lake_key };
    let none: Option<&RawValue> = None;
    let details = log.details.as_deref().and_then(|text| serde_json::from_str::<&RawValue>(text).ok());
    if let Some(original) = original {
        let whole = status((log, description, details), &columns, OriginalEvent::Whole(original))?;
        if whole.size() <= cap {
            return Ok(whole);
        }
    }
    let without_event = status((log, description, details), &columns, omitted())?;
    if without_event.size() <= cap {
        return Ok(without_event);
    }
    columns.policy_document = None;
    columns.evidence_detail = None;
    columns.request_parameters = None;
    columns.resources = None;
    let smaller = status((log, description, details), &columns, omitted())?;
    if smaller.size() <= cap {
        return Ok(smaller);
    }
    let smallest = status((log, description, none), &columns, omitted())?;
    match smallest.size() {
        bytes if bytes > cap => Err(SchemaError::EntryTooLarge { id: log.violation_id.to_string(), bytes, cap }),
        _ => Ok(smallest),
    }
}

fn status(
    (log, description, details): (&RemediationLog, &str, Option<&RawValue>),
    violation: &Violation,
    original_event: OriginalEvent<'_>,
) -> Result<BusEntry, SchemaError> {
    let failed = |source| SchemaError::Json { id: log.violation_id.to_string(), source };
    let empty = RawValue::from_string("{}".to_owned()).map_err(failed)?;
    let remediation = StatusOf {
        rule_name: &log.rule_name,
        severity: log.severity,
        action: &log.remediation_action,
        status: log.status,
        description,
        details: details.unwrap_or(&empty),
        error: log.error.as_deref(),
    };
    let detail = StatusDetail {
        event_id: log.remediation_id,
        timestamp: log.timestamp,
        correlation_id: &log.event_id,
        remediation,
        original_violation: violation,
        original_event,
        original_event_id: log.violation_id,
    };
    let detail = serde_json::to_string(&detail).map_err(failed)?;
    Ok(BusEntry { source: REMEDIATION_SOURCE, detail_type: REMEDIATION_DETAIL_TYPE, detail })
}

fn entry(violation: &Violation, original_event: OriginalEvent<'_>) -> Result<BusEntry, SchemaError> {
    let detail = ViolationDetail {
        event_id: violation.violation_id,
        timestamp: violation.event_time,
        correlation_id: &violation.event_id,
        violation,
        original_event,
    };
    let detail = serde_json::to_string(&detail)
        .map_err(|source| SchemaError::Json { id: violation.violation_id.to_string(), source })?;
    Ok(BusEntry { source: VIOLATION_SOURCE, detail_type: VIOLATION_DETAIL_TYPE, detail })
}
