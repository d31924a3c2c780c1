//! The command line.

use std::path::PathBuf;

use chrono::NaiveDate;
use clap::{ArgGroup, Parser, Subcommand, ValueEnum};
use tracing::level_filters::LevelFilter;

use crate::capacity::Load;
use crate::engine::EngineArgs;
use crate::filter::Filter;
use crate::month::Month;
use crate::sections::Asked;
use crate::span::{Length, NotASpan, Span, day};

const EXAMPLES: &str = "\
Examples:
  analytics                                        a report of a small built-in sample
  analytics report --month 2024-01 --audit audit   a month of the folder `audit`, compared with the month before
  analytics report --last 90d --audit s3://my-audit-bucket --format html --output report.html
  analytics report --from 2024-01-05 --to 2024-01-12 --severity critical --severity high --audit audit
  analytics report --month 2024-01 --audit s3://my-audit-bucket --engine athena --workgroup iam-policy-monitor
  analytics sql --audit audit \"SELECT rule_name, severity, COUNT(*) AS violation_count FROM violations
    WHERE year = '2024' AND month = '01' GROUP BY rule_name, severity ORDER BY violation_count DESC\"
  analytics principal arn:aws:iam::111122223333:user/mallory --audit audit
  analytics compact --audit audit                  merge small files; run it once a day
  analytics verify --month 2024-01 --audit audit   do the books balance?
  analytics backtest --rules new.yaml --against old.yaml --last 30d --audit audit --format markdown --fail-on repair
  analytics capacity --events-per-second 2000 --accounts 200
  analytics schema                                 the Athena tables and views

Exit codes:
  0  done
  1  no answer: the message says why
  2  the command line is not understood
  3  the report is empty: nothing is recorded for that period
  4  done, but files that cannot be read were left out; they are named
  5  verify: the books do not balance
  6  backtest: there are differences of a kind that --fail-on names";

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
    /// The report of a period, compared with the month before a month, else with as many days before
    Report(Box<ReportArgs>),
    /// Answer one statement that reads: SELECT, EXPLAIN, SHOW or DESCRIBE
    Sql(SqlArgs),
    /// Everything about one principal: when and where it was seen, what it changed, which rules it broke, what was repaired;
    /// without a period the whole lake is searched
    Principal(PrincipalArgs),
    /// Merge the small files of each day into one, without repeats; safe beside running queries and at a crash
    Compact(CompactArgs),
    /// Check the books of the lake or of a period: files, partitions, repeats, and violations against the audit log
    Verify(VerifyArgs),
    /// Try rules on past events: what would appear, vanish, change its severity or ask for a repair; events of the lake
    /// need a period, those of files do not
    Backtest(Box<BacktestArgs>),
    /// What so many events a second need and cost: shards, concurrency, files, storage, dollars, with every formula
    Capacity(CapacityArgs),
    /// Print the Athena DDL: tables with partition projection, and the views that drop duplicates
    Schema,
}

/// `analytics report`.
#[derive(Debug, clap::Args)]
#[command(group(ArgGroup::new("period").args(["month", "from", "last"]).required(true)))]
pub struct ReportArgs {
    #[command(flatten)]
    #[allow(missing_docs)]
    pub period: PeriodArgs,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub filter: FilterArgs,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub audit: AuditArgs,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub engine: EngineArgs,
    /// The suppressions in force: those that matched nothing, have expired or are gone from the file are named
    #[arg(long, value_name = "FILE")]
    pub suppress: Option<PathBuf>,
    /// text and html to read, markdown for wikis and tickets, json for programs, csv (one number a line) for spreadsheets
    #[arg(long, value_enum, default_value_t = ReportFormat::Text)]
    pub format: ReportFormat,
    /// Write to a file instead of standard output
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// A period.
#[derive(Debug, clap::Args)]
#[group(skip)]
pub struct PeriodArgs {
    /// A month, in UTC
    #[arg(long, value_name = "YYYY-MM")]
    pub month: Option<Month>,
    /// The first day, in UTC
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = day, conflicts_with = "month")]
    pub from: Option<NaiveDate>,
    /// The last day; without it the period ends today
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = day, requires = "from")]
    pub to: Option<NaiveDate>,
    /// So many days or weeks up to today, such as 90d or 12w
    #[arg(long, value_name = "90d", conflicts_with_all = ["month", "from", "to"])]
    pub last: Option<Length>,
}

/// What is counted. An option given several times accepts any of its values.
#[derive(Debug, clap::Args)]
pub struct FilterArgs {
    /// Count only this account
    #[arg(long, value_name = "ID")]
    pub account: Vec<String>,
    /// Count only this rule
    #[arg(long, value_name = "NAME")]
    pub rule: Vec<String>,
    /// Count only this severity
    #[arg(long, value_enum, value_name = "SEVERITY", ignore_case = true)]
    pub severity: Vec<SeverityArg>,
    /// Count only this caller: its ARN or name, or the ARN of the role of its sessions
    #[arg(long, value_name = "ARN")]
    pub principal: Vec<String>,
}

/// Severities as they are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[allow(missing_docs)]
pub enum SeverityArg {
    Critical,
    High,
    Medium,
    Low,
}

