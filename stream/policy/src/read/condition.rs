//! The `Condition` block. What cannot be read never narrows an Allow.

use std::collections::HashSet;

use super::json::Node;
use super::statement::Place;
use super::{Reader, shortened};
use crate::document::{Condition, Operator, Test};
use crate::malformed::Fault;
use crate::pattern::{MAX_PATTERN_BYTES, Pattern};

impl Reader<'_> {
    pub(super) fn condition_block(&mut self, place: &mut Place<'_>, node: &Node<'_>, conditions: &mut Vec<Condition>) {
        let Node::Object(operators) = node else {
            return self.doubt(place, "Condition", Fault::WrongType("an object"));
        };
        let repeated = repeated_names(operators.iter().map(|(name, _)| name.to_string()));
        for (name, keys) in operators {
            if repeated.contains(name.as_ref()) {
                // Either block may be the one that counts: neither is believed to narrow anything.
                self.doubt(place, "Condition", Fault::RepeatedKey(shortened(name)));
                continue;
            }
            let path = format!("Condition.{}", shortened(name));
            let Some(operator) = Operator::from_name(name) else {
                self.doubt(place, &path, Fault::UnknownElement(shortened(name)));
                continue;
            };
            let Node::Object(keys) = keys else {
                self.doubt(place, &path, Fault::WrongType("an object"));
                continue;
            };
            let repeated = repeated_names(keys.iter().map(|(key, _)| key.to_ascii_lowercase()));
            for (key, values) in keys {
                if repeated.contains(&key.to_ascii_lowercase()) {
                    self.doubt(place, &path, Fault::RepeatedKey(shortened(key)));
                    continue;
                }
                let condition = self.condition(place, (&path, operator), key, values);
                conditions.extend(condition);
            }
        }
    }

    fn condition(
        &mut self,
        place: &mut Place<'_>,
        (path, operator): (&str, Operator),
        key: &str,
        node: &Node<'_>,
    ) -> Option<Condition> {
        let items = match node {
            Node::Array(items) => items.as_slice(),
            single => std::slice::from_ref(single),
        };
        let mut values = Vec::with_capacity(items.len());
        for item in items {
            let text = match item {
                Node::Text(text) => text.as_ref(),
                Node::Number(text) => text.as_str(),
                Node::Bool(true) => "true",
                Node::Bool(false) => "false",
                Node::Null | Node::Array(_) | Node::Object(_) => {
                    let path = format!("{path}.{}", shortened(key));
                    self.doubt(place, &path, Fault::WrongType("text, a number or a boolean"));
                    return None;
                }
            };
            if text.len() > MAX_PATTERN_BYTES {
                let path = format!("{path}.{}", shortened(key));
                self.doubt(place, &path, Fault::TooLong { limit: MAX_PATTERN_BYTES });
                return None;
            }
            values.push(value_pattern(operator.test, text, self.variables_live()));
        }
        let folded = key.to_ascii_lowercase().into_boxed_str();
        Some(Condition { operator, key: folded, key_as_written: key.into(), values })
    }
}

/// The names that come more than once.
fn repeated_names(names: impl Iterator<Item = String>) -> HashSet<String> {
    let (mut seen, mut repeated) = (HashSet::new(), HashSet::new());
    for name in names {
        if let Some(again) = seen.replace(name) {
            repeated.insert(again);
        }
    }
    repeated
}

fn value_pattern(test: Test, text: &str, variables: bool) -> Pattern {
    match test {
        Test::StringLike => Pattern::like_value(text, variables),
        Test::Arn => Pattern::arn_value(text, variables),
        Test::StringEquals => Pattern::exact_value(text, variables),
        Test::StringEqualsIgnoreCase => Pattern::folded_value(text, variables),
        _ => Pattern::exact_value(text, false),
    }
}
