//! JSON text to a tree that keeps what `serde_json::Value` loses: repeated keys, order, and
//! everything before the point where broken text breaks.
//!
//! The tree is filled from outside in (each value is written into a place its parent already
//! holds), so an error leaves all that was read so far.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::Limits;
use crate::malformed::{Fault, Malformed, Position};

/// A JSON value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Node<'t> {
    Null,
    Bool(bool),
    Number(String),
    Text(Cow<'t, str>),
    Array(Vec<Node<'t>>),
    Object(Vec<(Cow<'t, str>, Node<'t>)>),
}

/// Reads as much of the text as is JSON. Faults are added to `faults`, never lost.
pub(crate) fn read<'t>(text: &'t str, limits: &Limits, faults: &mut Vec<Malformed>) -> Node<'t> {
    let mut root = Node::Null;
    let mut budget = Budget { values: limits.values, depth: limits.depth, spent: false, deep: false };
    let mut json = serde_json::Deserializer::from_str(text);
    let outcome =
        Fill { node: &mut root, depth: 0, budget: &mut budget }.deserialize(&mut json).and_then(|()| json.end());
    if budget.deep {
        faults.push(whole(Fault::TooDeep { limit: limits.depth }, None));
    }
    if budget.spent {
        faults.push(whole(Fault::TooMany { what: "values", limit: limits.values }, None));
    }
    if let Err(error) = outcome {
        let place = (error.line(), error.column());
        let reason = error.to_string();
        let reason = reason.split(" at line ").next().unwrap_or_default().to_owned();
        faults.push(whole(Fault::NotJson(reason), Some(place)));
    }
    root
}

fn whole(fault: Fault, line_column: Option<(usize, usize)>) -> Malformed {
    Malformed { position: Position { line_column, ..Position::default() }, fault }
}

/// What may still be read; values beyond it are skipped, not stored.
struct Budget {
    values: usize,
    depth: usize,
    spent: bool,
    deep: bool,
}

/// Writes one value into the place that waits for it.
struct Fill<'n, 'b, 't> {
    node: &'n mut Node<'t>,
    depth: usize,
    budget: &'b mut Budget,
}

impl<'t> DeserializeSeed<'t> for Fill<'_, '_, 't> {
    type Value = ();

    fn deserialize<D: Deserializer<'t>>(self, deserializer: D) -> Result<(), D::Error> {
        if self.budget.values == 0 {
            self.budget.spent = true;
            return deserializer.deserialize_ignored_any(IgnoredAny).map(|_| ());
        }
        if self.depth > self.budget.depth {
            self.budget.deep = true;
            return deserializer.deserialize_ignored_any(IgnoredAny).map(|_| ());
        }
        self.budget.values -= 1;
        deserializer.deserialize_any(self)
    }
}

impl<'t> Visitor<'t> for Fill<'_, '_, 't> {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, value: bool) -> Result<(), E> {
        *self.node = Node::Bool(value);
        Ok(())
    }

    fn visit_u64<E>(self, value: u64) -> Result<(), E> {
        *self.node = Node::Number(value.to_string());
        Ok(())
    }

    fn visit_i64<E>(self, value: i64) -> Result<(), E> {
        *self.node = Node::Number(value.to_string());
        Ok(())
    }

    fn visit_f64<E>(self, value: f64) -> Result<(), E> {
        *self.node = Node::Number(value.to_string());
        Ok(())
    }

    fn visit_str<E>(self, value: &str) -> Result<(), E> {
        *self.node = Node::Text(Cow::Owned(value.to_owned()));
        Ok(())
    }

    fn visit_borrowed_str<E>(self, value: &'t str) -> Result<(), E> {
        *self.node = Node::Text(Cow::Borrowed(value));
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'t>>(self, mut items: A) -> Result<(), A::Error> {
        *self.node = Node::Array(Vec::new());
        let Node::Array(list) = self.node else { return Ok(()) };
        loop {
            let mut item = Node::Null;
            let fill = Fill { node: &mut item, depth: self.depth + 1, budget: self.budget };
            let outcome = items.next_element_seed(fill);
            // A value cut short is kept as far as it goes; an error before any value adds nothing.
            let more = !matches!(outcome, Ok(None));
            if (more && item != Node::Null) || matches!(outcome, Ok(Some(()))) {
                list.push(item);
            }
            if outcome?.is_none() {
                return Ok(());
            }
        }
    }

    fn visit_map<A: MapAccess<'t>>(self, mut entries: A) -> Result<(), A::Error> {
        *self.node = Node::Object(Vec::new());
        let Node::Object(list) = self.node else { return Ok(()) };
        while let Some(Key(key)) = entries.next_key_seed(Key(Cow::Borrowed("")))? {
            let mut value = Node::Null;
            let fill = Fill { node: &mut value, depth: self.depth + 1, budget: self.budget };
            let outcome = entries.next_value_seed(fill);
            list.push((key, value));
            outcome?;
        }
        Ok(())
    }
}

/// A key, borrowed from the text where it has no escapes.
struct Key<'t>(Cow<'t, str>);

impl<'t> DeserializeSeed<'t> for Key<'t> {
    type Value = Key<'t>;

    fn deserialize<D: Deserializer<'t>>(self, deserializer: D) -> Result<Key<'t>, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'t> Visitor<'t> for Key<'t> {
    type Value = Key<'t>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a key")
    }

    fn visit_str<E>(self, value: &str) -> Result<Key<'t>, E> {
        Ok(Key(Cow::Owned(value.to_owned())))
    }

    fn visit_borrowed_str<E>(self, value: &'t str) -> Result<Key<'t>, E> {
        Ok(Key(Cow::Borrowed(value)))
    }
}
