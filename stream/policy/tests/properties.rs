//! What must stay true when a document is rewritten: the verdict does not depend on how a policy is spelled,
//! a Deny never adds, an Allow never takes away.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    missing_docs,
    reason = "a test may fail loudly"
)]

use policy::{Kind, MethodSet, Policy, answer};
use proptest::prelude::*;
use serde_json::{Value, json};

const ACTIONS: [&str; 16] = [
    "*",
    "iam:*",
    "iam:PassRole",
    "iam:Pass*",
    "lambda:*",
    "lambda:CreateFunction",
    "lambda:InvokeFunction",
    "s3:*",
    "iam:CreatePolicyVersion",
    "iam:Put*Policy",
    "ec2:RunInstances",
    "sts:AssumeRole",
    "s3:Get*",
    "*:*",
    "iam:CreateAccessKey",
    "?am:*",
];
const RESOURCES: [&str; 9] = [
    "*",
    "arn:aws:iam::*:role/*",
    "arn:aws:iam::111122223333:role/app",
    "arn:aws:s3:::b/*",
    "arn:aws:iam::*",
    "arn:*",
    "arn:aws:iam::*:user/${aws:username}",
    "arn:aws:lambda:*:*:function:*",
    "arn:aws:iam::aws:policy/*",
];

fn names(of: &'static [&'static str]) -> impl Strategy<Value = Vec<&'static str>> {
    prop::collection::vec(prop::sample::select(of), 1..4)
}

fn statement() -> impl Strategy<Value = Value> {
    let parts =
        (names(&ACTIONS), names(&RESOURCES), 0..4_u8, prop::bool::weighted(0.2), prop::bool::weighted(0.2), 0..6_u8);
    parts.prop_map(|(actions, resources, effect, not_action, not_resource, condition)| {
        let mut statement = json!({"Effect": if effect == 0 { "Deny" } else { "Allow" }});
        statement[if not_action { "NotAction" } else { "Action" }] = json!(actions);
        statement[if not_resource { "NotResource" } else { "Resource" }] = json!(resources);
        match condition {
            0 => statement["Condition"] = json!({"Bool": {"aws:MultiFactorAuthPresent": "true"}}),
            1 => statement["Condition"] = json!({"StringLikeIfExists": {"aws:RequestTag/a": "b*"}}),
            _ => {}
        }
        statement
    })
}

fn parse(statements: &[Value]) -> Policy {
    Policy::parse(&json!({"Version": "2012-10-17", "Statement": statements}).to_string(), Kind::Identity)
}

/// May and must of every question that has an answer of its own.
fn verdicts(policy: &Policy) -> Vec<String> {
    let escalations = policy.escalations();
    let certainty = |finding: Option<policy::Finding>| format!("{:?}", finding.map(|finding| finding.certainty));
    let mut verdicts = vec![
        format!("{escalations:?}"),
        certainty(policy.full_admin()),
        certainty(policy.effective_admin()),
        certainty(policy.wildcard_action()),
        certainty(policy.not_action_allow()),
        certainty(policy.not_resource_allow()),
    ];
    for action in ACTIONS {
        verdicts.push(certainty(policy.grants(action)));
        verdicts.push(certainty(policy.resource_wildcard_on(action)));
    }
    verdicts
}

