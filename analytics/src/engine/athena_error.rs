//! What Athena refuses, in words that say what to do.

/// Why Athena gives no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AthenaError {
    /// The workgroup is not there.
    #[error(
        "athena: there is no workgroup {0} in this account and region: check --workgroup and AWS_REGION, or list them with `aws athena list-work-groups`"
    )]
    NoWorkgroup(String),
    /// The workgroup takes no queries.
    #[error("athena: the workgroup {0} is disabled: enable it or give another --workgroup")]
    Disabled(String),
    /// Results have nowhere to go.
    #[error("athena: the workgroup {0} has no place for results: give --output-location s3://BUCKET/PREFIX/")]
    NoPlaceForResults(String),
    /// The caller may not do it.
    #[error(
        "athena: no permission: allow athena:GetWorkGroup, StartQueryExecution, GetQueryExecution and GetQueryResults on the workgroup, glue:GetTable and GetPartitions on the database, s3:GetObject and ListBucket on the lake and PutObject on the place of results: {0}"
    )]
    NoPermission(String),
    /// The query would scan more than the workgroup allows.
    #[error(
        "athena: a query would scan more than the workgroup allows: ask for a shorter period, run `analytics compact`, or raise the limit of the workgroup: {0}"
    )]
    ScanLimit(String),
    /// A table or view is not there.
    #[error(
        "athena: a table or view is not in the database {database}: check --database, or create them with the statements of `analytics schema`: {cause}"
    )]
    NoTable {
        /// The database asked.
        database: String,
        /// What Athena says.
        cause: String,
    },
    /// The query was begun and failed.
    #[error("athena: a query failed: {0}")]
    Failed(String),
    /// The query did not end.
    #[error(
        "athena: a query did not end within {0} minutes and was stopped: ask for a shorter period or look at the workgroup"
    )]
    TooLong(u64),
    /// The answer does not have the columns that the report expects.
    #[error(
        "athena: the answer does not fit what the report expects, so the tables are not those of `analytics schema`: {0}"
    )]
    Shape(String),
    /// No answer of the service, or one that this program does not know.
    #[error("athena: the service did not answer as it should: {0}")]
    Service(String),
}

impl AthenaError {
    /// From the error code and message of a call.
    pub(super) fn refused(code: &str, message: &str, workgroup: &str) -> AthenaError {
        let has = |text: &str| message.to_lowercase().contains(text);
        match code {
            _ if code.contains("AccessDenied") || code.contains("UnrecognizedClient") || has("not authorized") => {
                AthenaError::NoPermission(message.to_owned())
            }
            _ if has("workgroup") && (has("not found") || has("not exist")) => {
                AthenaError::NoWorkgroup(workgroup.to_owned())
            }
            _ if has("workgroup") && has("disabled") => AthenaError::Disabled(workgroup.to_owned()),
            _ if has("no output location") || has("output location is required") => {
                AthenaError::NoPlaceForResults(workgroup.to_owned())
            }
            "InvalidRequestException" => AthenaError::Failed(message.to_owned()),
            _ => AthenaError::Service(message.to_owned()),
        }
    }

    /// From the reason a query gives that failed or was cancelled.
    pub(super) fn ended(reason: &str, database: &str) -> AthenaError {
        let has = |text: &str| reason.to_lowercase().contains(text);
        match () {
            () if has("bytes scanned limit") => AthenaError::ScanLimit(reason.to_owned()),
            () if has("access denied")
                || has("accessdenied")
                || has("not authorized")
                || has("insufficient permission") =>
            {
                AthenaError::NoPermission(reason.to_owned())
            }
            () if has("table_not_found")
                || has("schema_not_found")
                || (has("does not exist") && (has("table") || has("schema") || has("database"))) =>
            {
                AthenaError::NoTable { database: database.to_owned(), cause: reason.to_owned() }
            }
            () => AthenaError::Failed(reason.to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_call_is_refused_for_says_what_to_do() {
        for (code, message, expected) in [
            ("InvalidRequestException", "WorkGroup audit is not found.", "there is no workgroup audit"),
            ("AccessDeniedException", "You are not authorized to perform: athena:StartQueryExecution", "no permission"),
            ("InvalidRequestException", "WorkGroup audit is disabled", "is disabled"),
            ("InvalidRequestException", "No output location provided.", "--output-location"),
            ("InvalidRequestException", "line 1:8: mismatched input", "a query failed: line 1:8"),
            ("InternalServerException", "try later", "did not answer as it should: try later"),
        ] {
            let told = AthenaError::refused(code, message, "audit").to_string();
            assert!(told.contains(expected), "{told}");
        }
    }

    #[test]
    fn why_a_query_ended_says_what_to_do() {
        for (reason, expected) in [
            ("Query cancelled! : Bytes scanned limit was exceeded", "run `analytics compact`"),
            ("PERMISSION_DENIED: Access Denied: Amazon S3", "no permission"),
            ("TABLE_NOT_FOUND: line 20:6: Table 'awsdatacatalog.audit.violations' does not exist", "analytics schema"),
            ("HIVE_BAD_DATA: Error opening Hive split s3://lake/x.parquet", "a query failed: HIVE_BAD_DATA"),
        ] {
            let told = AthenaError::ended(reason, "audit").to_string();
            assert!(told.contains(expected), "{told}");
        }
    }
}
