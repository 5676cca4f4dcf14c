//! Runs one attempt until it returns, panics, is cancelled or times out, and waits for the work that it started.

use super::outcome::{Ended, after};
use crate::context::{Attempt, CURRENT};
use crate::error::{JobError, panic_message};
use futures_util::FutureExt;
use std::panic::AssertUnwindSafe;
use std::pin::{Pin, pin};
use std::task::{self, Poll};
use std::time::Duration;
use tokio::time::{Instant, Sleep};

/// The time limit of an attempt, and the error when it passes.
#[derive(Clone, Copy)]
pub(super) enum Limit {
    Attempt(Duration),
    Deadline { left: Duration, whole: Duration },
}

impl Limit {
    /// Returns the sooner of the attempt's limit and the rest of the job's deadline. `since` is the time since the first
    /// attempt started.
    pub(super) fn of(attempt: Option<Duration>, deadline: Option<Duration>, since: Duration) -> Option<Self> {
        let left = deadline.map(|whole| (whole.saturating_sub(since), whole));
        match (attempt, left) {
            (None, None) => None,
            (Some(attempt), None) => Some(Self::Attempt(attempt)),
            (Some(attempt), Some((left, _))) if attempt <= left => Some(Self::Attempt(attempt)),
            (_, Some((left, whole))) => Some(Self::Deadline { left, whole }),
        }
    }

    fn time(self) -> Duration {
        match self {
            Self::Attempt(time) | Self::Deadline { left: time, .. } => time,
        }
    }

    fn error<E>(self) -> JobError<E> {
        match self {
            Self::Attempt(limit) => JobError::TimedOut { limit, last: None },
            Self::Deadline { whole, .. } => JobError::DeadlinePassed { deadline: whole, last: None },
        }
    }
}

/// The time limits of one attempt.
#[derive(Clone, Copy)]
pub(super) struct Limits {
    pub(super) limit: Option<Limit>,
    /// How long the future is polled after its cancellation.
    pub(super) grace: Duration,
    /// The time starts when the attempt's blocking closure starts.
    pub(super) is_blocking: bool,
}

/// The timer of grace periods, reused from attempt to attempt.
#[derive(Default)]
pub(super) struct Timer(Option<Pin<Box<Sleep>>>);

impl Timer {
    fn is_time(&mut self, deadline: Instant, cx: &mut task::Context<'_>) -> bool {
        let sleep = self.0.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline)));
        if sleep.deadline() > deadline {
            sleep.as_mut().reset(deadline);
        }
        loop {
            if sleep.as_mut().poll(cx).is_pending() {
                return false;
            }
            if Instant::now() >= deadline {
                return true;
            }
            sleep.as_mut().reset(deadline);
        }
    }
}

/// Runs one attempt and waits for all the work that it started.
pub(super) async fn attempt<T, E, Fut>(
    context: &Attempt,
    started: Instant,
    limits: Limits,
    work: impl FnOnce() -> Fut,
    timer: &mut Timer,
) -> Ended<T, E>
where
    Fut: Future<Output = Result<T, E>>,
{
    // Catches everything: the closure may panic before the first await, a destructor after the last one.
    let result = AssertUnwindSafe(limited(context, started, limits, work, timer)).catch_unwind().await;
    context.end().await;
    let result = result.unwrap_or_else(|panic| Err(JobError::Panicked(panic_message(&*panic))));
    let at = Instant::now();
    let began = if limits.is_blocking { context.begun().unwrap_or(at) } else { started };
    Ended { result, at, running: at - began, advanced: context.advanced(), stages: context.spans() }
}

/// Runs the work until it is done, or until the grace period after its cancellation is over.
async fn limited<T, E, Fut>(
    context: &Attempt,
    started: Instant,
    limits: Limits,
    work: impl FnOnce() -> Fut,
    timer: &mut Timer,
) -> Result<T, JobError<E>>
where
    Fut: Future<Output = Result<T, E>>,
{
    if context.is_cancelled() {
        return Err(JobError::CANCELLED);
    }
    let mut work = pin!(CURRENT.scope(context.clone(), async move { work().await }));
    let mut ending: Option<(JobError<E>, Instant)> = None;
    // Only an attempt that waits needs a timer.
    let mut is_limited = false;
    std::future::poll_fn(|cx| {
        // Without a grace period the work is not polled after its cancellation.
        if limits.grace.is_zero() && context.is_cancelled() {
            return Poll::Ready(Err(JobError::CANCELLED));
        }
        if let Some(slot) = context.nested_slot() {
            // If the job still waits for a run of its pool, that run is offered the slot again.
            slot.withdraw();
        }
        if let Poll::Ready(result) = work.as_mut().poll(cx) {
            return Poll::Ready(match (result, ending.take()) {
                (result, None) => result.map_err(JobError::Failed),
                // A result during the grace period counts after a cancellation, but not after a time-out.
                (Ok(value), Some((JobError::Cancelled { .. }, _))) => Ok(value),
                (Ok(_), Some((error, _))) => Err(error),
                (Err(last), Some((error, _))) => Err(error.with_last(Some(last))),
            });
        }
        context.register(cx.waker());
        if ending.is_none() {
            if context.is_cancelled() {
                ending = Some((JobError::CANCELLED, after(Instant::now(), limits.grace)));
            } else if let Some(limit) = limits.limit.filter(|_| context.is_timed_out()) {
                context.cancel_token();
                ending = Some((limit.error(), after(Instant::now(), limits.grace)));
            } else if let Some(limit) = limits.limit.filter(|_| !is_limited) {
                let began = if limits.is_blocking { context.begun() } else { Some(started) };
                is_limited = began.is_some();
                if let Some(began) = began {
                    context.set_limit(after(began, limit.time()));
                }
            }
        }
        match ending.take() {
            Some((error, _)) if limits.grace.is_zero() => Poll::Ready(Err(error)),
            Some((error, until)) if timer.is_time(until, cx) => Poll::Ready(Err(error)),
            still => {
                ending = still;
                Poll::Pending
            }
        }
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearer_limit_holds_and_names_itself() {
        let second = Duration::from_secs;
        let error = |attempt, deadline, since| {
            Limit::of(attempt, deadline, second(since)).map(|limit| (limit.time(), limit.error::<()>()))
        };
        let timed_out = JobError::TimedOut { limit: second(10), last: None };
        let passed = JobError::DeadlinePassed { deadline: second(60), last: None };
        let (attempt, deadline) = (Some(second(10)), Some(second(60)));
        assert_eq!(error(None, None, 0), None);
        assert_eq!(error(attempt, None, 500), Some((second(10), timed_out.clone())));
        assert_eq!(error(attempt, deadline, 50), Some((second(10), timed_out)));
        assert_eq!(error(attempt, deadline, 51), Some((second(9), passed.clone())));
        assert_eq!(error(None, deadline, 70), Some((second(0), passed)));
    }
}
