//! Reads AWS IAM policies as IAM does. (being written)
mod automaton;
mod condition;
mod decide;
mod document;
mod malformed;
mod pattern;
mod read;
mod request;
mod time;

pub use decide::{Decision, Documents, decide, decide_together};
pub use document::{
    Comparison, Condition, Effect, Kind, Operator, Policy, Principal, Quantifier, Scope, Service, Statement, Test,
    Version,
};
pub use malformed::{Fault, Malformed, Position};
pub use pattern::{MAX_PATTERN_BYTES, Pattern, Token, Variable};
pub use read::Limits;
pub use request::{Caller, Context, Request};
