//! The built-in sample: a lake in memory with a few invented rows, so that the program shows what it does without a
//! lake and without credentials.

use lake::Lake;
use schemas::{REMEDIATION_LOGS, Table, VIOLATIONS};
use serde_json::Value;

use crate::error::AnalyticsError;

/// The month the sample is about; it has a month before, too.
pub(crate) const MONTH: &str = "2024-01";

/// What to try next, shown below the report of the sample.
pub(crate) const NEXT: &str = "
This was the built-in sample. For your own lake:
  analytics report --month 2024-01 --audit DIR|s3://BUCKET/PREFIX
  analytics sql --audit DIR|s3://BUCKET/PREFIX \"SELECT … FROM violations WHERE year = '2024' AND month = '01'\"
  analytics --help
";

/// A lake in memory, written as the detector and the remediator write theirs.
pub(crate) async fn lake() -> Result<Lake, AnalyticsError> {
    let lake = Lake::open("memory://").await?;
    write(&lake, &VIOLATIONS, include_str!("sample/violations.jsonl")).await?;
    write(&lake, &REMEDIATION_LOGS, include_str!("sample/remediation_logs.jsonl")).await?;
    Ok(lake)
}

async fn write(lake: &Lake, table: &'static Table, lines: &str) -> Result<(), AnalyticsError> {
    let rows = lines.lines().map(serde_json::from_str).collect::<Result<Vec<Value>, _>>()?;
    lake.write_rows(table, &rows).await?;
    Ok(())
}
