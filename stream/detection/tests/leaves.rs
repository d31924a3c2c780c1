//! Every leaf that a rule may ask of a policy: a document that meets it, one that does not, and how sure the answer is.

#![allow(clippy::unwrap_used, clippy::panic)] // helpers of tests are tests, too

use detection::{Arrival, CloudTrailEvent, Documents, Judges, RuleSet, Suppressions, complete, decide};
use serde_json::{Value, json};

/// `must`, `may`, `no` or `unknown`.
fn answer(condition: &str, event: &Value) -> &'static str {
    let name = event["eventName"].as_str().unwrap();
    let rules = format!(
        "rules:\n  - {{name: R, description: d, severity: LOW, action: log, conditions: {{event_names: [{name}], policy: {condition}}}}}"
    );
    let rules = RuleSet::load(&rules, "rules.yaml").unwrap_or_else(|faults| panic!("{condition}: {faults:#?}"));
    let text = complete(event, &[]).unwrap();
    let event = CloudTrailEvent::parse(&text, None).unwrap();
    let judges = Judges { rules: &rules, suppressions: &Suppressions::default() };
    let decided = decide(&event, judges, &Documents::none(), Arrival::default());
    match (decided.violations.first(), decided.undecided.is_empty()) {
        (Some(row), _) => {
            assert!(!row.evidence.is_empty());
            if row.certainty == schemas::Certainty::Must { "must" } else { "may" }
        }
        (None, false) => "unknown",
        (None, true) => "no",
    }
}

