//! How texts and fields of an event are compared with what a rule names.

use percent_encoding::percent_decode_str;
use policy::Pattern;
use serde_json::Value;
use std::borrow::Cow;

use super::case::Case;

/// A path from the root of the event, and the values one of which must stand there.
#[derive(Debug, Clone)]
pub(crate) struct FieldTest {
    pub(crate) path: Vec<String>,
    pub(crate) values: Vec<String>,
}

/// A text to be contained in an ARN or name; with `*` or `?`, which no ARN of a caller holds, a pattern for the whole.
#[derive(Debug, Clone)]
pub(crate) enum Wording {
    Contains(String),
    Like(Pattern),
}

impl Wording {
    pub(crate) fn new(text: &str) -> Wording {
        if text.contains(['*', '?']) {
            return Wording::Like(Pattern::like_value(text, false));
        }
        Wording::Contains(text.to_owned())
    }

    pub(crate) fn matches(&self, text: &str) -> bool {
        match self {
            Wording::Contains(part) => text.contains(part.as_str()),
            Wording::Like(pattern) => pattern.matches(text),
        }
    }

    pub(crate) fn source(&self) -> &str {
        match self {
            Wording::Contains(part) => part,
            Wording::Like(pattern) => pattern.source(),
        }
    }
}

impl FieldTest {
    /// Whether one of the values stands at the path.
    pub(crate) fn holds(&self, case: &Case<'_>) -> bool {
        let mut holds = false;
        let (value, path) = case.field(&self.path);
        scalars(value, path, &mut |found| holds |= self.values.iter().any(|wanted| *wanted == found));
        holds
    }

    /// What the rule asks for, for explanations.
    pub(crate) fn to_line(&self) -> String {
        format!("{}: {}", self.path.join("."), self.values.join(", "))
    }

    /// What stands at the path, for explanations.
    pub(crate) fn found(&self, case: &Case<'_>) -> String {
        let mut found = Vec::new();
        let (value, path) = case.field(&self.path);
        scalars(value, path, &mut |scalar| found.push(scalar.into_owned()));
        let found = if found.is_empty() { "nothing".to_owned() } else { found.join(", ") };
        format!("{}: {found}", self.path.join("."))
    }
}

/// The scalars at the path; a list on the way means any of its members, and so does `*` for an object.
fn scalars<'v>(at: &'v Value, path: &[String], take: &mut dyn FnMut(Cow<'v, str>)) {
    match (at, path.split_first()) {
        (Value::Array(items), _) => items.iter().for_each(|item| scalars(item, path, take)),
        (Value::Object(members), Some((key, rest))) if key == "*" => {
            members.values().for_each(|value| scalars(value, rest, take));
        }
        (Value::Object(members), Some((key, rest))) => {
            if let Some(value) = members.get(key) {
                scalars(value, rest, take);
            }
        }
        (Value::String(text), None) => take(Cow::Borrowed(text)),
        (Value::Bool(_) | Value::Number(_) | Value::Null, None) => take(Cow::Owned(at.to_string())),
        _ => {}
    }
}

/// Layers of encoding taken off a text.
const MAX_LAYERS: usize = 4;

/// A text for comparison: encodings taken off, escapes of JSON written out, no white space, small letters.
pub(crate) fn flat(text: &str) -> String {
    let mut text = Cow::Borrowed(text.trim());
    for _ in 0..MAX_LAYERS {
        let inner = if text.starts_with('"') && text.len() > 1 && text.ends_with('"') {
            serde_json::from_str::<String>(&text).ok()
        } else if text.contains('%') && !text.contains('"') {
            percent_decode_str(&text).decode_utf8().ok().map(Cow::into_owned).filter(|decoded| *decoded != *text)
        } else {
            None
        };
        match inner {
            Some(inner) => text = Cow::Owned(inner),
            None => break,
        }
    }
    let plain = unescaped(&text);
    plain.chars().filter(|letter| !letter.is_whitespace()).flat_map(char::to_lowercase).collect()
}

/// `\u002a` as `*` and `\/` as `/`, so that an escape does not hide a word; other escapes stay.
fn unescaped(text: &str) -> Cow<'_, str> {
    if !text.contains('\\') {
        return Cow::Borrowed(text);
    }
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('\\') {
        plain.push_str(before);
        let code =
            after.strip_prefix('u').and_then(|hex| hex.get(..4)).and_then(|hex| u32::from_str_radix(hex, 16).ok());
        match code.and_then(char::from_u32) {
            Some(letter) => {
                plain.push(letter);
                rest = after.get(5..).unwrap_or_default();
            }
            None => {
                let escaped = after.chars().next();
                if escaped != Some('/') {
                    plain.push('\\');
                }
                plain.extend(escaped);
                rest = escaped.and_then(|letter| after.get(letter.len_utf8()..)).unwrap_or_default();
            }
        }
    }
    plain.push_str(rest);
    Cow::Owned(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_encoding_hides_a_word_from_a_text_condition() {
        let wanted = flat(r#""Action":"*""#);
        for text in [
            r#"{"Action":"*"}"#,
            "{ \"ACTION\" :\n\t\"*\" }",
            r#"{"\u0041ction":"\u002a"}"#,
            r#""{\"Action\":\"*\"}""#,
            r#""{\"\\u0041ction\":\"*\"}""#,
            "%7B%22Action%22%3A%22*%22%7D",
        ] {
            assert!(flat(text).contains(&wanted), "{text} became {}", flat(text));
        }
        assert!(flat(r#"{"Resource":"arn:aws:s3:::b\/*"}"#).contains("b/*"));
    }

    #[test]
    fn broken_escapes_stay_as_they_are() {
        for text in ["a\\", "\\u12", "\\ud800x", "\\", "\\\\u0041", "ä\\uä"] {
            let flattened = flat(text);
            assert!(flattened.contains('\\'), "{text} became {flattened}");
        }
    }

    #[test]
    fn a_wording_is_contained_or_with_a_wildcard_fits_the_whole() {
        let arn = "arn:aws:iam::111122223333:user/admin-bob";
        for (text, fits) in [
            ("user/admin", true),
            ("user/Admin", false),
            ("user/*", false),
            ("*:user/admin-???", true),
            ("arn:aws:iam::*:user/admin-*", true),
        ] {
            assert_eq!(Wording::new(text).matches(arn), fits, "{text}");
        }
    }
}
