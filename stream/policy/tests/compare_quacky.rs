//! `compare` against labels of an SMT solver: see `tests/compare/SOURCE.md`.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "helpers of tests"
)]

use std::io::Read;

use policy::{Answer, Comparer, Kind, Policy, Service};

#[derive(serde::Deserialize)]
struct Pair {
    name: String,
    old: serde_json::Value,
    new: serde_json::Value,
    new_access: bool,
    lost_access: bool,
}

/// Pairs judged otherwise than labelled. In all of them the mutation has lost the `Version` of the document it was
/// made from. Without it `${aws:username}` is plain text and no longer the name of the user, so the condition on the
/// owner means something else; to the solver both are the same text.
const DISAGREEMENTS: [&str; 4] = ["0_0", "0_3", "3_3", "6_3"];
const DISAGREEING_FAMILY: &str = "mutations/ec2/exp_single/ec2_allow_ebs_volume_owners/policy/";

fn pairs() -> Vec<Pair> {
    let mut text = String::new();
    let packed = include_bytes!("compare/quacky.jsonl.gz");
    flate2::read::GzDecoder::new(packed.as_slice()).read_to_string(&mut text).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn read(document: &serde_json::Value) -> Policy {
    let text = document.to_string();
    let kind = if text.contains("Principal") { Kind::Resource(Service::S3) } else { Kind::Identity };
    Policy::parse(&text, kind)
}

#[test]
fn every_labelled_pair_is_judged_as_the_solver_did() {
    let mut comparer = Comparer::default();
    let (mut agreed, mut unknown, mut disagreed) = (0, 0, Vec::new());
    let pairs = pairs();
    for pair in &pairs {
        let (old, new) = (read(&pair.old), read(&pair.new));
        let change = comparer.compare(&old, &new);
        let directions =
            [(&change.new_access, pair.new_access, &old, &new), (&change.lost_access, pair.lost_access, &new, &old)];
        for (answer, label, less, more) in directions {
            match answer {
                Answer::Unknown(_) => unknown += 1,
                Answer::Yes(witness) if label => {
                    agreed += 1;
                    // Where values depend on a policy variable the context is described, not listed.
                    let open = !witness.is_complete();
                    let shown = open || (witness.is_granted_by(more) && !witness.is_granted_by(less));
                    assert!(shown, "{}: {witness:?}\nold {}\nnew {}", pair.name, pair.old, pair.new);
                }
                Answer::No if !label => agreed += 1,
                other => disagreed.push((pair.name.as_str(), format!("{other:?}, label {label}"))),
            }
        }
    }
    println!("{} pairs: {agreed} answers agree, {unknown} unknown, {} disagree", pairs.len(), disagreed.len());
    for (name, text) in &disagreed {
        println!("{name}: {text}");
    }
    let mut names: Vec<&str> = disagreed.iter().map(|(name, _)| *name).collect();
    names.dedup();
    assert_eq!(names, DISAGREEMENTS.map(|name| format!("{DISAGREEING_FAMILY}{name}")));
    assert_eq!(unknown, 0);
    assert_eq!(agreed + disagreed.len(), 2 * pairs.len());
}
