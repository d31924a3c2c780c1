//! Readers see the same rows before, during and after, whatever happens.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use arrow::array::{ArrayRef, AsArray};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use async_trait::async_trait;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectStore, PutMultipartOptions,
    PutOptions, PutPayload, PutResult, Result,
};
use schemas::{AUDIT_LOG, VIOLATIONS};
use serde_json::{Value, json};

use super::*;

/// A store that stops for good at one of its changes, and lets others go first.
#[derive(Debug)]
struct Stopping {
    inner: Arc<InMemory>,
    /// Changes made or tried.
    changes: AtomicUsize,
    /// The change at which it stops, and whether that one is still carried out.
    stop: Option<(usize, bool)>,
    /// Which order of tasks to try; 0 lets nobody go first.
    schedule: usize,
    calls: AtomicUsize,
}

impl fmt::Display for Stopping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("stopping")
    }
}

impl Stopping {
    fn stopped() -> Error {
        Error::Generic { store: "stopping", source: "the process is dead".into() }
    }

    /// Whether the next change is carried out, and whether its maker lives to know.
    fn change(&self) -> (bool, bool) {
        let number = self.changes.fetch_add(1, Ordering::SeqCst);
        match self.stop {
            Some((at, carried_out)) => (number < at || (number == at && carried_out), number < at),
            None => (true, true),
        }
    }

    fn is_dead(&self) -> bool {
        self.stop.is_some_and(|(at, _)| self.changes.load(Ordering::SeqCst) > at)
    }

    async fn others_first(&self) {
        let call = self.calls.fetch_add(1, Ordering::SeqCst);
        let mixed = (call + 1).wrapping_mul(self.schedule).wrapping_mul(0x9e37_79b9) >> 7;
        for _ in 0..mixed % 4 {
            tokio::task::yield_now().await;
        }
    }
}

#[async_trait]
impl ObjectStore for Stopping {
    async fn put_opts(&self, path: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        self.others_first().await;
        let (carried_out, alive) = self.change();
        let answer =
            if carried_out { self.inner.put_opts(path, payload, options).await } else { Err(Stopping::stopped()) };
        if alive { answer } else { Err(Stopping::stopped()) }
    }

    async fn put_multipart_opts(&self, path: &Path, options: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(path, options).await
    }

    async fn get_opts(&self, path: &Path, options: GetOptions) -> Result<GetResult> {
        self.others_first().await;
        if self.is_dead() {
            return Err(Stopping::stopped());
        }
        self.inner.get_opts(path, options).await
    }

