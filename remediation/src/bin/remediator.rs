//! `remediator`: a Lambda on SQS when the Lambda Runtime API is there, else a command line.

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;
use remediation::{Cli, Remediate, run};
use stream::commands::Exit;
use stream::lambda;
use stream::settings::Settings;
use tracing_subscriber::EnvFilter;

fn main() -> ExitCode {
    if Settings::is_lambda() {
        return lambda::run(Remediate::start);
    }
    let cli = Cli::parse();
    let filter = EnvFilter::try_new(&cli.log_level).unwrap_or_else(|_| EnvFilter::new("warn"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).init();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let done = runtime.map_err(anyhow::Error::from).and_then(|runtime| runtime.block_on(run(cli)));
    let exit = done.unwrap_or_else(|error| {
        let broken_pipe = |io: &io::Error| io.kind() == io::ErrorKind::BrokenPipe;
        if error.chain().filter_map(|cause| cause.downcast_ref()).any(broken_pipe) {
            return Exit::Done;
        }
        // Nothing is left to do when standard error is gone.
        let _ = writeln!(io::stderr(), "error: {error:#}");
        Exit::Failed
    });
    exit.into()
}
