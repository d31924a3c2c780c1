//! `analytics compact`: the only command that changes a lake. What it promises is in crate `lake`.

use std::fmt::Write;

use chrono::{DateTime, TimeDelta, Utc};
use lake::{Lake, Merged, Removed, Within};
use schemas::{TABLES, Table};

use crate::error::AnalyticsError;
use crate::plain::plain;
use crate::tables::LeftOut;

/// What a compaction did to every table.
#[derive(Debug, Default)]
pub(crate) struct Compaction {
    lines: Vec<(&'static str, Merged, Removed)>,
}

/// What to compact.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Task {
    pub(crate) within: Within,
    /// How long inputs stay beside the merged file.
    pub(crate) grace: TimeDelta,
    pub(crate) now: DateTime<Utc>,
    /// Only say what would be merged.
    pub(crate) dry_run: bool,
}

/// Goes through every table. `begin` is told how many partitions a table has to merge, `step` of each that is done.
pub(crate) async fn compact(
    lake: &Lake,
    task: Task,
    begin: &dyn Fn(u64),
    step: &dyn Fn(),
) -> Result<Compaction, AnalyticsError> {
    let mut compaction = Compaction::default();
    for table in TABLES {
        let (mut merged, mut removed) = (Merged::default(), Removed::default());
        if !task.dry_run {
            removed = lake.remove_merged(table, task.now, task.grace).await?;
        }
        let partitions = lake.partitions_to_merge(table, task.within).await?;
        begin(partitions.len() as u64);
        for partition in &partitions {
            if task.dry_run {
                merged.inputs += partition.files.len();
                merged.input_bytes += partition.files.iter().map(|file| file.size).sum::<u64>();
                merged.outputs += 1;
            } else {
                merged.add(lake.merge_partition(table, partition, task.now).await?);
            }
            step();
        }
        if !task.dry_run {
            // What was merged just now waits, unless there is no grace period.
            let after = lake.remove_merged(table, task.now, task.grace).await?;
            removed = Removed {
                files: removed.files + after.files,
                refused: [removed.refused, after.refused].concat(),
                ..after
            };
        }
        compaction.lines.push((name(table), merged, removed));
    }
    Ok(compaction)
}

fn name(table: &'static Table) -> &'static str {
    table.name
}

impl Compaction {
    /// Files that could not be merged.
    pub(crate) fn left_out(&self) -> Vec<LeftOut> {
        let files = self.lines.iter().flat_map(|(_, merged, removed)| merged.left_out.iter().chain(&removed.refused));
        files.map(|(file, reason)| LeftOut { file: file.clone(), reason: reason.clone() }).collect()
    }

    /// What was done, a line or two for each table that had anything to do.
    pub(crate) fn told(&self, task: Task) -> String {
        let mut out = String::new();
        for (table, merged, removed) in &self.lines {
            let line = match (merged.inputs, task.dry_run) {
                (0, _) => None,
                (inputs, true) => Some(format!(
                    "{inputs} files of {} bytes would become about {}",
                    merged.input_bytes, merged.outputs
                )),
                (inputs, false) => Some(format!(
                    "{inputs} files of {} bytes became {} of {} bytes; {} rows, {} repeats dropped",
                    merged.input_bytes,
                    merged.outputs,
                    merged.output_bytes,
                    merged.output_rows,
                    merged.input_rows - merged.output_rows
                )),
            };
            let deleted = (removed.files > 0).then(|| format!("{} merged files removed", removed.files));
            let waiting = removed.until.map(|until| {
                format!(
                    "{} merged files stay for running queries: remove them with a run after {}",
                    removed.waiting,
                    until.format("%Y-%m-%dT%H:%M:%SZ")
                )
            });
            for line in [line, deleted, waiting].into_iter().flatten() {
                // Writing to a text cannot fail.
                let _ = writeln!(out, "{table}: {}", plain(&line));
            }
        }
        if out.is_empty() {
            out.push_str("nothing to do: no day has several small files\n");
        }
        out
    }
}
