//! What becomes of jobs: which begins next, and what its end means. The driver and the workers share one of these.
//!
//! A worker that is done with an attempt accounts for it and takes the next one in a single turn, under one lock: no
//! task is made and no other one is woken for a job. The driver is for what takes time to come: an input that is not
//! ready, the end of a wait, room for a result, the end of the run.

use super::context::{Context, RunShared};
use super::error::JobError;
use super::event::Event;
use super::histogram::Histogram;
use super::lend::Lend;
use super::queue::{Queue, Waiting};
use super::report::{RunReport, StageSpan};
use super::room::Room;
use super::run::Completed;
use super::settings::Settings;
use super::spawn::Ticket;
use super::worker::{Ended, Limit};
use futures::Stream;
use std::any::Any;
use std::fmt::Display;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{self, Poll, Waker};
use std::time::Duration;
use tokio::sync::{Notify, mpsc};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// A job that was pulled from the input.
pub(super) struct Pending<I, T, E> {
    pub(super) job: u64,
    pub(super) input: I,
    pub(super) label: String,
    pub(super) key: Option<Arc<str>>,
    /// Whoever waits for this job alone.
    pub(super) ticket: Option<Ticket<T, E>>,
    pub(super) attempts: u32,
    pub(super) delays: Option<Box<dyn Iterator<Item = Duration> + Send>>,
    pub(super) pulled: Instant,
    pub(super) started: Option<Instant>,
    pub(super) running: Duration,
    /// Bytes and items of the last attempt, and the most of any attempt.
    pub(super) advanced: (u64, u64),
    pub(super) furthest: (u64, u64),
    pub(super) stages: Vec<StageSpan>,
}

impl<I, T, E> Waiting for Pending<I, T, E> {
    fn key(&self) -> Option<&Arc<str>> {
        self.key.as_ref()
    }
}

/// An attempt that is to begin.
pub(super) struct Flight<I, T, E> {
    pub(super) pending: Pending<I, T, E>,
    pub(super) context: Context,
    pub(super) limit: Option<Limit>,
    pub(super) started: Instant,
}

/// Why no further attempt can begin now, and when to ask again. That an attempt ended or an input came is told apart.
pub(super) enum Idle {
    /// All slots are taken.
    Full,
    /// The rate says until when.
    Rate(Instant),
    /// Whoever takes the results is too far behind. A job that waits may begin earlier.
    NoRoom(Option<Instant>),
    /// No input is there, and no job may begin before this.
    NoInput(Option<Instant>),
    /// All that there was is done.
    Done,
}

pub(super) struct Engine<I, T, E, F, S> {
    pub(super) settings: Arc<Settings<I, E>>,
    pub(super) job: F,
    pub(super) results: mpsc::UnboundedSender<Completed<T, E>>,
    pub(super) room: Arc<Room>,
    pub(super) cancel: CancellationToken,
    pub(super) drain: CancellationToken,
    /// Told when a slot came free that no job took.
    pub(super) freed: Arc<Notify>,
    state: Mutex<State<I, T, E, S>>,
}

/// The state of a run under way.
pub(super) struct State<I, T, E, S> {
    /// `None` once it is over.
    pub(super) inputs: Option<Pin<Box<S>>>,
    pub(super) run: Arc<RunShared>,
    pub(super) started: Instant,
    pub(super) queue: Queue<Pending<I, T, E>>,
    /// A job whose turn it is and whom the rate makes wait until then.
    pub(super) held: Option<(Pending<I, T, E>, Instant)>,
    pub(super) running: usize,
    /// Slots that are lent: they count against the limit, but nothing of the run waits for them.
    pub(super) lent: usize,
    pub(super) pulled: u64,
    pub(super) report: RunReport,
    pub(super) queued_times: Histogram,
    pub(super) running_times: Histogram,
    /// Wakes the driver. The input is polled with it, whoever polls it.
    pub(super) driver: Waker,
    /// A panic of the input, of an observer or of a policy, which is the run's own.
    pub(super) broken: Option<Box<dyn Any + Send>>,
}

