//! Each action on real users, roles, groups and policies in two accounts; then everything is taken back.

use serde_json::{Value, json};

use crate::details::details;
use crate::world::{ADMIN, BAD, GOOD, MEMBER, OWN, World, batch, config, form, message, violation_id};

fn trust(principal: &str) -> String {
    json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": principal}, "Action": "sts:AssumeRole"}]})
    .to_string()
}

fn arn(account: &str, rest: &str) -> String {
    format!("arn:aws:iam::{account}:{rest}")
}

/// What is there before anything bad happens.
fn settle_in(world: &World, account: &str) {
    let iam = |action: &str, pairs: &[(&str, &str)]| world.iam(account, action, pairs);
    for user in ["bob", "carol"] {
        iam("CreateUser", &[("UserName", user), ("Tags.member.1.Key", "team"), ("Tags.member.1.Value", "a")]);
    }
    iam("CreateGroup", &[("GroupName", "devs")]);
    iam("CreateRole", &[("RoleName", "app"), ("AssumeRolePolicyDocument", &trust(&arn(account, "user/bob")))]);
    iam("CreatePolicy", &[("PolicyName", "limit"), ("PolicyDocument", GOOD)]);
    let limit = ("PermissionsBoundary", arn(account, "policy/limit"));
    iam("PutUserPermissionsBoundary", &[("UserName", "carol"), (limit.0, &limit.1)]);
    iam("PutRolePermissionsBoundary", &[("RoleName", "app"), (limit.0, &limit.1)]);
}

/// What an attacker does.
fn attack(world: &World, account: &str) -> String {
    let iam = |action: &str, pairs: &[(&str, &str)]| world.iam(account, action, pairs);
    iam("AttachUserPolicy", &[("UserName", "bob"), ("PolicyArn", ADMIN)]);
    iam("AttachRolePolicy", &[("RoleName", "app"), ("PolicyArn", ADMIN)]);
    iam("AttachGroupPolicy", &[("GroupName", "devs"), ("PolicyArn", ADMIN)]);
    for (action, key, name) in [
        ("PutUserPolicy", "UserName", "bob"),
        ("PutRolePolicy", "RoleName", "app"),
        ("PutGroupPolicy", "GroupName", "devs"),
    ] {
        iam(action, &[(key, name), ("PolicyName", "deploy-helper"), ("PolicyDocument", BAD)]);
    }
    for name in ["gone", "caught"] {
        let policy = arn(account, &format!("policy/team/{name}"));
        let tags = [("Tags.member.1.Key", "k"), ("Tags.member.1.Value", "v"), ("Description", "of the team")];
        let parts = [("PolicyName", name), ("Path", "/team/"), ("PolicyDocument", GOOD)];
        iam("CreatePolicy", &[&parts[..], &tags[..]].concat());
        iam("CreatePolicyVersion", &[("PolicyArn", &policy), ("PolicyDocument", BAD), ("SetAsDefault", "true")]);
        iam("AttachUserPolicy", &[("UserName", "bob"), ("PolicyArn", &policy)]);
        iam("AttachGroupPolicy", &[("GroupName", "devs"), ("PolicyArn", &policy)]);
        iam("AttachRolePolicy", &[("RoleName", "app"), ("PolicyArn", &policy)]);
    }
    iam("UpdateAssumeRolePolicy", &[("RoleName", "app"), ("PolicyDocument", &trust("*"))]);
    iam("DeleteUserPermissionsBoundary", &[("UserName", "carol")]);
    iam("PutRolePermissionsBoundary", &[("RoleName", "app"), ("PermissionsBoundary", ADMIN)]);
    iam("AddUserToGroup", &[("UserName", "bob"), ("GroupName", "devs")]);
    iam("CreateAccessKey", &[("UserName", "carol")]).tag("AccessKeyId").expect("a key")
}

