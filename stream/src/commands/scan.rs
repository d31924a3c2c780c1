//! `detector scan`: CloudTrail files in, a lake and a summary out.

use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use clap::{Args, ValueEnum};
use detection::{Interest, Judges, Limits};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use lake::Lake;
use schemas::Severity;

use super::judge::Format;
use super::{ConfigArgs, Exit, Loaded};
use crate::scan::in_order::{Emit, in_order};
use crate::scan::inputs::{Found, Inputs, Unit};
use crate::scan::judge::{Bench, Worker};
use crate::scan::summary::{self, Summary};
use crate::scan::writer::{Outcome, Writer};

/// What to scan and where to write.
#[derive(Debug, Args)]
pub struct ScanArgs {
    /// Files and folders; folders are walked with their sub-folders
    #[arg(value_name = "PATH", required = true)]
    paths: Vec<PathBuf>,
    /// Lake to write to: a folder or s3://bucket/prefix
    #[arg(long, value_name = "DIR|s3://…")]
    audit: String,
    /// Also write what would go to the bus, as JSON lines
    #[arg(long, value_name = "FILE")]
    bus: Option<PathBuf>,
    /// Threads to judge with; all cores without it
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
    /// End with exit code 4 if a violation of this severity or worse is reported
    #[arg(long, value_name = "SEVERITY")]
    fail_on: Option<FailOn>,
    /// Print the summary as text for people or as JSON
    #[arg(long = "summary", value_name = "FORMAT", default_value = "text")]
    summary: Format,
}

/// Severities as the command line spells them.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum FailOn {
    Low,
    Medium,
    High,
    Critical,
}

impl From<FailOn> for Severity {
    fn from(fail_on: FailOn) -> Severity {
        match fail_on {
            FailOn::Low => Severity::Low,
            FailOn::Medium => Severity::Medium,
            FailOn::High => Severity::High,
            FailOn::Critical => Severity::Critical,
        }
    }
}

/// Scans everything the paths name. What cannot be read is told and stored as dead letters; the rest is judged.
pub fn run(args: &ScanArgs, config: &ConfigArgs) -> Result<Exit> {
    let loaded = Loaded::from_args(config)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let lake = runtime.block_on(Lake::open(&args.audit))?;
    let mut inputs = Inputs::of(&args.paths);
    // Before anything is written, as it must not become an input.
    let listed = if writes_among_inputs(args) { inputs.by_ref().collect() } else { Vec::new() };
    let writer = Writer::new(&runtime, &lake, args.bus.clone())?;
    let started = Instant::now();
    let groups = listed.into_iter().chain(&mut inputs);
    let (outcome, text_bytes) = scan(args, &loaded, groups, writer)?;
    let (seconds, found) = (started.elapsed().as_secs_f64(), inputs.into_found());

    let summary = Summary { found: &found, outcome: &outcome, text_bytes, lake: lake.location() };
    let mut out = io::stdout().lock();
    match args.summary {
        Format::Text => summary::write_text(&mut out, &summary)?,
        Format::Json => summary::write_json(&mut out, &summary)?,
    }
    summary::write_problems(&mut io::stderr().lock(), &summary)?;
    write_speed(&outcome, text_bytes, seconds)?;
    Ok(exit(args, &found, &outcome))
}

fn exit(args: &ScanArgs, found: &Found, outcome: &Outcome) -> Exit {
    let worst = outcome.rules.values().filter(|rule| rule.reported > 0).map(|rule| rule.severity).max();
    let asked_for = args.fail_on.map(Severity::from);
    if asked_for.is_some_and(|least| worst.is_some_and(|worst| worst >= least)) {
        Exit::Found
    } else if outcome.books.dead_letters > 0 || outcome.books.rule_errors > 0 || !found.problems.is_empty() {
        Exit::NotAllRead
    } else {
        Exit::Done
    }
}

/// Whether what the scan writes may be found among what it reads: the lake or the bus file in a folder that is read, or a
/// folder of the lake that is read.
fn writes_among_inputs(args: &ScanArgs) -> bool {
    let among = |written: &Path| {
        args.paths.iter().any(|read| match (lake::resolve(read), lake::resolve(written)) {
            (Ok(read), Ok(written)) => written.starts_with(&read) || read.starts_with(&written),
            _ => true,
        })
    };
    let bus = args.bus.as_deref().is_some_and(among);
    // A folder may be written as a URL, too; rarely, so that it is not taken apart here.
    bus || (!args.audit.starts_with("s3://") && (args.audit.contains("://") || among(Path::new(&args.audit))))
}

fn scan(
    args: &ScanArgs,
    loaded: &Loaded,
    groups: impl Iterator<Item = Vec<Unit>> + Send,
    mut writer: Writer<'_>,
) -> Result<(Outcome, u64)> {
    let (progress, text_bytes, done) = (AtomicU64::new(0), AtomicU64::new(0), AtomicBool::new(false));
    let bench = Bench {
        judges: Judges { rules: &loaded.rules, suppressions: &loaded.suppressions },
        policies: &loaded.policies,
        interest: Interest::in_names(loaded.rules.event_names()),
        limits: Limits::default(),
        progress: &progress,
        text_bytes: &text_bytes,
    };
    let threads = args.threads.unwrap_or_else(|| thread::available_parallelism().map_or(1, usize::from));
    thread::scope(|scope| {
        scope.spawn(|| show_progress(&args.paths, &progress, &done));
        let worker = || {
            let mut worker = Worker::new(&bench);
            move |units: Vec<Unit>, emit: &Emit<'_, _>| worker.judge(&units, emit)
        };
        let taken = in_order(groups, threads, worker, |batch| writer.take(batch));
        done.store(true, Ordering::Relaxed);
        taken
    })?;
    Ok((writer.finish().context("ending the scan")?, text_bytes.into_inner()))
}

/// A bar on a terminal, nothing in a pipe. How much there is to read is counted for the bar alone.
fn show_progress(paths: &[PathBuf], progress: &AtomicU64, done: &AtomicBool) {
    if !io::stderr().is_terminal() {
        return;
    }
    let groups = Inputs::of(paths).take_while(|_| !done.load(Ordering::Relaxed));
    let total = groups.flatten().map(|unit| unit.bytes).sum();
    let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr());
    let template = "{bar:40} {bytes} of {total_bytes}  {bytes_per_sec}  {eta} left";
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    while !done.load(Ordering::Relaxed) {
        bar.set_position(progress.load(Ordering::Relaxed));
        thread::sleep(Duration::from_millis(50));
    }
    bar.finish_and_clear();
}

/// On standard error, so that the summary itself is the same for the same input.
fn write_speed(outcome: &Outcome, text_bytes: u64, seconds: f64) -> io::Result<()> {
    let events = outcome.books.events_in as f64 / seconds.max(0.001);
    let megabytes = text_bytes as f64 / 1e6 / seconds.max(0.001);
    writeln!(io::stderr(), "{seconds:.2} s, {events:.0} events/s, {megabytes:.0} MB/s of log text")
}
