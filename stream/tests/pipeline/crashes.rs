//! Lambda killed at every step. The batch comes again, to a new process, and nothing is lost.

use local_aws::{Call, Fault, FunctionError};
use serde_json::json;

use crate::records::{admin_inline, bytes, event_id};
use crate::world::{World, admin_ids, operation, records, writes};

/// Kills the detector at a call, before or after it is carried out, and delivers the batch again.
fn survives_a_kill(when: impl Fn(&Call) -> bool + Send + 'static, is_after: bool) {
    let mut world = World::new();
    // A first batch, so that the kill meets a running process.
    world.deliver(&records(&[bytes(&admin_inline(100))]));
    let killer = world.function.killer();
    let kill = std::sync::Arc::new(move || killer.kill());
    let fault = if is_after { Fault::After(kill) } else { Fault::Before(kill) };
    world.proxy.fail(1, fault, when);
    let batch = records(&[b"no JSON".to_vec(), bytes(&admin_inline(1)), bytes(&admin_inline(2))]);
    let killed = world.invoke(&batch);
    assert!(matches!(killed, Err(FunctionError::Exited(_))), "{killed:?}");
    let again = world.invoke(&batch).expect("an answer");
    assert_eq!(again, json!({"batchItemFailures": []}), "{}", world.function.log());
    world.assert_nothing_lost(&admin_ids([1, 2, 100]));
    assert_eq!(world.letters().len(), 1);
    assert_eq!(world.rows().len(), 3, "the objects of the second try have the names of the first");
    let mut events = world.event_column("event_id");
    events.sort();
    assert_eq!(events, [1, 2, 100].map(event_id));
}

#[test]
fn d11_killed_before_the_dead_letter_is_stored() {
    survives_a_kill(writes("dead-letters/"), false);
}

#[test]
fn killed_after_the_dead_letter_is_stored() {
    survives_a_kill(writes("dead-letters/"), true);
}

#[test]
fn killed_before_the_rows_are_stored() {
    survives_a_kill(writes("violations/"), false);
}

#[test]
fn killed_after_the_rows_are_stored() {
    survives_a_kill(writes("violations/"), true);
}

#[test]
fn killed_before_the_events_are_stored() {
    survives_a_kill(writes("iam_events/"), false);
}

#[test]
fn killed_after_the_events_are_stored() {
    survives_a_kill(writes("iam_events/"), true);
}

#[test]
fn killed_before_the_bus_has_the_entries() {
    survives_a_kill(operation("PutEvents"), false);
}

#[test]
fn killed_after_the_bus_has_the_entries() {
    survives_a_kill(operation("PutEvents"), true);
}

#[test]
fn killed_before_the_metrics_are_sent() {
    survives_a_kill(operation("PutMetricData"), false);
}

#[test]
fn killed_after_the_metrics_are_sent() {
    survives_a_kill(operation("PutMetricData"), true);
}
