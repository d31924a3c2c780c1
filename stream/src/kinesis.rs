//! The detector as a Lambda on a Kinesis stream.
//!
//! A batch is judged and delivered in parts of bounded size. Order inside a part: dead letters, lake, bus; then metrics and
//! the answer for the whole batch. A record counts as done when everything that came of it is durable; the first record
//! of which that cannot be said is the answer, and Lambda delivers everything from there again. Ids and object names come
//! from the input, so what is done twice is seen once.
//!
//! ```text
//! records -> judge::Part -> documents (IAM) -> deliver: dead letters, lake, bus -> report: metrics, log -> answer
//! ```

mod batch;
mod deliver;
mod judge;
mod report;

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use chrono::{SecondsFormat, Utc};
use detection::Books;
use lake::Lake;
use tokio::sync::Mutex;
use tracing::{error, warn};

use crate::aws;
use crate::backoff::Deadline;
use crate::bus::{Bus, Outgoing, config_rejected_entry};
use crate::documents::{Found, LookUps};
use crate::lambda::Handler;
use crate::live::{Config, Live, Rejected};
use crate::metrics::Metrics;
use crate::settings::Settings;
pub use batch::{BatchAnswer, Data, EventRecord, ItemFailure, KinesisBatch, Record};
use deliver::{Delivered, deliver};
use judge::{Cursor, Judge, Part};
use report::Report;

/// Time kept for delivering the part that was judged last.
const DELIVERY: Duration = Duration::from_secs(8);

/// Judges batches of records and delivers what came of them.
#[derive(Debug)]
pub struct Detector {
    live: Live,
    lake: Lake,
    look_ups: LookUps,
    bus: Bus,
    metrics: Metrics,
    /// A refused configuration that nobody has been told of yet.
    rejected: Mutex<Option<Rejected>>,
}

impl Detector {
    /// Opens everything that the settings name and reads the first configuration.
    pub async fn start(settings: Settings) -> anyhow::Result<Detector> {
        let rules =
            settings.rules_location.as_deref().context("RULES_BUCKET is not set: name the bucket of rules.yaml")?;
        let audit =
            settings.audit_location.as_deref().context("AUDIT_BUCKET is not set: name the bucket of the lake")?;
        let (config, lake, place) = tokio::join!(aws::config(), Lake::open(audit), Lake::open(rules));
        let lake = lake.context("opening AUDIT_BUCKET")?;
        let place = place.context("opening RULES_BUCKET")?;
        let bus = Bus::new(&settings, &config)?;
        let metrics = Metrics::new(&config, &settings.metrics_namespace);
        let keys = [settings.rules_key.clone(), settings.suppress_key.clone()];
        let (live, rejected) = Live::start(place, keys, lake.clone(), settings.config_refresh).await?;
        let look_ups = LookUps::new(&settings, config);
        Ok(Detector { live, lake, look_ups, bus, metrics, rejected: Mutex::new(rejected) })
    }

    /// Judges the records of one shard and delivers what came of them, by the deadline. What is not done is handed back
    /// in the answer.
    pub async fn handle_records(&self, records: &[Record], deadline: Deadline) -> BatchAnswer {
        let begun = Instant::now();
        let (config, rejected) = self.live.current().await;
        let mut report = Report::of(records);
        report.config_rejected = u64::from(rejected.is_some());
        self.announce(rejected, deadline).await;
        let failed_from = Box::pin(self.work_through(records, &config, &mut report, deadline)).await;
        report.handed_back = failed_from.map_or(0, |first| records.len().saturating_sub(first) as u64);
        report.log(begun.elapsed());
        self.metrics.publish(&report.points(begun.elapsed())).await;
        let failed = failed_from.and_then(|first| records.get(first));
        BatchAnswer::failed_from(failed.map(|record| record.sequence_number.as_str()))
    }

    /// Returns the place of the first record that is not done.
    async fn work_through(
        &self,
        records: &[Record],
        config: &Arc<Config>,
        report: &mut Report,
        deadline: Deadline,
    ) -> Option<usize> {
        let judge_until = deadline.less(DELIVERY);
        let mut judge = Judge::new(config);
        let mut cursor = Cursor::default();
        while cursor.record < records.len() {
            if cursor.record > 0 && judge_until.has_passed() {
                warn!(done = cursor.record, of = records.len(), "time is up, the rest is handed back");
                return Some(cursor.record);
            }
            let mut part = judge.part(records, cursor, judge_until);
            if !part.pending.is_empty() {
                let found = Box::pin(self.look_ups.fetch(part.needs(), deadline.less(DELIVERY))).await;
                report.look_ups_failed += judge.resolve(&mut part, records, &found);
            }
            let delivered = Box::pin(deliver(&self.lake, &self.bus, &part, records, deadline)).await;
            report.add(&part, &delivered);
            if delivered.failed_from.is_some() {
                return delivered.failed_from;
            }
            cursor = part.end;
        }
        None
    }

    /// Tells of a refused configuration; when that fails, it is told with the next batch.
    async fn announce(&self, new: Option<Rejected>, deadline: Deadline) {
        let mut waiting = self.rejected.lock().await;
        if new.is_some() {
            *waiting = new;
        }
        let Some(rejected) = waiting.as_ref() else { return };
        let now = Utc::now().to_rfc3339_opts(SecondsFormat::Secs, true);
        let entry = config_rejected_entry(&rejected.files, &rejected.versions, &rejected.faults, &now);
        let sent = self.bus.publish(&[Outgoing { entry, is_remediation: false }], deadline).await;
        match sent.unsent.into_values().next() {
            None => *waiting = None,
            Some(reason) => error!(?reason, "nobody could be told that the configuration was rejected"),
        }
    }
}

/// Judges records and delivers nothing: the books of a batch for whose events every document is at hand. For benchmarks.
pub fn judge_alone(records: &[Record], config: &Config) -> Books {
    let never = Deadline::after(Duration::MAX);
    let (mut judge, mut cursor, mut books) = (Judge::new(config), Cursor::default(), Books::default());
    while cursor.record < records.len() {
        let mut part = judge.part(records, cursor, never);
        judge.resolve(&mut part, records, &Found::default());
        part.books.iter().for_each(|(_, part)| books.merge(part));
        cursor = part.end;
    }
    books
}

impl Handler for Detector {
    type Event = KinesisBatch;
    type Answer = BatchAnswer;

    async fn handle(&self, event: KinesisBatch, deadline: Deadline) -> anyhow::Result<BatchAnswer> {
        let records: Vec<Record> = event.records.into_iter().map(Record::from).collect();
        Ok(self.handle_records(&records, deadline).await)
    }
}

impl Report {
    /// Takes in what became of a part; records from the first failed one on do not count.
    fn add(&mut self, part: &Part, delivered: &Delivered) {
        let until = delivered.failed_from.unwrap_or(usize::MAX);
        for (_, books) in part.books.iter().filter(|(record, _)| *record < until) {
            self.books.merge(books);
        }
        for (_, violation) in part.violations.iter().filter(|(record, _)| *record < until) {
            self.count_violation(violation);
        }
        self.published += delivered.published;
        self.publish_failures += delivered.publish_failures;
        self.direct += delivered.direct;
        self.objects += delivered.objects;
        self.violation_rows += delivered.violation_rows;
        self.event_rows += delivered.event_rows;
    }
}
