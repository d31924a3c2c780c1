use serde_json::{Value, json};

use super::*;

const ROWS_AS_PUBLISHED: &str = include_str!("../../tests/data/change-events.jsonl");
const POLICY: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#;

/// A record in which each path of the row leads to a value of its own.
fn record_of(row: &Value) -> (Value, Value) {
    let mut record = json!({
        "eventVersion": "1.11", "eventSource": row["eventSource"], "eventName": row["eventName"],
        "eventTime": "2024-07-09T15:41:00Z", "awsRegion": "us-east-1", "recipientAccountId": "111122223333",
        "requestParameters": null, "responseElements": null,
    });
    let document = match row["encoding"].as_str() {
        Some("json-string") => json!(POLICY),
        Some("object") => serde_json::from_str(POLICY).unwrap(),
        Some("array") => json!(["first", "second"]),
        Some("string") => json!("lambda:InvokeFunction"),
        _ => Value::Null,
    };
    if let Some(path) = row["subject"].as_str() {
        put(&mut record, path, json!("the-subject"));
    }
    if let Some(path) = row["document"].as_str() {
        put(&mut record, path, document.clone());
    }
    if let Some(path) = row["arn"].as_str() {
        put(&mut record, path.split('|').next().unwrap(), arn_value(row));
    }
    (record, document)
}

fn arn_value(row: &Value) -> Value {
    match row["eventName"].as_str() {
        Some("SetTopicAttributes") => json!("Policy"),
        // The same path is subject and ARN there.
        _ if row["arn"] == row["subject"] => json!("the-subject"),
        _ => json!("the-arn"),
    }
}

fn put(record: &mut Value, path: &str, value: Value) {
    let path =
        if path.starts_with("responseElements.") { path.to_owned() } else { format!("requestParameters.{path}") };
    let mut here = record;
    for segment in path.split('.') {
        here = match segment.split_once('[') {
            Some((list, condition)) => {
                let (key, word) = condition.trim_end_matches(']').split_once('=').unwrap();
                here[list] = json!([{"op": "replace", key: "/other", "value": "x"}, {"op": "replace", key: word}]);
                &mut here[list][1]
            }
            None => &mut here[segment],
        };
    }
    *here = value;
}

#[test]
fn every_published_row_yields_its_kind_subject_document_and_arn() {
    let rows: Vec<Value> = ROWS_AS_PUBLISHED.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(rows.len(), 161);
    for row in &rows {
        let (record, document) = record_of(row);
        let text = record.to_string();
        let event = CloudTrailEvent::parse(&text, None).unwrap();
        let answer = serde_json::to_value(extract(&event)).unwrap();
        let expected = json!({
            "kind": row["kind"],
            "subject": row["subject"].as_str().map(|_| "the-subject"),
            "has_document": !row["document"].is_null(),
            "document": document,
            "arn": row["arn"].as_str().map(|_| arn_value(row)),
        });
        assert_eq!(answer, expected, "{row}\n{text}");

        let change = change(&event).unwrap();
        assert_eq!(change.kind.as_str(), row["kind"], "{row}");
        assert_eq!(kind_of(&event.event_source, &event.event_name), Some(change.kind));
        assert!(names_of(change.kind).any(|(source, name)| source == event.event_source && name == event.event_name));
        if matches!(row["encoding"].as_str(), Some("json-string")) {
            assert_eq!(change.document, Document::Policy(Cow::Borrowed(POLICY)), "{row}");
            assert!(change.document_use.is_some(), "{row}");
        }
    }
}

#[test]
fn the_table_is_sorted_and_names_no_event_twice() {
    assert!(ROWS.windows(2).all(|pair| (pair[0].service, pair[0].name) < (pair[1].service, pair[1].name)));
    let kinds: std::collections::BTreeSet<EventKind> = ROWS.iter().map(|row| row.kind).collect();
    assert_eq!(kinds.len(), EventKind::ALL.len());
    for kind in EventKind::ALL {
        assert_eq!(kind.as_str().parse(), Ok(kind));
    }
    assert_eq!("nonsense".parse::<EventKind>(), Err(UnknownKind("nonsense".to_owned())));
}

