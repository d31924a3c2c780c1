//! Text: one JSON document, several of them, or base64 of something else.

use std::borrow::Cow;
use std::fmt;

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use chrono::{DateTime, Utc};
use serde::de::{DeserializeSeed, Deserializer, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::piece::{Reason, Step};
use super::{Walk, gzip, kpl};
use crate::members::{Members, text};
use crate::split::{Part, split};

/// The byte order mark that some programs put before UTF-8.
const BYTE_ORDER_MARK: &[u8] = &[0xEF, 0xBB, 0xBF];

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

impl Walk<'_> {
    pub(super) fn text(&mut self, bytes: &[u8], time: Option<DateTime<Utc>>) {
        let inner = bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes).trim_ascii();
        match inner.first() {
            Some(b'{') => self.document(inner, time),
            Some(b'[') if starts_list(inner) => self.documents(inner, time),
            Some(b'"') => self.quoted(inner, time),
            _ => match decode_base64(inner) {
                Some(decoded) if is_envelope(&decoded) => {
                    self.within(Step::Into("base64"), |walk| walk.bytes(&decoded, time));
                }
                // Lines of several kinds: the JSON among them is read, the rest is not lost.
                _ if memchr::memmem::find(inner, b"\n{").is_some() => self.documents(inner, time),
                _ => self.unreadable(Reason::NotRecognised, bytes),
            },
        }
    }

    /// One object, or several after one another.
    fn document(&mut self, bytes: &[u8], time: Option<DateTime<Utc>>) {
        if self.opening.interest.is_some_and(|interest| interest.surely_not(bytes)) {
            return self.not_of_interest(bytes);
        }
        if self.skim(bytes) {
            return;
        }
        match std::str::from_utf8(bytes).ok().map(|text| (text, Members::parse(text))) {
            Some((text, Ok(members))) => self.object(text, &members, time),
            _ => self.documents(bytes, time),
        }
    }

    /// Whatever documents can be told apart by their brackets.
    fn documents(&mut self, bytes: &[u8], time: Option<DateTime<Utc>>) {
        let limit = self.opening.limits.max_inflated_bytes.max(bytes.len());
        let mut index = 0;
        split(bytes, limit, &mut |part| {
            if self.pieces > self.opening.limits.max_events {
                return;
            }
            self.within(Step::Entry(index), |walk| match part {
                Part::Record { bytes, .. } => walk.entry(bytes, time),
                Part::Truncated { bytes, .. } => walk.unreadable(Reason::Truncated, bytes),
                Part::TooLarge { .. } => walk.unreadable(Reason::EventTooLarge { limit }, bytes),
            });
            index += 1;
        });
    }

    /// One entry of a list or one document of several: not cut any further.
    fn entry(&mut self, bytes: &[u8], time: Option<DateTime<Utc>>) {
        match bytes.first() {
            Some(b'{') if self.opening.interest.is_some_and(|interest| interest.surely_not(bytes)) => {
                self.not_of_interest(bytes);
            }
            Some(b'{') if self.skim(bytes) => {}
            Some(b'{') => match std::str::from_utf8(bytes) {
                Err(_) => self.unreadable(Reason::NotUtf8, bytes),
                Ok(text) => match Members::parse(text) {
                    Ok(members) => self.object(text, &members, time),
                    Err(error) => self.unreadable(Reason::NotJson(error.to_string()), bytes),
                },
            },
            Some(b'[') => self.within(Step::Into("list"), |walk| walk.bytes(bytes, time)),
            Some(b'"') => self.quoted(bytes, time),
            _ => match decode_base64(bytes) {
                Some(decoded) if is_envelope(&decoded) => {
                    self.within(Step::Into("base64"), |walk| walk.bytes(&decoded, time));
                }
                _ => self.unreadable(Reason::NotRecognised, bytes),
            },
        }
    }

    /// A document as a JSON string.
    fn quoted(&mut self, bytes: &[u8], time: Option<DateTime<Utc>>) {
        match serde_json::from_slice::<Cow<'_, str>>(bytes) {
            Ok(text) => self.within(Step::Into("text"), |walk| walk.bytes(text.as_bytes(), time)),
            Err(error) => self.unreadable(Reason::NotJson(error.to_string()), bytes),
        }
    }

    /// A value that an envelope holds: an object, a list, or the text of one.
    pub(super) fn value(&mut self, raw: &RawValue, time: Option<DateTime<Utc>>) {
        match text(raw) {
            Some(text) => self.bytes(text.as_bytes(), time),
            None => self.bytes(raw.get().as_bytes(), time),
        }
    }

    /// Bytes as base64 text, as every JSON envelope of AWS carries them.
    pub(super) fn base64(&mut self, raw: &RawValue, time: Option<DateTime<Utc>>) {
        let Some(encoded) = text(raw) else { return self.unreadable(Reason::NotCloudTrail, raw.get().as_bytes()) };
        match BASE64.decode(encoded.trim_ascii().as_bytes()) {
            Ok(decoded) if decoded.trim_ascii().is_empty() => self.unreadable(Reason::Empty, encoded.as_bytes()),
            Ok(decoded) => self.bytes(&decoded, time),
            Err(error) => self.unreadable(Reason::NotBase64(error.to_string()), encoded.as_bytes()),
        }
    }

    /// Each entry of a list, one after the other: the list is never held as values.
    pub(super) fn list(&mut self, raw: &RawValue, mut each: impl FnMut(&mut Self, &RawValue)) {
        let mut deserializer = serde_json::Deserializer::from_str(raw.get());
        // The text is a list of JSON values already, so nothing can fail here.
        let entries = Entries(|index: usize, entry: &RawValue| {
            if !self.is_full(entry.get().as_bytes()) {
                self.within(Step::Entry(index), |walk| each(walk, entry));
            }
        });
        if entries.deserialize(&mut deserializer).is_err() {
            self.unreadable(Reason::NotCloudTrail, raw.get().as_bytes());
        }
    }
}

