//! Replays the fuzz corpus of `compare`, and many random inputs of the same form.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

#[path = "../fuzz/compare_case.rs"]
mod compare_case;

use std::path::Path;

#[test]
fn every_input_of_the_corpus_holds() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/compare");
    let mut inputs = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        compare_case::run(&std::fs::read(entry.unwrap().path()).unwrap());
        inputs += 1;
    }
    assert!(inputs >= 30, "{inputs}");
}

#[test]
fn five_thousand_random_inputs_hold() {
    let mut state = 0xC04D_A7E5_EED0_u64;
    for _ in 0..5_000 {
        let mut input = vec![1];
        for _ in 0..8 {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            input.extend(state.to_le_bytes());
        }
        compare_case::run(&input);
    }
}
