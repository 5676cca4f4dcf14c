//! Limits decoding to one input per core. The biggest waiting input goes first, so that none of
//! them is left for the end.

use raudal_common::lock;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::{Arc, Mutex, MutexGuard};
use tokio::sync::oneshot;

/// A limited number of permits to decode.
pub(crate) struct Decoders(Mutex<DecoderQueue>);

#[derive(Default)]
struct DecoderQueue {
    free: usize,
    waiting: BinaryHeap<QueuedDecode>,
    /// How many have waited so far.
    count: u64,
}

/// Ordered by size, then by arrival.
struct QueuedDecode {
    rank: (u64, Reverse<u64>),
    turn: oneshot::Sender<DecodePermit>,
}

impl PartialEq for QueuedDecode {
    fn eq(&self, other: &Self) -> bool {
        self.rank == other.rank
    }
}

impl Eq for QueuedDecode {}

impl PartialOrd for QueuedDecode {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for QueuedDecode {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.rank.cmp(&other.rank)
    }
}

/// A permit to decode. Dropping it passes it to the next waiter.
pub(crate) struct DecodePermit(Option<Arc<Decoders>>);

impl Decoders {
    pub(crate) fn new(count: usize) -> Arc<Self> {
        Arc::new(Self(Mutex::new(DecoderQueue { free: count.max(1), ..DecoderQueue::default() })))
    }

    fn lock(&self) -> MutexGuard<'_, DecoderQueue> {
        lock(&self.0)
    }

    /// Waits for a permit to decode something of this size. A dropped waiter delays nobody.
    pub(crate) async fn acquire(self: &Arc<Self>, size: u64) -> DecodePermit {
        let waited = {
            let mut state = self.lock();
            if state.free > 0 {
                state.free -= 1;
                return DecodePermit(Some(Arc::clone(self)));
            }
            let (turn, waited) = oneshot::channel();
            state.count += 1;
            let rank = (size, Reverse(state.count));
            state.waiting.push(QueuedDecode { rank, turn });
            waited
        };
        match waited.await {
            Ok(permit) => permit,
            // The sender is kept in `self`.
            Err(_) => std::future::pending().await,
        }
    }

    /// Returns whether a new caller has to wait.
    pub(crate) fn are_busy(&self) -> bool {
        self.lock().free == 0
    }
}

impl Drop for DecodePermit {
    fn drop(&mut self) {
        let Some(decoders) = self.0.take() else { return };
        let mut state = decoders.lock();
        while let Some(next) = state.waiting.pop() {
            match next.turn.send(DecodePermit(Some(Arc::clone(&decoders)))) {
                Ok(()) => return,
                // This waiter is gone. Empty the permit, so that its drop does not lock again, and
                // try the next.
                Err(mut unused) => drop(unused.0.take()),
            }
        }
        state.free += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;

    #[tokio::test]
    async fn of_those_that_wait_the_biggest_is_next_and_who_went_away_is_passed_over() {
        let decoders = Decoders::new(1);
        let first = decoders.acquire(1).await;
        let mut small = Box::pin(decoders.acquire(3));
        let mut gone = Box::pin(decoders.acquire(9));
        let mut big = Box::pin(decoders.acquire(7));
        let mut late = Box::pin(decoders.acquire(7));
        for waiting in [&mut small, &mut gone, &mut big, &mut late] {
            assert!(waiting.now_or_never().is_none());
        }
        drop(gone);
        drop(first);
        assert!(late.as_mut().now_or_never().is_none(), "who came first of two is first");
        let permit = big.as_mut().now_or_never().expect("its turn");
        drop(permit);
        // One whose turn has come, but that is dropped before it knows.
        drop(late);
        assert!(decoders.are_busy());
        drop(small.as_mut().now_or_never().expect("its turn"));
        assert!(!decoders.are_busy());
        assert!(decoders.acquire(1).now_or_never().is_some());
    }
}
