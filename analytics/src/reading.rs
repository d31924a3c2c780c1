//! The lake as this program sees it: readable, never writable, without the files that cannot be read.

use std::collections::BTreeSet;
use std::fmt;
use std::ops::Range;
use std::sync::{Arc, PoisonError, RwLock};

use bytes::Bytes;
use futures::StreamExt;
use futures::stream::BoxStream;
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

/// Files, shared with the listings under way.
type Shared = Arc<RwLock<BTreeSet<Path>>>;

/// An object store over one lake. Paths are relative to the root of the lake.
#[derive(Debug)]
pub(crate) struct ReadOnly {
    inner: PrefixStore<Arc<dyn ObjectStore>>,
    left_out: Shared,
    empty: Shared,
    opened: RwLock<BTreeSet<Path>>,
}

impl ReadOnly {
    pub(crate) fn new(store: Arc<dyn ObjectStore>, root: Path) -> Self {
        ReadOnly {
            inner: PrefixStore::new(store, root),
            left_out: Shared::default(),
            empty: Shared::default(),
            opened: RwLock::default(),
        }
    }

    /// Hides a file from every listing from now on.
    pub(crate) fn leave_out(&self, path: Path) {
        self.left_out.write().unwrap_or_else(PoisonError::into_inner).insert(path);
    }

    /// Parquet files without a single byte that were listed since the last call. No query opens them.
    pub(crate) fn take_empty(&self) -> BTreeSet<Path> {
        std::mem::take(&mut *self.empty.write().unwrap_or_else(PoisonError::into_inner))
    }

    /// The files of which something was read.
    pub(crate) fn opened(&self) -> BTreeSet<Path> {
        self.opened.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn note(&self, path: &Path) {
        self.opened.write().unwrap_or_else(PoisonError::into_inner).insert(path.clone());
    }
}

impl fmt::Display for ReadOnly {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "read-only {}", self.inner)
    }
}

/// False for a file that is left out. Notes an empty one, which stays: the query engine skips it without a word.
fn shown(left_out: &Shared, empty: &Shared, meta: &Result<ObjectMeta>) -> bool {
    let Ok(meta) = meta else { return true };
    if left_out.read().unwrap_or_else(PoisonError::into_inner).contains(&meta.location) {
        return false;
    }
    if meta.size == 0 && meta.location.extension() == Some("parquet") {
        empty.write().unwrap_or_else(PoisonError::into_inner).insert(meta.location.clone());
    }
    true
}

fn refused(operation: &str) -> Error {
    Error::NotImplemented { operation: operation.to_owned(), implementer: "read-only view of the lake".to_owned() }
}

#[async_trait::async_trait]
impl ObjectStore for ReadOnly {
    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.note(location);
        self.inner.get_opts(location, options).await
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.note(location);
        self.inner.get_ranges(location, ranges).await
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let (left_out, empty) = (Arc::clone(&self.left_out), Arc::clone(&self.empty));
        self.inner.list(prefix).filter(move |meta| std::future::ready(shown(&left_out, &empty, meta))).boxed()
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        let left_out = self.left_out.read().unwrap_or_else(PoisonError::into_inner).clone();
        let mut listed = self.inner.list_with_delimiter(prefix).await?;
        listed.objects.retain(|meta| !left_out.contains(&meta.location));
        Ok(listed)
    }

    async fn put_opts(&self, _: &Path, _: PutPayload, _: PutOptions) -> Result<PutResult> {
        Err(refused("put"))
    }

    async fn put_multipart_opts(&self, _: &Path, _: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        Err(refused("put"))
    }

    fn delete_stream(&self, _: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        futures::stream::once(std::future::ready(Err(refused("delete")))).boxed()
    }

    async fn copy_opts(&self, _: &Path, _: &Path, _: CopyOptions) -> Result<()> {
        Err(refused("copy"))
    }
}
