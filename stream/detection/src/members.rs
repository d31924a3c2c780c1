//! The members of one JSON object, borrowed from its text: one pass, nothing below the first level is looked at.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use serde_json::value::RawValue;

/// More members than this and the object is refused: a CloudTrail record has about 25, and each costs 40 bytes here.
pub(crate) const MAX_MEMBERS: usize = 10_000;

/// The members of a JSON object in the order of the text. A repeated key keeps each value; readers take the last,
/// as `serde_json::Value` does, so that every part of the system sees the same one.
#[derive(Debug, Clone, Default)]
pub(crate) struct Members<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'a> Members<'a> {
    /// The members of `text`, which must be one JSON object and nothing else.
    pub(crate) fn parse(text: &'a str) -> Result<Members<'a>, serde_json::Error> {
        serde_json::from_str(text)
    }

    /// The members of a value already known to be JSON; none when it is not an object or holds too many.
    pub(crate) fn of(raw: &'a RawValue) -> Members<'a> {
        Members::parse(raw.get()).unwrap_or_default()
    }

    /// The value under `key`; `null` counts as absent.
    pub(crate) fn get(&self, key: &str) -> Option<&'a RawValue> {
        let (_, value) = self.0.iter().rev().find(|(name, _)| name == key)?;
        present(value)
    }

    /// The text under `key`, if it is a JSON string.
    pub(crate) fn text(&self, key: &str) -> Option<Cow<'a, str>> {
        self.get(key).and_then(text)
    }

    /// Whether `key` is there, whatever its value.
    pub(crate) fn has(&self, key: &str) -> bool {
        self.0.iter().any(|(name, _)| name == key)
    }

    /// Every key and value, `null` included.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &'a RawValue)> {
        self.0.iter().map(|(name, value)| (name.as_ref(), *value))
    }
}

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MembersVisitor)
    }
}

struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Members<'de>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::with_capacity(32);
        while let Some((Key(key), value)) = map.next_entry()? {
            if members.len() == MAX_MEMBERS {
                return Err(A::Error::custom(format_args!("more than {MAX_MEMBERS} members in one object")));
            }
            members.push((key, value));
        }
        Ok(Members(members))
    }
}

struct Key<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Key<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct KeyVisitor;
        impl<'de> Visitor<'de> for KeyVisitor {
            type Value = Key<'de>;
            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a key")
            }
            fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Key(Cow::Borrowed(text)))
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Key(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(KeyVisitor)
    }
}

/// A value that is not `null`.
pub(crate) fn present(raw: &RawValue) -> Option<&RawValue> {
    (raw.get() != "null").then_some(raw)
}

/// The text of a JSON string; any other type counts as absent. Borrowed when it holds no escape.
pub(crate) fn text(raw: &RawValue) -> Option<Cow<'_, str>> {
    let inner = raw.get().strip_prefix('"')?.strip_suffix('"')?;
    if memchr::memchr(b'\\', inner.as_bytes()).is_none() {
        return Some(Cow::Borrowed(inner));
    }
    serde_json::from_str(raw.get()).ok().map(Cow::Owned)
}

/// The text of a JSON string that is not empty.
pub(crate) fn filled(raw: &RawValue) -> Option<Cow<'_, str>> {
    text(raw).filter(|text| !text.is_empty())
}

/// `true`, `false`, `"true"` or `"false"`, letter case ignored.
pub(crate) fn boolean(raw: &RawValue) -> Option<bool> {
    let word = text(raw).unwrap_or(Cow::Borrowed(raw.get()));
    if word.eq_ignore_ascii_case("true") {
        return Some(true);
    }
    word.eq_ignore_ascii_case("false").then_some(false)
}

/// An account id: text, or the number an over-helpful shipper made of it (leading zeros come back).
pub(crate) fn account(raw: &RawValue) -> Option<Cow<'_, str>> {
    if let Some(text) = filled(raw) {
        return Some(text);
    }
    let digits = raw.get();
    let is_number = (1..=12).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| Cow::Owned(format!("{digits:0>12}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_has_members_to_the_limit_and_not_one_more() {
        let object = |count: usize| format!("{{{}}}", vec![r#""a":1"#; count].join(","));
        assert!(Members::parse(&object(MAX_MEMBERS)).is_ok());
        assert!(Members::parse(&object(MAX_MEMBERS + 1)).is_err());
    }

    #[test]
    fn account_ids_get_their_leading_zeros_back() {
        let read = |json: &str| account(serde_json::from_str(json).unwrap()).map(Cow::into_owned);
        assert_eq!(read("12345678901").as_deref(), Some("012345678901"));
        assert_eq!(read(r#""012345678901""#).as_deref(), Some("012345678901"));
        assert_eq!(read("1234567890123"), None);
        assert_eq!(read("-1"), None);
        assert_eq!(read(r#""""#), None);
    }
}
