//! Who is told what, kept in the object store beside the claims, so that many Lambdas act as one.
//!
//! ```text
//! claims/slack-events/<key>/<n>                      the n-th window an event was given to
//! claims/slack-windows/<end>/members/<group>/<file>  an event of a window; its name holds all that is counted
//! claims/slack-windows/<end>/told/<key>              this one has a message of its own
//! claims/slack-windows/{group,channel,second}/…      places for messages of their own, seconds to post in
//! claims/slack-sealed/<end>/seal, manifest, closed   no more members; who was counted; everything was sent
//! ```
//! Objects are only ever created. A member is written before the seal is looked at, and the members are listed after the
//! seal is set: so whoever sees no seal is counted, and whoever sees one can read in the manifest whether he was.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use futures::{StreamExt, TryStreamExt};
use lake::{Lake, LakeError};
use object_store::{Error as StoreError, ObjectStoreExt, PutMode, PutPayload};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;

use super::config::Storm;
use super::storm::{Manifest, Member, MemberName, Place, short, window_end};

/// Windows an event may be moved through when it comes late, again and again.
const MAX_MOVES: u32 = 8;
/// Requests to the store at the same time.
const AT_ONCE: usize = 32;
/// Spent budgets remembered.
const MAX_SPENT: usize = 10_000;
/// Windows looked at in one go; the rest is done by the next tick.
const MAX_DUE: usize = 50;

