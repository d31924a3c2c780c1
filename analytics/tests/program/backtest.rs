//! `analytics backtest`, against differences worked out by hand.

use schemas::{IAM_EVENTS, VIOLATIONS, violation_id};
use serde_json::{Value, json};

use crate::fixture::{Fixture, Run};

const A: &str = "111122223333";
const B: &str = "444455556666";
const ADMIN: &str = r#"{"Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#;

const OLD: &str = "
rules:
  - {name: AdminAttached, description: d, severity: HIGH, action: alert, conditions: {event_names: [AttachUserPolicy]}}
  - {name: UserCreated, description: d, severity: LOW, action: log, conditions: {event_names: [CreateUser]}}
";
const NEW: &str = "
rules:
  - {name: AdminAttached, description: d, severity: CRITICAL, action: remediate, conditions: {event_names: [AttachUserPolicy]}}
  - name: AdminInline
    description: d
    severity: MEDIUM
    action: alert
    conditions: {event_names: [PutUserPolicy], policy: {full_admin: true}}
  - {name: KeyCreated, description: d, severity: LOW, action: log, conditions: {event_names: [CreateAccessKey]}}
";
const SUPPRESS: &str = "
suppressions:
  - {name: pipeline, reason: r, owner: o, expires: 2099-01-01, conditions: {event_names: [PutUserPolicy]}}
";

/// One administrator policy attached, one user created, two inline policies written, over two days and accounts.
fn events() -> Vec<Value> {
    let attach = json!({"userName": "bob", "policyArn": "arn:aws:iam::aws:policy/AdministratorAccess"});
    let inline = json!({"userName": "bob", "policyName": "p", "policyDocument": ADMIN});
    vec![
        event("e1", "05", A, "AttachUserPolicy", attach),
        event("e2", "05", B, "CreateUser", json!({"userName": "eve"})),
        event("e3", "06", A, "PutUserPolicy", inline.clone()),
        event("e4", "06", B, "PutUserPolicy", inline),
    ]
}

fn event(id: &str, day: &str, account: &str, name: &str, parameters: Value) -> Value {
    let time = format!("2024-01-{day}T12:00:00Z");
    json!({"eventID": id, "eventTime": time, "eventSource": "iam.amazonaws.com", "eventName": name, "awsRegion": "us-east-1",
        "recipientAccountId": account, "requestParameters": parameters,
        "userIdentity": {"type": "IAMUser", "arn": format!("arn:aws:iam::{account}:user/alice"), "userName": "alice"}})
}

fn stored(event: &Value) -> Value {
    json!({"event_id": event["eventID"], "event_time": event["eventTime"], "account_id": event["recipientAccountId"],
        "event_source": event["eventSource"], "event_name": event["eventName"], "event": event.to_string()})
}

/// A violation of an event as an older detector wrote it.
fn violation(event: &Value, rule: &str, severity: &str) -> Value {
    let text = |name: &str| event[name].as_str().unwrap().to_owned();
    json!({"violation_id": violation_id(&text("recipientAccountId"), &text("eventID"), rule), "event_id": event["eventID"],
        "event_time": event["eventTime"], "detected_at": event["eventTime"], "rule_name": rule, "severity": severity,
        "description": "d", "action": "alert", "suppressed": false, "event_source": "iam.amazonaws.com",
        "event_name": event["eventName"], "outcome": "success", "account_id": event["recipientAccountId"],
        "certainty": "must", "evidence": "e"})
}

async fn fixture() -> Fixture {
    let fixture = Fixture::empty();
    let rows: Vec<Value> = events().iter().map(stored).collect();
    let lake = fixture.lake().await;
    lake.write_rows(&IAM_EVENTS, &rows).await.unwrap();
    // The same events cut differently: readers see each once.
    lake.write_rows(&IAM_EVENTS, &rows[1..]).await.unwrap();
    for (name, text) in [("old.yaml", OLD), ("new.yaml", NEW), ("suppress.yaml", SUPPRESS)] {
        std::fs::write(fixture.path(name), text).unwrap();
    }
    fixture
}

