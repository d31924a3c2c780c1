//! What can go wrong, in words that say what to do.

use datafusion::error::DataFusionError;

/// Why no answer can be given. Files that cannot be read are no error: they are left out and named.
#[derive(Debug, thiserror::Error)]
pub enum AnalyticsError {
    /// The lake cannot be opened or listed.
    #[error(transparent)]
    Lake(#[from] lake::LakeError),
    /// The query is no SQL, names something that does not exist, or does more than read.
    #[error("{0}")]
    Sql(String),
    /// The store of the lake does not give an object or a list.
    #[error("cannot read the lake: {advice}: {cause}")]
    Store {
        /// What to do.
        advice: &'static str,
        /// The first line of what the store said.
        cause: String,
    },
    /// A query could not be answered.
    #[error("query failed: {0}")]
    Query(Box<DataFusionError>),
    /// An answer does not have the columns this program expects: a fault of this program.
    #[error("unexpected answer of a query of the report: {0}")]
    Answer(#[from] serde_json::Error),
    /// The period cannot be reported on.
    #[error(transparent)]
    Span(#[from] crate::span::NotASpan),
    /// Rules or suppressions that cannot be used: every fault, one a line.
    #[error("the configuration has faults; nothing was done\n{0}")]
    Config(String),
    /// The command line asks for something that makes no sense.
    #[error("{0}")]
    Usage(&'static str),
    /// A page cannot be drawn: a fault of this program.
    #[error("cannot draw the page: {0}")]
    Page(String),
    /// The engine asked for cannot be had.
    #[error("{0}")]
    Engine(String),
    /// Athena gives no answer.
    #[error(transparent)]
    Athena(#[from] crate::engine::AthenaError),
    /// Nowhere to read from.
    #[error("which lake? give --audit DIR or --audit s3://BUCKET/PREFIX, or set AUDIT_BUCKET")]
    NoLakeGiven,
    /// The folder given as lake is not there.
    #[error("there is no folder {0}: check --audit, or let `detector scan … --audit {0}` write it first")]
    NoSuchFolder(String),
    /// The result cannot be written.
    #[error("cannot write {to}: {source}")]
    Write {
        /// File or stream.
        to: String,
        /// What the system says.
        source: std::io::Error,
    },
}

impl AnalyticsError {
    /// True when the command line or a file it names has to be changed before anything can be done.
    pub fn is_of_the_command_line(&self) -> bool {
        use AnalyticsError::{Config, NoLakeGiven, Span, Usage};
        matches!(self, NoLakeGiven | Span(_) | Config(_) | Usage(_))
    }

    /// True when the reader of standard output has gone, as `| head` does: a quiet end, not a fault.
    pub fn is_closed_pipe(&self) -> bool {
        matches!(self, AnalyticsError::Write { source, .. } if source.kind() == std::io::ErrorKind::BrokenPipe)
    }
}

impl From<DataFusionError> for AnalyticsError {
    fn from(error: DataFusionError) -> Self {
        if let DataFusionError::ObjectStore(cause) = error.find_root() {
            return AnalyticsError::from_store(cause);
        }
        AnalyticsError::Query(Box::new(error))
    }
}

impl AnalyticsError {
    /// An answer of the store that is no fault of one file.
    pub(crate) fn from_store(error: &object_store::Error) -> AnalyticsError {
        use object_store::Error::{NotFound, PermissionDenied, Unauthenticated};
        let text = error.to_string();
        let advice = match error {
            _ if text.contains("NoSuchBucket") => "check the name of the bucket and its region",
            NotFound { .. } => "something was removed while it was read, run again",
            PermissionDenied { .. } => {
                "allow s3:GetObject and s3:ListBucket for this identity, or read access to the folder"
            }
            Unauthenticated { .. } => "the credentials were refused, renew them, for example with `aws sso login`",
            _ => "the store did not answer as it should, check the connection and run again",
        };
        AnalyticsError::Store { advice, cause: text.lines().next().unwrap_or_default().to_owned() }
    }
}

impl From<datafusion::arrow::error::ArrowError> for AnalyticsError {
    fn from(error: datafusion::arrow::error::ArrowError) -> Self {
        AnalyticsError::from(DataFusionError::from(error))
    }
}
