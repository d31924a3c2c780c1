//! What the shipped rules find in real logs, sentence by sentence, judged by hand: see `data/findings/README.md`.
//!
//! After a wanted change, `UPDATE_FINDINGS=1 cargo test -p detection --test shipped_pack_findings` writes the files anew;
//! read the difference before you commit it.

#![allow(clippy::unwrap_used)] // helpers of tests are tests, too

mod common;
mod pack;

use common::files_of;
use detection::{
    Arrival, CloudTrailEvent, Documents, EventKey, Judges, Limits, Opening, Piece, Sitting, Suppressions, change,
    complete, decide, open,
};
use pack::shipped_rules;
use schemas::{Severity, Violation};
use serde_json::json;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::Path;

fn violations(set: &str) -> Vec<Violation> {
    let (rules, suppressions) = (shipped_rules(), Suppressions::default());
    let judges = Judges { rules: &rules, suppressions: &suppressions };
    let limits = Limits::default();
    let opening = Opening { limits: &limits, interest: None, arrival: None };
    let (mut rows, mut seen) = (Vec::new(), HashSet::new());
    let mut judge = |event: &CloudTrailEvent<'_>| {
        let decided = decide(event, judges, &Documents::none(), Arrival::default());
        assert_eq!(decided.errors, []);
        rows.extend(decided.violations);
    };
    for (_, bytes) in files_of(set) {
        open(&bytes, &opening, &mut |piece| match piece {
            Piece::Event(event) if EventKey::of(&event).is_none_or(|key| seen.insert(key)) => judge(&event),
            _ => {}
        });
    }
    rows
}

/// One line for each finding, those of a rule together, the worst first; equal ones counted.
fn findings(set: &str) -> String {
    let mut lines: BTreeMap<(Reverse<Severity>, String), usize> = BTreeMap::new();
    for row in violations(set) {
        let line = format!("{} {}: {}", row.severity.as_str(), row.rule_name, row.evidence);
        *lines.entry((Reverse(row.severity), line)).or_default() += 1;
    }
    let times = |count: usize| if count > 1 { format!(" ({count} times)") } else { String::new() };
    lines.into_iter().map(|((_, line), count)| format!("{line}{}\n", times(count))).collect()
}

fn compare(name: &str, found: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/findings").join(format!("{name}.txt"));
    if std::env::var_os("UPDATE_FINDINGS").is_some() {
        std::fs::write(&file, found).unwrap();
    }
    let expected = std::fs::read_to_string(&file).unwrap();
    let missing: Vec<&str> = expected.lines().filter(|line| !found.lines().any(|other| other == *line)).collect();
    let added: Vec<&str> = found.lines().filter(|line| !expected.lines().any(|other| other == *line)).collect();
    assert!(found == expected, "{name}: missing {missing:#?}, added {added:#?}");
}

#[test]
fn real_logs_give_exactly_the_findings_that_were_judged_by_hand() {
    for set in common::EVERY_SET {
        compare(set, &findings(set));
    }
}

/// Which rules an attachment of each AWS-managed policy meets: the grave ones by name, the others counted.
fn managed_policy_findings() -> String {
    let (rules, suppressions) = (shipped_rules(), Suppressions::default());
    let judges = Judges { rules: &rules, suppressions: &suppressions };
    let (mut grave, mut others) = (BTreeSet::new(), BTreeMap::<String, usize>::new());
    for policy in policy::catalogue::managed_policies() {
        let request = json!({"roleName": "r", "policyArn": policy.arn});
        let text = complete(&json!({"eventName": "AttachRolePolicy", "requestParameters": request}), &[]).unwrap();
        let event = CloudTrailEvent::parse(&text, None).unwrap();
        for row in decide(&event, judges, &Documents::none(), Arrival::default()).violations {
            let rule = format!("{} {}", row.severity.as_str(), row.rule_name);
            if row.severity >= Severity::High {
                grave.insert(format!("{rule}: {}\n", policy.name));
            } else {
                *others.entry(rule).or_default() += 1;
            }
        }
    }
    let counts = others.into_iter().map(|(rule, count)| format!("{rule}: {count} policies\n"));
    grave.into_iter().chain(counts).collect()
}

/// Its memory fills several times, and each document comes once more while it is remembered and as the document of
/// another kind.
#[test]
fn a_sitting_judges_every_event_as_if_it_were_the_first() {
    let (rules, suppressions) = (shipped_rules(), Suppressions::default());
    let judges = Judges { rules: &rules, suppressions: &suppressions };
    let sitting = Sitting::new(judges);
    for policy in policy::catalogue::managed_policies() {
        for name in ["AttachRolePolicy", "AttachUserPolicy", "PutRolePermissionsBoundary", "DetachRolePolicy"] {
            let request =
                json!({"roleName": "r", "userName": "u", "policyArn": policy.arn, "permissionsBoundary": policy.arn});
            let text = complete(&json!({"eventName": name, "requestParameters": request}), &[]).unwrap();
            let event = CloudTrailEvent::parse(&text, None).unwrap();
            let (documents, arrival) = (Documents::none(), Arrival::default());
            let remembering = sitting.decide(&event, change(&event).as_ref(), &documents, arrival);
            let alone = decide(&event, judges, &documents, arrival);
            assert_eq!(format!("{remembering:?}"), format!("{alone:?}"), "{name} {}", policy.arn);
        }
    }
}

#[test]
fn few_of_the_policies_that_aws_hands_out_are_grave_findings() {
    compare("aws-managed-policies", &managed_policy_findings());
}

#[test]
fn the_attack_is_found_by_name_and_cleaning_up_after_it_is_no_grave_finding() {
    let rows = violations("invictus-stratus-2023");
    let targets = |rule: &str| -> Vec<String> {
        rows.iter().filter(|row| row.rule_name == rule).filter_map(|row| row.target_name.clone()).collect()
    };
    let mut admins = targets("AdminPolicyAttachment");
    admins.sort();
    assert_eq!(admins, ["malicious-iam-user", "stratus-red-team-backdoor-r-role"]);
    assert_eq!(targets("TrustToForeignAccount"), ["stratus-red-team-backdoor-r-role"]);
    let detached = |row: &&Violation| row.event_name.starts_with("Detach") && row.severity >= Severity::High;
    assert_eq!(rows.iter().filter(detached).count(), 0);
}
