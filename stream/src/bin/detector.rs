//! `detector`: a Lambda on Kinesis when the Lambda Runtime API is there, else a command line.

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;
use stream::commands::{self, Cli, Exit, NotLoaded};
use stream::kinesis::Detector;
use stream::lambda;
use stream::settings::Settings;
use tracing_subscriber::EnvFilter;

fn main() -> ExitCode {
    if Settings::is_lambda() {
        return lambda::run(Detector::start);
    }
    let cli = Cli::parse();
    let filter = EnvFilter::try_new(&cli.log_level).unwrap_or_else(|_| EnvFilter::new("warn"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).init();
    match commands::run(cli) {
        Ok(exit) => exit.into(),
        Err(error) => tell(&error).into(),
    }
}

/// Says what failed and how the program ends. A reader that went away (`| head`) is no failure.
fn tell(error: &anyhow::Error) -> Exit {
    let broken_pipe = |io: &io::Error| io.kind() == io::ErrorKind::BrokenPipe;
    if error.chain().filter_map(|cause| cause.downcast_ref()).any(broken_pipe) {
        return Exit::Done;
    }
    let mut err = io::stderr().lock();
    let not_loaded = error.downcast_ref::<NotLoaded>();
    if let Some(NotLoaded::Faults(faults)) = not_loaded {
        for fault in faults {
            let _ = writeln!(err, "{fault}");
        }
    }
    // Nothing is left to do when standard error is gone as well.
    let _ = writeln!(err, "error: {}", reasons(error));
    if not_loaded.is_some() { Exit::Usage } else { Exit::Failed }
}

/// The chain of causes as one line; a cause that the one before already tells in full is left out.
fn reasons(error: &anyhow::Error) -> String {
    let mut told = String::new();
    for cause in error.chain().map(ToString::to_string) {
        let cause = cause.split_whitespace().collect::<Vec<_>>().join(" ");
        if !told.contains(&cause) {
            let separator = if told.is_empty() { "" } else { ": " };
            told = format!("{told}{separator}{cause}");
        }
    }
    told
}
