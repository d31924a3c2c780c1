//! Claims: something happens once, though many processes may try it. Made of objects that are created and never changed,
//! so that any object store will do.
//!
//! ```text
//! claims/<what>/<id>/try-0001.json   {"expires": "..."}   who holds it, until when
//! claims/<what>/<id>/free-0001.json  null                 given back before that
//! claims/<what>/<id>/done.json       {"result": ...}      what came of it
//! claims/<what>/<window>/slot-0007   one of the slots of a budget
//! ```

use std::hash::BuildHasher;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use futures::TryStreamExt;
use object_store::{Error as StoreError, ObjectStore, ObjectStoreExt, PutMode, PutPayload};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::{LakeError, advice};
use crate::location::Lake;

/// Times a claim may change hands. One that was taken up and dropped so often is poison: it stays in progress.
pub const MAX_TRIES: u32 = 100;

/// What became of an attempt to claim something.
#[derive(Debug)]
pub enum Claim {
    /// It is ours until the expiry: do it, then call [`Held::done`].
    Held(Held),
    /// Another process holds it until then; whoever comes after may take it over.
    InProgress {
        /// When its claim expires.
        until: DateTime<Utc>,
    },
    /// It was done before, with this result.
    Done(Value),
}

/// A claim that is ours.
#[derive(Debug)]
pub struct Held {
    lake: Lake,
    folder: String,
    /// 1 for the first holder, more when others dropped it.
    pub attempt: u32,
}

#[derive(Serialize, Deserialize)]
struct InProgress {
    expires: DateTime<Utc>,
    /// Tells our own object from that of another when the store's answer to our writing it was lost.
    holder: String,
}

#[derive(Serialize, Deserialize)]
struct Done {
    result: Value,
}

impl Lake {
    /// Claims `id` among the things called `what` (a word, such as `slack`) until `now + holding`.
    ///
    /// Take the holding time from the deadline of the process: when it passes, another may take over. `id` may hold any
    /// characters.
    pub async fn claim(
        &self,
        what: &str,
        id: &str,
        now: DateTime<Utc>,
        holding: TimeDelta,
    ) -> Result<Claim, LakeError> {
        let folder = format!("claims/{what}/{}", one_part(id));
        let content = InProgress { expires: now + holding, holder: token() };
        for attempt in 1..=MAX_TRIES {
            let key = format!("{folder}/try-{attempt:04}.json");
            if attempt == 1
                && let Some(done) = self.read_json::<Done>(&format!("{folder}/done.json")).await?
            {
                return Ok(Claim::Done(done.result));
            }
            let is_new = self.create_json(&key, &content).await?;
            let holder = if is_new { None } else { self.read_json::<InProgress>(&key).await? };
            if is_new || holder.as_ref().is_some_and(|holder| holder.holder == content.holder) {
                // The one before may have finished between our looking and our creating.
                if let Some(done) = self.read_json::<Done>(&format!("{folder}/done.json")).await? {
                    return Ok(Claim::Done(done.result));
                }
                return Ok(Claim::Held(Held { lake: self.clone(), folder, attempt }));
            }
            // A claim that is there and cannot be read yet is being written this moment.
            let until = holder.map_or(now + holding, |holder| holder.expires);
            let free = until > now && self.read_json::<Value>(&free_key(&folder, attempt)).await?.is_some();
            if until > now && !free {
                let done = self.read_json::<Done>(&format!("{folder}/done.json")).await?;
                return Ok(done.map_or(Claim::InProgress { until }, |done| Claim::Done(done.result)));
            }
        }
        Ok(Claim::InProgress { until: now + holding })
    }

