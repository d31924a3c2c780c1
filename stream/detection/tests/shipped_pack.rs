//! The rules we ship: they load without a word, say what they are for, and do what their own tests promise.

mod pack;

use detection::{
    Arrival, CloudTrailEvent, Documents, Judges, Rule, Suppressions, TestResult, complete, decide, run_tests,
};
use pack::shipped_rules;
use serde_json::Value;

fn names<'r>(rules: impl Iterator<Item = &'r Rule>) -> Vec<&'r str> {
    rules.map(Rule::name).collect()
}

#[test]
fn the_pack_loads_without_a_warning_and_is_large_enough() {
    let rules = shipped_rules();
    assert_eq!(rules.warnings(), []);
    assert!(rules.rules().len() >= 45, "{} rules", rules.rules().len());
}

#[test]
fn every_rule_says_what_it_sees_and_what_to_do_first() {
    let rules = shipped_rules();
    let sentence = |text: &str| text.ends_with('.') && text.len() > 30 && !text.contains("://");
    let silent = rules.rules().iter().filter(|rule| {
        !sentence(rule.description()) || rule.mitre().is_empty() || !rule.runbook().is_some_and(sentence)
    });
    assert_eq!(names(silent), [""; 0]);
}

#[test]
fn every_rule_has_a_test_that_matches_and_one_that_does_not() {
    let rules = shipped_rules();
    let untested = rules
        .rules()
        .iter()
        .filter(|rule| [true, false].iter().any(|kind| !rule.tests().iter().any(|test| test.expects_match() == *kind)));
    assert_eq!(names(untested), [""; 0]);
}

#[test]
fn every_test_of_the_pack_passes() {
    let results = run_tests(&shipped_rules());
    let told = |result: &TestResult| {
        let failure = result.failure.as_ref()?;
        Some(format!("line {}: {}, {}: {failure}", result.at.line, result.rule, result.test))
    };
    let failed: Vec<String> = results.iter().filter_map(told).collect();
    assert!(failed.is_empty(), "{} of {} failed:\n{}", failed.len(), results.len(), failed.join("\n"));
}

const EVERYDAY: &str = include_str!("data/everyday.jsonl");

#[test]
fn everyday_work_is_quiet() {
    let (rules, suppressions) = (shipped_rules(), Suppressions::default());
    let judges = Judges { rules: &rules, suppressions: &suppressions };
    let mut told = Vec::new();
    for line in EVERYDAY.lines() {
        let case: Value = serde_json::from_str(line).unwrap();
        let text = complete(&case["event"], &[]).unwrap_or_else(|error| panic!("{error}: {line}"));
        let event = CloudTrailEvent::parse(&text, None).unwrap();
        let decided = decide(&event, judges, &Documents::none(), Arrival::default());
        told.extend(
            decided.violations.iter().map(|row| format!("{}: {} {}", case["why"], row.rule_name, row.evidence)),
        );
    }
    assert!(EVERYDAY.lines().count() >= 60, "the data is missing");
    assert_eq!(told, [""; 0]);
}

#[test]
fn every_rule_stands_in_the_table_of_the_documentation() {
    let table = include_str!("../../../config/README.md");
    let rules = shipped_rules();
    let row = |rule: &Rule| {
        let action = format!("{:?}", rule.action()).to_lowercase();
        format!("| {} | {} | {action} | {} |", rule.name(), rule.severity().as_str(), rule.description())
    };
    let missing: Vec<String> = rules.rules().iter().map(row).filter(|row| !table.contains(row.as_str())).collect();
    assert_eq!(missing, [""; 0]);
    let tests: usize = rules.rules().iter().map(|rule| rule.tests().len()).sum();
    assert!(table.contains(&format!("{} rules with {tests} tests.", rules.rules().len())), "{tests} tests");
}