fn with_change(record: Value, check: impl FnOnce(Option<Change<'_>>)) {
    let text = record.to_string();
    check(change(&CloudTrailEvent::parse(&text, None).unwrap()));
}

fn call(service: &str, name: &str, request: Value) -> Value {
    json!({
        "eventSource": format!("{service}.amazonaws.com"), "eventName": name, "eventTime": "2024-07-09T15:41:00Z",
        "awsRegion": "eu-west-1", "recipientAccountId": "111122223333", "requestParameters": request,
        "userIdentity": {"type": "IAMUser", "userName": "alice", "arn": "arn:aws:iam::111122223333:user/team/alice"},
    })
}

#[test]
fn names_with_and_without_a_version_date_are_the_same_call() {
    for name in ["AddPermission20150331v2", "AddPermission20150331", "AddPermission", "AddPermission20300101v7"] {
        assert_eq!(kind_of("lambda.amazonaws.com", name), Some(EventKind::PrincipalGrant), "{name}");
    }
    assert_eq!(kind_of("lambda.amazonaws.com", "UpdateFunctionUrlConfig"), Some(EventKind::PrincipalGrant));
    assert_eq!(kind_of("es.amazonaws.com", "CreateDomain"), Some(EventKind::ResourcePolicy));
    assert_eq!(kind_of("es.amazonaws.com", "CreateElasticsearchDomain"), Some(EventKind::ResourcePolicy));
    assert_eq!(kind_of("iam.amazonaws.com", "ListUsers"), None);
    assert_eq!(kind_of("organizations.amazonaws.com", "CreatePolicy"), Some(EventKind::OrgPolicy));
    assert_eq!(kind_of("iam.amazonaws.com.evil", "CreatePolicy"), None);
}

#[test]
fn a_topic_attribute_other_than_the_policy_is_no_change_of_privilege() {
    let request = json!({"topicArn": "arn:aws:sns:eu-west-1:111122223333:t", "attributeName": "DisplayName", "attributeValue": "x"});
    with_change(call("sns", "SetTopicAttributes", request), |change| assert_eq!(change, None));
}

#[test]
fn ec2_requests_are_read_with_and_without_their_wrapper() {
    let requests = [
        json!({"AssociateIamInstanceProfileRequest": {"InstanceId": "i-1", "IamInstanceProfile": {"Arn": "arn:p"}}}),
        json!({"instanceId": "i-1", "iamInstanceProfile": {"arn": "arn:p"}}),
        json!({"InstanceId": "i-1", "IamInstanceProfile": {"Arn": "arn:p"}}),
    ];
    for request in requests {
        with_change(call("ec2", "AssociateIamInstanceProfile", request), |change| {
            let change = change.unwrap();
            assert_eq!(change.subject.as_deref(), Some("i-1"));
            assert_eq!(change.reference.as_deref(), Some("arn:p"));
            assert_eq!(change.target_arn.as_deref(), Some("arn:aws:ec2:eu-west-1:111122223333:instance/i-1"));
        });
    }
    let wrapped = json!({"ModifySnapshotAttributeRequest": {"snapshotId": "snap-1"}});
    with_change(call("ec2", "ModifySnapshotAttribute", wrapped), |change| {
        assert_eq!(change.unwrap().target_arn.as_deref(), Some("arn:aws:ec2:eu-west-1::snapshot/snap-1"));
    });
}

#[test]
fn a_key_made_without_naming_a_user_is_the_callers() {
    with_change(call("iam", "CreateAccessKey", Value::Null), |change| {
        let change = change.unwrap();
        assert_eq!(change.subject.as_deref(), Some("alice"));
        assert_eq!(change.target_arn.as_deref(), Some("arn:aws:iam::111122223333:user/alice"));
    });
}

#[test]
fn a_document_reaches_the_policy_parser_in_each_encoding_and_with_its_repeated_keys() {
    let repeated = r#"{"Statement":[],"Statement":[{"Effect":"Allow","Effect":"Deny"}]}"#;
    let encoded = percent_encoding::utf8_percent_encode(POLICY, percent_encoding::NON_ALPHANUMERIC).to_string();
    let cases = [
        ("iam", "PutUserPolicy", format!(r#"{{"policyDocument":{}}}"#, json!(POLICY)), POLICY),
        ("iam", "PutUserPolicy", format!(r#"{{"policyDocument":"{encoded}"}}"#), POLICY),
        ("iam", "PutUserPolicy", format!(r#"{{"policyDocument":{}}}"#, json!(&POLICY[..20])), &POLICY[..20]),
        ("s3", "PutBucketPolicy", format!(r#"{{"policy":[""],"bucketPolicy":{repeated}}}"#), repeated),
        ("secretsmanager", "PutResourcePolicy", format!(r#"{{"resourcePolicy":{POLICY}}}"#), POLICY),
        ("rolesanywhere", "CreateProfile", format!(r#"{{"sessionPolicy":{}}}"#, json!(POLICY)), POLICY),
        ("sqs", "CreateQueue", format!(r#"{{"attribute":{{"Policy":{}}}}}"#, json!(POLICY)), POLICY),
        ("sqs", "CreateQueue", format!(r#"{{"attributes":{{"Policy":{}}}}}"#, json!(POLICY)), POLICY),
    ];
    for (service, name, request, expected) in cases {
        let text = format!(
            r#"{{"eventSource":"{service}.amazonaws.com","eventName":"{name}","eventTime":"2024-07-09T15:41:00Z","requestParameters":{request}}}"#
        );
        let event = CloudTrailEvent::parse(&text, None).unwrap();
        assert_eq!(change(&event).unwrap().document, Document::Policy(Cow::Borrowed(expected)), "{text}");
    }
}

#[test]
fn a_document_that_is_not_there_says_why() {
    let arn = "arn:aws:iam::aws:policy/AdministratorAccess";
    let omitted = || json!({"omitted": true, "originalSize": 123456, "reason": "requestParameters too large"});
    let managed = |version: Option<&'static str>| LookUp::ManagedPolicy {
        arn: Cow::Borrowed(arn),
        version: version.map(Cow::Borrowed),
    };
    let mut created = call("iam", "CreatePolicy", omitted());
    created["responseElements"] = json!({"policy": {"arn": arn, "defaultVersionId": "v1"}});
    let cases = [
        (call("iam", "PutUserPolicy", omitted()), Document::Omitted),
        (call("iam", "PutUserPolicy", Value::Null), Document::Missing),
        (call("iam", "PutUserPolicy", json!({"policyDocument": " "})), Document::Missing),
        (call("sqs", "SetQueueAttributes", json!({"attributes": {"Policy": ""}})), Document::None),
        (call("iam", "CreateUser", json!({"userName": "bob"})), Document::None),
        (call("sts", "AssumeRole", json!({"roleArn": "arn:aws:iam::111122223333:role/r"})), Document::None),
        (call("iam", "AttachRolePolicy", json!({"roleName": "r", "policyArn": arn})), Document::LookUp(managed(None))),
        (
            call("iam", "SetDefaultPolicyVersion", json!({"policyArn": arn, "versionId": "v3"})),
            Document::LookUp(managed(Some("v3"))),
        ),
        (call("iam", "AttachRolePolicy", Value::Null), Document::Missing),
        (created, Document::LookUp(managed(Some("v1")))),
    ];
    for (record, expected) in cases {
        with_change(record.clone(), |change| assert_eq!(change.unwrap().document, expected, "{record}"));
    }
}

#[test]
fn a_lambda_permission_is_read_as_the_policy_it_becomes() {
    let mut granted = call(
        "lambda",
        "AddPermission20150331v2",
        json!({"functionName": "f", "principal": "*", "action": "lambda:InvokeFunction"}),
    );
    let refused = call(
        "lambda",
        "AddPermission20150331v2",
        json!({"functionName": "f", "principal": "444455556666", "action": "lambda:InvokeFunction", "principalOrgID": "o-1", "sourceArn": "arn:x"}),
    );
    granted["responseElements"] = json!({"statement": r#"{"Sid":"s","Effect":"Allow","Principal":"*"}"#});
    let policy = |record: Value| {
        let mut policy = Value::Null;
        with_change(record, |change| {
            let Some(Change { document: Document::Policy(text), .. }) = change else { panic!("no document") };
            policy = serde_json::from_str(&text).unwrap();
        });
        policy["Statement"][0].clone()
    };
    assert_eq!(policy(granted), json!({"Sid": "s", "Effect": "Allow", "Principal": "*"}));
    assert_eq!(
        policy(refused),
        json!({"Effect": "Allow", "Principal": {"AWS": "444455556666"}, "Action": "lambda:InvokeFunction", "Resource": "*",
               "Condition": {"StringEquals": {"aws:PrincipalOrgID": "o-1"}, "ArnLike": {"AWS:SourceArn": "arn:x"}}})
    );
}

#[test]
fn targets_have_the_arn_that_their_type_and_account_give() {
    let cases = [
        ("iam", "PutRolePolicy", json!({"roleName": "r", "policyName": "p"}), Some("arn:aws:iam::111122223333:role/r")),
        ("s3", "DeleteBucketPolicy", json!({"bucketName": "b"}), Some("arn:aws:s3:::b")),
        ("kms", "PutKeyPolicy", json!({"keyId": "1234"}), Some("arn:aws:kms:eu-west-1:111122223333:key/1234")),
        ("kms", "PutKeyPolicy", json!({"keyId": "alias/x"}), None),
        (
            "sqs",
            "SetQueueAttributes",
            json!({"queueUrl": "https://sqs.eu-west-1.amazonaws.com/111122223333/q"}),
            Some("arn:aws:sqs:eu-west-1:111122223333:q"),
        ),
        (
            "iam",
            "DeletePolicy",
            json!({"policyArn": "arn:aws:iam::111122223333:policy/a/p"}),
            Some("arn:aws:iam::111122223333:policy/a/p"),
        ),
        ("secretsmanager", "PutResourcePolicy", json!({"secretId": "s"}), None),
    ];
    for (service, name, request, expected) in cases {
        with_change(call(service, name, request), |change| {
            assert_eq!(change.unwrap().target_arn.as_deref(), expected, "{service} {name}");
        });
    }
}
