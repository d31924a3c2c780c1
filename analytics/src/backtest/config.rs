//! Rules and suppressions of both sides, with every fault of every file told at once.

use std::fs;
use std::path::Path;

use detection::yaml::{Fault, Level, MAX_FILE_BYTES};
use detection::{RuleSet, Suppressions};

use crate::args::BacktestArgs;
use crate::error::AnalyticsError;

/// What judges one side.
#[derive(Debug)]
pub(crate) struct Side {
    /// File of the rules, as it was named.
    pub(super) file: String,
    pub(super) rules: RuleSet,
    pub(super) suppressions: Suppressions,
}

/// What judges both sides.
#[derive(Debug)]
pub(crate) struct Config {
    /// The rules to try.
    pub(super) new: Side,
    /// The rules to compare with; absent when the lake says what was before.
    pub(super) old: Option<Side>,
}

impl Config {
    /// Reads the files that the command line names.
    pub(crate) fn read(args: &BacktestArgs) -> Result<Config, AnalyticsError> {
        let mut faults = Vec::new();
        let new = side(&args.rules, args.suppress.as_deref(), &mut faults);
        let of_old = args.against_suppress.as_deref().or(args.suppress.as_deref());
        let old = args.against.as_ref().map(|path| side(path, of_old, &mut faults));
        faults.dedup();
        match (new, old) {
            (Some(new), None) => Ok(Config { new, old: None }),
            (Some(new), Some(Some(old))) => Ok(Config { new, old: Some(old) }),
            _ => Err(AnalyticsError::Config(faults.join("\n"))),
        }
    }

    /// Every event name that a rule of either side wants.
    pub(super) fn event_names(&self) -> impl Iterator<Item = &str> {
        let old = self.old.iter().flat_map(|side| side.rules.event_names());
        self.new.rules.event_names().chain(old)
    }
}

/// Suppressions of a file, for themselves.
pub(crate) fn suppressions_of(path: &Path) -> Result<Suppressions, AnalyticsError> {
    let mut faults = Vec::new();
    let name = path.display().to_string();
    let loaded = read(path, &mut faults).and_then(|text| settled(Suppressions::load(&text, &name, None), &mut faults));
    loaded.ok_or_else(|| AnalyticsError::Config(faults.join("\n")))
}

fn side(rules: &Path, suppress: Option<&Path>, faults: &mut Vec<String>) -> Option<Side> {
    let file = rules.display().to_string();
    let text = read(rules, faults);
    let loaded = text.and_then(|text| settled(RuleSet::load(&text, &file), faults));
    let suppressions = match suppress {
        None => Some(Suppressions::default()),
        Some(path) => read(path, faults)
            .and_then(|text| settled(Suppressions::load(&text, &path.display().to_string(), loaded.as_ref()), faults)),
    };
    Some(Side { file, rules: loaded?, suppressions: suppressions? })
}

fn settled<T>(loaded: Result<T, Vec<Fault>>, faults: &mut Vec<String>) -> Option<T> {
    let errors = |found: Vec<Fault>| found.into_iter().filter(|fault| fault.level == Level::Error);
    loaded.map_err(|found| faults.extend(errors(found).map(|fault| fault.to_string()))).ok()
}

fn read(path: &Path, faults: &mut Vec<String>) -> Option<String> {
    let name = path.display();
    let text = match fs::metadata(path) {
        Ok(about) if about.len() > MAX_FILE_BYTES as u64 => {
            Err(format!("{name}: error: more than the {MAX_FILE_BYTES} bytes that a configuration may have"))
        }
        Ok(_) => fs::read_to_string(path).map_err(|error| format!("{name}: error: cannot be read: {error}")),
        Err(error) => Err(format!("{name}: error: cannot be read: {error}")),
    };
    text.map_err(|fault| faults.push(fault)).ok()
}
