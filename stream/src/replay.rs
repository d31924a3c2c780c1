//! Feeds the stream again: CloudTrail files, dead letters of some days, or what the event source mapping gave up.
//!
//! Ids come from the input, so a violation that is found again is the same violation. Progress is in a state file after
//! every call; a replay that was stopped goes on where it was.

mod sender;
mod sources;
mod state;

use std::io::IsTerminal;
use std::num::NonZeroU32;
use std::path::PathBuf;

use anyhow::{Context as _, bail};
use chrono::NaiveDate;
use clap::{Args, Parser, Subcommand};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tracing::warn;

use crate::aws;
use crate::commands::Exit;
use crate::settings::Settings;
use sender::Sender;
use sources::Source;
use state::State;

/// Feeds the stream with stored events again.
///
/// Needs USE_REAL_AWS=true and the usual AWS credentials: kinesis:PutRecords on the stream, read access to the source.
#[derive(Debug, Parser)]
#[command(name = "replay", version, max_term_width = 100)]
pub struct Cli {
    /// What to feed
    #[command(subcommand)]
    what: What,
    /// How
    #[command(flatten)]
    how: How,
}

#[derive(Debug, Args)]
struct How {
    /// Stream to feed
    #[arg(long, global = true, value_name = "NAME")]
    stream: Option<String>,
    /// Records a second at most; a shard takes 1,000
    #[arg(long, global = true, value_name = "N", default_value = "500")]
    rate: NonZeroU32,
    /// File that remembers what was fed; with it a replay that was stopped goes on
    #[arg(long, global = true, value_name = "FILE")]
    state: Option<PathBuf>,
    /// Say what would be fed, and feed nothing
    #[arg(long, global = true)]
    dry_run: bool,
}

/// The sources.
#[derive(Debug, Subcommand)]
enum What {
    /// CloudTrail files and folders of them (.json, .json.gz, JSON lines); each event becomes a record
    Files {
        /// Files and folders
        #[arg(required = true, value_name = "PATH")]
        paths: Vec<PathBuf>,
    },
    /// Dead letters that the detector stored; the raw bytes become a record
    DeadLetters {
        /// Lake that holds them; without it AUDIT_BUCKET
        #[arg(long, value_name = "DIR|s3://…")]
        audit: Option<String>,
        /// First day of arrival, UTC
        #[arg(long, value_name = "YYYY-MM-DD")]
        from: Option<NaiveDate>,
        /// Last day of arrival, UTC
        #[arg(long, value_name = "YYYY-MM-DD")]
        to: Option<NaiveDate>,
        /// Only letters with this reason, such as look_up_failed
        #[arg(long, value_name = "CODE")]
        reason: Option<String>,
    },
    /// Batches that Lambda gave up and stored in its S3 on-failure destination, with their whole payload
    Failed {
        /// Where they are: a folder, or the bucket up to aws/lambda/<mapping>
        #[arg(value_name = "DIR|s3://…")]
        location: String,
    },
}

/// What a replay did.
#[derive(Debug, Default)]
struct Sum {
    objects: usize,
    records: u64,
    skipped: u64,
}

/// Runs the command line.
pub fn run(cli: Cli) -> anyhow::Result<Exit> {
    let settings = Settings::from_env()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("starting the runtime")?;
    let sum = runtime.block_on(Box::pin(replay(cli, settings)))?;
    tracing::info!(objects = sum.objects, records = sum.records, skipped = sum.skipped, "replay done");
    Ok(if sum.skipped > 0 { Exit::NotAllRead } else { Exit::Done })
}

async fn replay(cli: Cli, settings: Settings) -> anyhow::Result<Sum> {
    let how = cli.how;
    let stream = how.stream.as_deref().context("--stream is missing: name the stream to feed")?;
    if !settings.use_real_aws && !how.dry_run {
        bail!("replay feeds a stream in AWS: set USE_REAL_AWS=true to allow that, or try --dry-run");
    }
    let source = Source::open(cli.what, settings.audit_location.as_deref()).await?;
    let mut state = State::load(how.state.as_deref(), &source.name(), stream)?;
    let objects = source.objects().await?;
    let mut sender = match how.dry_run {
        true => None,
        false => Some(Sender::new(aws_sdk_kinesis::Client::new(&aws::config().await), stream, how.rate)),
    };
    let bar = progress(objects.len());
    let mut sum = Sum { objects: objects.len(), ..Sum::default() };
    for object in &objects {
        bar.inc(1);
        let first = match state.first_of(object) {
            Some(first) => first,
            None => continue,
        };
        let read = Box::pin(source.read(object)).await?;
        sum.skipped += read.skipped.len() as u64;
        for reason in &read.skipped {
            warn!(object, reason, "not fed");
        }
        sum.records += read.items.len().saturating_sub(first) as u64;
        if let Some(sender) = &mut sender {
            Box::pin(sender.send(read.items.get(first..).unwrap_or_default(), |done| state.note(object, first + done)))
                .await?;
            state.note_whole(object)?;
        }
    }
    bar.finish_and_clear();
    tell(&sum, stream, how.dry_run)?;
    Ok(sum)
}

fn tell(sum: &Sum, stream: &str, is_dry: bool) -> anyhow::Result<()> {
    let verb = if is_dry { "would go" } else { "went" };
    let mut out = std::io::stdout().lock();
    let Sum { objects, records, skipped } = sum;
    std::io::Write::write_fmt(
        &mut out,
        format_args!("{records} records of {objects} objects {verb} to {stream}; {skipped} parts could not be fed\n"),
    )
    .context("writing the summary")
}

fn progress(objects: usize) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(objects as u64), ProgressDrawTarget::stderr());
    if !std::io::stderr().is_terminal() {
        bar.set_draw_target(ProgressDrawTarget::hidden());
    }
    if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos}/{len} objects {eta}") {
        bar.set_style(style);
    }
    bar
}
