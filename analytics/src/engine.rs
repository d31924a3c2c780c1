//! Where the queries over the lake are computed. What a section makes of the counts is computed here in every case.

use clap::ValueEnum;
use lake::Lake;

use crate::error::AnalyticsError;

pub(crate) mod athena;
mod athena_error;
#[cfg(feature = "ballista")]
pub(crate) mod ballista;
#[cfg(not(feature = "ballista"))]
#[path = "engine/no_ballista.rs"]
pub(crate) mod ballista;
mod shape;

pub use athena_error::AthenaError;

/// Where the queries of the report are computed.
#[derive(Debug, Clone, clap::Args)]
pub struct EngineArgs {
    /// local: in this program; ballista: the same plans on a Ballista cluster; athena: the same SQL through Amazon
    /// Athena, over the tables and views of `analytics schema`
    #[arg(long, value_enum, default_value_t = EngineName::Local)]
    pub engine: EngineName,
    /// Ballista: the scheduler. Its executors must reach the lake under the same path or bucket
    #[arg(long, value_name = "HOST:PORT", required_if_eq("engine", "ballista"))]
    pub scheduler: Option<String>,
    /// Athena: the workgroup, which also limits what a query may scan
    #[arg(long, value_name = "NAME", required_if_eq("engine", "athena"))]
    pub workgroup: Option<String>,
    /// Athena: the database of the tables and views
    #[arg(long, value_name = "NAME", default_value = "iam_policy_monitor")]
    pub database: String,
    /// Athena: where results are kept, for a workgroup that does not say
    #[arg(long, value_name = "s3://…")]
    pub output_location: Option<String>,
}

/// Engines by the name they are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[allow(missing_docs)]
pub enum EngineName {
    Local,
    Ballista,
    Athena,
}

/// Computes queries over the lake.
pub(crate) enum Engine {
    /// In this program.
    Local,
    /// On a Ballista cluster.
    Ballista(Box<ballista::Cluster>),
    /// By Amazon Athena.
    Athena(Box<athena::Athena>),
}

impl Engine {
    /// Reaches the engine asked for, so that a wrong name is known before any work is done.
    pub(crate) async fn open(args: &EngineArgs, lake: &Lake) -> Result<Engine, AnalyticsError> {
        match args.engine {
            EngineName::Local => Ok(Engine::Local),
            EngineName::Ballista => {
                let scheduler = args.scheduler.as_deref().unwrap_or_default();
                Ok(Engine::Ballista(Box::new(ballista::Cluster::open(scheduler, lake).await?)))
            }
            EngineName::Athena => Ok(Engine::Athena(Box::new(athena::Athena::open(args, lake).await?))),
        }
    }
}
