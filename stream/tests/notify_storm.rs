//! Storms: many events, few messages, exact counts, whatever is delivered twice, late or half.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)] // tests stop at the first surprise

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use chrono::{DateTime, TimeDelta, Utc};
use futures::StreamExt;
use lake::Lake;
use serde_json::{Value, json};
use stream::notify::event::BusEvent;
use stream::notify::sample;
use stream::notify::slack::config::{SlackConfig, Storm};
use stream::notify::slack::ledger::Ledger;
use stream::notify::slack::limits;
use stream::notify::slack::picture::picture;
use stream::notify::slack::storm::{Closing, Manifest, Member, Place, closing_messages};

const EVENTS: usize = 2000;
const ACCOUNTS: usize = 300;

/// One actor, one change, event `number` of a storm over 300 accounts; every tenth of another rule.
fn storm_event(number: usize) -> BusEvent {
    let mut entry: Value = serde_json::from_str(sample::EVENTS.lines().nth(1).unwrap()).unwrap();
    let account = format!("{:012}", 100_000_000_000_usize + number % ACCOUNTS);
    let id = schemas::derived_id(&["storm", &number.to_string()]).to_string();
    entry["detail"]["eventId"] = json!(id);
    let violation = &mut entry["detail"]["violation"];
    violation["violation_id"] = json!(id);
    violation["account_id"] = json!(account);
    violation["principal_account_id"] = json!(account);
    violation["principal_arn"] = json!(format!("arn:aws:sts::{account}:assumed-role/OrgAdmin/mallory"));
    violation["target_name"] = json!(format!("role-{number}"));
    violation["target_arn"] = json!(format!("arn:aws:iam::{account}:role/role-{number}"));
    if number.is_multiple_of(10) {
        violation["rule_name"] = json!("WildcardGranted");
        violation["severity"] = json!("CRITICAL");
    }
    BusEvent::read(&entry).unwrap()
}

/// An event with an actor of its own.
fn lone_event(number: usize) -> BusEvent {
    let mut entry: Value = serde_json::from_str(sample::EVENTS.lines().next().unwrap()).unwrap();
    let id = schemas::derived_id(&["lone", &number.to_string()]).to_string();
    entry["detail"]["eventId"] = json!(id);
    entry["detail"]["violation"]["violation_id"] = json!(id);
    entry["detail"]["violation"]["principal_arn"] = json!(format!("arn:aws:iam::111111111111:user/u{number}"));
    entry["detail"]["violation"]["principal_name"] = json!(format!("u{number}"));
    BusEvent::read(&entry).unwrap()
}

fn member(event: &BusEvent) -> Member {
    Member::of(event, None).unwrap()
}

fn at(second: i64) -> DateTime<Utc> {
    "2024-01-05T12:00:00Z".parse::<DateTime<Utc>>().unwrap() + TimeDelta::seconds(second)
}

fn storm() -> Storm {
    SlackConfig::default().storm
}

async fn lakes() -> Vec<(Ledger, Option<tempfile::TempDir>)> {
    let folder = tempfile::tempdir().unwrap();
    let local = Lake::open(folder.path().to_str().unwrap()).await.unwrap();
    vec![(Ledger::new(Lake::open("memory://").await.unwrap()), None), (Ledger::new(local), Some(folder))]
}

async fn admit(ledger: &Ledger, event: &BusEvent, second: i64) -> (Place, DateTime<Utc>) {
    ledger.admit(&member(event), at(second), None, &storm()).await.unwrap()
}

async fn close(ledger: &Ledger, now: DateTime<Utc>) -> (Vec<Manifest>, Vec<Closing>) {
    let (mut manifests, mut messages) = (Vec::new(), Vec::new());
    for end in ledger.due(now).await.unwrap() {
        let manifest = ledger.seal(end).await.unwrap();
        messages.extend(closing_messages(&manifest, &SlackConfig::default()));
        manifests.push(manifest);
        ledger.close(end).await.unwrap();
    }
    (manifests, messages)
}

fn events_in(manifests: &[Manifest]) -> usize {
    manifests.iter().flat_map(|manifest| &manifest.groups).map(|it| it.individual.len() + it.collected.len()).sum()
}

