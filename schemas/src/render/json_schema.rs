//! JSON Schema (draft 2020-12) of the bus events as EventBridge delivers them.
//!
//! Properties that a schema does not name are allowed everywhere: columns are appended, and EventBridge adds its own.

use serde_json::{Map, Value, json};

use crate::bus::{REMEDIATION_DETAIL_TYPE, REMEDIATION_SOURCE, VIOLATION_DETAIL_TYPE, VIOLATION_SOURCE};
use crate::columns::{Column, Kind, Presence, VIOLATIONS};
use crate::rows::{Certainty, Outcome, RuleAction, Severity};

const STATUSES: [&str; 5] = ["SUCCESS", "FAILED", "SKIPPED", "DRY_RUN", "UNDONE"];

/// Schema of `IAM Policy Violation`.
pub(super) fn violation_event() -> String {
    let detail = json!({
        "type": "object",
        "required": ["eventId", "timestamp", "correlationId", "violation", "originalEvent"],
        "properties": {
            "eventId": { "type": "string", "format": "uuid", "description": "violation_id; the same whenever it is sent again" },
            "timestamp": { "type": "string", "format": "date-time", "description": "Time of the CloudTrail event, UTC" },
            "correlationId": { "type": "string", "description": "eventID of the CloudTrail event" },
            "violation": violation(),
            "originalEvent": original_event(),
        },
    });
    event("violation", VIOLATION_SOURCE, VIOLATION_DETAIL_TYPE, detail)
}

/// Schema of `IAM Policy Remediation Status`.
pub(super) fn remediation_event() -> String {
    let text = |description: &str| json!({ "type": "string", "description": description });
    let optional = |description: &str| json!({ "type": ["string", "null"], "description": description });
    let remediation = json!({
        "type": "object",
        "required": ["rule_name", "severity", "action", "status", "description", "details", "error"],
        "properties": {
            "rule_name": text("Detection rule that matched"),
            "severity": { "type": "string", "enum": Severity::ALL },
            "action": text("Repair asked for, such as detach_policy"),
            "status": { "type": "string", "enum": STATUSES },
            "description": text("What was done, or why nothing was"),
            "details": { "type": "object", "description": "Steps taken, as data" },
            "error": optional("What failed"),
        },
    });
    let detail = json!({
        "type": "object",
        "required": ["eventId", "timestamp", "correlationId", "remediation", "originalViolation", "originalEvent", "originalEventId"],
        "properties": {
            "eventId": text("remediation_id; the same whenever it is sent again"),
            "timestamp": { "type": "string", "format": "date-time", "description": "When the attempt ended, UTC" },
            "correlationId": text("eventID of the CloudTrail event"),
            "remediation": remediation,
            "originalViolation": { "type": "object", "description": "The violation that asked for the repair" },
            "originalEvent": original_event(),
            "originalEventId": text("violation_id of that violation"),
        },
    });
    event("remediation_status", REMEDIATION_SOURCE, REMEDIATION_DETAIL_TYPE, detail)
}

fn event(name: &str, source: &str, detail_type: &str, detail: Value) -> String {
    let document = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": format!("urn:iam-policy-monitor:bus:{name}"),
        "title": detail_type,
        "type": "object",
        "required": ["source", "detail-type", "detail"],
        "properties": {
            "source": { "const": source },
            "detail-type": { "const": detail_type },
            "detail": detail,
        },
        "additionalProperties": true,
    });
    format!("{document:#}\n")
}

fn original_event() -> Value {
    json!({
        "type": "object",
        "description": "The CloudTrail event, secrets removed; or, when the entry would be too large, where to find it",
        "if": { "required": ["omitted"] },
        "then": {
            "required": ["omitted", "lake"],
            "properties": {
                "omitted": { "const": true },
                "lake": { "type": "string", "description": "Key of the Parquet object that holds the whole row" },
            },
        },
    })
}

fn violation() -> Value {
    let required: Vec<&str> = VIOLATIONS
        .columns
        .iter()
        .filter(|column| column.presence == Presence::Required)
        .map(|column| column.name)
        .collect();
    let properties: Map<String, Value> =
        VIOLATIONS.columns.iter().map(|column| (column.name.to_owned(), property(column))).collect();
    json!({
        "type": "object",
        "description": VIOLATIONS.description,
        "required": required,
        "properties": properties,
        "additionalProperties": true,
    })
}

fn property(column: &Column) -> Value {
    let name = match column.kind {
        Kind::Text | Kind::Json | Kind::Timestamp => "string",
        Kind::Boolean => "boolean",
        Kind::BigInt | Kind::Int => "integer",
    };
    let mut property = Map::new();
    let types = if column.presence == Presence::Required { json!(name) } else { json!([name, "null"]) };
    property.insert("type".to_owned(), types);
    property.insert("description".to_owned(), json!(column.description));
    match column.kind {
        Kind::Timestamp => property.insert("format".to_owned(), json!("date-time")),
        Kind::Json => property.insert("contentMediaType".to_owned(), json!("application/json")),
        _ => None,
    };
    let values = match column.name {
        "violation_id" => property.insert("format".to_owned(), json!("uuid")),
        "severity" => property.insert("enum".to_owned(), json!(Severity::ALL)),
        "action" => property.insert("enum".to_owned(), json!(RuleAction::ALL)),
        "outcome" => property.insert("enum".to_owned(), json!(Outcome::ALL)),
        "certainty" => property.insert("enum".to_owned(), json!(Certainty::ALL)),
        _ => None,
    };
    debug_assert!(values.is_none(), "{}: a property is set once", column.name);
    Value::Object(property)
}
