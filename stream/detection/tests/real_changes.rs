//! The policy writes of a real attack: kind, target and document as an independent reader of the same log wrote them down.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)] // a helper that fails fails its test

mod common;

use std::collections::BTreeMap;

use detection::{Document, EventKind, LookUp, Piece, TargetType, change};
use serde_json::{Value, json};

/// Facts by event id.
fn facts() -> BTreeMap<String, Value> {
    let file = common::testdata().join("cloudtrail/invictus-stratus-2023/iam-writes.jsonl");
    let text = std::fs::read_to_string(file).unwrap();
    let rows = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    rows.map(|row| (row["case_id"].as_str().unwrap().replace("invictus:", ""), row)).collect()
}

/// The text or the list of texts under a key, as a list.
fn list(value: &Value) -> Vec<Value> {
    match value {
        Value::Null => Vec::new(),
        Value::Array(entries) => entries.clone(),
        one => vec![one.clone()],
    }
}

#[test]
fn every_policy_write_of_a_real_attack_is_a_change_with_its_document() {
    let facts = facts();
    let (mut seen, mut with_document) = (0, 0);
    for (_, bytes) in common::files_of("invictus-stratus-2023") {
        common::count(&bytes, &mut |piece| {
            let Piece::Event(event) = piece else { panic!("{piece:?}") };
            let Some(fact) = facts.get(event.event_id().as_ref()) else { return };
            seen += 1;
            assert_eq!(event.user_identity.arn.as_deref(), fact["caller"].as_str());
            assert_eq!(event.error_code.as_deref(), fact["errorCode"].as_str());
            let Some(change) = change(&event) else {
                // Tags and the deletion of what holds no privilege of its own.
                assert!(matches!(&*event.event_name, "TagInstanceProfile" | "DeleteInstanceProfile" | "DeleteUser"));
                return;
            };
            let documents = fact["documents"].as_array().unwrap();
            let Document::Policy(text) = &change.document else {
                assert!(documents.is_empty(), "{fact} {change:?}");
                return;
            };
            with_document += 1;
            let policy: Value = serde_json::from_str(text).unwrap();
            let statements = match &policy["Statement"] {
                Value::Array(statements) => statements.clone(),
                one => vec![one.clone()],
            };
            assert_eq!(statements.len(), documents.len(), "{fact}");
            for (statement, expected) in statements.iter().zip(documents) {
                assert_eq!(statement["Effect"], expected["effect"]);
                assert_eq!(json!(list(&statement["Action"])), expected["actions"]);
                assert_eq!(json!(list(&statement["Resource"])), expected["resources"]);
            }
        });
    }
    assert_eq!((facts.len(), seen, with_document), (93, 93, 25));
}

#[test]
fn the_attachments_of_administrator_access_name_user_and_policy_and_the_detachments_are_apart() {
    let mut found = Vec::new();
    for (_, bytes) in common::files_of("invictus-stratus-2023") {
        common::count(&bytes, &mut |piece| {
            let Piece::Event(event) = piece else { return };
            let Some(change) = change(&event) else { return };
            let is_admin = change.policy_arn.as_deref().is_some_and(|arn| arn.ends_with(":policy/AdministratorAccess"));
            if !is_admin || change.kind != EventKind::ManagedPolicyAttach {
                return;
            }
            assert_eq!(
                change.document,
                Document::LookUp(LookUp::ManagedPolicy {
                    arn: "arn:aws:iam::aws:policy/AdministratorAccess".into(),
                    version: None
                })
            );
            assert!(matches!(change.target_type, TargetType::User | TargetType::Role));
            found.push(change.target_arn.unwrap().into_owned());
        });
    }
    assert_eq!(found.len(), 2, "{found:?}");
}
