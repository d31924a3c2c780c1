//! What happened before: failures and the circuit breaker, changes that came back, repairs held back by hand, and what was
//! noted while all was well. Objects that are created and never changed.
//!
//! ```text
//! breaker/failures/2024-01-05/<millis>-<id>   breaker/open/<millis>   breaker/closed/<millis>
//! returns/<change>/<repair id>                 held/<violation id>      baselines/<account>/<kind>/<name>
//! ```

use chrono::{DateTime, TimeDelta, Utc};
use lake::Lake;
use serde::{Deserialize, Serialize};
use tracing::error;

use crate::config::Breaker;
use crate::error::Failure;
use crate::facts::Baseline;
use crate::objects;
use crate::request::{Request, Target};

/// Why something was done by hand or by the breaker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Note {
    /// The reason.
    pub reason: String,
    /// When.
    pub at: DateTime<Utc>,
}

/// Why the circuit breaker is open, if it is. It stays open until a person closes it.
pub(crate) async fn breaker_open(lake: &Lake) -> Result<Option<Note>, Failure> {
    let Some((opened, key)) = newest(lake, "breaker/open").await? else { return Ok(None) };
    let closed = newest(lake, "breaker/closed").await?.map_or(0, |(closed, _)| closed);
    if closed >= opened {
        return Ok(None);
    }
    let note = objects::read::<Note>(lake, &key).await?;
    note.map(Some).ok_or_else(|| Failure::Later(format!("{key} went away")))
}

/// Opens the breaker.
pub(crate) async fn open_breaker(lake: &Lake, reason: &str, now: DateTime<Utc>) -> Result<(), Failure> {
    let note = Note { reason: reason.to_owned(), at: now };
    objects::create(lake, &format!("breaker/open/{}.json", now.timestamp_millis()), &note).await.map(drop)
}

/// Closes the breaker, for a person.
pub(crate) async fn close_breaker(lake: &Lake, reason: &str, now: DateTime<Utc>) -> Result<(), Failure> {
    let note = Note { reason: reason.to_owned(), at: now };
    objects::create(lake, &format!("breaker/closed/{}.json", now.timestamp_millis()), &note).await.map(drop)
}

/// Notes a failed attempt; opens the breaker and says why when there were too many lately.
pub(crate) async fn note_failure(
    lake: &Lake,
    breaker: &Breaker,
    attempt_id: &str,
    now: DateTime<Utc>,
) -> Result<Option<String>, Failure> {
    let folder = |at: DateTime<Utc>| format!("breaker/failures/{}", at.format("%Y-%m-%d"));
    let key = format!("{}/{}-{attempt_id}.json", folder(now), now.timestamp_millis());
    objects::create(lake, &key, &()).await?;
    let closed = newest(lake, "breaker/closed").await?.map_or(0, |(closed, _)| closed);
    let since = (now - breaker.within).timestamp_millis().max(closed);
    let mut failures = 0;
    let mut days = vec![folder(now), folder(now - breaker.within)];
    days.dedup();
    for day in days {
        let listed = objects::list(lake, &day).await?;
        failures += listed.iter().filter(|object| millis(object.location.filename()) > since).count();
    }
    if failures < breaker.failures as usize {
        return Ok(None);
    }
    let reason = format!("{failures} repairs failed within {} minutes", breaker.within.num_minutes());
    open_breaker(lake, &reason, now).await?;
    Ok(Some(reason))
}

/// Notes that a repair was asked for; opens the breaker when too many were in this minute.
pub(crate) async fn note_request(
    lake: &Lake,
    breaker: &Breaker,
    request: &Request,
    now: DateTime<Utc>,
) -> Result<Option<String>, Failure> {
    let Some(limit) = breaker.requests_per_minute else { return Ok(None) };
    let folder = format!("breaker/asked/{}", now.format("%Y-%m-%dT%H.%M"));
    objects::create(lake, &format!("{folder}/{}.json", request.repair_id()), &()).await?;
    if objects::list(lake, &folder).await?.len() <= limit as usize {
        return Ok(None);
    }
    let reason = format!("more than {limit} repairs were asked for in one minute");
    open_breaker(lake, &reason, now).await?;
    Ok(Some(reason))
}

/// Says in the log that the breaker opened; Terraform's alarm looks for these words.
pub(crate) fn tell_breaker_opened(reason: &str) {
    error!(reason, "circuit breaker opened: nothing is repaired until `remediator breaker --close`");
}

/// How often the same change was repaired lately, this repair not counted.
pub(crate) async fn returned(
    lake: &Lake,
    request: &Request,
    within: TimeDelta,
    now: DateTime<Utc>,
) -> Result<usize, Failure> {
    let own = format!("{}.json", request.repair_id());
    let listed = objects::list(lake, &format!("returns/{}", request.change_key())).await?;
    let is_other = |name: Option<&str>| name.is_some_and(|name| name != own);
    let lately = listed.iter().filter(|object| object.last_modified > now - within);
    Ok(lately.filter(|object| is_other(object.location.filename())).count())
}

/// Notes that a change is about to be repaired.
pub(crate) async fn note_repair(lake: &Lake, request: &Request) -> Result<(), Failure> {
    let key = format!("returns/{}/{}.json", request.change_key(), request.repair_id());
    objects::create(lake, &key, &()).await.map(drop)
}

