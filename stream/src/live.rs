//! Rules and suppressions of a running detector: read from S3 or a folder, looked at again now and then, and never
//! replaced by something broken.
//!
//! What was accepted last is kept beside the lake (`config/last-good/`), so that a cold start with a broken file in place
//! has something to go by.

use std::sync::Arc;
use std::time::{Duration, Instant};

use detection::yaml::{Fault, MAX_FILE_BYTES};
use detection::{Interest, RuleSet, Suppressions};
use lake::Lake;
use object_store::{Error as StoreError, GetOptions, ObjectStore, ObjectStoreExt, PutPayload};
use tokio::sync::Mutex;
use tracing::{error, info, warn};

/// Where the accepted files are kept in the lake.
const LAST_GOOD: &str = "config/last-good";
/// Faults told in one announcement; the log has as many.
const MAX_FAULTS_TOLD: usize = 50;

/// Rules and suppressions that are in force together.
#[derive(Debug)]
pub struct Config {
    /// The rules.
    pub rules: RuleSet,
    /// The suppressions.
    pub suppressions: Suppressions,
    /// The events that the rules name.
    pub interest: Interest,
}

/// A pair of files that was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejected {
    /// The files, as locations.
    pub files: String,
    /// Their versions, which tell this rejection from others.
    pub versions: String,
    /// What is wrong, with file, line and rule.
    pub faults: Vec<String>,
}

/// Why there is nothing to judge by.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A file could not be had.
    #[error("cannot read {file}: {reason}")]
    Unreachable {
        /// Its location.
        file: String,
        /// What happened, and what to do.
        reason: String,
    },
    /// The files are wrong, and no earlier pair was ever accepted.
    #[error("{files} cannot be used, and there is no earlier good version: {}", faults.join("; "))]
    Never {
        /// The files, as locations.
        files: String,
        /// What is wrong with them.
        faults: Vec<String>,
    },
}

/// Keeps the configuration up to date.
#[derive(Debug)]
pub struct Live {
    place: Lake,
    keys: [String; 2],
    audit: Lake,
    refresh_after: Duration,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    config: Arc<Config>,
    /// As they are in force or were refused last.
    files: [File; 2],
    looked: Instant,
}

/// A file as it was read.
#[derive(Debug, Clone, Default)]
struct File {
    text: String,
    etag: Option<String>,
}

impl Live {
    /// Reads the first configuration. The second value is set when the files in place were refused and earlier ones are
    /// in force.
    pub async fn start(
        place: Lake,
        keys: [String; 2],
        audit: Lake,
        refresh_after: Duration,
    ) -> Result<(Live, Option<Rejected>), ConfigError> {
        let files = read_files(&place, &keys, None).await?.unwrap_or_default();
        let (config, rejected) = match compile(&files, &keys) {
            Ok(config) => {
                keep(&audit, &files).await;
                (config, None)
            }
            Err(faults) => {
                let rejected = rejection(&place, &keys, &files, faults);
                (last_good(&audit, &rejected).await?, Some(rejected))
            }
        };
        info!(rules = config.rules.rules().len(), rejected = rejected.is_some(), "configuration in force");
        let state = State { config: Arc::new(config), files, looked: Instant::now() };
        Ok((Live { place, keys, audit, refresh_after, state: Mutex::new(state) }, rejected))
    }

    /// The configuration in force. When it is due, the files are looked at again; a pair that is refused is told once,
    /// and what was in force stays.
    pub async fn current(&self) -> (Arc<Config>, Option<Rejected>) {
        let mut state = self.state.lock().await;
        if state.looked.elapsed() < self.refresh_after {
            return (state.config.clone(), None);
        }
        state.looked = Instant::now();
        let files = match read_files(&self.place, &self.keys, Some(&state.files)).await {
            Ok(Some(files)) => files,
            Ok(None) => return (state.config.clone(), None),
            Err(reason) => {
                warn!(reason = reason.to_string(), "configuration cannot be looked at, the last one stays in force");
                return (state.config.clone(), None);
            }
        };
        let compiled = compile(&files, &self.keys);
        let rejected = match compiled {
            Ok(config) => {
                keep(&self.audit, &files).await;
                info!(rules = config.rules.rules().len(), "new configuration in force");
                state.config = Arc::new(config);
                None
            }
            Err(faults) => Some(rejection(&self.place, &self.keys, &files, faults)),
        };
        state.files = files;
        (state.config.clone(), rejected)
    }
}

impl Config {
    /// Rules and suppressions from their text; all faults of both files otherwise.
    pub fn compile(rules: (&str, &str), suppressions: (&str, &str)) -> Result<Config, Vec<Fault>> {
        let rules = RuleSet::load(rules.0, rules.1)?;
        let suppressions = Suppressions::load(suppressions.0, suppressions.1, Some(&rules))?;
        let interest = Interest::in_names(rules.event_names());
        Ok(Config { rules, suppressions, interest })
    }
}

