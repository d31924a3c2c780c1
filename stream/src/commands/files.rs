//! The configuration files of a command-line run, or the ones that ship inside the program.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::{fs, io};

use anyhow::{Context as _, ensure};
use detection::yaml::{Fault, Level, MAX_FILE_BYTES};
use detection::{RuleSet, Suppressions};

use super::ConfigArgs;
use crate::policies::{PoliciesError, PolicyLibrary};

/// The rules that ship, so that a first run needs no file.
const SHIPPED_RULES: &str = include_str!("../../../config/rules.yaml");
/// The suppressions that ship: none.
const SHIPPED_SUPPRESSIONS: &str = include_str!("../../../config/suppress.yaml");

/// Names and texts of the files, before anything is made of them.
#[derive(Debug)]
pub struct ConfigFiles {
    rules: Named,
    suppress: Named,
    policies: Option<PathBuf>,
}

#[derive(Debug)]
struct Named {
    name: String,
    text: String,
}

/// Everything a run judges with.
#[derive(Debug)]
pub struct Loaded {
    /// The rules.
    pub rules: RuleSet,
    /// The suppressions.
    pub suppressions: Suppressions,
    /// Documents that events only name.
    pub policies: PolicyLibrary,
}

/// Why the configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum NotLoaded {
    /// A file is missing or unreadable.
    #[error("cannot read {what} {}: {reason}", path.display())]
    Unreadable {
        /// Rules, suppressions, ...
        what: &'static str,
        /// Which.
        path: PathBuf,
        /// What the system says.
        reason: String,
    },
    /// Files with faults, all of them.
    #[error("the configuration has faults; nothing was done")]
    Faults(Vec<Fault>),
    /// The policy documents.
    #[error(transparent)]
    Policies(#[from] PoliciesError),
}

impl ConfigFiles {
    /// Reads the files that the arguments name; what they do not name ships with the program.
    ///
    /// A folder must have `rules.yaml`; `suppress.yaml` may be missing, as no suppressions are a safe default.
    pub fn read(args: &ConfigArgs) -> Result<ConfigFiles, NotLoaded> {
        let in_folder = |name: &str| args.config.as_ref().map(|folder| folder.join(name));
        let rules = match args.rules.clone().or_else(|| in_folder("rules.yaml")) {
            Some(path) => read_file("rules", &path)?,
            None => shipped("the shipped config/rules.yaml", SHIPPED_RULES),
        };
        let suppress = match (&args.suppress, in_folder("suppress.yaml").filter(|path| path.exists())) {
            (Some(path), _) => read_file("suppressions", path)?,
            (None, Some(path)) => read_file("suppressions", &path)?,
            (None, None) => shipped("the shipped config/suppress.yaml", SHIPPED_SUPPRESSIONS),
        };
        Ok(ConfigFiles { rules, suppress, policies: args.policies.clone() })
    }

    /// Every fault and warning of both files, in one pass, and what could be made of them.
    pub fn load(&self) -> (Vec<Fault>, Option<(RuleSet, Suppressions)>) {
        let mut faults = Vec::new();
        let rules = RuleSet::load(&self.rules.text, &self.rules.name);
        let known = rules.as_ref().ok();
        let suppressions = Suppressions::load(&self.suppress.text, &self.suppress.name, known);
        faults.extend(rules.as_ref().map_or_else(Clone::clone, |rules| rules.warnings().to_vec()));
        faults.extend(suppressions.as_ref().map_or_else(Clone::clone, |entries| entries.warnings().to_vec()));
        (faults, rules.ok().zip(suppressions.ok()))
    }

    /// Names of the files, for messages.
    pub fn names(&self) -> (&str, &str) {
        (&self.rules.name, &self.suppress.name)
    }
}

impl Loaded {
    /// Reads and checks everything; warnings do not stand in the way.
    pub fn from_args(args: &ConfigArgs) -> Result<Loaded, NotLoaded> {
        let files = ConfigFiles::read(args)?;
        let (faults, loaded) = files.load();
        let errors: Vec<Fault> = faults.into_iter().filter(|fault| fault.level == Level::Error).collect();
        let Some((rules, suppressions)) = loaded else { return Err(NotLoaded::Faults(errors)) };
        let policies = match &files.policies {
            Some(path) => PolicyLibrary::load(path)?,
            None => PolicyLibrary::default(),
        };
        Ok(Loaded { rules, suppressions, policies })
    }
}

/// A file whole, or standard input for `-`. One of more than `most` bytes is refused with `advice`.
pub(super) fn read_whole(path: &Path, most: u64, advice: &str) -> anyhow::Result<Vec<u8>> {
    let is_stdin = path.as_os_str() == "-";
    let name = if is_stdin { "standard input".to_owned() } else { path.display().to_string() };
    let mut bytes = Vec::new();
    let read = match is_stdin {
        true => io::stdin().lock().take(most + 1).read_to_end(&mut bytes),
        false => fs::File::open(path).and_then(|file| file.take(most + 1).read_to_end(&mut bytes)),
    };
    read.with_context(|| format!("reading {name}"))?;
    ensure!(bytes.len() as u64 <= most, "{name} is larger than {most} bytes: {advice}");
    Ok(bytes)
}

fn shipped(name: &str, text: &str) -> Named {
    Named { name: name.to_owned(), text: text.to_owned() }
}

fn read_file(what: &'static str, path: &Path) -> Result<Named, NotLoaded> {
    let unreadable = |reason: String| NotLoaded::Unreadable { what, path: path.to_path_buf(), reason };
    let size = fs::metadata(path).map_err(|error| unreadable(crate::scan::inputs::describe(&error)))?.len();
    if size > MAX_FILE_BYTES as u64 {
        return Err(unreadable(format!("{size} bytes, more than the {MAX_FILE_BYTES} that a configuration may have")));
    }
    let text = fs::read_to_string(path).map_err(|error| unreadable(error.to_string()))?;
    Ok(Named { name: path.display().to_string(), text })
}
