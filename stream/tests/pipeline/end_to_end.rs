//! Producer, stream, mapping, detector, lake, bus, metrics; read back with programs that others wrote.

use std::collections::BTreeSet;
use std::path::Path;

use local_aws::Mapping;
use serde_json::{Value, json};

use crate::records::{
    admin_inline, admin_inline_by_pipeline, aggregate, attached, bytes, control_message, event_bridge, event_id,
    harmless, log_file, log_subscription, user_created,
};
use crate::world::{AUDIT, STREAM, World, id};

#[test]
fn what_a_producer_puts_into_the_stream_arrives_in_lake_bus_and_metrics() {
    let mut world = World::new();
    world.aws.create_stream(STREAM, 2);
    let arn = "arn:aws:iam::aws:policy/AdministratorAccess";
    let contents = [
        bytes(&admin_inline(1)),
        event_bridge(&admin_inline(2)),
        log_subscription(&[admin_inline(3), harmless(30), user_created(4)]),
        log_file(&[admin_inline(5), harmless(31)]),
        aggregate(&[bytes(&admin_inline(6)), log_subscription(&[admin_inline(7)])]),
        bytes(&admin_inline_by_pipeline(8)),
        bytes(&attached(9, arn)),
        control_message(),
        bytes(&admin_inline(1)),
        b"no JSON".to_vec(),
    ];
    let keyed: Vec<(&str, Vec<u8>)> = ["a", "b"].into_iter().cycle().zip(contents).collect();
    world.aws.put_records(STREAM, &keyed);
    let mapping = Mapping { bisect: true, maximum_retry_attempts: Some(3), ..Mapping::default() };
    let drained = mapping.drain(&world.aws, STREAM, |event| world.function.invoke(event));
    assert!(drained.failed.is_empty(), "{:?}\n{}", drained.failed, world.function.log());

    let admin = |number| id(number, "AdminInline");
    let told: BTreeSet<_> = [1, 2, 3, 5, 6, 7].map(admin).into_iter().chain([id(9, "AdminAttached")]).collect();
    local_aws::wait_until("the bus has told of all", || world.told() == told);
    let mut stored = told.clone();
    stored.extend([id(4, "UserCreated"), admin(8)]);
    assert_eq!(world.rows().into_iter().collect::<BTreeSet<_>>(), stored);
    assert_eq!(world.letters().len(), 1);
    let judged: BTreeSet<_> = (1..=9).map(event_id).collect();
    assert_eq!(world.event_column("event_id").into_iter().collect::<BTreeSet<_>>(), judged);
    world.assert_balance();
    assert_sums(&world, &drained.invocations);

    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/outside/read_back.py");
    let read = world.aws.python(&script, &[AUDIT, "IAMPolicyMonitor"]);
    let ids: Vec<String> = stored.iter().map(ToString::to_string).collect();
    for reader in ["boto3_pyarrow", "duckdb"] {
        assert_eq!(read[reader], json!(ids), "{reader}");
    }
    assert_eq!(read["metrics"]["ViolationCount"], json!(9.0));
    assert_eq!(read["metrics"]["RecordsIn"], json!(10.0));
    assert_eq!(read["metrics"]["DeadLetters"], json!(1.0));
    assert_eq!(read["metrics"]["ViolationRowsWritten"], read["metrics"]["ViolationCount"]);
    assert_eq!(read["metrics"]["EventRowsWritten"], read["metrics"]["EventProcessed"]);
    assert_eq!(read["metrics"]["EventBridgePublishSuccess"], json!(7.0));
}

/// Over all batches: ten records, twelve events, of which one came twice (in one batch or two).
fn assert_sums(world: &World, invocations: &[Vec<String>]) {
    let lines = world.batches();
    assert_eq!(lines.len(), invocations.len(), "one line for each batch");
    let sum = |name: &str| lines.iter().map(|line| line[name].as_u64().unwrap()).sum::<u64>();
    assert_eq!((sum("records_in"), sum("records_read"), sum("dead_letters")), (10, 9, 1));
    assert_eq!((sum("events_in"), sum("not_of_interest"), sum("recognised")), (12, 2, 1));
    assert_eq!((sum("violations"), sum("suppressed")), (9, 1));
    assert_eq!((sum("violation_rows"), sum("event_rows")), (sum("violations"), sum("judged")));
}

#[test]
fn entries_carry_the_violation_and_the_event_in_the_shape_that_consumers_know() {
    let mut world = World::new();
    world.deliver(&crate::world::records(&[bytes(&admin_inline(1))]));
    local_aws::wait_until("the entry is there", || !world.told().is_empty());
    let entry: Value = world.heard()[0].clone();
    assert_eq!(
        (&entry["source"], &entry["detail-type"]),
        (&json!("iam.policy.monitor"), &json!("IAM Policy Violation"))
    );
    let detail = &entry["detail"];
    assert_eq!(detail["eventId"], json!(id(1, "AdminInline").to_string()));
    assert_eq!(detail["timestamp"], "2024-01-05T12:00:00Z");
    assert_eq!(detail["correlationId"], crate::records::event_id(1));
    assert_eq!(detail["violation"]["rule_name"], "AdminInline");
    assert_eq!(detail["violation"]["remediation_action"], "delete_inline_policy");
    assert_eq!(detail["violation"]["shard_id"], "shardId-000000000000");
    assert_eq!(detail["originalEvent"]["eventName"], "PutUserPolicy");
}