struct Entries<F>(F);

impl<'de, F: FnMut(usize, &'de RawValue)> DeserializeSeed<'de> for Entries<F> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de, F: FnMut(usize, &'de RawValue)> Visitor<'de> for Entries<F> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut list: A) -> Result<(), A::Error> {
        let mut index = 0;
        while let Some(entry) = list.next_element()? {
            (self.0)(index, entry);
            index += 1;
        }
        Ok(())
    }
}

/// Whether a value can hold a record: an object, a list, or text of JSON or base64. A log line in words cannot.
pub(super) fn may_hold(raw: &RawValue) -> bool {
    match text(raw) {
        None => raw.get().starts_with(['{', '[']),
        Some(text) if text.trim_start().starts_with(['{', '[']) => true,
        Some(text) => decode_base64(text.trim_ascii().as_bytes()).is_some_and(|bytes| is_envelope(&bytes)),
    }
}

/// Whether a text is a list of something that can hold a record: `[ERROR] no such file` is a log line.
fn starts_list(text: &[u8]) -> bool {
    let inside = text.strip_prefix(b"[").unwrap_or(text).trim_ascii_start();
    matches!(inside.first(), Some(b'{' | b'[' | b'"' | b']'))
}

/// Base64 with line ends at any place, padded or not; the shortest text that can hold an envelope has 4 letters.
fn decode_base64(text: &[u8]) -> Option<Vec<u8>> {
    let is_letter = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=' | b'\r' | b'\n');
    if text.len() < 4 || !text.iter().all(is_letter) {
        return None;
    }
    let joined: Cow<'_, [u8]> = match memchr::memchr2(b'\r', b'\n', text) {
        None => Cow::Borrowed(text),
        Some(_) => text.iter().copied().filter(|byte| !matches!(byte, b'\r' | b'\n')).collect(),
    };
    BASE64.decode(joined.as_ref()).ok()
}

/// Whether decoded bytes are worth a look: words such as `null` or `test` are base64, too.
fn is_envelope(bytes: &[u8]) -> bool {
    bytes.starts_with(gzip::MAGIC)
        || bytes.starts_with(kpl::MAGIC)
        || matches!(bytes.trim_ascii().first(), Some(b'{' | b'['))
}
