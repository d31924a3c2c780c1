//! YAML text as a tree whose every node knows its line and column.
//!
//! The parser tells places only in its errors. So the visitor takes each scalar and then *fails on purpose*: the scalar
//! is consumed, the parser stamps the place on the error, and we read it there. One pass, no second parser.

use super::{At, Faults};
use serde::de::{self, Deserialize, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use std::collections::HashMap;
use std::fmt;

/// A larger file is refused before it is parsed, bytes.
pub const MAX_FILE_BYTES: usize = 1 << 20;
/// A file that unfolds (by aliases) to more values than this is refused.
pub const MAX_NODES: usize = 250_000;
/// Repeated keys listed; a file can hold very many.
const MAX_REPEATED_LISTED: usize = 100;

/// One value of the file.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// Where it starts. A list or map starts at its first member; an empty one at its key.
    pub at: At,
    /// What it is.
    pub tree: Tree,
}

/// What a node holds.
#[derive(Debug, Clone, PartialEq)]
pub enum Tree {
    /// A single value.
    Scalar(Scalar),
    /// A list.
    List(Vec<Node>),
    /// A map in the order of the file; a repeated key is a fault and only its first value is kept.
    Map(Vec<Entry>),
}

/// A single value.
#[derive(Debug, Clone, PartialEq)]
pub enum Scalar {
    /// `null`, `~` or nothing.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number that JSON can hold.
    Number(serde_json::Number),
    /// Text.
    Text(String),
}

/// One key of a map with its value.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The key as text.
    pub key: String,
    /// Where the key stands.
    pub at: At,
    /// Its value.
    pub value: Node,
}

impl Node {
    /// The members of a map; `None` for anything else.
    pub fn entries(&self) -> Option<&[Entry]> {
        match &self.tree {
            Tree::Map(entries) => Some(entries),
            Tree::Scalar(_) | Tree::List(_) => None,
        }
    }

    /// The value under `key` of a map.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entries()?.iter().find(|entry| entry.key == key).map(|entry| &entry.value)
    }

    /// Whether there is nothing but `null`.
    pub fn is_null(&self) -> bool {
        self.tree == Tree::Scalar(Scalar::Null)
    }

    /// A text, or a number or truth value as it is written: account ids arrive as numbers. `None` for null, list and map.
    pub fn text(&self) -> Option<String> {
        match &self.tree {
            Tree::Scalar(Scalar::Text(text)) => Some(text.clone()),
            Tree::Scalar(Scalar::Number(number)) => Some(number.to_string()),
            Tree::Scalar(Scalar::Bool(flag)) => Some(flag.to_string()),
            Tree::Scalar(Scalar::Null) | Tree::List(_) | Tree::Map(_) => None,
        }
    }

    /// The same value as JSON.
    pub fn to_json(&self) -> serde_json::Value {
        use serde_json::Value;
        match &self.tree {
            Tree::Scalar(Scalar::Null) => Value::Null,
            Tree::Scalar(Scalar::Bool(flag)) => Value::Bool(*flag),
            Tree::Scalar(Scalar::Number(number)) => Value::Number(number.clone()),
            Tree::Scalar(Scalar::Text(text)) => Value::String(text.clone()),
            Tree::List(items) => Value::Array(items.iter().map(Node::to_json).collect()),
            Tree::Map(entries) => {
                Value::Object(entries.iter().map(|entry| (entry.key.clone(), entry.value.to_json())).collect())
            }
        }
    }

    /// What the node is, in the words of a message.
    pub fn kind(&self) -> &'static str {
        match &self.tree {
            Tree::Scalar(Scalar::Null) => "nothing",
            Tree::Scalar(Scalar::Bool(_)) => "true or false",
            Tree::Scalar(Scalar::Number(_)) => "a number",
            Tree::Scalar(Scalar::Text(_)) => "text",
            Tree::List(_) => "a list",
            Tree::Map(_) => "a map",
        }
    }
}

/// Reads one YAML document. A syntax fault leaves no tree; repeated keys are added to `faults` and reading goes on.
pub fn parse(text: &str, faults: &mut Faults) -> Option<Node> {
    if text.len() > MAX_FILE_BYTES {
        faults.error(
            At::default(),
            format!(
                "file of {} bytes is over the limit of {MAX_FILE_BYTES}; split it or remove what is unused",
                text.len()
            ),
        );
        return None;
    }
    let mut state = State { nodes: 0, repeated: Vec::new() };
    let seed = NodeSeed { state: &mut state, outer: At { line: 1, column: 1 } };
    let parsed = seed.deserialize(serde_yaml::Deserializer::from_str(text));
    for (at, key, first) in state.repeated.iter().take(MAX_REPEATED_LISTED) {
        faults.error(*at, format!("key {key:?} is given twice, first in line {}; keep one", first.line));
    }
    match parsed {
        Ok(node) => Some(node),
        Err(error) => {
            let at = error.location().map_or(At::default(), |place| At { line: place.line(), column: place.column() });
            faults.error(at, format!("not readable as YAML: {error}"));
            None
        }
    }
}

