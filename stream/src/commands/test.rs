//! `detector test`: the tests written beside the rules.

use std::io::{self, Write};

use anyhow::Result;
use detection::run_tests;

use super::{ConfigArgs, ConfigFiles, Exit, NotLoaded};

/// Runs every test; a failure prints where it stands and which condition did not hold.
pub fn run(args: &ConfigArgs) -> Result<Exit> {
    let files = ConfigFiles::read(args)?;
    let (faults, loaded) = files.load();
    let Some((rules, _)) = loaded else { return Err(NotLoaded::Faults(faults).into()) };
    let mut out = io::stdout().lock();
    let results = run_tests(&rules);
    let (file, _) = files.names();
    for result in &results {
        if let Some(failure) = &result.failure {
            writeln!(out, "{file}:{}: {} / {}: {failure}", result.at.line, result.rule, result.test)?;
        }
    }
    for rule in rules.rules() {
        let matching = rule.tests().iter().filter(|test| test.expects_match()).count();
        if matching == 0 || matching == rule.tests().len() {
            let line = rule.at().line;
            writeln!(out, "{file}:{line}: {}: give it a test that matches and one that does not", rule.name())?;
        }
    }
    let failed = results.iter().filter(|result| result.failure.is_some()).count();
    writeln!(out, "{} rules, {} passed, {failed} failed", rules.rules().len(), results.len() - failed)?;
    Ok(if failed == 0 { Exit::Done } else { Exit::Found })
}
