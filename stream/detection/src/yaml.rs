//! Configuration files in YAML, read so that a person can repair them: every fault of a file in one pass, with its line.
//!
//! [`parse`] turns text into a tree of [`Node`]s that know where they stand; [`Fields`] takes a map apart and collects
//! what is wrong into [`Faults`]. Nothing is skipped quietly: an unknown key, a repeated key and a wrong type are faults.
//! Serves rules.yaml, suppress.yaml and notification-config.yaml.

mod fault;
mod fields;
mod node;

pub use fault::{At, Fault, Faults, Level, closest};
pub(crate) use fields::choose;
pub use fields::{Fields, Text};
pub use node::{Entry, MAX_FILE_BYTES, MAX_NODES, Node, Scalar, Tree, parse};
