//! Queries through the API of Amazon Athena: begin, ask until it ended, read the pages of the answer.

use std::time::Duration;

use aws_config::BehaviorVersion;
use aws_sdk_athena::Client;
use aws_sdk_athena::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use aws_sdk_athena::types::{
    QueryExecutionContext, QueryExecutionState, QueryExecutionStatistics, ResultConfiguration, WorkGroupState,
};
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::Schema;
use lake::Lake;
use tokio::time::sleep;

use super::EngineArgs;
use super::athena_error::AthenaError;
use super::shape::Rows;
use crate::error::AnalyticsError;

/// Pauses between two questions whether a query has ended: the first, and the longest. Each is half as long again.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// Athena itself ends a query after 30 minutes; some more for the queue.
const QUERY_MINUTES: u64 = 40;

/// List price of scanned data in US dollars per 10^12 bytes, in us-east-1 and most regions.
const USD_PER_TERABYTE: f64 = 5.0;
/// When that price was looked up.
const PRICE_OF: &str = "November 2026";
/// A query is charged in whole megabytes, and for so many at least.
const LEAST_MEGABYTES: u64 = 10;
const MEGABYTE: u64 = 1_000_000;

/// An open workgroup.
pub(crate) struct Athena {
    client: Client,
    workgroup: String,
    database: String,
    results: Option<ResultConfiguration>,
    cost: Cost,
}

/// What the queries so far scanned.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Cost {
    queries: u64,
    bytes: u64,
    megabytes_charged: u64,
}

impl Cost {
    fn add(&mut self, bytes: u64) {
        self.queries += 1;
        self.bytes = self.bytes.saturating_add(bytes);
        let charged = bytes.div_ceil(MEGABYTE).max(LEAST_MEGABYTES);
        self.megabytes_charged = self.megabytes_charged.saturating_add(charged);
    }

    /// One line for people.
    pub(crate) fn told(self) -> String {
        let Cost { queries, bytes, megabytes_charged } = self;
        let dollars = (megabytes_charged.saturating_mul(MEGABYTE)) as f64 / 1e12 * USD_PER_TERABYTE;
        format!(
            "athena: {queries} queries scanned {bytes} bytes, charged as {megabytes_charged} MB: about {dollars:.4} USD \
             at the list price of {USD_PER_TERABYTE} USD per TB ({PRICE_OF}; at least {LEAST_MEGABYTES} MB a query)"
        )
    }
}

impl Athena {
    /// Looks at the workgroup. Region and credentials come from the default chain of the AWS SDK.
    pub(crate) async fn open(args: &EngineArgs, lake: &Lake) -> Result<Athena, AnalyticsError> {
        if lake.store_url().scheme() != "s3" {
            return Err(AnalyticsError::Engine(
                "athena reads buckets only: give the lake of its tables as --audit s3://BUCKET/PREFIX".to_owned(),
            ));
        }
        let config = aws_config::defaults(BehaviorVersion::v2026_01_12()).load().await;
        let results = args.output_location.clone();
        let athena = Athena {
            client: Client::new(&config),
            workgroup: args.workgroup.clone().unwrap_or_default(),
            database: args.database.clone(),
            results: results.map(|place| ResultConfiguration::builder().output_location(place).build()),
            cost: Cost::default(),
        };
        athena.look_at_workgroup().await?;
        Ok(athena)
    }

    /// What the queries so far cost.
    pub(crate) fn cost(&self) -> Cost {
        self.cost
    }

    /// Answers one query, which must have the columns expected.
    pub(crate) async fn answer(&mut self, sql: &str, expected: &Schema) -> Result<RecordBatch, AthenaError> {
        let id = self.start(sql).await?;
        self.wait(&id).await?;
        self.rows(&id, expected).await
    }

    async fn look_at_workgroup(&self) -> Result<(), AthenaError> {
        let answer = self.client.get_work_group().work_group(&self.workgroup).send().await;
        let workgroup = match answer.map_err(|error| self.refused(&error)) {
            Ok(answer) => answer.work_group,
            // One may be allowed to use a workgroup and not to look at it: then the first query says what is wrong.
            Err(AthenaError::NoPermission(_)) => return Ok(()),
            Err(AthenaError::Failed(_)) => return Err(AthenaError::NoWorkgroup(self.workgroup.clone())),
            Err(error) => return Err(error),
        };
        match workgroup.and_then(|workgroup| workgroup.state) {
            Some(WorkGroupState::Disabled) => Err(AthenaError::Disabled(self.workgroup.clone())),
            _ => Ok(()),
        }
    }

