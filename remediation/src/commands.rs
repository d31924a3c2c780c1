//! The command line. Without AWS it shows, on a sample or on messages of yours, what would be done and why; nothing is
//! ever changed there.

use std::fmt::Write as _;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use chrono::Utc;
use clap::{Parser, Subcommand};
use lake::Lake;
use serde_json::Value;
use stream::backoff::Deadline;
use stream::commands::Exit;
use stream::settings::Settings;
use uuid::Uuid;

use crate::handler::{open, switches};
use crate::history;
use crate::remediator::{ConfigSource, Disposition, Remediator};
use crate::request::{Request, Target};
use crate::settings::OwnSettings;
use crate::show;
use crate::snapshot::{self, Stored};
use crate::tell::Teller;

/// A command line has the patience of its user.
const PATIENCE: Duration = Duration::from_secs(600);
/// Largest file of messages, bytes.
const MAX_FILE_BYTES: u64 = 64 * 1024 * 1024;
/// Attempts whose ids `undo` knows.
const KNOWN_ATTEMPTS: u32 = 20;

const SAMPLE: &str = include_str!("sample.json");
const SHIPPED_CONFIG: &str = include_str!("../../config/remediator-config.json");

const AFTER_HELP: &str = "\
Exit codes:
  0  done
  1  not done; the message says why
  2  the command line is wrong; nothing was done
  3  done, but some messages could not be read

Examples:
  remediator                                     the built-in sample: plan, verdict, status event
  remediator plan --event message.json           what would be done for a message of yours, and why
  remediator --config my-config.json             the same under a configuration of yours
  USE_REAL_AWS=true remediator list              repairs that can be taken back
  USE_REAL_AWS=true remediator undo ID           what taking one back would do; --apply does it";

/// Repairs what a violation did, within bounds, and takes repairs back.
///
/// Shows on a message what it would do; without --event that is a built-in sample. With USE_REAL_AWS=true it looks at IAM,
/// and with DRY_RUN=false and ENABLE_REMEDIATION=true it acts. Under AWS Lambda the same program reads an SQS queue.
#[derive(Debug, Parser)]
#[command(name = "remediator", version, after_help = AFTER_HELP, max_term_width = 100)]
pub struct Cli {
    /// What to do instead of dealing with messages
    #[command(subcommand)]
    pub command: Option<Command>,
    /// Messages: a bus event, {violation, event, remediation_action}, a list, an SQS batch or JSON lines; - for standard input
    #[arg(long, global = true, value_name = "FILE")]
    pub event: Option<PathBuf>,
    /// remediator-config.json to decide by; without it the one that ships, or with USE_REAL_AWS the one in RULES_BUCKET
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Folder for rows, claims and snapshots, instead of AUDIT_BUCKET; without it a run without AWS keeps nothing
    #[arg(long, global = true, value_name = "DIR")]
    pub audit: Option<PathBuf>,
    /// Change nothing, whatever the configuration says
    #[arg(long, global = true)]
    pub dry_run: bool,
    /// What is logged to standard error: off, error, warn, info, debug or trace
    #[arg(long, global = true, value_name = "LEVEL", default_value = "warn")]
    pub log_level: String,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Say what would be done for messages, and why; nothing is written anywhere
    Plan,
    /// Say what taking a repair back would do; with --apply do it
    Undo {
        /// Id of a row, of the repair or of the violation
        id: Uuid,
        /// Do it
        #[arg(long)]
        apply: bool,
    },
    /// List the repairs that have a snapshot, newest first
    List,
    /// Hold the repairs of a violation back, while they wait for their grace
    Hold {
        /// Id of the violation
        id: Uuid,
        /// Why; kept and told
        #[arg(long)]
        reason: String,
    },
    /// Say whether the circuit breaker is open; with --close close it
    Breaker {
        /// Close it
        #[arg(long, requires = "reason")]
        close: bool,
        /// Why; kept
        #[arg(long)]
        reason: Option<String>,
    },
    /// Note trust policies, boundaries and default versions of an account as good, to go back to later
    Baseline {
        /// Account to note
        #[arg(long, value_name = "ID")]
        account: String,
    },
}

