//! The task that owns a run: pulls inputs as slots come free, starts jobs, retries them, and awaits every one.

use super::builder::Settings;
use super::context::Context;
use super::error::{JobError, panic_message};
use super::event::Event;
use super::queue::{Queue, Waiting};
use super::report::{JobReport, Outcome, RunReport, StageSpan};
use super::run::Completed;
use futures::{FutureExt, Stream, StreamExt};
use std::fmt::Display;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// A job that was pulled from the input, between its attempts.
struct Pending<I> {
    job: u64,
    input: I,
    label: String,
    key: Option<Arc<str>>,
    attempts: u32,
    delays: Option<Box<dyn Iterator<Item = Duration> + Send>>,
    pulled: Instant,
    started: Option<Instant>,
    running: Duration,
    advanced: (u64, u64),
    stages: Vec<StageSpan>,
}

impl<I> Waiting for Pending<I> {
    fn key(&self) -> Option<&Arc<str>> {
        self.key.as_ref()
    }
}

/// An attempt that is over.
struct Ended<I, T, E> {
    pending: Pending<I>,
    result: Result<T, JobError<E>>,
}

pub(super) struct Driver<I, T, E, F> {
    pub(super) settings: Arc<Settings<I, E>>,
    pub(super) job: Arc<F>,
    pub(super) results: mpsc::UnboundedSender<Completed<T, E>>,
    /// A permit for each job that is pulled; the consumer gives it back when it takes the result.
    pub(super) room: Arc<Semaphore>,
    pub(super) cancel: CancellationToken,
}

/// The state of a run under way.
struct State<I, T, E> {
    queue: Queue<Pending<I>>,
    running: JoinSet<Ended<I, T, E>>,
    started: Instant,
    pulled: u64,
    report: RunReport,
}

/// Why the driver stopped starting jobs.
enum Idle {
    Full,
    NoRoom,
    NoInput,
    Done,
}