impl PeriodArgs {
    /// The period asked for, if any.
    pub fn span(&self, today: NaiveDate) -> Result<Option<Span>, NotASpan> {
        match (self.month, self.from, self.last) {
            (Some(month), ..) => Ok(Some(month.into())),
            (None, Some(from), _) => Span::days(from, self.to.unwrap_or(today)).map(Some),
            (None, None, Some(length)) => Span::last(length, today).map(Some),
            (None, None, None) => Ok(None),
        }
    }
}

impl ReportArgs {
    /// What the report is about.
    pub fn asked(&self, today: NaiveDate) -> Result<Asked, NotASpan> {
        let name = |severity: &SeverityArg| match severity {
            SeverityArg::Critical => "CRITICAL".to_owned(),
            SeverityArg::High => "HIGH".to_owned(),
            SeverityArg::Medium => "MEDIUM".to_owned(),
            SeverityArg::Low => "LOW".to_owned(),
        };
        let filter = Filter {
            accounts: self.filter.account.clone(),
            rules: self.filter.rule.clone(),
            severities: self.filter.severity.iter().map(name).collect(),
            principals: self.filter.principal.clone(),
        };
        // The command line is not understood without a period.
        let span = self.period.span(today)?.map_or_else(|| Span::days(today, today), Ok)?;
        Ok(Asked { span, filter })
    }
}

/// `analytics principal`.
#[derive(Debug, clap::Args)]
pub struct PrincipalArgs {
    /// ARN or name of a user or role; the ARN of a role finds what its sessions did
    #[arg(value_name = "ARN")]
    pub principal: String,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub period: PeriodArgs,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub audit: AuditArgs,
    /// text to read, json for programs
    #[arg(long, value_enum, default_value_t = PrincipalFormat::Text)]
    pub format: PrincipalFormat,
    /// Write to a file instead of standard output
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// Forms of the answers of `principal`, `verify` and `capacity`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[allow(missing_docs)]
pub enum PrincipalFormat {
    Text,
    Json,
}

/// `analytics compact`.
#[derive(Debug, clap::Args)]
pub struct CompactArgs {
    /// Only this month, in UTC; without it the whole lake
    #[arg(long, value_name = "YYYY-MM")]
    pub month: Option<Month>,
    /// Minutes the small files stay beside the merged one, for queries that began before: longer than any query runs
    #[arg(long, value_name = "MINUTES", default_value_t = 60, value_parser = clap::value_parser!(u16))]
    pub grace: u16,
    /// Say what would be merged, and change nothing
    #[arg(long)]
    pub dry_run: bool,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub audit: AuditArgs,
}

/// `analytics verify`.
#[derive(Debug, clap::Args)]
pub struct VerifyArgs {
    #[command(flatten)]
    #[allow(missing_docs)]
    pub period: PeriodArgs,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub audit: AuditArgs,
    /// text to read, json for programs
    #[arg(long, value_enum, default_value_t = PrincipalFormat::Text)]
    pub format: PrincipalFormat,
}

/// `analytics capacity`.
#[derive(Debug, clap::Args)]
pub struct CapacityArgs {
    #[command(flatten)]
    #[allow(missing_docs)]
    pub load: Load,
    /// text to read, json for programs
    #[arg(long, value_enum, default_value_t = PrincipalFormat::Text)]
    pub format: PrincipalFormat,
}

/// `analytics backtest`.
#[derive(Debug, clap::Args)]
pub struct BacktestArgs {
    /// The rules to try
    #[arg(long, value_name = "FILE")]
    pub rules: PathBuf,
    /// The rules to compare with; without it, the violations that the lake has for the same events
    #[arg(long, value_name = "FILE")]
    pub against: Option<PathBuf>,
    /// Suppressions to judge with, for both files of rules
    #[arg(long, value_name = "FILE")]
    pub suppress: Option<PathBuf>,
    /// Suppressions for the rules of --against instead of those of --suppress
    #[arg(long, value_name = "FILE", requires = "against")]
    pub against_suppress: Option<PathBuf>,
    /// Try CloudTrail files and folders (.json, .json.gz, JSON lines) instead of the events of the lake
    #[arg(long, value_name = "PATH", conflicts_with = "audit", requires = "against")]
    pub events: Vec<PathBuf>,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub period: PeriodArgs,
    /// End with exit code 6 when there are such differences; may be given several times
    #[arg(long, value_enum, value_name = "DIFFERENCE")]
    pub fail_on: Vec<FailOn>,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub audit: AuditArgs,
    /// text to read, markdown for pull requests, json for programs
    #[arg(long, value_enum, default_value_t = BacktestFormat::Text)]
    pub format: BacktestFormat,
    /// Write to a file instead of standard output
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// Differences that a pipeline may refuse.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FailOn {
    /// Violations that were none before
    Appear,
    /// Violations that are none any more
    Vanish,
    /// Violations of another severity
    Severity,
    /// Violations that ask for a repair and did not before
    Repair,
    /// Violations of which it cannot be told, as a policy is not visible
    Undecided,
    /// Any of these
    Any,
}

/// Forms of the answer of `backtest`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[allow(missing_docs)]
pub enum BacktestFormat {
    Text,
    Markdown,
    Json,
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
    Html,
    Markdown,
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
    Parquet,
}
