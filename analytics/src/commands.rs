//! The commands: read the lake, render, write.

use std::fs;
use std::io::{self, IsTerminal, Write};
use std::mem::ManuallyDrop;
use std::path::Path;

use chrono::{DateTime, TimeDelta, Utc};
use indicatif::{ProgressBar, ProgressStyle};
use lake::{Lake, Within};
use schemas::VIEWS;

use crate::args::{
    Args, AuditArgs, BacktestArgs, BacktestFormat, CapacityArgs, Command, CompactArgs, PrincipalArgs, PrincipalFormat,
    ReportArgs, ReportFormat, SqlArgs, SqlFormat, VerifyArgs,
};
use crate::backtest::{Backtest, Config, suppressions_of};
use crate::capacity::{self, Capacity};
use crate::compact::{self, Task};
use crate::engine::Engine;
use crate::error::AnalyticsError;
use crate::month::Month;
use crate::plain::plain;
use crate::principal::{PRINCIPAL_STEPS, PrincipalStory};
use crate::render::{self, csv, html, json, markdown, table, text};
use crate::report::Report;
use crate::sample;
use crate::sections::STEPS;
use crate::tables::{LeftOut, Tables};
use crate::verify::{Books, VERIFY_STEPS};

/// Width of a table when standard output is no terminal, in cells.
const PIPE_WIDTH: usize = 120;

/// How a command that gave an answer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// Done.
    Done,
    /// Nothing is recorded for what was asked.
    NothingFound,
    /// Done without the files that cannot be read.
    LeftOut,
    /// The books do not balance.
    OutOfBalance,
    /// There are differences that the caller does not want.
    Refused,
}

/// What a command needs from outside.
#[derive(Debug, Clone)]
pub struct Surroundings {
    /// `AUDIT_BUCKET`, when it is set.
    pub audit_bucket: Option<String>,
    /// The time, for periods that end today and for the grace period of compaction.
    pub now: DateTime<Utc>,
    /// Width of the terminal in cells, when standard output is one.
    pub terminal_width: Option<usize>,
    /// Whether colours are wanted: a terminal, and no `NO_COLOR`.
    pub colour: bool,
}

/// Carries out a command line. Answers go to standard output or a file, warnings to standard error.
pub async fn run(args: Args, around: &Surroundings) -> Result<Ended, AnalyticsError> {
    match args.command {
        None => show_sample(around).await,
        Some(Command::Report(args)) => report(*args, around).await,
        Some(Command::Sql(args)) => sql(args, around).await,
        Some(Command::Principal(args)) => principal(args, around).await,
        Some(Command::Compact(args)) => compact(args, around).await,
        Some(Command::Verify(args)) => verify(args, around).await,
        Some(Command::Backtest(args)) => backtest(*args, around).await,
        Some(Command::Capacity(args)) => capacity(&args),
        Some(Command::Schema) => schema(),
    }
}

async fn show_sample(around: &Surroundings) -> Result<Ended, AnalyticsError> {
    let lake = sample::lake().await?;
    let mut tables = Tables::open(&lake).await?;
    let month = sample::MONTH.parse::<Month>().map_err(|error| AnalyticsError::Sql(error.to_string()))?;
    let report = Report::read(&mut tables, "(built-in sample, invented rows)", &month.into(), &mut || {}).await?;
    let mut page = text::text(&report, paint(around, None));
    page.push_str(sample::NEXT);
    deliver(&page, None)?;
    Ok(Ended::Done)
}

