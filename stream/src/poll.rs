//! `detector poll`: the handler of the Lambda fed by GetRecords, in one process, with a checkpoint file. For trying and for
//! small streams: one reader, a shard after the other, no more than what one process judges.

mod checkpoint;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use aws_sdk_kinesis::Client;
use aws_sdk_kinesis::types::{Shard, ShardIteratorType};
use chrono::DateTime;
use clap::{Args, ValueEnum};
use tracing::{info, warn};

use crate::aws;
use crate::backoff::{Backoff, Deadline};
use crate::commands::Exit;
use crate::kinesis::{Data, Detector, Record};
use crate::settings::Settings;
use checkpoint::{Checkpoint, Place};

/// Records of one read. More would make a part of the work too long to lose.
const RECORDS_AT_ONCE: i32 = 1000;
/// Kinesis allows five reads a second of one shard; with nothing new there is no need for that.
const PAUSE: Duration = Duration::from_millis(1000);
/// Time for one batch.
const BATCH_WITHIN: Duration = Duration::from_secs(300);
/// New shards are looked for this often.
const LOOK_FOR_SHARDS: Duration = Duration::from_secs(30);
/// Pages of shards: 10,000 shards.
const MAX_PAGES: usize = 10;
/// After a batch that was not done whole.
const BACKOFF: Backoff =
    Backoff { tries: u32::MAX, first: Duration::from_millis(500), longest: Duration::from_secs(30) };

/// What to read.
#[derive(Debug, Args)]
pub struct PollArgs {
    /// Stream to read
    #[arg(long, value_name = "NAME")]
    stream: String,
    /// File that remembers how far each shard was read; without it, NAME.checkpoint.json
    #[arg(long, value_name = "FILE")]
    checkpoint: Option<PathBuf>,
    /// Where to begin in shards that the file does not know
    #[arg(long, value_name = "PLACE", default_value = "oldest")]
    from: From,
    /// End when nothing new has come for so many seconds; without it, never
    #[arg(long, value_name = "SECONDS")]
    until_idle: Option<u64>,
}

/// A place to begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum From {
    /// The oldest record that the stream still has
    Oldest,
    /// What comes from now on
    Now,
}

/// Reads a stream until it is told to stop. What was done is in the checkpoint file at any time, so that killing it loses
/// nothing and repeats at most one batch.
pub fn run(args: &PollArgs) -> anyhow::Result<Exit> {
    let settings = Settings::from_env()?;
    if !settings.use_real_aws {
        bail!("poll reads a stream in AWS: set USE_REAL_AWS=true to allow that");
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("starting the runtime")?;
    runtime.block_on(Box::pin(poll(args, settings)))
}

async fn poll(args: &PollArgs, settings: Settings) -> anyhow::Result<Exit> {
    let file = args.checkpoint.clone().unwrap_or_else(|| PathBuf::from(format!("{}.checkpoint.json", args.stream)));
    let checkpoint = Checkpoint::load(&file, &args.stream)?;
    let client = Client::new(&aws::config().await);
    let detector = Box::pin(Detector::start(settings)).await?;
    let mut poller = Poller { client, detector, checkpoint, args, iterators: BTreeMap::new() };
    let (mut idle_since, mut looked, mut shards) = (Instant::now(), None, Vec::new());
    let mut failed_rounds = 0;
    loop {
        if looked.is_none_or(|at: Instant| at.elapsed() > LOOK_FOR_SHARDS) {
            shards = poller.shards().await?;
            looked = Some(Instant::now());
        }
        let round = poller.round(&shards).await?;
        if round.has_closed {
            looked = None;
        }
        if round.records > 0 {
            idle_since = Instant::now();
        }
        failed_rounds = if round.is_handed_back { failed_rounds + 1 } else { 0 };
        let is_idle = !round.is_handed_back && looked.is_some();
        if args.until_idle.is_some_and(|seconds| is_idle && idle_since.elapsed() >= Duration::from_secs(seconds)) {
            return Ok(Exit::Done);
        }
        let pause = if round.is_handed_back { BACKOFF.pause(failed_rounds).unwrap_or(PAUSE) } else { PAUSE };
        tokio::time::sleep(if round.records > 0 && !round.is_handed_back { PAUSE / 5 } else { pause }).await;
    }
}

struct Poller<'p> {
    client: Client,
    detector: Detector,
    checkpoint: Checkpoint,
    args: &'p PollArgs,
    iterators: BTreeMap<String, String>,
}

/// What one look at every shard gave.
#[derive(Default)]
struct Round {
    records: usize,
    is_handed_back: bool,
    has_closed: bool,
}