/// Runs the command line.
pub async fn run(cli: Cli) -> anyhow::Result<Exit> {
    let settings = Settings::from_env()?;
    let remediator = build(&cli, &settings).await?;
    let deadline = Deadline::after(PATIENCE);
    match &cli.command {
        None => deal(&remediator, &messages(cli.event.as_deref())?, deadline).await,
        Some(Command::Plan) => plan(&remediator, &messages(cli.event.as_deref())?, deadline).await,
        Some(Command::Undo { id, apply }) => undo(&remediator, *id, *apply && !cli.dry_run, deadline).await,
        Some(Command::List) => list(&remediator).await,
        Some(Command::Hold { id, reason }) => {
            history::hold_back(&remediator.lake, &id.to_string(), reason, Utc::now()).await?;
            say(&format!("repairs of violation {id} are held back\n"))
        }
        Some(Command::Breaker { close, reason }) => {
            breaker(&remediator.lake, close.then(|| reason.clone().unwrap_or_default())).await
        }
        Some(Command::Baseline { account }) => {
            let accounts = remediator.accounts.as_ref().context("baseline needs IAM: set USE_REAL_AWS=true")?;
            let client = accounts.reader(account).await?;
            let noted = crate::baseline::note(&remediator.lake, &client, account).await?;
            say(&format!("noted {noted} users, roles and policies of account {account}\n"))
        }
    }
}

async fn build(cli: &Cli, settings: &Settings) -> anyhow::Result<Remediator> {
    let own = OwnSettings::from_env();
    let mut remediator =
        if settings.use_real_aws { open(settings, &own).await?.0 } else { local(settings, &own).await? };
    if let Some(folder) = &cli.audit {
        let folder = folder.to_str().context("--audit is not UTF-8")?;
        remediator.lake = Lake::open(folder).await?;
        remediator.snapshots = remediator.lake.clone();
    }
    if let Some(path) = &cli.config {
        remediator.config = ConfigSource::Text(read(path)?);
    }
    remediator.switches.dry_run |= cli.dry_run;
    Ok(remediator)
}

/// Without AWS: nothing can be changed, so the plan is shown whatever the switches say.
async fn local(settings: &Settings, own: &OwnSettings) -> anyhow::Result<Remediator> {
    let lake =
        Lake::open(settings.audit_location.as_deref().filter(|place| !place.contains("://")).unwrap_or("memory://"))
            .await?;
    let mut switches = switches(settings, own);
    switches.enabled = true;
    switches.dry_run = true;
    Ok(Remediator {
        snapshots: lake.clone(),
        lake,
        config: ConfigSource::Text(SHIPPED_CONFIG.to_owned()),
        switches,
        accounts: None,
        teller: Teller { bus: None, metrics: None },
    })
}

async fn plan(remediator: &Remediator, bodies: &[String], deadline: Deadline) -> anyhow::Result<Exit> {
    let mut exit = Exit::Done;
    for body in bodies {
        match Request::read(body) {
            Ok(request) => {
                let preview = remediator.preview(&request, deadline).await;
                let is_assumed = remediator.accounts.is_none();
                let place = partition_of(&request);
                say(&show::preview(&request, &preview, (is_assumed, &place)))?;
            }
            Err(reason) => exit = refuse(&reason)?,
        }
    }
    Ok(exit)
}

async fn deal(remediator: &Remediator, bodies: &[String], deadline: Deadline) -> anyhow::Result<Exit> {
    let mut exit = plan(remediator, bodies, deadline).await?;
    for request in bodies.iter().filter_map(|body| Request::read(body).ok()) {
        match remediator.handle(&request, deadline).await {
            Disposition::Done(row) => say(&format!("{}\n", crate::log::sentence(&row)))?,
            Disposition::Repeated => say("It was dealt with before; nothing is done twice.\n")?,
            Disposition::NotBefore(until, reason) => say(&format!("It waits until {until}: {reason}.\n"))?,
            Disposition::Again(reason) => {
                let _ = writeln!(io::stderr(), "not done: {reason}");
                exit = Exit::Failed;
                Exit::Failed
            }
        };
    }
    Ok(exit)
}

