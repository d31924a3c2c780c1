//! Each broken file beside its faults: `<name>.yaml` and the lines that `detector check` prints, in `<name>.txt`.

#![allow(clippy::unwrap_used, clippy::panic)] // helpers of tests are tests, too

use detection::yaml::Fault;
use detection::{RuleSet, Suppressions};
use std::path::Path;

const RULES_FOR_SUPPRESSIONS: &str =
    "rules: [{name: Good, description: d, severity: LOW, action: log, conditions: {event_names: [CreateUser]}}]";

fn faults_of(name: &str, text: &str) -> Vec<Fault> {
    if name.starts_with("suppress") {
        let rules = RuleSet::load(RULES_FOR_SUPPRESSIONS, "rules.yaml").unwrap();
        return Suppressions::load(text, name, Some(&rules)).map_or_else(|faults| faults, |s| s.warnings().to_vec());
    }
    RuleSet::load(text, name).map_or_else(|faults| faults, |set| set.warnings().to_vec())
}

#[test]
fn every_fault_of_a_file_is_told_in_one_pass_with_its_line() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/faults");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    files.sort();
    assert!(files.len() >= 6, "the data is missing");
    let mut differences = Vec::new();
    for path in files {
        let name = path.file_name().unwrap().to_str().unwrap();
        let told: Vec<String> =
            faults_of(name, &std::fs::read_to_string(&path).unwrap()).iter().map(ToString::to_string).collect();
        let told = told.join("\n") + "\n";
        let expected = std::fs::read_to_string(path.with_extension("txt")).unwrap_or_default();
        if told != expected {
            differences.push(format!("--- {name}: expected\n{expected}--- told\n{told}"));
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}