    fn delete_stream(&self, paths: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        let (carried_out, alive) = self.change();
        let failed = || futures::stream::once(async { Err(Stopping::stopped()) }).boxed();
        if !carried_out {
            return failed();
        }
        let deleted = self.inner.delete_stream(paths);
        if alive {
            return deleted;
        }
        deleted.map(|_| Err(Stopping::stopped())).boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        if self.is_dead() {
            return futures::stream::once(async { Err(Stopping::stopped()) }).boxed();
        }
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}

fn lake(inner: &Arc<InMemory>, stop: Option<(usize, bool)>, schedule: usize) -> Lake {
    let inner = Arc::clone(inner);
    let store = Stopping { inner, changes: 0.into(), stop, schedule, calls: 0.into() };
    Lake::new("memory://", Arc::new(store), "memory:///", Path::from("audit")).unwrap()
}

fn row(number: usize, day: u32, detected: &str) -> Value {
    json!({
        "violation_id": format!("id-{number:03}"), "event_id": format!("event-{number}"),
        "event_time": format!("2024-01-{day:02}T12:{:02}:00Z", number % 60), "detected_at": detected,
        "rule_name": "Rule", "severity": "HIGH", "description": "d", "action": "log", "suppressed": false,
        "event_source": "iam.amazonaws.com", "event_name": "CreateUser", "outcome": "success",
        "account_id": "111122223333", "certainty": "must", "evidence": format!("seen at {detected}"),
    })
}

const EARLY: &str = "2024-01-05T13:00:00Z";
const LATE: &str = "2024-01-09T00:00:00Z";

/// Two days in overlapping files. Some rows were delivered twice, and a late copy of row 3 has other evidence.
async fn filled() -> Arc<InMemory> {
    let inner = Arc::new(InMemory::new());
    let lake = lake(&inner, None, 0);
    for rows in [
        (0..8).map(|number| row(number, 5, EARLY)).collect::<Vec<_>>(),
        (4..12).map(|number| row(number, 5, EARLY)).collect(),
        vec![row(3, 5, LATE), row(20, 5, LATE)],
        (30..33).map(|number| row(number, 6, EARLY)).collect(),
        (31..35).map(|number| row(number, 6, EARLY)).collect(),
        vec![row(40, 7, EARLY)],
    ] {
        lake.write_rows(&VIOLATIONS, &rows).await.unwrap();
    }
    inner
}

/// What the view shows: of each id the copy that is first by `detected_at` and `sequence_number`, then by path. None
/// when a file was removed between listing and reading: a reader lists again.
async fn read(lake: &Lake) -> Option<BTreeMap<String, String>> {
    let mut shown: BTreeMap<String, (Vec<String>, String)> = BTreeMap::new();
    for file in lake.list_parquet(&VIOLATIONS, Within::All).await.unwrap() {
        let key = lake.key(&file);
        let folder = partition_of(&VIOLATIONS, &key).unwrap().to_owned();
        for batch in merge::rows_of(&VIOLATIONS, lake.object(&key).await.unwrap()?).unwrap() {
            // Times as plain numbers: naming a zone takes a feature that nothing else needs.
            let plain = |column: &ArrayRef| match column.data_type() {
                DataType::Timestamp(..) => cast(column, &DataType::Int64).unwrap(),
                _ => Arc::clone(column),
            };
            let columns: Vec<ArrayRef> = batch.columns().iter().map(plain).collect();
            let options = FormatOptions::default().with_null("\u{10ffff}");
            let format: Vec<_> =
                columns.iter().map(|column| ArrayFormatter::try_new(column, &options).unwrap()).collect();
            let place = |name: &str| batch.schema().index_of(name).unwrap();
            for number in 0..batch.num_rows() {
                let value = |place: usize| format[place].value(number).to_string();
                let id = batch.column(place("violation_id")).as_string::<i32>().value(number);
                let order = vec![value(place("detected_at")), value(place("sequence_number")), key.clone()];
                let whole: Vec<String> = (0..batch.num_columns()).map(value).collect();
                let copy = (order, whole.join("\u{1f}"));
                let kept = shown.entry(format!("{folder} {id}")).or_insert_with(|| copy.clone());
                if copy.0 < kept.0 {
                    *kept = copy;
                }
            }
        }
    }
    Some(shown.into_iter().map(|(id, (_, row))| (id, row)).collect())
}

fn now(minutes: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_710_000_000 + minutes * 60, 0).unwrap()
}

/// One run as a program makes it: what waited is removed, then what is small is merged.
async fn run(lake: &Lake, minutes: i64, grace: TimeDelta) -> std::result::Result<(Merged, Removed), LakeError> {
    let mut sum = Merged::default();
    let removed = lake.remove_merged(&VIOLATIONS, now(minutes), grace).await?;
    for partition in lake.partitions_to_merge(&VIOLATIONS, Within::All).await? {
        let merged = lake.merge_partition(&VIOLATIONS, &partition, now(minutes)).await?;
        sum.inputs += merged.inputs;
        sum.outputs += merged.outputs;
        sum.input_rows += merged.input_rows;
        sum.output_rows += merged.output_rows;
        sum.left_out.extend(merged.left_out);
    }
    Ok((sum, removed))
}

/// Runs until nothing is left to do.
async fn finish(lake: &Lake) {
    for minutes in 0..20 {
        let (merged, removed) = run(lake, 1_000 + minutes * 100, GRACE).await.unwrap();
        if (merged.inputs, removed.files, removed.waiting) == (0, 0, 0) {
            return;
        }
    }
    panic!("compaction does not come to an end");
}

