//! Recognises an event that no rule names without parsing it.
//!
//! The answer "surely not" is only given to a text that begins as CloudTrail's own records do and whose own `eventName`
//! was found and is none of the names. Everything doubtful is parsed: a name or key written with escapes, a second
//! `eventName` anywhere, a record that comes in another order.

use hashbrown::HashSet;
use memchr::memchr;
use memchr::memmem::Finder;

use crate::event::base_name;
use crate::split::is_at_first_level;

/// The event names that rules ask for.
#[derive(Debug, Clone)]
pub struct Interest {
    names: Option<HashSet<String>>,
    key: Finder<'static>,
    escape: Finder<'static>,
    aggregated: Finder<'static>,
}

impl Interest {
    /// Interest in these event names, whatever their service; a version date at the end of a name does not matter.
    pub fn in_names<'n>(names: impl IntoIterator<Item = &'n str>) -> Interest {
        Interest {
            names: Some(names.into_iter().map(|name| base_name(name).to_owned()).collect()),
            ..Interest::in_all()
        }
    }

    /// Interest in every event: for rules that name none.
    pub fn in_all() -> Interest {
        Interest {
            names: None,
            key: Finder::new(br#""eventName""#),
            escape: Finder::new(br"\u00"),
            aggregated: Finder::new(br#""Aggregated""#),
        }
    }

    /// Whether a rule may want an event of this name.
    pub fn wants(&self, event_name: &str) -> bool {
        self.names.as_ref().is_none_or(|names| names.contains(base_name(event_name)))
    }

    /// Whether `record` is for certain one CloudTrail event that no rule wants. What follows its name is only searched:
    /// such a record counts as an event though it may be damaged further on.
    pub fn surely_not(&self, record: &[u8]) -> bool {
        if self.names.is_none() {
            return false;
        }
        let Some((name, after)) = self.own_name(record.trim_ascii()) else { return false };
        !self.wants(name)
            && self.key.find(after).is_none()
            && !self.spells_letters(after)
            && self.aggregated.find(record).is_none()
    }

    /// The value of the first `eventName`, if that stands at the first level of a record that begins with its version,
    /// and what follows the value.
    fn own_name<'r>(&self, record: &'r [u8]) -> Option<(&'r str, &'r [u8])> {
        let first_key = record.strip_prefix(b"{")?.trim_ascii_start();
        if !first_key.starts_with(br#""eventVersion""#) || !record.ends_with(b"}") {
            return None;
        }
        let (before, from_key) = record.split_at_checked(self.key.find(record)?)?;
        if !is_at_first_level(before) {
            return None;
        }
        let colon = from_key.get(self.key.needle().len()..)?.trim_ascii_start();
        let value = colon.strip_prefix(b":")?.trim_ascii_start().strip_prefix(b"\"")?;
        let (name, after) = value.split_at_checked(memchr(b'"', value)?)?;
        // Names with other letters are written by other programs: `ObjectCreated:Put`, `aws:kinesis:record`.
        let is_plain = !name.is_empty() && name.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
        Some((std::str::from_utf8(name).ok().filter(|_| is_plain)?, after))
    }

    /// Whether an ASCII letter is written as `\u00..`: another key could hide so.
    fn spells_letters(&self, text: &[u8]) -> bool {
        // Few records hold a backslash at all, and one byte is found faster than three.
        let Some(first) = memchr(b'\\', text) else { return false };
        let text = text.get(first..).unwrap_or_default();
        self.escape.find_iter(text).any(|at| {
            let digits = text.get(at + 4..at + 6).and_then(|digits| std::str::from_utf8(digits).ok());
            // Digits that are none: the text is not JSON, and the parser shall say so.
            digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()).is_none_or(|byte| byte.is_ascii_alphabetic())
        })
    }
}

#[cfg(test)]
mod tests;
