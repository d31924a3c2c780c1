//! Sorted lists of action names, and which of them a pattern means.

use std::cmp::Ordering;

use hashbrown::HashMap;

use crate::pattern::Pattern;

/// Action names in lower case, sorted, each once. A name is found by hash, the names of a pattern by binary
/// search.
#[derive(Debug, Clone, Default)]
pub struct ActionNames {
    names: Vec<Box<str>>,
    positions: HashMap<Box<str>, usize>,
}

impl ActionNames {
    /// Takes names in any case and order.
    pub fn new<'n>(names: impl IntoIterator<Item = &'n str>) -> Self {
        let mut names: Vec<Box<str>> = names.into_iter().map(|name| name.to_ascii_lowercase().into()).collect();
        names.sort_unstable();
        names.dedup();
        let positions = names.iter().cloned().zip(0..).collect();
        Self { names, positions }
    }

    /// Number of names.
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// True without any name.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// The name at this position, in lower case.
    pub fn get(&self, position: usize) -> Option<&str> {
        self.names.get(position).map(|name| &**name)
    }

    /// The position of a name in lower case.
    pub fn position(&self, folded: &str) -> Option<usize> {
        self.positions.get(folded).copied()
    }

    /// Positions of the names that an action pattern accepts, ascending.
    pub fn matching<'a>(&'a self, pattern: &'a Pattern) -> impl Iterator<Item = usize> + 'a {
        let (range, sure) = self.candidates(pattern);
        let start = range.start;
        let names = self.names.get(range).unwrap_or_default();
        let found = names.iter().enumerate().filter(move |(_, name)| sure || pattern.matches(name));
        found.map(move |(at, _)| start + at)
    }

    /// The run of names that can match, and whether all of them do.
    fn candidates(&self, pattern: &Pattern) -> (std::ops::Range<usize>, bool) {
        if let Some(literal) = pattern.as_literal() {
            let start = self.position(literal);
            return (start.map_or(0..0, |at| at..at + 1), true);
        }
        let prefix = pattern.leading_text();
        let start = self.names.partition_point(|name| **name < *prefix);
        let rest = self.names.get(start..).unwrap_or_default();
        let length = rest.partition_point(|name| compare_start(name, prefix) == Ordering::Equal);
        (start..start + length, pattern.is_any() || pattern.as_prefix().is_some())
    }
}

fn compare_start(name: &str, prefix: &str) -> Ordering {
    let start = name.as_bytes().get(..prefix.len().min(name.len())).unwrap_or_default();
    start.cmp(prefix.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::ActionNames;
    use crate::pattern::Pattern;

    #[test]
    fn a_pattern_finds_exactly_the_names_it_matches() {
        let names =
            ActionNames::new(["iam:PassRole", "iam:PutRolePolicy", "s3:GetObject", "sts:AssumeRole", "iam:PassRole"]);
        assert_eq!(names.len(), 4);
        for text in [
            "*",
            "iam:*",
            "iam:pass*",
            "IAM:PASSROLE",
            "*:*role",
            "i?m:p*",
            "s3:getobject",
            "sns:*",
            "iam:",
            "x",
            "?3:*",
        ] {
            let pattern = Pattern::action(text);
            let found: Vec<usize> = names.matching(&pattern).collect();
            let expected: Vec<usize> = (0..names.len()).filter(|at| pattern.matches(names.get(*at).unwrap())).collect();
            assert_eq!(found, expected, "{text}");
        }
    }
}
