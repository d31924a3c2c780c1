//! Examples for each semantic rule: a request and its answer, asked through the JSON-lines interface.
//! A new case is a new line of tests/data/cases.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    missing_docs,
    reason = "a test may fail loudly"
)]

use policy::answer;
use serde_json::{Value, json};

fn cases(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn ask(request: &Value) -> Value {
    serde_json::from_str(&answer(&request.to_string())).unwrap()
}

#[test]
fn every_decision_is_as_the_rule_says() {
    let cases = cases(include_str!("data/cases/decide.jsonl"));
    assert!(cases.len() >= 80);
    let mut wrong = Vec::new();
    for case in &cases {
        let decision = &ask(case)["decision"];
        if *decision != case["decision"] {
            wrong.push(format!("{}: {decision}, not {}", case["name"], case["decision"]));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn trust_and_resource_policies_expose_what_they_should() {
    let cases = cases(include_str!("data/cases/exposure.jsonl"));
    assert!(cases.len() >= 45);
    let mut wrong = Vec::new();
    for case in &cases {
        let answer = ask(&case["request"]);
        assert_eq!(answer["malformed"], json!([]), "{}", case["name"]);
        for (field, expected) in case["expect"].as_object().unwrap() {
            if answer[field] != *expected {
                wrong.push(format!("{}: {field} is {}, not {expected}", case["name"], answer[field]));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

fn judged(statements: &str) -> Value {
    ask(&json!({"policy": format!("{{\"Version\":\"2012-10-17\",\"Statement\":[{statements}]}}"),
        "probe": ["iam:PassRole", "iam:CreateAccessKey", "s3:GetObject", "new:ThingNobodyKnows", "iam:CreatePolicyVersion"]}))
}

const ALL: &str = r#"{"Effect":"Allow","Action":"*","Resource":"*"}"#;

#[test]
fn a_deny_of_a_whole_service_takes_its_methods_away() {
    let answer = judged(&format!(r#"{ALL},{{"Effect":"Deny","Action":"iam:*","Resource":"*"}}"#));
    assert_eq!(answer["full_admin"], json!(false));
    assert_eq!(answer["effective_admin"], json!(false));
    assert_eq!(answer["grants"]["iam:PassRole"], json!({"may": false, "must": false}));
    assert_eq!(answer["grants"]["s3:GetObject"], json!({"may": true, "must": true}));
    let methods = answer["privilege_escalation"]["may"].as_array().unwrap();
    assert!(methods.iter().all(|id| !id.as_str().unwrap().starts_with("iam-")), "{methods:?}");
    assert!(methods.contains(&json!("lambda-003")), "code of existing functions can still be changed");
}

#[test]
fn a_deny_on_some_resources_leaves_the_others() {
    let answer = judged(&format!(r#"{ALL},{{"Effect":"Deny","Action":"*","Resource":"arn:aws:iam::*:role/admin*"}}"#));
    assert_eq!(answer["full_admin"], json!(false));
    assert_eq!(answer["grants"]["iam:PassRole"], json!({"may": true, "must": true}));
}

#[test]
fn a_deny_with_a_condition_counts_for_must_only() {
    let deny = r#"{"Effect":"Deny","Action":"iam:*","Resource":"*","Condition":{"BoolIfExists":{"aws:MultiFactorAuthPresent":"false"}}}"#;
    let answer = judged(&format!("{ALL},{deny}"));
    assert_eq!(answer["grants"]["iam:PassRole"], json!({"may": true, "must": false}));
    assert_eq!(answer["full_admin"], json!(false));
    assert!(answer["privilege_escalation"]["may"].as_array().unwrap().contains(&json!("iam-001")));
    assert!(!answer["privilege_escalation"]["must"].as_array().unwrap().contains(&json!("iam-001")));
}

#[test]
fn everything_on_a_bucket_grants_nothing_in_iam() {
    for resource in ["arn:aws:s3:::b/*", "arn:*:s3:::b/*", "arn:aws:s3:::*"] {
        let answer = judged(&format!(r#"{{"Effect":"Allow","Action":"*","Resource":"{resource}"}}"#));
        assert_eq!(answer["grants"]["iam:PassRole"], json!({"may": false, "must": false}), "{resource}");
        assert_eq!(answer["privilege_escalation"], json!({"may": [], "must": []}), "{resource}");
        assert_eq!(
            answer["grants"]["new:ThingNobodyKnows"]["must"],
            json!(true),
            "unknown actions may use any resource"
        );
    }
}

#[test]
fn a_grant_on_one_named_role_never_hides_a_wider_one() {
    let on = |resource: &str| format!(r#"{{"Effect":"Allow","Action":"iam:PutRolePolicy","Resource":"{resource}"}}"#);
    let (one, every) = (on("arn:aws:iam::111122223333:role/app"), on("arn:aws:iam::*:role/*"));
    assert_eq!(judged(&one)["effective_admin"], json!(false), "the role may not be the holder's own");
    assert_eq!(judged(&format!("{one},{every}"))["effective_admin"], json!(true));
    assert_eq!(judged(&format!("{every},{one}"))["effective_admin"], json!(true));
}

#[test]
fn managing_ones_own_keys_is_granted_but_no_escalation() {
    let own = r#"{"Effect":"Allow","Action":"iam:*AccessKey*","Resource":["arn:aws:iam::*:user/${aws:username}","arn:aws:iam::*:user/*/${aws:username}"]}"#;
    let answer = judged(own);
    assert_eq!(answer["grants"]["iam:CreateAccessKey"], json!({"may": true, "must": true}));
    assert_eq!(answer["privilege_escalation"]["may"], json!([]));
    let version_2008 = own.replace("*/${aws:username}", "*");
    assert_eq!(judged(&version_2008)["privilege_escalation"]["must"], json!(["iam-002", "iam-003"]));
}

#[test]
fn policies_of_aws_and_service_linked_roles_cannot_be_edited() {
    let aws = judged(r#"{"Effect":"Allow","Action":"iam:*PolicyVersion","Resource":"arn:aws:iam::aws:policy/*"}"#);
    assert_eq!(aws["privilege_escalation"]["may"], json!([]));
    let linked = judged(
        r#"{"Effect":"Allow","Action":["iam:PutRolePolicy","iam:AttachRolePolicy"],"Resource":"arn:aws:iam::*:role/aws-service-role/*"}"#,
    );
    assert_eq!(linked["privilege_escalation"]["may"], json!([]));
    let other =
        judged(r#"{"Effect":"Allow","Action":"iam:PutRolePolicy","Resource":"arn:aws:iam::*:role/aws-service*"}"#);
    assert_eq!(other["privilege_escalation"]["must"], json!(["iam-005"]));
}

#[test]
fn conditions_that_guard_nothing_do_not_weaken_must() {
    let with = |condition: &str| {
        judged(&format!(r#"{{"Effect":"Allow","Action":"iam:*","Resource":"*","Condition":{condition}}}"#))["grants"]["iam:PassRole"].clone()
    };
    assert_eq!(with(r#"{"ForAllValues:StringEquals":{"aws:TagKeys":["a"]}}"#)["must"], json!(true));
    assert_eq!(with(r#"{"BoolIfExists":{"aws:MultiFactorAuthPresent":"true"}}"#)["must"], json!(true));
    assert_eq!(with(r#"{"StringLikeIfExists":{"aws:PrincipalArn":"arn:aws:iam::1:role/x"}}"#)["must"], json!(false));
    assert_eq!(with(r#"{"StringEquals":{"aws:PrincipalTag/a":"b"}}"#), json!({"may": true, "must": false}));
    assert_eq!(
        with(r#"{"StringEquals":{"aws:PrincipalTag/a":"b"},"Null":{"aws:PrincipalTag/a":"true"}}"#),
        json!({"may": false, "must": false})
    );
    assert_eq!(with(r#"{"StringEquals":{"aws:PrincipalTag/a":[]}}"#), json!({"may": false, "must": false}));
}

#[test]
fn everything_may_be_said_in_pieces() {
    for (statements, full) in [
        (r#"{"Effect":"Allow","Action":"*:*","Resource":"*"}"#, true),
        (
            r#"{"Effect":"Allow","NotAction":"iam:*","Resource":"*"},{"Effect":"Allow","Action":"IAM:*","Resource":"*"}"#,
            true,
        ),
        (
            r#"{"Effect":"Allow","NotAction":"iam:*","Resource":"*"},{"Effect":"Allow","Action":"iam:P*","Resource":"*"}"#,
            false,
        ),
        (
            r#"{"Effect":"Allow","NotAction":["iam:*","sts:*"],"Resource":"*"},{"Effect":"Allow","NotAction":["s3:*"],"Resource":"*"}"#,
            true,
        ),
        (r#"{"Effect":"Allow","Action":"*","Resource":"arn:aws:s3:::b"}"#, false),
    ] {
        assert_eq!(judged(statements)["full_admin"], json!(full), "{statements}");
    }
}

#[test]
fn documents_that_only_limit_grant_nothing() {
    for kind in ["scp", "boundary"] {
        let answer = ask(
            &json!({"kind": kind, "policy": {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}, "probe": ["iam:PassRole"]}),
        );
        assert_eq!(answer["full_admin"], json!(false));
        assert_eq!(answer["grants"]["iam:PassRole"]["may"], json!(false));
        assert_eq!(answer["privilege_escalation"]["may"], json!([]));
    }
}

#[test]
fn every_fault_is_reported_with_its_place() {
    let cases = cases(include_str!("data/cases/malformed.jsonl"));
    assert!(cases.len() >= 19);
    for case in &cases {
        let answer = ask(&json!({"policy": case["text"]}));
        assert_eq!(answer["malformed"][0], case["reason"], "{}", case["text"]);
    }
}

#[test]
fn a_bad_line_is_answered_with_its_id() {
    for line in [r#"{"id":7,"kind":5}"#, r#"{"id":7}"#, r#"{"id":7,"policy":"x","resource":"*"}"#] {
        let answer: Value = serde_json::from_str(&answer(line)).unwrap();
        assert_eq!(answer["id"], json!(7));
        assert!(answer["error"].is_string(), "{answer}");
    }
    assert!(answer("garbage").contains("\"error\""));
}

#[test]
fn comparison_answers_with_a_witness_for_each_true_direction() {
    let old =
        json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}]});
    let new = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": ["s3:GetObject", "iam:PassRole"], "Resource": "*"}]});
    let answer = ask(&json!({"id": "c", "old": old, "new": new}));
    assert_eq!((&answer["new_access"], &answer["lost_access"]), (&json!(true), &json!(false)));
    assert_eq!(answer["witness"]["new_access"]["action"], json!("iam:PassRole"));
    assert_eq!(answer["witness"].as_object().unwrap().len(), 1);
}
