//! `sns_publisher`: tells of bus events by SNS. A Lambda where the Runtime API is there, else a command line.

use std::process::ExitCode;

use clap::Parser;
use stream::lambda;
use stream::notify::command::{self, Common};
use stream::notify::programs;
use stream::settings::Settings;

/// Writes an e-mail for each event of the bus.
///
/// Shows the messages; with USE_REAL_AWS=true it publishes them to SNS_TOPIC_ARN. Under AWS Lambda it does that for every
/// event of the bus, direct or from SQS, once for each event.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100)]
struct Cli {
    #[command(flatten)]
    common: Common,
}

fn main() -> ExitCode {
    if Settings::is_lambda() {
        return lambda::run(programs::sns_publisher);
    }
    let cli = Cli::parse();
    command::run(&cli.common, programs::show_sns, programs::sns_publisher)
}
