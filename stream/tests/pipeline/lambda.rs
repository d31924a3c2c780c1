//! Near the deadline of Lambda, and from its first breath.

use std::time::Duration;

use local_aws::{Fault, FunctionError, kinesis_event};
use serde_json::json;

use crate::records::{admin_inline, log_file};
use crate::world::{STREAM, World, admin_ids, operation, records};

#[test]
fn work_that_does_not_fit_before_the_deadline_is_handed_back_and_done_next_time() {
    let mut world = World::new();
    world.deliver(&records(&[]));
    // Each record fills a part; the bus is slow with the first, so that the others no longer fit.
    let padding = "p".repeat(50_000);
    let event = |number| {
        let mut event = admin_inline(number);
        event["userAgent"] = json!(padding);
        event
    };
    let contents: Vec<Vec<u8>> =
        (0..3).map(|record| log_file(&(1..=350).map(|at| event(record * 1000 + at)).collect::<Vec<_>>())).collect();
    let batch = records(&contents);
    world.proxy.fail(1, Fault::Silence(Duration::from_secs(6)), operation("PutEvents"));
    let first = world.function.invoke_within(&kinesis_event(STREAM, &batch), Duration::from_secs(16));
    let failed = first.expect("an answer before the deadline")["batchItemFailures"][0]["itemIdentifier"].clone();
    let place = batch.iter().position(|record| json!(record.sequence_number) == failed).expect("one of the batch");
    assert!(place > 0, "some of it was done\n{}", world.function.log());
    let handed_back = world.batches()[1]["records_handed_back"].as_u64().unwrap();
    assert_eq!(handed_back as usize, batch.len() - place);
    world.mapping(&batch[place..]);
    world.assert_nothing_lost(&admin_ids((0..3).flat_map(|record| (1..=350).map(move |at| record * 1000 + at))));
}

#[test]
fn a_deadline_in_the_past_makes_no_trouble() {
    let world = World::new();
    let answer = world.function.invoke_within(&kinesis_event(STREAM, &records(&[])), Duration::from_millis(2500));
    assert!(matches!(answer, Ok(_) | Err(FunctionError::TimedOut)), "{answer:?}");
}