async fn report(args: ReportArgs, around: &Surroundings) -> Result<Ended, AnalyticsError> {
    let asked = args.asked(around.now.date_naive())?;
    let suppressions = args.suppress.as_deref().map(suppressions_of).transpose()?;
    let lake = open(&args.audit, around).await?;
    let mut tables = kept(Tables::open_on(&lake, Engine::open(&args.engine, &lake).await?).await?);
    let progress = progress(STEPS);
    let read = Report::read(&mut tables, lake.location(), &asked, &mut || progress.inc(1)).await;
    progress.finish_and_clear();
    let mut report = read?;
    if let Some(suppressions) = &suppressions {
        report.compare_with(suppressions);
    }
    let output = args.output.as_deref();
    let page = match args.format {
        ReportFormat::Text => text::text(&report, paint(around, output)),
        ReportFormat::Html => html::html(&report)?,
        ReportFormat::Markdown => markdown::markdown(&report),
        ReportFormat::Json => json::json(&report)?,
        ReportFormat::Csv => csv::csv(&report),
    };
    deliver(&page, output)?;
    warn(&report.left_out);
    if let Some(cost) = tables.cost() {
        // Nobody is left to tell when standard error is closed.
        let _ = writeln!(io::stderr(), "{}", cost.told());
    }
    Ok(match () {
        () if !report.left_out.is_empty() => Ended::LeftOut,
        () if report.empty => Ended::NothingFound,
        () => Ended::Done,
    })
}

/// Tables that are not taken apart again: the program ends soon, and giving back the footers of thousands of files piece by
/// piece took a tenth of a query.
fn kept(tables: Tables) -> ManuallyDrop<Tables> {
    ManuallyDrop::new(tables)
}

async fn principal(args: PrincipalArgs, around: &Surroundings) -> Result<Ended, AnalyticsError> {
    let span = args.period.span(around.now.date_naive())?;
    let lake = open(&args.audit, around).await?;
    let mut tables = Tables::open(&lake).await?;
    let progress = progress(PRINCIPAL_STEPS);
    let step = &mut || progress.inc(1);
    let read = PrincipalStory::read(&mut tables, lake.location(), &args.principal, span, step).await;
    progress.finish_and_clear();
    let story = read?;
    let output = args.output.as_deref();
    let page = match args.format {
        PrincipalFormat::Text => render::principal::principal(&story, paint(around, output)),
        PrincipalFormat::Json => json::json(&story)?,
    };
    deliver(&page, output)?;
    warn(&story.left_out);
    Ok(match () {
        () if !story.left_out.is_empty() => Ended::LeftOut,
        () if story.is_empty() => Ended::NothingFound,
        () => Ended::Done,
    })
}

async fn compact(args: CompactArgs, around: &Surroundings) -> Result<Ended, AnalyticsError> {
    let lake = open(&args.audit, around).await?;
    let within = args.month.map_or(Within::All, |month| month.partitions());
    let grace = TimeDelta::minutes(i64::from(args.grace));
    let task = Task { within, grace, now: around.now, dry_run: args.dry_run };
    let progress = progress(0);
    let done = compact::compact(&lake, task, &|more| progress.inc_length(more), &|| progress.inc(1)).await;
    progress.finish_and_clear();
    let done = done?;
    deliver(&done.told(task), None)?;
    let left_out = done.left_out();
    warn(&left_out);
    Ok(if left_out.is_empty() { Ended::Done } else { Ended::LeftOut })
}

async fn verify(args: VerifyArgs, around: &Surroundings) -> Result<Ended, AnalyticsError> {
    let span = args.period.span(around.now.date_naive())?;
    let lake = open(&args.audit, around).await?;
    let progress = progress(VERIFY_STEPS);
    let checked = Books::check(&lake, span, &mut || progress.inc(1)).await;
    progress.finish_and_clear();
    let books = checked?;
    let page = match args.format {
        PrincipalFormat::Text => render::verify::books(&books),
        PrincipalFormat::Json => json::json(&books)?,
    };
    deliver(&page, None)?;
    Ok(if books.balance() { Ended::Done } else { Ended::OutOfBalance })
}

