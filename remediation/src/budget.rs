//! How many repairs are made in a minute and in an hour, everywhere and in one account. Slots are objects that are
//! created once, so the count is exact however many instances run.

use chrono::{DateTime, DurationRound, TimeDelta, Utc};
use lake::Lake;

use crate::config::Rates;
use crate::error::Failure;
use crate::objects;

/// Slots that were taken for one repair; there is no other way to get them. The executor asks for them.
#[derive(Debug)]
pub struct Slots {
    keys: Vec<String>,
}

/// What became of asking.
#[derive(Debug)]
pub enum Taken {
    /// The repair may be made.
    Granted(Slots),
    /// A budget is spent.
    Spent(Spent),
}

/// A budget that is spent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spent {
    /// `5 actions per minute`.
    pub what: String,
    /// When its window ends.
    pub until: DateTime<Utc>,
}

struct Window {
    what: String,
    name: String,
    slots: u32,
    until: DateTime<Utc>,
    says: String,
}

/// Takes a slot of every budget, or none.
pub(crate) async fn take(lake: &Lake, rates: &Rates, account_id: &str, now: DateTime<Utc>) -> Result<Taken, Failure> {
    let mut slots = Slots { keys: Vec::new() };
    for window in windows(rates, account_id, now) {
        match lake.take_slot(&window.what, &window.name, window.slots).await {
            Ok(Some(slot)) => slots.keys.push(format!("claims/{}/{}/slot-{slot:04}", window.what, window.name)),
            Ok(None) => {
                slots.give_back(lake).await?;
                return Ok(Taken::Spent(Spent { what: window.says, until: window.until }));
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(Taken::Granted(slots))
}

/// A budget that is spent already, seen without taking anything.
pub(crate) async fn spent(
    lake: &Lake,
    rates: &Rates,
    account_id: &str,
    now: DateTime<Utc>,
) -> Result<Option<Spent>, Failure> {
    for window in windows(rates, account_id, now) {
        let taken = objects::list(lake, &format!("claims/{}/{}", window.what, window.name)).await?;
        if taken.len() >= window.slots as usize {
            return Ok(Some(Spent { what: window.says, until: window.until }));
        }
    }
    Ok(None)
}

impl Slots {
    /// Gives the slots back: nothing was changed after all.
    pub async fn give_back(self, lake: &Lake) -> Result<(), Failure> {
        for key in &self.keys {
            objects::delete(lake, key).await?;
        }
        Ok(())
    }
}

fn windows(rates: &Rates, account_id: &str, now: DateTime<Utc>) -> [Window; 4] {
    let window = |of: &str, span: TimeDelta, slots: u32, account: &str| {
        let begin = now.duration_trunc(span).unwrap_or(now);
        let (suffix, place) = match account {
            "" => (String::new(), String::new()),
            account => (format!("-{account}"), format!(" in account {account}")),
        };
        Window {
            what: format!("repairs-per-{of}{suffix}"),
            // Only characters that stay as they are in a key.
            name: begin.format("%Y-%m-%dT%H.%M").to_string(),
            slots,
            until: begin + span,
            says: format!("{slots} actions per {of}{place}"),
        }
    };
    let (minute, hour) = (TimeDelta::minutes(1), TimeDelta::hours(1));
    [
        window("minute", minute, rates.per_minute, ""),
        window("hour", hour, rates.per_hour, ""),
        window("minute", minute, rates.account_per_minute, account_id),
        window("hour", hour, rates.account_per_hour, account_id),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::WhenSpent;

    const RATES: Rates =
        Rates { per_minute: 5, per_hour: 8, account_per_minute: 3, account_per_hour: 4, when_spent: WhenSpent::Delay };

    fn at(second: i64) -> DateTime<Utc> {
        // The beginning of an hour.
        DateTime::from_timestamp(1_700_002_800 + second, 0).unwrap()
    }

    async fn granted(lake: &Lake, account: &str, second: i64) -> bool {
        matches!(take(lake, &RATES, account, at(second)).await.unwrap(), Taken::Granted(_))
    }

    #[tokio::test]
    async fn each_budget_holds_by_itself_and_what_one_refuses_is_not_taken_from_another() {
        let lake = Lake::open("memory://").await.unwrap();
        let mut given = 0;
        for _ in 0..10 {
            given += u32::from(granted(&lake, "1", 0).await);
        }
        assert_eq!(given, 3, "three a minute in one account");
        assert!(granted(&lake, "2", 1).await && granted(&lake, "2", 1).await, "the refused ones took nothing");
        assert!(!granted(&lake, "3", 2).await, "five a minute everywhere");
        assert!(spent(&lake, &RATES, "3", at(2)).await.unwrap().is_some_and(|spent| spent.until == at(60)));
        assert!(granted(&lake, "1", 60).await && !granted(&lake, "1", 61).await, "four an hour in one account");
        assert!(granted(&lake, "3", 120).await && granted(&lake, "4", 120).await);
        assert!(!granted(&lake, "5", 180).await, "eight an hour everywhere");
        assert!(granted(&lake, "5", 3600).await);
    }

    #[tokio::test]
    async fn many_at_once_get_no_more_than_there_are() {
        let lake = Lake::open("memory://").await.unwrap();
        let accounts: Vec<String> = (0..40).map(|account| account.to_string()).collect();
        let asked = accounts.iter().map(|account| granted(&lake, account, 0));
        let given = futures::future::join_all(asked).await.into_iter().filter(|given| *given).count();
        assert!(given <= 5, "{given}");
    }

    #[tokio::test]
    async fn slots_that_were_not_used_can_be_given_back() {
        let lake = Lake::open("memory://").await.unwrap();
        for _ in 0..20 {
            let Taken::Granted(slots) = take(&lake, &RATES, "1", at(0)).await.unwrap() else { panic!("it is free") };
            slots.give_back(&lake).await.unwrap();
        }
    }

    #[tokio::test]
    async fn a_budget_of_nothing_gives_nothing() {
        let lake = Lake::open("memory://").await.unwrap();
        let none = Rates { per_minute: 0, ..RATES };
        assert!(matches!(take(&lake, &none, "1", at(0)).await.unwrap(), Taken::Spent(_)));
    }
}
