//! What is wrong with the text of a document, and where.

use std::fmt;

/// One fault in a policy document. Its `Display` form is one line for people.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Malformed {
    /// Where, as far as it is known.
    pub position: Position,
    /// What.
    pub fault: Fault,
}

/// Place of a fault.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Position {
    /// Statement, from 0.
    pub statement: Option<usize>,
    /// Path inside the document, such as `Statement[1].Action`; empty for the whole document.
    pub path: String,
    /// Line and column of the text, from 1, where the JSON itself is broken.
    pub line_column: Option<(usize, usize)>,
}

/// What is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Fault {
    /// The text is not JSON, or ends too early; what was read before is kept.
    #[error("not JSON: {0}")]
    NotJson(String),
    /// The bytes are not UTF-8; each bad part is read as the replacement character.
    #[error("not UTF-8")]
    NotUtf8,
    /// The text is longer than the limit and was not read.
    #[error("longer than {limit} bytes")]
    TooLong {
        /// The limit, in bytes.
        limit: usize,
    },
    /// Values nested deeper than the limit were skipped.
    #[error("nested deeper than {limit} levels")]
    TooDeep {
        /// The limit.
        limit: usize,
    },
    /// Statements, or list entries, beyond the limit were skipped.
    #[error("more than {limit} {what}")]
    TooMany {
        /// What there is too much of.
        what: &'static str,
        /// The limit.
        limit: usize,
    },
    /// The same key twice in one object; all values were taken together.
    #[error("key {0:?} is repeated")]
    RepeatedKey(String),
    /// An element the policy grammar does not have.
    #[error("unknown element {0:?}")]
    UnknownElement(String),
    /// A required element is missing.
    #[error("{0} is missing")]
    Missing(&'static str),
    /// An element that this kind of document must not have.
    #[error("{0} is not allowed here")]
    NotAllowed(&'static str),
    /// Two elements that exclude each other.
    #[error("{0} and {1} exclude each other")]
    Both(&'static str, &'static str),
    /// A value of the wrong JSON type.
    #[error("{0} expected")]
    WrongType(&'static str),
    /// A value that the element does not take.
    #[error("{element} cannot be {value:?}")]
    WrongValue {
        /// Name of the element.
        element: &'static str,
        /// The value, shortened.
        value: String,
    },
    /// A Deny that cannot be read with certainty, and therefore protects nothing.
    #[error("this Deny cannot be read with certainty and is not counted")]
    DenyNotCounted,
}

impl fmt::Display for Malformed {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.position.path.is_empty() {
            write!(out, "{}: ", self.position.path)?;
        }
        write!(out, "{}", self.fault)?;
        if let Some((line, column)) = self.position.line_column {
            write!(out, " at line {line} column {column}")?;
        }
        Ok(())
    }
}
