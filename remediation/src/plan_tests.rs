//! Plans and their undoing, on facts as IAM would show them.

use serde_json::{Value, json};

use crate::facts::{Baseline, Facts, PolicyFacts, Version, assumed};
use crate::plan::{MAX_STEPS, plan, quarantine_copy};
use crate::request::Request;
use crate::samples::{attachment, inline, request};
use crate::step::{Holder, HolderKind, Place, Step};
use crate::undo::undo;

const ARN: &str = "arn:aws:iam::111111111111:policy/p";
const GOOD: &str =
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"}]}"#;
const BAD: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#;

fn on_policy(action: &str, kind: &str, more: Value) -> Request {
    let mut changes = json!({
        "remediation_action": action, "event_kind": kind, "policy_arn": ARN, "policy_name": "p", "target_type": "policy",
        "target_name": "p", "target_arn": ARN, "policy_document": BAD,
    });
    changes.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    request(changes)
}

fn holder(kind: HolderKind, name: &str) -> Holder {
    Holder { kind, name: name.to_owned() }
}

fn policy() -> PolicyFacts {
    let version = |id: &str, document: &str| Version { id: id.to_owned(), document: document.to_owned() };
    PolicyFacts {
        arn: ARN.to_owned(),
        name: "p".to_owned(),
        path: "/".to_owned(),
        description: "text".to_owned(),
        tags: Vec::new(),
        versions: vec![version("v1", GOOD), version("v2", BAD)],
        default_version: "v2".to_owned(),
        attached_to: vec![holder(HolderKind::User, "bob"), holder(HolderKind::Group, "devs")],
        boundary_of: Vec::new(),
    }
}

fn facts() -> Facts {
    Facts { policy: Some(policy()), ..Facts::default() }
}

fn words(steps: &[Step]) -> Vec<String> {
    steps.iter().map(|step| step.to_string().replace("arn:aws:iam::111111111111:policy/", "")).collect()
}

#[test]
fn a_policy_is_detached_everywhere_then_loses_its_versions_then_goes() {
    let request = on_policy("delete_policy", "managed_policy_create", json!({}));
    let steps = plan(&request, &facts(), None).unwrap().steps;
    assert_eq!(
        words(&steps),
        ["detach p from user bob", "detach p from group devs", "delete version v1 of p", "delete policy p"]
    );
}

#[test]
fn quarantine_makes_the_copy_first_and_once() {
    let request = on_policy("quarantine_policy", "managed_policy_create", json!({}));
    let steps = plan(&request, &facts(), None).unwrap().steps;
    let Some(Step::CreatePolicy { arn, name, document, tags, .. }) = steps.first() else { panic!("{steps:?}") };
    assert_eq!((arn, name), (&quarantine_copy(&request, ARN).1, &quarantine_copy(&request, ARN).0));
    assert!(arn.contains(":policy/quarantine/quarantine-p-") && name.len() <= 128);
    assert_eq!((document.as_str(), tags.len()), (BAD, 3));
    let mut again = facts();
    again.copy = again.policy.clone();
    assert_eq!(plan(&request, &again, Some(&facts())).unwrap().steps, steps[1..]);
    let long = "n".repeat(128);
    assert!(quarantine_copy(&request, &format!("arn:aws:iam::1:policy/{long}")).0.len() <= 128);
}

#[test]
fn after_a_crash_at_any_step_the_rest_is_planned_and_nothing_else() {
    let request = on_policy("quarantine_policy", "managed_policy_create", json!({}));
    let before = facts();
    let steps = plan(&request, &before, None).unwrap().steps;
    let mut live = before.clone();
    for (done, step) in steps.iter().enumerate() {
        assert_eq!(plan(&request, &live, Some(&before)).unwrap().steps, steps[done..]);
        match step {
            Step::CreatePolicy { .. } => live.copy = live.policy.clone(),
            Step::Detach { holder, .. } => live.policy.as_mut().unwrap().attached_to.retain(|other| other != holder),
            Step::DeleteVersion { version, .. } => {
                live.policy.as_mut().unwrap().versions.retain(|other| other.id != *version);
            }
            Step::DeletePolicy { .. } => live.policy = None,
            other => panic!("{other}"),
        }
    }
    assert_eq!(plan(&request, &live, Some(&before)).unwrap().steps, []);
    assert_eq!(plan(&request, &live, None).unwrap_err().code(), "changed_since");
}