fn golden(name: &str, actual: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/notify/golden").join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&path, actual).unwrap();
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(actual, expected, "{name} differs; UPDATE_GOLDEN=1 rewrites it");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_thousand_violations_over_three_hundred_accounts_are_two_messages_with_exact_counts() {
    for (ledger, _folder) in lakes().await {
        // Sixteen at once, as concurrent Lambdas would be, and every event three times.
        let deliveries = (0..3 * EVENTS).map(|delivery| {
            let ledger = ledger.clone();
            async move { admit(&ledger, &storm_event(delivery % EVENTS), (delivery % 60) as i64).await.0 }
        });
        let places: Vec<Place> = futures::stream::iter(deliveries).buffered(16).collect().await;
        let told: BTreeSet<usize> = places
            .iter()
            .enumerate()
            .filter(|(_, place)| **place == Place::Individual)
            .map(|(it, _)| it % EVENTS)
            .collect();
        assert_eq!(told.len(), 1, "one of the root cause is sent by itself, the same at each delivery");
        let (manifests, messages) = close(&ledger, at(600)).await;
        assert_eq!(messages.len(), 1);
        assert!(messages.len() < storm().most_messages() as usize);
        let group = &manifests[0].groups[0];
        assert_eq!((group.individual.len(), group.collected.len()), (1, EVENTS - 1));
        assert_eq!((group.accounts.len(), group.accounts.values().sum::<usize>()), (ACCOUNTS, EVENTS));
        assert_eq!(group.accounts.values().copied().collect::<BTreeSet<_>>(), BTreeSet::from([6, 7]));
        assert_eq!(group.rules["WildcardGranted"], EVENTS / 10);
        assert_eq!(group.severities.values().sum::<usize>(), EVENTS);
        assert_eq!(limits::problems(&messages[0].message), Vec::<String>::new());
        golden("storm.slack.txt", &picture(&messages[0].message));
        assert_eq!(close(&ledger, at(6000)).await.1, [], "a closed window tells nothing more");
    }
}

#[tokio::test]
async fn many_root_causes_share_the_budget_of_a_channel_and_a_digest() {
    let (ledger, _) = lakes().await.remove(0);
    let mut told = 0;
    for number in 0..100 {
        told += usize::from(admit(&ledger, &lone_event(number), 1).await.0 == Place::Individual);
    }
    for number in 0..30 {
        admit(&ledger, &storm_event(number), 1).await;
    }
    assert_eq!(told, storm().messages as usize);
    let (manifests, messages) = close(&ledger, at(600)).await;
    assert_eq!(events_in(&manifests), 130);
    assert_eq!(messages.len(), 2, "a summary of the storm, a digest of the rest");
    assert!(messages[1].message["text"].as_str().unwrap().contains("80 events of 80 root causes"));
    for closing in &messages {
        assert_eq!(limits::problems(&closing.message), Vec::<String>::new());
    }
    golden("digest.slack.txt", &picture(&messages[1].message));
}

#[tokio::test]
async fn no_channel_gets_more_messages_than_configured_whatever_comes() {
    let (ledger, _) = lakes().await.remove(0);
    let small = Storm { individual: 2, messages: 3, summaries: 1, ..storm() };
    let mut told = 0;
    for number in 0..60 {
        let mut event = member(&lone_event(number));
        event.group = format!("g{}", number % 12);
        told += usize::from(ledger.admit(&event, at(0), None, &small).await.unwrap().0 == Place::Individual);
    }
    let config = SlackConfig { storm: small, ..SlackConfig::default() };
    let manifest = ledger.seal(ledger.due(at(600)).await.unwrap()[0]).await.unwrap();
    let closing = closing_messages(&manifest, &config);
    assert_eq!((told, closing.len()), (3, 2));
    assert_eq!(told + closing.len(), small.most_messages() as usize);
    assert_eq!(events_in(&[manifest]), 60);
}

#[tokio::test]
async fn an_event_that_comes_after_its_window_was_counted_goes_into_the_next_and_is_counted_once() {
    for (ledger, _folder) in lakes().await {
        admit(&ledger, &storm_event(0), 0).await;
        admit(&ledger, &storm_event(1), 0).await;
        // Assigned to the first window, then the process died before the member was written.
        let late = storm_event(2);
        let (manifests, _) = close(&ledger, at(600)).await;
        assert_eq!(events_in(&manifests), 2);
        // Its clock is behind: it still believes in the window that was closed.
        let (_, end) = admit(&ledger, &late, 599).await;
        assert_eq!(end, at(1200));
        // Delivered again, it stays where it was counted, also after that window closed.
        assert_eq!(admit(&ledger, &late, 700).await.1, at(1200));
        let (manifests, _) = close(&ledger, at(1200)).await;
        assert_eq!(events_in(&manifests), 1);
        assert_eq!(admit(&ledger, &late, 1300).await.1, at(1200));
        assert_eq!(admit(&ledger, &storm_event(1), 1300).await.1, at(600));
        assert_eq!(close(&ledger, at(9000)).await.1, [], "nothing is told twice");
    }
}

#[tokio::test]
async fn closing_while_events_come_in_counts_each_once() {
    for (ledger, _folder) in lakes().await {
        let all = 400;
        let coming = (0..all).map(|number| {
            let ledger = ledger.clone();
            async move {
                loop {
                    match ledger.admit(&member(&storm_event(number)), at(0), None, &storm()).await {
                        Ok(_) => return,
                        Err(_) => tokio::task::yield_now().await,
                    }
                }
            }
        });
        let writer = futures::stream::iter(coming).buffer_unordered(16).collect::<Vec<()>>();
        let closer = async {
            tokio::task::yield_now().await;
            let mut manifests = Vec::new();
            for _ in 0..3 {
                manifests.extend(close(&ledger, at(600)).await.0);
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
            manifests
        };
        let (_, mut manifests) = tokio::join!(writer, closer);
        manifests.extend(close(&ledger, at(6000)).await.0);
        let keys: Vec<String> = manifests
            .iter()
            .flat_map(|manifest| &manifest.groups)
            .flat_map(|group| group.individual.iter().chain(&group.collected).cloned())
            .collect();
        assert_eq!((keys.len(), keys.iter().collect::<BTreeSet<_>>().len()), (all, all));
    }
}

#[tokio::test]
async fn an_event_is_moved_through_as_many_closed_windows_as_the_limit_says_and_then_comes_again() {
    let (ledger, _) = lakes().await.remove(0);
    let late = member(&lone_event(0));
    for window in 0..9 {
        ledger.admit(&member(&storm_event(window)), at(600 * window as i64), None, &storm()).await.unwrap();
        close(&ledger, at(600 * window as i64 + 600)).await;
    }
    // Windows 1 to 8 are tried, all closed.
    let error = ledger.admit(&late, at(0), None, &storm()).await.unwrap_err();
    assert!(error.to_string().contains("is being closed; try again"), "{error}");
    let fresh = member(&lone_event(1));
    assert_eq!(ledger.admit(&fresh, at(600 * 2), None, &storm()).await.unwrap().1, at(600 * 10));
}

#[tokio::test]
async fn windows_are_closed_so_many_at_a_time() {
    let (ledger, _) = lakes().await.remove(0);
    for window in 0..51 {
        ledger.admit(&member(&lone_event(window)), at(600 * window as i64), None, &storm()).await.unwrap();
    }
    let due = ledger.due(at(1_000_000)).await.unwrap();
    assert_eq!((due.len(), due[0], due[49]), (50, at(600), at(600 * 50)));
}

#[tokio::test]
async fn in_quiet_hours_nobody_is_told_before_their_end() {
    let (ledger, _) = lakes().await.remove(0);
    let morning = at(8 * 3600);
    for number in 0..5 {
        let event = member(&lone_event(number));
        let place = ledger.admit(&event, at(0), Some(morning), &storm()).await.unwrap();
        assert_eq!(place, (Place::Collected, morning));
    }
    assert!(ledger.due(at(8 * 3600 - 1)).await.unwrap().is_empty());
    let (manifests, messages) = close(&ledger, morning).await;
    assert_eq!((events_in(&manifests), messages.len()), (5, 1));
}

#[test]
fn one_actor_in_many_accounts_is_one_root_cause_and_another_actor_change_or_channel_is_not() {
    let group = |event: &BusEvent| member(event).group;
    assert_eq!(group(&storm_event(1)), group(&storm_event(2)));
    assert_ne!(group(&storm_event(1)), group(&lone_event(1)));
    assert_ne!(group(&lone_event(1)), group(&lone_event(2)));
    assert_ne!(group(&storm_event(1)), Member::of(&storm_event(1), Some("#other")).unwrap().group);
}
