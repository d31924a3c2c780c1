//! The proxy fails what the plan names and nothing else.

use std::time::Duration;

use local_aws::{ACCOUNT, Fault, LocalAws, Proxy, Queue};
use serde_json::{Value, json};

fn put_events(proxy: &Proxy, count: usize) -> (u16, Value) {
    let entry = |place: usize| json!({"Source": "test", "DetailType": "t", "Detail": json!({"place": place}).to_string(), "EventBusName": "bus"});
    let body = json!({"Entries": (0..count).map(entry).collect::<Vec<_>>()});
    let reply = proxy.json("events", "AWSEvents.PutEvents", &body);
    (reply.status, serde_json::from_slice(&reply.body).unwrap_or_default())
}

fn bus_with_queue(aws: &LocalAws) -> Queue {
    aws.create_bus("bus");
    let queue = aws.create_queue("seen");
    aws.route("bus", &json!({"source": ["test"]}), &queue);
    queue
}

#[test]
fn entries_that_fail_on_plan_are_not_carried_out_and_the_others_are() {
    let aws = LocalAws::start();
    let queue = bus_with_queue(&aws);
    let proxy = Proxy::start(&aws);
    proxy.fail(1, Fault::Entries(vec![2, 6], "ThrottlingException".to_owned()), |call| call.operation == "PutEvents");
    let (_, first) = put_events(&proxy, 8);
    assert_eq!(first["FailedEntryCount"], 2);
    let failed: Vec<bool> =
        first["Entries"].as_array().unwrap().iter().map(|entry| entry["ErrorCode"] == "ThrottlingException").collect();
    assert_eq!(failed, [false, false, true, false, false, false, true, false]);
    let mut places = Vec::new();
    aws.wait_until("six entries have arrived", || {
        places.extend(aws.take_messages(&queue).iter().map(|message| message["detail"]["place"].as_u64().unwrap()));
        places.len() >= 6
    });
    places.sort_unstable();
    assert_eq!(places, [0, 1, 3, 4, 5, 7]);
    assert_eq!(put_events(&proxy, 1).1["FailedEntryCount"], 0);
    assert_eq!(proxy.calls_of("events", "PutEvents").len(), 2);
}

#[test]
fn a_status_is_given_as_often_as_planned_and_after_the_calls_to_let_pass() {
    let aws = LocalAws::start();
    bus_with_queue(&aws);
    let proxy = Proxy::start(&aws);
    proxy.fail_after(1, 2, Fault::Status(503, "{}".to_owned()), |call| call.service == "events");
    let statuses: Vec<u16> = (0..4).map(|_| put_events(&proxy, 1).0).collect();
    assert_eq!(statuses, [200, 503, 503, 200]);
}

#[test]
fn a_lost_answer_is_carried_out_all_the_same_and_silence_is_not() {
    let aws = LocalAws::start();
    let queue = bus_with_queue(&aws);
    let proxy = Proxy::start(&aws);
    proxy.fail(1, Fault::AnswerLost, |_| true);
    assert_eq!(put_events(&proxy, 1).0, 0);
    proxy.fail(1, Fault::Silence(Duration::from_millis(50)), |_| true);
    assert_eq!(put_events(&proxy, 1).0, 0);
    let mut seen = 0;
    aws.wait_until("one entry has arrived", || {
        seen += aws.take_messages(&queue).len();
        seen == 1
    });
}

#[test]
fn lists_come_in_pages_that_together_are_the_whole_list() {
    let aws = LocalAws::start();
    for number in 0..5 {
        aws.iam(ACCOUNT, &[("Action", "CreateUser"), ("UserName", &format!("user{number}"))]);
    }
    let proxy = Proxy::start(&aws);
    proxy.fail(usize::MAX, Fault::Pages(2), |call| call.operation.starts_with("List"));
    let page = |marker: &str| {
        let reply = proxy.query("iam", &[("Version", "2010-05-08"), ("Action", "ListUsers"), ("Marker", marker)]);
        (reply.tags("UserName"), reply.tag("IsTruncated"), reply.tag("Marker"))
    };
    let pages: Vec<_> = ["0", "2", "4"].map(page).to_vec();
    let expected = |names: &[&str], is_more: bool, marker: Option<&str>| {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        (names, Some(is_more.to_string()), marker.map(str::to_owned))
    };
    assert_eq!(pages[0], expected(&["user0", "user1"], true, Some("2")));
    assert_eq!(pages[1], expected(&["user2", "user3"], true, Some("4")));
    assert_eq!(pages[2], expected(&["user4"], false, None));
}