fn within(small: MethodSet, large: MethodSet) -> bool {
    small.and(large) == small
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn must_is_within_may_and_every_finding_names_a_statement_of_the_document(list in prop::collection::vec(statement(), 1..5)) {
        let policy = parse(&list);
        prop_assert_eq!(&policy.malformed, &vec![]);
        let escalations = policy.escalations();
        prop_assert!(within(escalations.must, escalations.may));
        for method in policy::methods() {
            let evidence = policy.escalation_evidence(method);
            prop_assert_eq!(evidence.is_some(), escalations.may.contains(method), "{}", method.id);
            if let Some((certainty, findings)) = evidence {
                prop_assert_eq!(certainty == policy::Certainty::Must, escalations.must.contains(method), "{}", method.id);
                prop_assert!(findings.iter().all(|finding| finding.evidence.statement < list.len()));
            }
        }
    }

    #[test]
    fn order_of_statements_and_of_lists_and_case_of_actions_never_matter(list in prop::collection::vec(statement(), 1..5)) {
        let before = verdicts(&parse(&list));
        let mut other: Vec<Value> = list.iter().rev().cloned().collect();
        for statement in &mut other {
            for element in ["Action", "NotAction", "Resource", "NotResource"] {
                if let Some(items) = statement.get_mut(element).and_then(Value::as_array_mut) {
                    items.reverse();
                    if element.ends_with("Action") {
                        items.iter_mut().for_each(|item| *item = json!(item.as_str().unwrap().to_uppercase()));
                    }
                }
            }
        }
        prop_assert_eq!(before, verdicts(&parse(&other)));
    }

    #[test]
    fn one_statement_or_many_say_the_same(list in prop::collection::vec(statement(), 1..4)) {
        let before = verdicts(&parse(&list));
        let mut split = Vec::new();
        for statement in &list {
            let actions = statement.get("Action").and_then(Value::as_array).cloned();
            for action in actions.unwrap_or_else(|| vec![Value::Null]) {
                let mut single = statement.clone();
                if !action.is_null() {
                    single["Action"] = action;
                }
                split.push(single);
            }
        }
        split.push(list[0].clone());
        prop_assert_eq!(before, verdicts(&parse(&split)));
    }

    #[test]
    fn every_encoding_of_a_document_says_the_same(list in prop::collection::vec(statement(), 1..4)) {
        let text = json!({"Version": "2012-10-17", "Statement": list}).to_string();
        let before = Policy::parse(&text, Kind::Identity);
        let encoded: String = text.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let quoted = serde_json::to_string(&text).unwrap();
        let escaped: String = text.chars().map(|c| if c.is_ascii_alphabetic() { format!("\\u{:04x}", c as u32) } else { c.to_string() }).collect();
        let twice = serde_json::to_string(&encoded).unwrap();
        for other in [encoded, quoted, escaped, twice] {
            prop_assert_eq!(&before, &Policy::parse(&other, Kind::Identity), "{}", other);
        }
        let asked = json!({"id": 1, "policy": text}).to_string();
        prop_assert_eq!(answer(&asked), answer(&format!("{{\"id\":1,\"policy\":{text}}}")));
    }

    #[test]
    fn a_deny_never_adds_and_an_allow_never_takes_away(list in prop::collection::vec(statement(), 1..4), more in statement()) {
        let before = parse(&list);
        let mut extended = list.clone();
        extended.push(more.clone());
        let after = parse(&extended);
        let (small, large) = if more["Effect"] == "Deny" { (&after, &before) } else { (&before, &after) };
        let (less, most) = (small.escalations(), large.escalations());
        prop_assert!(within(less.may, most.may) && within(less.must, most.must));
        for action in ACTIONS {
            let strength = |policy: &Policy| policy.grants(action).map(|finding| finding.certainty);
            prop_assert!(strength(small) <= strength(large), "{action}");
        }
        prop_assert!(small.full_admin().map(|f| f.certainty) <= large.full_admin().map(|f| f.certainty));
    }

    #[test]
    fn a_wider_pattern_never_grants_less(list in prop::collection::vec(statement(), 1..4), at in 0..4_usize) {
        let before = parse(&list);
        let mut wider = list.clone();
        let at = at % wider.len();
        prop_assume!(wider[at]["Effect"] == "Allow" && wider[at].get("Action").is_some());
        wider[at]["Action"].as_array_mut().unwrap()[0] = json!("*");
        let after = parse(&wider);
        prop_assert!(within(before.escalations().may, after.escalations().may));
        prop_assert!(within(before.escalations().must, after.escalations().must));
    }
}
