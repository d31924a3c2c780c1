//! Defaults that complete the partial event of a test, so that a test says only what matters to it.
//!
//! | field | default |
//! |---|---|
//! | eventTime | 2024-01-01T12:00:00Z |
//! | eventSource | the one service that the rule, else the table of changes, knows the name from |
//! | userIdentity | user alice of account 111122223333; a role session, root or service if `type` says so |
//! | awsRegion, sourceIPAddress, userAgent | us-east-1, 203.0.113.10, aws-cli/2.15.0 |
//! | recipientAccountId | 111122223333 |
//!
//! Given fields replace defaults, objects are merged, `null` takes a field away.

use crate::{EventKind, names_of};
use serde_json::{Map, Value, json};

/// Account of a test's event.
pub const DEFAULT_ACCOUNT: &str = "111122223333";
/// Caller of a test's event.
pub const DEFAULT_USER: &str = "alice";
/// Time of a test's event.
pub const DEFAULT_TIME: &str = "2024-01-01T12:00:00Z";

/// The partial event as a whole record. `sources` are the services the rule expects this name from.
pub fn complete(partial: &Value, sources: &[String]) -> Result<String, String> {
    let name = partial.get("eventName").and_then(Value::as_str).unwrap_or_default();
    let mut event = json!({
        "eventVersion": "1.08",
        "userIdentity": identity(partial.get("userIdentity")),
        "eventTime": DEFAULT_TIME,
        "eventName": name,
        "awsRegion": "us-east-1",
        "sourceIPAddress": "203.0.113.10",
        "userAgent": "aws-cli/2.15.0",
        "requestID": "11111111-2222-3333-4444-555555555555",
        "eventID": "00000000-0000-4000-8000-000000000001",
        "readOnly": false,
        "eventType": "AwsApiCall",
        "managementEvent": true,
        "recipientAccountId": DEFAULT_ACCOUNT,
        "eventCategory": "Management",
    });
    if partial.get("eventSource").is_none() {
        let source = the_source(name, sources)?;
        merge(&mut event, &json!({ "eventSource": source }));
    }
    merge(&mut event, partial);
    Ok(event.to_string())
}

fn the_source(name: &str, of_rule: &[String]) -> Result<String, String> {
    let mut sources: Vec<String> = of_rule.to_vec();
    if sources.is_empty() {
        let rows = EventKind::ALL.into_iter().flat_map(names_of);
        sources = rows.filter(|(_, known)| *known == name).map(|(source, _)| source).collect();
    }
    sources.sort();
    sources.dedup();
    match sources.as_slice() {
        [source] => Ok(source.clone()),
        [] => Err(format!("write the eventSource of {name}, no service is known for it")),
        several => Err(format!("write the eventSource of {name}, it is one of {}", several.join(", "))),
    }
}

/// The caller, of the type the test asks for.
fn identity(partial: Option<&Value>) -> Value {
    let kind = partial.and_then(|identity| identity.get("type")).and_then(Value::as_str).unwrap_or("IAMUser");
    match kind {
        "IAMUser" => json!({
            "type": "IAMUser",
            "principalId": "AIDAEXAMPLEALICE00001",
            "arn": format!("arn:aws:iam::{DEFAULT_ACCOUNT}:user/{DEFAULT_USER}"),
            "accountId": DEFAULT_ACCOUNT,
            "accessKeyId": "AKIAIOSFODNN7EXAMPLE",
            "userName": DEFAULT_USER,
        }),
        "Root" => json!({
            "type": "Root",
            "principalId": DEFAULT_ACCOUNT,
            "arn": format!("arn:aws:iam::{DEFAULT_ACCOUNT}:root"),
            "accountId": DEFAULT_ACCOUNT,
        }),
        "AssumedRole" => json!({
            "type": "AssumedRole",
            "principalId": "AROAEXAMPLEDEPLOY0001:session",
            "arn": format!("arn:aws:sts::{DEFAULT_ACCOUNT}:assumed-role/deploy/session"),
            "accountId": DEFAULT_ACCOUNT,
            "accessKeyId": "ASIAIOSFODNN7EXAMPLE",
            "sessionContext": {
                "sessionIssuer": {
                    "type": "Role",
                    "principalId": "AROAEXAMPLEDEPLOY0001",
                    "arn": format!("arn:aws:iam::{DEFAULT_ACCOUNT}:role/deploy"),
                    "accountId": DEFAULT_ACCOUNT,
                    "userName": "deploy",
                },
                "attributes": { "creationDate": DEFAULT_TIME, "mfaAuthenticated": "false" },
            },
        }),
        "AWSService" => json!({ "type": "AWSService", "invokedBy": "cloudformation.amazonaws.com" }),
        other => json!({ "type": other, "accountId": DEFAULT_ACCOUNT }),
    }
}

/// JSON merge patch. Source: RFC 7396. Recursion is bounded by the depth of the YAML file.
fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(changes) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let Value::Object(members) = target else { return };
    for (key, change) in changes {
        if change.is_null() {
            members.shift_remove(key);
        } else {
            merge(members.entry(key.clone()).or_insert(Value::Null), change);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn completed(partial: Value) -> Value {
        serde_json::from_str(&complete(&partial, &[]).unwrap()).unwrap()
    }

    #[test]
    fn a_partial_event_becomes_a_whole_one() {
        let event = completed(json!({"eventName": "PutUserPolicy", "requestParameters": {"userName": "bob"}}));
        assert_eq!(event["eventSource"], "iam.amazonaws.com");
        assert_eq!(event["userIdentity"]["userName"], "alice");
        assert_eq!(event["recipientAccountId"], "111122223333");
        assert_eq!(event["requestParameters"]["userName"], "bob");
    }

    #[test]
    fn the_identity_follows_its_type_and_null_takes_a_field_away() {
        let event = completed(json!({"eventName": "CreateUser", "userIdentity": {"type": "Root"}, "userAgent": null}));
        assert_eq!(event["userIdentity"]["arn"], "arn:aws:iam::111122223333:root");
        assert_eq!(event["userIdentity"].get("userName"), None);
        assert_eq!(event.get("userAgent"), None);
    }

    #[test]
    fn a_name_that_two_services_share_needs_its_source() {
        let error = complete(&json!({"eventName": "CreatePolicy"}), &[]).unwrap_err();
        assert_eq!(
            error,
            "write the eventSource of CreatePolicy, it is one of iam.amazonaws.com, organizations.amazonaws.com"
        );
        assert!(complete(&json!({"eventName": "CreatePolicy"}), &["iam.amazonaws.com".to_owned()]).is_ok());
        assert!(complete(&json!({"eventName": "StopLogging"}), &[]).unwrap_err().contains("no service is known"));
    }
}
