//! What cannot be read never blocks the shard: it is kept byte for byte with its reason, and everything else goes on.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use crate::records::{admin_inline, aggregate, bytes, gzip, harmless, log_file};
use crate::world::{World, admin_ids, records};

fn raw(letter: &Value) -> Vec<u8> {
    BASE64_STANDARD.decode(letter["rawData"].as_str().unwrap()).unwrap()
}

#[test]
fn d9_one_bad_record_of_five_hundred_leaves_four_hundred_and_ninety_nine() {
    let mut world = World::new();
    let mut contents: Vec<Vec<u8>> = (1..=500).map(|number| bytes(&harmless(number))).collect();
    contents[0] = bytes(&admin_inline(1));
    contents[250] = b"{\"eventName\":".to_vec();
    contents[499] = bytes(&admin_inline(500));
    let batch = records(&contents);
    world.deliver(&batch);
    let letters = world.letters();
    assert_eq!(letters.len(), 1);
    assert_eq!(raw(&letters[0]), contents[250]);
    assert_eq!(letters[0]["sequenceNumber"], batch[250].sequence_number);
    assert_eq!(letters[0]["shardId"], batch[250].shard_id);
    assert!(letters[0]["lastErrorMessage"].as_str().is_some_and(|reason| !reason.is_empty()));
    let line = world.batches().remove(0);
    assert_eq!((&line["records_read"], &line["dead_letters"]), (&json!(499), &json!(1)));
    world.assert_nothing_lost(&admin_ids([1, 500]));
}

#[test]
fn d14_one_bad_sub_record_of_an_aggregate_is_kept_alone_and_the_others_are_judged() {
    let mut world = World::new();
    let parts = [bytes(&admin_inline(1)), b"neither".to_vec(), bytes(&admin_inline(2))];
    world.deliver(&records(&[aggregate(&parts)]));
    let letters = world.letters();
    assert_eq!(letters.len(), 1);
    assert_eq!((raw(&letters[0]), &letters[0]["subSequenceNumber"]), (b"neither".to_vec(), &json!(1)));
    world.assert_nothing_lost(&admin_ids([1, 2]));
}

#[test]
fn d6_d17_records_of_one_and_of_four_megabytes_are_kept_whole_counted_and_passed_by() {
    let mut world = World::new();
    // The largest record that Lambda's payload can hold is about 4.5 MB.
    let large = vec![b'y'; 1024 * 1024];
    let larger = vec![b'x'; 4 * 1024 * 1024];
    world.deliver(&records(&[large.clone(), bytes(&admin_inline(1))]));
    world.deliver(&records(&[larger.clone(), bytes(&admin_inline(2))]));
    let mut kept: Vec<Vec<u8>> = world.letters().iter().map(raw).collect();
    kept.sort_by_key(Vec::len);
    assert!(kept == [large, larger], "kept {:?} bytes", kept.iter().map(Vec::len).collect::<Vec<_>>());
    world.assert_nothing_lost(&admin_ids([1, 2]));
    local_aws::wait_until("the metric is there", || {
        world.aws.metric_sum("IAMPolicyMonitor", "DeadLetters", &[]) == 2.0
    });
}

#[test]
fn a_compression_bomb_is_kept_as_it_came_and_costs_no_memory() {
    let mut world = World::new();
    let bomb = gzip(&vec![b' '; 300 * 1024 * 1024]);
    world.deliver(&records(&[bomb.clone(), bytes(&admin_inline(1))]));
    let letters = world.letters();
    assert_eq!(letters.len(), 1, "{letters:?}");
    assert!(raw(&letters[0]) == bomb, "{}", letters[0]["lastErrorCode"]);
    world.assert_nothing_lost(&admin_ids([1]));
}

