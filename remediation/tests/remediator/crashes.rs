//! Killed between every two steps. The message comes again, to a new process, and the repair is completed, once.

use std::sync::Arc;
use std::time::Duration;

use local_aws::{Call, Fault};
use serde_json::{Value, json};

use crate::details::details;
use crate::world::{BAD, GOOD, Instance, OWN, World, batch, config, ids, is_change, message, violation_id};

/// Long enough for a repair on a busy machine; the claim of a killed process expires some seconds after it.
const DEADLINE: Duration = Duration::from_secs(30);
/// Deliveries half a second apart, until long after that.
const DELIVERIES: usize = 240;

struct Case {
    instance: Instance,
    asked: Value,
    policy: String,
    name: String,
}

fn policy(world: &World, name: &str) -> (String, Value) {
    let arn = format!("arn:aws:iam::{OWN}:policy/{name}");
    world.iam(OWN, "CreatePolicy", &[("PolicyName", name), ("PolicyDocument", GOOD)]);
    world.iam(OWN, "CreatePolicyVersion", &[("PolicyArn", &arn), ("PolicyDocument", BAD), ("SetAsDefault", "true")]);
    for user in ["bob", "carol"] {
        world.iam(OWN, "AttachUserPolicy", &[("UserName", user), ("PolicyArn", &arn)]);
    }
    let changes = json!({"remediation_action": "quarantine_policy", "policy_arn": arn, "target_arn": arn,
        "target_type": "policy", "event_kind": "managed_policy_version", "policy_name": null});
    let asked = message(OWN, name, changes);
    (arn, asked)
}

type When = Box<dyn Fn(&Call) -> bool + Send>;

/// Every place to be killed at: a call, the how manieth of its sort, before or after it is carried out.
fn places() -> Vec<(String, When, usize, bool)> {
    let mut places: Vec<(String, When, usize, bool)> = Vec::new();
    for (number, is_after) in (0..5).flat_map(|number| [(number, false), (number, true)]) {
        // Creating, detaching twice, deleting a version, deleting.
        places.push((format!("change {number} {is_after}"), Box::new(is_change), number, is_after));
    }
    for part in ["try-", "repairs-per-minute", "/snapshots/", "returns/", "done.json", "remediation_logs", "told/"] {
        for is_after in [false, true] {
            let when = move |call: &Call| call.service == "s3" && call.operation == "PUT" && call.path.contains(part);
            places.push((format!("{part} {is_after}"), Box::new(when), 0, is_after));
        }
    }
    for is_after in [false, true] {
        places.push((format!("bus {is_after}"), Box::new(|call: &Call| call.operation == "PutEvents"), 0, is_after));
    }
    places
}

#[test]
fn killed_anywhere_the_next_delivery_completes_once_and_it_can_be_taken_back() {
    let world = World::new(&config());
    for user in ["bob", "carol"] {
        world.iam(OWN, "CreateUser", &[("UserName", user)]);
    }
    let mut cases = Vec::new();
    for (number, (name, when, skip, is_after)) in places().into_iter().enumerate() {
        let (policy, asked) = policy(&world, &format!("p{number}-x"));
        let instance = world.instance(&[]);
        let killer = instance.function.killer();
        let kill = Arc::new(move || killer.kill());
        let fault = if is_after { Fault::After(kill) } else { Fault::Before(kill) };
        instance.proxy.fail_after(skip, 1, fault, when);
        cases.push(Case { instance, asked, policy, name });
    }
    let before = details(&world.aws, OWN);
    for case in &cases {
        let killed = case.instance.function.invoke_within(&batch([&case.asked]), DEADLINE);
        assert!(matches!(killed, Err(local_aws::FunctionError::Exited(_))), "{}: {killed:?}", case.name);
    }
    for case in &cases {
        complete(&world, case);
    }
    let mut heard = Vec::new();
    for case in &cases {
        let id = violation_id(&case.asked);
        let own = |heard: &[Value]| {
            heard.iter().filter(|event| event["detail"]["originalEventId"] == id).cloned().collect::<Vec<_>>()
        };
        world.aws.wait_until(&format!("{} is told", case.name), || {
            heard.extend(world.heard());
            !own(&heard).is_empty()
        });
        assert_eq!(ids(&own(&heard)).len(), 1, "{}: one status, perhaps twice", case.name);
    }
    for case in &cases {
        case.instance.undo(&violation_id(&case.asked));
    }
    assert_eq!(details(&world.aws, OWN), before);
}

fn complete(world: &World, case: &Case) {
    let is_done = (0..DELIVERIES).any(|_| {
        let is_done = case.instance.deliver([&case.asked]).is_empty();
        if !is_done {
            std::thread::sleep(Duration::from_millis(500));
        }
        is_done
    });
    assert!(is_done, "{} is not completed: {}", case.name, case.instance.function.log());
    // A completed one that is delivered again stays as it is.
    assert!(case.instance.deliver([&case.asked]).is_empty());
    let log = case.instance.function.log();
    let policies = world.iam(OWN, "ListPolicies", &[("Scope", "Local")]).tags("Arn");
    let short = case.policy.rsplit('/').next().unwrap();
    assert!(!policies.contains(&case.policy), "{}: {log}", case.name);
    let copies = policies.iter().filter(|arn| arn.contains(&format!("quarantine-{short}-"))).count();
    assert_eq!(copies, 1, "{}", case.name);
    let rows = world.rows_of(&violation_id(&case.asked));
    assert_eq!(rows.len(), 1, "{}: {rows:?}", case.name);
    assert_eq!(rows[0]["status"], "SUCCESS", "{}", case.name);
}
