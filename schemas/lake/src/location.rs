//! Where a lake is: a folder, a bucket or memory.

use std::fmt::Display;
use std::path::{Component, PathBuf};
use std::sync::Arc;

use object_store::ObjectStore;
use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;
use object_store::path::Path;
use url::Url;

use crate::error::LakeError;
use crate::s3;

/// An open lake. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Lake {
    location: String,
    store: Arc<dyn ObjectStore>,
    store_url: Url,
    root: Path,
}

impl Lake {
    /// Opens a folder (`audit`, `/var/audit`, `file:///var/audit`), a bucket (`s3://bucket/prefix`) or a new, empty
    /// lake in memory (`memory://`).
    ///
    /// A folder need not exist: the first write creates it. For a bucket the credentials and the region come from the
    /// default chain of the AWS SDK, asked here so that missing ones are known before any work is done.
    pub async fn open(location: &str) -> Result<Lake, LakeError> {
        match location.split_once("://") {
            None => folder(location, PathBuf::from(location)),
            Some(("file", _)) => folder(location, file_path(location)?),
            Some(("memory", prefix)) => {
                let root = Path::parse(prefix).map_err(|error| refused(location, error))?;
                Lake::new(location, Arc::new(InMemory::new()), "memory:///", root)
            }
            Some(("s3", rest)) => {
                let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
                let root = Path::parse(prefix).map_err(|error| refused(location, error))?;
                let store = s3::connect(location, bucket).await?;
                Lake::new(location, Arc::new(store), &format!("s3://{bucket}"), root)
            }
            Some((scheme, _)) => Err(refused(
                location,
                format!("{scheme}:// is not supported: give a folder, s3://bucket/prefix or memory://"),
            )),
        }
    }

    pub(crate) fn new(location: &str, store: Arc<dyn ObjectStore>, url: &str, root: Path) -> Result<Lake, LakeError> {
        let store_url = Url::parse(url).map_err(|error| refused(location, error))?;
        Ok(Lake { location: location.to_owned(), store, store_url, root })
    }

    /// The object store that holds the lake. Keys in it start with [`Lake::root`].
    pub fn store(&self) -> Arc<dyn ObjectStore> {
        self.store.clone()
    }

    /// URL under which a query engine registers [`Lake::store`]: `file:///`, `s3://bucket` or `memory:///`.
    pub fn store_url(&self) -> &Url {
        &self.store_url
    }

    /// URL of the folder of a table, with a slash at its end, encoded so that parsing it gives back the path.
    pub fn table_url(&self, table: &str) -> String {
        let mut url = self.store_url.clone();
        // The rest of what a URL cannot hold is encoded by `set_path`, which takes a percent sign to be encoded already.
        url.set_path(&format!("{}/", self.path(table).as_ref().replace('%', "%25")));
        url.into()
    }

    /// Prefix of every key of the lake inside its store; empty for a whole bucket.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The location as it was given to [`Lake::open`], for messages.
    pub fn location(&self) -> &str {
        &self.location
    }

    /// Path in [`Lake::store`] of a key inside the lake, such as `violations/year=2024/…`.
    pub fn path(&self, key: &str) -> Path {
        self.root.parts().chain(Path::from(key).parts()).collect()
    }
}

/// The store is the whole file system and the lake a prefix of it, so that opening creates nothing.
fn folder(location: &str, path: PathBuf) -> Result<Lake, LakeError> {
    if path.as_os_str().is_empty() {
        return Err(refused(location, "the name is empty: give a folder"));
    }
    let absolute = resolve(&path).map_err(|error| refused(location, error))?;
    if absolute.is_file() {
        return Err(refused(location, "it is a file: give a folder"));
    }
    let root = Path::from_absolute_path(&absolute).map_err(|error| refused(location, error))?;
    Lake::new(location, Arc::new(LocalFileSystem::new()), "file:///", root)
}

fn file_path(location: &str) -> Result<PathBuf, LakeError> {
    let url = Url::parse(location).map_err(|error| refused(location, error))?;
    url.to_file_path().map_err(|()| refused(location, "write file:///folder, without a host"))
}

/// The absolute path with links and `..` followed as far as it exists; what does not exist yet is kept by name.
pub fn resolve(path: &std::path::Path) -> std::io::Result<PathBuf> {
    let absolute = std::path::absolute(path)?;
    let mut resolved = PathBuf::new();
    for part in absolute.components() {
        match part {
            Component::ParentDir => {
                resolved.pop();
            }
            other => resolved.push(other),
        }
        if resolved.exists() {
            resolved = resolved.canonicalize()?;
        }
    }
    Ok(resolved)
}

fn refused(location: &str, reason: impl Display) -> LakeError {
    LakeError::Location { location: location.to_owned(), reason: reason.to_string() }
}
