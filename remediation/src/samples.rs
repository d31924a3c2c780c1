//! Requests for tests.

use serde_json::{Value, json};

use crate::request::Request;

pub(crate) const ACCOUNT: &str = "111111111111";

/// The parts of a violation that differ; the rest is as the detector would fill it.
pub(crate) fn request(changes: Value) -> Request {
    let mut violation: Value = serde_json::from_str(include_str!("sample.json")).unwrap();
    let violation = violation["violation"].take();
    let mut message = json!({"violation": violation, "event": null});
    for (key, value) in changes.as_object().unwrap() {
        message["violation"][key] = value.clone();
    }
    Request::read(&message.to_string()).unwrap()
}

pub(crate) fn inline() -> Request {
    request(json!({}))
}

pub(crate) fn attachment() -> Request {
    request(json!({
        "event_name": "AttachUserPolicy", "event_kind": "managed_policy_attach", "policy_document": null,
        "policy_name": null, "policy_arn": "arn:aws:iam::aws:policy/AdministratorAccess",
        "remediation_action": "detach_policy",
    }))
}

pub(crate) fn with_rule(rule: &str) -> Request {
    request(json!({"rule_name": rule, "violation_id": schemas::violation_id(ACCOUNT, "e", rule)}))
}

pub(crate) fn with_event(event: &str) -> Request {
    request(json!({"event_id": event, "violation_id": schemas::violation_id(ACCOUNT, event, "R")}))
}
