//! Runs one attempt until it returns, panics, is cancelled or times out.

use super::outcome::after;
use crate::attempt::{Attempt, CURRENT};
use crate::error::{JobError, panic_message};
use crate::policy::TimeLimits;
use pin_project_lite::pin_project;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{self, Poll};
use std::time::Duration;
use tokio::task::futures::TaskLocalFuture;
use tokio::time::{Instant, Sleep};

/// The time limit of an attempt, and the error when it passes.
#[derive(Clone, Copy)]
enum TimeLimit {
    Attempt(Duration),
    Deadline { left: Duration, whole: Duration },
}

impl TimeLimit {
    /// Returns the sooner of the attempt's limit and the rest of the job's deadline. `since` is the time since the first
    /// attempt started.
    fn of(attempt: Option<Duration>, deadline: Option<Duration>, since: Duration) -> Option<Self> {
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
pub(super) struct AttemptLimits<'a> {
    pub(super) policy: &'a TimeLimits,
    /// When the attempt started.
    pub(super) started: Instant,
    /// When the first attempt of the job started.
    pub(super) first: Instant,
}

impl AttemptLimits<'_> {
    fn limit(&self) -> Option<TimeLimit> {
        TimeLimit::of(self.policy.attempt_timeout, self.policy.deadline, self.started - self.first)
    }
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

pin_project! {
    /// The future of one attempt: polls the work until it is done, or until the grace period after its cancellation is
    /// over. A panic of the work, or of a destructor, is its result.
    ///
    /// Written by hand because a run keeps one for each of its slots: the arguments of an `async fn` are kept twice.
    #[project = Watch]
    pub(super) struct WatchedAttempt<'a, E, Fut> {
        context: &'a Attempt,
        limits: AttemptLimits<'a>,
        timer: &'a mut Timer,
        // Why it must end, and the end of its grace period.
        ending: Option<Box<(JobError<E>, Instant)>>,
        is_limited: bool,
        // `None` after it has ended, or if it never started.
        #[pin]
        work: Option<TaskLocalFuture<Attempt, Fut>>,
    }
}

impl<'a, E, Fut: Future> WatchedAttempt<'a, E, Fut> {
    /// Calls the closure of the job, unless the attempt is cancelled already.
    pub(super) fn new(
        context: &'a Attempt,
        limits: AttemptLimits<'a>,
        timer: &'a mut Timer,
        work: impl FnOnce() -> Fut,
    ) -> Self {
        let mut watched = Self { context, limits, timer, ending: None, is_limited: false, work: None };
        if context.is_cancelled() {
            return watched;
        }
        let work = || CURRENT.sync_scope(context.clone(), work);
        match catch_unwind(AssertUnwindSafe(work)) {
            Ok(work) => watched.work = Some(CURRENT.scope(context.clone(), work)),
            Err(panic) => {
                watched.ending = Some(Box::new((JobError::Panicked(panic_message(&*panic)), limits.started)));
            }
        }
        watched
    }
}

impl<T, E, Fut: Future<Output = Result<T, E>>> Future for WatchedAttempt<'_, E, Fut> {
    /// The result, and when the attempt started.
    type Output = (Result<T, JobError<E>>, Instant);

    fn poll(self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let started = this.limits.started;
        let polled = catch_unwind(AssertUnwindSafe(|| {
            let polled = this.poll(cx);
            if polled.is_ready() {
                this.work.set(None);
            }
            polled
        }));
        let polled = polled.unwrap_or_else(|panic| {
            // Its destructors may panic too; one message is enough.
            drop(catch_unwind(AssertUnwindSafe(|| this.work.set(None))));
            Poll::Ready(Err(JobError::Panicked(panic_message(&*panic))))
        });
        polled.map(|result| (result, started))
    }
}

impl<T, E, Fut: Future<Output = Result<T, E>>> Watch<'_, '_, E, Fut> {
    fn poll(&mut self, cx: &mut task::Context<'_>) -> Poll<Result<T, JobError<E>>> {
        let (context, limits) = (*self.context, *self.limits);
        let Some(work) = self.work.as_mut().as_pin_mut() else {
            return Poll::Ready(Err(self.ending.take().map_or(JobError::CANCELLED, |ending| ending.0)));
        };
        // Without a grace period the work is not polled after its cancellation.
        if limits.policy.grace.is_zero() && context.is_cancelled() {
            return Poll::Ready(Err(JobError::CANCELLED));
        }
        if let Some(slot) = context.nested_slot() {
            // If the job still waits for a run of its pool, that run is offered the slot again.
            slot.withdraw();
        }
        if let Poll::Ready(result) = work.poll(cx) {
            return Poll::Ready(match (result, self.ending.take().map(|ending| ending.0)) {
                (result, None) => result.map_err(JobError::Failed),
                // A result during the grace period counts after a cancellation, but not after a time-out.
                (Ok(value), Some(JobError::Cancelled { .. })) => Ok(value),
                (Ok(_), Some(error)) => Err(error),
                (Err(last), Some(error)) => Err(error.with_last(Some(last))),
            });
        }
        context.register(cx.waker());
        if self.ending.is_none() {
            if context.is_cancelled() {
                self.end(JobError::CANCELLED);
            } else if let Some(limit) = limits.limit().filter(|_| context.is_timed_out()) {
                context.cancel_token();
                self.end(limit.error());
            } else if let Some(limit) = limits.limit().filter(|_| !*self.is_limited) {
                // Only an attempt that waits needs a timer.
                let began = if limits.policy.is_blocking { context.begun() } else { Some(limits.started) };
                *self.is_limited = began.is_some();
                if let Some(began) = began {
                    context.set_limit(after(began, limit.time()));
                }
            }
        }
        let is_over = match &*self.ending {
            None => false,
            Some(ending) => limits.policy.grace.is_zero() || self.timer.is_time(ending.1, cx),
        };
        match self.ending.take_if(|_| is_over) {
            Some(ending) => Poll::Ready(Err(ending.0)),
            None => Poll::Pending,
        }
    }

    /// Begins the grace period.
    fn end(&mut self, error: JobError<E>) {
        *self.ending = Some(Box::new((error, after(Instant::now(), self.limits.policy.grace))));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearer_limit_holds_and_names_itself() {
        let second = Duration::from_secs;
        let error = |attempt, deadline, since| {
            TimeLimit::of(attempt, deadline, second(since)).map(|limit| (limit.time(), limit.error::<()>()))
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
