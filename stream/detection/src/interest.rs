//! Recognises an event that no rule names without parsing it.
//!
//! The answer "surely not" is only given to a text that begins as CloudTrail's own records do and whose own `eventName`
//! was found and is none of the names. Everything doubtful is parsed: a name or key written with escapes, a second
//! `eventName` anywhere, a record that comes in another order.

use aho_corasick::packed::Searcher;
use hashbrown::HashSet;
use memchr::memchr;

use crate::event::base_name;
use crate::split::{Quotes, is_at_first_level};

/// The event names that rules ask for.
#[derive(Debug, Clone)]
pub struct Interest {
    names: Option<HashSet<String>>,
    plain: Spelling,
    escaped: Spelling,
}

/// What is looked for in a record, as it is written there.
#[derive(Debug, Clone)]
struct Spelling {
    quotes: Quotes,
    quote: &'static [u8],
    version: &'static [u8],
    key: &'static [u8],
    /// Finds [`KEY_END`], [`AGGREGATED`] and [`ESCAPE`] in one pass. `None` on a processor that cannot: then every record
    /// is parsed. All that AWS Lambda offers can.
    marks: Option<Searcher>,
}

/// What [`Spelling::marks`] finds, by its place there: the end of the key (few other keys end so, while many start as it
/// does), a word of records about other records, and the start of an escape that may be a letter.
const KEY_END: usize = 0;
const AGGREGATED: usize = 1;
const ESCAPE: usize = 2;
/// Bytes of the key before [`KEY_END`], without its quote: `ev`.
const BEFORE_KEY_END: usize = 2;

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
            plain: Spelling {
                quotes: Quotes::Plain,
                quote: br#"""#,
                version: br#""eventVersion""#,
                key: br#""eventName""#,
                marks: Searcher::new([&br#"entName""#[..], br#"Aggregated""#, br"\u00"]),
            },
            escaped: Spelling {
                quotes: Quotes::Escaped,
                quote: br#"\""#,
                version: br#"\"eventVersion\""#,
                key: br#"\"eventName\""#,
                // No other escape stands in such a text.
                marks: Searcher::new([&br#"entName\""#[..], br#"Aggregated\""#]),
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
        let starts =
            record.strip_prefix(b"{").is_some_and(|rest| rest.trim_ascii_start().starts_with(spelling.version));
        let Some(marks) = spelling.marks.as_ref().filter(|_| starts && record.ends_with(b"}")) else { return false };
        let mut key = None;
        for mark in marks.find_iter(record) {
            match (mark.pattern().as_usize(), key) {
                (KEY_END, None) => key = spelling.key_at(record, mark.start()),
                (KEY_END, Some(_)) if spelling.key_at(record, mark.start()).is_none() => {}
                // A key that is written with an escape before the one that is found does not matter: the later counts.
                (ESCAPE, None) => {}
                (ESCAPE, Some(_)) if !spells_letter(record, mark.start()) => {}
                (AGGREGATED, _) => return false,
                _ => return false,
            }
        }
        key.and_then(|at| own_name(record, at, spelling)).is_some_and(|name| !self.wants(name))
    }
}

impl Spelling {
    /// Where the key starts of which [`KEY_END`] was found at this place; `None` if it is another key.
    fn key_at(&self, record: &[u8], end: usize) -> Option<usize> {
        let start = end.checked_sub(BEFORE_KEY_END + self.quote.len())?;
        record.get(start..)?.starts_with(self.key).then_some(start)
    }
}

/// Whether the escape at this place, `\u00..`, is an ASCII letter: another key could hide so.
fn spells_letter(record: &[u8], at: usize) -> bool {
    let digits = record.get(at + 4..at + 6).and_then(|digits| std::str::from_utf8(digits).ok());
    // Digits that are none: the text is not JSON, and the parser shall say so.
    digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()).is_none_or(|byte| byte.is_ascii_alphabetic())
}

/// The value of the `eventName` whose key stands `at` this place, if that is the first level of the record.
fn own_name<'r>(record: &'r [u8], at: usize, spelling: &Spelling) -> Option<&'r str> {
    let (before, from_key) = record.split_at_checked(at)?;
    if !is_at_first_level(before, spelling.quotes) {
        return None;
    }
    let colon = from_key.get(spelling.key.len()..)?.trim_ascii_start();
    let value = colon.strip_prefix(b":")?.trim_ascii_start().strip_prefix(spelling.quote)?;
    let name = value.get(..memchr(b'"', value)?)?;
    let name = match spelling.quotes {
        Quotes::Plain => name,
        Quotes::Escaped => name.strip_suffix(b"\\")?,
    };
    // Names with other letters are written by other programs: `ObjectCreated:Put`, `aws:kinesis:record`.
    let is_plain = !name.is_empty() && name.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
    std::str::from_utf8(name).ok().filter(|_| is_plain)
}

#[cfg(test)]
mod tests;
