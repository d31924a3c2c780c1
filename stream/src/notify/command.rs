//! The command line that the four programs share: a file or the built-in sample in, what would be sent out.

use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use chrono::Utc;
use clap::Args;
use tracing_subscriber::EnvFilter;

use super::event::BusEvent;
use super::intake::{Intake, open_text};
use super::run::{Channel, Moment, Program};
use super::sample;
use crate::backoff::Deadline;
use crate::commands::Exit;
use crate::settings::Settings;

/// Largest file that is read, bytes; the bus of a day fits.
const MAX_FILE_BYTES: u64 = 256 * 1024 * 1024;
/// A command line has the patience of its user.
const PATIENCE: Duration = Duration::from_secs(600);

/// What writes addresses and bodies into its trace.
const QUIET: [&str; 12] = [
    "reqwest",
    "hyper",
    "hyper_util",
    "h2",
    "rustls",
    "object_store",
    "aws_config",
    "aws_runtime",
    "aws_sdk_ssm",
    "aws_sigv4",
    "aws_smithy_http_client",
    "aws_smithy_runtime",
];

/// What every program understands.
#[derive(Debug, Args)]
pub struct Common {
    /// Events to tell of: a bus event, a list, an SQS batch or JSON lines; - for standard input. Without it: a sample
    #[arg(long, value_name = "FILE")]
    pub event: Option<PathBuf>,
    /// What is logged to standard error: off, error, warn, info, debug or trace
    #[arg(long, value_name = "LEVEL", default_value = "warn")]
    pub log_level: String,
}

/// Runs a command line to its end: reads the input, shows it with `show`, or with `USE_REAL_AWS=true` sends it with the
/// program that `build` makes.
pub fn run<C, Show, Shown, Build, Built>(common: &Common, show: Show, build: Build) -> ExitCode
where
    C: Channel,
    Show: FnOnce(Vec<BusEvent>, Settings) -> Shown,
    Shown: Future<Output = anyhow::Result<()>>,
    Build: FnOnce(Settings) -> Built,
    Built: Future<Output = anyhow::Result<Program<C>>>,
{
    let done = start(common, show, build);
    let exit = done.unwrap_or_else(|error| {
        let broken_pipe = |io: &io::Error| io.kind() == io::ErrorKind::BrokenPipe;
        if error.chain().filter_map(|cause| cause.downcast_ref()).any(broken_pipe) {
            return Exit::Done;
        }
        // Nothing is left to do when standard error is gone.
        let _ = writeln!(io::stderr(), "error: {error:#}");
        Exit::Failed
    });
    exit.into()
}

fn start<C, Show, Shown, Build, Built>(common: &Common, show: Show, build: Build) -> anyhow::Result<Exit>
where
    C: Channel,
    Show: FnOnce(Vec<BusEvent>, Settings) -> Shown,
    Shown: Future<Output = anyhow::Result<()>>,
    Build: FnOnce(Settings) -> Built,
    Built: Future<Output = anyhow::Result<Program<C>>>,
{
    let settings = Settings::from_env()?;
    let level = if settings.debug { "debug" } else { common.log_level.as_str() };
    let filter = filter(level)?;
    // A second call, in tests, keeps the first.
    let _ = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).try_init();
    let text = common.event.as_deref().map_or_else(|| Ok(sample::EVENTS.to_owned()), read)?;
    let intake = open_text(&text);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    if settings.use_real_aws {
        return runtime.block_on(send(intake, build(settings)));
    }
    let (events, all_read) = readable(intake);
    runtime.block_on(show(events, settings))?;
    Ok(if all_read { Exit::Done } else { Exit::NotAllRead })
}

/// The level for our own code. What speaks to the network stays quiet: at its lowest levels it writes down addresses and
/// bodies, and so the webhook.
fn filter(level: &str) -> anyhow::Result<EnvFilter> {
    let mut filter = EnvFilter::try_new(level).context("--log-level")?;
    for name in QUIET {
        filter = filter.add_directive(format!("{name}=warn").parse()?);
    }
    Ok(filter)
}

async fn send<C: Channel>(
    intake: Intake,
    program: impl Future<Output = anyhow::Result<Program<C>>>,
) -> anyhow::Result<Exit> {
    let moment = Moment { now: Utc::now(), deadline: Deadline::after(PATIENCE) };
    let report = program.await?.run(intake, moment).await;
    let counts: Vec<String> = report.counts.iter().map(|(name, count)| format!("{count} {name}")).collect();
    say(&format!("{} events: {}; {} summaries\n", report.events_in, counts.join(", "), report.ticked))?;
    if let Some(reason) = report.reason {
        anyhow::bail!("not all was sent, run it again: {reason}");
    }
    Ok(if report.count("dead_letter") > 0 { Exit::NotAllRead } else { Exit::Done })
}

/// The readable events; what is not is told on standard error.
fn readable(intake: Intake) -> (Vec<BusEvent>, bool) {
    let mut events = Vec::new();
    let mut all_read = true;
    for (place, arrival) in (1..).zip(intake.arrivals) {
        match arrival.event {
            Ok(event) => events.push(event),
            Err(error) => {
                all_read = false;
                let _ = writeln!(io::stderr(), "event {place} is refused, nothing is sent for it: {error}");
            }
        }
    }
    (events, all_read)
}

fn read(path: &Path) -> anyhow::Result<String> {
    let name = path.display();
    let mut text = String::new();
    let input: Box<dyn Read> = match path.as_os_str() == "-" {
        true => Box::new(io::stdin()),
        false => Box::new(std::fs::File::open(path).with_context(|| format!("cannot open {name}"))?),
    };
    input.take(MAX_FILE_BYTES + 1).read_to_string(&mut text).with_context(|| format!("cannot read {name}"))?;
    anyhow::ensure!(text.len() as u64 <= MAX_FILE_BYTES, "{name} is larger than {MAX_FILE_BYTES} bytes; cut it");
    Ok(text)
}

/// Writes to standard output.
pub fn say(text: &str) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    Ok(out.flush()?)
}
