//! Calls that take many items and answer for each: cut to the limits, and only what was refused is sent again.

use std::future::Future;

use tracing::warn;

use super::run::Outcome;
use crate::backoff::{Backoff, Deadline};
use crate::bus::batches;

/// What a service said of one item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// It was taken.
    Taken,
    /// Not now; the code of the fault.
    Again(String),
    /// Never; the code of the fault.
    Never(String),
}

/// A service that takes batches.
pub trait Batches: Sync {
    /// What it takes.
    type Item: Sync + Send;
    /// Name for logs.
    const SERVICE: &'static str;
    /// Most items of a call.
    const MAX_ITEMS: usize;
    /// Most bytes of a call.
    const MAX_BYTES: usize;

    /// What an item counts against the limit of bytes.
    fn bytes(item: &Self::Item) -> usize;

    /// One call: an answer for each item in order, or why there is none.
    fn call(&self, items: &[&Self::Item]) -> impl Future<Output = Result<Vec<Answer>, String>> + Send;

    /// Sends items until each is taken, refused for ever, or out of time; one outcome for each, in order.
    fn send(
        &self,
        items: &[Self::Item],
        backoff: Backoff,
        deadline: Deadline,
    ) -> impl Future<Output = Vec<Outcome>> + Send {
        async move {
            let mut outcomes: Vec<Option<Outcome>> = vec![None; items.len()];
            let mut failed = 0;
            loop {
                let waiting: Vec<(usize, &Self::Item)> =
                    (0..).zip(items).filter(|(place, _)| open(&outcomes, *place)).collect();
                if waiting.is_empty() {
                    break;
                }
                let mut reason = String::new();
                for part in batches(&waiting, Self::MAX_ITEMS, Self::MAX_BYTES, |(_, item)| Self::bytes(item)) {
                    let called: Vec<&Self::Item> = part.iter().map(|(_, item)| *item).collect();
                    let answers = self.call(&called).await.unwrap_or_else(|why| vec![Answer::Again(why); part.len()]);
                    let mut answers = answers.into_iter();
                    for (place, _) in part {
                        let answer = answers.next().unwrap_or_else(|| Answer::Again("no answer".to_owned()));
                        let Some(slot) = outcomes.get_mut(place) else { continue };
                        match answer {
                            Answer::Taken => *slot = Some(Outcome::Delivered),
                            Answer::Never(code) => *slot = Some(Outcome::Refused(format!("{}: {code}", Self::SERVICE))),
                            Answer::Again(code) => reason = code,
                        }
                    }
                }
                failed += 1;
                let again = outcomes.iter().filter(|outcome| outcome.is_none()).count();
                match backoff.pause(failed).filter(|pause| *pause < deadline.remaining()) {
                    _ if again == 0 => break,
                    None => {
                        let later = || Some(Outcome::Later(format!("{}: {reason}", Self::SERVICE)));
                        outcomes.iter_mut().filter(|outcome| outcome.is_none()).for_each(|outcome| *outcome = later());
                    }
                    Some(pause) => {
                        warn!(service = Self::SERVICE, reason, again, "not all items were taken");
                        tokio::time::sleep(pause).await;
                    }
                }
            }
            outcomes
                .into_iter()
                .map(|it| it.unwrap_or_else(|| Outcome::Later("it was not reached".to_owned())))
                .collect()
        }
    }
}

fn open(outcomes: &[Option<Outcome>], place: usize) -> bool {
    outcomes.get(place).is_some_and(Option::is_none)
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::time::Duration;

    use super::*;

    /// Takes numbers; refuses 3 and 7 the first time they come, 9 for ever.
    #[derive(Default)]
    struct Picky(Mutex<Vec<Vec<u32>>>);

    impl Batches for Picky {
        type Item = u32;
        const SERVICE: &'static str = "picky";
        const MAX_ITEMS: usize = 5;
        const MAX_BYTES: usize = 100;

        fn bytes(item: &u32) -> usize {
            if *item == 5 { 101 } else { 1 }
        }

        async fn call(&self, items: &[&u32]) -> Result<Vec<Answer>, String> {
            let numbers: Vec<u32> = items.iter().map(|item| **item).collect();
            let mut calls = self.0.lock().unwrap();
            let known: Vec<u32> = calls.iter().flatten().copied().collect();
            calls.push(numbers.clone());
            let answer = |number: &u32| match number {
                3 | 7 if !known.contains(number) => Answer::Again("Throttled".to_owned()),
                9 => Answer::Never("Bad".to_owned()),
                _ => Answer::Taken,
            };
            Ok(numbers.iter().map(answer).collect())
        }
    }

    #[tokio::test]
    async fn only_what_was_refused_is_sent_again_within_the_limits_of_a_call() {
        let backoff = Backoff { tries: 3, first: Duration::from_millis(1), longest: Duration::from_millis(1) };
        let picky = Picky::default();
        let items: Vec<u32> = (0..10).collect();
        let outcomes = picky.send(&items, backoff, Deadline::after(Duration::from_secs(60))).await;
        assert_eq!(picky.0.into_inner().unwrap(), [vec![0, 1, 2, 3, 4], vec![5], vec![6, 7, 8, 9], vec![3, 7]]);
        let mut expected = vec![Outcome::Delivered; 10];
        expected[9] = Outcome::Refused("picky: Bad".to_owned());
        assert_eq!(outcomes, expected);
    }

    #[tokio::test]
    async fn what_is_not_taken_in_time_comes_again() {
        let once = Backoff { tries: 1, first: Duration::from_millis(1), longest: Duration::from_millis(1) };
        let outcomes = Picky::default().send(&[1, 3], once, Deadline::after(Duration::from_secs(60))).await;
        assert_eq!(outcomes, [Outcome::Delivered, Outcome::Later("picky: Throttled".to_owned())]);
    }
}
