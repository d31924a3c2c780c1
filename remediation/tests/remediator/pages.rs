//! IAM answers lists page by page. The stand-in gives everything at once, so the proxy cuts its answers into pages.

use local_aws::{Call, Fault};
use serde_json::{Value, json};

use crate::details::details;
use crate::world::{BAD, GOOD, Instance, OWN, World, config, message, violation_id};

/// Every list that the remediator reads.
const LISTS: [&str; 10] = [
    "ListAccessKeys",
    "ListAttachedGroupPolicies",
    "ListAttachedRolePolicies",
    "ListAttachedUserPolicies",
    "ListEntitiesForPolicy",
    "ListGroupsForUser",
    "ListPolicyTags",
    "ListPolicyVersions",
    "ListRoleTags",
    "ListUserTags",
];

fn is_list(call: &Call) -> bool {
    call.service == "iam" && call.operation.starts_with("List")
}

/// Whether a call asks for a page after the first.
fn goes_on(call: &Call) -> bool {
    is_list(call) && String::from_utf8_lossy(&call.body).contains("&Marker=")
}

/// One member to a page.
fn paged(world: &World) -> Instance {
    let instance = world.instance(&[]);
    instance.proxy.fail(usize::MAX, Fault::Pages(1), is_list);
    instance
}

fn policy_arn(name: &str) -> String {
    format!("arn:aws:iam::{OWN}:policy/{name}")
}

fn request(user: &str, changes: Value) -> Value {
    message(OWN, user, changes)
}

/// Two of everything that is listed, and messages that ask for the last of each.
fn wide(world: &World) -> Vec<Value> {
    let iam = |action: &str, pairs: &[(&str, &str)]| world.iam(OWN, action, pairs);
    let tags = [
        ("Tags.member.1.Key", "a"),
        ("Tags.member.1.Value", "1"),
        ("Tags.member.2.Key", "b"),
        ("Tags.member.2.Value", "2"),
    ];
    let wide = policy_arn("wide");
    iam("CreatePolicy", &[&[("PolicyName", "wide"), ("PolicyDocument", GOOD)][..], &tags[..]].concat());
    for document in [GOOD, BAD] {
        let parts = [("PolicyArn", wide.as_str()), ("PolicyDocument", document), ("SetAsDefault", "true")];
        iam("CreatePolicyVersion", &parts);
    }
    for name in ["p1", "p2"] {
        iam("CreatePolicy", &[("PolicyName", name), ("PolicyDocument", BAD)]);
    }
    for number in ["1", "2"] {
        for (kind, trust) in [("User", None), ("Group", None), ("Role", Some(("AssumeRolePolicyDocument", GOOD)))] {
            let (key, name) = (format!("{kind}Name"), format!("{kind}{number}").to_lowercase());
            let tags = if kind == "Group" { &[][..] } else { &tags[..] };
            let named = [(key.as_str(), name.as_str())];
            iam(&format!("Create{kind}"), &[&named[..], trust.as_slice(), tags].concat());
            for policy in [&wide, &policy_arn("p1"), &policy_arn("p2")] {
                iam(&format!("Attach{kind}Policy"), &[named[0], ("PolicyArn", policy.as_str())]);
            }
        }
        iam("AddUserToGroup", &[("UserName", "user1"), ("GroupName", &format!("group{number}"))]);
    }
    let key = |_| iam("CreateAccessKey", &[("UserName", "user1")]).tag("AccessKeyId").expect("a key");
    let keys: Vec<String> = (0..2).map(key).collect();
    let none = json!({"policy_document": null, "policy_name": null});
    let mut asked = Vec::new();
    for (kind, name) in [("user", "user1"), ("role", "role1"), ("group", "group1")] {
        asked.push(json!({"remediation_action": "detach_policy", "policy_arn": policy_arn("p2"), "target_type": kind,
            "target_name": name, "target_arn": null, "event_kind": "managed_policy_attach", "policy_document": BAD}));
    }
    asked.push(
        json!({"remediation_action": "delete_policy", "policy_arn": wide, "target_arn": wide, "target_type": "policy",
        "target_name": "wide", "event_kind": "managed_policy_version", "policy_document": BAD}),
    );
    let made = json!({"responseElements": {"accessKey": {"accessKeyId": keys[1], "userName": "user1"}}}).to_string();
    asked.push(json!({"remediation_action": "deactivate_access_key", "original_event": made}));
    asked.push(json!({"remediation_action": "remove_from_group",
        "request_parameters": json!({"userName": "user1", "groupName": "group2"}).to_string()}));
    let whole = |(place, changes): (usize, Value)| {
        let mut all = none.clone();
        all["event_id"] = json!(format!("wide-{place}"));
        all.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        request("user1", all)
    };
    asked.into_iter().enumerate().map(whole).collect()
}