fn inline(statement: &str) -> Value {
    let document = format!(r#"{{"Version":"2012-10-17","Statement":[{statement}]}}"#);
    json!({"eventName": "PutRolePolicy", "requestParameters": {"roleName": "app", "policyName": "p", "policyDocument": document}})
}

fn trust(principal: &str, condition: &str) -> Value {
    let statement = format!(r#"{{"Effect":"Allow","Principal":{principal},"Action":"sts:AssumeRole"{condition}}}"#);
    let document = format!(r#"{{"Version":"2012-10-17","Statement":[{statement}]}}"#);
    json!({"eventName": "UpdateAssumeRolePolicy", "requestParameters": {"roleName": "app", "policyDocument": document}})
}

const ADMIN: &str = r#"{"Effect":"Allow","Action":"*","Resource":"*"}"#;
const GUARDED_ADMIN: &str =
    r#"{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"Bool":{"aws:MultiFactorAuthPresent":"true"}}}"#;
const READ: &str = r#"{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*"}"#;
const PASS: &str =
    r#"{"Effect":"Allow","Action":["iam:PassRole","lambda:CreateFunction","lambda:InvokeFunction"],"Resource":"*"}"#;

#[test]
fn every_question_about_an_identity_policy_has_its_answer() {
    for (condition, statement, expected) in [
        ("{full_admin: true}", ADMIN, "must"),
        ("{full_admin: true}", GUARDED_ADMIN, "may"),
        ("{full_admin: true}", READ, "no"),
        ("{full_admin: false}", READ, "must"),
        ("{full_admin: false}", ADMIN, "no"),
        ("{not: {full_admin: true}}", GUARDED_ADMIN, "may"),
        ("{grants: ['s3:GetObject', 'ec2:RunInstances']}", READ, "must"),
        ("{grants: ['s3:PutObject']}", READ, "no"),
        ("{not_grants: ['s3:PutObject']}", READ, "must"),
        ("{grants_on: {action: 's3:GetObject', resource: 'arn:aws:s3:::b/x'}}", READ, "must"),
        ("{grants_on: {action: 's3:GetObject', resource: 'arn:aws:s3:::c/x'}}", READ, "no"),
        ("{effective_admin: true}", r#"{"Effect":"Allow","Action":"iam:*","Resource":"*"}"#, "must"),
        ("{effective_admin: true}", READ, "no"),
        ("{wildcard_service: true}", r#"{"Effect":"Allow","Action":"s3:*","Resource":"*"}"#, "must"),
        ("{wildcard_service: [iam, sts]}", r#"{"Effect":"Allow","Action":"s3:*","Resource":"*"}"#, "no"),
        ("{wildcard_service: [S3]}", r#"{"Effect":"Allow","Action":"s3:*","Resource":"*"}"#, "must"),
        ("{wildcard_action: true}", r#"{"Effect":"Allow","Action":"*","Resource":"arn:aws:s3:::b"}"#, "must"),
        ("{wildcard_action: true}", READ, "no"),
        ("{not_action_allow: true}", r#"{"Effect":"Allow","NotAction":"iam:*","Resource":"*"}"#, "must"),
        ("{not_action_allow: true}", ADMIN, "no"),
        ("{not_resource_allow: true}", r#"{"Effect":"Allow","Action":"s3:*","NotResource":"arn:aws:s3:::b"}"#, "must"),
        ("{not_resource_allow: true}", ADMIN, "no"),
        ("{resource_wildcard_on: ['iam:PassRole']}", PASS, "must"),
        ("{resource_wildcard_on: ['s3:GetObject']}", READ, "no"),
        (
            "{access_level: [permissions_management]}",
            r#"{"Effect":"Allow","Action":"iam:AttachRolePolicy","Resource":"*"}"#,
            "must",
        ),
        ("{access_level: ['Permissions management', Write]}", READ, "no"),
        ("{access_level: [read]}", READ, "must"),
        ("{privilege_escalation: true}", PASS, "must"),
        ("{privilege_escalation: {methods: [lambda-001], certainty: must}}", PASS, "must"),
        ("{privilege_escalation: {methods: [ec2-001]}}", PASS, "no"),
        ("{privilege_escalation: {methods: any, certainty: must}}", GUARDED_ADMIN, "no"),
        ("{privilege_escalation: {methods: any}}", GUARDED_ADMIN, "may"),
        ("{malformed: true}", r#"{"Effect":"allow","Action":"*","Resource":"*"}"#, "must"),
        ("{malformed: true}", READ, "no"),
        ("{not_visible: true}", READ, "no"),
        ("{new_access: true}", READ, "may"),
        ("{public_principal: true}", ADMIN, "no"),
        ("{all: [{full_admin: true}, {wildcard_action: true}]}", ADMIN, "must"),
        ("{all: [{full_admin: true}, {grants: ['s3:GetObject']}]}", READ, "no"),
        ("{any: [{full_admin: true}, {grants: ['s3:GetObject']}]}", READ, "must"),
        ("{full_admin: true, wildcard_action: false}", ADMIN, "no"),
    ] {
        assert_eq!(answer(condition, &inline(statement)), expected, "{condition} of {statement}");
    }
}

#[test]
fn every_question_about_who_is_let_in_has_its_answer() {
    let foreign = r#"{"AWS":"999988887777"}"#;
    let with_id = r#","Condition":{"StringEquals":{"sts:ExternalId":"x"}}"#;
    for (condition, principal, guard, expected) in [
        ("{public_principal: true}", r#""*""#, "", "must"),
        ("{public_principal: true}", foreign, "", "no"),
        ("{cross_account_principal: true}", foreign, "", "must"),
        ("{cross_account_principal: true}", r#"{"AWS":"111122223333"}"#, "", "no"),
        ("{cross_account_principal: {outside: ['9999*']}}", foreign, "", "no"),
        ("{cross_account_principal: {outside: ['444455556666']}}", foreign, "", "must"),
        ("{external_id_missing: true}", foreign, "", "must"),
        ("{external_id_missing: true}", foreign, with_id, "no"),
    ] {
        assert_eq!(answer(condition, &trust(principal, guard)), expected, "{condition} of {principal} {guard}");
    }
    let web = |guard: &str| {
        let provider = "arn:aws:iam::111122223333:oidc-provider/token.actions.githubusercontent.com";
        let mut event = trust(&format!(r#"{{"Federated":"{provider}"}}"#), guard);
        let text = event["requestParameters"]["policyDocument"]
            .as_str()
            .unwrap()
            .replace("sts:AssumeRole", "sts:AssumeRoleWithWebIdentity");
        event["requestParameters"]["policyDocument"] = json!(text);
        event
    };
    let one_repository =
        r#","Condition":{"StringLike":{"token.actions.githubusercontent.com:sub":"repo:org/app:ref:refs/heads/main"}}"#;
    assert_ne!(answer("{oidc_unrestricted: true}", &web("")), "no");
    assert_eq!(answer("{oidc_unrestricted: true}", &web(one_repository)), "no");
}

#[test]
fn what_cannot_be_seen_is_unknown_and_only_not_visible_says_so() {
    let arn = "arn:aws:iam::111122223333:policy/Team";
    let attached = json!({"eventName": "AttachRolePolicy", "requestParameters": {"roleName": "app", "policyArn": arn}});
    for (condition, expected) in [
        ("{not_visible: true}", "must"),
        ("{full_admin: true}", "unknown"),
        ("{full_admin: false}", "unknown"),
        ("{not_grants: ['s3:*']}", "unknown"),
        ("{any: [{full_admin: true}, {not_visible: true}]}", "must"),
        ("{all: [{full_admin: true}, {not_visible: false}]}", "no"),
        ("{new_access: true}", "may"),
        ("{malformed: true}", "unknown"),
    ] {
        assert_eq!(answer(condition, &attached), expected, "{condition}");
    }
    let without_document = json!({"eventName": "CreateUser", "requestParameters": {"userName": "bob"}});
    assert_eq!(answer("{not_visible: true}", &without_document), "no");
    assert_eq!(answer("{full_admin: true}", &without_document), "no");
}

#[test]
fn documents_of_aws_managed_policies_are_known_in_every_partition() {
    for (arn, expected) in [
        ("arn:aws:iam::aws:policy/AdministratorAccess", "must"),
        ("arn:aws-us-gov:iam::aws:policy/AdministratorAccess", "must"),
        ("arn:aws-cn:iam::aws:policy/AdministratorAccess", "must"),
        ("arn:aws:iam::aws:policy/ReadOnlyAccess", "no"),
        ("arn:aws:iam::aws:policy/service-role/NoSuchPolicyYet", "unknown"),
        ("arn:aws:iam::111122223333:policy/AdministratorAccess", "unknown"),
    ] {
        let attached =
            json!({"eventName": "AttachRolePolicy", "requestParameters": {"roleName": "app", "policyArn": arn}});
        assert_eq!(answer("{full_admin: true}", &attached), expected, "{arn}");
    }
}
