//! Reads text into a [`Policy`]: finds the JSON under its encodings, then the document in the JSON.
//!
//! Nothing is accepted silently: every deviation from the policy grammar becomes a
//! [`Malformed`](crate::Malformed) with its position, and reading goes on.

mod condition;
mod json;
mod principal;
mod statement;

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

use crate::document::{Kind, Policy, Version};
use crate::malformed::{Fault, Malformed, Position};
use json::Node;

/// What is read at most of one document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of text. Longer text is not read at all.
    pub bytes: usize,
    /// Levels of nesting of JSON values. IAM's grammar needs six.
    pub depth: usize,
    /// JSON values of all kinds.
    pub values: usize,
    /// Statements.
    pub statements: usize,
}

impl Default for Limits {
    /// Far above IAM's own quotas (a policy has at most some 32,000 characters), so that a document
    /// padded on purpose is still read.
    fn default() -> Self {
        Self { bytes: 16 << 20, depth: 24, values: 1_000_000, statements: 100_000 }
    }
}

/// Encodings that may be wrapped around each other: URL-encoded text in a JSON string, and so on.
const MAX_LAYERS: usize = 4;
/// Faults kept per document; one more says that there were more.
const MAX_FAULTS: usize = 100;
/// Longest piece of the document repeated in a fault, in characters.
const QUOTED_CHARS: usize = 60;

impl Policy {
    /// Reads a policy: JSON text, the same as a JSON string literal, or URL-encoded.
    ///
    /// Never fails: what could not be read is in [`Policy::malformed`].
    pub fn parse(text: &str, kind: Kind) -> Self {
        Self::parse_within(text, kind, &Limits::default())
    }

    /// [`parse`](Self::parse) for bytes: what is not UTF-8 is a fault and read as U+FFFD.
    pub fn parse_bytes(bytes: &[u8], kind: Kind) -> Self {
        let limits = Limits::default();
        if bytes.len() > limits.bytes {
            return Self::too_long(kind, &limits);
        }
        match String::from_utf8_lossy(bytes) {
            Cow::Borrowed(text) => Self::parse(text, kind),
            Cow::Owned(text) => {
                let mut policy = Self::parse(&text, kind);
                let fault = Malformed { position: Position::default(), fault: Fault::NotUtf8 };
                policy.malformed.insert(0, fault);
                policy
            }
        }
    }

    /// [`parse`](Self::parse) with limits of the caller's choice.
    pub fn parse_within(text: &str, kind: Kind, limits: &Limits) -> Self {
        if text.len() > limits.bytes {
            return Self::too_long(kind, limits);
        }
        let mut faults = Vec::new();
        let text = unwrap_encodings(text, &mut faults);
        let root = json::read(&text, limits, &mut faults);
        let mut reader = Reader { kind, version: Version::V2008, limits, faults: Faults(faults) };
        reader.policy(&root)
    }

    fn too_long(kind: Kind, limits: &Limits) -> Self {
        let fault = Fault::TooLong { limit: limits.bytes };
        let malformed = vec![Malformed { position: Position::default(), fault }];
        Self { kind, version: Version::V2012, id: None, statements: Vec::new(), malformed }
    }
}

/// The JSON under the encodings a document travels in.
fn unwrap_encodings<'t>(text: &'t str, faults: &mut Vec<Malformed>) -> Cow<'t, str> {
    let mut text = Cow::Borrowed(text.trim());
    for _ in 0..MAX_LAYERS {
        if let Some(rest) = text.strip_prefix('\u{feff}') {
            let fault = Fault::NotJson("byte order mark".to_owned());
            faults.push(Malformed { position: Position::default(), fault });
            text = Cow::Owned(rest.trim().to_owned());
        }
        let inner = if text.starts_with('"') {
            serde_json::from_str::<String>(&text).ok()
        } else if !text.contains('"') && text.contains('%') {
            // JSON of a policy cannot do without quotes; URL encoding never leaves one.
            url_decoded(&text)
        } else {
            None
        };
        match inner {
            Some(inner) => text = Cow::Owned(inner.trim().to_owned()),
            None => break,
        }
    }
    text
}

/// A bare `+` is a space in form encoding; in RFC 3986 encoding (with `%20`) it is itself.
fn url_decoded(text: &str) -> Option<String> {
    let text = if text.contains("%20") { Cow::Borrowed(text) } else { Cow::Owned(text.replace('+', " ")) };
    let decoded = percent_decode_str(&text).decode_utf8_lossy().into_owned();
    (decoded != *text).then_some(decoded)
}

/// The faults of one document.
struct Faults(Vec<Malformed>);

impl Faults {
    fn add(&mut self, statement: Option<usize>, path: String, fault: Fault) {
        let position = Position { statement, path, line_column: None };
        match self.0.len() {
            0..MAX_FAULTS => self.0.push(Malformed { position, fault }),
            MAX_FAULTS => {
                let fault = Fault::TooMany { what: "faults", limit: MAX_FAULTS };
                self.0.push(Malformed { position: Position::default(), fault });
            }
            _ => {}
        }
    }
}

