//! Fuzz target: see `cases/questions.rs`.

#![no_main]

#[path = "../cases/questions.rs"]
mod case;

libfuzzer_sys::fuzz_target!(|data: &[u8]| case::run(data));
