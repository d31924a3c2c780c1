//! Reads AWS IAM policies as IAM does: what a document grants, to whom, and whether that is more than before.
//!
//! [`Policy::parse`] turns text into a [`Policy`] and never fails: what is wrong with the text is in
//! [`Policy::malformed`], and where it is ambiguous the dangerous reading counts. Then ask:
//!
//! - [`decide`]: one request, allowed or denied? [`decide_together`]: by identity, boundary and organization.
//! - [`Policy::grants`], [`Policy::full_admin`], [`Policy::wildcard_services`] and their kin: what is granted
//!   on at least one resource? Each answer is a [`Finding`] with evidence, and is *must* (whatever the
//!   conditions) or only *may*.
//! - [`Policy::escalations`]: which of the 89 known ways to raise one's own privilege are open?
//! - [`Policy::exposure`]: who else does a trust or resource policy let in?
//! - [`compare()`]: does the new document grant anything the old one did not?
//! - [`explain()`] says it in sentences, [`answer()`] as JSON lines.
//!
//! Pure: no input or output, no clock, no randomness, no other crate of this project. Work on any document
//! is bounded; where a limit ends a search the answer is *may*, never "clean". The sources of the semantics
//! and the disagreements with labels of others are in LABELS.md.
//!
//! Read `document` first, then `pattern`, `decide`, `grants`, `methods`.

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
mod glob;
mod grants;
mod guard;
mod malformed;
mod methods;
mod names;
mod pattern;
mod questions;
mod reach;
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