#[test]
fn every_list_is_read_to_its_last_page_for_repairs_snapshots_and_undoing() {
    let world = World::new(&config());
    let asked = wide(&world);
    let before = details(&world.aws, OWN);
    let instance = paged(&world);
    assert!(instance.deliver(&asked).is_empty(), "{}", instance.function.log());
    for message in &asked {
        let row = world.rows_of(&violation_id(message)).pop().expect("a row");
        assert_eq!(row["status"], "SUCCESS", "{row}");
    }
    let repaired = details(&world.aws, OWN);
    assert!(!repaired.contains("policy/wide"), "{repaired}");
    for list in LISTS {
        let calls = instance.proxy.calls_of("iam", list);
        assert!(calls.iter().any(goes_on), "{list}: no second page was asked for");
    }
    for message in asked.iter().rev() {
        instance.undo(&violation_id(message));
    }
    assert_eq!(details(&world.aws, OWN), before);
}

#[test]
fn d29_a_later_page_that_does_not_come_is_not_the_end_of_the_list() {
    let world = World::new(&config());
    let asked = wide(&world);
    let before = details(&world.aws, OWN);
    let instance = world.instance(&[]);
    let throttled = "<ErrorResponse><Error><Type>Sender</Type><Code>Throttling</Code><Message>on plan</Message></Error></ErrorResponse>";
    instance.proxy.fail(usize::MAX, Fault::Status(400, throttled.to_owned()), goes_on);
    instance.proxy.fail(usize::MAX, Fault::Pages(1), is_list);
    assert_eq!(instance.deliver(&asked), [0, 1, 2, 3, 4, 5], "{}", instance.function.log());
    assert_eq!(instance.changes(), Vec::<String>::new());
    for message in &asked {
        let row = world.rows_of(&violation_id(message)).pop().expect("a row");
        assert!(row["status"] == "FAILED" && row["error"].as_str().unwrap().contains("Throttling"), "{row}");
    }
    assert_eq!(details(&world.aws, OWN), before);
}

#[test]
fn a_policy_that_more_have_than_the_pages_hold_is_left_alone() {
    let world = World::new(&config());
    let arn = policy_arn("everywhere");
    world.iam(OWN, "CreatePolicy", &[("PolicyName", "everywhere"), ("PolicyDocument", BAD)]);
    // One more than the limit of pages, one to a page.
    for number in 0..51 {
        let name = format!("user{number}");
        world.iam(OWN, "CreateUser", &[("UserName", &name)]);
        world.iam(OWN, "AttachUserPolicy", &[("UserName", &name), ("PolicyArn", &arn)]);
    }
    let instance = paged(&world);
    let asked = request(
        "everywhere",
        json!({"remediation_action": "delete_policy", "policy_arn": arn, "target_arn": arn, "target_type": "policy",
            "event_kind": "managed_policy_create", "policy_name": null}),
    );
    assert!(instance.deliver([&asked]).is_empty(), "{}", instance.function.log());
    let row = world.rows_of(&violation_id(&asked)).pop().expect("a row");
    assert!(row["status"] == "FAILED" && row["error"].as_str().unwrap().contains("50 pages"), "{row}");
    assert_eq!(instance.changes(), Vec::<String>::new());
}