/// The messages that ask for the repairs, each action for each sort of holder.
fn requests(account: &str, key_id: &str) -> Vec<Value> {
    let target = |kind: &str, name: &str| json!({"target_type": kind, "target_name": name, "target_arn": arn(account, &format!("{kind}/{name}"))});
    let mut messages = Vec::new();
    let mut ask = |name: &str, parts: &[Value]| {
        let mut changes = json!({"event_id": format!("{account}-{}", messages.len())});
        for part in parts {
            changes.as_object_mut().unwrap().extend(part.as_object().unwrap().clone());
        }
        messages.push(message(account, name, changes));
    };
    for (kind, name) in [("user", "bob"), ("role", "app"), ("group", "devs")] {
        let attach = json!({"remediation_action": "detach_policy", "policy_arn": ADMIN, "policy_document": null,
            "policy_name": null, "event_kind": "managed_policy_attach"});
        ask(name, &[target(kind, name), attach]);
        ask(name, &[target(kind, name)]);
    }
    for (name, action) in [("gone", "delete_policy"), ("caught", "quarantine_policy")] {
        let policy = arn(account, &format!("policy/team/{name}"));
        let what = json!({"remediation_action": action, "policy_arn": policy, "target_arn": policy,
            "event_kind": "managed_policy_version", "policy_name": null});
        ask(name, &[target("policy", name), what]);
    }
    let role = json!({"remediation_action": "restore_trust_policy", "event_kind": "trust_policy",
        "policy_document": trust("*"), "policy_name": null});
    ask("app", &[target("role", "app"), role]);
    let limit = json!({"remediation_action": "restore_boundary", "event_kind": "boundary_removed",
        "policy_document": null, "policy_name": null});
    ask("carol", &[target("user", "carol"), limit]);
    let loosened = json!({"remediation_action": "restore_boundary", "event_kind": "boundary_set",
        "policy_arn": ADMIN, "policy_document": null, "policy_name": null});
    ask("app", &[target("role", "app"), loosened]);
    let key = json!({"remediation_action": "deactivate_access_key", "policy_document": null, "policy_name": null,
        "original_event": json!({"responseElements": {"accessKey": {"accessKeyId": key_id, "userName": "carol"}}}).to_string()});
    ask("carol", &[target("user", "carol"), key]);
    let member = json!({"remediation_action": "remove_from_group", "policy_document": null, "policy_name": null,
        "request_parameters": json!({"userName": "bob", "groupName": "devs"}).to_string()});
    ask("bob", &[target("user", "bob"), member]);
    messages
}

fn keys(world: &World, account: &str) -> Vec<String> {
    world.iam(account, "ListAccessKeys", &[("UserName", "carol")]).tags("Status")
}

#[test]
fn each_action_repairs_in_two_accounts_and_taking_all_back_restores_what_iam_knew() {
    let world = World::new(&config());
    let instance = world.instance(&[]);
    let mut messages = Vec::new();
    let mut before = Vec::new();
    for account in [OWN, MEMBER] {
        settle_in(&world, account);
        let (is_noted, text) = instance.command(&["baseline", "--account", account]);
        assert!(is_noted, "{text}");
        let good = details(&world.aws, account);
        let key_id = attack(&world, account);
        messages.extend(requests(account, &key_id));
        before.push((account, details(&world.aws, account), good));
    }

    assert_eq!(instance.deliver(&messages), Vec::<usize>::new(), "{}", instance.function.log());
    let rows = world.rows();
    assert_eq!(rows.len(), messages.len());
    let failed: Vec<&Value> = rows.iter().filter(|row| row["status"] != "SUCCESS").collect();
    assert!(failed.is_empty(), "{failed:#?}");
    for (account, attacked, good) in &before {
        let repaired = details(&world.aws, account);
        assert_ne!(&repaired, attacked);
        // What is left of the attack is the quarantined copy.
        for part in ["AdministratorAccess", "deploy-helper", "gone", "team/caught"] {
            assert!(!repaired.contains(part) && !good.contains(part), "{part} in {account}:\n{repaired}");
        }
        assert!(repaired.contains("policy/quarantine/quarantine-caught-"));
        assert!(repaired.contains("policy/limit"), "the boundary is back");
        assert_eq!(keys(&world, account), ["Inactive"]);
    }
    assert_eq!(world.hear(messages.len()).len(), messages.len(), "one status for each");

    for message in messages.iter().rev() {
        let text = instance.undo(&violation_id(message));
        assert!(text.contains("Done."), "{text}");
    }
    for (account, attacked, _) in &before {
        assert_eq!(&details(&world.aws, account), attacked, "{account}");
        assert_eq!(keys(&world, account), ["Active"]);
    }
    let undone = world.rows().into_iter().filter(|row| row["status"] == "UNDONE").count();
    assert_eq!(undone, messages.len());
    let again = instance.command(&["undo", &violation_id(&messages[0]), "--apply"]);
    assert!(again.0 && again.1.contains("already"), "{}", again.1);
}

