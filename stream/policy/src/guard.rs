//! Whether the conditions of a statement guard it at all.
//!
//! Set questions have no request to test conditions against. What they need is which of three cases
//! a statement is in, and for an Allow and a Deny the safe side is not the same.

use crate::document::{Condition, Effect, Quantifier, Test};

/// What the conditions of a statement amount to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Guard {
    /// The statement applies whatever the request brings, or whenever the caller leaves a key out.
    Open,
    /// The statement applies to some requests.
    Conditional,
    /// No request can meet the conditions.
    Never,
}

/// Keys that every signed request carries, so that asking for them "if they exist" does guard.
///
/// Source: IAM user guide, "AWS global condition context keys", the Availability line of each key.
const ALWAYS_PRESENT: [&str; 9] = [
    "aws:currenttime",
    "aws:epochtime",
    "aws:principalaccount",
    "aws:principalarn",
    "aws:principaltype",
    "aws:requestedregion",
    "aws:securetransport",
    "aws:sourceip",
    "aws:userid",
];

/// Conditions of a statement, and values of a condition, that are compared with each other. Nobody
/// writes more; beyond it contradictions are not looked for.
const MAX_COMPARED: usize = 64;

/// Judges the conditions of one statement.
pub(crate) fn guard(effect: Effect, conditions: &[Condition]) -> Guard {
    let few = conditions.get(..MAX_COMPARED).unwrap_or(conditions);
    if few.iter().any(|condition| cannot_hold(condition, few)) {
        return Guard::Never;
    }
    let open = match effect {
        Effect::Allow => conditions.iter().all(|condition| is_no_guard(condition, few)),
        // A Deny protects for sure only when nothing at all can switch it off.
        Effect::Deny => conditions.iter().all(accepts_everything),
    };
    if open { Guard::Open } else { Guard::Conditional }
}

/// True when no request meets the condition, alone or together with the others.
fn cannot_hold(condition: &Condition, all: &[Condition]) -> bool {
    let operator = condition.operator;
    if operator.negated || operator.if_exists || operator.quantifier == Quantifier::AllValues {
        return false;
    }
    if condition.values.is_empty() {
        return true;
    }
    if operator.test == Test::Null {
        return false;
    }
    let same_key = || all.iter().filter(|other| other.key == condition.key);
    same_key().any(|other| must_be_missing(other) || excludes(condition, other))
}

fn must_be_missing(condition: &Condition) -> bool {
    condition.operator.test == Test::Null
        && !condition.values.is_empty()
        && condition.values.iter().all(|value| value.source().eq_ignore_ascii_case("true"))
}

fn must_exist(condition: &Condition) -> bool {
    condition.operator.test == Test::Null
        && condition.values.iter().all(|value| value.source().eq_ignore_ascii_case("false"))
}

/// Two lists of plain texts for one single-valued key without a text in common.
fn excludes(one: &Condition, other: &Condition) -> bool {
    let exact = |condition: &Condition| {
        let operator = condition.operator;
        matches!(operator.test, Test::StringEquals | Test::Bool)
            && !operator.negated
            && !operator.if_exists
            && operator.quantifier == Quantifier::Single
            && condition.values.len() <= MAX_COMPARED
            && condition.values.iter().all(|value| value.as_literal().is_some())
    };
    let fold = one.operator.test == Test::Bool;
    let same = |a: &str, b: &str| if fold { a.eq_ignore_ascii_case(b) } else { a == b };
    one.operator.test == other.operator.test
        && exact(one)
        && exact(other)
        && !one.values.iter().any(|a| other.values.iter().any(|b| same(a.source(), b.source())))
}

/// True for a condition that a caller meets by leaving the key out, or that any value meets.
fn is_no_guard(condition: &Condition, all: &[Condition]) -> bool {
    if accepts_everything(condition) {
        return true;
    }
    let operator = condition.operator;
    let may_be_missing = operator.if_exists || operator.quantifier == Quantifier::AllValues;
    let demanded = all.iter().any(|other| other.key == condition.key && must_exist(other));
    may_be_missing && !demanded && !ALWAYS_PRESENT.contains(&&*condition.key)
}

/// True for a test that every value passes, of a key that every request has.
fn accepts_everything(condition: &Condition) -> bool {
    let operator = condition.operator;
    if operator.negated || !ALWAYS_PRESENT.contains(&&*condition.key) {
        return false;
    }
    match operator.test {
        Test::StringLike | Test::Arn => condition.values.iter().any(|value| value.is_any()),
        Test::IpAddress => condition.values.iter().any(|value| value.source().trim() == "0.0.0.0/0"),
        _ => false,
    }
}
