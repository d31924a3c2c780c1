//! AWS on this machine, for tests: nothing here is a mock of our own code.
//!
//! - [`LocalAws`] starts MiniStack, a stand-in that others wrote, on a free port and stops it when dropped.
//!   For the calls of IAM that it does not know there is [`LocalAws::start_moto`].
//! - [`Function`] runs one of our real programs as Lambda does: behind the Lambda Runtime API, with a deadline.
//! - [`Proxy`] stands between a program and the stand-in and fails on plan: by service, operation and count.
//! - [`Mapping`] is the Kinesis event source mapping. MiniStack's own ignores `batchItemFailures`, bisecting, retry and
//!   age limits, so this one is a model of ours, written after AWS's documentation and tested against its sentences in
//!   `tests/mapping.rs`.
//!
//! ```text
//! test -> LocalAws (Kinesis) -> Mapping -> Function (our program) -> Proxy -> LocalAws (S3, EventBridge, SQS, ...)
//! ```

mod client;
mod function;
mod http;
mod mapping;
mod proxy;
mod resources;
mod server;

pub use client::Reply;
pub use function::{Function, FunctionError, Killer};
pub use mapping::{Drained, Failed, Mapping, Record, kinesis_event};
pub use proxy::{Call, Fault, Proxy};
pub use resources::{Queue, wait_until};
pub use server::{ACCOUNT, LocalAws, REGION};
