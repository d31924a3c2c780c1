//! `replay`: feeds the stream with stored events again.

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;
use stream::commands::Exit;
use stream::replay::{Cli, run};
use tracing_subscriber::EnvFilter;

fn main() -> ExitCode {
    tracing_subscriber::fmt().with_env_filter(EnvFilter::new("warn")).with_writer(io::stderr).init();
    let ended = run(Cli::parse()).unwrap_or_else(|reason| {
        // Nothing is left to do when standard error is gone.
        let _ = writeln!(io::stderr(), "error: {reason:#}");
        Exit::Failed
    });
    ended.into()
}
