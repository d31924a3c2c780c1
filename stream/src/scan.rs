//! Scanning files: find, read on all cores, judge, write in input order, sum up.

pub mod in_order;
pub mod inputs;
pub mod judge;
pub mod source;
pub mod summary;
pub mod writer;
