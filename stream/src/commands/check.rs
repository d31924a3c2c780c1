//! `detector check`: every fault of the configuration files in one pass.

use std::io::{self, Write};

use anyhow::Result;
use detection::yaml::Level;

use super::{ConfigArgs, ConfigFiles, Exit};

/// Prints each fault as `file:line:column: error: ...`, the form editors and CI systems link.
pub fn run(args: &ConfigArgs) -> Result<Exit> {
    let files = ConfigFiles::read(args)?;
    let (faults, loaded) = files.load();
    let mut out = io::stdout().lock();
    for fault in &faults {
        writeln!(out, "{fault}")?;
    }
    let errors = faults.iter().filter(|fault| fault.level == Level::Error).count();
    let warnings = faults.len() - errors;
    match loaded {
        Some((rules, suppressions)) => {
            let (rules_name, suppress_name) = files.names();
            let tests: usize = rules.rules().iter().map(|rule| rule.tests().len()).sum();
            writeln!(out, "{rules_name}: {} rules with {tests} tests", rules.rules().len())?;
            writeln!(out, "{suppress_name}: {} suppressions", suppressions.entries().len())?;
            writeln!(out, "no errors, {warnings} warnings")?;
            Ok(Exit::Done)
        }
        None => {
            writeln!(out, "{errors} errors, {warnings} warnings: this configuration would be refused")?;
            Ok(Exit::Usage)
        }
    }
}
