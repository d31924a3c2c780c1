//! Fuzz target: `compare` on two documents.

#![no_main]

#[path = "../compare_case.rs"]
mod compare_case;

libfuzzer_sys::fuzz_target!(|data: &[u8]| compare_case::run(data));