async fn sql(args: SqlArgs, around: &Surroundings) -> Result<Ended, AnalyticsError> {
    let lake = open(&args.audit, around).await?;
    let mut tables = kept(Tables::open(&lake).await?);
    let output = args.output.as_deref();
    if args.format == SqlFormat::Parquet && output.is_none() && around.terminal_width.is_some() {
        return Err(AnalyticsError::Usage("Parquet is not for a terminal: give --output FILE, or a pipe"));
    }
    let answer = tables.query(&args.statement).await?;
    let page = match args.format {
        SqlFormat::Table => table::table(&answer, around.terminal_width.unwrap_or(PIPE_WIDTH))?.into_bytes(),
        SqlFormat::Csv => table::csv(&answer)?.into_bytes(),
        SqlFormat::Json => table::json_rows(&answer)?.into_bytes(),
        SqlFormat::Parquet => table::parquet(&answer)?,
    };
    deliver_bytes(&page, output)?;
    let left_out = tables.left_out();
    warn(&left_out);
    Ok(if left_out.is_empty() { Ended::Done } else { Ended::LeftOut })
}

async fn backtest(args: BacktestArgs, around: &Surroundings) -> Result<Ended, AnalyticsError> {
    let config = Config::read(&args)?;
    let span = args.period.span(around.now.date_naive())?;
    let found = if args.events.is_empty() {
        let needed = "which period? give --month, --from and --to, or --last";
        let span = span.ok_or(AnalyticsError::Usage(needed))?;
        let lake = open(&args.audit, around).await?;
        let mut tables = Tables::open(&lake).await?;
        let progress = progress(0);
        let steps: (&dyn Fn(u64), &dyn Fn()) = (&|more| progress.inc_length(more), &|| progress.inc(1));
        let tried = Backtest::of_lake(&mut tables, &config, span, steps).await;
        progress.finish_and_clear();
        Backtest { source: lake.location().to_owned(), ..tried? }
    } else {
        Backtest::of_files(&config, &args, span)
    };
    let output = args.output.as_deref();
    let page = match args.format {
        BacktestFormat::Text => render::backtest::text(&found, paint(around, output)),
        BacktestFormat::Markdown => render::backtest::markdown(&found),
        BacktestFormat::Json => json::json(&found)?,
    };
    deliver(&page, output)?;
    warn(&found.left_out);
    Ok(match () {
        () if args.fail_on.iter().any(|kind| found.totals.has(*kind)) => Ended::Refused,
        () if found.is_incomplete() => Ended::LeftOut,
        () if found.events == 0 && found.not_stored == 0 => Ended::NothingFound,
        () => Ended::Done,
    })
}

fn capacity(args: &CapacityArgs) -> Result<Ended, AnalyticsError> {
    let found = Capacity::of(args.load);
    let page = match args.format {
        PrincipalFormat::Text => capacity::text(&found),
        PrincipalFormat::Json => json::json(&found)?,
    };
    deliver(&page, None)?;
    Ok(Ended::Done)
}

fn schema() -> Result<Ended, AnalyticsError> {
    let files = schemas::rendered_files();
    let athena = files.iter().filter(|file| file.path.starts_with("athena/"));
    // Tables before the views that read them, and these before the views over views.
    let mut files: Vec<_> = athena.collect();
    files.sort_by_key(|file| {
        let is_over_views = VIEWS.iter().any(|view| file.path == format!("athena/{}.sql", view.name));
        (file.content.contains("CREATE OR REPLACE VIEW"), is_over_views)
    });
    let statements: Vec<String> = files.iter().map(|file| format!("{};\n", file.content.trim_end())).collect();
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
fn progress(steps: u64) -> ProgressBar {
    if !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("reading the lake {bar:30} {pos}/{len}")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(steps).with_style(style)
}

fn deliver(page: &str, output: Option<&Path>) -> Result<(), AnalyticsError> {
    deliver_bytes(page.as_bytes(), output)
}

fn deliver_bytes(page: &[u8], output: Option<&Path>) -> Result<(), AnalyticsError> {
    let write = |source, to: String| AnalyticsError::Write { to, source };
    match output {
        Some(path) => fs::write(path, page).map_err(|source| write(source, path.display().to_string())),
        None => {
            let mut out = io::stdout().lock();
            let written = out.write_all(page).and_then(|()| out.flush());
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