/// Why the ledger cannot be used now.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The store failed.
    #[error("the record of sent messages is not available")]
    Store(#[from] StoreError),
    /// A claim or slot failed.
    #[error(transparent)]
    Lake(#[from] LakeError),
    /// What is stored cannot be read.
    #[error("{key} in the record of sent messages is not readable; remove it")]
    Broken {
        /// Which object.
        key: String,
    },
    /// A window is being closed this moment.
    #[error("the window until {0} is being closed; try again")]
    Closing(DateTime<Utc>),
}

/// The record, in the lake's store.
#[derive(Debug, Clone)]
pub struct Ledger {
    lake: Lake,
    /// Budgets that are spent: in a storm nearly every event would ask in vain.
    spent: Arc<Mutex<HashSet<String>>>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Assignment {
    end: DateTime<Utc>,
    /// Nobody is told before the end.
    quiet: bool,
}

impl Ledger {
    /// The record in this lake.
    pub fn new(lake: Lake) -> Ledger {
        Ledger { lake, spent: Arc::default() }
    }

    /// Enters an event: tells whether it gets a message of its own, and the end of the window that counts it.
    ///
    /// May be called again for the same event, after a crash at any point, with the same outcome.
    pub async fn admit(
        &self,
        member: &Member,
        now: DateTime<Utc>,
        quiet_until: Option<DateTime<Utc>>,
        storm: &Storm,
    ) -> Result<(Place, DateTime<Utc>), LedgerError> {
        let key = &member.key;
        let mut proposed =
            Assignment { end: quiet_until.unwrap_or_else(|| window_end(now, storm)), quiet: quiet_until.is_some() };
        for number in 0..MAX_MOVES {
            let name = format!("claims/slack-events/{key}/{number}");
            let is_new = self.create(&name, &proposed).await?;
            let given =
                if is_new { proposed } else { self.read(&name).await?.ok_or(LedgerError::Broken { key: name })? };
            let window = given.end.timestamp();
            self.create(&format!("claims/slack-windows/{window}/members/{}", member.name()), member).await?;
            let told = !given.quiet && self.may_be_told(member, window, is_new, storm).await?;
            match self.sealed(given.end).await? {
                None => return Ok((if told { Place::Individual } else { Place::Collected }, given.end)),
                Some(manifest) => {
                    if let Some(place) = manifest.place_of(key) {
                        return Ok((place, given.end));
                    }
                }
            }
            // The window closed before this event was written into it: the next one takes it.
            proposed = Assignment { end: window_end(now.max(given.end), storm), quiet: false };
        }
        Err(LedgerError::Closing(proposed.end))
    }

    /// Whether the event gets one of the places for messages of their own, in its group and in its channel.
    async fn may_be_told(
        &self,
        member: &Member,
        window: i64,
        is_new: bool,
        storm: &Storm,
    ) -> Result<bool, LedgerError> {
        let told = format!("claims/slack-windows/{window}/told/{}", member.key);
        if !is_new && self.read::<bool>(&told).await?.is_some() {
            return Ok(true);
        }
        let channel = short(&[member.channel.as_deref().unwrap_or_default()]);
        let has_place =
            self.take_place("slack-windows/group", &format!("{window}-{}", member.group), storm.individual).await?
                && self.take_place("slack-windows/channel", &format!("{window}-{channel}"), storm.messages).await?;
        if has_place {
            self.create(&told, &true).await?;
        }
        Ok(has_place)
    }

    async fn take_place(&self, what: &str, budget: &str, places: u32) -> Result<bool, LedgerError> {
        let id = format!("{what}/{budget}");
        let mut spent = self.spent.lock().await;
        if spent.contains(&id) {
            return Ok(false);
        }
        // Held while asking: of many at once only the first asks in vain.
        let taken = self.lake.take_slot(what, budget, places).await?.is_some();
        if !taken {
            if spent.len() >= MAX_SPENT {
                spent.clear();
            }
            spent.insert(id);
        }
        Ok(taken)
    }

    /// Windows that have ended and are not closed yet, the oldest first.
    pub async fn due(&self, now: DateTime<Utc>) -> Result<Vec<DateTime<Utc>>, LedgerError> {
        let prefix = self.lake.path("claims/slack-windows");
        let found = self.lake.store().list_with_delimiter(Some(&prefix)).await?;
        let ends = found.common_prefixes.iter().filter_map(|path| path.filename()?.parse::<i64>().ok());
        let mut ends: Vec<_> =
            ends.filter_map(|end| DateTime::from_timestamp(end, 0)).filter(|end| *end <= now).collect();
        ends.sort_unstable();
        // A closed window can still be listed: a folder keeps empty folders, and a redelivered event may leave its object.
        let mut due = Vec::new();
        for end in ends {
            let closed = format!("claims/slack-sealed/{}/closed", end.timestamp());
            if due.len() < MAX_DUE && self.read::<bool>(&closed).await?.is_none() {
                due.push(end);
            }
        }
        Ok(due)
    }

    /// Lets no more members into a window and counts those it has. The same each time.
    pub async fn seal(&self, end: DateTime<Utc>) -> Result<Manifest, LedgerError> {
        let window = end.timestamp();
        let name = format!("claims/slack-sealed/{window}/manifest");
        if let Some(manifest) = self.read(&name).await? {
            return Ok(manifest);
        }
        self.create(&format!("claims/slack-sealed/{window}/seal"), &true).await?;
        let manifest = self.count(end).await?;
        // Two processes may count at the same time; what was stored first holds.
        self.create(&name, &manifest).await?;
        self.read(&name).await?.ok_or(LedgerError::Broken { key: name })
    }

    /// Notes that everything of a window was sent, and removes its members.
    pub async fn close(&self, end: DateTime<Utc>) -> Result<(), LedgerError> {
        let window = end.timestamp();
        self.create(&format!("claims/slack-sealed/{window}/closed"), &true).await?;
        let prefix = self.lake.path(&format!("claims/slack-windows/{window}"));
        let store = self.lake.store();
        let members = store.list(Some(&prefix)).map_ok(|object| object.location).boxed();
        let removed = store.delete_stream(members).filter(|result| {
            // Another process may be removing the same ones.
            futures::future::ready(!matches!(result, Err(StoreError::NotFound { .. })))
        });
        removed.try_for_each(|_| futures::future::ok(())).await?;
        Ok(())
    }

    async fn count(&self, end: DateTime<Utc>) -> Result<Manifest, LedgerError> {
        let window = end.timestamp();
        let store = self.lake.store();
        let told_prefix = self.lake.path(&format!("claims/slack-windows/{window}/told"));
        let members_prefix = self.lake.path(&format!("claims/slack-windows/{window}/members"));
        let mut members: Vec<_> = store.list(Some(&members_prefix)).try_collect().await?;
        // Some stores list in any order; the samples should not depend on it.
        members.sort_unstable_by(|a, b| a.location.cmp(&b.location));
        let told: Vec<_> = store.list(Some(&told_prefix)).try_collect().await?;
        let individual: BTreeSet<String> =
            told.iter().filter_map(|object| object.location.filename()).map(str::to_owned).collect();
        let mut names = Vec::new();
        let mut first = HashMap::new();
        for object in &members {
            let parts: Vec<_> = object.location.parts().collect();
            let [.., group, file] = parts.as_slice() else { continue };
            let Some(name) = MemberName::read(group.as_ref(), file.as_ref()) else { continue };
            first.entry((name.group.clone(), name.rule.clone())).or_insert_with(|| object.location.clone());
            names.push(name);
        }
        let reading = futures::stream::iter(first).map(|(id, path)| async move {
            let bytes = self.lake.store().get(&path).await?.bytes().await?;
            let broken = || LedgerError::Broken { key: path.to_string() };
            serde_json::from_slice::<Member>(&bytes).map(|member| (id, member)).map_err(|_| broken())
        });
        let samples: HashMap<_, _> = reading.buffer_unordered(AT_ONCE).try_collect().await?;
        Ok(Manifest::count(end, &names, &individual, &samples))
    }

    /// The manifest of a sealed window; `None` for an open one. A window between the two is an error that passes.
    async fn sealed(&self, end: DateTime<Utc>) -> Result<Option<Manifest>, LedgerError> {
        let window = end.timestamp();
        if self.read::<bool>(&format!("claims/slack-sealed/{window}/seal")).await?.is_none() {
            return Ok(None);
        }
        match self.read(&format!("claims/slack-sealed/{window}/manifest")).await? {
            Some(manifest) => Ok(Some(manifest)),
            None => Err(LedgerError::Closing(end)),
        }
    }

    async fn create(&self, key: &str, content: &impl Serialize) -> Result<bool, LedgerError> {
        let bytes = serde_json::to_vec(content).map_err(|_| LedgerError::Broken { key: key.to_owned() })?;
        match self.lake.store().put_opts(&self.lake.path(key), PutPayload::from(bytes), PutMode::Create.into()).await {
            Ok(_) => Ok(true),
            Err(StoreError::AlreadyExists { .. }) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    async fn read<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>, LedgerError> {
        let bytes = match self.lake.store().get(&self.lake.path(key)).await {
            Ok(found) => found.bytes().await?,
            Err(StoreError::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        serde_json::from_slice(&bytes).map(Some).map_err(|_| LedgerError::Broken { key: key.to_owned() })
    }
}
