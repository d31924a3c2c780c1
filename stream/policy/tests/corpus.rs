//! The fuzz corpus, replayed without a fuzzer: what the targets assert holds for every kept input.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail loudly")]

#[path = "../fuzz/cases/compare.rs"]
mod compare_case;
#[path = "../fuzz/cases/decide.rs"]
mod decide_case;
#[path = "../fuzz/cases/parse.rs"]
mod parse_case;
#[path = "../fuzz/cases/questions.rs"]
mod questions_case;

use std::path::Path;

use policy::Decision;

fn inputs(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let files = std::fs::read_dir(folder).unwrap();
    files.map(|file| std::fs::read(file.unwrap().path()).unwrap()).collect()
}

#[test]
fn kept_documents_are_read_and_judged() {
    let inputs = inputs("parse");
    assert!(inputs.len() >= 12);
    for data in inputs {
        parse_case::run(&data);
        questions_case::run(&data);
    }
}

#[test]
fn what_is_allowed_in_kept_inputs_is_granted() {
    let decisions: Vec<Decision> = inputs("decide").iter().filter_map(|data| decide_case::run(data)).collect();
    let allowed = decisions.iter().filter(|decision| **decision == Decision::Allow).count();
    assert!(decisions.len() >= 12 && allowed >= 4, "{allowed} of {} allowed", decisions.len());
}

#[test]
fn kept_pairs_of_documents_compare_as_decided() {
    let inputs = inputs("compare");
    assert!(inputs.len() >= 30);
    for data in inputs {
        compare_case::run(&data);
    }
}

#[test]
fn five_thousand_random_pairs_compare_as_decided() {
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
