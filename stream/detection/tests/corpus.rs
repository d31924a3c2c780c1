//! Data in, data out: each folder of `corpus` is an event and the verdicts on it.
//!
//! `event.json` is what CloudTrail sent; `expected.json` the columns that matter of each expected row, and the rules that
//! could not be decided. Optional: `rules.yaml` (else the one of `corpus`), `suppress.yaml`, and `documents.json` with the
//! documents `after` and `before` the event that a caller would have fetched.

#![allow(clippy::unwrap_used, clippy::panic)] // helpers of tests are tests, too

use detection::{Arrival, CloudTrailEvent, Documents, Judges, Moment, RuleSet, Suppressions, change, decide};
use serde_json::Value;
use std::fs::read_to_string;
use std::path::{Path, PathBuf};

fn text(folder: &Path, file: &str) -> Option<String> {
    read_to_string(folder.join(file)).ok()
}

fn cases() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
    let mut cases: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.retain(|path| path.is_dir());
    cases.sort();
    cases
}

fn judge(case: &Path) -> (Vec<Value>, Vec<String>) {
    let rules = text(case, "rules.yaml").or_else(|| text(case.parent().unwrap(), "rules.yaml")).unwrap();
    let rules = RuleSet::load(&rules, "rules.yaml").unwrap_or_else(|faults| panic!("{case:?}: {faults:#?}"));
    let suppressions = text(case, "suppress.yaml").unwrap_or_default();
    let suppressions = Suppressions::load(&suppressions, "suppress.yaml", Some(&rules)).unwrap();
    let raw = text(case, "event.json").unwrap();
    let event = CloudTrailEvent::parse(&raw, None).unwrap();
    let given: Value = text(case, "documents.json").map_or(Value::Null, |text| serde_json::from_str(&text).unwrap());
    let mut documents = Documents::none();
    for request in rules.needs(&event, change(&event).as_ref()) {
        let side = if request.moment == Moment::After { "after" } else { "before" };
        if let Some(document) = given.get(side).and_then(Value::as_str) {
            documents.insert(request, Some(document.to_owned()));
        }
    }
    let judges = Judges { rules: &rules, suppressions: &suppressions };
    let decided = decide(&event, judges, &documents, Arrival::default());
    assert_eq!(decided.errors, [], "{case:?}");
    let rows = decided.violations.iter().map(|row| serde_json::to_value(row).unwrap()).collect();
    (rows, decided.undecided)
}

#[test]
fn every_event_of_the_corpus_gets_the_expected_verdicts() {
    let cases = cases();
    assert!(cases.len() >= 15, "the data is missing");
    let mut differences = Vec::new();
    for case in cases {
        let name = case.file_name().unwrap().to_string_lossy().into_owned();
        let expected: Value = serde_json::from_str(&text(&case, "expected.json").unwrap()).unwrap();
        let (rows, undecided) = judge(&case);
        let wanted = expected["violations"].as_array().unwrap();
        let names = |rows: &[Value]| rows.iter().map(|row| row["rule_name"].to_string()).collect::<Vec<_>>();
        if names(wanted) != names(&rows) {
            differences.push(format!("{name}: expected {:?}, found {:?}", names(wanted), names(&rows)));
        }
        if serde_json::json!(undecided) != expected["undecided"] {
            differences.push(format!("{name}: undecided are {undecided:?}, not {}", expected["undecided"]));
        }
        for (wanted, row) in wanted.iter().zip(&rows) {
            for (column, value) in wanted.as_object().unwrap() {
                if row[column] != *value {
                    differences.push(format!("{name}: {column} is {}, not {value}", row[column]));
                }
            }
        }
    }
    assert!(differences.is_empty(), "\n{}", differences.join("\n"));
}