fn tried(fixture: &Fixture, more: &[&str]) -> Run {
    let args = ["backtest", "--rules", "new.yaml", "--audit", "audit", "--month", "2024-01"];
    fixture.run(&[&args[..], more].concat())
}

fn parsed(run: &Run) -> Value {
    serde_json::from_str(&run.out).unwrap_or_else(|error| panic!("{error}: {}{}", run.out, run.err))
}

fn totals(found: &Value, names: &[&str]) -> Vec<u64> {
    names.iter().map(|name| found["totals"][name].as_u64().unwrap()).collect()
}

#[tokio::test]
async fn what_appears_vanishes_changes_severity_and_asks_for_repair_is_counted_by_rule_and_account() {
    let fixture = fixture().await;
    let run = tried(&fixture, &["--against", "old.yaml", "--format", "json"]);
    assert_eq!(run.code, 0, "{}", run.err);
    let found = parsed(&run);
    assert_eq!(found["events"], 4);
    let names = ["before", "after", "appear", "vanish", "raised", "lowered", "repair", "no_repair", "undecided"];
    assert_eq!(totals(&found, &names), [2, 3, 2, 1, 1, 0, 1, 0, 0]);
    let rule = |name: &str| found["by_rule"].as_array().unwrap().iter().find(|rule| rule["rule_name"] == name).unwrap();
    assert_eq!(rule("AdminAttached")["severity_before"], "HIGH");
    assert_eq!(rule("AdminAttached")["severity_after"], "CRITICAL");
    assert_eq!(rule("AdminInline")["appear"], 2);
    assert_eq!(rule("AdminInline")["accounts"].as_array().unwrap().len(), 2);
    assert_eq!(rule("UserCreated")["vanish"], 1);
    let of_b = &found["by_account"].as_array().unwrap()[1];
    assert_eq!((&of_b["account_id"], &of_b["appear"], &of_b["vanish"]), (&json!(B), &json!(1), &json!(1)));
    assert_eq!(found["untried_rules"], json!(["KeyCreated"]));
    let repair = found["examples"].as_array().unwrap().iter().find(|example| example["kind"] == "repair").unwrap();
    assert_eq!(repair["remediation_action"], "detach_policy");
}

#[tokio::test]
async fn without_rules_to_compare_with_the_violations_of_the_lake_say_what_was_before() {
    let fixture = fixture().await;
    let lake = fixture.lake().await;
    let events = events();
    let gone = event("e9", "06", A, "CreateUser", json!({}));
    let before = [
        violation(&events[0], "AdminAttached", "HIGH"),
        violation(&events[1], "UserCreated", "LOW"),
        violation(&gone, "UserCreated", "LOW"),
    ];
    lake.write_rows(&VIOLATIONS, &before).await.unwrap();
    let by_lake = parsed(&tried(&fixture, &["--format", "json"]));
    let by_rules = parsed(&tried(&fixture, &["--against", "old.yaml", "--format", "json"]));
    for same in ["totals", "by_rule", "by_account"] {
        assert_eq!(by_lake[same], by_rules[same], "{same}");
    }
    assert_eq!((&by_lake["not_stored"], &by_rules["not_stored"]), (&json!(1), &json!(0)));
}

