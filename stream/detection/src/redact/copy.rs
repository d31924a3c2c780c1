//! JSON without a secret, copied as compact text in one pass. Most records hold none, and building a tree to find that
//! out costs ten times as much.

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use std::borrow::Cow;
use std::fmt;

use super::{NAMES, clean_text, is_secret};

/// Objects with more members than this are left to the slower way: each key is compared with all before it.
const MAX_KEYS: usize = 64;

/// The compact text of `json` if nothing in it may have to be hidden and no key is repeated; else `None`.
pub(super) fn copy(json: &str, depth: usize) -> Option<String> {
    let mut out = String::with_capacity(json.len());
    let mut deserializer = serde_json::Deserializer::from_str(json);
    Copy { out: &mut out, depth, is_name: false }.deserialize(&mut deserializer).ok()?;
    deserializer.end().ok()?;
    Some(out)
}

struct Copy<'o> {
    out: &'o mut String,
    depth: usize,
    /// Whether the text names what stands beside it.
    is_name: bool,
}

impl Copy<'_> {
    fn inner(&mut self, is_name: bool) -> Copy<'_> {
        Copy { out: self.out, depth: self.depth, is_name }
    }

    fn is_harmless(&self, text: &str) -> bool {
        matches!(clean_text(text, self.depth), Cow::Borrowed(_)) && !(self.is_name && is_secret(text))
    }

    fn write<E: Error>(self, value: &(impl serde::Serialize + ?Sized)) -> Result<(), E> {
        self.out.push_str(&serde_json::to_string(value).map_err(E::custom)?);
        Ok(())
    }
}

fn quote(out: &mut String, text: &str) {
    out.push('"');
    out.push_str(text);
    out.push('"');
}

impl<'de> DeserializeSeed<'de> for Copy<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Copy<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JSON without secrets")
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<(), E> {
        self.out.push_str(if value { "true" } else { "false" });
        Ok(())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<(), E> {
        self.write(&value)
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<(), E> {
        self.write(&value)
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<(), E> {
        self.write(&Value::from(value))
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        self.out.push_str("null");
        Ok(())
    }

    /// Text that stood without an escape needs none again.
    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<(), E> {
        if !self.is_harmless(text) {
            return Err(E::custom("may be a secret"));
        }
        quote(self.out, text);
        Ok(())
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        if self.is_harmless(text) { self.write(text) } else { Err(E::custom("may be a secret")) }
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut list: A) -> Result<(), A::Error> {
        let mut start = '[';
        loop {
            let length = self.out.len();
            self.out.push(start);
            if list.next_element_seed(self.inner(false))?.is_none() {
                self.out.truncate(length);
                break;
            }
            start = ',';
        }
        self.out.push_str(if start == '[' { "[]" } else { "]" });
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        let mut keys: Vec<&'de str> = Vec::with_capacity(16);
        let mut start = '{';
        // A key with an escape is no borrowed text, and an error here.
        while let Some(key) = map.next_key::<&'de str>()? {
            if is_secret(key) || keys.len() == MAX_KEYS || keys.contains(&key) {
                return Err(A::Error::custom("may be a secret"));
            }
            keys.push(key);
            self.out.push(start);
            quote(self.out, key);
            self.out.push(':');
            map.next_value_seed(self.inner(NAMES.contains(&key)))?;
            start = ',';
        }
        self.out.push_str(if start == '{' { "{}" } else { "}" });
        Ok(())
    }
}
