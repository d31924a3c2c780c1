//! Fails closed: whatever goes wrong, no call that changes IAM is made, and it is told.

use local_aws::{Call, Fault};
use serde_json::{Value, json};

use crate::world::{AUDIT, GOOD, Instance, MEMBER, OWN, World, config, message, violation_id};

fn xml(code: &str) -> String {
    format!(
        "<ErrorResponse xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\"><Error><Type>Sender</Type><Code>{code}</Code>\
         <Message>on plan</Message></Error><RequestId>r</RequestId></ErrorResponse>"
    )
}

fn with(changes: Value) -> Value {
    let mut config = config();
    config.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    config
}

fn fail(instance: &Instance, status: u16, code: &str, when: impl Fn(&Call) -> bool + Send + 'static) {
    instance.proxy.fail(1_000, Fault::Status(status, xml(code)), when);
}

/// Delivers a request and proves that nothing was changed. Returns whether it was handed back, and the row.
fn unchanged(world: &World, instance: &Instance, asked: &Value, name: &str) -> (bool, Option<Value>) {
    let is_back = !instance.deliver([asked]).is_empty();
    assert_eq!(instance.changes(), Vec::<String>::new(), "{name}: {}", instance.function.log());
    (is_back, world.rows_of(&violation_id(asked)).pop())
}

