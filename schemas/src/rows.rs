//! Rows of the tables as Rust values. The serde names are the column names; a test compares both lists.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The rule that the canary breaks: a made-up event, put into the stream by schedule, that must come back as a violation. It
/// is counted and written like any other, told to nobody, and left out of reports.
pub const CANARY_RULE: &str = "Canary";

/// How bad a violation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Severity {
    /// Worth knowing.
    Low,
    /// Worth a look this week.
    Medium,
    /// Worth a look today.
    High,
    /// Act now; never suppressed.
    Critical,
}

impl Severity {
    /// Every value.
    pub const ALL: [Severity; 4] = [Severity::Low, Severity::Medium, Severity::High, Severity::Critical];

    /// The name as written in rules, rows and messages.
    pub fn as_str(self) -> &'static str {
        match self {
            Severity::Low => "LOW",
            Severity::Medium => "MEDIUM",
            Severity::High => "HIGH",
            Severity::Critical => "CRITICAL",
        }
    }
}

/// What happens with a violation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RuleAction {
    /// Written to the lake only.
    Log,
    /// Lake and bus.
    Alert,
    /// Lake, bus and repair queue.
    Remediate,
}

impl RuleAction {
    /// Every value.
    pub const ALL: [RuleAction; 3] = [RuleAction::Log, RuleAction::Alert, RuleAction::Remediate];
}

/// Whether the API call changed anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// The call was carried out.
    Success,
    /// The call failed: an attempt, not a change.
    Failure,
}

impl Outcome {
    /// Every value.
    pub const ALL: [Outcome; 2] = [Outcome::Success, Outcome::Failure];
}

/// How sure a verdict is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Certainty {
    /// Holds whatever the conditions.
    Must,
    /// Holds if the conditions are met.
    May,
}

impl Certainty {
    /// Every value.
    pub const ALL: [Certainty; 2] = [Certainty::Must, Certainty::May];
}

/// One row of `violations`, and the `violation` object on the bus. Fields are described in [`crate::VIOLATIONS`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)] // the column list describes each field once
pub struct Violation {
    pub violation_id: Uuid,
    pub event_id: String,
    #[serde(with = "millis")]
    pub event_time: DateTime<Utc>,
    #[serde(with = "millis")]
    pub detected_at: DateTime<Utc>,
    pub rule_name: String,
    pub severity: Severity,
    pub description: String,
    pub action: RuleAction,
    pub suppressed: bool,
    pub suppressed_by: Option<String>,
    pub event_source: String,
    pub event_name: String,
    pub event_kind: Option<String>,
    pub outcome: Outcome,
    pub error_code: Option<String>,
    pub aws_region: Option<String>,
    pub account_id: String,
    pub principal_type: Option<String>,
    pub principal_arn: Option<String>,
    pub principal_name: Option<String>,
    pub principal_account_id: Option<String>,
    pub access_key_id: Option<String>,
    pub session_issuer_arn: Option<String>,
    pub invoked_by: Option<String>,
    pub mfa_authenticated: Option<bool>,
    pub source_ip_address: Option<String>,
    pub user_agent: Option<String>,
    pub target_type: Option<String>,
    pub target_name: Option<String>,
    pub target_arn: Option<String>,
    pub policy_arn: Option<String>,
    pub policy_name: Option<String>,
    pub policy_document: Option<String>,
    pub certainty: Certainty,
    pub evidence: String,
    pub evidence_detail: Option<String>,
    pub escalation_methods: Option<String>,
    pub new_access: Option<bool>,
    pub witness_action: Option<String>,
    pub witness_resource: Option<String>,
    pub remediation_action: Option<String>,
    pub mitre: Option<String>,
    pub owner: Option<String>,
    pub request_parameters: Option<String>,
    pub resources: Option<String>,
    pub shard_id: Option<String>,
    pub sequence_number: Option<String>,
    pub original_event: Option<String>,
}

