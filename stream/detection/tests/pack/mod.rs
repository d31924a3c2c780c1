//! The rules we ship.

#![allow(clippy::unwrap_used, clippy::panic)] // helpers of tests are tests, too

use std::path::Path;

use detection::RuleSet;

/// The rules of `config/rules.yaml`.
pub(crate) fn shipped_rules() -> RuleSet {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config/rules.yaml");
    let text = std::fs::read_to_string(path).unwrap();
    RuleSet::load(&text, "config/rules.yaml").unwrap_or_else(|faults| panic!("{faults:#?}"))
}
