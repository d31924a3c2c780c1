//! Fuzz target: see `cases/compare.rs`.

#![no_main]

#[path = "../cases/compare.rs"]
mod case;

libfuzzer_sys::fuzz_target!(|data: &[u8]| case::run(data));