#[test]
fn after_a_crash_nothing_is_taken_away_that_was_not_there_before() {
    let request = on_policy("delete_policy", "managed_policy_create", json!({}));
    let before = facts();
    let mut attached = before.clone();
    attached.policy.as_mut().unwrap().attached_to.push(holder(HolderKind::Role, "new"));
    let mut versioned = before.clone();
    let version = Version { id: "v3".to_owned(), document: GOOD.to_owned() };
    versioned.policy.as_mut().unwrap().versions.push(version);
    for live in [attached, versioned] {
        assert_eq!(plan(&request, &live, Some(&before)).unwrap_err().code(), "changed_since");
    }
}

#[test]
fn a_policy_in_doubt_is_not_deleted() {
    let request = on_policy("delete_policy", "managed_policy_create", json!({}));
    let with = |turn: fn(&mut PolicyFacts)| {
        let mut facts = facts();
        turn(facts.policy.as_mut().unwrap());
        plan(&request, &facts, None).map_err(|refusal| refusal.code()).map(drop)
    };
    assert_eq!(with(|_| ()), Ok(()));
    assert_eq!(with(|policy| policy.boundary_of.push(holder(HolderKind::User, "x"))), Err("used_as_boundary"));
    assert_eq!(with(|policy| policy.versions[1].document = GOOD.to_owned()), Err("changed_since"));
    assert_eq!(with(|policy| policy.versions[1].document = "x".repeat(6_145)), Err("document_too_large"));
    let at_limit =
        |policy: &mut PolicyFacts| policy.versions[0].document = format!("{}{}", "x".repeat(6_144), " ".repeat(99));
    assert_eq!(with(at_limit), Ok(()));
    let many = |count: usize| {
        let mut facts = facts();
        let policy = facts.policy.as_mut().unwrap();
        policy.attached_to = (0..count).map(|number| holder(HolderKind::User, &number.to_string())).collect();
        plan(&request, &facts, None).map_err(|refusal| refusal.code()).map(|plan| plan.steps.len())
    };
    assert_eq!(many(MAX_STEPS - 2), Ok(MAX_STEPS));
    assert_eq!(many(MAX_STEPS - 1), Err("too_large"));
}

#[test]
fn a_version_is_reverted_only_to_one_that_was_surely_in_force() {
    let request = on_policy("revert_policy_version", "managed_policy_version", json!({}));
    let reverted = |facts: &Facts| plan(&request, facts, None).map(|plan| words(&plan.steps)).map_err(|no| no.code());
    assert_eq!(reverted(&facts()), Ok(vec!["put version v1 of p into force".to_owned()]));

    let mut three = facts();
    let version = Version { id: "v3".to_owned(), document: GOOD.to_owned() };
    three.policy.as_mut().unwrap().versions.push(version);
    assert_eq!(reverted(&three), Err("no_state_before"));
    three.baseline = Some(Baseline { default_version: Some("v3".to_owned()), ..Baseline::default() });
    assert_eq!(reverted(&three), Ok(vec!["put version v3 of p into force".to_owned()]));
    three.baseline = Some(Baseline { default_version: Some("v9".to_owned()), ..Baseline::default() });
    assert_eq!(reverted(&three), Err("no_state_before"));

    let mut other = facts();
    other.policy.as_mut().unwrap().default_version = "v1".to_owned();
    assert_eq!(reverted(&other), Err("changed_since"));
    let named = on_policy(
        "revert_policy_version",
        "managed_policy_default",
        json!({
            "policy_document": null, "request_parameters": json!({"policyArn": ARN, "versionId": "v2"}).to_string(),
        }),
    );
    assert!(plan(&named, &facts(), None).is_ok());
    assert_eq!(plan(&named, &other, None).unwrap_err().code(), "changed_since");
}

