//! Against a stand-in that enforces IAM: the session of a call may do no more than the call.

use local_aws::LocalAws;
use serde_json::json;

use crate::world::{MEMBER, OWN, ROLE, World, config, violation_id};

/// The role of the member account: everything in IAM, for whoever comes from our account with the external id.
fn member_role(world: &World) {
    let trust = json!({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Principal": {"AWS": format!("arn:aws:iam::{OWN}:root")}, "Action": "sts:AssumeRole",
        "Condition": {"StringEquals": {"sts:ExternalId": "shared-secret"}},
    }]});
    let rights =
        json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "iam:*", "Resource": "*"}]});
    world.iam(MEMBER, "CreateRole", &[("RoleName", ROLE), ("AssumeRolePolicyDocument", &trust.to_string())]);
    let policy = [("RoleName", ROLE), ("PolicyName", "repair"), ("PolicyDocument", &rights.to_string())];
    world.iam(MEMBER, "PutRolePolicy", &policy);
}

#[test]
fn where_iam_is_enforced_the_narrow_sessions_suffice_and_without_the_external_id_there_are_none() {
    let world = World::on(LocalAws::start_with(&[("AUTH", "true")]), &config());
    member_role(&world);
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
