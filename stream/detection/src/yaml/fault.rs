//! What is wrong with a file, where, and what to do about it.

use std::fmt;

/// A place in a file: line and column, both from 1; 0 when unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct At {
    /// Line, from 1; 0 when the fault belongs to the file as a whole.
    pub line: usize,
    /// Column in characters, from 1; 0 when unknown.
    pub column: usize,
}

/// Whether a fault keeps the file from being used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// The file is refused.
    Error,
    /// The file is used; a person should look.
    Warning,
}

/// One thing wrong with a configuration file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Name of the file as the caller gave it.
    pub file: String,
    /// Where in the file.
    pub at: At,
    /// Name of the rule or entry it is in, when that is known.
    pub rule: Option<String>,
    /// What is wrong and what to do.
    pub message: String,
    /// Whether the file can still be used.
    pub level: Level,
}

impl fmt::Display for Fault {
    /// `config/rules.yaml:12:5: error: AdminPolicyAttachment: unknown key ...`, the form editors and CI systems link.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if self.at.line > 0 {
            write!(f, ":{}:{}", self.at.line, self.at.column)?;
        }
        f.write_str(match self.level {
            Level::Error => ": error: ",
            Level::Warning => ": warning: ",
        })?;
        if let Some(rule) = &self.rule {
            write!(f, "{rule}: ")?;
        }
        f.write_str(&self.message)
    }
}

/// Longest name repeated in a message, characters.
const MAX_LABEL_CHARS: usize = 128;

/// Collects the faults of one file.
#[derive(Debug)]
pub struct Faults {
    file: String,
    rule: Option<String>,
    list: Vec<Fault>,
}

impl Faults {
    /// No faults yet in `file`.
    pub fn of(file: &str) -> Faults {
        Faults { file: file.to_owned(), rule: None, list: Vec::new() }
    }

    /// Faults added from now on belong to this rule or entry; `None` for the file itself.
    pub fn within(&mut self, rule: Option<&str>) {
        // The name is only checked later; until then it must not tear a message apart.
        let clean = |letter: char| if letter.is_control() { ' ' } else { letter };
        self.rule = rule.map(|name| name.chars().take(MAX_LABEL_CHARS).map(clean).collect());
    }

    /// Adds a fault that keeps the file from being used.
    pub fn error(&mut self, at: At, message: impl Into<String>) {
        self.add(Level::Error, at, message.into());
    }

    /// Adds a fault that a person should look at.
    pub fn warning(&mut self, at: At, message: impl Into<String>) {
        self.add(Level::Warning, at, message.into());
    }

    /// Whether the file must be refused.
    pub fn has_errors(&self) -> bool {
        self.list.iter().any(|fault| fault.level == Level::Error)
    }

    /// How many errors there are so far: tells a reader whether the part it just read was sound.
    pub fn errors(&self) -> usize {
        self.list.iter().filter(|fault| fault.level == Level::Error).count()
    }

    /// The faults in the order of the file.
    pub fn into_sorted(mut self) -> Vec<Fault> {
        self.list.sort_by_key(|fault| (fault.at, fault.level));
        self.list
    }

    fn add(&mut self, level: Level, at: At, message: String) {
        self.list.push(Fault { file: self.file.clone(), at, rule: self.rule.clone(), message, level });
    }
}

/// The known word most like `word`, for "did you mean": at most a third of its letters differ.
pub fn closest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // Longer words are no typing errors, and the distance costs the product of both lengths.
    if word.len() > 128 {
        return None;
    }
    let lower = word.to_ascii_lowercase();
    let near = known.into_iter().map(|candidate| (edits(&lower, &candidate.to_ascii_lowercase()), candidate));
    let (distance, best) = near.min()?;
    (distance <= word.chars().count() / 3).then_some(best)
}

/// Letters to insert, delete, replace or swap with their neighbour to get from `a` to `b`.
fn edits(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=b.len()).collect();
    let mut last = None;
    for (row, x) in a.chars().enumerate() {
        let mut line = Vec::with_capacity(above.len());
        line.push(row + 1);
        for (column, &y) in b.iter().enumerate() {
            let at = |cells: &[usize], index: usize| cells.get(index).copied().unwrap_or(usize::MAX / 2);
            let mut cost =
                (at(&above, column) + usize::from(x != y)).min(at(&above, column + 1) + 1).min(at(&line, column) + 1);
            let swapped = column > 0 && last == Some(y) && b.get(column - 1) == Some(&x);
            if swapped {
                cost = cost.min(at(&before, column - 1) + 1);
            }
            line.push(cost);
        }
        before = std::mem::replace(&mut above, line);
        last = Some(x);
    }
    above.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typing_error_is_named_and_a_strange_word_is_not() {
        let known = ["event_names", "event_kinds", "severity"];
        assert_eq!(closest("evnet_names", known), Some("event_names"));
        assert_eq!(closest("Severty", known), Some("severity"));
        assert_eq!(closest("frequency", known), None);
        assert_eq!(closest("", known), None);
    }
}
