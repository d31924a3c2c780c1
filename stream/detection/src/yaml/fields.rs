//! Takes a map of a configuration file apart and collects what is wrong with it.

use super::{At, Entry, Faults, Node, Scalar, Tree, closest};

/// A text with the place it came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    /// Where it stands.
    pub at: At,
    /// The text; numbers and truth values as written.
    pub text: String,
}

/// The keys of one map, all of them known.
#[derive(Debug, Clone, Copy)]
pub struct Fields<'n> {
    /// Where the map starts.
    pub at: At,
    entries: &'n [Entry],
}

impl<'n> Fields<'n> {
    /// The fields of `node`, which must be a map with none but the `known` keys. An unknown key is a fault, reading goes on.
    pub fn of(node: &'n Node, what: &str, known: &[&str], faults: &mut Faults) -> Option<Fields<'n>> {
        let Some(entries) = node.entries() else {
            faults.error(node.at, format!("{what} must be a map of {}, found {}", known.join(", "), node.kind()));
            return None;
        };
        for entry in entries.iter().filter(|entry| !known.contains(&entry.key.as_str())) {
            let advice = match closest(&entry.key, known.iter().copied()) {
                Some(near) => format!("did you mean {near:?}?"),
                None => format!("known are {}", known.join(", ")),
            };
            faults.error(entry.at, format!("unknown key {:?} in {what}; {advice}", entry.key));
        }
        Some(Fields { at: node.at, entries })
    }

    /// Whether the key is written, with or without a value.
    pub fn has(&self, key: &str) -> bool {
        self.entry(key).is_some()
    }

    /// The place of the key, or of the map when the key is missing.
    pub fn at(&self, key: &str) -> At {
        self.entry(key).map_or(self.at, |entry| entry.at)
    }

    /// The value of a key; `None` when the key is missing or has no value.
    pub fn node(&self, key: &str) -> Option<&'n Node> {
        self.entry(key).map(|entry| &entry.value).filter(|node| !node.is_null())
    }

    /// The value of a key that must be there.
    pub fn required(&self, key: &str, faults: &mut Faults) -> Option<&'n Node> {
        let node = self.node(key);
        if node.is_none() {
            faults.error(self.at(key), format!("{key} is missing; add it"));
        }
        node
    }

    /// A text. An empty one is a fault.
    pub fn text(&self, key: &str, faults: &mut Faults) -> Option<Text> {
        let node = self.node(key)?;
        match node.text() {
            Some(text) if !text.trim().is_empty() => Some(Text { at: node.at, text }),
            Some(_) => {
                faults.error(node.at, format!("{key} is empty; write it or remove the key"));
                None
            }
            None => {
                faults.error(node.at, format!("{key} must be text, found {}", node.kind()));
                None
            }
        }
    }

    /// A list of texts; a single text stands for a list of one. `None` when the key is missing; a key without value is an
    /// empty list, and the caller decides what that means.
    pub fn texts(&self, key: &str, faults: &mut Faults) -> Option<Vec<Text>> {
        let entry = self.entry(key)?;
        let mut texts = Vec::new();
        let single = std::slice::from_ref(&entry.value);
        let items = match &entry.value.tree {
            Tree::List(items) => items.as_slice(),
            Tree::Scalar(Scalar::Null) => &[],
            Tree::Scalar(_) | Tree::Map(_) => single,
        };
        for item in items {
            match item.text() {
                Some(text) if !text.trim().is_empty() => texts.push(Text { at: item.at, text }),
                Some(_) => faults.error(item.at, format!("{key} holds an empty text; remove it")),
                None => faults.error(item.at, format!("{key} must be a list of texts, found {} in it", item.kind())),
            }
        }
        Some(texts)
    }

    /// The members of a list.
    pub fn list(&self, key: &str, faults: &mut Faults) -> Option<&'n [Node]> {
        let node = self.node(key)?;
        if let Tree::List(items) = &node.tree {
            return Some(items);
        }
        faults.error(node.at, format!("{key} must be a list, found {}", node.kind()));
        None
    }

    /// `true` or `false`.
    pub fn flag(&self, key: &str, faults: &mut Faults) -> Option<bool> {
        let node = self.node(key)?;
        if let Tree::Scalar(Scalar::Bool(flag)) = node.tree {
            return Some(flag);
        }
        faults.error(node.at, format!("{key} must be true or false without quotes, found {}", node.kind()));
        None
    }

    /// One of a closed set of words.
    pub fn choice<T: Copy>(&self, key: &str, words: &[(&str, T)], faults: &mut Faults) -> Option<T> {
        let Text { at, text } = self.text(key, faults)?;
        choose(key, &Text { at, text }, words, faults)
    }

    /// Every entry, in the order of the file.
    pub fn entries(&self) -> &'n [Entry] {
        self.entries
    }

    fn entry(&self, key: &str) -> Option<&'n Entry> {
        self.entries.iter().find(|entry| entry.key == key)
    }
}

/// One of a closed set of words, or a fault that lists them.
pub(crate) fn choose<T: Copy>(key: &str, given: &Text, words: &[(&str, T)], faults: &mut Faults) -> Option<T> {
    if let Some((_, value)) = words.iter().find(|(word, _)| *word == given.text) {
        return Some(*value);
    }
    let names: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
    let near = closest(&given.text, names.iter().copied());
    // A long list helps nobody who only mistyped.
    let advice = match near {
        Some(near) => format!("did you mean {near:?}?"),
        None => format!("allowed are {}", names.join(", ")),
    };
    faults.error(given.at, format!("{:?} is not a value of {key}; {advice}", given.text));
    None
}

#[cfg(test)]
mod tests {
    use super::super::parse;
    use super::*;

    #[test]
    fn all_faults_of_a_map_come_in_one_pass() {
        let text = "nmae: x\nseverity: hihg\nflag: \"true\"\nlist: {a: 1}\ntexts: [a, [b], \"\"]\nempty: \"\"\n";
        let mut faults = Faults::of("f.yaml");
        let node = parse(text, &mut faults).unwrap();
        let known = ["name", "severity", "flag", "list", "texts", "empty"];
        let fields = Fields::of(&node, "a rule", &known, &mut faults).unwrap();
        fields.required("name", &mut faults);
        fields.choice("severity", &[("low", 1), ("high", 2)], &mut faults);
        fields.flag("flag", &mut faults);
        fields.list("list", &mut faults);
        assert_eq!(fields.texts("texts", &mut faults).unwrap().len(), 1);
        fields.text("empty", &mut faults);
        let told: Vec<String> = faults.into_sorted().iter().map(ToString::to_string).collect();
        assert_eq!(
            told,
            [
                "f.yaml:1:1: error: unknown key \"nmae\" in a rule; did you mean \"name\"?",
                "f.yaml:1:1: error: name is missing; add it",
                "f.yaml:2:11: error: \"hihg\" is not a value of severity; did you mean \"high\"?",
                "f.yaml:3:7: error: flag must be true or false without quotes, found text",
                "f.yaml:4:8: error: list must be a list, found a map",
                "f.yaml:5:13: error: texts must be a list of texts, found a list in it",
                "f.yaml:5:17: error: texts holds an empty text; remove it",
                "f.yaml:6:8: error: empty is empty; write it or remove the key",
            ]
        );
    }
}
