//! Whether a condition holds for the context of a request.
//!
//! The missing key decides more cases than any value: see [`holds`].

use std::borrow::Cow;
use std::net::IpAddr;

use ipnet::IpNet;

use crate::document::{Comparison, Condition, Quantifier, Test};
use crate::pattern::Pattern;
use crate::request::Context;
use crate::time::seconds_of;

/// Whether the condition holds.
///
/// A missing key: `...IfExists`, `ForAllValues` and negated operators are true, all others false;
/// `ForAnyValue` is false also when negated.
pub(crate) fn holds(condition: &Condition, context: &Context) -> bool {
    let operator = condition.operator;
    let given = context.values(&condition.key);
    if operator.test == Test::Null {
        let wanted = if given.is_none() { "true" } else { "false" };
        return condition.values.iter().any(|value| value.source().eq_ignore_ascii_case(wanted));
    }
    let Some(given) = given else {
        return match operator.quantifier {
            _ if operator.if_exists => true,
            Quantifier::AllValues => true,
            Quantifier::AnyValue => false,
            Quantifier::Single => operator.negated,
        };
    };
    let fits = |value: &str| {
        let found = condition.values.iter().any(|wanted| compares(operator.test, wanted, value, context));
        found != operator.negated
    };
    match (operator.quantifier, operator.negated) {
        (Quantifier::AllValues, _) | (Quantifier::Single, true) => given.iter().all(|value| fits(value)),
        (Quantifier::AnyValue, _) | (Quantifier::Single, false) => given.iter().any(|value| fits(value)),
    }
}

/// One value of the policy against one value of the request.
fn compares(test: Test, wanted: &Pattern, given: &str, context: &Context) -> bool {
    match test {
        Test::StringEquals | Test::StringLike | Test::Arn => matches_bound(wanted, given, context),
        Test::StringEqualsIgnoreCase => {
            // Bound values are folded too, so both sides are in lower case.
            let folded = wanted.bind(|name| context.single(name).map(|v| Cow::Owned(v.to_ascii_lowercase())));
            folded.is_some_and(|pattern| pattern.matches(&given.to_ascii_lowercase()))
        }
        Test::Numeric(comparison) => ordered(comparison, number(given), number(wanted.source())).unwrap_or(false),
        Test::Date(comparison) => ordered(comparison, seconds_of(given), seconds_of(wanted.source())).unwrap_or(false),
        Test::Bool => given.eq_ignore_ascii_case(wanted.source()),
        Test::Binary => given == wanted.source(),
        Test::IpAddress => in_network(wanted.source(), given),
        Test::Null => false,
    }
}

/// Matches with the variables of the pattern replaced; one without a value matches nothing.
pub(crate) fn matches_bound(pattern: &Pattern, text: &str, context: &Context) -> bool {
    if !pattern.has_variable() {
        return pattern.matches(text);
    }
    let bound = pattern.bind(|name| context.single(name).map(Cow::Borrowed));
    bound.is_some_and(|bound| bound.matches(text))
}

fn number(text: &str) -> Option<f64> {
    text.trim().parse::<f64>().ok().filter(|number| number.is_finite())
}

fn ordered(comparison: Comparison, given: Option<f64>, wanted: Option<f64>) -> Option<bool> {
    let order = given?.partial_cmp(&wanted?)?;
    Some(match comparison {
        Comparison::Equal => order.is_eq(),
        Comparison::Less => order.is_lt(),
        Comparison::LessOrEqual => order.is_le(),
        Comparison::Greater => order.is_gt(),
        Comparison::GreaterOrEqual => order.is_ge(),
    })
}

/// The address of the request in the network of the policy; a bare address is a network of one.
fn in_network(wanted: &str, given: &str) -> bool {
    let Ok(address) = given.trim().parse::<IpAddr>() else { return false };
    network(wanted).is_some_and(|network| network.contains(&address))
}

/// Reads `10.0.0.0/8`, `2001:db8::/32` or a single address.
pub(crate) fn network(text: &str) -> Option<IpNet> {
    let text = text.trim();
    text.parse::<IpNet>().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))
}