#[tokio::test]
async fn a_policy_that_is_not_visible_any_more_is_untold_and_never_vanished() {
    let fixture = Fixture::empty();
    let own = json!({"userName": "bob", "policyArn": format!("arn:aws:iam::{A}:policy/own")});
    let attached = event("e1", "05", A, "AttachUserPolicy", own);
    let lake = fixture.lake().await;
    lake.write_rows(&IAM_EVENTS, &[stored(&attached)]).await.unwrap();
    lake.write_rows(&VIOLATIONS, &[violation(&attached, "AdminAttached", "HIGH")]).await.unwrap();
    let rules = "rules: [{name: AdminAttached, description: d, severity: HIGH, action: alert,
        conditions: {event_names: [AttachUserPolicy], policy: {full_admin: true}}}]";
    std::fs::write(fixture.path("new.yaml"), rules).unwrap();
    let found = parsed(&tried(&fixture, &["--format", "json"]));
    assert_eq!(totals(&found, &["before", "after", "vanish", "undecided"]), [1, 0, 0, 1]);
    assert_eq!(found["undecided"], json!([{"rule_name": "AdminAttached", "events": 1}]));
    let run = tried(&fixture, &["--fail-on", "undecided"]);
    assert_eq!(run.code, 6);
    assert!(run.out.contains("not visible"), "{}", run.out);
}

#[tokio::test]
async fn suppressions_hold_back_on_the_side_they_are_given_for() {
    let fixture = fixture().await;
    let same = ["backtest", "--rules", "new.yaml", "--against", "new.yaml", "--audit", "audit", "--month", "2024-01"];
    let none = "suppressions: []\n";
    std::fs::write(fixture.path("none.yaml"), none).unwrap();
    let both = fixture.run(&[&same[..], &["--suppress", "suppress.yaml"]].concat());
    assert_eq!(both.code, 0, "{}", both.err);
    assert!(both.out.contains("Nothing would be different: 1 reported violations before and after."), "{}", both.out);
    let args = ["--suppress", "suppress.yaml", "--against-suppress", "none.yaml", "--format", "json"];
    let found = parsed(&fixture.run(&[&same[..], &args].concat()));
    assert_eq!(totals(&found, &["before", "after", "vanish", "held_back"]), [3, 1, 2, 2]);
}

#[tokio::test]
async fn exit_codes_tell_a_pipeline_which_differences_there_are() {
    let fixture = fixture().await;
    for (kind, code) in [("appear", 6), ("vanish", 6), ("severity", 6), ("repair", 6), ("any", 6), ("undecided", 0)] {
        let run = tried(&fixture, &["--against", "old.yaml", "--fail-on", kind]);
        assert_eq!(run.code, code, "{kind}: {}", run.err);
        assert!(run.out.contains("2 reported violations before, 3 after: 2 appear, 1 vanish"), "{}", run.out);
    }
    let same = tried(&fixture, &["--against", "new.yaml", "--fail-on", "any"]);
    assert_eq!(same.code, 0, "{}", same.out);
    let args = ["backtest", "--rules", "new.yaml", "--against", "old.yaml", "--audit", "audit"];
    assert_eq!(fixture.run(&[&args[..], &["--month", "2019-01"]].concat()).code, 3, "no event in that month");
    let run = fixture.run(&args);
    assert_eq!(run.code, 2);
    assert!(run.err.contains("--month, --from and --to, or --last"), "{}", run.err);
}

#[tokio::test]
async fn every_fault_of_every_file_is_told_with_its_line() {
    let fixture = fixture().await;
    std::fs::write(fixture.path("new.yaml"), "rules:\n  - {name: A, severity: HIHG}\n  - {name: B, colour: red}\n")
        .unwrap();
    std::fs::write(fixture.path("old.yaml"), "rules: 7\n").unwrap();
    let run = tried(&fixture, &["--against", "old.yaml", "--suppress", "missing.yaml"]);
    assert_eq!((run.code, run.out.as_str()), (2, ""));
    for expected in
        ["new.yaml:2:", "HIHG", "new.yaml:3:", "colour", "old.yaml:1:", "missing.yaml: error: cannot be read"]
    {
        assert!(run.err.contains(expected), "{expected}: {}", run.err);
    }
}

