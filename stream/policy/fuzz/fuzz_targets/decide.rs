//! Fuzz target: see `cases/decide.rs`.

#![no_main]

#[path = "../cases/decide.rs"]
mod case;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    case::run(data);
});
