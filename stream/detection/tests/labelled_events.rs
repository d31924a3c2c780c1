//! The shipped rules against test cases of other people's rules. Where we differ, the reason stands here and in
//! `LABELS.md`.

#![allow(clippy::unwrap_used, clippy::panic)] // helpers of tests are tests, too

mod pack;

use chrono::{DateTime, Utc};
use detection::{Arrival, Documents, Judges, Limits, Opening, Piece, RuleSet, Suppressions, decide, open};
use pack::shipped_rules;
use serde_json::Value;

const PANTHER: &str = include_str!("data/labels/panther.jsonl");
const STREAMALERT: &str = include_str!("data/labels/streamalert.jsonl");

const PLACEHOLDER: &str = "the record has a placeholder where its service belongs; a name alone is no event for us";

/// Cases that we judge differently, and why.
const PANTHER_DIFFERS: [(&str, &str); 3] = [
    (
        "AWS.CloudTrail.AMIModifiedForPublicAccess#5",
        "shared with one account that a mocked list does not know: told by SnapshotSharingChanged, as not public",
    ),
    (
        "AWS.Console.LoginWithoutMFA#3",
        "an IAM user that signs in through SAML: a record made by hand, real ones are sessions of a role",
    ),
    ("AWS.Console.LoginWithoutMFA#7", "a mocked memory knows the user as new; we have no memory, new users count, too"),
];
const STREAMALERT_DIFFERS: [(&str, &str); 4] = [
    (
        "cloudtrail_mfa_policy_abuse_attempt#2",
        "an MFA device that exists already was to be created: a mistake of everyday work, only refusals are attempts",
    ),
    ("cloudtrail_put_object_acl_public#1", PLACEHOLDER),
    ("cloudtrail_put_object_acl_public#2", PLACEHOLDER),
    ("cloudtrail_root_account_usage#0", PLACEHOLDER),
];

/// Whether one of the rules finds something in the record.
fn fires(rules: &RuleSet, names: &[Value], record: &Value) -> bool {
    let judges = Judges { rules, suppressions: &Suppressions::default() };
    let text = record.to_string();
    let (limits, mut found) = (Limits::default(), false);
    // Some records have a placeholder for their time.
    let opening = Opening { limits: &limits, interest: None, arrival: Some(DateTime::<Utc>::UNIX_EPOCH) };
    open(text.as_bytes(), &opening, &mut |piece| match piece {
        Piece::Event(event) => {
            let decided = decide(&event, judges, &Documents::none(), Arrival::default());
            found |= decided.violations.iter().any(|row| names.iter().any(|name| *name == row.rule_name.as_str()));
        }
        other => panic!("{other:?} in {text}"),
    });
    found
}

/// Cases, and the ids of those that we judge differently.
fn disagreements(cases: &str) -> (usize, Vec<String>) {
    let rules = shipped_rules();
    let cases: Vec<Value> = cases.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let differs = |case: &&Value| {
        let names = case["rules"].as_array().unwrap();
        assert!(names.iter().all(|name| rules.rule(name.as_str().unwrap()).is_some()), "{names:?}");
        fires(&rules, names, &case["record"]) != case["fires"].as_bool().unwrap()
    };
    let id = |case: &Value| case["id"].as_str().and_then(|id| Some(id.split_once(':')?.1.to_owned())).unwrap();
    (cases.len(), cases.iter().filter(differs).map(id).collect())
}

fn ids(reasons: &[(&str, &str)]) -> Vec<String> {
    reasons.iter().map(|(id, _)| (*id).to_owned()).collect()
}

#[test]
fn panthers_cases_are_judged_as_their_authors_do_but_for_the_named_ones() {
    assert_eq!(disagreements(PANTHER), (39, ids(&PANTHER_DIFFERS)));
}

#[test]
fn streamalerts_cases_are_judged_as_their_authors_do_but_for_the_named_ones() {
    assert_eq!(disagreements(STREAMALERT), (41, ids(&STREAMALERT_DIFFERS)));
}

#[test]
fn every_difference_and_its_reason_stands_in_the_document() {
    let document = include_str!("../LABELS.md");
    for (id, reason) in PANTHER_DIFFERS.iter().chain(&STREAMALERT_DIFFERS) {
        assert!(document.contains(&format!("| {id} | {reason} |")), "{id}: {reason}");
    }
}
