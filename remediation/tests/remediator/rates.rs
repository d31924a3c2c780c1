//! Bounded: however much is asked at once.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::world::{OWN, World, batch, config, message};

const ASKED: usize = 500;

/// Users with an inline policy each, and the messages.
fn storm(world: &World) -> Vec<Value> {
    (0..ASKED).map(|number| world.inline(OWN, &format!("user{number}"))).collect()
}

fn limited(when_spent: &str) -> Value {
    let mut config = config();
    config["rate_limits"] = json!({"actions_per_minute": 5, "actions_per_hour": 50, "when_spent": when_spent});
    config
}

/// Delivers everything in batches of ten to two instances at once, within one minute of the wall clock.
fn deliver_all(world: &World, messages: &[Value], environment: &[(&str, &str)]) -> (Vec<String>, usize) {
    let instances = [world.instance(environment), world.instance(environment)];
    for instance in &instances {
        // Started before the minute that counts.
        assert!(instance.deliver([]).is_empty());
    }
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    if now % 60 > 5 {
        std::thread::sleep(std::time::Duration::from_secs(60 - now % 60));
    }
    let batches: Vec<&[Value]> = messages.chunks(10).collect();
    let back = std::sync::atomic::AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for (number, instance) in instances.iter().enumerate() {
            let (batches, back) = (&batches, &back);
            scope.spawn(move || {
                for part in batches.iter().skip(number).step_by(2) {
                    let count = instance.deliver(part.iter()).len();
                    back.fetch_add(count, std::sync::atomic::Ordering::Relaxed);
                }
            });
        }
    });
    let changes = instances.iter().flat_map(|instance| instance.changes()).collect();
    (changes, back.into_inner())
}

/// Repairs by the minute in which their slot was taken.
fn slots_by_minute(world: &World) -> BTreeMap<String, usize> {
    let mut minutes = BTreeMap::new();
    for key in world.aws.keys("audit", "claims/repairs-per-minute/") {
        *minutes.entry(key.split('/').nth(2).unwrap().to_owned()).or_default() += 1;
    }
    minutes
}

#[test]
fn of_five_hundred_at_once_five_a_minute_are_repaired_and_the_rest_wait_in_the_queue() {
    let world = World::new(&limited("delay"));
    let messages = storm(&world);
    let url = world.repairs.url.clone();
    let (changes, back) = deliver_all(&world, &messages, &[("SQS_QUEUE_URL", &url)]);
    let minutes = slots_by_minute(&world);
    assert!(minutes.values().all(|slots| *slots <= 5), "{minutes:?}");
    assert_eq!(minutes.values().next(), Some(&5), "{minutes:?}");
    assert_eq!(changes.len(), minutes.values().sum::<usize>(), "one change for each slot");
    assert!(changes.iter().all(|change| change == "DeleteUserPolicy"));
    let waiting: Value = world
        .aws
        .json("AmazonSQS.GetQueueAttributes", &json!({"QueueUrl": url, "AttributeNames": ["All"]}))["Attributes"]
        .clone();
    let count = |name: &str| waiting[name].as_str().and_then(|text| text.parse::<usize>().ok()).unwrap_or(0);
    let waiting = count("ApproximateNumberOfMessages") + count("ApproximateNumberOfMessagesDelayed");
    assert_eq!((back, waiting + changes.len()), (0, ASKED), "none is lost");
    assert_eq!(world.rows().len(), changes.len(), "waiting is no attempt");
}

#[test]
fn as_configured_the_rest_is_skipped_with_the_reason() {
    let world = World::new(&limited("skip"));
    let messages = storm(&world);
    let (changes, back) = deliver_all(&world, &messages[..60], &[]);
    let minutes = slots_by_minute(&world);
    assert!(minutes.values().all(|slots| *slots <= 5), "{minutes:?}");
    assert_eq!((back, changes.len()), (0, minutes.values().sum::<usize>()));
    let rows = world.rows();
    let skipped = rows.iter().filter(|row| row["status"] == "SKIPPED").collect::<Vec<_>>();
    assert_eq!((rows.len(), skipped.len()), (60, 60 - changes.len()));
    assert!(skipped.iter().all(|row| row["reason"].as_str().unwrap().contains("5 actions per minute")));
}

