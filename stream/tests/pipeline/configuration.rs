//! Rules and suppressions from S3: refreshed, never replaced by something broken, missed loudly.

use std::time::Duration;

use local_aws::{Fault, FunctionError};
use serde_json::json;

use crate::records::{admin_inline, admin_inline_by_pipeline, bytes, user_created};
use crate::world::{RULES, World, id, records};

const BROKEN: &[u8] = b"rules:\n  - name: X\n    severity: URGENT\n";

/// Lets the refresh interval pass.
fn wait_for_refresh() {
    std::thread::sleep(Duration::from_millis(1100));
}

#[test]
fn new_rules_and_suppressions_are_in_force_after_the_interval_without_a_restart() {
    let world = World::with(&[("CONFIG_REFRESH_SECONDS", "1")]);
    world.deliver(&records(&[bytes(&user_created(1))]));
    world.aws.put_object("config", "rules.yaml", RULES.replace("name: UserCreated", "name: NewUser").as_bytes());
    wait_for_refresh();
    world.deliver(&records(&[bytes(&user_created(2)), bytes(&admin_inline_by_pipeline(3))]));
    let mut rules = world.column("rule_name");
    rules.sort();
    assert_eq!(rules, ["AdminInline", "NewUser", "UserCreated"]);
    world.aws.put_object("config", "suppress.yaml", b"suppressions: []\n");
    wait_for_refresh();
    world.deliver(&records(&[bytes(&admin_inline_by_pipeline(4))]));
    let held_back: Vec<String> = world.column("suppressed_by").into_iter().filter(|name| !name.is_empty()).collect();
    assert_eq!(held_back, ["known-pipeline"]);
}

#[test]
fn within_the_interval_nothing_is_fetched_and_an_unchanged_file_is_not_sent_again() {
    let world = World::with(&[("CONFIG_REFRESH_SECONDS", "1")]);
    let reads = || {
        let calls = world.proxy.calls();
        calls.iter().filter(|call| call.operation == "GET" && call.path.starts_with("/config/rules.yaml")).count()
    };
    world.deliver(&records(&[]));
    world.deliver(&records(&[]));
    assert_eq!(reads(), 1);
    wait_for_refresh();
    world.deliver(&records(&[]));
    assert_eq!(reads(), 2);
    assert!(!world.function.log().contains("new configuration"), "{}", world.function.log());
}

#[test]
fn d12_a_broken_new_file_is_announced_once_and_the_last_good_one_keeps_working() {
    let mut world = World::with(&[("CONFIG_REFRESH_SECONDS", "1")]);
    world.deliver(&records(&[]));
    world.aws.put_object("config", "rules.yaml", BROKEN);
    for number in 1..=3 {
        wait_for_refresh();
        world.deliver(&records(&[bytes(&admin_inline(number))]));
    }
    local_aws::wait_until("all is told", || world.heard().len() >= 4);
    let rejections: Vec<_> =
        world.heard().iter().filter(|entry| entry["detail-type"] == "ConfigRejected").cloned().collect();
    assert_eq!(rejections.len(), 1);
    let faults = rejections[0]["detail"]["configRejected"]["faults"].to_string();
    assert!(faults.contains("rules.yaml") && faults.contains("URGENT"), "{faults}");
    assert_eq!(world.rows().len(), 3);
    assert_eq!(world.aws.metric_sum("IAMPolicyMonitor", "ConfigRejected", &[]), 1.0);
}

#[test]
fn a_cold_start_with_a_broken_file_goes_by_the_last_good_one() {
    let mut world = World::new();
    world.deliver(&records(&[]));
    world.function.killer().kill();
    world.aws.put_object("config", "rules.yaml", BROKEN);
    world.deliver(&records(&[bytes(&admin_inline(1))]));
    local_aws::wait_until("the violation is told", || world.told().contains(&id(1, "AdminInline")));
    assert!(world.heard().iter().any(|entry| entry["detail-type"] == "ConfigRejected"));
}

#[test]
fn a_start_without_any_good_configuration_fails_and_names_file_line_and_fault() {
    let world = World::new();
    world.aws.put_object("config", "rules.yaml", BROKEN);
    let Err(FunctionError::Exited(log)) = world.invoke(&records(&[])) else { panic!("it must not start") };
    for part in ["s3://config/rules.yaml", "rules.yaml:3", "URGENT", "no earlier good version"] {
        assert!(log.contains(part), "{part} is missing in {log}");
    }
}

#[test]
fn a_start_without_rules_bucket_or_bus_says_which_variable_is_missing() {
    for (variable, value) in
        [("RULES_BUCKET", ""), ("AUDIT_BUCKET", ""), ("EVENTBRIDGE_BUS_NAME", ""), ("USE_EVENTBRIDGE", "on")]
    {
        let world = World::with(&[(variable, value)]);
        let Err(FunctionError::Exited(log)) = world.invoke(&records(&[])) else {
            panic!("{variable}: it must not start")
        };
        assert!(log.contains(variable), "{log}");
    }
}

#[test]
fn rules_that_cannot_be_read_for_a_while_stay_in_force() {
    let mut world = World::with(&[("CONFIG_REFRESH_SECONDS", "1")]);
    world.deliver(&records(&[]));
    world.proxy.fail(usize::MAX, Fault::Status(403, "<Error><Code>AccessDenied</Code></Error>".to_owned()), |call| {
        call.operation == "GET" && call.path.starts_with("/config/")
    });
    wait_for_refresh();
    world.deliver(&records(&[bytes(&admin_inline(1))]));
    world.assert_nothing_lost(&[id(1, "AdminInline")].into());
    assert!(world.function.log().contains("stays in force"));
    assert_eq!(world.aws.metric_sum("IAMPolicyMonitor", "ConfigRejected", &[]), 0.0);
    assert_eq!(json!(world.batches().len()), 2);
}
