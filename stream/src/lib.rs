//! stream
#![allow(missing_docs)]
pub mod scan;
