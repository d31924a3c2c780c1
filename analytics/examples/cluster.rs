//! A Ballista cluster on this machine, to try `--engine ballista` and to test it. It does what the programs
//! `ballista-scheduler` and `ballista-executor` do, on loopback and without settings.
//!
//! ```text
//! cluster scheduler PORT
//! cluster executor SCHEDULER_PORT PORT GRPC_PORT WORK_DIR
//! ```

use std::net::SocketAddr;
use std::sync::Arc;

use ballista_core::error::{BallistaError, Result};
use ballista_executor::executor_process::{ExecutorProcessConfig, start_executor_process};
use ballista_scheduler::cluster::BallistaCluster;
use ballista_scheduler::config::SchedulerConfig;
use ballista_scheduler::scheduler_process::start_server;

/// Planning recurses deeply, as the scheduler's own program knows.
const STACK_BYTES: usize = 32 << 20;
/// An executor waits so long for its scheduler.
const CONNECT_SECONDS: u16 = 60;
/// Tasks that an executor carries out at once.
const CORES: usize = 2;

fn main() -> Result<()> {
    tracing_subscriber::fmt().with_max_level(tracing::Level::WARN).with_writer(std::io::stderr).init();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().thread_stack_size(STACK_BYTES).build()?;
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["scheduler", at] => runtime.block_on(scheduler(port(at)?)),
        ["executor", scheduler, at, grpc, folder] => {
            let config = executor(port(scheduler)?, port(at)?, port(grpc)?, folder);
            runtime.block_on(start_executor_process(Arc::new(config)))
        }
        _ => Err(unclear("cluster scheduler PORT | cluster executor SCHEDULER_PORT PORT GRPC_PORT WORK_DIR")),
    }
}

async fn scheduler(bind_port: u16) -> Result<()> {
    let config = SchedulerConfig { bind_port, ..SchedulerConfig::default() };
    let cluster = BallistaCluster::new_from_config(&config).await?;
    start_server(cluster, SocketAddr::from(([127, 0, 0, 1], bind_port)), Arc::new(config)).await
}

fn executor(scheduler_port: u16, port: u16, grpc_port: u16, folder: &str) -> ExecutorProcessConfig {
    ExecutorProcessConfig {
        scheduler_port,
        port,
        grpc_port,
        vcores: CORES,
        work_dir: Some(folder.to_owned()),
        scheduler_connect_timeout_seconds: CONNECT_SECONDS,
        ..ExecutorProcessConfig::default()
    }
}

fn port(text: &str) -> Result<u16> {
    text.parse().map_err(|_| unclear("a port is a number up to 65535"))
}

fn unclear(text: &str) -> BallistaError {
    BallistaError::Configuration(text.to_owned())
}