    /// Takes one of `slots` slots of a window (`2024-01-01T12:05`, say) of the budget called `what`: its number, or
    /// `None` when the budget is spent. Across all processes no more than `slots` are ever given.
    pub async fn take_slot(&self, what: &str, window: &str, slots: u32) -> Result<Option<u32>, LakeError> {
        let folder = format!("claims/{what}/{}", one_part(window));
        let prefix = self.path(&folder);
        let failed = |source| read_failed(self, &folder, source);
        let taken: Vec<_> = self.store().list(Some(&prefix)).try_collect().await.map_err(failed)?;
        // Slots fill in order, so those before the count are very likely gone; the rest are tried one by one.
        let first = u32::try_from(taken.len()).unwrap_or(slots).min(slots);
        for slot in (first..slots).chain(0..first) {
            if taken.len() >= slots as usize {
                return Ok(None);
            }
            if self.create_json(&format!("{folder}/slot-{slot:04}"), &Value::Null).await? {
                return Ok(Some(slot));
            }
        }
        Ok(None)
    }

    /// Creates an object; false when it is there already.
    async fn create_json(&self, key: &str, content: &impl Serialize) -> Result<bool, LakeError> {
        let bytes = serde_json::to_vec(content).map_err(LakeError::DeadLetter)?;
        match self.store().put_opts(&self.path(key), PutPayload::from(bytes), PutMode::Create.into()).await {
            Ok(_) => Ok(true),
            Err(StoreError::AlreadyExists { .. }) => Ok(false),
            Err(error) => Err(LakeError::Write {
                location: self.location().to_owned(),
                key: key.to_owned(),
                advice: advice(&error),
                source: Box::new(error),
            }),
        }
    }

    async fn read_json<T: for<'de> Deserialize<'de>>(&self, key: &str) -> Result<Option<T>, LakeError> {
        let bytes = match self.store().get(&self.path(key)).await {
            Ok(found) => found.bytes().await.map_err(|source| read_failed(self, key, source))?,
            Err(StoreError::NotFound { .. }) => return Ok(None),
            Err(source) => return Err(read_failed(self, key, source)),
        };
        Ok(serde_json::from_slice(&bytes).ok())
    }
}

impl Held {
    /// Gives the claim back before it expires, so that whoever is told of the thing next may do it at once.
    pub async fn release(self) -> Result<(), LakeError> {
        self.lake.create_json(&free_key(&self.folder, self.attempt), &Value::Null).await.map(drop)
    }

    /// Notes the result for whoever asks next. Call it once the thing has happened, whatever came of it.
    pub async fn done(self, result: Value) -> Result<(), LakeError> {
        self.lake.create_json(&format!("{}/done.json", self.folder), &Done { result }).await.map(drop)
    }
}

fn free_key(folder: &str, attempt: u32) -> String {
    format!("{folder}/free-{attempt:04}.json")
}

fn read_failed(lake: &Lake, key: &str, source: StoreError) -> LakeError {
    LakeError::Read {
        location: lake.location().to_owned(),
        key: key.to_owned(),
        advice: advice(&source),
        source: Box::new(source),
    }
}

/// An id as one part of a key: letters, digits, `-` and `.` stay, everything else is written as `_` and its code.
fn one_part(id: &str) -> String {
    let plain = |character: char| character.is_ascii_alphanumeric() || character == '-' || character == '.';
    let part = |character: char| {
        if plain(character) { character.to_string() } else { format!("_{:x}_", u32::from(character)) }
    };
    let name: String = id.chars().map(part).collect();
    // `.` and `..` are no names, and a key holds at most 1,024 bytes.
    if name.len() > MAX_ID || name.trim_matches('.').is_empty() {
        let hash = crate::order::short_hash(std::iter::once(id.as_bytes()));
        return format!("{}~{hash}", name.get(..name.len().min(64)).unwrap_or_default().trim_matches('.'));
    }
    name
}

/// Bytes of an id in a key; a longer one is cut and hashed.
const MAX_ID: usize = 200;

/// A name that no other process and no other call has.
fn token() -> String {
    let random = std::hash::RandomState::new();
    format!("{:016x}{:016x}", random.hash_one(0_u8), random.hash_one(1_u8))
}

