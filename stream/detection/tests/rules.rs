//! What rules promise beyond single events: the defects of other systems (D-numbers) that ours must not repeat, and properties.

#![allow(clippy::unwrap_used, clippy::panic)] // helpers of tests are tests, too

use detection::{
    Arrival, Books, CloudTrailEvent, Decided, Documents, EventKind, Judges, RuleSet, Suppressions, change, complete,
    decide, run_tests,
};
use proptest::prelude::*;
use serde_json::{Value, json};

const EVERYTHING: &str = "
rules:
  - name: Everything
    description: Each kind, each condition
    severity: LOW
    action: alert
    conditions:
      event_kinds: [KINDS]
      outcome: any
      mfa: false
      target: TARGET
      actor_types: [IAMUser, Root]
      not_principals: [nobody]
      not_source_ips: [10.0.0.0/8]
      policy:
        any:
          - full_admin: true
          - grants: ['iam:*']
          - new_access: true
          - lost_deny: true
          - public_principal: true
          - cross_account_principal: true
          - privilege_escalation: true
          - effective_admin: true
          - wildcard_service: true
          - malformed: true
          - not_visible: true
";

fn rules(yaml: &str) -> RuleSet {
    RuleSet::load(yaml, "rules.yaml").unwrap_or_else(|faults| panic!("{faults:#?}"))
}

fn judge(rules: &RuleSet, event: &Value) -> Decided {
    let text = complete(event, &[]).unwrap();
    let event = CloudTrailEvent::parse(&text, None).unwrap();
    let judges = Judges { rules, suppressions: &Suppressions::default() };
    decide(&event, judges, &Documents::none(), Arrival::default())
}

fn names(decided: &Decided) -> Vec<String> {
    decided.violations.iter().map(|row| row.rule_name.clone()).collect()
}

fn rule(name: &str, conditions: &str) -> String {
    format!("  - {{name: {name}, description: d, severity: HIGH, action: alert, conditions: {conditions}}}\n")
}

fn one_rule(conditions: &str) -> RuleSet {
    rules(&format!("rules:\n{}", rule("Only", conditions)))
}

fn matches(conditions: &str, event: &Value) -> bool {
    !judge(&one_rule(conditions), event).violations.is_empty()
}

#[test]
fn d7_an_omitted_policy_is_told_and_never_counts_as_clean() {
    let set = rules(&format!(
        "rules:\n{}{}",
        rule("Admin", "{event_kinds: [inline_policy_put], policy: {full_admin: true}}"),
        rule("Hidden", "{event_kinds: [inline_policy_put], policy: {not_visible: true}}"),
    ));
    let omitted = json!({"omitted": true, "originalSize": 102_500, "reason": "requestParameters too large"});
    let decided = judge(&set, &json!({"eventName": "PutUserPolicy", "requestParameters": omitted}));
    assert_eq!(names(&decided), ["Hidden"]);
    assert_eq!(decided.undecided, ["Admin"]);
}

