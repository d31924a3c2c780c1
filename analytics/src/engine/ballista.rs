//! Plans of this program, carried out by a Ballista cluster.
//!
//! The plan is made here, so that unreadable files are left out and months are chosen as ever; then it is sent with the
//! places of its files as the executors know them. Executors read the lake themselves, with their own permissions.

use std::sync::Arc;

use ballista_core::execution_plans::execute_physical_plan;
use ballista_core::extension::SessionConfigExt;
use datafusion::arrow::array::RecordBatch;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfig};
use datafusion::datasource::source::DataSourceExec;
use datafusion::error::DataFusionError;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::physical_plan::{ExecutionPlan, common};
use datafusion::prelude::{SessionConfig, SessionContext};
use datafusion_proto::protobuf::PhysicalPlanNode;
use lake::Lake;
use tokio::net::TcpStream;

use crate::error::AnalyticsError;

/// Into how many parts a plan is cut, however many cores the cluster has.
const PARTITIONS: usize = 16;

/// A cluster that can be reached.
pub(crate) struct Cluster {
    scheduler: String,
    store: ObjectStoreUrl,
    lake: Lake,
}

impl Cluster {
    /// Looks whether a scheduler answers.
    pub(crate) async fn open(scheduler: &str, lake: &Lake) -> Result<Cluster, AnalyticsError> {
        if lake.store_url().scheme() == "memory" {
            return Err(AnalyticsError::Engine("a cluster cannot read a lake in memory".to_owned()));
        }
        TcpStream::connect(scheduler).await.map_err(|error| {
            AnalyticsError::Engine(format!(
                "no Ballista scheduler answers at {scheduler}: check --scheduler, or start one with `ballista-scheduler`: {error}"
            ))
        })?;
        let store = ObjectStoreUrl::parse(lake.store_url())?;
        Ok(Cluster { scheduler: format!("http://{scheduler}"), store, lake: lake.clone() })
    }

    /// The settings under which plans for a cluster are made.
    pub(crate) fn settings(config: SessionConfig) -> SessionConfig {
        config.with_target_partitions(PARTITIONS).upgrade_for_ballista()
    }

    /// Carries out a plan over the lake.
    pub(crate) async fn collect(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        ctx: &SessionContext,
    ) -> Result<Vec<RecordBatch>, DataFusionError> {
        let plan = plan.transform_down(|node| self.placed(node))?.data;
        let config = ctx.copied_config();
        let codec = config.ballista_physical_extension_codec();
        let settings = config.ballista_config();
        let stream = execute_physical_plan::<PhysicalPlanNode>(
            self.scheduler.clone(),
            &settings,
            plan,
            codec.as_ref(),
            ctx.session_id(),
            config,
        )
        .await?;
        common::collect(stream).await
    }

    /// What to say when there is no answer and every file can be read.
    pub(crate) fn failure(&self, error: &DataFusionError) -> AnalyticsError {
        AnalyticsError::Engine(format!("no answer from the Ballista cluster at {}: {error}", self.scheduler))
    }

    /// A scan with its files where the executors find them.
    fn placed(&self, node: Arc<dyn ExecutionPlan>) -> Result<Transformed<Arc<dyn ExecutionPlan>>, DataFusionError> {
        let scan = node.downcast_ref::<DataSourceExec>();
        let Some(config) = scan.and_then(|scan| scan.data_source().downcast_ref::<FileScanConfig>()) else {
            return Ok(Transformed::no(node));
        };
        let mut config = config.clone();
        config.object_store_url = self.store.clone();
        config.file_groups = config.file_groups.into_iter().map(|group| self.placed_files(group)).collect();
        Ok(Transformed::yes(DataSourceExec::from_data_source(config)))
    }

    fn placed_files(&self, group: FileGroup) -> FileGroup {
        let mut files = group.into_inner();
        for file in &mut files {
            file.object_meta.location = self.lake.path(file.object_meta.location.as_ref());
        }
        FileGroup::new(files)
    }
}
