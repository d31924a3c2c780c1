//! The column lists. A column is written here once; Arrow, Glue, Athena and JSON Schema are rendered from it.
//!
//! Lists are only ever appended to: files written years ago must stay readable by name.

/// What a column holds, in terms every format understands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// UTF-8 text.
    Text,
    /// UTF-8 text that is itself a JSON document.
    Json,
    /// Milliseconds since the epoch, UTC. Athena reads nothing finer.
    Timestamp,
    /// True or false.
    Boolean,
    /// 64-bit signed integer.
    BigInt,
    /// 32-bit signed integer.
    Int,
}

/// Whether every row has a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// Every row has a value.
    Required,
    /// The value may be null.
    Optional,
}

/// One column of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column {
    /// Name as analysts write it.
    pub name: &'static str,
    /// What it holds.
    pub kind: Kind,
    /// Whether it may be null.
    pub presence: Presence,
    /// One line for the Glue comment and the documentation.
    pub description: &'static str,
}

/// A table of the lake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Table {
    /// Name of the table and of its folder in the lake.
    pub name: &'static str,
    /// One line about a row.
    pub description: &'static str,
    /// The column that identifies a row; readers keep one row for each value.
    pub id: &'static str,
    /// Columns that identify a row together with the id.
    pub id_within: &'static [&'static str],
    /// The timestamp column that decides the partition and the order of rows.
    pub time: &'static str,
    /// Columns in file order.
    pub columns: &'static [Column],
    /// Columns looked up by exact value, which get a bloom filter.
    pub bloom: &'static [&'static str],
    /// Columns that decide which of several copies of a row readers keep: the smallest, nulls last. What is still
    /// equal after these is decided by the object name.
    pub first_copy: &'static [&'static str],
}

impl Table {
    /// The columns that together identify a row, the id first.
    pub fn key(&self) -> impl Iterator<Item = &'static str> {
        std::iter::once(self.id).chain(self.id_within.iter().copied())
    }
}

/// The partition columns of every table, strings with leading zeros, by event time in UTC.
pub const PARTITION_COLUMNS: [&str; 3] = ["year", "month", "day"];

pub(crate) const fn required(name: &'static str, kind: Kind, description: &'static str) -> Column {
    Column { name, kind, presence: Presence::Required, description }
}

pub(crate) const fn optional(name: &'static str, kind: Kind, description: &'static str) -> Column {
    Column { name, kind, presence: Presence::Optional, description }
}

use Kind::{BigInt, Boolean, Int, Json, Text, Timestamp};

/// One row for each rule that matched an event.
pub const VIOLATIONS: Table = Table {
    name: "violations",
    description: "One row for each detection rule that matched a CloudTrail event",
    id: "violation_id",
    id_within: &[],
    time: "event_time",
    bloom: &["violation_id", "event_id", "principal_arn", "target_arn", "access_key_id"],
    first_copy: &["detected_at", "sequence_number"],
    columns: &[
        required("violation_id", Text, "UUIDv5 of account, eventID and rule name"),
        required("event_id", Text, "eventID of the CloudTrail event, derived from its content when absent"),
        required("event_time", Timestamp, "eventTime of the CloudTrail event, UTC"),
        required("detected_at", Timestamp, "Arrival in the stream; for files the event time"),
        required("rule_name", Text, "Detection rule that matched"),
        required("severity", Text, "LOW, MEDIUM, HIGH or CRITICAL"),
        required("description", Text, "What the rule detects"),
        required("action", Text, "log, alert or remediate"),
        required("suppressed", Boolean, "True when a suppression holds this violation back from the bus"),
        optional("suppressed_by", Text, "Name of the suppression"),
        required("event_source", Text, "Service that was called, such as iam.amazonaws.com"),
        required("event_name", Text, "API call, such as AttachRolePolicy"),
        optional("event_kind", Text, "Kind of privilege change, such as managed_policy_attach"),
        required("outcome", Text, "success or failure of the call"),
        optional("error_code", Text, "errorCode of a failed call"),
        optional("aws_region", Text, "Region that handled the call"),
        required("account_id", Text, "Account the event was delivered to"),
        optional("principal_type", Text, "userIdentity.type of the caller"),
        optional("principal_arn", Text, "ARN of the caller"),
        optional("principal_name", Text, "Name of the caller: user name, role name or account"),
        optional("principal_account_id", Text, "Account of the caller"),
        optional("access_key_id", Text, "Access key id the call was signed with"),
        optional("session_issuer_arn", Text, "Role or user that issued the session of the caller"),
        optional("invoked_by", Text, "AWS service that made the call for the caller"),
        optional(
            "mfa_authenticated",
            Boolean,
            "Whether the session was opened with MFA; null when the event does not say",
        ),
        optional("source_ip_address", Text, "Address or AWS service the call came from"),
        optional("user_agent", Text, "Program that made the call"),
        optional("target_type", Text, "Type of what was changed: user, role, group, policy, ..."),
        optional("target_name", Text, "Name of what was changed"),
        optional("target_arn", Text, "ARN of what was changed"),
        optional("policy_arn", Text, "ARN of the policy involved"),
        optional("policy_name", Text, "Name of the policy involved"),
        optional("policy_document", Json, "Policy document of the request, decoded"),
        required("certainty", Text, "must: holds whatever the conditions; may: holds if they are met"),
        required("evidence", Text, "One sentence that says why the rule matched"),
        optional("evidence_detail", Json, "Evidence as data: statements, patterns, witnesses"),
        optional("escalation_methods", Json, "List of privilege escalation methods the change opens"),
        optional(
            "new_access",
            Boolean,
            "Whether the change grants what was not granted before; null when not compared",
        ),
        optional("witness_action", Text, "IAM action that shows the finding"),
        optional("witness_resource", Text, "Resource that shows the finding"),
        optional("remediation_action", Text, "Repair asked for, such as detach_policy"),
        optional("mitre", Json, "List of MITRE ATT&CK technique ids"),
        optional("owner", Text, "Owner of the rule"),
        optional("request_parameters", Json, "requestParameters of the event, secrets removed"),
        optional("resources", Json, "resources of the event"),
        optional("shard_id", Text, "Kinesis shard of the record; null for files"),
        optional("sequence_number", Text, "Kinesis sequence number of the record; null for files"),
        optional("original_event", Json, "The CloudTrail event, secrets removed"),
    ],
};