#[tokio::test]
async fn other_partitions_are_never_read_and_a_broken_file_is_left_out_and_named() {
    let fixture = fixture().await;
    let elsewhere = fixture.path("audit/iam_events/year=2024/month=02/day=01");
    std::fs::create_dir_all(&elsewhere).unwrap();
    std::fs::write(elsewhere.join("x.parquet"), "no Parquet").unwrap();
    let args = ["backtest", "--rules", "new.yaml", "--against", "old.yaml", "--audit", "audit", "--format", "json"];
    let day = ["--from", "2024-01-06", "--to", "2024-01-06"];
    let run = fixture.run(&[&args[..], &day].concat());
    assert_eq!(run.code, 0, "{}", run.err);
    assert_eq!((&parsed(&run)["events"], totals(&parsed(&run), &["appear", "vanish"])), (&json!(2), vec![2, 0]));
    let here = fixture.path("audit/iam_events/year=2024/month=01/day=06/broken.parquet");
    std::fs::write(here, "no Parquet").unwrap();
    let run = fixture.run(&[&args[..], &day].concat());
    assert_eq!(run.code, 4, "{}", run.err);
    assert_eq!(parsed(&run)["events"], 2, "the rest is tried");
    assert!(run.err.contains("broken.parquet"), "{}", run.err);
}

#[tokio::test]
async fn files_are_tried_like_the_lake_and_what_cannot_be_read_is_counted() {
    let fixture = fixture().await;
    let folder = fixture.path("logs");
    std::fs::create_dir(&folder).unwrap();
    let records = json!({"Records": events()}).to_string();
    std::fs::write(folder.join("a.json"), &records).unwrap();
    let args = ["backtest", "--rules", "new.yaml", "--against", "old.yaml", "--events", "logs", "--format", "json"];
    let of_files = parsed(&fixture.run(&args));
    let of_lake = parsed(&tried(&fixture, &["--against", "old.yaml", "--format", "json"]));
    for same in ["events", "totals", "by_rule", "by_account", "examples"] {
        assert_eq!(of_files[same], of_lake[same], "{same}");
    }
    // The same events once more, cut off in the middle: each event counts once.
    std::fs::write(folder.join("b.json"), &records[..records.len() - 40]).unwrap();
    let run = fixture.run(&args);
    assert_eq!(run.code, 4, "{}", run.out);
    assert_eq!((&parsed(&run)["totals"], &parsed(&run)["unreadable"]), (&of_lake["totals"], &json!(1)));
    let one_day = parsed(&fixture.run(&[&args[..], &["--from", "2024-01-05", "--to", "2024-01-05"]].concat()));
    assert_eq!(one_day["events"], 2);
    let run = fixture.run(&["backtest", "--rules", "new.yaml", "--events", "logs"]);
    assert_eq!(run.code, 2, "with files there is nothing to compare with but --against");
}

#[tokio::test]
async fn text_and_markdown_are_the_same_bytes_twice_and_hostile_names_stay_names() {
    let fixture = Fixture::empty();
    let mut hostile = event("e1", "05", A, "CreateUser", json!({}));
    hostile["userIdentity"]["arn"] = json!("arn:aws:iam::1:user/\u{1b}[31m<b>|@here\u{202e}");
    fixture.lake().await.write_rows(&IAM_EVENTS, &[stored(&hostile)]).await.unwrap();
    std::fs::write(fixture.path("new.yaml"), OLD).unwrap();
    std::fs::write(fixture.path("old.yaml"), NEW).unwrap();
    for format in ["text", "markdown"] {
        let run = tried(&fixture, &["--against", "old.yaml", "--format", format]);
        assert_eq!(run.out, tried(&fixture, &["--against", "old.yaml", "--format", format]).out);
        assert!(run.out.contains("UserCreated"), "{}{}", run.out, run.err);
        assert!(!run.out.contains('\u{1b}') && !run.out.contains('\u{202e}'), "{}", run.out);
        if format == "text" {
            assert!(run.out.lines().all(|line| unicode_width::UnicodeWidthStr::width(line) <= 100), "{}", run.out);
        } else {
            assert!(run.out.contains("&lt;b&gt;\\|&#64;here"), "{}", run.out);
        }
    }
}