impl Poller<'_> {
    async fn shards(&self) -> anyhow::Result<Vec<Shard>> {
        let mut shards = Vec::new();
        let mut token = None;
        for _ in 0..MAX_PAGES {
            let call = self.client.list_shards();
            // A token stands for the stream it came from.
            let call = if token.is_none() { call.stream_name(&self.args.stream) } else { call.set_next_token(token) };
            let reply = call.send().await.with_context(|| format!("listing the shards of {}", self.args.stream))?;
            shards.extend(reply.shards().iter().cloned());
            token = reply.next_token().map(str::to_owned);
            if token.is_none() {
                break;
            }
        }
        Ok(shards)
    }

    async fn round(&mut self, shards: &[Shard]) -> anyhow::Result<Round> {
        let mut round = Round::default();
        for shard in shards {
            let is_known = |id: &&str| shards.iter().any(|shard| shard.shard_id() == *id);
            let parents = [shard.parent_shard_id(), shard.adjacent_parent_shard_id()].into_iter().flatten();
            // What a parent still holds came before anything in its child.
            let has_open_parent = parents.filter(is_known).any(|parent| !self.checkpoint.is_closed(parent));
            if !has_open_parent && !self.checkpoint.is_closed(shard.shard_id()) {
                Box::pin(self.read(shard.shard_id(), &mut round)).await?;
            }
        }
        Ok(round)
    }

    async fn read(&mut self, shard_id: &str, round: &mut Round) -> anyhow::Result<()> {
        let iterator = match self.iterators.remove(shard_id) {
            Some(iterator) => iterator,
            None => self.iterator(shard_id).await?,
        };
        let reply = self.client.get_records().shard_iterator(iterator).limit(RECORDS_AT_ONCE).send().await;
        let reply = match reply {
            Ok(reply) => reply,
            Err(error) => {
                // Throttled, or an iterator of more than five minutes: the checkpoint knows where to go on.
                let reason = aws_sdk_kinesis::error::DisplayErrorContext(&error).to_string();
                warn!(shard_id, reason, "shard is not read for now");
                round.is_handed_back = true;
                return Ok(());
            }
        };
        let records: Vec<Record> = reply.records().iter().map(|record| from_sdk(shard_id, record)).collect();
        if let Some(last) = records.last() {
            round.records += records.len();
            let answer = Box::pin(self.detector.handle_records(&records, Deadline::after(BATCH_WITHIN))).await;
            if let Some(failure) = answer.batch_item_failures.first() {
                round.is_handed_back = true;
                self.checkpoint.set(shard_id, Place::At(failure.item_identifier.clone()))?;
                return Ok(());
            }
            self.checkpoint.set(shard_id, Place::After(last.sequence_number.clone()))?;
        }
        match reply.next_shard_iterator() {
            Some(next) => {
                self.iterators.insert(shard_id.to_owned(), next.to_owned());
            }
            None => {
                info!(shard_id, "shard is closed and read to its end");
                round.has_closed = true;
                self.checkpoint.set(shard_id, Place::Closed)?;
            }
        }
        Ok(())
    }

    async fn iterator(&self, shard_id: &str) -> anyhow::Result<String> {
        let call = self.client.get_shard_iterator().stream_name(&self.args.stream).shard_id(shard_id);
        let call = match self.checkpoint.place(shard_id) {
            Some(Place::After(number)) => {
                call.shard_iterator_type(ShardIteratorType::AfterSequenceNumber).starting_sequence_number(number)
            }
            Some(Place::At(number)) => {
                call.shard_iterator_type(ShardIteratorType::AtSequenceNumber).starting_sequence_number(number)
            }
            _ if self.args.from == From::Now && self.checkpoint.is_new() => {
                call.shard_iterator_type(ShardIteratorType::Latest)
            }
            _ => call.shard_iterator_type(ShardIteratorType::TrimHorizon),
        };
        let reply = call.send().await.with_context(|| format!("finding the place to begin in {shard_id}"))?;
        reply.shard_iterator().map(str::to_owned).with_context(|| format!("{shard_id} has no place to begin"))
    }
}

fn from_sdk(shard_id: &str, record: &aws_sdk_kinesis::types::Record) -> Record {
    let arrival = record.approximate_arrival_timestamp().and_then(|time| time.to_millis().ok());
    Record {
        shard_id: shard_id.to_owned(),
        sequence_number: record.sequence_number().to_owned(),
        arrival: arrival.and_then(DateTime::from_timestamp_millis),
        data: Data::Bytes(record.data().as_ref().to_vec()),
    }
}
