//! The command line.

use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};
use tracing::level_filters::LevelFilter;

use crate::month::Month;

const EXAMPLES: &str = "\
Examples:
  analytics                                        a report of a small built-in sample
  analytics report --month 2024-01 --audit audit   a month of the folder `audit`, compared with the month before
  analytics report --month 2024-01 --audit s3://my-audit-bucket --format json --output january.json
  analytics sql --audit audit \"SELECT rule_name, severity, COUNT(*) AS violation_count FROM violations
    WHERE year = '2024' AND month = '01' GROUP BY rule_name, severity ORDER BY violation_count DESC\"
  analytics schema                                 the Athena tables and views

Exit codes:
  0  done
  1  no answer: the message says why
  2  the command line is not understood
  3  the report is empty: nothing is recorded for that month
  4  done, but files that cannot be read were left out; they are named";

/// Reads the audit lake of IAM policy violations: monthly reports and SQL.
///
/// Without a command it reports on a small built-in sample and needs no lake and no credentials.
#[derive(Debug, Parser)]
#[command(name = "analytics", version, after_help = EXAMPLES, max_term_width = 100)]
pub struct Args {
    /// What is logged to standard error: off, error, warn, info, debug or trace
    #[arg(long, global = true, default_value = "error", value_name = "LEVEL")]
    pub log_level: LevelFilter,
    /// What to do.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// The report of one month, compared with the month before
    Report(ReportArgs),
    /// Answer one statement that reads: SELECT, EXPLAIN, SHOW or DESCRIBE
    Sql(SqlArgs),
    /// Print the Athena DDL: tables with partition projection, and the views that drop duplicates
    Schema,
}

/// `analytics report`.
#[derive(Debug, clap::Args)]
pub struct ReportArgs {
    /// The month, in UTC, as YYYY-MM
    #[arg(long, value_name = "YYYY-MM")]
    pub month: Month,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub audit: AuditArgs,
    /// text to read, json for programs, csv (one number a line) for spreadsheets
    #[arg(long, value_enum, default_value_t = ReportFormat::Text)]
    pub format: ReportFormat,
    /// Write to a file instead of standard output
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// `analytics sql`.
#[derive(Debug, clap::Args)]
pub struct SqlArgs {
    /// The statement. Tables: violations, remediation_logs, audit_log, iam_events; name year and month to be quick
    #[arg(value_name = "STATEMENT")]
    pub statement: String,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub audit: AuditArgs,
    /// table cuts long values to the width of the terminal; csv and json have them whole
    #[arg(long, value_enum, default_value_t = SqlFormat::Table)]
    pub format: SqlFormat,
    /// Write to a file instead of standard output
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// Where the lake is.
#[derive(Debug, clap::Args)]
pub struct AuditArgs {
    /// The audit lake: a folder or s3://BUCKET/PREFIX; without it the bucket named by AUDIT_BUCKET
    #[arg(long, value_name = "DIR|s3://…")]
    pub audit: Option<String>,
}

/// Forms of the report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[allow(missing_docs)]
pub enum ReportFormat {
    Text,
    Json,
    Csv,
}

/// Forms of an answer to SQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[allow(missing_docs)]
pub enum SqlFormat {
    Table,
    Csv,
    Json,
}
