//! Work on all cores whose results arrive in the order of the input, with bounded memory.
//!
//! Object names are made from their content, so the same input must be cut the same way on every run, whatever the
//! timing of the threads. Each unit of work therefore has a short channel of its own, and the taker empties these
//! channels in unit order. A worker that is ahead waits on its full channel; units are claimed in order, so the unit
//! the taker waits for always has a worker.

use std::collections::BTreeMap;
use std::iter::Enumerate;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::thread;

/// Messages a unit may have waiting before its worker pauses.
const MESSAGES_PER_UNIT: usize = 2;
/// Units per thread that may be finished before their turn.
const UNITS_AHEAD: usize = 8;

/// Says whether anybody still wants the results.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    /// Go on.
    Continue,
    /// The taker gave up: stop early.
    Stop,
}

/// Hands the messages of one unit to the taker.
pub struct Emit<'s, M>(&'s SyncSender<M>);

impl<M> Emit<'_, M> {
    /// Passes a message on; waits while the taker is behind.
    pub fn send(&self, message: M) -> Flow {
        if self.0.send(message).is_ok() { Flow::Continue } else { Flow::Stop }
    }
}

/// Runs a worker for every unit on `threads` threads; `take` gets the messages in unit order on the calling thread.
/// Units are asked for one by one, when a worker is free. `worker` makes the worker of one thread, which may keep
/// memory from unit to unit, but no facts.
///
/// The first error of `take` ends the run: workers stop at their next message.
pub fn in_order<U, M, E, W>(
    units: impl Iterator<Item = U> + Send,
    threads: usize,
    worker: impl Fn() -> W + Sync,
    mut take: impl FnMut(M) -> Result<(), E>,
) -> Result<(), E>
where
    M: Send,
    W: FnMut(U, &Emit<'_, M>),
{
    let threads = threads.max(1);
    let units = Mutex::new(units.enumerate());
    let (announce, announced) = sync_channel(threads * UNITS_AHEAD);
    thread::scope(|scope| {
        for _ in 0..threads {
            let (announce, units, worker) = (announce.clone(), &units, &worker);
            scope.spawn(move || claim_units(units, &announce, worker()));
        }
        drop(announce);
        take_in_order(announced, &mut take)
    })
}

fn claim_units<U, M>(
    units: &Mutex<Enumerate<impl Iterator<Item = U>>>,
    announce: &SyncSender<(usize, Receiver<M>)>,
    mut work: impl FnMut(U, &Emit<'_, M>),
) {
    loop {
        let Some((index, unit)) = units.lock().unwrap_or_else(PoisonError::into_inner).next() else { return };
        let (sender, receiver) = sync_channel(MESSAGES_PER_UNIT);
        if announce.send((index, receiver)).is_err() {
            return;
        }
        work(unit, &Emit(&sender));
    }
}

fn take_in_order<M, E>(
    announced: Receiver<(usize, Receiver<M>)>,
    take: &mut impl FnMut(M) -> Result<(), E>,
) -> Result<(), E> {
    let mut waiting = BTreeMap::new();
    for index in 0.. {
        while !waiting.contains_key(&index) {
            // A closed channel: all units are taken, or a worker panicked, which the scope passes on when it joins.
            let Ok((claimed, receiver)) = announced.recv() else { return Ok(()) };
            waiting.insert(claimed, receiver);
        }
        for message in waiting.remove(&index).into_iter().flatten() {
            take(message)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_arrive_in_unit_order_whatever_the_threads_do() {
        for threads in [1, 2, 7] {
            let mut taken = Vec::new();
            let result = in_order(
                0..500,
                threads,
                || {
                    |unit: usize, emit: &Emit<'_, _>| {
                        for part in 0..(unit % 5) {
                            if unit.is_multiple_of(11) {
                                thread::yield_now();
                            }
                            emit.send((unit, part));
                        }
                    }
                },
                |message| {
                    taken.push(message);
                    Ok::<(), ()>(())
                },
            );
            let expected: Vec<_> = (0..500).flat_map(|unit| (0..unit % 5).map(move |part| (unit, part))).collect();
            assert_eq!(result, Ok(()));
            assert_eq!(taken, expected);
        }
    }

    #[test]
    fn an_error_of_the_taker_stops_the_workers() {
        let result = in_order(
            0..1_000_000,
            4,
            || {
                |unit: u64, emit: &Emit<'_, u64>| {
                    emit.send(unit);
                }
            },
            |unit| if unit == 3 { Err("disk full") } else { Ok(()) },
        );
        assert_eq!(result, Err("disk full"));
    }
}
