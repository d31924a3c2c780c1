//! What people are told: golden texts, hostile names, secrets, limits, the contract with the publishers.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)] // tests stop at the first surprise

use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use schemas::Severity;
use serde_json::{Value, json};
use stream::notify::event::BusEvent;
use stream::notify::slack::blocks;
use stream::notify::slack::config::{SlackConfig, read};
use stream::notify::slack::limits;
use stream::notify::slack::picture::picture;
use stream::notify::slack::route::{Routed, route};
use stream::notify::{audit, points, sample, sns};

fn samples() -> Vec<Value> {
    sample::EVENTS.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn event(entry: &Value) -> BusEvent {
    BusEvent::read(entry).unwrap_or_else(|error| panic!("{error}: {entry}"))
}

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/notify").join(name)
}

/// Compares with a file; `UPDATE_GOLDEN=1` writes it.
fn golden(name: &str, actual: &str) {
    let path = file("golden").join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&path, actual).unwrap();
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(actual, expected, "{name} differs; UPDATE_GOLDEN=1 rewrites it");
}

/// The samples and what else a reader may meet: a failed attempt, a condition, repairs that were not made.
fn cases() -> Vec<(&'static str, Value)> {
    let [escalation, attached, repaired] = <[Value; 3]>::try_from(samples()).unwrap();
    let mut attempt = attached.clone();
    attempt["detail"]["violation"]["outcome"] = json!("failure");
    attempt["detail"]["violation"]["error_code"] = json!("AccessDenied");
    attempt["detail"]["violation"]["certainty"] = json!("may");
    let mut root = escalation.clone();
    root["detail"]["violation"]["principal_type"] = json!("Root");
    root["detail"]["violation"]["principal_name"] = Value::Null;
    root["detail"]["violation"]["target_name"] = Value::Null;
    root["detail"]["violation"]["target_arn"] = Value::Null;
    let mut failed = repaired.clone();
    failed["detail"]["remediation"]["status"] = json!("FAILED");
    failed["detail"]["remediation"]["error"] = json!("AccessDenied: not authorized to perform iam:DeleteUserPolicy");
    let mut skipped = repaired.clone();
    skipped["detail"]["remediation"]["status"] = json!("SKIPPED");
    skipped["detail"]["remediation"]["description"] = json!("the policy is protected");
    skipped["detail"]["originalViolation"] = json!({});
    vec![
        ("rule-error", rule_error()),
        ("config-rejected", config_rejected()),
        ("escalation", escalation),
        ("attached", attached),
        ("attempt", attempt),
        ("root", root),
        ("repaired", repaired),
        ("repair-failed", failed),
        ("repair-skipped", skipped),
    ]
}

fn rule_error() -> Value {
    let detail = json!({
        "eventId": "0a9a3c1e-0b1f-5f0e-9d0a-1f2e3d4c5b6a", "timestamp": "2024-01-05T12:00:00Z",
        "correlationId": "5c2fd4e8-1f0c-4b7e-9a55-0d5f7a1c2b3d",
        "ruleError": {"rule_name": "TrustToForeignAccount", "reason": "it fails on purpose, as a drill"},
    });
    json!({"source": "iam.policy.monitor", "detail-type": "IAM Policy Rule Error", "detail": detail})
}

fn config_rejected() -> Value {
    let faults: Vec<String> = (3..=9).map(|line| format!("rules.yaml:{line}: severity: \"URGENT\" is none")).collect();
    let detail = json!({
        "eventId": "4d8f0a52-6c1d-5a3b-8f7e-0c9b8a7d6e5f", "timestamp": "2024-01-05T12:00:00Z", "correlationId": "\"e1\"",
        "configRejected": {"files": "s3://config/rules.yaml", "faults": faults, "inForce": "the last good configuration"},
    });
    json!({"source": "iam.policy.monitor", "detail-type": "ConfigRejected", "detail": detail})
}

#[test]
fn messages_read_as_their_golden_files_say() {
    let config = SlackConfig::default();
    for (name, entry) in cases() {
        let event = event(&entry);
        let mail = sns::message(&event).unwrap();
        golden(
            &format!("{name}.sns.txt"),
            &format!("Subject: {}\nShort: {}\n\n{}", mail.subject, mail.short, mail.body),
        );
        golden(&format!("{name}.facts.json"), &format!("{:#}\n", mail.facts));
        let message = blocks::message(&event, &config, Some("#iam-alerts")).unwrap();
        assert_eq!(limits::problems(&message), Vec::<String>::new(), "{name}");
        golden(&format!("{name}.slack.json"), &format!("{message:#}\n"));
        golden(&format!("{name}.slack.txt"), &picture(&message));
    }
}

