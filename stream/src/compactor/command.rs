//! The command line of the compactor: the built-in sample, a folder, or with `USE_REAL_AWS=true` a bucket.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use chrono::{DateTime, Utc};
use clap::Args;
use lake::{Lake, Within};
use schemas::VIOLATIONS;
use serde_json::Value;
use tracing_subscriber::EnvFilter;

use super::{Request, Summary, Task, compact};
use crate::backoff::Deadline;
use crate::commands::Exit;
use crate::notify::command::say;
use crate::notify::sample;
use crate::settings::Settings;

/// A command line has the patience of its user.
const PATIENCE: Duration = Duration::from_secs(24 * 3600);
/// Largest request, bytes.
const MAX_REQUEST_BYTES: u64 = 4096;
/// The day after the events of the sample.
const AFTER_SAMPLE: &str = "2024-01-06T00:00:00Z";

/// What the compactor understands.
#[derive(Debug, Args)]
pub struct Options {
    /// Request as the Lambda takes it: {} or {"months": 24}
    #[arg(long, value_name = "FILE")]
    pub event: Option<PathBuf>,
    /// Lake to compact: a folder, or with USE_REAL_AWS=true s3://bucket/prefix. Without it: AUDIT_BUCKET, else a sample
    #[arg(long, value_name = "DIR|S3")]
    pub audit: Option<String>,
    /// What is logged to standard error: off, error, warn, info, debug or trace
    #[arg(long, value_name = "LEVEL", default_value = "warn")]
    pub log_level: String,
}

/// Runs a command line to its end.
pub fn run(options: &Options) -> ExitCode {
    let exit = start(options).unwrap_or_else(|error| {
        // Nothing is left to do when standard error is gone.
        let _ = writeln!(io::stderr(), "error: {error:#}");
        Exit::Failed
    });
    exit.into()
}

fn start(options: &Options) -> anyhow::Result<Exit> {
    let settings = Settings::from_env()?;
    let filter = EnvFilter::try_new(&options.log_level).context("--log-level")?;
    // A second call, in tests, keeps the first.
    let _ = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).try_init();
    let request = options.event.as_deref().map_or_else(|| Ok(Request::default()), read)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let location = options.audit.clone().or_else(|| settings.audit_location.clone().filter(|_| settings.use_real_aws));
    let Some(location) = location else { return runtime.block_on(show_sample()) };
    anyhow::ensure!(
        settings.use_real_aws || !location.starts_with("s3://"),
        "{location} is a bucket: set USE_REAL_AWS=true to change it"
    );
    let task = Task::of(request, settings.compact_months, Utc::now())?;
    runtime.block_on(async {
        let lake = Lake::open(&location).await?;
        end(&compact(&lake, task, Deadline::after(PATIENCE)).await)
    })
}

fn read(path: &std::path::Path) -> anyhow::Result<Request> {
    let name = path.display();
    let file = std::fs::File::open(path).with_context(|| format!("cannot open {name}"))?;
    let size = file.metadata().with_context(|| format!("cannot read {name}"))?.len();
    anyhow::ensure!(size <= MAX_REQUEST_BYTES, "{name} is larger than {MAX_REQUEST_BYTES} bytes");
    let request = serde_json::from_reader(file);
    request.with_context(|| format!("{name} is no request: write {{}} or {{\"months\": 24}}"))
}

/// Says what was done.
fn end(summary: &Summary) -> anyhow::Result<Exit> {
    let Summary { files_merged, files_written, rows_written, repeats_dropped, .. } = summary;
    let Summary { files_removed, files_waiting, left_out, .. } = summary;
    say(&format!(
        "{files_merged} files became {files_written} of {rows_written} rows, {repeats_dropped} repeats dropped; \
         {files_removed} merged files removed, {files_waiting} stay for running queries; {left_out} left out\n"
    ))?;
    anyhow::ensure!(summary.failed == 0, "{} parts of the lake were not compacted, run it again", summary.failed);
    Ok(if summary.left_out > 0 { Exit::NotAllRead } else { Exit::Done })
}

/// Compacts the sample on one day, and removes on the next.
async fn show_sample() -> anyhow::Result<Exit> {
    let lake = sample_lake().await?;
    let now: DateTime<Utc> = AFTER_SAMPLE.parse()?;
    let mut exit = Exit::Done;
    for now in [now, now + chrono::TimeDelta::days(1)] {
        list(&lake).await?;
        say(&format!("\nrun of {}: ", now.format("%Y-%m-%d")))?;
        exit = end(&compact(&lake, Task { months: 1, now }, Deadline::after(PATIENCE)).await)?;
        say("\n")?;
    }
    list(&lake).await?;
    Ok(exit)
}

async fn list(lake: &Lake) -> anyhow::Result<()> {
    for file in lake.list_parquet(&VIOLATIONS, Within::All).await? {
        say(&format!("{:>8} bytes  {}\n", file.size, file.location))?;
    }
    Ok(())
}

/// A lake in memory with the violations of the sample in three files, as two deliveries of the same records leave them.
pub(super) async fn sample_lake() -> anyhow::Result<Lake> {
    let lake = Lake::open("memory://").await?;
    let mut rows = Vec::new();
    for line in sample::EVENTS.lines() {
        let mut event: Value = serde_json::from_str(line)?;
        rows.extend(event.pointer_mut("/detail/violation").map(Value::take));
    }
    let each = rows.iter().map(std::slice::from_ref);
    for delivery in std::iter::once(rows.as_slice()).chain(each) {
        lake.write_rows(&VIOLATIONS, delivery).await?;
    }
    Ok(lake)
}