/// A time as the name of a window of a budget: the minute.
pub fn minute_window(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true).get(..16).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn at(second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_700_000_000 + second, 0).unwrap()
    }

    async fn claim(lake: &Lake, second: i64) -> Claim {
        lake.claim("slack", "id/1", at(second), TimeDelta::seconds(60)).await.unwrap()
    }

    /// Every sort of store that a test can have without a network.
    async fn lakes() -> Vec<(Lake, Option<tempfile::TempDir>)> {
        let folder = tempfile::tempdir().unwrap();
        let local = Lake::open(folder.path().to_str().unwrap()).await.unwrap();
        vec![(local, Some(folder)), (Lake::open("memory://").await.unwrap(), None)]
    }

    #[tokio::test]
    async fn of_many_at_once_one_holds_the_claim() {
        for (lake, _folder) in lakes().await {
            let claims = futures::future::join_all((0..16).map(|_| claim(&lake, 0))).await;
            let held = claims.iter().filter(|claim| matches!(claim, Claim::Held(_))).count();
            assert_eq!(held, 1, "{}", lake.location());
        }
    }

    #[tokio::test]
    async fn what_is_done_stays_done_with_its_result() {
        for (lake, _folder) in lakes().await {
            let Claim::Held(held) = claim(&lake, 0).await else { panic!("it is free") };
            held.done(json!({"message": 7})).await.unwrap();
            for second in [0, 59, 61, 1_000_000] {
                let Claim::Done(result) = claim(&lake, second).await else { panic!("it is done") };
                assert_eq!(result, json!({"message": 7}));
            }
        }
    }

    #[tokio::test]
    async fn a_dropped_claim_can_be_taken_over_when_it_has_expired_and_not_before() {
        for (lake, _folder) in lakes().await {
            assert!(matches!(claim(&lake, 0).await, Claim::Held(_)));
            assert!(matches!(claim(&lake, 59).await, Claim::InProgress { until } if until == at(60)));
            let Claim::Held(second) = claim(&lake, 60).await else { panic!("it has expired") };
            assert_eq!(second.attempt, 2);
            assert!(matches!(claim(&lake, 61).await, Claim::InProgress { until } if until == at(120)));
        }
    }

    #[tokio::test]
    async fn a_claim_given_back_can_be_taken_at_once() {
        for (lake, _folder) in lakes().await {
            let Claim::Held(first) = claim(&lake, 0).await else { panic!("it is free") };
            first.release().await.unwrap();
            let Claim::Held(second) = claim(&lake, 1).await else { panic!("it was given back") };
            assert_eq!(second.attempt, 2);
            assert!(matches!(claim(&lake, 2).await, Claim::InProgress { .. }));
        }
    }

    #[tokio::test]
    async fn a_claim_that_was_dropped_the_hundredth_time_is_given_to_nobody() {
        let lake = Lake::open("memory://").await.unwrap();
        for attempt in 0..i64::from(MAX_TRIES) {
            assert!(matches!(claim(&lake, attempt * 60).await, Claim::Held(_)), "{attempt}");
        }
        assert!(matches!(claim(&lake, i64::from(MAX_TRIES) * 60).await, Claim::InProgress { .. }));
    }

    #[tokio::test]
    async fn a_budget_gives_as_many_slots_as_it_has_however_many_ask() {
        for (lake, _folder) in lakes().await {
            let window = minute_window(at(0));
            let asked = (0..12).map(|_| lake.take_slot("repairs", &window, 5));
            let slots: Vec<Option<u32>> = futures::future::try_join_all(asked).await.unwrap();
            let mut taken: Vec<u32> = slots.into_iter().flatten().collect();
            taken.sort_unstable();
            assert_eq!(taken, [0, 1, 2, 3, 4], "{}", lake.location());
            assert_eq!(lake.take_slot("repairs", &minute_window(at(60)), 5).await.unwrap(), Some(0));
        }
    }

    #[test]
    fn ids_of_any_characters_are_one_part_of_a_key_and_differ() {
        let long = "a".repeat(MAX_ID + 1);
        let ids = ["a/b", "a_b", "a b", "..", ".", "", "ä", "a_2f_b", long.as_str(), &"a".repeat(MAX_ID)];
        let mut names: Vec<String> = ids.iter().map(|id| one_part(id)).collect();
        assert!(names.iter().all(|name| !name.is_empty() && !name.contains('/') && name.len() <= MAX_ID), "{names:?}");
        names.sort();
        names.dedup();
        assert_eq!(names.len(), ids.len());
    }
}
