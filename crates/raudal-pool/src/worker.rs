//! A slot at work: attempts, one after the other, as one task; what ends each, whatever happens in it.

use super::context::Context;
use super::engine::{Engine, Flight};
use super::error::{JobError, panic_message};
use super::report::StageSpan;
use super::spawn::Ticket;
use futures::{FutureExt, Stream};
use std::fmt::Display;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{self, Poll};
use std::time::Duration;
use tokio::time::{Instant, Sleep};
use tokio_util::sync::WaitForCancellationFutureOwned;

/// An attempt that is over.
pub(super) struct Ended<T, E> {
    pub(super) result: Result<T, JobError<E>>,
    /// When it ended.
    pub(super) at: Instant,
    pub(super) running: Duration,
    pub(super) advanced: (u64, u64),
    pub(super) stages: Vec<StageSpan>,
}

/// When an attempt must be over, and what its job fails with then.
pub(super) enum Limit {
    Attempt(Duration),
    Deadline { left: Duration, whole: Duration },
}

impl Limit {
    /// The nearer one of the attempt's limit and of what is left of the job's deadline. `since` is the time since the
    /// first attempt began.
    pub(super) fn of(attempt: Option<Duration>, deadline: Option<Duration>, since: Duration) -> Option<Self> {
        let left = deadline.map(|whole| (whole.saturating_sub(since), whole));
        match (attempt, left) {
            (None, None) => None,
            (Some(attempt), None) => Some(Self::Attempt(attempt)),
            (Some(attempt), Some((left, _))) if attempt <= left => Some(Self::Attempt(attempt)),
            (_, Some((left, whole))) => Some(Self::Deadline { left, whole }),
        }
    }

    fn time(&self) -> Duration {
        match self {
            Self::Attempt(time) | Self::Deadline { left: time, .. } => *time,
        }
    }

    fn error<E>(self) -> JobError<E> {
        match self {
            Self::Attempt(limit) => JobError::TimedOut(limit),
            Self::Deadline { whole, .. } => JobError::DeadlinePassed(whole),
        }
    }
}

/// Runs this attempt, and then whatever may begin in its place, until there is nothing.
pub(super) async fn work<I, T, E, F, S, Fut>(engine: Arc<Engine<I, T, E, F, S>>, mut flight: Flight<I, T, E>)
where
    I: Clone + Send + 'static,
    T: Send + 'static,
    E: Display + Send + 'static,
    S: Stream<Item = (I, Option<Ticket<T, E>>)> + Send + 'static,
    F: Fn(Context, I) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<T, E>> + Send + 'static,
{
    let mut stop = Stop::default();
    loop {
        let Flight { pending, context, limit, started } = flight;
        let input = pending.input.clone();
        let ended = attempt(context, started, limit, |context| (engine.job)(context, input), &mut stop).await;
        // A panic in there is not that of a job: it is the run's, and the driver's to tell.
        match catch_unwind(AssertUnwindSafe(|| engine.turn(pending, ended))) {
            Ok(Some(next)) => flight = next,
            Ok(None) => return,
            Err(panic) => return engine.break_down(panic),
        }
        // Jobs that are never kept waiting must not keep all others of the runtime waiting.
        tokio::task::consume_budget().await;
    }
}

/// Runs one attempt to its end.
async fn attempt<T, E, Fut>(
    context: Context,
    started: Instant,
    limit: Option<Limit>,
    work: impl FnOnce(Context) -> Fut,
    stop: &mut Stop,
) -> Ended<T, E>
where
    Fut: Future<Output = Result<T, E>>,
{
    // All of it, since a panic may also come before the first await, and from a destructor after the last one.
    let result = AssertUnwindSafe(limited(&context, started, limit, work, stop)).catch_unwind().await;
    context.end().await;
    let result = result.unwrap_or_else(|panic| Err(JobError::Panicked(panic_message(&*panic))));
    let at = Instant::now();
    Ended { result, at, running: at - started, advanced: context.advanced(), stages: context.spans() }
}

/// What ends an attempt from outside. One for each worker, not for each attempt: a timer and a waiter that are used again
/// cost next to nothing, and short jobs are all cost.
#[derive(Default)]
struct Stop {
    cancelled: Option<Pin<Box<WaitForCancellationFutureOwned>>>,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Stop {
    /// Makes ready for an attempt that is not done at once.
    fn arm(&mut self, context: &Context, deadline: Option<Instant>) {
        if self.cancelled.is_none() || context.has_own_token() {
            self.cancelled = Some(Box::pin(context.cancelled_by().clone().cancelled_owned()));
        }
        match (deadline, &mut self.timer) {
            (Some(deadline), Some(timer)) => timer.as_mut().reset(deadline),
            (Some(deadline), timer @ None) => *timer = Some(Box::pin(tokio::time::sleep_until(deadline))),
            // Another attempt of the run may have had less time left; it wakes us in vain.
            (None, _) => {}
        }
    }

    fn is_cancelled(&mut self, cx: &mut task::Context<'_>) -> bool {
        self.cancelled.as_mut().is_some_and(|cancelled| cancelled.as_mut().poll(cx).is_ready())
    }

    fn is_time(&mut self, cx: &mut task::Context<'_>) -> bool {
        self.timer.as_mut().is_some_and(|timer| timer.as_mut().poll(cx).is_ready())
    }
}

/// Runs the work until it is done, cancelled, or out of time.
async fn limited<T, E, Fut>(
    context: &Context,
    started: Instant,
    limit: Option<Limit>,
    work: impl FnOnce(Context) -> Fut,
    stop: &mut Stop,
) -> Result<T, JobError<E>>
where
    Fut: Future<Output = Result<T, E>>,
{
    let mut work = pin!(work(context.clone()));
    let mut limit = limit;
    let (mut is_armed, mut is_timed) = (false, false);
    std::future::poll_fn(|cx| {
        if let Poll::Ready(result) = work.as_mut().poll(cx) {
            return Poll::Ready(result.map_err(JobError::Failed));
        }
        if !std::mem::replace(&mut is_armed, true) {
            // A limit beyond what the clock can tell is none.
            let deadline = limit.as_ref().and_then(|limit| started.checked_add(limit.time()));
            is_timed = deadline.is_some();
            stop.arm(context, deadline);
        }
        if stop.is_cancelled(cx) {
            return Poll::Ready(Err(JobError::Cancelled));
        }
        if is_timed && stop.is_time(cx) {
            return limit.take().map_or(Poll::Pending, |limit| Poll::Ready(Err(limit.error())));
        }
        Poll::Pending
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
        let (attempt, deadline) = (Some(second(10)), Some(second(60)));
        assert_eq!(error(None, None, 0), None);
        assert_eq!(error(attempt, None, 500), Some((second(10), JobError::TimedOut(second(10)))));
        assert_eq!(error(attempt, deadline, 50), Some((second(10), JobError::TimedOut(second(10)))));
        assert_eq!(error(attempt, deadline, 51), Some((second(9), JobError::DeadlinePassed(second(60)))));
        assert_eq!(error(None, deadline, 70), Some((second(0), JobError::DeadlinePassed(second(60)))));
    }
}
