//! Against a stand-in that enforces IAM: the session of a call may do no more than the call.

use local_aws::LocalAws;
use serde_json::{Value, json};

use crate::world::{MEMBER, OWN, ROLE, World, config, form, message, violation_id};

/// A role of an account: everything in IAM, for whoever comes from our account with the external id.
fn role(world: &World, account: &str, name: &str) {
    let trust = json!({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Principal": {"AWS": format!("arn:aws:iam::{OWN}:root")}, "Action": "sts:AssumeRole",
        "Condition": {"StringEquals": {"sts:ExternalId": "shared-secret"}},
    }]});
    let rights =
        json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "iam:*", "Resource": "*"}]});
    world.iam(account, "CreateRole", &[("RoleName", name), ("AssumeRolePolicyDocument", &trust.to_string())]);
    let policy = [("RoleName", name), ("PolicyName", "repair"), ("PolicyDocument", &rights.to_string())];
    world.iam(account, "PutRolePolicy", &policy);
}

#[test]
fn where_iam_is_enforced_the_narrow_sessions_suffice_and_without_the_external_id_there_are_none() {
    let world = World::on(LocalAws::start_with(&[("AUTH", "true")]), &config());
    role(&world, MEMBER, ROLE);
    let asked = world.inline(MEMBER, "bob");
    let stranger = world.instance(&[("REMEDIATION_EXTERNAL_ID", "guessed")]);
    stranger.deliver([&asked]);
    assert!(world.has_inline(MEMBER, "bob") && stranger.changes().is_empty());
    assert!(world.rows_of(&violation_id(&asked))[0]["error"].as_str().unwrap().contains("AccessDenied"));

    let instance = world.instance(&[]);
    let other = world.inline(MEMBER, "carol");
    assert!(instance.deliver([&other]).is_empty(), "{}", instance.function.log());
    assert!(!world.has_inline(MEMBER, "carol"), "{}", instance.function.log());
    assert!(instance.undo(&violation_id(&other)).contains("Done."));
    assert!(world.has_inline(MEMBER, "carol"));
}

#[test]
fn in_the_own_account_too_each_call_has_a_session_that_allows_this_call_on_this_arn_alone() {
    let world = World::on(LocalAws::start_with(&[("AUTH", "true")]), &config());
    role(&world, OWN, "OwnRepairs");
    let instance = world.instance(&[("OWN_ACCOUNT_ROLE_NAME", "OwnRepairs")]);
    let asked = world.inline(OWN, "bob");
    assert!(instance.deliver([&asked]).is_empty(), "{}", instance.function.log());
    assert!(!world.has_inline(OWN, "bob"), "{}", instance.function.log());
    assert!(instance.undo(&violation_id(&asked)).contains("Done."));
    assert!(world.has_inline(OWN, "bob"));

    let calls = instance.proxy.calls();
    let own_key = |call: &&local_aws::Call| call.key == OWN;
    assert_eq!(calls.iter().filter(|call| call.service == "iam").filter(own_key).count(), 0, "IAM by own rights");
    let policies: Vec<Value> = instance
        .proxy
        .calls_of("sts", "AssumeRole")
        .iter()
        .map(|call| serde_json::from_str(&form(&call.body, "Policy")).expect("JSON"))
        .collect();
    let changing: Vec<&Value> = policies.iter().filter(|policy| !policy.to_string().contains("iam:Get*")).collect();
    let resources = [format!("arn:aws:iam::{OWN}:user/bob"), format!("arn:aws:iam::{OWN}:user/*/bob")];
    let only = |action: &str| json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": [action], "Resource": resources}]});
    assert_eq!(changing, [&only("iam:DeleteUserPolicy"), &only("iam:PutUserPolicy")]);

    // Its role is one of this system: nothing repairs it, and without it nothing is repaired.
    let itself = message(OWN, "OwnRepairs", json!({"target_type": "role", "target_arn": null}));
    assert!(instance.deliver([&itself]).is_empty());
    assert!(world.rows_of(&violation_id(&itself))[0]["reason"].as_str().unwrap().contains("role of this system"));
    let without = world.instance(&[("OWN_ACCOUNT_ROLE_NAME", "Missing")]);
    let other = world.inline(OWN, "carol");
    without.deliver([&other]);
    assert!(world.has_inline(OWN, "carol") && without.changes().is_empty());
}
