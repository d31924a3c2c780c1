//! What analysts read.

use serde_json::{Value, json};

use crate::world::{ADMIN, OWN, World, config, message};

/// The answer of the query of the design, by another engine, over the files of the lake.
fn query(world: &World, keys: &[String]) -> Value {
    let folder = tempfile::tempdir().expect("a folder");
    for key in keys {
        let file = folder.path().join(key);
        std::fs::create_dir_all(file.parent().expect("a folder")).expect("a folder");
        std::fs::write(file, world.aws.object("audit", key).expect("the object")).expect("a file");
    }
    let script = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/remediator/success.py");
    world.aws.python(&script, &[folder.path().to_str().expect("UTF-8")])
}

#[test]
fn the_query_on_remediation_success_gives_the_right_numbers_from_the_rows() {
    let world = World::new(&config());
    let instance = world.instance(&[]);
    let mut asked: Vec<Value> = ["one", "two", "three"].iter().map(|user| world.inline(OWN, user)).collect();
    let detach = json!({"remediation_action": "detach_policy", "policy_arn": ADMIN, "policy_document": null,
        "policy_name": null, "event_kind": "managed_policy_attach"});
    world.iam(OWN, "AttachUserPolicy", &[("UserName", "one"), ("PolicyArn", ADMIN)]);
    asked.push(message(OWN, "one", detach.clone()));
    asked.push(message(OWN, "two", detach));
    assert!(instance.deliver(&asked).is_empty());
    // The month of the event, not of the repair.
    let keys = world.aws.keys("audit", "remediation_logs/");
    assert!(keys.iter().all(|key| key.starts_with("remediation_logs/year=2024/month=01/day=05/")), "{keys:?}");
    // The one that was not attached was skipped.
    let expected = json!({"delete_inline_policy": [3, 3, 100.0], "detach_policy": [2, 1, 50.0]});
    assert_eq!(query(&world, &keys), expected);
    let row = &world.rows()[0];
    assert!(row["duration_ms"].as_i64().is_some_and(|millis| millis >= 0), "{row}");
    let details: Value = serde_json::from_str(row["details"].as_str().unwrap()).unwrap();
    assert!(details["seconds_from_event"].as_f64().is_some_and(|seconds| seconds > 0.0));
    assert_eq!(world.aws.metric_sum("IAMPolicyMonitor", "RemediationSuccess", &[]) as usize, 4);
    assert_eq!(world.aws.metric_sum("IAMPolicyMonitor", "RemediationSkipped", &[]) as usize, 1);
    let action = [("Action", "detach_policy")];
    assert_eq!(world.aws.metric_sum("IAMPolicyMonitor", "RemediationAction", &action) as usize, 2);
}
