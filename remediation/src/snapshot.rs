//! The state before a change, stored before it and never overwritten. What an attempt that was cut off had begun is told
//! by it, and `undo` restores from it.

use chrono::{DateTime, Utc};
use lake::Lake;
use schemas::Violation;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::error::Failure;
use crate::facts::Facts;
use crate::objects;
use crate::request::Request;
use crate::step::Step;

/// What IAM showed before a repair, and what the repair was going to do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    /// The repair.
    pub repair_id: Uuid,
    /// When it was taken.
    pub taken_at: DateTime<Utc>,
    /// The repair as it was written.
    pub action: String,
    /// The violation, with its event.
    pub violation: Violation,
    /// Key of the violation's Parquet object, where known.
    pub lake_key: String,
    /// What IAM showed: documents of all versions, attachments, tags, boundary.
    pub facts: Facts,
    /// What the repair was going to do.
    pub steps: Vec<Step>,
    /// SHA-256 of all of this, in hex, with this field empty.
    pub sha256: String,
}

/// A snapshot that is in the store; there is no other way to get one. The executor asks for it.
#[derive(Debug)]
pub struct Stored {
    snapshot: Snapshot,
    key: String,
}

impl Stored {
    /// The snapshot.
    pub fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    /// Its key: the column `snapshot_key`.
    pub fn key(&self) -> &str {
        &self.key
    }
}

impl Snapshot {
    /// A snapshot of this moment.
    pub fn new(request: &Request, facts: &Facts, steps: &[Step], now: DateTime<Utc>) -> Snapshot {
        let mut snapshot = Snapshot {
            repair_id: request.repair_id(),
            taken_at: now,
            action: request.action_word.clone(),
            violation: request.violation.clone(),
            lake_key: request.lake_key.clone(),
            facts: facts.clone(),
            steps: steps.to_vec(),
            sha256: String::new(),
        };
        snapshot.sha256 = snapshot.hash();
        snapshot
    }

    /// The request that it belongs to.
    pub fn request(&self) -> Request {
        Request::restored(self.violation.clone(), self.action.clone(), self.lake_key.clone())
    }

    fn hash(&self) -> String {
        let bare = Snapshot { sha256: String::new(), ..self.clone() };
        let text = serde_json::to_vec(&bare).unwrap_or_default();
        Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Stores it; one that an earlier attempt stored stays, and is the one returned.
    pub async fn store(self, lake: &Lake) -> Result<Stored, Failure> {
        let key = key(self.repair_id);
        if objects::create(lake, &key, &self).await? {
            return Ok(Stored { snapshot: self, key });
        }
        let there = load(lake, self.repair_id).await?;
        there.ok_or_else(|| Failure::Later(format!("{key} is there and cannot be seen")))
    }
}

/// The snapshot of a repair; `None` when it has none. One that was altered is an error.
pub(crate) async fn load(lake: &Lake, repair_id: Uuid) -> Result<Option<Stored>, Failure> {
    let key = key(repair_id);
    let Some(snapshot) = objects::read::<Snapshot>(lake, &key).await? else { return Ok(None) };
    if snapshot.hash() != snapshot.sha256 {
        return Err(Failure::Never(format!("{key} is not what was stored: its hash differs, so it is not used")));
    }
    Ok(Some(Stored { snapshot, key }))
}

/// Every snapshot, newest first.
pub(crate) async fn all(lake: &Lake) -> Result<Vec<Stored>, Failure> {
    let mut stored = Vec::new();
    for object in objects::list(lake, "snapshots").await? {
        let id = object.location.filename().and_then(|name| name.strip_suffix(".json")).map(Uuid::parse_str);
        if let Some(Ok(id)) = id {
            stored.extend(load(lake, id).await?);
        }
    }
    stored.sort_by_key(|stored| std::cmp::Reverse(stored.snapshot.taken_at));
    Ok(stored)
}

fn key(repair_id: Uuid) -> String {
    format!("snapshots/{repair_id}.json")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples;

    #[tokio::test]
    async fn the_first_snapshot_of_a_repair_stays_and_an_altered_one_is_refused() {
        let lake = Lake::open("memory://").await.unwrap();
        let request = samples::inline();
        let facts = crate::facts::assumed(&request);
        let first = Snapshot::new(&request, &facts, &[], Utc::now()).store(&lake).await.unwrap();
        let second = Snapshot::new(&request, &Facts::default(), &[], Utc::now()).store(&lake).await.unwrap();
        assert_eq!(second.snapshot(), first.snapshot());
        assert_eq!(second.snapshot().request().target, request.target);

        let other = Lake::open("memory://").await.unwrap();
        let mut altered = first.snapshot().clone();
        altered.facts.inline_document = Some("{}".to_owned());
        objects::create(&other, first.key(), &altered).await.unwrap();
        assert!(matches!(load(&other, altered.repair_id).await, Err(Failure::Never(_))));
    }
}