#[test]
fn a_record_of_thousands_of_violations_is_delivered_in_parts_and_seen_whole() {
    let mut world = World::new();
    let padding = "p".repeat(20_000);
    let large = |number| {
        let mut event = admin_inline(number);
        event["userAgent"] = json!(padding);
        event
    };
    // 1,200 events of 20 KB: more than one part holds, in one record of a few kilobytes.
    let events: Vec<Value> = (1..=1200).map(large).collect();
    world.deliver(&records(&[log_file(&events)]));
    assert!(world.aws.keys(crate::world::AUDIT, "violations/").len() > 1, "in parts");
    let line = world.batches().remove(0);
    assert_eq!((&line["records_in"], &line["events_in"], &line["violations"]), (&json!(1), &json!(1200), &json!(1200)));
    assert_eq!(world.rows().len(), 1200);
    world.assert_nothing_lost(&admin_ids(1..=1200));
}

#[test]
fn a_record_of_thousands_of_unreadable_parts_gives_a_bounded_number_of_dead_letters() {
    let world = World::new();
    let parts: Vec<Vec<u8>> = (0..1000).map(|number| format!("junk {number}").into_bytes()).collect();
    let record = aggregate(&parts);
    world.deliver(&records(std::slice::from_ref(&record)));
    let letters = world.letters();
    assert_eq!(letters.len(), 101);
    let whole =
        letters.iter().find(|letter| letter["lastErrorCode"] == "too_many_unreadable").expect("the whole record");
    assert_eq!(raw(whole), record);
    world.assert_balance();
}

#[test]
fn d18_events_without_parameters_and_answers_are_judged_by_every_rule_and_crash_none() {
    let world = World::new();
    let mut contents = Vec::new();
    for (number, name) in (1..).zip(["PutUserPolicy", "AttachRolePolicy", "CreateUser"]) {
        for (place, odd) in (0..).zip([json!(null), json!({}), json!({"omitted": true}), json!("text"), json!([])]) {
            let mut event = admin_inline(number * 10 + place);
            event["eventName"] = json!(name);
            event["requestParameters"] = odd.clone();
            event["responseElements"] = odd;
            contents.push(bytes(&event));
        }
    }
    world.deliver(&records(&contents));
    let line = world.batches().remove(0);
    assert_eq!((&line["judged"], &line["rule_errors"]), (&json!(15), &json!(0)));
    assert!(world.column("rule_name").iter().any(|rule| rule == "PolicyHidden"), "hidden is a finding");
    world.assert_balance();
}

#[test]
fn d23_aggregated_events_are_recognised_and_counted() {
    let world = World::new();
    let aggregated = json!({"eventVersion": "1.0", "eventCategory": "Aggregated", "eventType": "AwsAggregatedEvent",
        "eventId": "e", "accountId": "111111111111", "eventTime": "2024-01-05T12:00:00Z"});
    world.deliver(&records(&[bytes(&aggregated)]));
    let line = world.batches().remove(0);
    assert_eq!((&line["recognised"], &line["dead_letters"]), (&json!(1), &json!(0)), "{line}");
}

#[test]
fn d24_d25_two_trails_are_one_row_both_sides_of_a_call_two_and_an_addendum_is_never_dropped() {
    let world = World::new();
    let by_trail = admin_inline(1);
    let mut other_side = admin_inline(2);
    other_side["sharedEventID"] = json!("s");
    other_side["recipientAccountId"] = json!("222222222222");
    let mut addendum = admin_inline(1);
    addendum["addendum"] = json!({"reason": "UPDATED_DATA", "updatedFields": "requestParameters"});
    world.deliver(&records(&[bytes(&by_trail), bytes(&by_trail), bytes(&other_side), bytes(&addendum)]));
    let line = world.batches().remove(0);
    assert_eq!((&line["duplicates"], &line["judged"]), (&json!(1), &json!(3)));
    let accounts = world.column("account_id");
    assert!(accounts.contains(&"111111111111".to_owned()) && accounts.contains(&"222222222222".to_owned()));
}
