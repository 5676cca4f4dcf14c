//! Whether a worker's job is still its own.

use async_nats::jetstream::{AckKind, Message};
use raudal_common::lock;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};
use tokio::task::JoinHandle;

/// A job that the broker has lent us. It is renewed in the background while it is held.
///
/// A worker that was frozen for longer than the lease has lost it: the broker has given the job to
/// another. It must not renew it then, as that would look like a lease again.
pub(crate) struct Lease {
    message: Arc<Message>,
    term: Arc<Term>,
    renewing: JoinHandle<()>,
}

/// The time since the last renewal that the broker has confirmed.
struct Term {
    length: Duration,
    renewed: Mutex<Option<Clocks>>,
}

/// Two clocks: one of them does not count the time that the machine was asleep, the other one can
/// be set. The longer time counts.
#[derive(Clone, Copy)]
struct Clocks(Instant, SystemTime);

impl Clocks {
    #[expect(clippy::disallowed_methods, reason = "the other clock stands still while the machine is asleep")]
    fn now() -> Self {
        Self(Instant::now(), SystemTime::now())
    }

    fn elapsed(self) -> Duration {
        self.0.elapsed().max(self.1.elapsed().unwrap_or_default())
    }
}

impl Term {
    fn new(length: Duration) -> Self {
        Self { length, renewed: Mutex::new(Some(Clocks::now())) }
    }

    /// Whether the lease holds. Once it does not, it never does again.
    fn holds(&self) -> bool {
        let mut renewed = lock(&self.renewed);
        if renewed.is_some_and(|at| at.elapsed() >= self.length) {
            *renewed = None;
        }
        renewed.is_some()
    }

    fn renew(&self, at: Clocks) {
        if self.holds() {
            *lock(&self.renewed) = Some(at);
        }
    }
}

impl Lease {
    pub(crate) fn new(message: Message, length: Duration) -> Self {
        let (message, term) = (Arc::new(message), Arc::new(Term::new(length)));
        let (of_task, its_term) = (Arc::clone(&message), Arc::clone(&term));
        let renewing = tokio::spawn(async move {
            loop {
                tokio::time::sleep(length / 3).await;
                let asked = Clocks::now();
                if !its_term.holds() {
                    return;
                }
                let renewal = of_task.double_ack_with(AckKind::Progress);
                if let Ok(Ok(())) = tokio::time::timeout(length / 3, renewal).await {
                    its_term.renew(asked);
                }
            }
        });
        Self { message, term, renewing }
    }

    pub(crate) fn message(&self) -> &Message {
        &self.message
    }

    pub(crate) fn holds(&self) -> bool {
        self.term.holds()
    }

    /// Ends the job: the broker forgets it. Waits until it has.
    pub(crate) async fn done(self) {
        // If the broker is gone, the job comes again, and its part is there.
        let _ = self.message.double_ack().await;
    }

    /// Gives the job back, to be delivered again after this time.
    pub(crate) async fn give_back(self, after: Duration) {
        if self.holds() {
            let _ = self.message.ack_with(AckKind::Nak(Some(after).filter(|after| !after.is_zero()))).await;
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.renewing.abort();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_that_was_lost_is_never_held_again() {
        let Clocks(now, date) = Clocks::now();
        let ago = |seconds| {
            let past = Duration::from_secs(seconds);
            Clocks(now.checked_sub(past).expect("a clock"), date - past)
        };
        let term = Term::new(Duration::from_secs(60));
        *lock(&term.renewed) = Some(ago(59));
        assert!(term.holds());
        *lock(&term.renewed) = Some(ago(61));
        term.renew(Clocks::now());
        assert!(!term.holds());
        let asleep = Clocks(now, date - Duration::from_secs(61));
        *lock(&term.renewed) = Some(asleep);
        assert!(!term.holds(), "the machine was asleep");
        let set_back = Clocks(now, date + Duration::from_secs(3600));
        *lock(&term.renewed) = Some(set_back);
        assert!(term.holds(), "the clock was set back by an hour");
    }
}
