//! `audit_logger`: writes every bus event down. A Lambda where the Runtime API is there, else a command line.

use std::process::ExitCode;

use clap::Parser;
use stream::lambda;
use stream::notify::command::{self, Common};
use stream::notify::programs;
use stream::settings::Settings;

/// Writes a row of the table audit_log for each event of the bus.
///
/// Prints the rows and, with --folder, writes them there as Parquet; with USE_REAL_AWS=true they go to
/// FIREHOSE_STREAM_NAME, or to AUDIT_BUCKET without it. Under AWS Lambda it does that for every event of the bus.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100)]
struct Cli {
    #[command(flatten)]
    common: Common,
    /// Folder of a lake to write to
    #[arg(long, value_name = "DIR")]
    folder: Option<String>,
}

fn main() -> ExitCode {
    if Settings::is_lambda() {
        return lambda::run(programs::audit_logger);
    }
    let cli = Cli::parse();
    command::run(&cli.common, |events, _| programs::show_audit(events, cli.folder.clone()), programs::audit_logger)
}