impl<I, T, E, F, S> Engine<I, T, E, F, S>
where
    I: Clone,
    E: Display,
    S: Stream<Item = (I, Option<Ticket<T, E>>)>,
{
    pub(super) fn new(
        settings: Arc<Settings<I, E>>,
        job: F,
        inputs: S,
        results: mpsc::UnboundedSender<Completed<T, E>>,
        room: Arc<Room>,
        (cancel, drain): (CancellationToken, CancellationToken),
    ) -> Self {
        let started = Instant::now();
        let observer = Arc::clone(&settings.observer);
        let state = State {
            inputs: Some(Box::pin(inputs)),
            run: Arc::new(RunShared { started: started.into_std(), cancel: cancel.clone(), observer }),
            started,
            queue: Queue::new(settings.per_key),
            held: None,
            running: 0,
            lent: 0,
            pulled: 0,
            report: RunReport { jobs: settings.jobs, ..RunReport::default() },
            queued_times: Histogram::default(),
            running_times: Histogram::default(),
            driver: Waker::noop().clone(),
            broken: None,
        };
        Self { settings, job, results, room, cancel, drain, freed: Arc::default(), state: Mutex::new(state) }
    }

    /// After a panic in here the run only ends: what the state says then is not looked at.
    fn lock(&self) -> MutexGuard<'_, State<I, T, E, S>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells the observer that the run begins.
    pub(super) fn begin(&self) {
        let total = match self.lock().inputs.as_ref().map(Stream::size_hint) {
            Some((low, Some(high))) if low == high => Some(low as u64),
            _ => None,
        };
        self.settings.observer.observe(&Event::RunStarted { total, jobs: self.settings.jobs });
    }

    pub(super) fn is_closing(&self) -> bool {
        self.cancel.is_cancelled() || self.drain.is_cancelled()
    }

    /// The next attempt that may begin. The driver, whose context this is, is woken when that may have changed.
    pub(super) fn next(&self, cx: &task::Context<'_>) -> Result<Flight<I, T, E>, Idle> {
        let mut state = self.lock();
        state.driver.clone_from(cx.waker());
        self.take_next(&mut state)
    }

    /// Accounts for an attempt that is over, and gives the next one that may begin in its place. If there is none, the
    /// driver is told.
    pub(super) fn turn(&self, pending: Pending<I, T, E>, ended: Ended<T, E>) -> Option<Flight<I, T, E>> {
        let mut state = self.lock();
        state.running -= 1;
        let waits = self.ended(&mut state, pending, ended);
        let next = if self.is_closing() { None } else { self.take_next(&mut state).ok() };
        if next.is_none() || waits {
            state.driver.wake_by_ref();
        }
        if next.is_none() {
            self.freed.notify_one();
        }
        next
    }

    /// Whether an input may be pulled; if not, the driver, whose context this is, is woken once it may.
    pub(super) fn has_room(&self, cx: &task::Context<'_>) -> bool {
        let pulled = self.lock().pulled;
        self.room.poll(pulled, cx)
    }

    /// Ends the run by a panic that no job is to blame for; the driver panics with it.
    pub(super) fn break_down(&self, panic: Box<dyn Any + Send>) {
        let mut state = self.lock();
        state.broken.get_or_insert(panic);
        state.driver.wake_by_ref();
    }

    /// The panic that broke the run.
    pub(super) fn broken(&self) -> Option<Box<dyn Any + Send>> {
        self.lock().broken.take()
    }

    /// Gives up all jobs that wait.
    pub(super) fn give_up(&self) {
        let mut state = self.lock();
        let held = state.held.take().map(|held| held.0);
        for pending in state.queue.drain().into_iter().chain(held) {
            self.finish(&mut state, pending, Err(JobError::Cancelled));
        }
    }

    /// Whether nothing is in flight; if not, the driver is woken when an attempt has ended.
    pub(super) fn is_still(&self, cx: &task::Context<'_>) -> bool {
        let mut state = self.lock();
        state.driver.clone_from(cx.waker());
        state.running == 0
    }

    /// The report of the run, at its end.
    pub(super) fn end(&self) -> RunReport {
        let mut state = self.lock();
        let report = std::mem::take(&mut state.report);
        let report = RunReport {
            stopped: state.inputs.is_some() || report.cancelled > 0,
            wall: state.started.elapsed(),
            queued: state.queued_times.percentiles(),
            running: state.running_times.percentiles(),
            ..report
        };
        // An input may hold what others wait for.
        let inputs = state.inputs.take();
        drop(state);
        drop(inputs);
        self.settings.observer.observe(&Event::RunFinished { report: &report });
        report
    }

    /// How many slots are free that no job can want.
    fn spare(&self, state: &State<I, T, E, S>) -> usize {
        let may_be_wanted =
            state.inputs.is_some() || !state.queue.is_empty() || state.held.is_some() || self.is_closing();
        if may_be_wanted { 0 } else { self.settings.jobs.saturating_sub(state.running + state.lent) }
    }

    fn take_next(&self, state: &mut State<I, T, E, S>) -> Result<Flight<I, T, E>, Idle> {
        // A job that is pulled for this very slot has not waited: one look at the clock serves both.
        let mut pulled_now = u64::MAX;
        while state.running + state.lent < self.settings.jobs {
            if let Some(pending) = self.next_ready(state) {
                let now = if pending.job >= pulled_now { pending.pulled } else { Instant::now() };
                if let Some(flight) = self.start(state, pending, now) {
                    return Ok(flight);
                }
            } else if let Some((_, until)) = &state.held {
                return Err(Idle::Rate(*until));
            } else {
                pulled_now = pulled_now.min(state.pulled);
                self.pull(state)?;
            }
        }
        Err(Idle::Full)
    }

    /// The job whose turn it is, if the rates let it begin now.
    fn next_ready(&self, state: &mut State<I, T, E, S>) -> Option<Pending<I, T, E>> {
        let pending = match state.held.take() {
            Some((pending, _)) => pending,
            None => loop {
                let pending = state.queue.pop()?;
                match pending.key.as_ref().map_or(Ok(()), |key| self.settings.rates.check_key(key)) {
                    Ok(()) => break pending,
                    Err(until) => state.queue.put_back(pending, until),
                }
            },
        };
        match self.settings.rates.check() {
            Ok(()) => Some(pending),
            Err(until) => {
                state.held = Some((pending, until));
                None
            }
        }
    }

    /// Pulls one input.
    fn pull(&self, state: &mut State<I, T, E, S>) -> Result<(), Idle> {
        let Some(inputs) = &mut state.inputs else {
            let done = state.running == 0 && state.queue.is_empty();
            return Err(if done { Idle::Done } else { Idle::NoInput(state.queue.next_wake()) });
        };
        if !self.room.has_room(state.pulled) {
            return Err(Idle::NoRoom(state.queue.next_wake()));
        }
        match inputs.as_mut().poll_next(&mut task::Context::from_waker(&state.driver)) {
            Poll::Pending => return Err(Idle::NoInput(state.queue.next_wake())),
            Poll::Ready(None) => state.inputs = None,
            Poll::Ready(Some((input, ticket))) => {
                let settings = &self.settings;
                state.queue.push(Pending {
                    job: state.pulled,
                    label: settings.label.as_ref().map(|label| label(&input)).unwrap_or_default(),
                    key: settings.key.as_ref().and_then(|key| key(&input)).map(Arc::from),
                    input,
                    ticket,
                    attempts: 0,
                    delays: None,
                    pulled: Instant::now(),
                    started: None,
                    running: Duration::ZERO,
                    advanced: (0, 0),
                    furthest: (0, 0),
                    stages: Vec::new(),
                });
                state.pulled += 1;
            }
        }
        Ok(())
    }

    /// Begins an attempt, unless its job is over before it.
    fn start(
        &self,
        state: &mut State<I, T, E, S>,
        mut pending: Pending<I, T, E>,
        now: Instant,
    ) -> Option<Flight<I, T, E>> {
        if pending.ticket.as_ref().is_some_and(|ticket| !ticket.begin()) {
            state.queue.ended(pending.key.as_ref());
            self.finish(state, pending, Err(JobError::Cancelled));
            return None;
        }
        let since = now - *pending.started.get_or_insert(now);
        if let Some(limit) = self.settings.deadline.filter(|limit| pending.attempts > 0 && since >= *limit) {
            state.queue.ended(pending.key.as_ref());
            self.finish(state, pending, Err(JobError::DeadlinePassed(limit)));
            return None;
        }
        pending.attempts += 1;
        let (job, attempt) = (pending.job, pending.attempts);
        self.settings.observer.observe(&Event::AttemptStarted { job, label: &pending.label, attempt });
        let token = pending.ticket.as_ref().map(Ticket::token);
        let context = Context::new(job, attempt, Arc::clone(&state.run), token);
        let limit = Limit::of(self.settings.attempt_timeout, self.settings.deadline, since);
        state.running += 1;
        state.report.peak_in_flight = state.report.peak_in_flight.max(state.running);
        Some(Flight { pending, context, limit, started: now })
    }
}

impl<I, T, E, F, S> Lend for Engine<I, T, E, F, S>
where
    I: Clone + Send,
    T: Send,
    E: Display + Send,
    F: Send + Sync,
    S: Stream<Item = (I, Option<Ticket<T, E>>)> + Send,
{
    fn set_limit(&self, key: &str, limit: usize) {
        let mut state = self.lock();
        state.queue.set_limit(key, limit);
        state.driver.wake_by_ref();
    }

    fn spare(&self, key: Option<&str>) -> usize {
        let state = self.lock();
        Self::spare(self, &state).min(state.queue.room(key))
    }

    fn lend(&self, key: Option<&str>) -> bool {
        let mut state = self.lock();
        if Self::spare(self, &state) == 0 || !state.queue.lend(key) {
            return false;
        }
        state.lent += 1;
        true
    }

    fn take_back(&self, key: Option<&str>) {
        let mut state = self.lock();
        state.lent -= 1;
        state.queue.take_back(key);
        // A job may wait for its next attempt by now.
        state.driver.wake_by_ref();
    }
}
