//! `slack_handler`: tells of bus events in Slack. A Lambda where the Runtime API is there, else a command line.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use stream::lambda;
use stream::notify::command::{self, Common};
use stream::notify::programs;
use stream::settings::Settings;

/// Writes a Slack message for each event of the bus, and few messages for a storm.
///
/// Draws the messages; with USE_REAL_AWS=true it posts them to the webhook in SLACK_WEBHOOK_PARAMETER. Under AWS Lambda it
/// does that for every event of the bus, direct or from SQS, once for each event, and closes windows when a schedule asks.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100)]
struct Cli {
    #[command(flatten)]
    common: Common,
    /// notification-config.yaml to draw with; without it the defaults
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Print what is posted to Slack as JSON
    #[arg(long)]
    json: bool,
}

fn main() -> ExitCode {
    if Settings::is_lambda() {
        return lambda::run(programs::slack_handler);
    }
    let cli = Cli::parse();
    command::run(
        &cli.common,
        |events, _| programs::show_slack(events, cli.config.clone(), cli.json),
        programs::slack_handler,
    )
}