async fn files(inner: &InMemory) -> Vec<String> {
    let mut files: Vec<String> = inner.list(None).map_ok(|file| file.location.to_string()).try_collect().await.unwrap();
    files.sort();
    files
}

async fn is_compact(inner: &InMemory) {
    let files = files(inner).await;
    assert_eq!(files.len(), 3, "{files:?}");
    assert!(files.iter().zip(["day=05", "day=06", "day=07"]).all(|(file, day)| file.contains(day)), "{files:?}");
}

#[tokio::test]
async fn d17_each_partition_becomes_one_sorted_file_without_repeats() {
    let inner = filled().await;
    let lake = lake(&inner, None, 0);
    let before = read(&lake).await.unwrap();
    let (merged, _) = run(&lake, 0, GRACE).await.unwrap();
    assert_eq!((merged.inputs, merged.outputs, merged.input_rows, merged.output_rows), (5, 2, 25, 18));
    assert_eq!(read(&lake).await.unwrap(), before);
    // Within the grace period nothing is removed and nothing is merged again.
    let (again, removed) = run(&lake, 59, GRACE).await.unwrap();
    assert_eq!((again.inputs, removed.files, removed.waiting), (0, 0, 5));
    assert_eq!(removed.until, Some(now(60)));
    let (_, removed) = run(&lake, 60, GRACE).await.unwrap();
    assert_eq!((removed.files, removed.waiting, removed.refused.as_slice()), (5, 0, [].as_slice()));
    assert_eq!(read(&lake).await.unwrap(), before);
    is_compact(&inner).await;
    let day = lake.list_parquet(&VIOLATIONS, Within::All).await.unwrap();
    let rows = merge::rows_of(&VIOLATIONS, lake.object(&lake.key(&day[0])).await.unwrap().unwrap()).unwrap();
    let ids: Vec<&str> = rows[0].column(0).as_string::<i32>().iter().flatten().collect();
    let mut sorted = ids.clone();
    sorted.sort_unstable();
    assert_eq!((ids.len(), &ids), (13, &sorted));
    assert!(before["violations/year=2024/month=01/day=05 id-003"].contains(&format!("seen at {EARLY}")));
}

#[tokio::test]
async fn d4_late_events_are_merged_by_the_next_run() {
    let inner = filled().await;
    let lake = lake(&inner, None, 0);
    finish(&lake).await;
    lake.write_rows(&VIOLATIONS, &[row(50, 5, LATE), row(1, 5, LATE)]).await.unwrap();
    let before = read(&lake).await.unwrap();
    assert!(before["violations/year=2024/month=01/day=05 id-001"].contains(&format!("seen at {EARLY}")));
    finish(&lake).await;
    assert_eq!(read(&lake).await.unwrap(), before);
    is_compact(&inner).await;
}

#[tokio::test]
async fn d28_a_crash_at_any_change_leaves_every_row_to_readers_and_the_next_run_goes_on() {
    for carried_out in [false, true] {
        let mut at = 0;
        loop {
            let inner = filled().await;
            let healthy = lake(&inner, None, 0);
            let before = read(&healthy).await.unwrap();
            let dying = lake(&inner, Some((at, carried_out)), 0);
            // The second run of the dying process removes what the first merged.
            let ended = match run(&dying, 0, TimeDelta::zero()).await {
                Ok(_) => run(&dying, 1, TimeDelta::zero()).await,
                died => died,
            };
            assert_eq!(read(&healthy).await.unwrap(), before, "change {at}, carried out: {carried_out}");
            let is_over = ended.is_ok();
            finish(&healthy).await;
            assert_eq!(read(&healthy).await.unwrap(), before, "change {at}, carried out: {carried_out}");
            is_compact(&inner).await;
            if is_over {
                break;
            }
            at += 1;
        }
        assert_eq!(at, 11, "2 files, 2 manifests, 5 inputs and 2 manifests removed");
    }
}

