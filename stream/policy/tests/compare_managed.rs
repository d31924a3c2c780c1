//! `compare` over every AWS-managed policy: what must hold whatever the documents are.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "helpers of tests"
)]

use policy::{Answer, Comparer, Kind, Policy, Relation, catalogue};

fn documents() -> Vec<(&'static str, Policy)> {
    let read = |managed: catalogue::ManagedPolicy| (managed.name, Policy::parse(managed.document, Kind::Identity));
    catalogue::managed_policies().map(read).collect()
}

fn statement(text: &str) -> policy::Statement {
    let text = format!(r#"{{"Version":"2012-10-17","Statement":[{text}]}}"#);
    let mut document = Policy::parse(&text, Kind::Identity);
    assert!(document.malformed.is_empty(), "{:?}", document.malformed);
    document.statements.remove(0)
}

fn plus(old: &Policy, added: &policy::Statement) -> Policy {
    let mut new = old.clone();
    new.statements.push(added.clone());
    new
}

#[test]
fn every_managed_policy_equals_itself_in_any_order() {
    let mut comparer = Comparer::default();
    for (name, document) in documents() {
        let mut shuffled = document.clone();
        shuffled.statements.reverse();
        shuffled.statements.rotate_left(document.statements.len() / 3);
        assert_eq!(comparer.compare(&document, &shuffled).relation(), Relation::Equal, "{name}");
    }
}

#[test]
fn an_action_nobody_grants_is_new_in_every_managed_policy_but_the_administrators() {
    let added = statement(r#"{"Effect":"Allow","Action":"newservice:NewAction","Resource":"*"}"#);
    let mut comparer = Comparer::default();
    let mut covered = Vec::new();
    for (name, old) in documents() {
        let new = plus(&old, &added);
        let change = comparer.compare(&old, &new);
        assert_eq!(change.lost_access, Answer::No, "{name}");
        match change.new_access {
            Answer::Yes(witness) => {
                assert!(witness.is_granted_by(&new) && !witness.is_granted_by(&old), "{name}: {witness:?}")
            }
            Answer::No => covered.push(name),
            Answer::Unknown(reason) => panic!("{name}: {reason}"),
        }
    }
    // All others grant no such action; these grant everything, or deny everything outside a list.
    println!("{covered:?}");
    for name in covered {
        let old = Policy::parse(catalogue::managed_policy(name).unwrap(), Kind::Identity);
        let action = |statement: &policy::Statement| {
            statement.actions.contains(|pattern| pattern.matches("newservice:newaction"))
        };
        assert!(old.statements.iter().any(action), "{name}");
    }
}

#[test]
fn adding_an_allow_never_loses_and_adding_a_deny_never_gains() {
    let allows = [
        r#"{"Effect":"Allow","Action":"*","Resource":"*"}"#,
        r#"{"Effect":"Allow","Action":["iam:*","s3:Get*"],"Resource":"arn:aws:*:*:*:prod-*-x"}"#,
        r#"{"Effect":"Allow","NotAction":"ec2:Describe*","Resource":"*","Condition":{"Bool":{"aws:MultiFactorAuthPresent":"true"}}}"#,
        r#"{"Effect":"Allow","Action":"s3:*","NotResource":["arn:aws:s3:::a*b","arn:aws:s3:::?x"]}"#,
    ];
    let denies = [
        r#"{"Effect":"Deny","Action":"*","Resource":"*"}"#,
        r#"{"Effect":"Deny","Action":"*","NotResource":["arn:aws:s3:::a*b","arn:aws:ec2:*:*:instance/?x"]}"#,
        r#"{"Effect":"Deny","NotAction":"s3:Get*","Resource":"*","Condition":{"StringNotEquals":{"aws:RequestedRegion":"eu-west-1"}}}"#,
    ];
    let mut comparer = Comparer::default();
    let mut unknown = 0;
    for (name, old) in documents() {
        for (number, text) in allows.iter().chain(&denies).enumerate() {
            let new = plus(&old, &statement(text));
            let change = comparer.compare(&old, &new);
            let (must_be_no, other) = if number < allows.len() {
                (&change.lost_access, &change.new_access)
            } else {
                (&change.new_access, &change.lost_access)
            };
            assert_eq!(*must_be_no, Answer::No, "{name} + {text}");
            unknown += u32::from(matches!(other, Answer::Unknown(_)));
        }
    }
    println!("unknown {unknown} of {}", 7 * documents().len());
    assert_eq!(unknown, 0);
}

#[test]
fn more_than_more_is_more() {
    let added = [
        statement(r#"{"Effect":"Allow","Action":"one:A","Resource":"*"}"#),
        statement(r#"{"Effect":"Allow","Action":"two:*","Resource":"arn:aws:two:*:*:x/*"}"#),
    ];
    let mut comparer = Comparer::default();
    for (name, first) in documents().into_iter().step_by(7) {
        let second = plus(&first, &added[0]);
        let third = plus(&second, &added[1]);
        let steps =
            [comparer.compare(&first, &second), comparer.compare(&second, &third), comparer.compare(&first, &third)];
        let [one, two, both] = steps.map(|change| change.new_access.is_possible());
        assert_eq!(one || two, both, "{name}");
        let back = comparer.compare(&third, &first);
        assert_eq!(back.lost_access.is_possible(), both, "{name}");
        assert_eq!(back.new_access, Answer::No, "{name}");
    }
}

#[test]
fn a_statement_with_an_action_more_or_less_is_noticed() {
    let mut comparer = Comparer::default();
    for (name, old) in documents() {
        let mut new = old.clone();
        let Some(statement) = new.statements.iter_mut().find(|one| one.effect == policy::Effect::Allow) else {
            continue;
        };
        let policy::Scope::Only(actions) = &mut statement.actions else { continue };
        actions.push(policy::Pattern::action("newservice:newaction"));
        let change = comparer.compare(&old, &new);
        assert_eq!(change.lost_access, Answer::No, "{name}");
        assert!(!matches!(change.new_access, Answer::Unknown(_)), "{name}");
        let back = comparer.compare(&new, &old);
        assert_eq!(back.new_access, Answer::No, "{name}");
        assert_eq!(back.lost_access.is_possible(), change.new_access.is_possible(), "{name}");
    }
}