/// Who held the repairs of a violation back, and why.
pub(crate) async fn held_back(lake: &Lake, violation_id: &str) -> Result<Option<String>, Failure> {
    Ok(objects::read::<Note>(lake, &format!("held/{violation_id}.json")).await?.map(|note| note.reason))
}

/// Holds the repairs of a violation back.
pub(crate) async fn hold_back(
    lake: &Lake,
    violation_id: &str,
    reason: &str,
    now: DateTime<Utc>,
) -> Result<(), Failure> {
    let note = Note { reason: reason.to_owned(), at: now };
    objects::create(lake, &format!("held/{violation_id}.json"), &note).await.map(drop)
}

/// What was noted of the target of a request while all was well.
pub(crate) async fn baseline(lake: &Lake, request: &Request) -> Result<Option<Baseline>, Failure> {
    let account = request.account_id();
    let key = match &request.target {
        Target::Trust { role } => baseline_key(account, "role", role),
        Target::Boundary { holder } => baseline_key(account, holder.kind.as_str(), &holder.name),
        Target::Policy { arn } => baseline_key(account, "policy", arn.rsplit('/').next().unwrap_or_default()),
        _ => return Ok(None),
    };
    objects::read(lake, &key).await
}

/// Key of a baseline. Unlike everything else here a baseline may be written again: it is a person's word.
pub(crate) fn baseline_key(account: &str, kind: &str, name: &str) -> String {
    // Names of IAM have letters, digits and `+=,.@_-`.
    format!("baselines/{account}/{kind}/{name}.json")
}

async fn newest(lake: &Lake, folder: &str) -> Result<Option<(i64, String)>, Failure> {
    let listed = objects::list(lake, folder).await?;
    let newest =
        listed.iter().filter_map(|object| object.location.filename()).map(|name| (millis(Some(name)), name)).max();
    Ok(newest.map(|(millis, name)| (millis, format!("{folder}/{name}"))))
}

/// The time at the beginning of a name.
fn millis(name: Option<&str>) -> i64 {
    let digits: String = name.unwrap_or_default().chars().take_while(char::is_ascii_digit).collect();
    digits.parse().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples;

    const BREAKER: Breaker = Breaker { failures: 3, within: TimeDelta::minutes(10), requests_per_minute: Some(2) };

    fn at(second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_700_000_000 + second, 0).unwrap()
    }

    #[tokio::test]
    async fn the_breaker_opens_at_the_limit_and_stays_open_until_somebody_closes_it() {
        let lake = Lake::open("memory://").await.unwrap();
        assert_eq!(note_failure(&lake, &BREAKER, "a", at(0)).await.unwrap(), None);
        assert_eq!(note_failure(&lake, &BREAKER, "b", at(601)).await.unwrap(), None, "the first is too old");
        assert_eq!(note_failure(&lake, &BREAKER, "c", at(602)).await.unwrap(), None);
        assert_eq!(breaker_open(&lake).await.unwrap(), None);
        assert!(note_failure(&lake, &BREAKER, "d", at(603)).await.unwrap().is_some());
        assert!(breaker_open(&lake).await.unwrap().is_some_and(|note| note.reason.contains("3 repairs failed")));
        close_breaker(&lake, "it was the network", at(700)).await.unwrap();
        assert_eq!(breaker_open(&lake).await.unwrap(), None);
        assert_eq!(note_failure(&lake, &BREAKER, "e", at(701)).await.unwrap(), None, "those before do not count");
    }

    #[tokio::test]
    async fn too_many_requests_in_a_minute_open_the_breaker() {
        let lake = Lake::open("memory://").await.unwrap();
        let [first, second, third] = ["R1", "R2", "R3"].map(samples::with_rule);
        assert_eq!(note_request(&lake, &BREAKER, &first, at(0)).await.unwrap(), None);
        assert_eq!(note_request(&lake, &BREAKER, &first, at(1)).await.unwrap(), None, "a redelivery is not another");
        assert_eq!(note_request(&lake, &BREAKER, &second, at(1)).await.unwrap(), None);
        assert!(note_request(&lake, &BREAKER, &third, at(1)).await.unwrap().is_some());
        assert!(breaker_open(&lake).await.unwrap().is_some());
    }

    #[tokio::test]
    async fn a_change_that_comes_back_is_counted_by_target_and_not_by_event() {
        let lake = Lake::open("memory://").await.unwrap();
        let [first, second] = ["e1", "e2"].map(samples::with_event);
        let day = TimeDelta::hours(24);
        note_repair(&lake, &first).await.unwrap();
        assert_eq!(returned(&lake, &first, day, Utc::now()).await.unwrap(), 0, "its own does not count");
        assert_eq!(returned(&lake, &second, day, Utc::now()).await.unwrap(), 1);
        assert_eq!(returned(&lake, &second, day, Utc::now() + TimeDelta::hours(25)).await.unwrap(), 0);
        assert_eq!(returned(&lake, &samples::attachment(), day, Utc::now()).await.unwrap(), 0);
    }

    #[tokio::test]
    async fn a_repair_is_held_back_with_its_reason() {
        let lake = Lake::open("memory://").await.unwrap();
        assert_eq!(held_back(&lake, "v").await.unwrap(), None);
        hold_back(&lake, "v", "alice: planned", at(0)).await.unwrap();
        assert_eq!(held_back(&lake, "v").await.unwrap().as_deref(), Some("alice: planned"));
    }
}
