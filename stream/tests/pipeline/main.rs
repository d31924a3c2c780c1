//! The detector as it runs in AWS: the real program behind the Lambda Runtime API, the event source mapping in front of
//! it, S3, EventBridge, SQS, SNS, IAM and CloudWatch of a stand-in that others wrote behind it, and a proxy that fails on
//! plan in between. See crate `local_aws`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)] // helpers are tests, too

mod by_hand;
mod configuration;
mod crashes;
mod documents;
mod end_to_end;
mod envelopes;
mod faults;
mod lambda;
mod poison;
mod records;
mod rule_errors;
mod world;
