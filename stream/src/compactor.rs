//! `compactor`: merges the small files of the lake, by schedule.
//!
//! What compaction promises, and why it may be stopped at any moment, stands in crate `lake`. Here: which part of the lake a
//! run goes through, when it stops, and what is told of it. What a run did not come to, the next one does.

pub mod command;

use std::time::Duration;

use anyhow::Context as _;
use chrono::{DateTime, Datelike, Utc};
use lake::{GRACE, Lake, LakeError, Merged, Removed, Within};
use schemas::{TABLES, Table};
use serde::{Deserialize, Serialize};
use tracing::{error, info, warn};

use crate::aws;
use crate::backoff::Deadline;
use crate::lambda::Handler;
use crate::metrics::{self, Metrics, Point};
use crate::settings::{MAX_COMPACT_MONTHS, Settings};

/// Left for the metrics; also what a merge that is under way may take longer.
const RESERVE: Duration = Duration::from_secs(12);
/// Files of one partition that are named in the log when they cannot be merged; all are counted.
const NAMED: usize = 5;

/// What a run is asked for: `{}` by the schedule, `{"months": 24}` by a person after a replay of old events.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// Instead of `COMPACT_MONTHS`.
    pub months: Option<usize>,
}

/// Which part of the lake, and when.
#[derive(Debug, Clone, Copy)]
pub struct Task {
    /// Months of event time, that of `now` included.
    pub months: usize,
    /// The grace period of what is merged begins here, and that of earlier merges may be over.
    pub now: DateTime<Utc>,
}

impl Task {
    /// The task of a request, its months checked.
    pub fn of(request: Request, default: usize, now: DateTime<Utc>) -> anyhow::Result<Task> {
        let months = request.months.unwrap_or(default);
        anyhow::ensure!(
            (1..=MAX_COMPACT_MONTHS).contains(&months),
            "months is {months}: it must lie between 1 and {MAX_COMPACT_MONTHS}"
        );
        Ok(Task { months, now })
    }

    /// The months, latest first: people ask most for these.
    fn within(self) -> impl Iterator<Item = Within> {
        let last = i64::from(self.now.year()) * 12 + i64::from(self.now.month0());
        (0..self.months as i64).filter_map(move |back| {
            let year = i32::try_from((last - back).div_euclid(12)).ok()?;
            let month = u32::try_from((last - back).rem_euclid(12)).ok()? + 1;
            Some(Within::Month { year, month })
        })
    }
}

/// What a run did.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// False when the deadline stopped it.
    pub finished: bool,
    /// Files read into merged ones.
    pub files_merged: usize,
    /// Merged files.
    pub files_written: usize,
    /// Their rows.
    pub rows_written: usize,
    /// Rows that were there more than once.
    pub repeats_dropped: usize,
    /// Files of earlier merges that are gone now.
    pub files_removed: usize,
    /// Files that stay for running queries until their grace period is over.
    pub files_waiting: usize,
    /// Files that cannot be merged: unreadable, or of a newer program.
    pub left_out: usize,
    /// Partitions, or whole tables, that the store failed on.
    pub failed: usize,
}

/// Goes through the lake until it is done or the deadline has passed. Faults are logged and counted; the rest goes on.
pub async fn compact(lake: &Lake, task: Task, deadline: Deadline) -> Summary {
    let mut summary = Summary::default();
    // Stopped between two calls of the store, which is as good as a crash there: the next run goes on.
    let in_time = tokio::time::timeout(deadline.remaining(), every_table(lake, task, &mut summary)).await;
    summary.finished = in_time.is_ok();
    summary
}

async fn every_table(lake: &Lake, task: Task, summary: &mut Summary) {
    for table in TABLES {
        summary.removed(table, lake.remove_merged(table, task.now, GRACE).await);
        for within in task.within() {
            let partitions = match lake.partitions_to_merge(table, within).await {
                Ok(partitions) => partitions,
                Err(error) => {
                    summary.fail(table.name, &error);
                    continue;
                }
            };
            for partition in &partitions {
                summary.merged(&partition.folder, lake.merge_partition(table, partition, task.now).await);
            }
        }
    }
}

impl Summary {
    fn merged(&mut self, folder: &str, merged: Result<Merged, LakeError>) {
        match merged {
            Err(error) => self.fail(folder, &error),
            Ok(merged) => {
                self.files_merged += merged.inputs;
                self.files_waiting += merged.inputs;
                self.files_written += merged.outputs;
                self.rows_written += merged.output_rows;
                self.repeats_dropped += merged.input_rows.saturating_sub(merged.output_rows);
                self.leave_out(&merged.left_out);
            }
        }
    }

    fn removed(&mut self, table: &Table, removed: Result<Removed, LakeError>) {
        match removed {
            Err(error) => self.fail(table.name, &error),
            Ok(removed) => {
                self.files_removed += removed.files;
                self.files_waiting += removed.waiting;
                self.leave_out(&removed.refused);
            }
        }
    }

    fn leave_out(&mut self, files: &[(String, String)]) {
        self.left_out += files.len();
        for (file, reason) in files.iter().take(NAMED) {
            warn!(file, reason, "file stays as it is");
        }
    }

    fn fail(&mut self, what: &str, reason: &LakeError) {
        self.failed += 1;
        let reason = reason.to_string();
        error!(what, reason, "not compacted, the next run tries again");
    }

