//! Scanning files: find, read on all cores, judge, write in input order.
pub mod in_order;
pub mod inputs;
pub mod source;
