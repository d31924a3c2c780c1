//! Faults on plan. Afterwards each violation is in the lake and was on the bus, and the books balance.

use std::time::Duration;

use local_aws::{Fault, kinesis_event};
use serde_json::json;

use crate::records::{admin_inline, bytes, event_id, harmless};
use crate::world::{STREAM, World, admin_ids, operation, records, writes};

fn busy() -> Fault {
    Fault::Status(503, "<Error><Code>SlowDown</Code><Message>on plan</Message></Error>".to_owned())
}

fn throttled() -> Fault {
    let body = json!({"__type": "ThrottlingException", "message": "on plan"});
    Fault::Status(400, body.to_string())
}

#[test]
fn a_busy_s3_is_asked_again_and_the_batch_is_done_at_once() {
    let mut world = World::new();
    world.proxy.fail(2, busy(), writes("violations/"));
    world.deliver(&records(&[bytes(&admin_inline(1))]));
    assert_eq!(world.proxy.calls().iter().filter(|call| writes("violations/")(call)).count(), 3);
    world.assert_nothing_lost(&admin_ids([1]));
}

#[test]
fn d1_a_lake_that_stays_down_hands_the_batch_back_and_the_retry_stores_it_once() {
    let mut world = World::new();
    world.proxy.fail(usize::MAX, busy(), writes("violations/"));
    let batch = records(&[b"no JSON".to_vec(), bytes(&admin_inline(1)), bytes(&admin_inline(2))]);
    let answer = world.invoke(&batch).expect("an answer");
    // The dead letter of the first record is stored: only the records with rows come again.
    assert_eq!(answer["batchItemFailures"], json!([{"itemIdentifier": batch[1].sequence_number}]));
    assert!(world.told().is_empty(), "nothing is told before it is stored");
    world.proxy.heal();
    world.deliver(&batch[1..]);
    assert_eq!(world.rows().len(), 2);
    world.assert_nothing_lost(&admin_ids([1, 2]));
}

#[test]
fn events_that_cannot_be_stored_hand_the_batch_back_before_anything_is_told() {
    let mut world = World::new();
    world.proxy.fail(usize::MAX, busy(), writes("iam_events/"));
    let batch = records(&[bytes(&admin_inline(1)), bytes(&harmless(2)), bytes(&admin_inline(3))]);
    let answer = world.invoke(&batch).expect("an answer");
    assert_eq!(answer["batchItemFailures"], json!([{"itemIdentifier": batch[0].sequence_number}]));
    assert!(world.told().is_empty(), "nothing is told before all is stored");
    world.proxy.heal();
    world.deliver(&batch);
    world.assert_nothing_lost(&admin_ids([1, 3]));
    assert_eq!(world.rows().len(), 2, "the retry finds the violations stored");
    let mut stored = world.event_column("event_id");
    stored.sort();
    assert_eq!(stored, [1, 3].map(event_id), "of the events, those that some rule names");
}

#[test]
fn an_s3_that_never_answers_costs_the_invocation_and_loses_nothing() {
    let mut world = World::new();
    world.deliver(&records(&[]));
    world.proxy.fail(usize::MAX, Fault::Silence(Duration::from_secs(20)), writes("violations/"));
    let batch = records(&[bytes(&admin_inline(1))]);
    let answer = world.function.invoke_within(&kinesis_event(STREAM, &batch), Duration::from_secs(5));
    assert_eq!(
        answer.expect("handed back before the deadline")["batchItemFailures"][0]["itemIdentifier"],
        json!(batch[0].sequence_number)
    );
    world.proxy.heal();
    world.deliver(&batch);
    world.assert_nothing_lost(&admin_ids([1]));
}

#[test]
fn dead_letters_that_cannot_be_stored_come_again_and_what_came_before_is_delivered() {
    let mut world = World::new();
    world.proxy.fail(usize::MAX, busy(), writes("dead-letters/"));
    let batch = records(&[bytes(&admin_inline(1)), b"no JSON".to_vec(), bytes(&admin_inline(2))]);
    let answer = world.invoke(&batch).expect("an answer");
    assert_eq!(answer["batchItemFailures"], json!([{"itemIdentifier": batch[1].sequence_number}]));
    world.assert_nothing_lost(&admin_ids([1]));
    world.proxy.heal();
    world.deliver(&batch[1..]);
    world.assert_nothing_lost(&admin_ids([1, 2]));
    assert_eq!(world.letters().len(), 1);
}

