//! `notification-config.yaml` of a running program: read from `RULES_BUCKET`, looked at again now and then, never
//! replaced by a broken one.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use detection::yaml::{Fault, MAX_FILE_BYTES};
use lake::Lake;
use object_store::{Error as StoreError, ObjectStoreExt};
use tokio::sync::Mutex;
use tracing::{error, warn};

use super::config::{SlackConfig, read};

/// Faults named in one log line.
const MAX_FAULTS: usize = 20;

/// Why there is no configuration: the file was never good since the program started.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// It cannot be read.
    #[error("{file} cannot be read: {reason}")]
    Unreadable {
        /// Its location.
        file: String,
        /// What the store says.
        reason: String,
    },
    /// It has faults.
    #[error("{file} is refused: {faults}")]
    Refused {
        /// Its location.
        file: String,
        /// All of them, with lines.
        faults: String,
    },
}

/// Where the configuration comes from.
#[derive(Debug)]
pub enum ConfigSource {
    /// A file that was read once, or the defaults.
    Fixed(Arc<SlackConfig>),
    /// An object that may change.
    Object(Box<Watched>),
}

/// An object and what was read from it.
#[derive(Debug)]
pub struct Watched {
    place: Lake,
    key: String,
    every: Duration,
    known: Mutex<Option<(Instant, Arc<SlackConfig>)>>,
    rejected: AtomicU64,
}

impl ConfigSource {
    /// The object `key` of `place`, looked at again after `every`. A missing object means the defaults.
    pub fn object(place: Lake, key: &str, every: Duration) -> ConfigSource {
        let watched =
            Watched { place, key: key.to_owned(), every, known: Mutex::new(None), rejected: AtomicU64::new(0) };
        ConfigSource::Object(Box::new(watched))
    }

    /// The configuration in force.
    pub async fn current(&self) -> Result<Arc<SlackConfig>, ConfigError> {
        let watched = match self {
            ConfigSource::Fixed(config) => return Ok(config.clone()),
            ConfigSource::Object(watched) => watched,
        };
        let mut known = watched.known.lock().await;
        if let Some((at, config)) = known.as_ref()
            && at.elapsed() < watched.every
        {
            return Ok(config.clone());
        }
        let loaded = watched.load().await;
        if loaded.is_err() {
            watched.rejected.fetch_add(1, Ordering::Relaxed);
        }
        let config = match (loaded, known.as_ref()) {
            (Ok(config), _) => Arc::new(config),
            (Err(error), Some((_, last))) => {
                error!(reason = error.to_string(), "configuration rejected, the last good one stays in force");
                last.clone()
            }
            (Err(error), None) => return Err(error),
        };
        *known = Some((Instant::now(), config.clone()));
        Ok(config)
    }

    /// How often the object was refused since this was asked last.
    pub fn take_rejected(&self) -> u64 {
        match self {
            ConfigSource::Fixed(_) => 0,
            ConfigSource::Object(watched) => watched.rejected.swap(0, Ordering::Relaxed),
        }
    }
}

impl Watched {
    async fn load(&self) -> Result<SlackConfig, ConfigError> {
        let file = format!("{}/{}", self.place.location(), self.key);
        let unreadable = |reason: String| ConfigError::Unreadable { file: file.clone(), reason };
        let found = match self.place.store().get(&self.place.path(&self.key)).await {
            Ok(found) => found,
            Err(StoreError::NotFound { .. }) => return Ok(SlackConfig::default()),
            Err(error) => return Err(unreadable(error.to_string())),
        };
        if found.meta.size > MAX_FILE_BYTES as u64 {
            return Err(unreadable(format!("it is larger than {MAX_FILE_BYTES} bytes")));
        }
        let bytes = found.bytes().await.map_err(|error| unreadable(error.to_string()))?;
        let text = std::str::from_utf8(&bytes).map_err(|error| unreadable(error.to_string()))?;
        let (config, faults) = read(&self.key, text);
        let told = || faults.iter().take(MAX_FAULTS).map(Fault::to_string).collect::<Vec<_>>().join("; ");
        let config = config.ok_or_else(|| ConfigError::Refused { file: file.clone(), faults: told() })?;
        if !faults.is_empty() {
            warn!(faults = told(), "configuration has warnings");
        }
        Ok(config)
    }
}