#[test]
fn the_documentation_shows_three_messages_as_they_are() {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("NOTIFICATIONS.md")).unwrap();
    for name in ["escalation.slack.txt", "repaired.slack.txt", "storm.slack.txt"] {
        let shown = fs::read_to_string(file("golden").join(name)).unwrap();
        assert!(text.contains(&shown), "NOTIFICATIONS.md does not show {name} as it is");
    }
}

const HOSTILE: [&str; 12] = [
    "<!channel> <!everyone> <!here>",
    "<@U012345> <#C012345> <!subteam^S1>",
    "<https://evil.example|click here>",
    "*bold* _italic_ ~gone~ `code` ```block``` > quote",
    "a\nSubject: forged\r\n\r\nWhat happened      nothing at all",
    "line\u{2028}sep\u{2029}par\u{85}nel\u{0B}vt\u{0C}ff",
    "\u{202E}nimda\u{202C} \u{2066}x\u{2069} \u{200F}rtl \u{061C}",
    "zero\u{200B}width\u{200D}\u{FEFF}\u{2060}\u{AD}",
    "\u{E0041}tag \u{FE0F} \u{3164}",
    "\u{0}\u{1B}[31mred\u{7F}",
    "&amp;&lt;!channel&gt;",
    ":rotating_light: {\"a\": \"b\"} \\u003c!channel\\u003e ${jndi:x} %0a",
];

