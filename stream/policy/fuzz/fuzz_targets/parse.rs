//! Fuzz target: see `cases/parse.rs`.

#![no_main]

#[path = "../cases/parse.rs"]
mod case;

libfuzzer_sys::fuzz_target!(|data: &[u8]| case::run(data));
