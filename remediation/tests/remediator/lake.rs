//! What analysts read.

use serde_json::{Value, json};

use crate::world::{ADMIN, OWN, World, config, message};

/// The numbers of the query on remediation success: by action, the attempts and those that succeeded.
fn by_action(rows: &[Value]) -> std::collections::BTreeMap<String, (usize, usize)> {
    let mut sums = std::collections::BTreeMap::new();
    for row in rows {
        let sum: &mut (usize, usize) = sums.entry(row["remediation_action"].as_str().unwrap().to_owned()).or_default();
        sum.0 += 1;
        sum.1 += usize::from(row["success"] == true);
    }
    sums
}

#[test]
fn the_rows_lie_where_the_query_on_remediation_success_looks_and_have_its_numbers() {
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
    let sums = by_action(&world.rows());
    assert_eq!(sums["delete_inline_policy"], (3, 3));
    assert_eq!(sums["detach_policy"], (2, 1), "the one that was not attached was skipped");
    let row = &world.rows()[0];
    assert!(row["duration_ms"].as_i64().is_some_and(|millis| millis >= 0), "{row}");
    let details: Value = serde_json::from_str(row["details"].as_str().unwrap()).unwrap();
    assert!(details["seconds_from_event"].as_f64().is_some_and(|seconds| seconds > 0.0));
    assert_eq!(world.aws.metric_sum("IAMPolicyMonitor", "RemediationSuccess", &[]) as usize, 4);
    assert_eq!(world.aws.metric_sum("IAMPolicyMonitor", "RemediationSkipped", &[]) as usize, 1);
    let action = [("Action", "detach_policy")];
    assert_eq!(world.aws.metric_sum("IAMPolicyMonitor", "RemediationAction", &action) as usize, 2);
}
