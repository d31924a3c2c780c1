//! What one condition says about the values of its key.

use std::sync::LazyLock;

use super::glob::{Scratch, covers_pattern};
use crate::condition::holds;
use crate::document::{Condition, Test};
use crate::request::Context;

/// Kinds of values that conditions on one key must share to be judged together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    Text,
    Number,
    Date,
    Address,
    Bool,
    /// Only whether the key is there.
    Presence,
}

/// The family of a test.
pub(super) fn family(test: Test) -> Family {
    match test {
        Test::StringEquals | Test::StringEqualsIgnoreCase | Test::StringLike | Test::Arn | Test::Binary => Family::Text,
        Test::Numeric(_) => Family::Number,
        Test::Date(_) => Family::Date,
        Test::IpAddress => Family::Address,
        Test::Bool => Family::Bool,
        Test::Null => Family::Presence,
    }
}

/// A request without any key.
static NO_KEYS: LazyLock<Context> = LazyLock::new(Context::new);

/// Whether the condition holds when its key is missing.
pub(super) fn holds_when_missing(condition: &Condition) -> bool {
    holds(condition, &NO_KEYS)
}

/// Whether the condition holds for a key that has some value. Only for `Null`, which asks no more.
fn holds_when_present(condition: &Condition) -> bool {
    holds(condition, &Context::from_iter([(&condition.key, "present")]))
}

/// True when wherever `a` holds `b` holds, whatever the value of policy variables. May say no when unsure.
pub(super) fn implies(a: &Condition, b: &Condition, scratch: &mut Scratch) -> bool {
    if a.key != b.key {
        return false;
    }
    let (own, other) = (a.operator, b.operator);
    if own == other && a.values == b.values {
        return true;
    }
    if holds_when_missing(a) && !holds_when_missing(b) {
        return false;
    }
    if other.test == Test::Null {
        // Whatever does not hold for a missing key proves that it is there.
        return own.test != Test::Null && !holds_when_missing(a) && holds_when_present(b);
    }
    if own.test == Test::Null {
        // Asking for a missing key: nothing is said about values.
        return !holds_when_present(a) && holds_when_missing(b);
    }
    let textual = |test| matches!(test, Test::StringEquals | Test::StringLike | Test::Arn);
    let comparable = own.test == other.test || (textual(own.test) && textual(other.test));
    let set_test = family(own.test) == Family::Text || own.test == Test::Bool;
    if !comparable || !set_test || own.quantifier != other.quantifier || own.negated != other.negated {
        return false;
    }
    let (narrow, wide) = if own.negated { (b, a) } else { (a, b) };
    narrow.values.iter().all(|inner| {
        wide.values.iter().any(|outer| {
            if own.test == Test::Bool {
                outer.source().eq_ignore_ascii_case(inner.source())
            } else {
                covers_pattern(outer, inner, scratch)
            }
        })
    })
}

/// A policy number.
pub(super) fn number(text: &str) -> Option<f64> {
    text.trim().parse::<f64>().ok().filter(|number| number.is_finite())
}
