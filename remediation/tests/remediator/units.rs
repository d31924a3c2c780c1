//! Where in the organization an account is, as a reason to leave it alone.

use local_aws::Fault;
use serde_json::{Value, json};

use crate::world::{Instance, MEMBER, OWN, World, config, violation_id};

fn organizations(world: &World, call: &str, body: Value) -> Value {
    world.aws.json(&format!("AWSOrganizationsV20161128.{call}"), &body)
}

/// The own account in a unit inside a unit: ids of the inner, the outer, another unit and the root.
fn organize(world: &World) -> [String; 4] {
    let text = |value: &Value| value.as_str().expect("an id").to_owned();
    let root = text(&organizations(world, "ListRoots", json!({}))["Roots"][0]["Id"]);
    let unit = |parent: &str, name: &str| {
        let made = organizations(world, "CreateOrganizationalUnit", json!({"ParentId": parent, "Name": name}));
        text(&made["OrganizationalUnit"]["Id"])
    };
    let (outer, other) = (unit(&root, "Workloads"), unit(&root, "Sandbox"));
    let inner = unit(&outer, "Production");
    let there = json!({"AccountId": OWN, "SourceParentId": root, "DestinationParentId": inner});
    organizations(world, "MoveAccount", there);
    [inner, outer, other, root]
}

/// An instance under a configuration with this filter.
fn instance(world: &World, filter: &Value) -> Instance {
    let mut config = config();
    config["organizational_units"] = filter.clone();
    world.aws.put_object("config", "units.json", config.to_string().as_bytes());
    world.instance(&[("REMEDIATOR_CONFIG_KEY", "units.json")])
}

#[test]
fn an_account_in_a_unit_outside_the_filter_is_left_alone_and_one_inside_at_any_depth_is_repaired() {
    let world = World::new(&config());
    let [inner, outer, other, root] = organize(&world);
    for (place, (filter, status)) in [
        (json!({"allow": [other]}), "SKIPPED"),
        (json!({"deny": [inner]}), "SKIPPED"),
        (json!({"deny": [outer]}), "SKIPPED"),
        (json!({"allow": [inner], "deny": [root]}), "SKIPPED"),
        (json!({"allow": [inner]}), "SUCCESS"),
        (json!({"allow": [outer], "deny": [other]}), "SUCCESS"),
        (json!({"allow": [root]}), "SUCCESS"),
    ]
    .into_iter()
    .enumerate()
    {
        let user = format!("user{place}");
        let asked = world.inline(OWN, &user);
        let instance = instance(&world, &filter);
        assert!(instance.deliver([&asked]).is_empty(), "{filter}: {}", instance.function.log());
        let row = world.rows_of(&violation_id(&asked)).pop().expect("a row");
        assert_eq!(row["status"], status, "{filter}: {row}");
        let is_left = status == "SKIPPED";
        assert_eq!(instance.changes().is_empty(), is_left, "{filter}");
        assert_eq!(world.has_inline(OWN, &user), is_left, "{filter}");
        assert_eq!(row["reason"].as_str().unwrap_or_default().contains("organizational unit"), is_left, "{row}");
        assert_eq!(world.hear(1)[0]["detail"]["remediation"]["status"], status, "{filter}");
    }
}

#[test]
fn d12_a_look_up_of_the_unit_that_fails_changes_nothing_and_is_told() {
    let world = World::new(&config());
    let [inner, ..] = organize(&world);
    let denied = |code: &str| Fault::Status(400, json!({"__type": code, "message": "on plan"}).to_string());
    let cases: [(&str, &str, Option<Fault>, bool, &str); 4] = [
        ("denied", OWN, Some(denied("AccessDeniedException")), false, "AccessDeniedException"),
        ("throttled", OWN, Some(denied("TooManyRequestsException")), true, "TooManyRequestsException"),
        ("empty", OWN, Some(Fault::Status(200, json!({"Parents": []}).to_string())), true, "0 parents"),
        ("not in the organization", MEMBER, None, false, "ChildNotFoundException"),
    ];
    for (place, (name, account, fault, is_retried, reason)) in cases.into_iter().enumerate() {
        let user = format!("user{place}");
        let asked = world.inline(account, &user);
        let instance = instance(&world, &json!({"allow": [inner]}));
        if let Some(fault) = fault {
            instance.proxy.fail(1_000, fault, |call| call.service == "organizations");
        }
        assert_eq!(!instance.deliver([&asked]).is_empty(), is_retried, "{name}: {}", instance.function.log());
        assert_eq!(instance.changes(), Vec::<String>::new(), "{name}");
        assert!(world.has_inline(account, &user), "{name}");
        let row = world.rows_of(&violation_id(&asked)).pop().expect("a row");
        assert_eq!((row["status"].as_str(), row["success"].as_bool()), (Some("FAILED"), Some(false)), "{name}: {row}");
        assert!(row["error"].as_str().unwrap().contains(reason), "{name}: {row}");
        assert_eq!(world.hear(1)[0]["detail"]["remediation"]["status"], "FAILED", "{name}");
    }
}
