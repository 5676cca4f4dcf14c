//! The channel from the workers of a run to its owner.
//!
//! The receiver takes all waiting results at once. So a result costs a worker one short lock, and costs the receiver
//! almost nothing. In tokio's channel each result costs several atomic operations on cache lines that all threads share.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};

struct ChannelState<T> {
    waiting: VecDeque<T>,
    /// The task that waits for a result.
    receiver: Option<Waker>,
    has_sender: bool,
    has_receiver: bool,
}

/// Locked for every result, so it has its own cache lines.
#[repr(align(128))]
struct Channel<T>(Mutex<ChannelState<T>>);

impl<T> Channel<T> {
    fn lock(&self) -> MutexGuard<'_, ChannelState<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(crate) fn channel<T>() -> (ResultSender<T>, ResultReceiver<T>) {
    let state = ChannelState { waiting: VecDeque::new(), receiver: None, has_sender: true, has_receiver: true };
    let channel = Arc::new(Channel(Mutex::new(state)));
    (ResultSender(Arc::clone(&channel)), ResultReceiver { channel, taken: VecDeque::new() })
}

pub(crate) struct ResultSender<T>(Arc<Channel<T>>);

impl<T> ResultSender<T> {
    /// Sends a result. Drops it if there is no receiver any more.
    pub(crate) fn send(&self, result: T) {
        let mut state = self.0.lock();
        if !state.has_receiver {
            // The destructor of a result is the user's: it runs without the lock.
            drop(state);
            return drop(result);
        }
        state.waiting.push_back(result);
        let receiver = state.receiver.take();
        drop(state);
        if let Some(receiver) = receiver {
            receiver.wake();
        }
    }
}

impl<T> Drop for ResultSender<T> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.has_sender = false;
        let receiver = state.receiver.take();
        drop(state);
        if let Some(receiver) = receiver {
            receiver.wake();
        }
    }
}

pub(crate) struct ResultReceiver<T> {
    channel: Arc<Channel<T>>,
    /// Taken from the channel, and not yet given to the owner of the run.
    taken: VecDeque<T>,
}

impl<T> ResultReceiver<T> {
    /// The next result. `None` once the sender is gone and nothing is left.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<T>> {
        // Results that are always ready must not starve the other tasks of the runtime.
        ready!(std::pin::pin!(tokio::task::coop::consume_budget()).poll(cx));
        if self.taken.is_empty() {
            // Wakers are the executor's: they are cloned and dropped without the lock.
            let waker = cx.waker().clone();
            let mut state = self.channel.lock();
            std::mem::swap(&mut state.waiting, &mut self.taken);
            if self.taken.is_empty() && state.has_sender {
                let earlier = state.receiver.replace(waker);
                drop(state);
                drop(earlier);
                return Poll::Pending;
            }
        }
        Poll::Ready(self.taken.pop_front())
    }

    /// The next result that has arrived.
    pub(crate) fn try_next(&mut self) -> Option<T> {
        if self.taken.is_empty() {
            std::mem::swap(&mut self.channel.lock().waiting, &mut self.taken);
        }
        self.taken.pop_front()
    }
}

impl<T> Drop for ResultReceiver<T> {
    fn drop(&mut self) {
        let mut state = self.channel.lock();
        state.has_receiver = false;
        let left = std::mem::take(&mut state.waiting);
        drop(state);
        drop(left);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Weak;
    use std::task::Wake;

    /// Uses the channel when it is dropped, as a waker of another executor might.
    struct UsesTheChannel(Weak<Channel<u32>>);

    impl Wake for UsesTheChannel {
        fn wake(self: Arc<Self>) {}
    }

    impl Drop for UsesTheChannel {
        fn drop(&mut self) {
            if let Some(channel) = self.0.upgrade() {
                assert!(channel.0.try_lock().is_ok(), "a waker is dropped under the lock");
            }
        }
    }

    #[test]
    fn no_waker_is_dropped_under_the_lock_and_all_results_arrive_before_the_end() {
        let (sender, mut receiver) = channel::<u32>();
        for round in 0..3 {
            let waker = Waker::from(Arc::new(UsesTheChannel(Arc::downgrade(&receiver.channel))));
            let mut cx = Context::from_waker(&waker);
            assert!(receiver.poll(&mut cx).is_pending(), "round {round}");
        }
        sender.send(1);
        sender.send(2);
        drop(sender);
        let mut cx = Context::from_waker(Waker::noop());
        assert_eq!([(); 3].map(|()| receiver.poll(&mut cx)), [Some(1), Some(2), None].map(Poll::Ready));
    }

    #[test]
    fn a_result_that_nobody_takes_is_dropped_at_once() {
        let (sender, receiver) = channel();
        let result = Arc::new(());
        sender.send(Arc::clone(&result));
        assert_eq!(Arc::strong_count(&result), 2);
        drop(receiver);
        assert_eq!(Arc::strong_count(&result), 1);
        sender.send(Arc::clone(&result));
        assert_eq!(Arc::strong_count(&result), 1);
    }
}
