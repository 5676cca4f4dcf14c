//! Requests that are not answered while others to the same host are: they are sent once more.
//!
//! A proxy may lose one request of many, or one of several servers behind a name may hang. Then a
//! transfer is silent before its response begins, and would wait for its time-out. So it is asked
//! for again (a hedged request), as a [stalled body](super::segments) is: in a slot of the run, and
//! only once. The first good answer counts. A host that answers nobody is slow or away, and gets no
//! more requests from here.

use raudal_common::lock;
use reqwest::Response;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::Instant;

/// A shorter silence is never too long.
pub(crate) const SILENCE: Duration = Duration::from_secs(1);
/// A request is silent for too long after this many times the longest wait of the others.
const PATIENCE: u32 = 4;
/// As many later requests must have been answered meanwhile.
const OTHERS: u64 = 3;
/// The waits of a host that count.
const RECENT: usize = 16;

/// The requests of one client whose response has not begun.
#[derive(Debug, Default)]
pub(crate) struct Silences {
    waiting: Mutex<Vec<Weak<SilentRequest>>>,
    hosts: Mutex<HashMap<Option<String>, Answers>>,
}

/// What a host has answered.
#[derive(Debug, Default)]
struct Answers {
    count: u64,
    /// How long the last ones took, in a ring.
    took: Vec<Duration>,
}

#[derive(Debug)]
struct SilentRequest {
    host: Option<String>,
    since: Instant,
    /// What the host had answered before.
    answered: u64,
    leave: Mutex<Option<oneshot::Sender<Leave>>>,
}

/// The leave to send a request again. Its slot is held until this is dropped.
#[derive(Debug)]
pub(crate) struct Leave {
    _over: oneshot::Sender<()>,
}

/// A slot for a second request: await it, and give the slot back.
#[derive(Debug)]
pub(crate) struct Held(oneshot::Receiver<()>);

impl Held {
    pub(crate) async fn over(self) {
        // The sender is only dropped.
        let _ = self.0.await;
    }
}

/// A request that has been silent for a while.
#[derive(Debug)]
pub(crate) struct Waiting {
    leave: oneshot::Receiver<Leave>,
    _silent: Arc<SilentRequest>,
}

impl Waiting {
    /// Waits for the leave to send it again.
    pub(crate) async fn leave(self) -> Leave {
        match self.leave.await {
            Ok(leave) => leave,
            // There is no slot any more, so there will be no leave.
            Err(_) => std::future::pending().await,
        }
    }
}

impl Silences {
    /// Returns how many responses of this host have begun so far.
    pub(crate) fn answered(&self, host: Option<&str>) -> u64 {
        lock(&self.hosts).get(&host.map(str::to_owned)).map_or(0, |answers| answers.count)
    }

    /// Records how long a response of this host took to begin.
    pub(crate) fn record(&self, host: Option<String>, took: Duration) {
        let mut hosts = lock(&self.hosts);
        let answers = hosts.entry(host).or_default();
        let place = answers.count as usize % RECENT;
        match answers.took.get_mut(place) {
            Some(oldest) => *oldest = took,
            None => answers.took.push(took),
        }
        answers.count += 1;
    }

    /// Registers a request that was sent at `since`, when the host had answered so many.
    pub(crate) fn enter(&self, host: Option<String>, since: Instant, answered: u64) -> Waiting {
        let (sender, leave) = oneshot::channel();
        let silent = Arc::new(SilentRequest { host, since, answered, leave: Mutex::new(Some(sender)) });
        let mut waiting = lock(&self.waiting);
        waiting.retain(|silent| silent.strong_count() > 0);
        waiting.push(Arc::downgrade(&silent));
        Waiting { leave, _silent: silent }
    }

    /// Gives a request that is silent for too long the leave to be sent again, if `slot` returns a slot for its host.
    pub(crate) fn ask_again<S>(
        &self,
        now: Instant,
        mut slot: impl FnMut(Option<&str>) -> Option<S>,
    ) -> Option<(Held, S)> {
        for silent in self.waiting() {
            if !self.is_too_long(&silent, now) {
                continue;
            }
            let Some(slot) = slot(silent.host.as_deref()) else { continue };
            let (over, held) = oneshot::channel();
            let leave = lock(&silent.leave).take();
            if leave.is_some_and(|leave| leave.send(Leave { _over: over }).is_ok()) {
                return Some((Held(held), slot));
            }
        }
        None
    }

    /// Whether there are requests that may be sent again now or later.
    pub(crate) fn has_any(&self) -> bool {
        !self.waiting().is_empty()
    }

    fn waiting(&self) -> Vec<Arc<SilentRequest>> {
        let all = lock(&self.waiting).iter().filter_map(Weak::upgrade).collect::<Vec<_>>();
        all.into_iter().filter(|silent| lock(&silent.leave).is_some()).collect()
    }

    fn is_too_long(&self, silent: &SilentRequest, now: Instant) -> bool {
        let hosts = lock(&self.hosts);
        let Some(answers) = hosts.get(&silent.host) else { return false };
        let longest = answers.took.iter().max().copied().unwrap_or_default();
        answers.count >= silent.answered + OTHERS
            && now.saturating_duration_since(silent.since) > SILENCE.max(PATIENCE * longest)
    }
}

/// Whether the answer to a second request may take the place of the first one, which is still to come.
pub(crate) fn is_better(second: &reqwest::Result<Response>) -> bool {
    let is_good = |response: &Response| !response.status().is_client_error() && !response.status().is_server_error();
    second.as_ref().is_ok_and(is_good)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOST: Option<&str> = Some("a");

    fn host() -> Option<String> {
        HOST.map(str::to_owned)
    }

    #[test]
    fn a_request_is_sent_again_once_if_later_ones_were_answered() {
        let (silences, start) = (Silences::default(), Instant::now());
        for _ in 0..9 {
            silences.record(host(), Duration::from_millis(100));
        }
        let mut waiting = silences.enter(host(), start, silences.answered(HOST));
        let late = start + Duration::from_millis(1001);
        assert!(silences.has_any() && silences.ask_again(late, |_| Some(())).is_none(), "nobody is answered");
        for _ in 0..OTHERS {
            silences.record(host(), Duration::from_millis(100));
        }
        assert!(silences.ask_again(start + SILENCE, |_| Some(())).is_none(), "not for long");
        assert!(silences.ask_again(late, |_| None::<()>).is_none(), "no slot");
        let (mut held, asked) = silences.ask_again(late, |host| Some(host.map(str::to_owned))).expect("late");
        assert_eq!(asked, host());
        assert!(!silences.has_any() && silences.ask_again(late, |_| Some(())).is_none(), "once is enough");
        let leave = waiting.leave.try_recv().expect("it may go on");
        assert!(held.0.try_recv().is_err_and(|error| error == oneshot::error::TryRecvError::Empty));
        drop(leave);
        assert!(held.0.try_recv().is_err_and(|error| error == oneshot::error::TryRecvError::Closed));
    }

    #[test]
    fn a_host_that_takes_long_anyway_is_waited_for() {
        let (silences, start) = (Silences::default(), Instant::now());
        let waiting = silences.enter(host(), start, 0);
        for seconds in 1..=20 {
            silences.record(host(), Duration::from_secs(seconds));
        }
        silences.record(Some("b".into()), Duration::ZERO);
        let ask = |seconds| silences.ask_again(start + Duration::from_secs(seconds), |_| Some(())).is_some();
        assert!(!ask(80) && ask(81));
        drop(waiting);
        let gone = silences.enter(host(), start, 0);
        drop(gone);
        assert!(!silences.has_any() && !ask(500));
    }
}
