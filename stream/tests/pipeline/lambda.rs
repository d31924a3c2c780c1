//! Near the deadline of Lambda, and from its first breath.

use std::time::Duration;

use local_aws::{FunctionError, Mapping, kinesis_event};
use serde_json::json;

use crate::records::{admin_inline, bytes};
use crate::world::{STREAM, World, admin_ids, records};

#[test]
fn with_little_time_left_each_invocation_does_something_and_hands_back_the_rest() {
    let mut world = World::new();
    world.deliver(&records(&[]));
    let contents: Vec<Vec<u8>> = (1..=3).map(|number| bytes(&admin_inline(number))).collect();
    let batch = records(&contents);
    // Less than what is kept for delivering and for the answer: only the first record is begun.
    let short = Duration::from_secs(10);
    let drained =
        Mapping { bisect: true, maximum_retry_attempts: Some(0), ..Mapping::default() }
            .run(STREAM, &batch, |event| world.function.invoke_within(event, short));
    let numbers: Vec<&String> = batch.iter().map(|record| &record.sequence_number).collect();
    let seen: Vec<Vec<&String>> = drained.invocations.iter().map(|numbers| numbers.iter().collect()).collect();
    assert_eq!(seen, [&numbers[..], &numbers[1..], &numbers[2..]]);
    assert!(drained.failed.is_empty(), "a hand-back uses up no retries");
    let handed_back: Vec<_> = world.batches().iter().map(|line| line["records_handed_back"].clone()).collect();
    assert_eq!(handed_back, [json!(0), json!(2), json!(1), json!(0)]);
    world.assert_nothing_lost(&admin_ids(1..=3));
}

#[test]
fn with_no_time_at_all_nothing_is_begun_and_nothing_is_lost() {
    let mut world = World::new();
    world.deliver(&records(&[]));
    let batch = records(&[bytes(&admin_inline(1))]);
    // Shorter than the margin for the answer: over before it began.
    let answer = world.function.invoke_within(&kinesis_event(STREAM, &batch), Duration::from_millis(2900));
    match answer {
        Ok(answer) => {
            assert_eq!(answer["batchItemFailures"][0]["itemIdentifier"], json!(batch[0].sequence_number));
        }
        // On a machine that is busy enough Lambda's own deadline comes first.
        Err(reason) => assert_eq!(reason, FunctionError::TimedOut),
    }
    assert!(world.told().is_empty());
    world.deliver(&batch);
    world.assert_nothing_lost(&admin_ids([1]));
}