/// One row for each attempt of the remediator.
pub const REMEDIATION_LOGS: Table = Table {
    name: "remediation_logs",
    description: "One row for each attempt of the remediator, whatever came of it",
    id: "remediation_id",
    id_within: &[],
    time: "event_time",
    bloom: &["remediation_id", "violation_id", "event_id", "principal_arn", "target_arn"],
    first_copy: &["timestamp"],
    columns: &[
        required("remediation_id", Text, "UUIDv5 of violation, action and attempt"),
        required("violation_id", Text, "Violation that asked for the repair"),
        required("event_id", Text, "eventID of the CloudTrail event"),
        required("timestamp", Timestamp, "When the attempt ended, UTC"),
        required("event_time", Timestamp, "eventTime of the CloudTrail event, UTC"),
        required("remediation_action", Text, "Repair asked for, such as detach_policy"),
        required("success", Boolean, "True for SUCCESS, DRY_RUN and UNDONE"),
        required("status", Text, "SUCCESS, FAILED, SKIPPED, DRY_RUN or UNDONE"),
        optional("reason", Text, "Why nothing was changed"),
        optional("error", Text, "What failed"),
        required("dry_run", Boolean, "True when the attempt only said what it would do"),
        required("rule_name", Text, "Detection rule that matched"),
        required("severity", Text, "LOW, MEDIUM, HIGH or CRITICAL"),
        required("account_id", Text, "Account of the target"),
        optional("principal_arn", Text, "ARN of the caller of the original event"),
        optional("target_type", Text, "Type of what was repaired"),
        optional("target_name", Text, "Name of what was repaired"),
        optional("target_arn", Text, "ARN of what was repaired"),
        optional("policy_arn", Text, "ARN of the policy involved"),
        optional("policy_name", Text, "Name of the policy involved"),
        optional("details", Json, "Steps taken, as data"),
        optional("snapshot_key", Text, "Object that holds the state before the change"),
        optional("duration_ms", BigInt, "Time the attempt took, milliseconds"),
        required("attempt", Int, "1 for the first attempt"),
    ],
};

/// One row for each event of the bus, written through Firehose.
pub const AUDIT_LOG: Table = Table {
    name: "audit_log",
    description: "One row for each event on the bus",
    id: "event_id",
    id_within: &[],
    time: "timestamp",
    bloom: &["event_id", "correlation_id"],
    first_copy: &[],
    columns: &[
        required("event_id", Text, "eventId of the bus event"),
        required("timestamp", Timestamp, "timestamp of the bus event, UTC"),
        required("source", Text, "source of the bus event"),
        required("detail_type", Text, "detail-type of the bus event"),
        optional("correlation_id", Text, "eventID of the CloudTrail event"),
        optional("rule_name", Text, "Detection rule that matched"),
        optional("severity", Text, "LOW, MEDIUM, HIGH or CRITICAL"),
        optional("status", Text, "Status of a remediation"),
        optional("account_id", Text, "Account of the event"),
        optional("detail", Json, "detail of the bus event"),
    ],
};

/// One row for each event the detector judged, for trying rules on the past.
pub const IAM_EVENTS: Table = Table {
    name: "iam_events",
    description: "One row for each CloudTrail event the detector judged",
    id: "event_id",
    // The detector, too, takes an eventID in two accounts for two events.
    id_within: &["account_id"],
    time: "event_time",
    bloom: &["event_id", "principal_arn"],
    first_copy: &["principal_arn", "error_code"],
    columns: &[
        required("event_id", Text, "eventID of the CloudTrail event, derived from its content when absent"),
        required("event_time", Timestamp, "eventTime of the CloudTrail event, UTC"),
        required("account_id", Text, "Account the event was delivered to"),
        optional("aws_region", Text, "Region that handled the call"),
        required("event_source", Text, "Service that was called"),
        required("event_name", Text, "API call"),
        optional("principal_arn", Text, "ARN of the caller"),
        optional("error_code", Text, "errorCode of a failed call"),
        required("event", Json, "The CloudTrail event, secrets removed"),
    ],
};

/// Every table of the lake.
pub const TABLES: [&Table; 4] = [&VIOLATIONS, &REMEDIATION_LOGS, &AUDIT_LOG, &IAM_EVENTS];