/// One row of `iam_events`. Fields are described in [`crate::IAM_EVENTS`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)] // the column list describes each field once
pub struct IamEvent {
    pub event_id: String,
    #[serde(with = "millis")]
    pub event_time: DateTime<Utc>,
    pub account_id: String,
    pub aws_region: Option<String>,
    pub event_source: String,
    pub event_name: String,
    pub principal_arn: Option<String>,
    pub error_code: Option<String>,
    pub event: String,
}

/// What came of a repair, or of taking one back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum RemediationStatus {
    /// The change was made and seen.
    Success,
    /// The change could not be made, or not be seen.
    Failed,
    /// Rightly nothing was changed.
    Skipped,
    /// Nothing was changed: it was only said what would be.
    DryRun,
    /// An earlier repair was taken back.
    Undone,
}

impl RemediationStatus {
    /// Every value.
    pub const ALL: [RemediationStatus; 5] = [
        RemediationStatus::Success,
        RemediationStatus::Failed,
        RemediationStatus::Skipped,
        RemediationStatus::DryRun,
        RemediationStatus::Undone,
    ];

    /// The column `success`.
    pub fn is_success(self) -> bool {
        matches!(self, RemediationStatus::Success | RemediationStatus::DryRun | RemediationStatus::Undone)
    }
}

/// One row of `remediation_logs`. Fields are described in [`crate::REMEDIATION_LOGS`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)] // the column list describes each field once
pub struct RemediationLog {
    pub remediation_id: Uuid,
    pub violation_id: Uuid,
    pub event_id: String,
    #[serde(with = "millis")]
    pub timestamp: DateTime<Utc>,
    #[serde(with = "millis")]
    pub event_time: DateTime<Utc>,
    pub remediation_action: String,
    pub success: bool,
    pub status: RemediationStatus,
    pub reason: Option<String>,
    pub error: Option<String>,
    pub dry_run: bool,
    pub rule_name: String,
    pub severity: Severity,
    pub account_id: String,
    pub principal_arn: Option<String>,
    pub target_type: Option<String>,
    pub target_name: Option<String>,
    pub target_arn: Option<String>,
    pub policy_arn: Option<String>,
    pub policy_name: Option<String>,
    pub details: Option<String>,
    pub snapshot_key: Option<String>,
    pub duration_ms: Option<i64>,
    pub attempt: i32,
}

/// Namespace of the ids this system derives from its input.
const NAMESPACE: Uuid = Uuid::from_u128(0x6c1f_7a52_4b0e_5d0a_9d1c_8e53_2f64_a7b1);

/// The id of a violation: the same account, event and rule give the same id wherever and whenever it is computed.
///
/// The parts are joined with a character that none of them can hold, so that no two triples share a name.
pub fn violation_id(account_id: &str, event_id: &str, rule_name: &str) -> Uuid {
    derived_id(&[account_id, event_id, rule_name])
}

/// UUIDv5 of the parts joined by the unit separator (U+001F).
pub fn derived_id(parts: &[&str]) -> Uuid {
    Uuid::new_v5(&NAMESPACE, parts.join("\u{1f}").as_bytes())
}

/// Timestamps as RFC 3339 in UTC with milliseconds only where there are any.
pub mod millis {
    use chrono::{DateTime, SecondsFormat, Utc};
    use serde::{Deserialize, Deserializer, Serializer};

    /// Writes `2024-01-01T12:00:00Z`.
    pub fn serialize<S: Serializer>(time: &DateTime<Utc>, serializer: S) -> Result<S::Ok, S::Error> {
        // Through milliseconds, so that a leap second (23:59:60) becomes the second after, which every reader knows.
        let time = DateTime::from_timestamp_millis(time.timestamp_millis()).unwrap_or(*time);
        let format = if time.timestamp_subsec_millis() == 0 { SecondsFormat::Secs } else { SecondsFormat::Millis };
        serializer.serialize_str(&time.to_rfc3339_opts(format, true))
    }

    /// Reads any RFC 3339 time.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<DateTime<Utc>, D::Error> {
        DateTime::<Utc>::deserialize(deserializer)
    }
}
