//! The program `analytics`: reads its surroundings, runs the command, answers with an exit code.

use std::error::Error;
use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

use analytics::{AnalyticsError, Args, Ended, Surroundings, run};
use clap::Parser;

#[tokio::main]
async fn main() -> ExitCode {
    let args = Args::parse();
    tracing_subscriber::fmt().with_max_level(args.log_level).with_writer(io::stderr).init();
    match run(args, &surroundings()).await {
        Ok(Ended::Done) => ExitCode::SUCCESS,
        Ok(Ended::NothingFound) => ExitCode::from(3),
        Ok(Ended::LeftOut) => ExitCode::from(4),
        Ok(Ended::OutOfBalance) => ExitCode::from(5),
        Ok(Ended::Refused) => ExitCode::from(6),
        Err(error) if error.is_closed_pipe() => ExitCode::SUCCESS,
        Err(error) => {
            let code = if error.is_of_the_command_line() { 2 } else { 1 };
            // Nobody is left to tell when standard error is closed; the exit code still says it.
            let _ = writeln!(io::stderr(), "error: {}", chain(&error));
            ExitCode::from(code)
        }
    }
}

/// The only place that looks at the environment, the terminal and the clock.
fn surroundings() -> Surroundings {
    let terminal = io::stdout().is_terminal();
    let width = || comfy_table::Table::new().width().map(|columns| usize::from(columns).max(40));
    Surroundings {
        audit_bucket: std::env::var("AUDIT_BUCKET").ok().filter(|bucket| !bucket.is_empty()),
        now: chrono::Utc::now(),
        terminal_width: terminal.then(width).flatten(),
        colour: terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()),
    }
}

/// The message and what caused it, without saying anything twice.
fn chain(error: &AnalyticsError) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(current) = cause {
        let message = current.to_string();
        if !text.contains(&message) {
            text = format!("{text}: {message}");
        }
        cause = current.source();
    }
    text
}
