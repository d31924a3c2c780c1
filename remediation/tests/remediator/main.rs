//! The remediator as it runs in AWS: the real program behind the Lambda Runtime API and on the command line; IAM, STS, S3,
//! SQS, EventBridge and CloudWatch of a stand-in that others wrote; a proxy that fails on plan in between. See `local_aws`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)] // helpers of tests

mod actions;
mod closed;
mod command_line;
mod crashes;
mod details;
mod lake;
mod once;
mod pages;
mod rates;
mod sessions;
mod units;
mod versions;
mod world;