#[test]
fn d8_every_way_to_write_a_wildcard_is_judged() {
    let full = r#"{event_kinds: [inline_policy_put], policy: {grants: ["iam:CreateUser"]}}"#;
    for statement in [
        r#"{"Effect":"Allow","Action":"*","Resource":"*"}"#,
        r#"{"Effect":"Allow","Action":"*:*","Resource":"*"}"#,
        r#"{"Effect":"Allow","Action":"iam:*","Resource":"*"}"#,
        r#"{"Effect":"Allow","Action":["s3:*","*"],"Resource":["*"]}"#,
        r#"{"Effect":"Allow","Action":"IAM:createuser","Resource":"*"}"#,
        r#"{"Effect":"Allow","Action":"i?m:Create*","Resource":"*"}"#,
        r#"{"Effect":"Allow","Action":"\u0069am:\u002a","Resource":"*"}"#,
        r#"{"Effect":"Allow","NotAction":"s3:*","Resource":"*"}"#,
    ] {
        for document in [
            format!(r#"{{"Version":"2012-10-17","Statement":[{statement}]}}"#),
            format!(r#"{{"Version":"2012-10-17","Statement":{statement}}}"#),
        ] {
            let parameters = json!({"userName": "bob", "policyName": "p", "policyDocument": document});
            let event = json!({"eventName": "PutUserPolicy", "requestParameters": parameters});
            assert!(matches(full, &event), "{document}");
        }
    }
}

#[test]
fn d18_every_kind_of_event_is_judged_with_nothing_in_it() {
    for kind in EventKind::ALL {
        for target in ["self", "other"] {
            let set = rules(&EVERYTHING.replace("KINDS", kind.as_str()).replace("TARGET", target));
            for (source, name) in detection::names_of(kind) {
                for empty in [json!(null), json!({}), json!("text"), json!([])] {
                    let event = json!({"eventName": name, "eventSource": source, "responseElements": empty, "requestParameters": empty});
                    let decided = judge(&set, &event);
                    assert_eq!(decided.errors, [], "{name} {empty}");
                    let sentences = decided.violations.iter().map(|row| row.evidence.as_str());
                    assert!(sentences.into_iter().all(|text| text.contains("by user alice")), "{name} {empty}");
                }
            }
        }
    }
}

#[test]
fn d22_a_field_name_is_refused_where_a_value_is_due() {
    for (conditions, told) in [
        ("{event_names: [eventName]}", "event_names"),
        ("{event_names: [CreateUser], principals: [userIdentity.sessionContext.sessionIssuer.arn]}", "principals"),
        ("{event_names: [CreateUser], user_agents: [userAgent]}", "user_agents"),
        ("{event_names: [CreateUser], event_fields: {eventName: [requestParameters.userName]}}", "event_fields"),
        (
            "{event_names: [CreateUser], conditions: {policy_document_contains: [policyDocument]}}",
            "policy_document_contains",
        ),
    ] {
        let faults = RuleSet::load(&format!("rules:\n{}", rule("Only", conditions)), "f").unwrap_err();
        assert!(
            faults.iter().any(|fault| fault.message.contains("name of a field") && fault.message.contains(told)),
            "{faults:?}"
        );
    }
}

#[test]
fn service_names_are_in_no_address_block() {
    let event = |from: &str| json!({"eventName": "CreateUser", "sourceIPAddress": from});
    let inside = "{event_names: [CreateUser], source_ips: [0.0.0.0/0, '::/0']}";
    let outside = "{event_names: [CreateUser], not_source_ips: [10.0.0.0/8]}";
    assert!(matches(inside, &event("192.0.2.1")) && matches(inside, &event("2001:db8::1")));
    assert!(!matches(inside, &event("cloudformation.amazonaws.com")));
    assert!(matches(outside, &event("cloudformation.amazonaws.com")) && matches(outside, &event("192.0.2.1")));
    assert!(!matches(outside, &event("10.1.2.3")));
}

#[test]
fn a_call_that_names_no_user_is_about_the_caller() {
    let (own, other) =
        ("{event_names: [CreateAccessKey], target: self}", "{event_names: [CreateAccessKey], target: other}");
    for (parameters, is_own) in [
        (json!(null), true),
        (json!({"userName": "alice"}), true),
        (json!({"userName": "bob"}), false),
        (json!({"userName": ""}), false),
    ] {
        let event = json!({"eventName": "CreateAccessKey", "requestParameters": parameters});
        assert_eq!((matches(own, &event), matches(other, &event)), (is_own, !is_own), "{parameters}");
    }
    let role = json!({"eventName": "AttachRolePolicy", "requestParameters": {"roleName": "alice"}});
    assert!(matches("{event_names: [AttachRolePolicy], target: other}", &role));
    let omitted = json!({"eventName": "PutUserPolicy", "requestParameters": {"omitted": true, "originalSize": 123456}});
    assert!(!matches("{event_names: [PutUserPolicy], target: self}", &omitted));
}

#[test]
fn the_root_user_is_named_in_words_where_a_user_name_is_due() {
    let named = json!({"userName": "AWS ROOT USER"});
    let event = |kind: &str| json!({"eventName": "EnableMFADevice", "requestParameters": named, "userIdentity": {"type": kind}});
    let (own, other) =
        ("{event_names: [EnableMFADevice], target: self}", "{event_names: [EnableMFADevice], target: other}");
    assert!(matches(own, &event("Root")) && !matches(other, &event("Root")));
    assert!(!matches(own, &event("IAMUser")) && matches(other, &event("IAMUser")));
}

#[test]
fn a_session_that_mentions_no_second_factor_had_none() {
    let without = "{event_names: [CreateUser], mfa: false}";
    let event = |mfa: Value| json!({"eventName": "CreateUser", "userIdentity": {"sessionContext": {"attributes": {"mfaAuthenticated": mfa}}}});
    assert!(matches(without, &json!({"eventName": "CreateUser"})));
    assert!(matches(without, &event(json!("false"))));
    assert!(!matches(without, &event(json!("true"))));
    assert!(matches("{event_names: [CreateUser], mfa: true}", &event(json!("true"))));
}

#[test]
fn a_field_holds_if_any_member_of_a_list_has_the_value() {
    let grants = r#"{event_names: [PutBucketAcl], event_fields: {requestParameters.acl.grants.uri: [all, "true"]}}"#;
    let event = |grants: Value| json!({"eventName": "PutBucketAcl", "requestParameters": {"acl": {"grants": grants}}});
    assert!(matches(grants, &event(json!([{"uri": "me"}, {"uri": "all"}]))));
    assert!(matches(grants, &event(json!([{"uri": [true]}]))));
    assert!(!matches(grants, &event(json!([{"uri": "ALL"}, {"url": "all"}]))));
    assert!(!matches(grants, &event(json!([{"uri": {"all": "all"}}]))));
}

#[test]
fn a_star_in_a_path_is_any_member_and_a_list_of_fields_any_of_them() {
    let off = r#"{event_names: [PutBucketPublicAccessBlock], event_fields: {requestParameters.Block.*: ["false"]}}"#;
    let event =
        |block: Value| json!({"eventName": "PutBucketPublicAccessBlock", "requestParameters": {"Block": block}});
    assert!(matches(off, &event(json!({"a": true, "b": false}))));
    assert!(!matches(off, &event(json!({"a": true, "b": true}))));
    let either = "{event_names: [PutBucketPublicAccessBlock], event_fields: [{requestParameters.Block.a: [1]}, \
        {requestParameters.Block.b: [2], awsRegion: [us-east-1]}]}";
    assert!(matches(either, &event(json!({"a": 1, "b": 3}))));
    assert!(matches(either, &event(json!({"a": 3, "b": 2}))));
    assert!(!matches(either, &event(json!({"a": 2, "b": 1}))));
}

#[test]
fn names_with_a_version_date_reach_their_rules() {
    let event = json!({"eventName": "AddPermission20150331v2", "eventSource": "lambda.amazonaws.com"});
    for conditions in [
        "{event_names: [AddPermission]}",
        "{event_names: [AddPermission20150331v2]}",
        "{event_names: [AddPermission], event_sources: [lambda.amazonaws.com]}",
        "{event_kinds: [principal_grant]}",
    ] {
        assert!(matches(conditions, &event), "{conditions}");
    }
    assert!(!matches("{event_names: [AddPermission], event_sources: [sqs.amazonaws.com]}", &event));
}

#[test]
fn the_same_name_of_another_service_is_another_event() {
    let set = one_rule("{event_kinds: [managed_policy_create]}");
    assert!(set.wants("iam.amazonaws.com", "CreatePolicy"));
    assert!(!set.wants("organizations.amazonaws.com", "CreatePolicy"));
    assert!(!set.wants("iam.amazonaws.com", "GetPolicy"));
}

#[test]
fn a_session_is_known_by_its_role_with_the_path() {
    let event = json!({"eventName": "CreateUser", "userIdentity": {"type": "AssumedRole", "sessionContext": {"sessionIssuer":
        {"arn": "arn:aws:iam::111122223333:role/aws-service-role/x.amazonaws.com/Deploy"}}}});
    assert!(matches("{event_names: [CreateUser], principals: [':role/aws-service-role/']}", &event));
    assert!(matches("{event_names: [CreateUser], principals: ['arn:*:assumed-role/deploy/*']}", &event));
    assert!(!matches(
        "{event_names: [CreateUser], not_principals: ['arn:aws:iam::*:role/aws-service-role/*']}",
        &event
    ));
}

#[test]
fn tests_beside_rules_pass_and_failures_say_what_differed() {
    let set = rules(include_str!("data/rule_tests.yaml"));
    let results = run_tests(&set);
    let failures: Vec<String> = results
        .iter()
        .map(|result| format!("{}: {}", result.test, result.failure.as_deref().unwrap_or("passed")))
        .collect();
    assert_eq!(
        failures,
        [
            "matches: passed",
            "does not match: passed",
            "wrong event: expected a match, but event_names does not hold: wanted PutUserPolicy, found CreateUser; policy does not hold: wanted full_admin, found no policy document",
            "wrong user: expected a match, but target does not hold: wanted other, found alice",
            "should not: expected no match, but every condition holds: event_names: PutUserPolicy; outcome: success; \
             target: bob; policy: it allows every action on every resource (statement 1)",
            "other words: expected evidence with \"nothing\", found \"it allows every action on every resource (statement 1)\"",
            "before and after: passed",
            "nothing before: passed",
            "hidden: expected a match, but a document is not visible; give it under document or document_before",
        ]
    );
}

#[test]
fn a_file_torn_off_anywhere_is_refused_or_read_and_never_crashes() {
    let text = include_str!("faults/rules_every_fault.yaml").to_owned() + include_str!("data/rule_tests.yaml");
    let ends = (0..text.len()).step_by(5).filter(|end| text.is_char_boundary(*end));
    let refused = ends.filter(|end| RuleSet::load(&text[..*end], "f").is_err()).count();
    assert!(refused > text.len() / 10, "{refused}");
}

#[test]
fn both_forms_of_the_documentation_load_and_match() {
    let set = rules(include_str!("data/both_forms.yaml"));
    let attached = |arn: &str, user: &str| {
        let parameters = json!({"userName": "bob", "policyArn": arn});
        let identity = json!({"arn": format!("arn:aws:iam::111122223333:user/{user}")});
        names(&judge(
            &set,
            &json!({"eventName": "AttachUserPolicy", "requestParameters": parameters, "userIdentity": identity}),
        ))
    };
    let admin = "arn:aws:iam::aws:policy/AdministratorAccess";
    assert_eq!(attached(admin, "admin"), ["AdminPolicyAttachment", "PrivilegeEscalationGranted"]);
    assert_eq!(attached(admin, "bob"), ["PrivilegeEscalationGranted"]);
    assert_eq!(attached("arn:aws:iam::aws:policy/ReadOnlyAccess", "admin"), Vec::<String>::new());
    let failures: Vec<_> = run_tests(&set).into_iter().filter_map(|result| result.failure).collect();
    assert_eq!(failures, Vec::<String>::new());
}

/// Rules that overlap in every way.
fn pool() -> Vec<String> {
    [
        ("A", "{event_names: [PutUserPolicy]}"),
        ("B", "{event_kinds: [inline_policy_put], policy: {full_admin: true}}"),
        ("C", "{event_kinds: [inline_policy_put, managed_policy_attach], policy: {not_visible: true}}"),
        ("D", "{event_names: [PutUserPolicy, AttachUserPolicy], outcome: any}"),
        ("E", "{event_kinds: [managed_policy_attach], target: other, policy: {full_admin: false}}"),
        ("F", "{event_names: [AttachUserPolicy], outcome: failure}"),
    ]
    .iter()
    .map(|(name, conditions)| rule(name, conditions))
    .collect()
}

fn some_event() -> impl Strategy<Value = Value> {
    let document = prop_oneof![
        Just(r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}"#),
        Just(r#"{"Version":"2012-10-17","Statement":[]}"#),
        Just("no policy"),
    ];
    let name = prop_oneof![Just("PutUserPolicy"), Just("AttachUserPolicy"), Just("CreateUser")];
    let user = prop_oneof![Just("alice"), Just("bob")];
    (name, user, document, any::<bool>(), any::<bool>()).prop_map(|(name, user, document, failed, omitted)| {
        let parameters = if omitted {
            json!({"omitted": true})
        } else {
            json!({"userName": user, "policyName": "p", "policyDocument": document, "policyArn": "arn:aws:iam::111122223333:policy/T"})
        };
        let error = if failed { json!("AccessDenied") } else { Value::Null };
        json!({"eventName": name, "requestParameters": parameters, "errorCode": error})
    })
}

proptest! {
    #[test]
    fn the_order_of_rules_does_not_matter(order in Just(pool()).prop_shuffle(), event in some_event()) {
        let sorted = |set: &RuleSet| {
            let decided = judge(set, &event);
            let (mut rows, mut undecided) = (decided.violations, decided.undecided);
            rows.sort_by(|a, b| a.rule_name.cmp(&b.rule_name));
            undecided.sort();
            (rows, undecided)
        };
        let usual = rules(&format!("rules:\n{}", pool().concat()));
        let shuffled = rules(&format!("rules:\n{}", order.concat()));
        prop_assert_eq!(sorted(&usual), sorted(&shuffled));
    }

    #[test]
    fn a_verdict_does_not_depend_on_other_rules(event in some_event()) {
        let together = judge(&rules(&format!("rules:\n{}", pool().concat())), &event);
        for one in pool() {
            let alone = judge(&rules(&format!("rules:\n{one}")), &event);
            for row in &alone.violations {
                let same = together.violations.iter().find(|other| other.rule_name == row.rule_name);
                prop_assert_eq!(same, Some(row));
            }
            prop_assert!(alone.undecided.iter().all(|name| together.undecided.contains(name)));
        }
    }

    #[test]
    fn the_books_add_up(events in proptest::collection::vec(some_event(), 0..20)) {
        let set = rules(&format!("rules:\n{}", pool().concat()));
        let mut books = Books::default();
        for event in &events {
            books.record(true);
            books.events_in += 1;
            if set.wants("iam.amazonaws.com", event["eventName"].as_str().unwrap()) {
                judge(&set, event).enter(&mut books);
            } else {
                books.not_of_interest += 1;
            }
        }
        prop_assert_eq!(books.balance(), Ok(()));
        prop_assert_eq!(books.events_in, events.len() as u64);
    }

    #[test]
    fn any_text_is_a_rules_file_or_has_faults(text in "\\PC{0,200}") {
        if let Err(faults) = RuleSet::load(&text, "f") {
            prop_assert!(!faults.is_empty());
        }
    }
}

#[test]
fn what_has_to_be_fetched_is_asked_only_when_a_rule_could_match() {
    let set = one_rule(
        "{event_kinds: [managed_policy_version, managed_policy_attach], accounts: ['111122223333'], policy: {new_access: true}}",
    );
    let needs = |event: Value| {
        let text = complete(&event, &[]).unwrap();
        let event = CloudTrailEvent::parse(&text, None).unwrap();
        assert!(change(&event).is_some());
        set.needs(&event, change(&event).as_ref()).len()
    };
    let arn = "arn:aws:iam::111122223333:policy/T";
    let version =
        json!({"eventName": "CreatePolicyVersion", "requestParameters": {"policyArn": arn, "policyDocument": "{}"}});
    let attach = json!({"eventName": "AttachUserPolicy", "requestParameters": {"userName": "u", "policyArn": arn}});
    assert_eq!((needs(version.clone()), needs(attach)), (1, 1));
    let mut elsewhere = version;
    elsewhere["recipientAccountId"] = json!("444455556666");
    assert_eq!(needs(elsewhere), 0);
}
