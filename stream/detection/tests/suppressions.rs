//! What suppressions hold back, and what they never do.

#![allow(clippy::unwrap_used, clippy::panic)] // helpers of tests are tests, too

use detection::{Arrival, Books, CloudTrailEvent, Decided, Documents, Judges, RuleSet, Suppressions, complete, decide};
use serde_json::{Value, json};

const RULES: &str = "
rules:
  - {name: Users, description: d, severity: HIGH, action: alert, conditions: {event_names: [CreateUser]}}
  - {name: Critical, description: d, severity: CRITICAL, action: alert, conditions: {event_names: [CreateUser]}}
";

fn judge(suppressions: &str, event: &Value) -> Decided {
    let rules = RuleSet::load(RULES, "rules.yaml").unwrap();
    let suppressions = Suppressions::load(suppressions, "suppress.yaml", Some(&rules)).unwrap();
    let text = complete(event, &[]).unwrap();
    let event = CloudTrailEvent::parse(&text, None).unwrap();
    decide(&event, Judges { rules: &rules, suppressions: &suppressions }, &Documents::none(), Arrival::default())
}

fn held_back(suppressions: &str, event: &Value) -> Option<String> {
    judge(suppressions, event).violations.remove(0).suppressed_by
}

fn entry(conditions: &str) -> String {
    format!("suppressions: [{{name: known, reason: r, owner: o, expires: 2024-12-31, conditions: {conditions}}}]")
}

#[test]
fn critical_is_never_held_back_and_what_is_stays_in_the_rows() {
    let decided = judge(&entry("{accounts: ['*']}"), &json!({"eventName": "CreateUser"}));
    let rows: Vec<(&str, bool)> =
        decided.violations.iter().map(|row| (row.rule_name.as_str(), row.suppressed)).collect();
    assert_eq!(rows, [("Users", true), ("Critical", false)]);
    let mut books = Books::default();
    decided.enter(&mut books);
    assert_eq!((books.violations, books.reported, books.suppressed), (2, 1, 1));
}

#[test]
fn an_entry_with_a_name_needs_all_of_its_conditions_and_one_without_any_of_them() {
    let event = json!({"eventName": "CreateUser", "userAgent": "Terraform/1.9"});
    let both = "{user_agents: [Terraform], principals: [role/ci]}";
    assert_eq!(held_back(&entry(both), &event), None);
    let older = format!("suppressions: [{{conditions: {{accounts: ['999988887777']}}}}, {{conditions: {both}}}]");
    assert_eq!(held_back(&older, &event).as_deref(), Some("entry 2"));
    let ci = json!({"eventName": "CreateUser", "userAgent": "Terraform/1.9", "userIdentity": {"arn": "arn:aws:sts::111122223333:assumed-role/ci/x"}});
    assert_eq!(held_back(&entry(both), &ci).as_deref(), Some("known"));
}

#[test]
fn an_entry_ends_by_the_time_of_the_event() {
    let until = |expires: &str| {
        format!(
            "suppressions: [{{name: known, reason: r, owner: o, expires: {expires}, conditions: {{accounts: [111122223333]}}}}]"
        )
    };
    for (expires, time, held) in [
        ("2024-01-01", "2024-01-01T23:59:59Z", true),
        ("2024-01-01", "2024-01-02T00:00:00Z", false),
        ("2024-01-01T12:00:00Z", "2024-01-01T11:59:59Z", true),
        ("2024-01-01T12:00:00Z", "2024-01-01T12:00:00Z", false),
        ("2024-01-01T12:00:00+02:00", "2024-01-01T10:30:00Z", false),
    ] {
        let event = json!({"eventName": "CreateUser", "eventTime": time});
        assert_eq!(held_back(&until(expires), &event).is_some(), held, "{expires} {time}");
    }
}

#[test]
fn each_condition_is_asked_of_its_part_of_the_event() {
    let event = json!({"eventName": "CreateUser", "sourceIPAddress": "192.0.2.7", "userAgent": "Boto3/1.34"});
    for (conditions, held) in [
        ("{user_agents: [Boto3]}", true),
        ("{user_agents: [boto3]}", false),
        ("{source_ips: [192.0.2.0/24]}", true),
        ("{source_ips: [192.0.2.7]}", true),
        ("{source_ips: [config.amazonaws.com]}", false),
        ("{principals: [user/alice]}", true),
        ("{principals: ['arn:aws:iam::*:user/b*']}", false),
        ("{event_names: [CreateUser]}", true),
        ("{event_names: [CreateRole]}", false),
        ("{accounts: ['1111*']}", true),
        ("{accounts: [444455556666]}", false),
        ("{rules: [Users]}", true),
        ("{rules: [Critical]}", false),
    ] {
        assert_eq!(held_back(&entry(conditions), &event).is_some(), held, "{conditions}");
    }
    let service = json!({"eventName": "CreateUser", "sourceIPAddress": "config.amazonaws.com"});
    assert!(held_back(&entry("{source_ips: [config.amazonaws.com]}"), &service).is_some());
    assert!(held_back(&entry("{source_ips: [0.0.0.0/0]}"), &service).is_none());
}

#[test]
fn an_empty_file_holds_nothing_back() {
    for text in ["", "# nothing yet\n", "suppressions: []"] {
        assert_eq!(held_back(text, &json!({"eventName": "CreateUser"})), None);
    }
}
