//! What can go wrong with a lake, and what to do about it.

use std::error::Error;
use std::io::ErrorKind;

use object_store::Error as StoreError;
use parquet::errors::ParquetError;
use schemas::SchemaError;

/// A failed use of the lake. `Write` and `Read` may pass when tried again; the others will not.
#[derive(Debug, thiserror::Error)]
pub enum LakeError {
    /// The location cannot be a lake.
    #[error("{location} cannot be used as a lake: {reason}")]
    Location {
        /// The location as given.
        location: String,
        /// What is wrong and what to write instead.
        reason: String,
    },
    /// No AWS credentials for a bucket.
    #[error("no AWS credentials for {location}: set AWS_PROFILE, run `aws sso login`, or use a role that may use it")]
    Credentials {
        /// The location as given.
        location: String,
        /// What the credentials chain said.
        source: Box<StoreError>,
    },
    /// Rows that do not fit their table.
    #[error(transparent)]
    Rows(#[from] SchemaError),
    /// A time that no partition can be named after.
    #[error("table {table}: time {millis} ms is outside the years 0001 to 9999: leave this row out")]
    Time {
        /// Table of the row.
        table: &'static str,
        /// The time, in milliseconds since the epoch.
        millis: i64,
    },
    /// A batch that cannot be written as Parquet.
    #[error("table {table}: batch cannot be written as Parquet: {source}")]
    Encode {
        /// Table of the batch.
        table: &'static str,
        /// What the writer refused.
        source: ParquetError,
    },
    /// A dead letter that cannot be written as JSON.
    #[error("dead letter cannot be written as JSON: {0}")]
    DeadLetter(#[source] serde_json::Error),
    /// The store did not take an object.
    #[error("cannot write {key} to {location}: {advice}")]
    Write {
        /// The lake.
        location: String,
        /// Key of the object inside the lake.
        key: String,
        /// What happened, and what to do.
        advice: &'static str,
        /// What the store said.
        source: Box<StoreError>,
    },
    /// The store did not give an object or a list.
    #[error("cannot read {key} of {location}: {advice}")]
    Read {
        /// The lake.
        location: String,
        /// Key or prefix inside the lake.
        key: String,
        /// What happened, and what to do.
        advice: &'static str,
        /// What the store said.
        source: Box<StoreError>,
    },
}

/// One sentence about the cause and the remedy.
pub(crate) fn advice(error: &StoreError) -> &'static str {
    if let Some(kind) = io_kind(error) {
        return match kind {
            ErrorKind::PermissionDenied => "permission denied: give this user write access to the folder",
            ErrorKind::ReadOnlyFilesystem => "the file system is read-only: choose another folder",
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => "the disk is full: free some space and run again",
            ErrorKind::NotADirectory => "a part of the path is a file: choose a folder",
            ErrorKind::Unsupported => "the file system has no hard links: choose a folder on another one",
            ErrorKind::InvalidFilename => "the path is too long: choose a shorter folder name",
            _ => "the file system refused: see the cause, then run again",
        };
    }
    match error {
        StoreError::NotFound { .. } => "not found: check the name of the bucket and its region",
        StoreError::PermissionDenied { .. } => {
            "access denied: allow s3:PutObject, s3:GetObject and s3:ListBucket for this identity"
        }
        StoreError::Unauthenticated { .. } => "credentials refused: renew them, for example with `aws sso login`",
        _ => "the store did not answer as it should: see the cause, then run again",
    }
}

/// The kind of the first file system error among the causes. A refused connection is one too, but says nothing of files.
fn io_kind(error: &StoreError) -> Option<ErrorKind> {
    if !matches!(error, StoreError::Generic { store: "LocalFileSystem", .. }) {
        return None;
    }
    let mut cause: Option<&(dyn Error + 'static)> = error.source();
    while let Some(current) = cause {
        if let Some(io) = current.downcast_ref::<std::io::Error>() {
            return Some(io.kind());
        }
        cause = current.source();
    }
    None
}
