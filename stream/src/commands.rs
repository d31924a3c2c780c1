//! The command line of `detector`: one module for each command, each ending in an [`Exit`].

pub mod check;
pub mod explain;
pub mod judge;
pub mod policy;
pub mod scan;
pub mod test;

mod files;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

pub use files::{ConfigFiles, Loaded, NotLoaded};

/// How a command ended. Scripts rely on the numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Done, and everything was read.
    Done,
    /// Not done: the message says why.
    Failed,
    /// The command line or a configuration file is wrong; nothing was done.
    Usage,
    /// Done, but some input could not be read; it is in the dead letters.
    NotAllRead,
    /// Done; what the command was asked to look out for was found.
    Found,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(match exit {
            Exit::Done => 0,
            Exit::Failed => 1,
            Exit::Usage => 2,
            Exit::NotAllRead => 3,
            Exit::Found => 4,
        })
    }
}

const AFTER_HELP: &str = "\
Exit codes:
  0  done, and everything was read
  1  not done; the message says why
  2  the command line or a configuration file is wrong; nothing was done
  3  done, but some input could not be read: see dead-letters/ in the lake
  4  found what was asked for: --fail-on, a failed test, access that grew

Examples:
  detector                                       judge the built-in sample event and explain the verdict
  detector --event event.json                    the same for an event of yours, in any envelope
  detector scan logs/ --audit lake               judge CloudTrail files, write Parquet
  detector check --rules my-rules.yaml           every fault of the configuration, with its line
  detector test --rules my-rules.yaml            run the tests written beside the rules";

/// Judges CloudTrail events against detection rules.
///
/// Without a command it judges one event and explains the verdict; without --event that is a built-in sample. Under
/// AWS Lambda the same program reads Kinesis batches. No AWS account is needed on the command line.
#[derive(Debug, Parser)]
#[command(name = "detector", version, after_help = AFTER_HELP, max_term_width = 100)]
pub struct Cli {
    /// What to do instead of judging one event
    #[command(subcommand)]
    pub command: Option<Command>,
    /// The event, without a command
    #[command(flatten)]
    pub judge: judge::JudgeArgs,
    /// Rules, suppressions and policies to judge with
    #[command(flatten)]
    pub config: ConfigArgs,
    /// What is logged to standard error: off, error, warn, info, debug or trace
    #[arg(long, global = true, value_name = "LEVEL", default_value = "warn")]
    pub log_level: String,
}

/// Where rules, suppressions and policy documents come from.
#[derive(Debug, Clone, Default, Args)]
pub struct ConfigArgs {
    /// Folder with rules.yaml and suppress.yaml; without it the rules that ship with this program are used
    #[arg(long, global = true, value_name = "DIR")]
    pub config: Option<PathBuf>,
    /// Rules, instead of those of the folder
    #[arg(long, global = true, value_name = "FILE")]
    pub rules: Option<PathBuf>,
    /// Suppressions, instead of those of the folder
    #[arg(long, global = true, value_name = "FILE")]
    pub suppress: Option<PathBuf>,
    /// Policy documents that events only name: the output of `aws iam get-account-authorization-details`, an object of
    /// ARN to document, or a folder of these; taken as the state before the first event
    #[arg(long, global = true, value_name = "FILE|DIR")]
    pub policies: Option<PathBuf>,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Judge CloudTrail files and folders (.json, .json.gz, JSON lines) and write what was found to a lake
    Scan(scan::ScanArgs),
    /// Look for every fault of the configuration files, with file and line
    Check,
    /// Run the tests written beside the rules
    Test,
    /// Answer questions on policies: JSON lines in, JSON lines out
    Policy,
    /// Say in sentences what a policy grants that matters
    Explain(explain::ExplainArgs),
    /// Say what a new policy grants that the old one did not, with witness requests
    Compare(explain::CompareArgs),
    /// Read a Kinesis stream in one process, with a checkpoint file; for large streams there is the Lambda
    Poll(crate::poll::PollArgs),
}

/// Runs the command line.
pub fn run(cli: Cli) -> anyhow::Result<Exit> {
    match cli.command {
        None => judge::run(&cli.judge, &cli.config),
        Some(Command::Scan(args)) => scan::run(&args, &cli.config),
        Some(Command::Check) => check::run(&cli.config),
        Some(Command::Test) => test::run(&cli.config),
        Some(Command::Policy) => policy::run(),
        Some(Command::Explain(args)) => explain::run(&args),
        Some(Command::Compare(args)) => explain::compare(&args),
        Some(Command::Poll(args)) => crate::poll::run(&args),
    }
}
