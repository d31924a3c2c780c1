//! Reads AWS IAM policies as IAM does. (being written)
mod answer;
mod automaton;
pub mod catalogue;
mod compare;
mod condition;
mod decide;
mod document;
mod explain;
mod exposure;
mod federation;
mod grants;
mod guard;
mod malformed;
mod methods;
mod names;
mod pattern;
mod questions;
mod read;
mod request;
mod restriction;
mod targets;
mod time;
mod witness;

pub use answer::{MAX_LINE_BYTES, answer};
pub use compare::{AccessChange, Answer, Comparer, Reason, Relation, Witness, compare};
pub use decide::{Decision, Documents, decide, decide_together};
pub use document::{
    Comparison, Condition, Effect, Kind, Operator, Policy, Principal, Quantifier, Scope, Service, Statement, Test,
    Version,
};
pub use explain::explain;
pub use exposure::{Exposure, Surroundings};
pub use grants::{Certainty, Evidence, Finding};
pub use guard::Guard;
pub use malformed::{Fault, Malformed, Position};
pub use methods::{Escalations, Method, MethodSet, method, methods};
pub use names::ActionNames;
pub use pattern::{MAX_PATTERN_BYTES, Pattern, Token, Variable};
pub use read::Limits;
pub use request::{Caller, Context, Request};
