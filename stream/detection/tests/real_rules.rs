//! Rules over the log of a real attack, "Stratus Red Team" run against an account and published by Invictus.

#![allow(clippy::unwrap_used, clippy::panic)] // helpers of tests are tests, too

mod common;

use common::{files_of, testdata};
use detection::{
    Arrival, Books, CloudTrailEvent, Documents, EventKey, Judges, Limits, Opening, Piece, RuleSet, Suppressions,
    decide, open,
};
use std::collections::HashSet;

const RULES: &str = "
rules:
  - name: AdminAttached
    description: Administrator access attached
    severity: HIGH
    action: remediate
    conditions:
      event_kinds: [managed_policy_attach]
      policy: { full_admin: true }
  - name: ForeignTrust
    description: A role trusts another account
    severity: HIGH
    action: alert
    conditions:
      event_kinds: [trust_policy]
      policy: { cross_account_principal: true }
  - name: Hidden
    description: A policy that cannot be seen
    severity: MEDIUM
    action: alert
    conditions:
      event_kinds: [managed_policy_attach, trust_policy, inline_policy_put]
      policy: { not_visible: true }
";

fn scan() -> (Vec<schemas::Violation>, Books) {
    let rules = RuleSet::load(RULES, "rules.yaml").unwrap_or_else(|faults| panic!("{faults:#?}"));
    let judges = Judges { rules: &rules, suppressions: &Suppressions::default() };
    let limits = Limits::default();
    let opening = Opening { limits: &limits, interest: None, arrival: None };
    let (mut rows, mut books, mut seen) = (Vec::new(), Books::default(), HashSet::new());
    for (_, bytes) in files_of("invictus-stratus-2023") {
        books.record(true);
        open(&bytes, &opening, &mut |piece| {
            let Piece::Event(event) = piece else { return };
            books.events_in += 1;
            if EventKey::of(&event).is_some_and(|key| !seen.insert(key)) {
                books.duplicates += 1;
            } else if !rules.wants(&event.event_source, &event.event_name) {
                books.not_of_interest += 1;
            } else {
                let decided = decide(&event, judges, &Documents::none(), Arrival::default());
                assert_eq!(decided.errors, []);
                decided.enter(&mut books);
                rows.extend(decided.violations);
            }
        });
    }
    (rows, books)
}

#[test]
fn both_administrator_attachments_and_the_foreign_trust_are_found_and_no_detachment() {
    assert!(testdata().is_dir());
    let (rows, books) = scan();
    let mut found: Vec<String> = rows.iter().map(|row| format!("{}: {}", row.rule_name, row.evidence)).collect();
    found.sort();
    assert_eq!(
        found,
        [
            "AdminAttached: AdministratorAccess was attached to role stratus-red-team-backdoor-r-role by user bert-jan; \
             it allows every action on every resource (statement 1)",
            "AdminAttached: AdministratorAccess was attached to user malicious-iam-user by user bert-jan; \
             it allows every action on every resource (statement 1)",
            "ForeignTrust: the trust policy of role stratus-red-team-backdoor-r-role was written by user bert-jan; \
             it lets in account 193672423079 (statement 2)",
            "Hidden: stratus-red-team-ec2lui-policy-pcccexdthk was attached to role stratus-red-team-ec2lui-role-pcccexdthk \
             by user bert-jan; the policy document is not visible: it is not in the event",
            "Hidden: stratus-red-team-ec2lui-policy-wuzemnoeqa was attached to role stratus-red-team-ec2lui-role-wuzemnoeqa \
             by user bert-jan; the policy document is not visible: it is not in the event",
        ]
    );
    assert_eq!(books.balance(), Ok(()));
    assert_eq!(books.events_in, 2_900);
}

#[test]
fn a_second_run_gives_the_same_rows() {
    assert_eq!(scan().0, scan().0);
}

#[test]
fn an_event_judged_again_keeps_its_violation_ids() {
    let (rows, _) = scan();
    for row in rows {
        let raw = row.original_event.clone().unwrap();
        let event = CloudTrailEvent::parse(&raw, None).unwrap();
        assert_eq!(row.violation_id, schemas::violation_id(event.account_id(), &event.event_id(), &row.rule_name));
    }
}
