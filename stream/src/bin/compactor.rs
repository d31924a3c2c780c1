//! `compactor`: merges the small files of the lake. A Lambda where the Runtime API is there, else a command line.

use std::process::ExitCode;

use clap::Parser;
use stream::compactor::{Compactor, command};
use stream::lambda;
use stream::settings::Settings;

/// Merges the small files of each day of the lake into one, and removes what was merged an hour ago or earlier.
///
/// Readers see every row once before, during and after, and a run may be stopped at any moment. Under AWS Lambda it does
/// that for AUDIT_BUCKET, by schedule; `analytics compact` does the same with progress bars.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100)]
struct Cli {
    #[command(flatten)]
    options: command::Options,
}

fn main() -> ExitCode {
    if Settings::is_lambda() {
        return lambda::run(Compactor::new);
    }
    command::run(&Cli::parse().options)
}
