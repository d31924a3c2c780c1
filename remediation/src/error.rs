//! What can fail outside: IAM, STS and the object store.

use std::error::Error;

use aws_sdk_iam::error::{DisplayErrorContext, ProvideErrorMetadata};

/// A failure outside this program. A refusal is none; see [`crate::refusal::Refusal`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// It may work when tried again: throttled, down, out of time.
    #[error("{0}")]
    Later(String),
    /// It will not: access denied, a document that IAM does not take.
    #[error("{0}")]
    Never(String),
}

/// Codes of errors that the same call will meet again. All others may pass.
const LASTING: [&str; 11] = [
    "AWSOrganizationsNotInUseException",
    "AccessDenied",
    "AccessDeniedException",
    "ChildNotFoundException",
    "DeleteConflict",
    "EntityAlreadyExists",
    "InvalidInput",
    "LimitExceeded",
    "MalformedPolicyDocument",
    "UnmodifiableEntity",
    "ValidationError",
];

/// Codes by which IAM says that a thing is not there.
const MISSING: [&str; 2] = ["NoSuchEntity", "NoSuchEntityException"];

/// A reply, or `None` when IAM says that the thing is not there.
pub(crate) fn found<T, E>(doing: &str, reply: Result<T, E>) -> Result<Option<T>, Failure>
where
    E: ProvideErrorMetadata + Error + 'static,
{
    match reply {
        Ok(reply) => Ok(Some(reply)),
        Err(error) if error.code().is_some_and(|code| MISSING.contains(&code)) => Ok(None),
        Err(error) => Err(failure(doing, &error)),
    }
}

/// What a failed call means.
pub(crate) fn failure<E>(doing: &str, error: &E) -> Failure
where
    E: ProvideErrorMetadata + Error + 'static,
{
    let reason = match (error.code(), error.message()) {
        (Some(code), Some(message)) => format!("{doing}: {code}: {message}"),
        (Some(code), None) => format!("{doing}: {code}"),
        (None, _) => format!("{doing}: {}", DisplayErrorContext(error)),
    };
    if error.code().is_some_and(|code| LASTING.contains(&code)) {
        Failure::Never(reason)
    } else {
        Failure::Later(reason)
    }
}

impl From<lake::LakeError> for Failure {
    fn from(error: lake::LakeError) -> Failure {
        Failure::Later(error.to_string())
    }
}
