//! Each limit of the rules files, at the limit and one past it.

use detection::{MAX_NAME_CHARS, MAX_RULES, MAX_SUPPRESSIONS, RuleSet, Suppressions};

fn rule(name: &str) -> String {
    format!(
        "- {{name: {name}, description: d, severity: LOW, action: log, conditions: {{event_names: [CreateUser]}}}}\n"
    )
}

fn file(rules: usize) -> String {
    format!("rules:\n{}", (0..rules).map(|number| rule(&format!("R{number}"))).collect::<String>())
}

#[test]
fn as_many_rules_as_allowed_load_and_one_more_does_not() {
    assert!(RuleSet::load(&file(MAX_RULES), "f").is_ok());
    let faults = RuleSet::load(&file(MAX_RULES + 1), "f").unwrap_err();
    assert!(faults[0].message.contains("over the limit"), "{faults:?}");
}

#[test]
fn as_many_suppressions_as_allowed_load_and_one_more_does_not() {
    let file = |entries: usize| format!("suppressions:\n{}", "- {conditions: {accounts: ['*']}}\n".repeat(entries));
    assert!(Suppressions::load(&file(MAX_SUPPRESSIONS), "f", None).is_ok());
    assert!(Suppressions::load(&file(MAX_SUPPRESSIONS + 1), "f", None).is_err());
}

#[test]
fn a_name_as_long_as_allowed_loads_and_one_letter_more_does_not() {
    let file = |letters: usize| format!("rules:\n{}", rule(&"ä".repeat(letters)));
    assert!(RuleSet::load(&file(MAX_NAME_CHARS), "f").is_ok());
    assert!(RuleSet::load(&file(MAX_NAME_CHARS + 1), "f").is_err());
}

#[test]
fn policy_conditions_nest_to_the_limit_and_no_deeper() {
    // The map under `policy` is level 0, so that sixteen more may follow.
    let file = |levels: usize| {
        let nested = format!("{}{{full_admin: true}}{}", "{not: ".repeat(levels), "}".repeat(levels));
        let conditions = format!("{{event_names: [PutUserPolicy], policy: {nested}}}");
        format!("rules:\n- {{name: Deep, description: d, severity: LOW, action: log, conditions: {conditions}}}\n")
    };
    assert!(RuleSet::load(&file(16), "f").is_ok());
    let faults = RuleSet::load(&file(17), "f").unwrap_err();
    assert!(faults[0].message.contains("nest deeper"), "{faults:?}");
}