    fn log(&self) {
        info!(
            finished = self.finished,
            files_merged = self.files_merged,
            files_written = self.files_written,
            rows_written = self.rows_written,
            repeats_dropped = self.repeats_dropped,
            files_removed = self.files_removed,
            files_waiting = self.files_waiting,
            left_out = self.left_out,
            failed = self.failed,
            "compaction done"
        );
    }

    fn points(&self) -> Vec<Point> {
        vec![
            Point::count(metrics::COMPACTION_FILES_MERGED, self.files_merged as u64),
            Point::count(metrics::COMPACTION_FILES_REMOVED, self.files_removed as u64),
            Point::count(metrics::COMPACTION_LEFT_OUT, self.left_out as u64),
            Point::count(metrics::COMPACTION_UNFINISHED, u64::from(!self.finished)),
        ]
    }
}

/// The Lambda.
#[derive(Debug)]
pub struct Compactor {
    lake: Lake,
    months: usize,
    metrics: Metrics,
}

impl Compactor {
    /// Against AWS.
    pub async fn new(settings: Settings) -> anyhow::Result<Compactor> {
        let location = settings.audit_location.as_deref();
        let location = location.context("AUDIT_BUCKET is not set: name the bucket of the lake")?;
        let lake = Lake::open(location).await.context("opening AUDIT_BUCKET")?;
        let metrics = Metrics::new(&aws::config().await, &settings.metrics_namespace);
        Ok(Compactor { lake, months: settings.compact_months, metrics })
    }
}

impl Handler for Compactor {
    type Event = Request;
    type Answer = Summary;

    async fn handle(&self, request: Request, deadline: Deadline) -> anyhow::Result<Summary> {
        let task = Task::of(request, self.months, Utc::now())?;
        let summary = compact(&self.lake, task, deadline.less(RESERVE)).await;
        summary.log();
        self.metrics.publish(&summary.points()).await;
        anyhow::ensure!(
            summary.failed == 0,
            "{} parts of the lake were not compacted: the log names them",
            summary.failed
        );
        Ok(summary)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compactor::command::sample_lake;

    fn task(now: &str, months: usize) -> Task {
        Task { months, now: now.parse().unwrap() }
    }

    fn never() -> Deadline {
        Deadline::after(Duration::from_secs(600))
    }

    #[test]
    fn months_go_back_over_the_turn_of_the_year() {
        let within: Vec<Within> = task("2024-02-29T23:59:59Z", 3).within().collect();
        let month = |year, month| Within::Month { year, month };
        assert_eq!(within, [month(2024, 2), month(2024, 1), month(2023, 12)]);
    }

    #[test]
    fn a_request_for_no_month_or_for_too_many_is_refused() {
        let of = |months| Task::of(Request { months: Some(months) }, 3, Utc::now());
        assert!(of(1).is_ok() && of(MAX_COMPACT_MONTHS).is_ok());
        assert!(of(0).is_err() && of(MAX_COMPACT_MONTHS + 1).unwrap_err().to_string().contains("months is 241"));
        assert_eq!(Task::of(Request::default(), 3, Utc::now()).unwrap().months, 3);
    }

    #[tokio::test]
    async fn a_day_becomes_one_file_and_the_small_ones_go_an_hour_later() {
        let lake = sample_lake().await.unwrap();
        let first = compact(&lake, task("2024-02-01T00:00:00Z", 2), never()).await;
        assert_eq!((first.finished, first.failed, first.left_out), (true, 0, 0));
        assert_eq!((first.files_merged, first.files_written, first.files_removed, first.files_waiting), (3, 1, 0, 3));
        assert!(first.repeats_dropped > 0);
        let soon = compact(&lake, task("2024-02-01T00:59:59Z", 2), never()).await;
        assert_eq!((soon.files_merged, soon.files_removed, soon.files_waiting), (0, 0, 3));
        let later = compact(&lake, task("2024-02-01T01:00:00Z", 2), never()).await;
        assert_eq!((later.files_merged, later.files_removed, later.files_waiting), (0, 3, 0));
        assert_eq!(lake.list_parquet(&schemas::VIOLATIONS, Within::All).await.unwrap().len(), 1);
    }

    #[tokio::test]
    async fn months_outside_the_task_stay_as_they_are() {
        let lake = sample_lake().await.unwrap();
        let summary = compact(&lake, task("2024-03-01T00:00:00Z", 2), never()).await;
        assert_eq!(summary, Summary { finished: true, ..Summary::default() });
    }

    #[tokio::test]
    async fn a_file_that_is_no_parquet_is_left_out_and_the_others_are_merged() {
        let lake = sample_lake().await.unwrap();
        let broken = lake.path("violations/year=2024/month=01/day=05/broken.parquet");
        object_store::ObjectStoreExt::put(&lake.store(), &broken, "no parquet".into()).await.unwrap();
        let summary = compact(&lake, task("2024-01-31T00:00:00Z", 1), never()).await;
        assert_eq!((summary.files_merged, summary.left_out, summary.failed), (3, 1, 0));
    }

    #[tokio::test]
    async fn a_run_whose_time_is_over_says_so_and_the_next_one_does_the_work() {
        let lake = sample_lake().await.unwrap();
        let passed = compact(&lake, task("2024-01-31T00:00:00Z", 1), Deadline::after(Duration::ZERO)).await;
        // Memory answers at once, so the run may still be done; a store never does.
        assert!(passed.finished || passed.files_removed == 0);
        let next = compact(&lake, task("2024-01-31T00:00:00Z", 1), never()).await;
        assert!(next.finished && passed.files_merged + next.files_merged == 3);
    }
}
