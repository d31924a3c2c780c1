//! Recognises an event that no rule names without parsing it.
//!
//! The answer "surely not" is only given to a text that begins as CloudTrail's own records do and whose own `eventName`
//! was found and is none of the names. Everything doubtful is parsed: a name or key written with escapes, a second
//! `eventName` anywhere, a record that comes in another order.

use hashbrown::HashSet;
use memchr::memchr;
use memchr::memmem::Finder;

use crate::event::base_name;
use crate::split::{Quotes, is_at_first_level};

/// The event names that rules ask for.
#[derive(Debug, Clone)]
pub struct Interest {
    names: Option<HashSet<String>>,
    escape: Finder<'static>,
    plain: Spelling,
    escaped: Spelling,
}

/// What is looked for in a record, as it is written there.
#[derive(Debug, Clone)]
struct Spelling {
    quotes: Quotes,
    quote: &'static [u8],
    version: &'static [u8],
    key: Finder<'static>,
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
            escape: Finder::new(br"\u00"),
            plain: Spelling {
                quotes: Quotes::Plain,
                quote: br#"""#,
                version: br#""eventVersion""#,
                key: Finder::new(br#""eventName""#),
                aggregated: Finder::new(br#""Aggregated""#),
            },
            escaped: Spelling {
                quotes: Quotes::Escaped,
                quote: br#"\""#,
                version: br#"\"eventVersion\""#,
                key: Finder::new(br#"\"eventName\""#),
                aggregated: Finder::new(br#"\"Aggregated\""#),
            },
        }
    }

    /// Whether a rule may want an event of this name.
    pub fn wants(&self, event_name: &str) -> bool {
        self.names.as_ref().is_none_or(|names| names.contains(base_name(event_name)))
    }

    /// Whether `record` is for certain one CloudTrail event that no rule wants. What follows its name is only searched:
    /// such a record counts as an event though it may be damaged further on.
    pub fn surely_not(&self, record: &[u8]) -> bool {
        self.surely_not_in(record.trim_ascii(), &self.plain)
    }

    /// The same for a record that is the content of a JSON string in which all quotes are escaped and nothing else is.
    pub(crate) fn surely_not_escaped(&self, content: &[u8]) -> bool {
        self.surely_not_in(content.trim_ascii(), &self.escaped)
    }

    fn surely_not_in(&self, record: &[u8], spelling: &Spelling) -> bool {
        if self.names.is_none() {
            return false;
        }
        let Some((name, after)) = own_name(record, spelling) else { return false };
        !self.wants(name)
            && spelling.key.find(after).is_none()
            && !(spelling.quotes == Quotes::Plain && self.spells_letters(after))
            && spelling.aggregated.find(record).is_none()
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

/// The value of the first `eventName`, if that stands at the first level of a record that begins with its version,
/// and what follows the value.
fn own_name<'r>(record: &'r [u8], spelling: &Spelling) -> Option<(&'r str, &'r [u8])> {
    let first_key = record.strip_prefix(b"{")?.trim_ascii_start();
    if !first_key.starts_with(spelling.version) || !record.ends_with(b"}") {
        return None;
    }
    let (before, from_key) = record.split_at_checked(spelling.key.find(record)?)?;
    if !is_at_first_level(before, spelling.quotes) {
        return None;
    }
    let colon = from_key.get(spelling.key.needle().len()..)?.trim_ascii_start();
    let value = colon.strip_prefix(b":")?.trim_ascii_start().strip_prefix(spelling.quote)?;
    let (name, after) = value.split_at_checked(memchr(b'"', value)?)?;
    let name = match spelling.quotes {
        Quotes::Plain => name,
        Quotes::Escaped => name.strip_suffix(b"\\")?,
    };
    // Names with other letters are written by other programs: `ObjectCreated:Put`, `aws:kinesis:record`.
    let is_plain = !name.is_empty() && name.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
    Some((std::str::from_utf8(name).ok().filter(|_| is_plain)?, after))
}

#[cfg(test)]
mod tests;