fn compile(files: &[File; 2], keys: &[String; 2]) -> Result<Config, Vec<Fault>> {
    let [(rules, rules_name), (suppressions, suppressions_name)] = [(&files[0], &keys[0]), (&files[1], &keys[1])];
    Config::compile((&rules.text, rules_name), (&suppressions.text, suppressions_name))
}

fn rejection(place: &Lake, keys: &[String; 2], files: &[File; 2], faults: Vec<Fault>) -> Rejected {
    let faults: Vec<String> = faults.iter().take(MAX_FAULTS_TOLD).map(Fault::to_string).collect();
    let names = keys.each_ref().map(|key| format!("{}/{key}", place.location().trim_end_matches('/')));
    let versions = files.each_ref().map(|file| file.etag.clone().unwrap_or_else(|| "none".to_owned()));
    let rejected = Rejected { files: names.join(", "), versions: versions.join(", "), faults };
    error!(files = rejected.files, faults = rejected.faults.join("; "), "configuration rejected");
    rejected
}

/// Reads both files; `None` when neither has changed since `known`.
async fn read_files(
    place: &Lake,
    keys: &[String; 2],
    known: Option<&[File; 2]>,
) -> Result<Option<[File; 2]>, ConfigError> {
    let [rules, suppressions] = [known.map(|files| &files[0]), known.map(|files| &files[1])];
    let (new_rules, new_suppressions) =
        futures::try_join!(read_file(place, &keys[0], rules, true), read_file(place, &keys[1], suppressions, false))?;
    if new_rules.is_none() && new_suppressions.is_none() {
        return Ok(None);
    }
    let old = |known: Option<&File>| known.cloned().unwrap_or_default();
    Ok(Some([new_rules.unwrap_or_else(|| old(rules)), new_suppressions.unwrap_or_else(|| old(suppressions))]))
}

/// Reads a file unless it is the one known.
async fn read_file(
    place: &Lake,
    key: &str,
    known: Option<&File>,
    is_required: bool,
) -> Result<Option<File>, ConfigError> {
    let unreachable = |reason: String| ConfigError::Unreachable {
        file: format!("{}/{key}", place.location().trim_end_matches('/')),
        reason,
    };
    let known_etag = known.and_then(|file| file.etag.clone());
    let options = GetOptions::new().with_if_none_match(known_etag.clone());
    let found = match place.store().get_opts(&place.path(key), options).await {
        Ok(found) => found,
        Err(StoreError::NotModified { .. }) => return Ok(None),
        Err(StoreError::NotFound { .. }) if !is_required => {
            // Nothing is held back any more: more is reported, never less.
            let was_there = known.is_none_or(|file| file.etag.is_some());
            return Ok(was_there.then(File::default));
        }
        Err(StoreError::NotFound { .. }) => {
            return Err(unreachable("not found: check RULES_BUCKET and RULES_KEY".to_owned()));
        }
        Err(error) => return Err(unreachable(error.to_string())),
    };
    let etag = found.meta.e_tag.clone();
    // Some stores answer in full though nothing has changed.
    if etag.is_some() && etag == known_etag {
        return Ok(None);
    }
    if found.meta.size > MAX_FILE_BYTES as u64 {
        return Err(unreachable(format!("{} bytes, more than {MAX_FILE_BYTES}", found.meta.size)));
    }
    let bytes = found.bytes().await.map_err(|error| unreachable(error.to_string()))?;
    let text = String::from_utf8(bytes.to_vec()).map_err(|_| unreachable("it is not UTF-8".to_owned()))?;
    Ok(Some(File { text, etag }))
}

/// Keeps accepted files for a cold start. When that fails the next accepted pair will be kept.
async fn keep(audit: &Lake, files: &[File; 2]) {
    for (file, name) in files.iter().zip(["rules.yaml", "suppress.yaml"]) {
        let path = audit.path(&format!("{LAST_GOOD}/{name}"));
        let known = audit.store().get(&path).await;
        if let Ok(known) = known
            && known.bytes().await.is_ok_and(|bytes| bytes == file.text.as_bytes())
        {
            continue;
        }
        if let Err(reason) = audit.store().put(&path, PutPayload::from(file.text.clone())).await {
            warn!(reason = reason.to_string(), name, "accepted configuration is not kept");
        }
    }
}

async fn last_good(audit: &Lake, rejected: &Rejected) -> Result<Config, ConfigError> {
    let keys = ["rules.yaml", "suppress.yaml"].map(|name| format!("{LAST_GOOD}/{name}"));
    let never = || ConfigError::Never { files: rejected.files.clone(), faults: rejected.faults.clone() };
    let files = match read_files(audit, &keys, None).await {
        Ok(files) => files.unwrap_or_default(),
        Err(ConfigError::Unreachable { reason, .. }) if reason.starts_with("not found") => return Err(never()),
        Err(error) => return Err(error),
    };
    compile(&files, &keys).map_err(|_| never())
}