#[test]
fn d10_only_the_entries_that_failed_are_sent_again() {
    let mut world = World::new();
    world.proxy.fail(1, Fault::Entries(vec![2, 6], "ThrottlingException".to_owned()), operation("PutEvents"));
    let contents: Vec<Vec<u8>> = (1..=9).map(|number| bytes(&admin_inline(number))).collect();
    world.deliver(&records(&contents));
    let calls = world.proxy.calls_of("events", "PutEvents");
    let entries =
        |body: &[u8]| serde_json::from_slice::<serde_json::Value>(body).unwrap()["Entries"].as_array().unwrap().len();
    assert_eq!(calls.iter().map(|call| entries(&call.body)).collect::<Vec<_>>(), [9, 2]);
    world.assert_nothing_lost(&admin_ids(1..=9));
    assert_eq!(world.heard().len(), 9, "no entry was sent twice");
    let line = world.batches().remove(0);
    assert_eq!((&line["published"], &line["publish_failures"]), (&json!(9), &json!(2)));
}

#[test]
fn a_bus_that_stays_down_is_passed_by_through_sns_and_sqs() {
    let mut world = World::prepared(&[], |aws| {
        let (topic, people, repairs) =
            (aws.create_topic("people"), aws.create_queue("people"), aws.create_queue("repairs"));
        aws.subscribe(&topic, &people);
        vec![("SNS_TOPIC_ARN", topic), ("SQS_QUEUE_URL", repairs.url)]
    });
    world.proxy.fail(usize::MAX, throttled(), operation("PutEvents"));
    world.deliver(&records(&[bytes(&admin_inline(1))]));
    let queue = |name: &str| local_aws::Queue {
        url: format!("{}/{}/{name}", world.aws.url(), local_aws::ACCOUNT),
        arn: String::new(),
    };
    let (people, repairs) = (queue("people"), queue("repairs"));
    let people = world.aws.take_messages(&people);
    assert_eq!(people.len(), 1);
    assert!(people[0]["Subject"].as_str().unwrap().contains("AdminInline"), "{}", people[0]);
    let repairs = world.aws.take_messages(&repairs);
    assert_eq!(repairs.len(), 1);
    assert_eq!(repairs[0]["remediation_action"], "delete_inline_policy");
    assert_eq!(repairs[0]["violation"]["rule_name"], "AdminInline");
    assert_eq!(repairs[0]["event"]["eventName"], "PutUserPolicy");
    assert_eq!(repairs[0]["timestamp"], "2024-01-05T12:00:00Z");
    assert_eq!(world.batches()[0]["direct"], 1);
    assert!(world.told().is_empty());
    world.assert_balance();
}

#[test]
fn without_the_bus_by_setting_everything_goes_the_direct_way() {
    let world = World::prepared(&[("USE_EVENTBRIDGE", "false"), ("EVENTBRIDGE_BUS_NAME", "")], |aws| {
        vec![("SQS_QUEUE_URL", aws.create_queue("repairs").url)]
    });
    world.deliver(&records(&[bytes(&admin_inline(1))]));
    assert!(world.proxy.calls_of("events", "PutEvents").is_empty());
    let repairs =
        local_aws::Queue { url: format!("{}/{}/repairs", world.aws.url(), local_aws::ACCOUNT), arn: String::new() };
    assert_eq!(world.aws.take_messages(&repairs).len(), 1);
    assert_eq!(world.rows().len(), 1);
}

#[test]
fn with_bus_topic_and_queue_down_the_batch_comes_again() {
    let mut world = World::prepared(&[], |aws| {
        vec![("SNS_TOPIC_ARN", aws.create_topic("people")), ("SQS_QUEUE_URL", aws.create_queue("repairs").url)]
    });
    for name in ["PutEvents", "PublishBatch", "SendMessageBatch"] {
        world.proxy.fail(usize::MAX, busy(), operation(name));
    }
    let batch = records(&[bytes(&admin_inline(1))]);
    let answer = world.invoke(&batch).expect("an answer");
    assert_eq!(answer["batchItemFailures"][0]["itemIdentifier"], json!(batch[0].sequence_number));
    world.proxy.heal();
    world.deliver(&batch);
    world.assert_nothing_lost(&admin_ids([1]));
}