/// Walks the JSON tree of one document.
struct Reader<'l> {
    kind: Kind,
    version: Version,
    limits: &'l Limits,
    faults: Faults,
}

impl Reader<'_> {
    fn policy(&mut self, root: &Node<'_>) -> Policy {
        let mut statements = Vec::new();
        let mut id = None;
        match root {
            Node::Object(entries) => {
                self.version = self.version_of(entries);
                id = self.document_elements(entries, &mut statements);
            }
            Node::Null if !self.faults.0.is_empty() => {}
            other => {
                self.faults.add(None, String::new(), Fault::WrongType("a policy object"));
                // A bare list can only be meant as the statements; its variables as live.
                self.version = Version::V2012;
                if let Node::Array(_) = other {
                    self.statements(other, "", &mut statements);
                }
            }
        }
        Policy { kind: self.kind, version: self.version, id, statements, malformed: std::mem::take(&mut self.faults.0) }
    }

    fn version_of(&mut self, entries: &[(Cow<'_, str>, Node<'_>)]) -> Version {
        let mut version = None;
        for (_, node) in entries.iter().filter(|(key, _)| key == "Version") {
            let read = match node {
                Node::Text(text) if text == "2012-10-17" => Version::V2012,
                Node::Text(text) if text == "2008-10-17" => Version::V2008,
                other => {
                    let fault = Fault::WrongValue { element: "Version", value: quoted(other) };
                    self.faults.add(None, "Version".to_owned(), fault);
                    Version::V2012
                }
            };
            version = Some(if version == Some(Version::V2012) { Version::V2012 } else { read });
        }
        version.unwrap_or(Version::V2008)
    }

    fn document_elements(
        &mut self,
        entries: &[(Cow<'_, str>, Node<'_>)],
        statements: &mut Vec<crate::document::Statement>,
    ) -> Option<Box<str>> {
        let (mut id, mut seen) = (None, Seen::default());
        for (key, node) in entries {
            let element = ["Version", "Id", "Statement"].into_iter().find(|e| e == key);
            match element {
                Some(name) if seen.again(name) => {
                    self.faults.add(None, name.to_owned(), Fault::RepeatedKey(name.to_owned()));
                }
                Some(_) => {}
                None => {
                    let fault = Fault::UnknownElement(shortened(key));
                    self.faults.add(None, shortened(key), fault);
                }
            }
            if key.eq_ignore_ascii_case("Statement") {
                self.statements(node, "Statement", statements);
            } else if element == Some("Id") {
                match node {
                    Node::Text(text) => id = Some(text.as_ref().into()),
                    _ => self.faults.add(None, "Id".to_owned(), Fault::WrongType("text")),
                }
            }
        }
        let truncated = self.faults.0.iter().any(|f| matches!(f.fault, Fault::NotJson(_)));
        if !seen.has("Statement") && !truncated {
            self.faults.add(None, String::new(), Fault::Missing("Statement"));
        }
        id
    }

    fn statements(&mut self, node: &Node<'_>, path: &str, statements: &mut Vec<crate::document::Statement>) {
        match node {
            Node::Object(entries) => self.statement(0, path, entries, statements),
            Node::Array(items) if items.is_empty() => {
                self.faults.add(None, path.to_owned(), Fault::Missing("Statement"));
            }
            Node::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    if index >= self.limits.statements {
                        let limit = self.limits.statements;
                        self.faults.add(None, path.to_owned(), Fault::TooMany { what: "statements", limit });
                        return;
                    }
                    let path = format!("{path}[{index}]");
                    match item {
                        Node::Object(entries) => self.statement(index, &path, entries, statements),
                        _ => self.faults.add(Some(index), path, Fault::WrongType("a statement object")),
                    }
                }
            }
            _ => self.faults.add(None, path.to_owned(), Fault::WrongType("a statement or a list of statements")),
        }
    }

    fn variables_live(&self) -> bool {
        self.version == Version::V2012
    }
}

/// Which of a handful of names came up before.
#[derive(Default)]
struct Seen(Vec<&'static str>);

impl Seen {
    fn again(&mut self, name: &'static str) -> bool {
        let again = self.has(name);
        if !again {
            self.0.push(name);
        }
        again
    }

    fn has(&self, name: &str) -> bool {
        self.0.contains(&name)
    }
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(QUOTED_CHARS) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}...", text.get(..end).unwrap_or_default()),
    }
}

fn quoted(node: &Node<'_>) -> String {
    match node {
        Node::Null => "null".to_owned(),
        Node::Bool(value) => value.to_string(),
        Node::Number(text) => text.clone(),
        Node::Text(text) => shortened(text),
        Node::Array(_) => "a list".to_owned(),
        Node::Object(_) => "an object".to_owned(),
    }
}
