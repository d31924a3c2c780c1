//! CloudWatch as a channel: sums of the events of an input, with a guard against ever more dimension values.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::SystemTime;

use aws_sdk_cloudwatch::Client;
use aws_sdk_cloudwatch::error::{DisplayErrorContext, SdkError};
use aws_sdk_cloudwatch::primitives::DateTime as AwsTime;
use aws_sdk_cloudwatch::types::{Dimension as AwsDimension, MetricDatum, StandardUnit};
use futures::TryStreamExt;
use lake::Lake;
use object_store::{Error as StoreError, ObjectStore, PutMode, PutPayload};
use tokio::sync::Mutex;

use super::{Dimension, OTHER, Point, SEVERITY, points, sum};
use crate::notify::event::BusEvent;
use crate::notify::run::{Channel, METRICS_PUBLISHED, Moment, Outcome};

/// Metrics of one call; CloudWatch takes 1,000 and 1 MB.
const MAX_PER_CALL: usize = 500;

/// Counts events in CloudWatch.
#[derive(Debug)]
pub struct MetricsPublisher {
    client: Client,
    namespace: String,
    guard: Guard,
}

impl MetricsPublisher {
    /// Into a namespace, with at most `max_values` values of each guarded dimension. The values in use are kept in `lake`.
    pub fn new(client: Client, namespace: &str, lake: Lake, max_values: usize) -> MetricsPublisher {
        MetricsPublisher { client, namespace: namespace.to_owned(), guard: Guard::new(lake, max_values) }
    }

    async fn put(&self, part: &[(&Point, &u64)]) -> Result<(), String> {
        let data = part.iter().map(|(point, count)| datum(point, **count)).collect();
        let call = self.client.put_metric_data().namespace(&self.namespace).set_metric_data(Some(data));
        call.send().await.map(|_| ()).map_err(|error| match &error {
            SdkError::ServiceError(_) => DisplayErrorContext(&error).to_string(),
            _ => "no answer".to_owned(),
        })
    }
}

impl Channel for MetricsPublisher {
    const NAME: &'static str = "metrics_publisher";
    const METRIC: &'static str = METRICS_PUBLISHED;

    /// All events of an input share the calls. A call that fails takes its events back as a whole, so events are put
    /// into as many calls as they need and never half into two.
    async fn deliver(&self, events: &[BusEvent], at: Moment) -> Vec<Outcome> {
        let mut outcomes = vec![Outcome::Unwanted("kept in the audit log only"); events.len()];
        let mut wanted: Vec<(usize, Vec<Point>)> = Vec::new();
        for (place, event) in events.iter().enumerate() {
            let mut own = points(event, at.now);
            let mut failed = None;
            for point in &mut own {
                if let Err(error) = self.guard.limit(point).await {
                    failed = Some(error.to_string());
                }
            }
            match (failed, outcomes.get_mut(place)) {
                (Some(reason), Some(slot)) => *slot = Outcome::Later(format!("guard: {reason}")),
                (None, _) if !own.is_empty() => wanted.push((place, own)),
                _ => {}
            }
        }
        for group in groups(wanted) {
            let sums: BTreeMap<Point, u64> = sum(group.iter().flat_map(|(_, points)| points.iter().cloned()));
            let data: Vec<(&Point, &u64)> = sums.iter().collect();
            let outcome = if at.deadline.has_passed() {
                Outcome::Later("no time is left".to_owned())
            } else {
                match self.put(&data).await {
                    Ok(()) => Outcome::Delivered,
                    Err(reason) => Outcome::Later(format!("CloudWatch: {reason}")),
                }
            };
            for (place, _) in group {
                if let Some(slot) = outcomes.get_mut(place) {
                    *slot = outcome.clone();
                }
            }
        }
        outcomes
    }
}

/// Cuts events so that the distinct points of each group fit into one call.
fn groups(events: Vec<(usize, Vec<Point>)>) -> Vec<Vec<(usize, Vec<Point>)>> {
    let mut groups = Vec::new();
    let mut current: Vec<(usize, Vec<Point>)> = Vec::new();
    let mut distinct: HashSet<Point> = HashSet::new();
    for (place, points) in events {
        let new = points.iter().filter(|point| !distinct.contains(*point)).count();
        if distinct.len() + new > MAX_PER_CALL && !current.is_empty() {
            groups.push(std::mem::take(&mut current));
            distinct.clear();
        }
        distinct.extend(points.iter().cloned());
        current.push((place, points));
    }
    if !current.is_empty() {
        groups.push(current);
    }
    groups
}

fn datum(point: &Point, count: u64) -> MetricDatum {
    let (dimension, value) = &point.by;
    let dimensions = vec![
        AwsDimension::builder().name(SEVERITY).value(point.severity).build(),
        AwsDimension::builder().name(dimension.as_str()).value(value).build(),
    ];
    MetricDatum::builder()
        .metric_name(point.name)
        .unit(StandardUnit::Count)
        .value(count as f64)
        .timestamp(AwsTime::from(SystemTime::from(point.minute)))
        .set_dimensions(Some(dimensions))
        .build()
}

/// Lets only so many values of a dimension have metrics of their own: each costs money, and a stranger could make more.
///
/// The values are objects, shared by all processes. Processes that find new values at the same moment may pass the limit
/// by as many as they are.
#[derive(Debug)]
struct Guard {
    lake: Lake,
    max_values: usize,
    /// Values by dimension as last listed.
    known: Mutex<HashMap<Dimension, HashSet<String>>>,
}

impl Guard {
    fn new(lake: Lake, max_values: usize) -> Guard {
        Guard { lake, max_values, known: Mutex::new(HashMap::new()) }
    }

    /// Replaces a value over the limit.
    async fn limit(&self, point: &mut Point) -> Result<(), StoreError> {
        let (dimension, value) = &mut point.by;
        if !self.allows(*dimension, value).await? {
            *value = OTHER.to_owned();
        }
        Ok(())
    }

    async fn allows(&self, dimension: Dimension, value: &str) -> Result<bool, StoreError> {
        let name = schemas::derived_id(&[value]).simple().to_string();
        let mut known = self.known.lock().await;
        if known.get(&dimension).is_some_and(|values| values.contains(&name)) {
            return Ok(true);
        }
        let folder = format!("dimensions/{}", dimension.as_str());
        let prefix = self.lake.path(&folder);
        // Full is full: values are never taken back, so a full list need not be looked at again.
        if known.get(&dimension).is_none_or(|values| values.len() < self.max_values) {
            let listed: Vec<_> = self.lake.store().list(Some(&prefix)).try_collect().await?;
            let names = listed.iter().filter_map(|object| object.location.filename()).map(str::to_owned);
            known.insert(dimension, names.collect());
        }
        let values = known.entry(dimension).or_default();
        if values.contains(&name) {
            return Ok(true);
        }
        if values.len() >= self.max_values {
            return Ok(false);
        }
        let path = self.lake.path(&format!("{folder}/{name}"));
        let content = PutPayload::from(value.as_bytes().to_vec());
        match self.lake.store().put_opts(&path, content, PutMode::Create.into()).await {
            Ok(_) | Err(StoreError::AlreadyExists { .. }) => {}
            Err(error) => return Err(error),
        }
        values.insert(name);
        Ok(true)
    }
}