#[test]
fn trust_and_boundary_go_back_to_what_was_noted_and_nowhere_else() {
    let trust = request(json!({
        "remediation_action": "restore_trust_policy", "event_kind": "trust_policy", "target_type": "role",
        "target_name": "r", "target_arn": "arn:aws:iam::111111111111:role/r", "policy_document": BAD,
    }));
    let mut live = assumed(&trust);
    assert_eq!(plan(&trust, &live, None).unwrap_err().code(), "no_state_before");
    live.baseline = Some(Baseline { trust: Some(GOOD.to_owned()), ..Baseline::default() });
    let before = live.clone();
    assert_eq!(words(&plan(&trust, &live, None).unwrap().steps), ["write the trust policy of role r"]);
    live.holder.as_mut().unwrap().trust = Some(GOOD.to_owned());
    assert_eq!(plan(&trust, &live, Some(&before)).unwrap().steps, []);
    assert_eq!(words(&undo(&trust, &before, &live).unwrap().steps), ["write the trust policy of role r"]);
    live.holder.as_mut().unwrap().trust = Some("{}".to_owned());
    assert_eq!(plan(&trust, &live, Some(&before)).unwrap_err().code(), "changed_since");
    assert_eq!(undo(&trust, &before, &live).unwrap_err().code(), "changed_since");

    let removed = request(json!({
        "remediation_action": "restore_boundary", "event_kind": "boundary_removed", "policy_arn": null,
    }));
    let mut live = assumed(&removed);
    live.baseline = Some(Baseline { boundary: Some(ARN.to_owned()), ..Baseline::default() });
    let before = live.clone();
    assert_eq!(words(&plan(&removed, &live, None).unwrap().steps), ["set boundary p on user bob"]);
    live.holder.as_mut().unwrap().boundary = Some(ARN.to_owned());
    assert_eq!(words(&undo(&removed, &before, &live).unwrap().steps), ["take the boundary away from user bob"]);
    live.holder.as_mut().unwrap().boundary = Some("other".to_owned());
    assert_eq!(plan(&removed, &live, None).unwrap_err().code(), "changed_since");
}

#[test]
fn what_is_gone_or_differs_is_left_alone() {
    let mut live = assumed(&inline());
    live.inline_document = Some(GOOD.to_owned());
    assert_eq!(plan(&inline(), &live, None).unwrap_err().code(), "changed_since");
    live.inline_document = None;
    assert_eq!(plan(&inline(), &live, None).unwrap_err().code(), "changed_since");
    assert_eq!(plan(&inline(), &live, Some(&assumed(&inline()))).unwrap().steps, []);
    let mut live = assumed(&attachment());
    live.holder.as_mut().unwrap().attached.clear();
    assert_eq!(plan(&attachment(), &live, None).unwrap_err().code(), "changed_since");
    live.holder = None;
    assert_eq!(plan(&attachment(), &live, Some(&assumed(&attachment()))).unwrap_err().code(), "changed_since");
}

#[test]
fn undo_brings_a_deleted_policy_back_with_all_its_versions_in_their_order() {
    let request = on_policy("delete_policy", "managed_policy_create", json!({}));
    let steps = undo(&request, &facts(), &Facts::default()).unwrap().steps;
    assert_eq!(
        words(&steps),
        ["create policy p", "create version v2 of p", "attach p to user bob", "attach p to group devs"]
    );
    assert!(matches!(&steps[1], Step::CreateVersion { in_force: true, .. }));
    let mut half = facts();
    half.policy.as_mut().unwrap().attached_to.clear();
    assert_eq!(
        words(&undo(&request, &facts(), &half).unwrap().steps),
        ["attach p to user bob", "attach p to group devs"]
    );
    half.policy.as_mut().unwrap().versions.remove(0);
    assert_eq!(words(&undo(&request, &facts(), &half).unwrap().steps)[0], "create version v3 of p");
    half.policy.as_mut().unwrap().versions[0].document = "{}".to_owned();
    assert_eq!(undo(&request, &facts(), &half).unwrap_err().code(), "changed_since");
    assert_eq!(undo(&request, &facts(), &facts()).unwrap().steps, []);
}

#[test]
fn a_session_may_make_one_call_on_one_arn() {
    let place = Place { partition: "aws-cn", account_id: "222222222222" };
    let step = Step::Detach { holder: holder(HolderKind::Role, "r"), policy_arn: ARN.to_owned() };
    let policy: Value = serde_json::from_str(&step.session_policy(place)).unwrap();
    let expected = json!({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Action": ["iam:DetachRolePolicy"],
        "Resource": ["arn:aws-cn:iam::222222222222:role/r", "arn:aws-cn:iam::222222222222:role/*/r"],
        "Condition": {"ArnEquals": {"iam:PolicyARN": ARN}},
    }]});
    assert_eq!(policy, expected);
}

#[test]
fn the_key_is_the_one_of_the_event_and_not_the_one_of_the_caller() {
    let asked = request(json!({
        "remediation_action": "deactivate_access_key", "event_name": "CreateAccessKey", "event_kind": "credential_create",
        "original_event": json!({"responseElements": {"accessKey": {"accessKeyId": "AKIANEW", "userName": "carol"}}}).to_string(),
    }));
    let steps = plan(&asked, &assumed(&asked), None).unwrap().steps;
    assert_eq!(words(&steps), ["deactivate access key AKIANEW of user carol"]);
}