impl<I, T, E, F, Fut> Driver<I, T, E, F>
where
    I: Clone + Send + 'static,
    T: Send + 'static,
    E: Display + Send + 'static,
    F: Fn(Context, I) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<T, E>> + Send + 'static,
{
    pub(super) async fn drive(self, inputs: impl Stream<Item = I> + Send + 'static) -> RunReport {
        let total = match inputs.size_hint() {
            (low, Some(high)) if low == high => Some(low as u64),
            _ => None,
        };
        let jobs = self.settings.jobs;
        self.settings.observer.observe(&Event::RunStarted { total, jobs });
        let mut state = State {
            queue: Queue::new(self.settings.per_key),
            running: JoinSet::new(),
            started: Instant::now(),
            pulled: 0,
            report: RunReport { jobs, ..RunReport::default() },
        };
        let mut inputs = Box::pin(inputs);
        let (mut has_room, mut input_over) = (false, false);
        loop {
            while let Some(ended) = state.running.try_join_next() {
                self.ended(&mut state, ended);
            }
            if self.cancel.is_cancelled() {
                break;
            }
            let idle = self.start_all(&mut state, inputs.as_mut(), &mut has_room, &mut input_over);
            if input_over && state.running.is_empty() && state.queue.is_empty() {
                break;
            }
            let wake = state.queue.next_wake();
            tokio::select! {
                biased;
                () = self.cancel.cancelled() => {}
                Some(ended) = state.running.join_next() => self.ended(&mut state, ended),
                permit = self.room.acquire(), if matches!(idle, Idle::NoRoom) => {
                    // Never closed while the driver runs.
                    if let Ok(permit) = permit {
                        permit.forget();
                        has_room = true;
                    }
                }
                input = inputs.next(), if matches!(idle, Idle::NoInput) => match input {
                    Some(input) => {
                        has_room = false;
                        self.pull(&mut state, input);
                    }
                    None => input_over = true,
                },
                () = sleep_until(wake), if wake.is_some() => {}
            }
        }
        // Either all is done, or the run was cancelled: nothing begins any more, and what runs is awaited.
        for pending in state.queue.drain() {
            self.finish(&mut state, pending, Err(JobError::Cancelled));
        }
        while let Some(ended) = state.running.join_next().await {
            self.ended(&mut state, ended);
        }
        state.report.stopped = !input_over || state.report.cancelled > 0;
        state.report.wall = state.started.elapsed();
        self.settings.observer.observe(&Event::RunFinished { report: &state.report });
        state.report
    }

    /// Starts jobs until no slot, no room, or no input is left.
    fn start_all(
        &self,
        state: &mut State<I, T, E>,
        mut inputs: Pin<&mut (impl Stream<Item = I> + Send)>,
        has_room: &mut bool,
        input_over: &mut bool,
    ) -> Idle {
        while state.running.len() < self.settings.jobs {
            if let Some(pending) = state.queue.pop() {
                self.start(state, pending);
                continue;
            }
            if *input_over {
                return Idle::Done;
            }
            if !*has_room {
                match self.room.try_acquire() {
                    Ok(permit) => permit.forget(),
                    Err(_) => return Idle::NoRoom,
                }
                *has_room = true;
            }
            match inputs.next().now_or_never() {
                Some(Some(input)) => {
                    *has_room = false;
                    self.pull(state, input);
                }
                Some(None) => *input_over = true,
                None => return Idle::NoInput,
            }
        }
        Idle::Full
    }

    fn pull(&self, state: &mut State<I, T, E>, input: I) {
        let settings = &self.settings;
        state.queue.push(Pending {
            job: state.pulled,
            label: settings.label.as_ref().map(|label| label(&input)).unwrap_or_default(),
            key: settings.key.as_ref().and_then(|key| key(&input)).map(Arc::from),
            input,
            attempts: 0,
            delays: None,
            pulled: Instant::now(),
            started: None,
            running: Duration::ZERO,
            advanced: (0, 0),
            stages: Vec::new(),
        });
        state.pulled += 1;
    }

    fn start(&self, state: &mut State<I, T, E>, mut pending: Pending<I>) {
        pending.attempts += 1;
        let (job, attempt) = (pending.job, pending.attempts);
        let started = Instant::now();
        pending.started.get_or_insert(started);
        self.settings.observer.observe(&Event::AttemptStarted { job, label: &pending.label, attempt });
        let context = Context::new(
            job,
            attempt,
            state.started.into_std(),
            self.cancel.clone(),
            Arc::clone(&self.settings.observer),
        );
        let (work, cancel, limit) = (Arc::clone(&self.job), self.cancel.clone(), self.settings.attempt_timeout);
        state.running.spawn(async move {
            let input = pending.input.clone();
            let given = context.clone();
            let attempt = async {
                // The call is inside, so that a panic before the first await is caught as well.
                let run = AssertUnwindSafe(async move { work(given, input).await }).catch_unwind();
                let result = match limit {
                    None => run.await,
                    Some(limit) => match tokio::time::timeout(limit, run).await {
                        Ok(result) => result,
                        Err(_) => return Err(JobError::TimedOut(limit)),
                    },
                };
                match result {
                    Ok(result) => result.map_err(JobError::Failed),
                    Err(panic) => Err(JobError::Panicked(panic_message(&*panic))),
                }
            };
            let result = tokio::select! {
                biased;
                // First, so that a job which is done at once never touches the token's list of waiters.
                result = attempt => result,
                () = cancel.cancelled() => Err(JobError::Cancelled),
            };
            context.end().await;
            pending.running += started.elapsed();
            pending.advanced = context.advanced();
            pending.stages.extend(context.spans(std::time::Instant::now()));
            Ended { pending, result }
        });
        state.report.peak_in_flight = state.report.peak_in_flight.max(state.running.len());
    }

    fn ended(&self, state: &mut State<I, T, E>, ended: Result<Ended<I, T, E>, tokio::task::JoinError>) {
        // Jobs catch their panics, so a join fails only while the runtime shuts down.
        let Ok(Ended { mut pending, result }) = ended else { return };
        state.queue.ended(pending.key.as_ref());
        let error = match &result {
            Ok(_) | Err(JobError::Cancelled) => return self.finish(state, pending, result),
            Err(error) => error,
        };
        let now = Instant::now();
        if let (Some(failure), Some(key)) = (error.failure(), &pending.key)
            && let Some(pause) = self.settings.retry.pause(failure)
        {
            state.queue.pause(key, now + pause);
            self.settings.observer.observe(&Event::KeyPaused { key, pause });
        }
        let retry_in = if self.cancel.is_cancelled() || matches!(error, JobError::Panicked(_)) {
            None
        } else {
            let elapsed = pending.started.map_or(Duration::ZERO, |started| now - started);
            let delays = pending.delays.get_or_insert_with(|| self.settings.retry.delays());
            self.settings.retry.next(error.failure(), &mut **delays, elapsed)
        };
        self.settings.observer.observe(&Event::AttemptFailed {
            job: pending.job,
            label: &pending.label,
            attempt: pending.attempts,
            error: &self.settings.describe(error),
            retry_in,
            bytes: pending.advanced.0,
            items: pending.advanced.1,
        });
        match retry_in {
            Some(wait) => state.queue.push_later(pending, now + wait),
            None => self.finish(state, pending, result),
        }
    }

    fn finish(&self, state: &mut State<I, T, E>, pending: Pending<I>, result: Result<T, JobError<E>>) {
        let (outcome, failure) = match &result {
            Ok(_) => (Outcome::Succeeded, None),
            Err(JobError::Cancelled) => (Outcome::Cancelled, None),
            Err(error) => (Outcome::Failed, Some(error)),
        };
        let started = pending.started.unwrap_or_else(Instant::now);
        let report = JobReport {
            job: pending.job,
            label: pending.label,
            outcome,
            attempts: pending.attempts,
            started: started - state.started,
            queued: started - pending.pulled,
            running: pending.running,
            bytes: pending.advanced.0,
            items: pending.advanced.1,
            kind: failure.map(|error| self.settings.kind_of(error)),
            error: failure.map(|error| self.settings.describe(error)),
            stages: pending.stages,
        };
        state.report.count(&report);
        self.settings.observer.observe(&Event::JobFinished { report: &report });
        if self.settings.stop_after.is_some_and(|most| state.report.failed >= most) {
            self.cancel.cancel();
        }
        // Nobody listens any more when the run was dropped.
        let _ = self.results.send(Completed { job: report.job, result, report });
    }
}

async fn sleep_until(wake: Option<Instant>) {
    match wake {
        Some(wake) => tokio::time::sleep_until(wake).await,
        None => std::future::pending().await,
    }
}