#[test]
fn d26_one_budget_holds_for_the_queue_for_a_replay_for_the_command_line_and_for_undoing() {
    let mut config = config();
    config["rate_limits"] = json!({"actions_per_minute": 1000, "actions_per_hour": 1, "when_spent": "skip"});
    let world = World::new(&config);
    let instance = world.instance(&[]);
    let asked: Vec<Value> = (0..4).map(|number| world.inline(OWN, &format!("user{number}"))).collect();
    let detail = json!({
        "eventId": asked[1]["violation"]["violation_id"], "timestamp": "2024-01-05T12:00:00Z", "correlationId": "c",
        "violation": asked[1]["violation"], "originalEvent": asked[1]["event"],
    });
    let bus = json!({"source": "iam.policy.monitor", "detail-type": "IAM Policy Violation", "detail": detail});
    not_at_the_end_of_an_hour();
    assert!(instance.deliver([&asked[0]]).is_empty());
    assert_eq!(instance.changes(), ["DeleteUserPolicy"]);
    // The queue in both forms, the same once more as after a replay of the stream, and by hand.
    assert!(instance.deliver([&bus, &asked[2], &asked[0]]).is_empty());
    let file = world.aws.folder().join("message.json");
    std::fs::write(&file, asked[3].to_string()).unwrap();
    let (_, text) = instance.command(&["--event", file.to_str().unwrap()]);
    assert!(text.contains("budget"), "{text}");
    let (is_undone, text) = instance.command(&["undo", &crate::world::violation_id(&asked[0]), "--apply"]);
    assert!(!is_undone && text.contains("the budget of"), "{text}");
    assert_eq!(instance.changes(), ["DeleteUserPolicy"]);
    for user in ["user1", "user2", "user3"] {
        assert!(world.has_inline(OWN, user), "{user}");
    }
    let skipped = world.rows().into_iter().filter(|row| row["status"] == "SKIPPED").count();
    assert_eq!(skipped, 3);
}

/// A budget of an hour that is spent in one and asked for in the next would be two.
fn not_at_the_end_of_an_hour() {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    if now % 3600 > 3540 {
        std::thread::sleep(std::time::Duration::from_secs(3601 - now % 3600));
    }
}

#[test]
fn a_repair_with_grace_is_marked_told_once_and_can_be_held_back() {
    let mut config = config();
    config["grace_minutes"] = json!({"PrivilegeEscalationGranted": 60});
    let world = World::new(&config);
    let url = world.repairs.url.clone();
    let instance = world.instance(&[("SQS_QUEUE_URL", &url)]);
    world.inline(OWN, "bob");
    let soon = chrono::Utc::now().to_rfc3339();
    let asked = message(OWN, "bob", json!({"detected_at": soon}));
    let answer = instance.function.invoke(&batch([&asked])).unwrap();
    assert_eq!(answer, json!({"batchItemFailures": []}));
    assert!(instance.deliver([&asked]).is_empty());
    let heard = world.hear(1);
    assert_eq!(heard.len(), 1, "told when it is marked, not each time");
    assert!(heard[0]["detail"]["remediation"]["description"].as_str().unwrap().contains("waits until"));
    let id = crate::world::violation_id(&asked);
    let (is_held, text) = instance.command(&["hold", &id, "--reason", "alice: planned work"]);
    assert!(is_held, "{text}");
    assert!(instance.deliver([&asked]).is_empty());
    assert!(world.rows_of(&id).iter().any(|row| row["reason"] == "held back by hand: alice: planned work"));
    assert_eq!(instance.changes(), Vec::<String>::new());
    assert!(world.has_inline(OWN, "bob"));
}