    async fn start(&self, sql: &str) -> Result<String, AthenaError> {
        let started = self
            .client
            .start_query_execution()
            .query_string(sql)
            .work_group(&self.workgroup)
            .query_execution_context(QueryExecutionContext::builder().database(&self.database).build())
            .set_result_configuration(self.results.clone())
            .send()
            .await
            .map_err(|error| self.refused(&error))?;
        started.query_execution_id.ok_or_else(|| AthenaError::Service("a query began without an id".to_owned()))
    }

    /// Returns when the query has succeeded.
    async fn wait(&mut self, id: &str) -> Result<(), AthenaError> {
        let mut pause = FIRST_PAUSE;
        let mut waited = Duration::ZERO;
        while waited < Duration::from_secs(QUERY_MINUTES * 60) {
            if self.has_ended(id).await? {
                return Ok(());
            }
            sleep(pause).await;
            waited += pause;
            pause = (pause * 3 / 2).min(LONGEST_PAUSE);
        }
        // The error below tells more than a failure to stop would.
        let _ = self.client.stop_query_execution().query_execution_id(id).send().await;
        Err(AthenaError::TooLong(QUERY_MINUTES))
    }

    async fn has_ended(&mut self, id: &str) -> Result<bool, AthenaError> {
        let answer = self.client.get_query_execution().query_execution_id(id).send().await;
        let execution = answer.map_err(|error| self.refused(&error))?.query_execution;
        let Some(execution) = execution else { return Ok(false) };
        let status = execution.status;
        let reason = status.as_ref().and_then(|status| status.state_change_reason.clone());
        match status.and_then(|status| status.state) {
            Some(QueryExecutionState::Succeeded) => {
                self.cost.add(scanned(execution.statistics.as_ref()));
                tracing::info!(query = id, bytes = scanned(execution.statistics.as_ref()), "athena query ended");
                Ok(true)
            }
            Some(QueryExecutionState::Failed | QueryExecutionState::Cancelled) => {
                let reason = reason.unwrap_or_else(|| "it gives no reason".to_owned());
                Err(AthenaError::ended(&reason, &self.database))
            }
            _ => Ok(false),
        }
    }

    async fn rows(&self, id: &str, expected: &Schema) -> Result<RecordBatch, AthenaError> {
        let mut rows = Rows::new(expected);
        let mut next: Option<String> = None;
        loop {
            let is_first = next.is_none();
            let page = self.client.get_query_results().query_execution_id(id).set_next_token(next).send().await;
            let page = page.map_err(|error| self.refused(&error))?;
            let Some(set) = page.result_set else { break };
            let columns = set.result_set_metadata.as_ref().map(|metadata| metadata.column_info());
            if is_first {
                rows.check(columns.unwrap_or_default())?;
            }
            for (place, row) in set.rows().iter().enumerate() {
                if !(is_first && place == 0 && rows.is_head(row)) {
                    rows.push(row)?;
                }
            }
            next = page.next_token.filter(|token| !token.is_empty());
            if next.is_none() {
                break;
            }
        }
        rows.finish()
    }

    fn refused<E, R>(&self, error: &SdkError<E, R>) -> AthenaError
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
        R: std::fmt::Debug,
    {
        match error.as_service_error() {
            Some(refusal) => AthenaError::refused(
                refusal.code().unwrap_or_default(),
                refusal.message().unwrap_or("no reason given"),
                &self.workgroup,
            ),
            None => AthenaError::Service(DisplayErrorContext(error).to_string()),
        }
    }
}

fn scanned(statistics: Option<&QueryExecutionStatistics>) -> u64 {
    statistics.and_then(|statistics| statistics.data_scanned_in_bytes).map_or(0, |bytes| bytes.max(0).unsigned_abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cost_is_that_of_whole_megabytes_and_of_ten_at_least() {
        let mut cost = Cost::default();
        cost.add(0);
        cost.add(200_000_000_001);
        let told = cost.told();
        assert!(
            told.contains("2 queries scanned 200000000001 bytes, charged as 200011 MB: about 1.0001 USD"),
            "{told}"
        );
    }
}
