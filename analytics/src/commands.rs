//! The commands: read the lake, render, write.

use std::fs;
use std::io::{self, IsTerminal, Write};
use std::path::Path;

use indicatif::{ProgressBar, ProgressStyle};
use lake::Lake;

use crate::args::{Args, AuditArgs, Command, ReportArgs, ReportFormat, SqlArgs, SqlFormat};
use crate::error::AnalyticsError;
use crate::month::Month;
use crate::plain::plain;
use crate::render::{csv, json, table, text};
use crate::report::{Report, STEPS};
use crate::sample;
use crate::tables::{LeftOut, Tables};

/// Width of a table when standard output is no terminal, in cells.
const PIPE_WIDTH: usize = 120;

/// How a command that gave an answer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// Done.
    Done,
    /// Nothing is recorded for the month.
    NothingFound,
    /// Done without the files that cannot be read.
    LeftOut,
}

/// What a command needs from outside.
#[derive(Debug, Clone)]
pub struct Surroundings {
    /// `AUDIT_BUCKET`, when it is set.
    pub audit_bucket: Option<String>,
    /// Width of the terminal in cells, when standard output is one.
    pub terminal_width: Option<usize>,
    /// Whether colours are wanted: a terminal, and no `NO_COLOR`.
    pub colour: bool,
}

/// Carries out a command line. Answers go to standard output or a file, warnings to standard error.
pub async fn run(args: Args, around: &Surroundings) -> Result<Ended, AnalyticsError> {
    match args.command {
        None => show_sample(around).await,
        Some(Command::Report(args)) => report(args, around).await,
        Some(Command::Sql(args)) => sql(args, around).await,
        Some(Command::Schema) => schema(),
    }
}

async fn show_sample(around: &Surroundings) -> Result<Ended, AnalyticsError> {
    let lake = sample::lake().await?;
    let mut tables = Tables::open(&lake).await?;
    let month = sample::MONTH.parse::<Month>().map_err(|error| AnalyticsError::Sql(error.to_string()))?;
    let report = Report::read(&mut tables, "(built-in sample, invented rows)", month, &mut || {}).await?;
    let mut page = text::text(&report, month, paint(around, None));
    page.push_str(sample::NEXT);
    deliver(&page, None)?;
    Ok(Ended::Done)
}

async fn report(args: ReportArgs, around: &Surroundings) -> Result<Ended, AnalyticsError> {
    let lake = open(&args.audit, around).await?;
    let mut tables = Tables::open(&lake).await?;
    let progress = progress();
    let read = Report::read(&mut tables, lake.location(), args.month, &mut || progress.inc(1)).await;
    progress.finish_and_clear();
    let report = read?;
    let output = args.output.as_deref();
    let page = match args.format {
        ReportFormat::Text => text::text(&report, args.month, paint(around, output)),
        ReportFormat::Json => json::json(&report)?,
        ReportFormat::Csv => csv::csv(&report),
    };
    deliver(&page, output)?;
    warn(&report.left_out);
    Ok(match () {
        () if !report.left_out.is_empty() => Ended::LeftOut,
        () if report.empty => Ended::NothingFound,
        () => Ended::Done,
    })
}

async fn sql(args: SqlArgs, around: &Surroundings) -> Result<Ended, AnalyticsError> {
    let lake = open(&args.audit, around).await?;
    let mut tables = Tables::open(&lake).await?;
    let answer = tables.query(&args.statement).await?;
    let output = args.output.as_deref();
    let page = match args.format {
        SqlFormat::Table => table::table(&answer, around.terminal_width.unwrap_or(PIPE_WIDTH))?,
        SqlFormat::Csv => table::csv(&answer)?,
        SqlFormat::Json => table::json_rows(&answer)?,
    };
    deliver(&page, output)?;
    let left_out = tables.left_out();
    warn(&left_out);
    Ok(if left_out.is_empty() { Ended::Done } else { Ended::LeftOut })
}

fn schema() -> Result<Ended, AnalyticsError> {
    let files = schemas::rendered_files();
    let athena = files.iter().filter(|file| file.path.starts_with("athena/"));
    // Tables before the views that read them.
    let (views, tables): (Vec<_>, Vec<_>) = athena.partition(|file| file.content.contains("CREATE OR REPLACE VIEW"));
    let statements: Vec<String> =
        tables.iter().chain(&views).map(|file| format!("{};\n", file.content.trim_end())).collect();
    deliver(&statements.join("\n"), None)?;
    Ok(Ended::Done)
}

/// Opens the lake. A folder must be there: a mistyped name is not an empty lake.
async fn open(audit: &AuditArgs, around: &Surroundings) -> Result<Lake, AnalyticsError> {
    let bucket = around.audit_bucket.as_ref().map(|bucket| format!("s3://{}", bucket.trim_start_matches("s3://")));
    let location = audit.audit.clone().or(bucket).ok_or(AnalyticsError::NoLakeGiven)?;
    if !location.contains("://") && !Path::new(&location).exists() {
        return Err(AnalyticsError::NoSuchFolder(plain(&location).into_owned()));
    }
    Ok(Lake::open(&location).await?)
}

fn paint(around: &Surroundings, output: Option<&Path>) -> text::Paint {
    if around.colour && output.is_none() { text::Paint::Colour } else { text::Paint::Plain }
}

/// A bar on a terminal, nothing anywhere else.
fn progress() -> ProgressBar {
    if !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("reading the lake {bar:30} {pos}/{len}")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(STEPS).with_style(style)
}

fn deliver(page: &str, output: Option<&Path>) -> Result<(), AnalyticsError> {
    let write = |source, to: String| AnalyticsError::Write { to, source };
    match output {
        Some(path) => fs::write(path, page).map_err(|source| write(source, path.display().to_string())),
        None => {
            let mut out = io::stdout().lock();
            let written = out.write_all(page.as_bytes()).and_then(|()| out.flush());
            written.map_err(|source| write(source, "to standard output".to_owned()))
        }
    }
}

/// Names the files left out on standard error, where a pipe does not swallow them.
fn warn(left_out: &[LeftOut]) {
    let mut err = io::stderr().lock();
    for LeftOut { file, reason } in left_out {
        // Nobody is left to tell when standard error is closed; the exit code still says it.
        let _ = writeln!(err, "warning: left out {}: {}", plain(file), plain(reason));
    }
}
