//! Every reason of the guard, and every reason of the plan, in a table.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use crate::config::Config;
use crate::facts::{Facts, assumed};
use crate::guard::{Circumstances, SESSION_NAME, approve, approve_undo, screen};
use crate::plan::plan;
use crate::samples::{attachment, request};

const ALL: &str = r#""allowed_actions": ["detach_policy", "delete_policy", "delete_inline_policy", "quarantine_policy",
    "revert_policy_version", "restore_trust_policy", "restore_boundary", "deactivate_access_key", "remove_from_group"]"#;

fn config(more: &str) -> Config {
    let comma = if more.is_empty() { "" } else { "," };
    Config::read(&format!(r#"{{"dry_run": false, {ALL}{comma} {more}}}"#), None).unwrap()
}

fn now() -> DateTime<Utc> {
    "2024-01-05T12:10:00Z".parse().unwrap()
}

fn at<'c>(config: &'c Config, own_roles: &'c [String]) -> Circumstances<'c> {
    Circumstances {
        config,
        enabled: true,
        dry_run: false,
        own_roles,
        units: None,
        breaker_open: None,
        returned: 0,
        held_back: None,
        now: now(),
    }
}

/// The code of the refusal, or `approved`.
fn verdict(changes: &Value, config: &Config, turn: impl Fn(&mut Circumstances<'_>)) -> &'static str {
    let request = request(changes.clone());
    let own_roles = ["Remediator".to_owned()];
    let mut at = at(config, &own_roles);
    turn(&mut at);
    let facts = assumed(&request);
    let plan = match screen(&request, &at).and_then(|()| plan(&request, &facts, None)) {
        Ok(plan) => plan,
        Err(refusal) => return refusal.code(),
    };
    match approve(plan, &request, &facts, &at) {
        Ok(_) => "approved",
        Err(refusal) => refusal.code(),
    }
}

#[test]
fn the_event_alone_can_be_a_reason() {
    let session = format!("arn:aws:sts::111111111111:assumed-role/Any/{SESSION_NAME}");
    let root = "arn:aws:iam::111111111111:root";
    let role = |name: &str, path: &str| json!({"target_type": "role", "target_name": name, "target_arn": format!("arn:aws:iam::111111111111:role/{path}{name}")});
    let cases = [
        (json!({}), "approved"),
        (json!({"remediation_action": "log_only"}), "log_only"),
        (json!({"remediation_action": "delete_everything"}), "unknown_action"),
        (json!({"remediation_action": null}), "log_only"),
        (json!({"action": "alert"}), "not_for_repair"),
        (json!({"suppressed": true, "suppressed_by": "planned"}), "suppressed"),
        (json!({"outcome": "failure", "error_code": "AccessDenied"}), "call_failed"),
        (json!({"account_id": "unknown"}), "account_unknown"),
        (json!({"account_id": "11111111111"}), "account_unknown"),
        (json!({"principal_type": "Root"}), "root"),
        (json!({"principal_arn": root}), "root"),
        (json!({"target_arn": root}), "root"),
        (json!({"principal_arn": session}), "own_change"),
        (json!({"session_issuer_arn": "arn:aws:iam::111111111111:role/x/Remediator"}), "own_change"),
        (role("Remediator", "monitor/"), "own_role"),
        (role("AWSServiceRoleForSupport", "aws-service-role/support.amazonaws.com/"), "service_linked_role"),
        (role("AWSReservedSSO_Admin_1", "aws-reserved/sso.amazonaws.com/"), "reserved_role"),
        (json!({"target_name": null}), "target_unknown"),
        (json!({"target_type": "bucket"}), "target_unknown"),
        (json!({"policy_name": null}), "target_unknown"),
        (json!({"policy_document": null}), "document_not_visible"),
        (json!({"remediation_action": "detach_policy", "policy_arn": null}), "target_unknown"),
        (json!({"remediation_action": "delete_policy", "policy_arn": "arn:aws:iam::aws:policy/X"}), "aws_managed"),
        (json!({"remediation_action": "deactivate_access_key"}), "target_unknown"),
        (json!({"remediation_action": "remove_from_group"}), "target_unknown"),
        (json!({"remediation_action": "restore_trust_policy"}), "target_unknown"),
        (json!({"remediation_action": "restore_boundary"}), "no_state_before"),
    ];
    let config = config("");
    for (changes, expected) in cases {
        assert_eq!(verdict(&changes, &config, |_| ()), expected, "{changes}");
    }
}

#[test]
fn the_configuration_can_be_a_reason() {
    let cases = [
        ("", json!({}), "approved"),
        (r#""safety_checks": {"exclude_patterns": ["user/ALICE"]}"#, json!({}), "excluded"),
        (r#""safety_checks": {"exclude_patterns": ["user/bob"]}"#, json!({}), "excluded"),
        (r#""safety_checks": {"exclude_patterns": ["bob"]}"#, json!({"target_arn": null}), "excluded"),
        (
            r#""safety_checks": {"exclude_patterns": ["ops"]}"#,
            json!({"session_issuer_arn": "arn:aws:iam::1:role/ops"}),
            "excluded",
        ),
        (r#""safety_checks": {"exclude_patterns": ["carol"]}"#, json!({}), "approved"),
        (r#""protected_policies": ["deploy-*"]"#, json!({}), "protected_policy"),
        (r#""safety_checks": {"protected_policies": ["deploy-"]}"#, json!({}), "protected_policy"),
        (r#""accounts": {"allow": ["2*"]}"#, json!({}), "account_filtered"),
        (r#""accounts": {"deny": ["1*"]}"#, json!({}), "account_filtered"),
        (r#""accounts": {"allow": ["1*"], "deny": ["2*"]}"#, json!({}), "approved"),
        (r#""tags": {"require": {"auto-repair": "yes"}}"#, json!({}), "tag_filtered"),
        (
            r#""own_roles": ["Deploy*"]"#,
            json!({"target_type": "role", "target_name": "DeployMonitor", "target_arn": null}),
            "own_role",
        ),
        (
            r#""own_roles": ["Deploy*"]"#,
            json!({"session_issuer_arn": "arn:aws:iam::1:role/DeployMonitor"}),
            "own_change",
        ),
        (r#""grace_minutes": {"PrivilegeEscalationGranted": 30}"#, json!({}), "grace"),
        (r#""grace_minutes": {"PrivilegeEscalationGranted": 6}"#, json!({}), "approved"),
        (r#""grace_minutes": {"Other": 30}"#, json!({}), "approved"),
    ];
    for (more, changes, expected) in cases {
        assert_eq!(verdict(&changes, &config(more), |_| ()), expected, "{more} {changes}");
    }
    let none = Config::read(r#"{"dry_run": false, "allowed_actions": ["detach_policy"]}"#, None).unwrap();
    assert_eq!(verdict(&json!({}), &none, |_| ()), "not_allowed");
}

#[test]
fn the_circumstances_can_be_a_reason() {
    type Turn = fn(&mut Circumstances<'_>);
    let cases: [(Turn, &str); 5] = [
        (|at| at.enabled = false, "not_enabled"),
        (|at| at.breaker_open = Some("failures".to_owned()), "breaker_open"),
        (|at| at.held_back = Some("alice".to_owned()), "held_back"),
        (|at| at.returned = 3, "returns"),
        (|at| at.returned = 2, "approved"),
    ];
    let config = config("");
    for (place, (turn, expected)) in cases.into_iter().enumerate() {
        assert_eq!(verdict(&json!({}), &config, turn), expected, "case {place}");
    }
}

#[test]
fn d12_the_organizational_unit_can_be_a_reason_and_one_that_is_not_known_always_is() {
    let nested = || Some(["ou-ab12-inner", "ou-ab12-outer", "r-ab12"].map(str::to_owned).to_vec());
    let none: Option<Vec<String>> = None;
    for (filter, units, expected) in [
        (r#""allow": ["ou-ab12-inner"]"#, nested(), "approved"),
        (r#""allow": ["ou-ab12-outer"]"#, nested(), "approved"),
        (r#""allow": ["r-ab12"], "deny": ["ou-ab12-other"]"#, nested(), "approved"),
        (r#""allow": ["ou-ab12-other"]"#, nested(), "unit_filtered"),
        (r#""deny": ["ou-ab12-outer"]"#, nested(), "unit_filtered"),
        (r#""allow": ["ou-ab12-inner"], "deny": ["ou-ab12-out*"]"#, nested(), "unit_filtered"),
        (r#""allow": ["ou-ab12-inner"]"#, Some(Vec::new()), "unit_filtered"),
        (r#""allow": ["*"]"#, none.clone(), "fault"),
        (r#""allow": ["ou-*"]"#, none.clone(), "unit_unknown"),
        (r#""deny": ["ou-ab12-other"]"#, none.clone(), "unit_unknown"),
        ("", none, "approved"),
    ] {
        let text = format!(r#"{{"dry_run": false, {ALL}, "organizational_units": {{{filter}}}}}"#);
        let found = match Config::read(&text, None) {
            Ok(config) => verdict(&json!({}), &config, |at| at.units = units.clone()),
            Err(_) => "fault",
        };
        assert_eq!(found, expected, "{filter} {units:?}");
    }
}

#[test]
fn what_iam_shows_can_be_a_reason() {
    let request = request(json!({}));
    let facts = assumed(&request);
    let plan = plan(&request, &facts, None).unwrap();
    let config = config(r#""tags": {"deny": {"owner": "security*"}}"#);
    let at = at(&config, &[]);
    let with = |turn: fn(&mut Facts)| {
        let mut facts = facts.clone();
        turn(&mut facts);
        approve(plan.clone(), &request, &facts, &at).map_err(|refusal| refusal.code()).map(drop)
    };
    assert_eq!(with(|_| ()), Ok(()));
    type Turn = fn(&mut Facts);
    let cases: [(Turn, &str); 3] = [
        // The event left the path out.
        (
            |facts| facts.holder.as_mut().unwrap().arn = "arn:aws:iam::1:role/aws-service-role/a/b".to_owned(),
            "service_linked_role",
        ),
        (
            |facts| facts.holder.as_mut().unwrap().arn = "arn:aws:iam::1:role/aws-reserved/a/b".to_owned(),
            "reserved_role",
        ),
        (
            |facts| {
                let tag = crate::step::Tag { key: "owner".to_owned(), value: "Security-1".to_owned() };
                facts.holder.as_mut().unwrap().tags.push(tag);
            },
            "tag_filtered",
        ),
    ];
    for (turn, expected) in cases {
        assert_eq!(with(turn), Err(expected));
    }
}

#[test]
fn a_plan_for_something_else_is_not_approved() {
    let (one, other) = (request(json!({})), attachment());
    let config = config("");
    let at = at(&config, &[]);
    let facts = assumed(&one);
    let mut stolen = plan(&one, &facts, None).unwrap();
    assert_eq!(approve(stolen.clone(), &other, &assumed(&other), &at).unwrap_err().code(), "target_unknown");
    stolen.account_id = "222222222222".to_owned();
    assert_eq!(approve(stolen, &one, &facts, &at).unwrap_err().code(), "target_unknown");
}

#[test]
fn everybody_a_step_touches_is_checked_and_not_only_whom_the_event_names() {
    use crate::step::{Holder, HolderKind};
    let arn = "arn:aws:iam::111111111111:policy/p";
    let request = request(json!({
        "remediation_action": "delete_policy", "policy_arn": arn, "target_type": "policy", "target_name": "p",
        "target_arn": arn, "event_kind": "managed_policy_create", "policy_name": "p",
    }));
    for (kind, name, expected) in [
        (HolderKind::User, "carol", None),
        (HolderKind::User, "break-glass-1", Some("excluded")),
        (HolderKind::Role, "Remediator", Some("own_role")),
        (HolderKind::Role, "AWSServiceRoleForSupport", Some("service_linked_role")),
        (HolderKind::Role, "AWSReservedSSO_A_1", Some("reserved_role")),
    ] {
        let mut facts = assumed(&request);
        facts.policy.as_mut().unwrap().attached_to = vec![Holder { kind, name: name.to_owned() }];
        let plan = plan(&request, &facts, None).unwrap();
        let config = config(r#""safety_checks": {"exclude_patterns": ["break-glass"]}"#);
        let own_roles = ["Remediator".to_owned()];
        let approved = approve(plan, &request, &facts, &at(&config, &own_roles));
        assert_eq!(approved.err().map(|refusal| refusal.code()), expected, "{name}");
    }
}

#[test]
fn each_of_three_switches_makes_it_a_dry_run_that_has_no_steps_to_carry_out() {
    let request = request(json!({}));
    let facts = assumed(&request);
    let plan = plan(&request, &facts, None).unwrap();
    let (live, dry) = (config(""), Config::read(&format!("{{{ALL}}}"), None).unwrap());
    let approved = |config: &Config, dry_run: bool| {
        approve(plan.clone(), &request, &facts, &Circumstances { dry_run, ..at(config, &[]) }).unwrap()
    };
    assert_eq!(approved(&live, false).steps().map(<[_]>::len), Some(1));
    assert_eq!(approved(&live, true).steps(), None);
    assert_eq!(approved(&dry, false).steps(), None);
    assert_eq!(approve_undo(plan.clone(), false).steps(), None);
    assert!(approve_undo(plan.clone(), true).steps().is_some());
}

#[test]
fn grace_is_counted_from_the_arrival_of_the_event() {
    let config = config(r#""grace_minutes": {"PrivilegeEscalationGranted": 10}"#);
    let request = request(json!({}));
    let due = request.violation.detected_at + TimeDelta::minutes(10);
    let mut at = at(&config, &[]);
    at.now = due - TimeDelta::seconds(1);
    assert_eq!(screen(&request, &at).unwrap_err().code(), "grace");
    at.now = due;
    assert!(screen(&request, &at).is_ok());
}