#[tokio::test]
async fn two_runs_at_once_beside_a_reader_change_nothing_of_what_it_sees() {
    for schedule in 1..25 {
        let inner = filled().await;
        let lake = lake(&inner, None, schedule);
        let before = read(&lake).await.unwrap();
        let compactor = async || {
            for minutes in 0..4 {
                run(&lake, minutes, TimeDelta::zero()).await.unwrap();
            }
        };
        let reader = async {
            let mut whole = 0;
            for _ in 0..12 {
                if let Some(seen) = read(&lake).await {
                    assert_eq!(seen, before, "schedule {schedule}");
                    whole += 1;
                }
            }
            assert!(whole > 0, "schedule {schedule}");
        };
        futures::join!(compactor(), compactor(), reader);
        finish(&lake).await;
        assert_eq!(read(&lake).await.unwrap(), before, "schedule {schedule}");
        is_compact(&inner).await;
    }
}

#[tokio::test]
async fn inputs_stay_when_the_merged_file_is_gone_or_not_whole() {
    for broken in [None, Some(&b"no parquet"[..])] {
        let inner = filled().await;
        let lake = lake(&inner, None, 0);
        let before = read(&lake).await.unwrap();
        run(&lake, 0, GRACE).await.unwrap();
        let all = files(&inner).await;
        for merged in all.iter().filter(|file| file.ends_with("-merged.parquet")) {
            match broken {
                None => inner.delete(&Path::from(merged.as_str())).await.unwrap(),
                Some(bytes) => drop(inner.put(&Path::from(merged.as_str()), bytes.into()).await.unwrap()),
            }
        }
        let removed = lake.remove_merged(&VIOLATIONS, now(60), GRACE).await.unwrap();
        assert_eq!((removed.files, removed.refused.len()), (0, 2), "{removed:?}");
        if broken.is_none() {
            assert_eq!(read(&lake).await.unwrap(), before);
            finish(&lake).await;
            assert_eq!(read(&lake).await.unwrap(), before);
        }
    }
}

#[tokio::test]
async fn a_file_that_cannot_be_merged_without_loss_stays_and_is_named() {
    let inner = filled().await;
    let lake = lake(&inner, None, 0);
    let day = "audit/violations/year=2024/month=01/day=07";
    inner.put(&Path::from(format!("{day}/x.parquet")), "no parquet".into()).await.unwrap();
    let newer = arrow::array::RecordBatch::try_from_iter([(
        "column_of_tomorrow",
        Arc::new(arrow::array::Int64Array::from(vec![1])) as arrow::array::ArrayRef,
    )]);
    let newer = newer.unwrap();
    let mut writer = parquet::arrow::ArrowWriter::try_new(Vec::new(), newer.schema(), None).unwrap();
    writer.write(&newer).unwrap();
    inner.put(&Path::from(format!("{day}/y.parquet")), writer.into_inner().unwrap().into()).await.unwrap();
    let (merged, _) = run(&lake, 0, GRACE).await.unwrap();
    let reasons: Vec<&str> = merged.left_out.iter().map(|(_, reason)| reason.as_str()).collect();
    assert_eq!(reasons.len(), 2);
    assert!(reasons[0].starts_with("not a readable Parquet file"), "{reasons:?}");
    assert!(reasons[1].contains("column_of_tomorrow that this program does not know"), "{reasons:?}");
    assert!(files(&inner).await.contains(&format!("{day}/x.parquet")));
}

#[tokio::test]
async fn what_is_in_no_partition_and_what_has_no_view_is_never_touched() {
    let inner = filled().await;
    let lake = lake(&inner, None, 0);
    for name in ["violations/a.parquet", "violations/b.parquet", "violations/year=2024/month=1/day=05/c.parquet"] {
        inner.put(&Path::from(format!("audit/{name}")), "x".into()).await.unwrap();
    }
    let before = files(&inner).await;
    let partitions = lake.partitions_to_merge(&VIOLATIONS, Within::All).await.unwrap();
    let folders: Vec<&str> = partitions.iter().map(|partition| partition.folder.as_str()).collect();
    let day = "violations/year=2024/month=01/day=0";
    assert_eq!(folders, [format!("{day}5"), format!("{day}6")]);
    assert_eq!(lake.partitions_to_merge(&AUDIT_LOG, Within::All).await.unwrap(), []);
    assert_eq!(files(&inner).await, before);
}