async fn undo(remediator: &Remediator, id: Uuid, apply: bool, deadline: Deadline) -> anyhow::Result<Exit> {
    let stored = find(remediator, id).await?;
    let mut text = format!("Takes back {}\n", show::headline(&stored));
    if !apply || remediator.accounts.is_none() {
        let would = remediator.undo(&stored, false, deadline).await?;
        show::steps(&mut text, &would.steps);
        text.push_str("Nothing was changed; --apply does it.\n");
        return say(&text);
    }
    let undone = remediator.undo(&stored, true, deadline).await?;
    show::steps(&mut text, &undone.steps);
    text.push_str(if undone.row.is_some() { "Done.\n" } else { "IAM shows the state of before already.\n" });
    say(&text)
}

/// A repair by the id of a row, of itself or of its violation.
async fn find(remediator: &Remediator, id: Uuid) -> anyhow::Result<Stored> {
    if let Some(stored) = snapshot::load(&remediator.snapshots, id).await? {
        return Ok(stored);
    }
    let mut fitting = Vec::new();
    for stored in snapshot::all(&remediator.snapshots).await? {
        let request = stored.snapshot().request();
        let is_attempt = (1..=KNOWN_ATTEMPTS).any(|attempt| request.attempt_id(attempt) == id);
        if is_attempt || request.violation.violation_id == id {
            fitting.push(stored);
        }
    }
    anyhow::ensure!(fitting.len() < 2, "{id} has several repairs: give the id of one, see `remediator list`");
    let place = remediator.snapshots.location();
    fitting.pop().with_context(|| format!("no snapshot of {id} in {place}: nothing was changed, or it is elsewhere"))
}

async fn list(remediator: &Remediator) -> anyhow::Result<Exit> {
    let mut text = String::new();
    for stored in snapshot::all(&remediator.snapshots).await? {
        let _ = writeln!(text, "{}  {}", stored.snapshot().repair_id, show::headline(&stored));
    }
    if text.is_empty() {
        let _ = writeln!(text, "no repairs in {}", remediator.snapshots.location());
    }
    say(&text)
}

async fn breaker(lake: &Lake, close: Option<String>) -> anyhow::Result<Exit> {
    let Some(note) = history::breaker_open(lake).await? else { return say("the circuit breaker is closed\n") };
    let Some(reason) = close else {
        return say(&format!("the circuit breaker is open since {}: {}\n", note.at, note.reason));
    };
    history::close_breaker(lake, &reason, Utc::now()).await?;
    say(&format!("closed; it was open since {}: {}\n", note.at, note.reason))
}

/// Every message of a file, as text.
fn messages(path: Option<&Path>) -> anyhow::Result<Vec<String>> {
    let Some(path) = path else { return Ok(vec![SAMPLE.to_owned()]) };
    let text = read(path)?;
    let Ok(value) = serde_json::from_str::<Value>(&text) else {
        return Ok(text.lines().filter(|line| !line.trim().is_empty()).map(str::to_owned).collect());
    };
    Ok(match value.get("Records").or(Some(&value)) {
        Some(Value::Array(items)) => {
            let body = |item: &Value| item.get("body").and_then(Value::as_str).map(str::to_owned);
            items.iter().map(|item| body(item).unwrap_or_else(|| item.to_string())).collect()
        }
        _ => vec![text],
    })
}

fn read(path: &Path) -> anyhow::Result<String> {
    let name = path.display();
    let input: Box<dyn Read> = match path.as_os_str() == "-" {
        true => Box::new(io::stdin()),
        false => Box::new(std::fs::File::open(path).with_context(|| format!("cannot open {name}"))?),
    };
    let mut text = String::new();
    input.take(MAX_FILE_BYTES + 1).read_to_string(&mut text).with_context(|| format!("cannot read {name}"))?;
    anyhow::ensure!(text.len() as u64 <= MAX_FILE_BYTES, "{name} is larger than {MAX_FILE_BYTES} bytes; cut it");
    Ok(text)
}

fn partition_of(request: &Request) -> String {
    let violation = &request.violation;
    let arn = match &request.target {
        Target::Policy { arn } => Some(arn),
        _ => violation.target_arn.as_ref().or(violation.principal_arn.as_ref()),
    };
    arn.and_then(|arn| arn.split(':').nth(1)).unwrap_or("aws").to_owned()
}

fn refuse(reason: &crate::request::RequestError) -> anyhow::Result<Exit> {
    writeln!(io::stderr(), "a message is refused: {reason}")?;
    Ok(Exit::NotAllRead)
}

fn say(text: &str) -> anyhow::Result<Exit> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()?;
    Ok(Exit::Done)
}
