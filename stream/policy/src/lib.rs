//! Reads AWS IAM policies as IAM does. (being written)
mod document;
mod malformed;
mod pattern;
mod read;

pub use document::{
    Comparison, Condition, Effect, Kind, Operator, Policy, Principal, Quantifier, Scope, Service, Statement, Test,
    Version,
};
pub use malformed::{Fault, Malformed, Position};
pub use pattern::{MAX_PATTERN_BYTES, Pattern, Token, Variable};
pub use read::Limits;