struct State {
    nodes: usize,
    repeated: Vec<(At, String, At)>,
}

/// Reads any value into a [`Node`].
struct NodeSeed<'s> {
    state: &'s mut State,
    /// Where the value stands if it does not say so itself.
    outer: At,
}

impl<'de> DeserializeSeed<'de> for NodeSeed<'_> {
    type Value = Node;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        self.state.nodes += 1;
        if self.state.nodes > MAX_NODES {
            return Err(de::Error::custom(format!("more than {MAX_NODES} values; are aliases nested?")));
        }
        let outer = self.outer;
        let mut taken = None;
        match deserializer.deserialize_any(NodeVisitor { seed: self, taken: &mut taken }) {
            Ok(node) => Ok(node),
            Err(error) => match taken {
                Some(scalar) => {
                    Ok(Node { at: place_in(&error.to_string()).unwrap_or(outer), tree: Tree::Scalar(scalar) })
                }
                None => Err(error),
            },
        }
    }
}

struct NodeVisitor<'s, 't> {
    seed: NodeSeed<'s>,
    taken: &'t mut Option<Scalar>,
}

impl NodeVisitor<'_, '_> {
    /// Keeps the scalar and fails, so that the parser tells where it stands.
    fn take<E: de::Error>(self, scalar: Scalar) -> Result<Node, E> {
        *self.taken = Some(scalar);
        Err(E::custom("taken"))
    }
}

