//! Small JSON objects in the lake: created once, read whole. What cannot be read is an error, never "not there".

use bytes::Bytes;
use futures::TryStreamExt;
use lake::Lake;
use object_store::{Error as StoreError, ObjectMeta, ObjectStore, ObjectStoreExt, PutMode, PutPayload};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::Failure;

/// Largest object that is read, bytes: a snapshot holds at most an event and some documents.
pub(crate) const MAX_OBJECT_BYTES: u64 = 16 * 1024 * 1024;

/// Creates an object; false when it is there already.
pub(crate) async fn create(lake: &Lake, key: &str, content: &impl Serialize) -> Result<bool, Failure> {
    let bytes = serde_json::to_vec(content).map_err(|error| Failure::Never(format!("{key}: {error}")))?;
    match lake.store().put_opts(&lake.path(key), PutPayload::from(bytes), PutMode::Create.into()).await {
        Ok(_) => Ok(true),
        Err(StoreError::AlreadyExists { .. }) => Ok(false),
        Err(error) => Err(failed(lake, "cannot write", key, &error)),
    }
}

/// The bytes of an object; `None` when there is none.
pub(crate) async fn bytes(lake: &Lake, key: &str) -> Result<Option<Bytes>, Failure> {
    let found = match lake.store().get(&lake.path(key)).await {
        Ok(found) => found,
        Err(StoreError::NotFound { .. }) => return Ok(None),
        Err(error) => return Err(failed(lake, "cannot read", key, &error)),
    };
    if found.meta.size > MAX_OBJECT_BYTES {
        return Err(Failure::Never(format!("{key} is larger than {MAX_OBJECT_BYTES} bytes")));
    }
    found.bytes().await.map(Some).map_err(|error| failed(lake, "cannot read", key, &error))
}

/// An object; `None` when there is none.
pub(crate) async fn read<T: DeserializeOwned>(lake: &Lake, key: &str) -> Result<Option<T>, Failure> {
    let Some(bytes) = bytes(lake, key).await? else { return Ok(None) };
    let read = serde_json::from_slice(&bytes);
    read.map(Some).map_err(|error| Failure::Never(format!("{key} in {} cannot be read: {error}", lake.location())))
}

/// The objects of a folder.
pub(crate) async fn list(lake: &Lake, folder: &str) -> Result<Vec<ObjectMeta>, Failure> {
    let store = lake.store();
    let listed = store.list(Some(&lake.path(folder))).try_collect().await;
    listed.map_err(|error| failed(lake, "cannot list", folder, &error))
}

/// Takes an object away; one that is gone already is no failure.
pub(crate) async fn delete(lake: &Lake, key: &str) -> Result<(), Failure> {
    match lake.store().delete(&lake.path(key)).await {
        Ok(()) | Err(StoreError::NotFound { .. }) => Ok(()),
        Err(error) => Err(failed(lake, "cannot delete", key, &error)),
    }
}

fn failed(lake: &Lake, doing: &str, key: &str, error: &StoreError) -> Failure {
    Failure::Later(format!("{doing} {key} in {}: {error}", lake.location()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_object_at_the_limit_is_read_one_past_it_is_not_and_one_that_is_broken_is_no_missing_one() {
        let lake = Lake::open("memory://").await.unwrap();
        let limit = usize::try_from(MAX_OBJECT_BYTES).unwrap();
        // With its two quotes.
        assert!(create(&lake, "at", &"x".repeat(limit - 2)).await.unwrap());
        assert!(create(&lake, "past", &"x".repeat(limit - 1)).await.unwrap());
        assert_eq!(read::<String>(&lake, "at").await.unwrap().map(|text| text.len()), Some(limit - 2));
        assert!(matches!(read::<String>(&lake, "past").await, Err(Failure::Never(_))));
        assert!(matches!(read::<u32>(&lake, "at").await, Err(Failure::Never(_))));
        assert_eq!(read::<String>(&lake, "none").await.unwrap(), None);
        assert!(!create(&lake, "at", &()).await.unwrap(), "it is there already");
    }
}
