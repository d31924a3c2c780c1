//! `metrics_publisher`: counts bus events in CloudWatch. A Lambda where the Runtime API is there, else a command line.

use std::process::ExitCode;

use clap::Parser;
use stream::lambda;
use stream::notify::command::{self, Common};
use stream::notify::programs;
use stream::settings::Settings;

/// Counts the events of the bus by severity, rule, action and account.
///
/// Prints the sums; with USE_REAL_AWS=true it sends them to CloudWatch. Under AWS Lambda it does that for every event of
/// the bus, direct or from SQS, once for each event.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100)]
struct Cli {
    #[command(flatten)]
    common: Common,
}

fn main() -> ExitCode {
    if Settings::is_lambda() {
        return lambda::run(programs::metrics_publisher);
    }
    let cli = Cli::parse();
    command::run(&cli.common, programs::show_metrics, programs::metrics_publisher)
}