impl<'de> Visitor<'de> for NodeVisitor<'_, '_> {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value without a YAML tag")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Node, E> {
        self.take(Scalar::Null)
    }

    fn visit_none<E: de::Error>(self) -> Result<Node, E> {
        self.take(Scalar::Null)
    }

    fn visit_bool<E: de::Error>(self, flag: bool) -> Result<Node, E> {
        self.take(Scalar::Bool(flag))
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Node, E> {
        self.take(Scalar::Number(number.into()))
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Node, E> {
        self.take(Scalar::Number(number.into()))
    }

    fn visit_i128<E: de::Error>(self, number: i128) -> Result<Node, E> {
        self.take(Scalar::Text(number.to_string()))
    }

    fn visit_u128<E: de::Error>(self, number: u128) -> Result<Node, E> {
        self.take(Scalar::Text(number.to_string()))
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Node, E> {
        let scalar =
            serde_json::Number::from_f64(number).map_or_else(|| Scalar::Text(number.to_string()), Scalar::Number);
        self.take(scalar)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Node, E> {
        self.take(Scalar::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Node, A::Error> {
        let NodeSeed { state, outer } = self.seed;
        let mut items: Vec<Node> = Vec::new();
        while let Some(item) = list.next_element_seed(NodeSeed { state, outer })? {
            items.push(item);
        }
        Ok(Node { at: items.first().map_or(outer, |item| item.at), tree: Tree::List(items) })
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
        let NodeSeed { state, outer } = self.seed;
        let mut entries: Vec<Entry> = Vec::new();
        let mut seen: HashMap<String, At> = HashMap::new();
        while let Some((key, at)) = map.next_key_seed(KeySeed { outer })? {
            let value = map.next_value_seed(NodeSeed { state, outer: at })?;
            if let Some(first) = seen.get(&key) {
                state.repeated.push((at, key, *first));
                continue;
            }
            seen.insert(key.clone(), at);
            entries.push(Entry { key, at, value });
        }
        Ok(Node { at: entries.first().map_or(outer, |entry| entry.at), tree: Tree::Map(entries) })
    }
}

/// Reads a key, which must be a scalar.
struct KeySeed {
    outer: At,
}

impl<'de> DeserializeSeed<'de> for KeySeed {
    type Value = (String, At);

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(String, At), D::Error> {
        let mut taken = None;
        match deserializer.deserialize_str(KeyVisitor(&mut taken)) {
            Ok(never) => match never {},
            Err(error) => match taken {
                Some(key) => Ok((key, place_in(&error.to_string()).unwrap_or(self.outer))),
                None => Err(error),
            },
        }
    }
}

/// What a visitor yields that always fails.
enum Never {}

impl<'de> Deserialize<'de> for Never {
    fn deserialize<D: Deserializer<'de>>(_: D) -> Result<Never, D::Error> {
        Err(de::Error::custom("no value"))
    }
}

struct KeyVisitor<'t>(&'t mut Option<String>);

impl<'de> Visitor<'de> for KeyVisitor<'_> {
    type Value = Never;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a plain key")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Never, E> {
        *self.0 = Some(text.to_owned());
        Err(E::custom("taken"))
    }
}

/// The place a message ends with: ` at line 3 column 5`. The first place of a file is left out by the parser.
fn place_in(message: &str) -> Option<At> {
    let (_, place) = message.rsplit_once(" at line ")?;
    let (line, column) = place.split_once(" column ")?;
    Some(At { line: line.parse().ok()?, column: column.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (Option<Node>, Vec<String>) {
        let mut faults = Faults::of("f.yaml");
        let node = parse(text, &mut faults);
        (node, faults.into_sorted().iter().map(ToString::to_string).collect())
    }

    fn at(line: usize, column: usize) -> At {
        At { line, column }
    }

    #[test]
    fn every_key_and_value_knows_its_place() {
        let (node, faults) = read("a: 1\nb:\n  - x\n  - {c: true, d: }\ne: []\nf: \"q\"\n");
        assert_eq!(faults, Vec::<String>::new());
        let node = node.unwrap();
        let places: Vec<_> = node.entries().unwrap().iter().map(|e| (e.key.as_str(), e.at, e.value.at)).collect();
        assert_eq!(
            places,
            [
                ("a", at(1, 1), at(1, 4)),
                ("b", at(2, 1), at(3, 5)),
                ("e", at(5, 1), at(5, 1)),
                ("f", at(6, 1), at(6, 4))
            ]
        );
        let Tree::List(items) = &node.get("b").unwrap().tree else { panic!("a list") };
        assert_eq!(items[1].get("c").unwrap().at, at(4, 9));
        assert!(items[1].get("d").unwrap().is_null());
    }

    #[test]
    fn account_ids_keep_their_digits() {
        let (node, _) = read("[111122223333, 012345678901, \"000000000001\", 99999999999999999999999]");
        let Tree::List(items) = node.unwrap().tree else { panic!("a list") };
        let texts: Vec<_> = items.iter().map(|item| item.text().unwrap()).collect();
        assert_eq!(texts, ["111122223333", "012345678901", "000000000001", "99999999999999999999999"]);
    }

    #[test]
    fn all_repeated_keys_are_told_at_once() {
        let (node, faults) = read("a: 1\na: 2\nb: {c: 1, c: 2}\n");
        assert_eq!(node.unwrap().get("a").unwrap().text().unwrap(), "1");
        assert_eq!(
            faults,
            [
                "f.yaml:2:1: error: key \"a\" is given twice, first in line 1; keep one",
                "f.yaml:3:11: error: key \"c\" is given twice, first in line 3; keep one"
            ]
        );
    }

    #[test]
    fn broken_yaml_is_one_fault_with_its_place() {
        for (text, place) in [
            ("a: [1, 2\nb: 3\n", "f.yaml:2:2"),
            ("a: *nowhere\n", "f.yaml:1:4"),
            ("a: !tag x\n", "f.yaml:1:4"),
            ("? [a]\n: b\n", "f.yaml:1:3"),
            ("a: 1\n--- \nb: 2\n", "f.yaml"),
        ] {
            let (node, faults) = read(text);
            assert_eq!(node, None, "{text}");
            assert_eq!(faults.len(), 1, "{text} {faults:?}");
            assert!(faults[0].starts_with(&format!("{place}: error: not readable as YAML")), "{text} {faults:?}");
        }
    }

    #[test]
    fn aliases_that_unfold_without_end_are_refused() {
        let mut bomb = String::from("a: &a [x,x,x,x,x,x,x,x,x,x]\n");
        for (name, of) in ["b", "c", "d", "e", "f", "g"].iter().zip(["a", "b", "c", "d", "e", "f"]) {
            bomb.push_str(&format!("{name}: &{name} [{}]\n", vec![format!("*{of}"); 10].join(",")));
        }
        let (node, faults) = read(&bomb);
        assert_eq!(node, None);
        assert_eq!(faults.len(), 1, "{faults:?}");
        let (node, _) = read("a: &x [*x, *x]");
        assert_eq!(node, None);
    }

    #[test]
    fn a_file_at_the_size_limit_is_read_and_one_byte_more_is_not() {
        let mut text = String::from("a: b\n#");
        text.push_str(&"x".repeat(MAX_FILE_BYTES - text.len()));
        assert!(read(&text).0.is_some());
        text.push('x');
        let (node, faults) = read(&text);
        assert_eq!(node, None);
        assert!(faults[0].contains("over the limit"), "{faults:?}");
    }

    #[test]
    fn values_at_the_limit_are_read_and_one_more_is_not() {
        // The list itself is a value, too.
        let list = |items: usize| format!("[{}]", vec!["1"; items].join(","));
        assert!(read(&list(MAX_NODES - 1)).0.is_some());
        assert_eq!(read(&list(MAX_NODES)).0, None);
    }
}