#[test]
fn metrics_that_cloudwatch_does_not_take_are_in_the_log_and_the_batch_is_done() {
    let mut world = World::new();
    world.proxy.fail(usize::MAX, Fault::Status(500, String::new()), operation("PutMetricData"));
    world.deliver(&records(&[bytes(&admin_inline(1))]));
    let log = world.function.log();
    let embedded = log.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let counts: Vec<_> =
        embedded.filter(|line| line.get("_aws").is_some()).map(|line| line["ViolationCount"].clone()).collect();
    assert_eq!(counts, [json!(1.0), json!(1.0)], "once in all, once by severity");
    world.assert_nothing_lost(&admin_ids([1]));
}

#[test]
fn a_lost_answer_of_the_bus_means_an_entry_twice_with_one_id() {
    let mut world = World::new();
    world.proxy.fail(1, Fault::AnswerLost, operation("PutEvents"));
    world.deliver(&records(&[bytes(&admin_inline(1))]));
    local_aws::wait_until("both have arrived", || world.heard().len() == 2);
    world.assert_nothing_lost(&admin_ids([1]));
}

#[test]
fn d2_the_same_batch_three_times_is_one_object_and_one_violation_to_every_reader() {
    let mut world = World::new();
    let batch = records(&[bytes(&admin_inline(1)), b"no JSON".to_vec(), bytes(&admin_inline(2))]);
    let mut names = Vec::new();
    for _ in 0..3 {
        world.deliver(&batch);
        names.push(world.aws.keys(crate::world::AUDIT, ""));
    }
    assert_eq!(names[0], names[1]);
    assert_eq!(names[0], names[2]);
    assert_eq!(world.rows().len(), 2, "a retry writes nothing new");
    assert_eq!(world.letters().len(), 1);
    world.assert_nothing_lost(&admin_ids([1, 2]));
}

#[test]
fn d20_batches_cut_anew_after_a_partial_failure_lose_nothing() {
    let mut world = World::new();
    // The lake fails the first batch from its second record on; Lambda cuts there and goes on.
    let contents: Vec<Vec<u8>> = (1..=6).map(|number| bytes(&admin_inline(number))).collect();
    let batch = records(&contents);
    world.proxy.fail(1, Fault::Entries(vec![2, 4], "InternalFailure".to_owned()), operation("PutEvents"));
    world.proxy.fail(12, Fault::Status(500, String::new()), operation("PutEvents"));
    let drained = world.mapping(&batch);
    assert!(drained.invocations.len() > 1, "the batch was delivered again");
    assert_eq!(drained.invocations[1][0], batch[2].sequence_number, "from the first entry that failed");
    world.assert_nothing_lost(&admin_ids(1..=6));
}

#[test]
fn d9_an_entry_over_the_cap_names_the_object_that_has_the_whole_event() {
    let mut world = World::new();
    let mut event = admin_inline(1);
    let document = event["requestParameters"]["policyDocument"].as_str().unwrap().to_owned();
    event["requestParameters"]["policyDocument"] = json!(format!("{document}{}", " ".repeat(200_000)));
    world.deliver(&records(&[bytes(&event)]));
    world.assert_nothing_lost(&admin_ids([1]));
    let original = world.heard()[0]["detail"]["originalEvent"].clone();
    assert_eq!(original["omitted"], json!(true));
    let keys = world.aws.keys(crate::world::AUDIT, "violations/");
    assert_eq!(original["lake"], json!(keys[0]));
    assert!(world.column("original_event")[0].len() > 200_000, "the lake has all of it");
}

#[test]
fn what_the_bus_will_never_take_is_kept_and_does_not_block_the_shard() {
    let mut world = World::new();
    // CloudTrail cuts user agents at 1 KB; another writer may not. No column of an entry can be this long.
    let mut giant = admin_inline(1);
    giant["userAgent"] = json!("a".repeat(300_000));
    world.proxy.fail(1, Fault::Entries(vec![0], "MalformedDetail".to_owned()), operation("PutEvents"));
    world.deliver(&records(&[bytes(&giant), bytes(&admin_inline(2)), bytes(&admin_inline(3))]));
    let mut reasons: Vec<_> = world.letters().iter().map(|letter| letter["lastErrorCode"].clone()).collect();
    reasons.sort_by_key(ToString::to_string);
    assert_eq!(reasons, [json!("bus_refused"), json!("entry_too_large")]);
    assert_eq!(world.rows().len(), 3, "the lake has all three");
    local_aws::wait_until("the third is told", || world.told() == admin_ids([3]));
}
