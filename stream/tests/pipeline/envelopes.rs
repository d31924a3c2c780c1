//! A batch of Kinesis whose records hold nothing at all, or the wrong thing.

use local_aws::FunctionError;
use serde_json::json;

use crate::world::{World, records};

#[test]
fn an_empty_batch_is_done() {
    let world = World::new();
    world.deliver(&records(&[]));
    assert_eq!(world.batches()[0]["records_in"], 0);
}

#[test]
fn a_payload_that_is_no_kinesis_event_fails_the_invocation_and_leaves_the_process_running() {
    let world = World::new();
    let refused = world.function.invoke(&json!({"hello": "world"}));
    assert!(matches!(refused, Err(FunctionError::Handler(_))), "{refused:?}");
    world.deliver(&records(&[]));
}

#[test]
fn data_that_is_not_base64_is_a_dead_letter() {
    let world = World::new();
    let mut batch = records(&[b"x".to_vec()]);
    batch[0].data = "@@@".to_owned();
    world.deliver(&batch);
    assert_eq!(world.letters()[0]["lastErrorCode"], "not_base64");
}
