//! People are told: SNS, Slack, metrics and the audit log, each from the events of the bus.
//!
//! ```text
//! payload -> intake -> BusEvent -> sns::message      -> one message for each event
//!                               -> slack             -> messages, storms and digests
//!                               -> points::points    -> CloudWatch
//!                               -> audit::row        -> Firehose or a folder
//! ```
//! Rendering and deciding are pure; what cannot be read is a dead letter, what cannot be sent goes back to the queue.

pub mod audit;
pub mod batches;
pub mod command;
pub mod event;
pub mod intake;
pub mod points;
pub mod programs;
pub mod run;
pub mod sample;
pub mod slack;
pub mod sns;
pub mod text;
pub mod wording;
