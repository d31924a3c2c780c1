//! Builds without Ballista: no cluster can be opened, so nothing is ever computed on one.

use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use datafusion::error::DataFusionError;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::prelude::{SessionConfig, SessionContext};
use lake::Lake;

use crate::error::AnalyticsError;

/// A cluster, of which there is none.
pub(crate) enum Cluster {}

impl Cluster {
    /// Says how to get a build with Ballista.
    pub(crate) async fn open(_: &str, _: &Lake) -> Result<Cluster, AnalyticsError> {
        let build = "cargo build --locked --release -p analytics --features ballista";
        Err(AnalyticsError::Engine(format!("this build has no Ballista: build one with `{build}`")))
    }

    /// Never called.
    pub(crate) fn settings(config: SessionConfig) -> SessionConfig {
        config
    }

    /// Never called.
    pub(crate) async fn collect(
        &self,
        _: Arc<dyn ExecutionPlan>,
        _: &SessionContext,
    ) -> Result<Vec<RecordBatch>, DataFusionError> {
        match *self {}
    }
    /// Never called.
    pub(crate) fn failure(&self, _: &DataFusionError) -> AnalyticsError {
        match *self {}
    }
}
