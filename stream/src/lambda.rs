//! What every Lambda program shares: log, start, deadline, answer.
//!
//! ```text
//! fn main() -> ExitCode {
//!     lambda::run(|settings| async move { Ok(Handler::new(settings).await?) })
//! }
//! ```

use std::future::Future;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use lambda_runtime::{Diagnostic, LambdaEvent, service_fn};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tracing::{Level, error};

use crate::backoff::Deadline;
use crate::settings::Settings;

/// Left at the end of an invocation for its answer and its log line.
pub const MARGIN: Duration = Duration::from_secs(3);

/// The work of one program. Built once for each process; invocations of a process come one after the other.
pub trait Handler: Send + Sync + 'static {
    /// What Lambda hands over.
    type Event: DeserializeOwned;
    /// What Lambda gets back.
    type Answer: Serialize + Send;

    /// Handles one invocation. The deadline is Lambda's less [`MARGIN`]; what is not done by then is handed back. An
    /// error makes Lambda deliver the whole event again. Runs on one thread, so its future need not be `Send`.
    fn handle(&self, event: Self::Event, deadline: Deadline) -> impl Future<Output = anyhow::Result<Self::Answer>>;
}

/// Runs a program under the Lambda Runtime API until Lambda ends it. `build` makes its handler; when that fails the
/// process ends with the reason in the log, and Lambda reports a failed start.
pub fn run<H, F>(build: impl FnOnce(Settings) -> F) -> ExitCode
where
    H: Handler,
    F: Future<Output = anyhow::Result<H>>,
{
    let settings = Settings::from_env().context("reading the environment");
    log_as_json(settings.as_ref().is_ok_and(|settings| settings.debug));
    let started = settings.and_then(|settings| {
        // Lambda gives less than two processors up to 1.7 GB of memory; the rest is waiting.
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        runtime.context("starting the runtime")?.block_on(serve(build(settings)))
    });
    match started {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            let reason = format!("{reason:#}");
            error!(reason, "program stops");
            ExitCode::FAILURE
        }
    }
}

async fn serve<H: Handler>(build: impl Future<Output = anyhow::Result<H>>) -> anyhow::Result<()> {
    // Boxed, here and below: the compiler gives up on futures nested as deep as the SDK's.
    let handler = Arc::new(Box::pin(build).await?);
    let service = service_fn(move |event: LambdaEvent<H::Event>| {
        let handler = handler.clone();
        async move {
            let deadline = Deadline::at_epoch_millis(event.context.deadline).less(MARGIN);
            Box::pin(handler.handle(event.payload, deadline)).await.map_err(|reason| Diagnostic {
                error_type: "HandlerError".to_owned(),
                error_message: format!("{reason:#}"),
            })
        }
    });
    lambda_runtime::run(service).await.map_err(|reason| anyhow::anyhow!("Lambda runtime: {reason}"))
}

/// One JSON line for each entry, on standard output, which Lambda collects.
pub fn log_as_json(debug: bool) {
    let level = if debug { Level::DEBUG } else { Level::INFO };
    // The SDK and the runtime have much to say at debug level, and some of it is payload.
    let quiet = ["hyper", "aws_smithy_runtime", "aws_runtime", "aws_config", "lambda_runtime", "object_store"];
    let mut filter = tracing_subscriber::EnvFilter::new(level.as_str());
    for name in quiet {
        if let Ok(directive) = format!("{name}=warn").parse() {
            filter = filter.add_directive(directive);
        }
    }
    let log = tracing_subscriber::fmt().json().flatten_event(true).with_current_span(false).with_span_list(false);
    // A second call, in tests, keeps the first.
    let _ = log.with_env_filter(filter).try_init();
}
