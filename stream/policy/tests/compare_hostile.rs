//! `compare` on documents made to be hard: each must end, and never with a wrong "no".

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "helpers of tests"
)]

use policy::{Answer, Comparer, Kind, Pattern, Policy, Scope, Statement, compare};

fn document(statements: &str) -> Policy {
    let text = format!(r#"{{"Version":"2012-10-17","Statement":[{statements}]}}"#);
    Policy::parse(&text, Kind::Identity)
}

fn allow(action: &str, resource: &str) -> String {
    format!(r#"{{"Effect":"Allow","Action":"{action}","Resource":"{resource}"}}"#)
}

fn stars(count: usize, letters: &[char]) -> String {
    (0..count).map(|at| format!("*{}", letters[at % letters.len()])).collect()
}

#[test]
fn two_hundred_infix_stars_end() {
    let wide = format!("arn:aws:s3:::{}*", stars(200, &['a', 'b']));
    let narrow = format!("arn:aws:s3:::{}*", stars(201, &['a', 'b']));
    let more = compare(&document(&allow("s3:*", &narrow)), &document(&allow("s3:*", &wide)));
    assert!(more.new_access.witness().is_some(), "{more:?}");
    assert_eq!(more.lost_access, Answer::No);
}

#[test]
fn many_crossing_exceptions_end_at_a_limit_and_not_with_a_no() {
    let exceptions: Vec<String> =
        (0..40).map(|at| format!("\"arn:aws:s3:::*{}*\"", stars(at % 7 + 3, &['a', 'b', 'c']))).collect();
    let list = exceptions.join(",");
    let old = document(&format!(
        r#"{{"Effect":"Allow","Action":"s3:*","NotResource":[{list}]}}, {}"#,
        allow("s3:*", "arn:aws:s3:::?*a*")
    ));
    let new = document(&allow("s3:*", "*"));
    assert!(compare(&old, &new).new_access.is_possible());
    let twins: Vec<String> = (0..24).map(|at| format!("\"arn:aws:s3:::*a{}\"", "?".repeat(at + 1))).collect();
    let old = document(&format!(
        r#"{{"Effect":"Allow","Action":"s3:*","NotResource":[{}]}},{}"#,
        twins.join(","),
        allow("s3:*", "arn:aws:s3:::*a*")
    ));
    let new = document(&allow("s3:*", "arn:aws:s3:::*"));
    let mut comparer = Comparer::default();
    let change = comparer.compare(&old, &new);
    if change.new_access == Answer::No {
        // Then it is proved: whatever has no `a` is outside of the list, and the rest is granted apart.
        assert_eq!(comparer.unknown_answers(), 0);
    }
}

#[test]
fn an_exponential_question_is_answered_unknown_and_counted() {
    // Whether the letter 25 places before the end is an `a` needs 2^25 states to know.
    let far = |letter: char| format!("arn:aws:s3:::*{letter}{}", "?".repeat(if letter == 'a' { 25 } else { 24 }));
    let list = format!("\"{}\",\"{}\"", far('a'), far('b'));
    let old = document(&format!(
        r#"{{"Effect":"Allow","Action":"s3:*","NotResource":[{list}]}},{},{}"#,
        allow("s3:*", &far('a')),
        allow("s3:*", &far('b'))
    ));
    let new = document(&allow("s3:*", "*"));
    let mut comparer = Comparer::default();
    let change = comparer.compare(&old, &new);
    assert!(matches!(change.new_access, Answer::Unknown(_)), "{change:?}");
    assert_eq!(comparer.unknown_answers(), 1);
}

fn numbered(count: usize, from: usize) -> Vec<Statement> {
    let template = document(&allow("s3:GetObject", "arn:aws:s3:::bucket/*")).statements.remove(0);
    let one = |number: usize| Statement {
        resources: Scope::Only(vec![Pattern::resource(&format!("arn:aws:s3:::bucket-{number}/*"), true)]),
        ..template.clone()
    };
    (from..from + count).map(one).collect()
}

#[test]
fn a_hundred_thousand_statements_end() {
    let mut old = document("");
    old.statements = numbered(100_000, 0);
    old.malformed.clear();
    let mut new = old.clone();
    new.statements.reverse();
    let mut comparer = Comparer::default();
    assert_eq!(comparer.compare(&old, &new).new_access, Answer::No);
    new.statements.extend(numbered(1, 100_000));
    let change = comparer.compare(&old, &new);
    assert!(
        change.new_access.witness().is_some_and(|witness| witness.resource.starts_with("arn:aws:s3:::bucket-100000/"))
    );
    assert_eq!(change.lost_access, Answer::No);
}

#[test]
fn two_documents_of_a_hundred_thousand_different_statements_end() {
    let (mut old, mut new) = (document(""), document(""));
    (old.malformed, new.malformed) = (Vec::new(), Vec::new());
    old.statements = numbered(100_000, 0);
    new.statements = numbered(100_000, 50_000);
    let change = compare(&old, &new);
    assert!(change.new_access.is_possible() && change.lost_access.is_possible());
    // One wide statement covers them all, and each has to be looked at.
    new.statements = document(&allow("s3:*", "arn:aws:s3:::bucket-*")).statements;
    let change = compare(&old, &new);
    assert!(change.new_access.witness().is_some());
    assert_eq!(change.lost_access, Answer::No);
}

#[test]
fn more_conditions_than_can_be_tried_are_not_answered_with_no() {
    let keys = 40;
    let guarded = |key: usize, value: usize| {
        format!(
            r#"{{"Effect":"Allow","Action":"s3:*","Resource":"*","Condition":{{"StringEquals":{{"x:{key}":"{value}"}},"StringNotEquals":{{"x:{}":"{value}"}}}}}}"#,
            (key + 1) % keys
        )
    };
    let statements: Vec<String> = (0..keys * 4).map(|at| guarded(at % keys, at / keys)).collect();
    let old = document(&statements.join(","));
    let demand: Vec<String> = (0..keys).map(|key| format!(r#""x:{key}":"false""#)).collect();
    let new = document(&format!(
        r#"{{"Effect":"Allow","Action":"s3:*","Resource":"*","Condition":{{"Null":{{{}}}}}}}"#,
        demand.join(",")
    ));
    assert!(compare(&old, &new).new_access.is_possible());
}

#[test]
fn a_witness_names_its_principal_as_decide_does_or_says_that_it_is_open() {
    let trusting = |principal: &str| {
        let statement = format!(r#"{{"Effect":"Allow","Principal":{principal},"Action":"sts:AssumeRole"}}"#);
        Policy::parse(&format!(r#"{{"Version":"2012-10-17","Statement":[{statement}]}}"#), Kind::Trust)
    };
    let nobody = Policy::parse(r#"{"Version":"2012-10-17","Statement":[]}"#, Kind::Trust);
    for (principal, can_ask) in [
        (r#""*""#, true),
        (r#"{"AWS":"111122223333"}"#, true),
        (r#"{"AWS":"arn:aws:iam::111122223333:role/app"}"#, true),
        (r#"{"AWS":"arn:aws:iam::111122223333:saml-provider/written-here"}"#, true),
        (r#"{"Service":"lambda.amazonaws.com"}"#, true),
        (r#"{"Federated":"cognito-identity.amazonaws.com"}"#, true),
        (r#"{"Federated":"arn:aws:iam::111122223333:saml-provider/x"}"#, true),
        (r#"{"AWS":"AROAEXAMPLEEXAMPLE12"}"#, false),
        (r#"{"CanonicalUser":"79a59df900b949e5"}"#, false),
        (r#"{"AWS":"*t"}"#, false),
    ] {
        let new = trusting(principal);
        let change = compare(&nobody, &new);
        let witness = change.new_access.witness().unwrap_or_else(|| panic!("{principal}: {change:?}"));
        assert_eq!(witness.is_complete(), can_ask, "{principal}: {witness:?}");
        if can_ask {
            assert!(witness.is_granted_by(&new) && !witness.is_granted_by(&nobody), "{principal}: {witness:?}");
        }
    }
}
