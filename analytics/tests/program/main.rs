//! The program on lakes in temporary folders, written through crate `lake` as the detector writes them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod backtest;
mod broken_files;
mod compact;
mod copies;
mod errors;
mod fixture;
mod golden;
mod principal;
mod report;
mod sql;
mod tables;
mod verify;
mod views;