/// Replaces every text of the violation and the remediation that a stranger could choose, keeping what is checked.
fn poison(value: &mut Value, text: &str) {
    const KEPT: [&str; 11] = [
        "violation_id",
        "event_time",
        "detected_at",
        "severity",
        "action",
        "outcome",
        "certainty",
        "status",
        "eventId",
        "timestamp",
        "originalEventId",
    ];
    match value {
        Value::String(string) => *string = text.to_owned(),
        Value::Array(items) => items.iter_mut().for_each(|item| poison(item, text)),
        Value::Object(members) => {
            for (key, member) in members.iter_mut() {
                let is_repair = key == "remediation";
                if !KEPT.contains(&key.as_str()) || is_repair && member.is_object() {
                    poison(member, text);
                }
                if is_repair && let Some(action) = member.get_mut("action") {
                    *action = json!(text);
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn poisoned(text: &str) -> Vec<(BusEvent, BusEvent)> {
    let cases = cases().into_iter().map(|(_, entry)| {
        let mut hostile = entry.clone();
        poison(&mut hostile["detail"], text);
        // Kinds are ours; a hostile one only takes the plain wording.
        (event(&entry), event(&hostile))
    });
    cases.collect()
}

fn is_plain(text: &str) -> bool {
    let hidden = |c: char| {
        c.is_control()
            || matches!(c, '\u{AD}' | '\u{61C}' | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}'
                | '\u{2060}'..='\u{206F}' | '\u{3164}' | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}' | '\u{E0000}'..='\u{E0FFF}')
    };
    !text.contains(hidden)
}

fn texts(value: &Value, found: &mut Vec<(String, String)>) {
    if let (Some(kind), Some(text)) =
        (value.get("type").and_then(Value::as_str), value.get("text").and_then(Value::as_str))
    {
        found.push((kind.to_owned(), text.to_owned()));
    }
    match value {
        Value::Array(items) => items.iter().for_each(|item| texts(item, found)),
        Value::Object(members) => members.values().for_each(|member| texts(member, found)),
        _ => {}
    }
}

/// What must hold of every message whatever the event says.
fn assert_harmless(event: &BusEvent, lines: Option<usize>) {
    let mail = sns::message(event).unwrap();
    assert!((1..=sns::MAX_SUBJECT).contains(&mail.subject.len()), "{}", mail.subject);
    assert!(mail.subject.chars().all(|c| c == ' ' || c.is_ascii_graphic()), "{}", mail.subject);
    assert!(mail.subject.starts_with(|c: char| c.is_ascii_alphanumeric() || c.is_ascii_punctuation()));
    assert!(mail.short.len() <= 140 && mail.short.is_ascii());
    assert!(mail.body.len() < 32 * 1024 && mail.structure().len() < 200 * 1024);
    assert!(mail.body.lines().all(is_plain), "{}", mail.body);
    for (_, value) in &mail.attributes {
        assert!(is_plain(value) && value.len() <= 2048, "{value}");
    }
    if let Some(lines) = lines {
        assert_eq!(mail.body.lines().count(), lines, "a name made a line of its own:\n{}", mail.body);
    }
    let message = blocks::message(event, &SlackConfig::default(), None).unwrap();
    assert_eq!(limits::problems(&message), Vec::<String>::new());
    assert_slack_text(&message);
    for point in points::points(event, event.timestamp) {
        let (_, value) = point.by;
        assert!((1..=255).contains(&value.len()) && value.chars().all(|c| c == ' ' || c.is_ascii_graphic()), "{value}");
        assert!(!value.starts_with(':'));
    }
    assert!(serde_json::from_str::<Value>(&audit::entry(event).row.detail.unwrap()).is_ok());
}

fn assert_slack_text(message: &Value) {
    // Read without formatting, but mentions and links would be.
    assert_eq!(message["mrkdwn"], false);
    let mut found = vec![("notice".to_owned(), message["text"].as_str().unwrap().to_owned())];
    texts(&message["attachments"], &mut found);
    for (kind, text) in found {
        let single: Vec<&str> = text.split('\n').collect();
        // The only line break is ours, between the label of a field and its value.
        assert!(single.len() <= 2 && single.iter().all(|line| is_plain(line)), "{text:?}");
        if kind != "plain_text" {
            assert!(!text.contains(['<', '>']), "{text:?}");
            for part in text.split('&').skip(1) {
                assert!(["amp;", "lt;", "gt;"].iter().any(|escape| part.starts_with(escape)), "{text:?}");
            }
        }
        if kind == "mrkdwn" {
            assert!(text.matches('`').count() % 2 == 0 && !text.contains("``"), "{text:?}");
        }
    }
}

#[test]
fn hostile_names_in_every_field_stay_on_their_line_and_mention_nobody() {
    for text in HOSTILE {
        for (_, hostile) in poisoned(text) {
            assert_harmless(&hostile, None);
        }
    }
    // A name that is only strange adds no line: what a name breaks, a line break would break.
    let plain: Vec<usize> = poisoned("x").iter().map(|(_, event)| lines(event)).collect();
    for text in HOSTILE {
        let found: Vec<usize> = poisoned(text).iter().map(|(_, event)| lines(event)).collect();
        assert_eq!(found, plain, "{text:?}");
    }
}

fn lines(event: &BusEvent) -> usize {
    sns::message(event).unwrap().body.lines().count()
}

#[test]
fn names_of_ten_thousand_characters_are_cut_and_say_so() {
    for text in ["A".repeat(10_000), "<&>".repeat(3_334), "\u{202E}".repeat(10_000), "ä`".repeat(5_000)] {
        for (_, hostile) in poisoned(&text) {
            assert_harmless(&hostile, None);
            let message = blocks::message(&hostile, &SlackConfig::default(), None).unwrap().to_string();
            assert!(message.contains("more)"), "{message}");
        }
    }
}

#[test]
fn every_field_at_its_longest_is_within_the_limits_of_slack() {
    let all = "rule, severity, description, event, event_kind, actor, actor_name, target, policy, account, region, \
               source_ip, user_agent, mfa, time, evidence, escalation, mitre, owner, event_id";
    let (config, faults) = read("c", &format!("slack: {{title: \"{}\", fields: [{all}]}}", "t".repeat(100)));
    let config = config.unwrap_or_else(|| panic!("{faults:?}"));
    for (_, hostile) in poisoned(&"&".repeat(10_000)) {
        let message = blocks::message(&hostile, &config, Some("#x")).unwrap();
        assert_eq!(limits::problems(&message), Vec::<String>::new());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]
    #[test]
    fn no_text_makes_a_message_harmful(text in any::<String>()) {
        for (_, hostile) in poisoned(&text) {
            assert_harmless(&hostile, None);
        }
    }

    #[test]
    fn no_input_makes_the_intake_panic(text in any::<String>(), bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        stream::notify::intake::open_text(&text);
        stream::notify::intake::open_text(&String::from_utf8_lossy(&bytes));
    }
}

#[test]
fn secrets_of_the_original_event_are_in_no_message() {
    const SECRET: &str = "s3cr3tV4lu3ThatMustNotLeave";
    for (name, mut entry) in cases() {
        let original = json!({
            "eventID": "e", "eventName": "CreateAccessKey",
            "responseElements": {"accessKey": {"secretAccessKey": SECRET}, "credentials": {"sessionToken": SECRET}},
            "requestParameters": {"password": SECRET, "newPassword": SECRET},
        });
        entry["detail"]["originalEvent"] = original.clone();
        for holder in ["violation", "originalViolation"] {
            if entry["detail"][holder].get("rule_name").is_some() {
                entry["detail"][holder]["original_event"] = json!(original.to_string());
                entry["detail"][holder]["request_parameters"] = json!(original["requestParameters"].to_string());
            }
        }
        let event = event(&entry);
        let mail = sns::message(&event).unwrap();
        let slack = blocks::message(&event, &SlackConfig::default(), None).unwrap();
        let metrics = format!("{:?}", points::points(&event, event.timestamp));
        let row = serde_json::to_string(&audit::entry(&event).row).unwrap();
        for text in [mail.subject.clone(), mail.body.clone(), mail.structure(), slack.to_string(), metrics, row] {
            assert!(!text.contains(SECRET), "{name}: {text}");
        }
    }
}

#[test]
fn a_detail_too_large_for_a_row_is_kept_by_reference_and_one_at_the_limit_is_not() {
    let size = |padding: usize| {
        let mut entry = samples().remove(0);
        entry["detail"]["originalEvent"]["padding"] = json!("x".repeat(padding));
        audit::entry(&event(&entry))
    };
    let base = size(0).row.detail.unwrap().len();
    let fits = size(audit::MAX_DETAIL - base);
    assert_eq!((fits.row.detail.unwrap().len(), fits.oversize), (audit::MAX_DETAIL, None));
    let over = size(audit::MAX_DETAIL - base + 1);
    let (key, whole) = over.oversize.unwrap();
    assert_eq!(whole.len(), audit::MAX_DETAIL + 1);
    assert_eq!(over.row.detail.unwrap(), format!(r#"{{"omitted":true,"lake":"{key}","bytes":{}}}"#, whole.len()));
}

#[test]
fn old_events_are_counted_now_and_young_ones_in_their_minute() {
    let event = event(&samples()[0]);
    let at = |now: &str| points::points(&event, now.parse().unwrap())[0].minute.to_rfc3339();
    assert_eq!(at("2024-01-05T12:10:30Z"), "2024-01-05T12:00:00+00:00");
    assert_eq!(at("2024-01-25T12:10:30Z"), "2024-01-25T12:10:00+00:00");
}

// The contract.

#[test]
fn what_the_schema_refuses_is_refused_and_what_it_allows_is_read() {
    let schemas = Path::new(env!("CARGO_MANIFEST_DIR")).join("../schemas/generated/bus");
    let validator = |name: &str| {
        let text = fs::read_to_string(schemas.join(name)).unwrap();
        jsonschema::options().should_validate_formats(true).build(&serde_json::from_str(&text).unwrap()).unwrap()
    };
    let by_source = [
        validator("violation.schema.json"),
        validator("violation.schema.json"),
        validator("remediation_status.schema.json"),
    ];
    let mut compared = 0;
    for (entry, validator) in samples().iter().zip(&by_source) {
        assert!(validator.is_valid(entry), "{entry}");
        let mut paths = Vec::new();
        pointers(entry, String::new(), &mut paths);
        // Another source or detail-type is another kind of event, and what an original violation or event says is free.
        let inside =
            |path: &str| path.starts_with("/detail/originalViolation/") || path.starts_with("/detail/originalEvent/");
        for path in paths.iter().filter(|path| path.starts_with("/detail/") && !inside(path)) {
            for change in [
                None,
                Some(json!(null)),
                Some(json!(7)),
                Some(json!("")),
                Some(json!("x")),
                Some(json!({})),
                Some(json!(true)),
            ] {
                let mut changed = entry.clone();
                put(&mut changed, path, change.clone());
                let (read, allowed) = (BusEvent::read(&changed), validator.is_valid(&changed));
                assert_eq!(read.is_ok(), allowed, "{path} = {change:?}: {:?}", read.err());
                compared += 1;
            }
        }
    }
    assert!(compared > 700, "{compared}");
}

fn pointers(value: &Value, at: String, found: &mut Vec<String>) {
    if let Value::Object(members) = value {
        for (key, member) in members {
            let path = format!("{at}/{key}");
            found.push(path.clone());
            pointers(member, path, found);
        }
    }
}

fn put(value: &mut Value, path: &str, new: Option<Value>) {
    let (parent, key) = path.rsplit_once('/').unwrap();
    let parent = value.pointer_mut(parent).and_then(Value::as_object_mut).unwrap();
    match new {
        Some(new) => parent.insert(key.to_owned(), new),
        None => parent.remove(key),
    };
}

// The configuration.

#[test]
fn a_file_of_the_older_form_works_and_warns_of_what_has_no_effect() {
    let (config, faults) = read("simple.yaml", &fs::read_to_string(file("config/simple.yaml")).unwrap());
    let config = config.unwrap();
    let faults: Vec<String> = faults.iter().map(ToString::to_string).collect();
    golden("simple.faults.txt", &format!("{}\n", faults.join("\n")));
    assert_eq!(config.looks[&Severity::Critical].color, "#AA0000");
    assert_eq!(config.looks[&Severity::Critical].emoji, ":fire:");
    assert_eq!(config.looks[&Severity::High].emoji, SlackConfig::default().looks[&Severity::High].emoji);
    let message = blocks::message(&event(&samples()[0]), &config, None).unwrap();
    assert_eq!(message["attachments"][0]["color"], "#AA0000");
    golden("simple.slack.txt", &picture(&message));
}

#[test]
fn all_faults_of_a_file_are_told_at_once_with_their_lines() {
    let (config, faults) = read("faults.yaml", &fs::read_to_string(file("config/faults.yaml")).unwrap());
    assert_eq!(config, None);
    let faults: Vec<String> = faults.iter().map(ToString::to_string).collect();
    golden("faults.faults.txt", &format!("{}\n", faults.join("\n")));
}

#[test]
fn numbers_and_lists_at_their_limits_are_taken_and_one_more_is_not() {
    let taken = |text: String| read("c", &format!("slack: {{{text}}}")).0.is_some();
    let routes = |number: usize| format!("routes: [{}]", vec!["{send: false}"; number].join(", "));
    for (fits, over) in [
        (format!("title: \"{}\"", "t".repeat(100)), format!("title: \"{}\"", "t".repeat(101))),
        (routes(500), routes(501)),
        ("storm: {window_minutes: 1440}".to_owned(), "storm: {window_minutes: 1441}".to_owned()),
        ("storm: {messages: 1000}".to_owned(), "storm: {messages: 1001}".to_owned()),
        (format!("channel: \"#{}\"", "c".repeat(80)), format!("channel: \"#{}\"", "c".repeat(81))),
    ] {
        assert!(taken(fits.clone()), "{fits}");
        assert!(!taken(over.clone()), "{over}");
    }
}

#[test]
fn routes_choose_by_rule_account_and_severity_and_the_first_match_wins() {
    let text = r##"
slack:
  min_severity: HIGH
  channel: "#rest"
  severities: { CRITICAL: { channel: "#critical" } }
  routes:
    - { accounts: ["9*"], send: false }
    - { rules: ["Admin*"], severities: [MEDIUM, HIGH], channel: "#admin", min_severity: MEDIUM }
"##;
    let (config, faults) = read("c", text);
    let config = config.unwrap_or_else(|| panic!("{faults:?}"));
    let routed = |account: &str, rule: &str, severity: &str| {
        let mut entry = samples().remove(0);
        entry["detail"]["violation"]["account_id"] = json!(account);
        entry["detail"]["violation"]["rule_name"] = json!(rule);
        entry["detail"]["violation"]["severity"] = json!(severity);
        match route(&event(&entry), &config, "2024-01-01T12:00:00Z".parse().unwrap()) {
            Routed::To { channel, until: None } => channel.unwrap(),
            Routed::To { .. } => panic!("nobody sleeps"),
            Routed::Unwanted(why) => why.to_owned(),
        }
    };
    assert_eq!(routed("999", "AdminX", "CRITICAL"), "a route sends it nowhere");
    assert_eq!(routed("111", "AdminX", "MEDIUM"), "#admin");
    assert_eq!(routed("111", "AdminX", "CRITICAL"), "#critical");
    assert_eq!(routed("111", "Other", "HIGH"), "#rest");
    assert_eq!(routed("111", "Other", "MEDIUM"), "below the minimum severity");
}

#[test]
fn the_file_we_ship_says_what_holds_without_it() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../config/notification-config.yaml");
    let (config, faults) = read("notification-config.yaml", &fs::read_to_string(path).unwrap());
    assert_eq!((config, faults), (Some(SlackConfig::default()), Vec::new()));
    assert_eq!(read("empty.yaml", "").0, Some(SlackConfig::default()));
}
