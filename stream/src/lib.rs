//! stream
#![allow(missing_docs)]
pub mod scan;
pub mod notify;
pub mod aws;
pub mod backoff;
pub mod lambda;
pub mod settings;