/// Variables of the environment that differ.
type Environment = &'static [(&'static str, &'static str)];
/// Name, environment, what is broken, status, and a part of the reason.
type Outside = (&'static str, Environment, fn(&Instance), &'static str, &'static str);
/// Name, configuration, columns, environment, and a part of the reason.
type Refused = (&'static str, Value, Value, Environment, &'static str);

#[test]
fn what_fails_outside_changes_nothing_is_written_down_and_handed_back() {
    let world = World::new(&config());
    let cases: [Outside; 7] = [
        ("no config", &[("REMEDIATOR_CONFIG_KEY", "missing.json")], |_| (), "SKIPPED", "missing"),
        ("bad config", &[("REMEDIATOR_CONFIG_KEY", "bad.json")], |_| (), "SKIPPED", "unknown field"),
        ("no snapshot bucket", &[("SNAPSHOT_BUCKET", "nowhere")], |_| (), "FAILED", "snapshots"),
        ("throttled", &[], |at| fail(at, 400, "Throttling", |call| call.service == "iam"), "FAILED", "Throttling"),
        ("expired", &[], |at| fail(at, 403, "ExpiredToken", |call| call.service == "iam"), "FAILED", "ExpiredToken"),
        (
            "who are we",
            &[],
            |at| fail(at, 403, "ExpiredToken", |call| call.operation == "GetCallerIdentity"),
            "FAILED",
            "ExpiredToken",
        ),
        (
            "budget store down",
            &[],
            |at| {
                fail(at, 403, "AccessDenied", |call| {
                    call.service == "s3" && call.operation == "PUT" && call.path.contains("repairs-per-")
                })
            },
            "FAILED",
            "repairs-per-",
        ),
    ];
    world.aws.put_object("config", "bad.json", br#"{"dry_run": false, "allow": ["detach_policy"]}"#);
    for (place, (name, environment, break_it, status, reason)) in cases.into_iter().enumerate() {
        let asked = world.inline(OWN, &format!("user{place}"));
        let instance = world.instance(environment);
        break_it(&instance);
        let (is_back, row) = unchanged(&world, &instance, &asked, name);
        let row = row.unwrap_or_else(|| panic!("{name}: {}", instance.function.log()));
        assert!(is_back, "{name}");
        assert_eq!(row["status"], status, "{name}: {row}");
        let told = row["reason"].as_str().or(row["error"].as_str()).unwrap_or_default();
        assert!(told.contains(reason), "{name}: {told}");
        let heard = world.hear(1);
        assert_eq!(heard[0]["detail"]["remediation"]["status"], status, "{name}");
        // Mended, the same message is repaired.
        let mended = world.instance(&[]);
        assert!(mended.deliver([&asked]).is_empty(), "{name}: {}", mended.function.log());
        assert_eq!(mended.changes(), ["DeleteUserPolicy"], "{name}");
        world.hear(1);
    }
}

#[test]
fn d13_what_is_refused_is_over_written_down_and_told() {
    let root = format!("arn:aws:iam::{OWN}:root");
    let cases: Vec<Refused> = vec![
        ("protected policy", json!({"protected_policies": ["deploy-"]}), json!({}), &[], "protected"),
        ("protected target", json!({"safety_checks": {"exclude_patterns": ["user/u1"]}}), json!({}), &[], "target"),
        ("protected caller", json!({"safety_checks": {"exclude_patterns": ["mallory"]}}), json!({}), &[], "caller"),
        ("root", json!({}), json!({"principal_arn": root, "principal_type": "Root"}), &[], "root"),
        (
            "own role",
            json!({}),
            json!({"target_type": "role", "target_name": "IamPolicyRemediator", "target_arn": null}),
            &[],
            "role of this system",
        ),
        (
            "own change",
            json!({}),
            json!({"principal_arn": format!("arn:aws:sts::{OWN}:assumed-role/IamPolicyRemediator/{}", remediation::SESSION_NAME)}),
            &[],
            "made by this system",
        ),
        ("account", json!({"accounts": {"allow": ["3*"]}}), json!({}), &[], "outside the filter"),
        ("unknown action", json!({}), json!({"remediation_action": "delete_account"}), &[], "no action"),
        ("not allowed", json!({"allowed_actions": ["detach_policy"]}), json!({}), &[], "allowed actions"),
        ("not allowed here", json!({}), json!({}), &[("ALLOWED_ACTIONS", "detach_policy")], "allowed actions"),
        ("switched off", json!({}), json!({}), &[("ENABLE_REMEDIATION", "")], "ENABLE_REMEDIATION"),
        ("changed document", json!({}), json!({"policy_document": GOOD}), &[], "changed since"),
        ("tags", json!({"tags": {"require": {"auto": "yes"}}}), json!({}), &[], "tags"),
    ];
    let world = World::new(&config());
    for (place, (name, settings, changes, environment, reason)) in cases.into_iter().enumerate() {
        let user = format!("u{place}");
        world.inline(OWN, &user);
        world.aws.put_object("config", "case.json", with(settings).to_string().as_bytes());
        let mut environment = environment.to_vec();
        environment.push(("REMEDIATOR_CONFIG_KEY", "case.json"));
        let instance = world.instance(&environment);
        let asked = message(OWN, &user, changes);
        let (is_back, row) = unchanged(&world, &instance, &asked, name);
        let row = row.unwrap_or_else(|| panic!("{name}: {}", instance.function.log()));
        assert!(!is_back && row["status"] == "SKIPPED" && row["success"] == false, "{name}: {row}");
        assert!(row["reason"].as_str().unwrap_or_default().contains(reason), "{name}: {row}");
        assert_eq!(world.hear(1)[0]["detail"]["remediation"]["status"], "SKIPPED", "{name}");
        assert!(world.has_inline(OWN, &user), "{name}");
    }
}

#[test]
fn d13_by_default_it_is_a_dry_run_that_says_what_it_would_do() {
    let world = World::new(&config());
    for (user, settings, environment) in [
        ("one", json!({}), [("DRY_RUN", ""), ("REMEDIATOR_CONFIG_KEY", "case.json")]),
        ("two", json!({"dry_run": true}), [("DRY_RUN", "false"), ("REMEDIATOR_CONFIG_KEY", "case.json")]),
    ] {
        world.aws.put_object("config", "case.json", with(settings).to_string().as_bytes());
        let asked = world.inline(OWN, user);
        let instance = world.instance(&environment);
        let (is_back, row) = unchanged(&world, &instance, &asked, user);
        let row = row.expect("a row");
        assert!(!is_back && row["status"] == "DRY_RUN" && row["dry_run"] == true && row["success"] == true, "{row}");
        assert!(
            row["details"].as_str().unwrap().contains(&format!("delete inline policy deploy-helper of user {user}"))
        );
        // A dry run does not stand in the way of the repair.
        let live = world.instance(&[]);
        assert!(live.deliver([&asked]).is_empty());
        assert!(!world.has_inline(OWN, user));
    }
}

#[test]
fn a_member_account_that_cannot_be_entered_is_left_alone() {
    let world = World::new(&config());
    let asked = world.inline(MEMBER, "bob");
    let instance = world.instance(&[]);
    fail(&instance, 403, "AccessDenied", |call| call.operation == "AssumeRole");
    let (is_back, row) = unchanged(&world, &instance, &asked, "denied");
    let row = row.expect("a row");
    assert!(!is_back && row["status"] == "FAILED" && row["error"].as_str().unwrap().contains("assuming"), "{row}");
    let without = world.instance(&[("REMEDIATION_ROLE_NAME", "")]);
    let other = world.inline(MEMBER, "carol");
    let (_, row) = unchanged(&world, &without, &other, "no role");
    assert!(row.expect("a row")["error"].as_str().unwrap().contains("REMEDIATION_ROLE_NAME"));
}

#[test]
fn what_cannot_be_read_is_a_dead_letter_with_its_reason_and_goes_to_the_dead_letter_queue() {
    let world = World::new(&config());
    let instance = world.instance(&[]);
    let good = world.inline(OWN, "bob");
    let bodies = [json!("no JSON"), json!({"violation": {"rule_name": "R"}}), good.clone(), json!({"detail": {}})];
    assert_eq!(instance.deliver(&bodies), [0, 1, 3]);
    assert_eq!(instance.deliver(&bodies[..2]), [0, 1]);
    assert!(!world.has_inline(OWN, "bob"), "the good one is repaired");
    let letters = world.aws.keys(AUDIT, "dead-letters/");
    assert_eq!(letters.len(), 3, "{letters:?}");
    let letter: Value = serde_json::from_slice(&world.aws.object(AUDIT, &letters[0]).unwrap()).unwrap();
    assert!(letter["lastErrorMessage"].as_str().is_some_and(|reason| !reason.is_empty()), "{letter}");
}

#[test]
fn the_circuit_breaker_opens_on_failures_stays_open_and_is_closed_by_hand() {
    let world = World::new(&with(json!({"circuit_breaker": {"failures": 2}})));
    let broken = world.instance(&[]);
    fail(&broken, 400, "Throttling", |call| call.service == "iam");
    let asked = [world.inline(OWN, "one"), world.inline(OWN, "two")];
    assert_eq!(broken.deliver(&asked), [0, 1]);
    let healthy = world.instance(&[]);
    let other = world.inline(OWN, "three");
    assert!(healthy.deliver([&other]).is_empty());
    assert_eq!(healthy.changes(), Vec::<String>::new());
    assert!(world.rows_of(&violation_id(&other))[0]["reason"].as_str().unwrap().contains("circuit breaker"));
    assert!(healthy.command(&["breaker"]).1.contains("open since"));
    let (is_closed, text) = healthy.command(&["breaker", "--close", "--reason", "it was the network"]);
    assert!(is_closed, "{text}");
    assert!(healthy.deliver(&asked).is_empty(), "{}", healthy.function.log());
    assert!(!world.has_inline(OWN, "one") && !world.has_inline(OWN, "two"));
}

#[test]
fn the_circuit_breaker_opens_on_a_sudden_rate_says_so_and_stays_open() {
    let world = World::new(&with(json!({"circuit_breaker": {"failures": 1000, "requests_per_minute": 2}})));
    let instance = world.instance(&[]);
    let asked: Vec<Value> = (0..12).map(|number| world.inline(OWN, &format!("user{number}"))).collect();
    assert!(instance.deliver(&asked).is_empty(), "{}", instance.function.log());
    let rows = world.rows();
    let refused: Vec<&Value> = rows.iter().filter(|row| row["status"] == "SKIPPED").collect();
    assert_eq!((rows.len(), instance.changes().len() + refused.len()), (asked.len(), asked.len()));
    // Two a minute, and the batch is dealt with in one minute or two.
    assert!(instance.changes().len() <= 4, "{:?}", instance.changes());
    assert!(
        refused.iter().all(|row| row["reason"].as_str().unwrap().contains("asked for in one minute")),
        "{refused:?}"
    );
    assert!(instance.function.log().contains("circuit breaker opened"), "the alarm looks for it");
    let heard = world.hear(asked.len());
    assert_eq!(heard.iter().filter(|told| told["detail"]["remediation"]["status"] == "SKIPPED").count(), refused.len());
    let later = world.instance(&[]);
    let other = world.inline(OWN, "later");
    assert!(later.deliver([&other]).is_empty());
    assert!(later.changes().is_empty() && later.command(&["breaker"]).1.contains("open since"));
}

#[test]
fn a_change_that_keeps_coming_back_is_left_to_people() {
    let world = World::new(&with(json!({"returning_changes": {"limit": 2}})));
    let instance = world.instance(&[]);
    world.inline(OWN, "bob");
    for (round, expected) in [(1, "SUCCESS"), (2, "SUCCESS"), (3, "SKIPPED"), (4, "SKIPPED")] {
        world.put_inline(OWN, "bob");
        let asked = message(OWN, "bob", json!({"event_id": format!("round-{round}")}));
        assert!(instance.deliver([&asked]).is_empty());
        let row = world.rows_of(&violation_id(&asked)).pop().unwrap();
        assert_eq!(row["status"], expected, "round {round}: {row}");
    }
    assert!(world.has_inline(OWN, "bob"));
}

#[test]
fn d19_our_own_change_comes_back_in_the_stream_and_is_not_acted_on() {
    let world = World::new(&config());
    let instance = world.instance(&[]);
    let asked = world.inline(OWN, "bob");
    assert!(instance.deliver([&asked]).is_empty());
    assert_eq!(instance.changes(), ["DeleteUserPolicy"]);
    // As CloudTrail shows a call of the remediator, and as somebody's rule may ask to repair it.
    world.put_inline(OWN, "bob");
    let session = remediation::SESSION_NAME;
    let own = json!({
        "event_id": "own", "event_name": "DeleteUserPolicy", "event_kind": "inline_policy_delete",
        "principal_type": "AssumedRole", "principal_name": crate::world::ROLE,
        "principal_arn": format!("arn:aws:sts::{OWN}:assumed-role/{}/{session}", crate::world::ROLE),
        "session_issuer_arn": format!("arn:aws:iam::{OWN}:role/{}", crate::world::ROLE),
    });
    let seen = message(OWN, "bob", own);
    assert!(instance.deliver([&seen]).is_empty());
    let row = world.rows_of(&violation_id(&seen)).pop().expect("a row");
    assert!(row["status"] == "SKIPPED" && row["reason"].as_str().unwrap().contains("made by this system"), "{row}");
    assert_eq!(instance.changes(), ["DeleteUserPolicy"], "nothing more");
    assert!(world.has_inline(OWN, "bob"));
}