#[test]
fn a_policy_goes_only_after_its_attachments_and_other_versions_which_aws_insists_on() {
    let world = World::new(&config());
    let instance = world.instance(&[]);
    settle_in(&world, OWN);
    let key_id = attack(&world, OWN);
    let asked: Vec<Value> =
        requests(OWN, &key_id).into_iter().filter(|m| m["remediation_action"] == "quarantine_policy").collect();
    assert!(instance.deliver(&asked).is_empty());
    let expected = [
        "CreatePolicy",
        "DetachUserPolicy",
        "DetachRolePolicy",
        "DetachGroupPolicy",
        "DeletePolicyVersion",
        "DeletePolicy",
    ];
    assert_eq!(instance.changes(), expected);
}

#[test]
fn each_call_in_a_member_account_has_a_session_of_its_own_that_allows_this_call_on_this_arn() {
    let world = World::new(&config());
    let instance = world.instance(&[]);
    let asked = world.inline(MEMBER, "bob");
    assert!(instance.deliver([&asked]).is_empty());
    assert!(!world.has_inline(MEMBER, "bob"));
    let policies: Vec<String> =
        instance.proxy.calls_of("sts", "AssumeRole").iter().map(|call| form(&call.body, "Policy")).collect();
    let changing: Vec<&String> = policies.iter().filter(|policy| !policy.contains("iam:Get*")).collect();
    let expected = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": ["iam:DeleteUserPolicy"],
        "Resource": ["arn:aws:iam::222222222222:user/bob", "arn:aws:iam::222222222222:user/*/bob"]}]});
    assert_eq!(changing.len(), 1, "{policies:?}");
    assert_eq!(serde_json::from_str::<Value>(changing[0]).unwrap(), expected);
    for call in instance.proxy.calls_of("sts", "AssumeRole") {
        assert_eq!(form(&call.body, "ExternalId"), "shared-secret");
        assert_eq!(form(&call.body, "RoleSessionName"), remediation::SESSION_NAME);
    }
}

#[test]
fn both_forms_of_the_message_are_understood() {
    let world = World::new(&config());
    let instance = world.instance(&[]);
    let direct = world.inline(OWN, "one");
    let other = world.inline(OWN, "two");
    let detail = json!({
        "eventId": other["violation"]["violation_id"], "timestamp": "2024-01-05T12:00:00Z", "correlationId": "c",
        "violation": other["violation"], "originalEvent": other["event"],
    });
    let bus = json!({"source": "iam.policy.monitor", "detail-type": "IAM Policy Violation", "detail": detail});
    assert!(instance.deliver([&direct, &bus]).is_empty(), "{}", instance.function.log());
    assert!(!world.has_inline(OWN, "one") && !world.has_inline(OWN, "two"));
    let _ = batch([]);
}

/// The stand-in does not know SetDefaultPolicyVersion (moto does, see `versions`): a call that fails is no success.
#[test]
fn a_change_that_iam_does_not_take_is_a_failure_with_its_snapshot() {
    let world = World::new(&config());
    let instance = world.instance(&[]);
    let policy = arn(OWN, "policy/shared");
    world.iam(OWN, "CreatePolicy", &[("PolicyName", "shared"), ("PolicyDocument", GOOD)]);
    world.iam(OWN, "CreatePolicyVersion", &[("PolicyArn", &policy), ("PolicyDocument", BAD), ("SetAsDefault", "true")]);
    let changes = json!({"remediation_action": "revert_policy_version", "policy_arn": policy, "target_arn": policy,
        "target_type": "policy", "event_kind": "managed_policy_version", "policy_name": null});
    let asked = message(OWN, "shared", changes);
    assert_eq!(instance.deliver([&asked]), [0]);
    let calls = instance.proxy.calls_of("iam", "SetDefaultPolicyVersion");
    assert!(!calls.is_empty() && instance.changes().len() == calls.len(), "{:?}", instance.changes());
    for call in calls {
        assert_eq!((form(&call.body, "PolicyArn"), form(&call.body, "VersionId")), (policy.clone(), "v1".to_owned()));
    }
    let rows = world.rows_of(&violation_id(&asked));
    assert_eq!(rows[0]["status"], "FAILED", "{rows:?}");
    assert!(rows[0]["snapshot_key"].is_string());
}
