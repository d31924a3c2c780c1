//! A rule that fails: an event of its own on the bus, a metric, a message for people; every other rule goes on.

use std::collections::BTreeSet;

use local_aws::Function;
use serde_json::{Value, json};

use crate::records::{admin_inline, bytes, user_created};
use crate::world::{RULES, World, admin_ids, id, operation, records};

/// The rules of all tests, and one that fails on the events that `AdminInline` names.
fn rules_with_a_drill() -> String {
    let drill = "  - name: Drill\n    description: Fails\n    severity: HIGH\n    action: alert\n    \
                 conditions: {event_names: [PutUserPolicy], drill: true, policy: {full_admin: true}}\n";
    format!("{RULES}{drill}")
}

fn world() -> World {
    let world = World::new();
    world.aws.put_object("config", "rules.yaml", rules_with_a_drill().as_bytes());
    world
}

fn rule_errors(heard: &[Value]) -> Vec<Value> {
    heard.iter().filter(|entry| entry["detail-type"] == "IAM Policy Rule Error").cloned().collect()
}

#[test]
fn d3_d27_a_rule_that_fails_is_told_on_the_bus_and_counted_and_the_others_still_run() {
    let mut world = world();
    let batch = records(&[bytes(&admin_inline(1)), bytes(&user_created(2)), bytes(&admin_inline(3))]);
    world.deliver(&batch);
    local_aws::wait_until("all is told", || world.heard().len() >= 4);
    let told = rule_errors(world.heard());
    assert_eq!(told.len(), 2, "{told:?}");
    for (entry, number) in told.iter().zip([1, 3]) {
        assert_eq!(entry["source"], "iam.policy.monitor");
        assert_eq!(entry["detail"]["ruleError"]["rule_name"], "Drill");
        assert!(entry["detail"]["ruleError"]["reason"].as_str().is_some_and(|reason| reason.contains("on purpose")));
        assert_eq!(entry["detail"]["correlationId"], json!(crate::records::event_id(number)));
    }
    assert_eq!(world.told(), admin_ids([1, 3]), "the other rules of the same event");
    assert_eq!(
        world.rows().into_iter().collect::<BTreeSet<_>>(),
        [id(1, "AdminInline"), id(2, "UserCreated"), id(3, "AdminInline")].into()
    );
    assert!(world.letters().is_empty());
    assert_eq!(world.batches()[0]["rule_errors"], 2);
    assert_eq!(world.aws.metric_sum("IAMPolicyMonitor", "RuleErrors", &[]), 2.0);

    // The same events once more: the same ids.
    world.deliver(&batch);
    local_aws::wait_until("all is told again", || world.heard().len() >= 8);
    let ids =
        |told: Vec<Value>| told.iter().map(|entry| entry["detail"]["eventId"].to_string()).collect::<BTreeSet<_>>();
    let again = ids(rule_errors(world.heard()));
    assert_eq!((again.len(), again), (2, ids(told)));
    world.assert_balance();
}

#[test]
fn a_rule_error_that_the_bus_does_not_take_comes_again_with_its_record() {
    let mut world = world();
    let failed = local_aws::Fault::Entries(vec![1], "InternalFailure".to_owned());
    world.proxy.fail(1, failed, operation("PutEvents"));
    world.proxy.fail(20, local_aws::Fault::Status(500, String::new()), operation("PutEvents"));
    let batch = records(&[bytes(&admin_inline(1))]);
    let answer = world.invoke(&batch).expect("an answer");
    assert_eq!(answer["batchItemFailures"][0]["itemIdentifier"], json!(batch[0].sequence_number));
    world.proxy.heal();
    world.deliver(&batch);
    local_aws::wait_until("it is told", || rule_errors(world.heard()).len() == 1);
    world.assert_nothing_lost(&admin_ids([1]));
}

#[test]
fn people_get_one_mail_for_a_rule_that_fails_on_every_event() {
    let mut world = world();
    let contents: Vec<Vec<u8>> = (1..=30).map(|number| bytes(&admin_inline(number))).collect();
    world.deliver(&records(&contents));
    local_aws::wait_until("all is told", || world.heard().len() >= 60);
    let (topic, mail) = (world.aws.create_topic("people"), world.aws.create_queue("mail"));
    world.aws.subscribe(&topic, &mail);
    let mut environment = world.aws.environment();
    environment.push(("AUDIT_BUCKET".to_owned(), crate::world::AUDIT.to_owned()));
    environment.push(("SNS_TOPIC_ARN".to_owned(), topic));
    let publisher = Function::start(env!("CARGO_BIN_EXE_sns_publisher"), &environment);
    let errors = rule_errors(world.heard());
    assert_eq!(errors.len(), 30);
    let record = |(place, event): (usize, &Value)| json!({"messageId": format!("m{place}"), "body": event.to_string()});
    let batch = json!({"Records": errors.iter().enumerate().map(record).collect::<Vec<_>>()});
    assert_eq!(publisher.invoke(&batch).expect("an answer"), json!({"batchItemFailures": []}), "{}", publisher.log());
    let mails = world.aws.take_messages(&mail);
    assert_eq!(mails.len(), 1, "{mails:?}");
    assert_eq!(mails[0]["Subject"], "[FAULT] rule Drill fails (IAM Policy Monitor)");
    assert!(mails[0]["Message"].as_str().is_some_and(|text| text.contains("may miss violations")), "{}", mails[0]);
}
