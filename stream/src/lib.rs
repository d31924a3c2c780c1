//! The programs around the detection core: files, streams and AWS in, a lake and messages out.
//!
//! Nothing here decides whether an event breaks a rule; that is crate `detection`. Read [`scan`] for files and
//! [`commands`] for the command line.

pub mod aws;
pub mod backoff;
pub mod bus;
pub mod commands;
pub mod compactor;
pub mod documents;
pub mod kinesis;
pub mod lambda;
pub mod live;
pub mod metrics;
pub mod notify;
pub mod policies;
pub mod poll;
pub mod replay;
pub mod scan;
pub mod settings;
