//! The task that owns a run: pulls inputs as slots come free, starts attempts, retries them, and awaits every one.

use super::attempt::{Ended, Limit, attempt};
use super::context::{Context, RunShared};
use super::error::JobError;
use super::event::Event;
use super::histogram::Histogram;
use super::queue::{Queue, Waiting};
use super::report::{JobReport, Outcome, RunReport, StageSpan};
use super::room::Room;
use super::run::Completed;
use super::settings::Settings;
use super::spawn::Ticket;
use futures::{FutureExt, Stream, StreamExt};
use std::fmt::Display;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// How many endings are looked at before the freed slots are filled again.
const BATCH: usize = 64;

/// A job that was pulled from the input.
struct Pending<I, T, E> {
    job: u64,
    input: I,
    label: String,
    key: Option<Arc<str>>,
    /// Whoever waits for this job alone.
    ticket: Option<Ticket<T, E>>,
    attempts: u32,
    delays: Option<Box<dyn Iterator<Item = Duration> + Send>>,
    pulled: Instant,
    started: Option<Instant>,
    running: Duration,
    /// Bytes and items of the last attempt, and the most of any attempt.
    advanced: (u64, u64),
    furthest: (u64, u64),
    stages: Vec<StageSpan>,
}

impl<I, T, E> Waiting for Pending<I, T, E> {
    fn key(&self) -> Option<&Arc<str>> {
        self.key.as_ref()
    }
}

pub(super) struct Driver<I, T, E, F> {
    pub(super) settings: Arc<Settings<I, E>>,
    pub(super) job: Arc<F>,
    pub(super) results: mpsc::UnboundedSender<Completed<T, E>>,
    pub(super) room: Arc<Room>,
    pub(super) cancel: CancellationToken,
    pub(super) drain: CancellationToken,
}

/// The state of a run under way.
struct State<I, T, E> {
    run: Arc<RunShared>,
    started: Instant,
    queue: Queue<Pending<I, T, E>>,
    /// A job whose turn it is and whom the rate makes wait until then.
    held: Option<(Pending<I, T, E>, Instant)>,
    /// The jobs in flight, each at its place, and the places that are free.
    flying: Vec<Option<Pending<I, T, E>>>,
    free: Vec<usize>,
    running: usize,
    ended: mpsc::UnboundedSender<Ended<T, E>>,
    pulled: u64,
    report: RunReport,
    queued_times: Histogram,
    running_times: Histogram,
}

/// Why the driver stopped starting jobs.
enum Idle {
    Full,
    Rate,
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
    pub(super) async fn drive(
        self,
        inputs: impl Stream<Item = (I, Option<Ticket<T, E>>)> + Send + 'static,
    ) -> RunReport {
        let total = match inputs.size_hint() {
            (low, Some(high)) if low == high => Some(low as u64),
            _ => None,
        };
        let (sender, mut endings) = mpsc::unbounded_channel();
        let mut state = self.begin(sender, total);
        // Should an input or an observer panic in here, what runs is told to end.
        let _told = self.cancel.clone().drop_guard();
        let mut inputs = Box::pin(inputs);
        let mut input_over = false;
        let mut batch = Vec::with_capacity(BATCH);
        // Once for the run, not once a turn: each would enter and leave the token's list of waiters.
        let mut closing = pin!(async {
            tokio::select! { () = self.cancel.cancelled() => {}, () = self.drain.cancelled() => {} }
        });
        loop {
            let idle = self.start_all(&mut state, inputs.as_mut(), &mut input_over);
            if input_over && state.running == 0 && state.is_idle() {
                break;
            }
            let wake = match idle {
                // Whose time has come must wait for a slot: to be woken for it would be to spin.
                Idle::Full => None,
                Idle::Rate => state.held.as_ref().map(|held| held.1),
                _ => state.queue.next_wake(),
            };
            tokio::select! {
                biased;
                () = &mut closing => break,
                _ = endings.recv_many(&mut batch, BATCH), if state.running > 0 => {
                    for ended in batch.drain(..) {
                        self.ended(&mut state, ended);
                    }
                    // The last of them may have stopped the run.
                    if self.is_closing() {
                        break;
                    }
                }
                () = self.room.wait(state.pulled), if matches!(idle, Idle::NoRoom) => {}
                input = inputs.next(), if matches!(idle, Idle::NoInput) => match input {
                    Some(input) => self.pull(&mut state, input),
                    None => input_over = true,
                },
                () = sleep_until(wake), if wake.is_some() => {}
            }
        }
        // Either all is done, or the run is closing: nothing begins any more, and what runs is awaited.
        for pending in state.queue.drain().into_iter().chain(state.held.take().map(|held| held.0)) {
            self.finish(&mut state, pending, Err(JobError::Cancelled));
        }
        while state.running > 0 {
            // The sender is in the state, so the channel is open.
            let Some(ended) = endings.recv().await else { break };
            self.ended(&mut state, ended);
        }
        self.end(state, input_over)
    }

    fn begin(&self, ended: mpsc::UnboundedSender<Ended<T, E>>, total: Option<u64>) -> State<I, T, E> {
        let jobs = self.settings.jobs;
        self.settings.observer.observe(&Event::RunStarted { total, jobs });
        let started = Instant::now();
        let observer = Arc::clone(&self.settings.observer);
        State {
            run: Arc::new(RunShared { started: started.into_std(), cancel: self.cancel.clone(), observer }),
            started,
            queue: Queue::new(self.settings.per_key),
            held: None,
            flying: Vec::new(),
            free: Vec::new(),
            running: 0,
            ended,
            pulled: 0,
            report: RunReport { jobs, ..RunReport::default() },
            queued_times: Histogram::default(),
            running_times: Histogram::default(),
        }
    }

    fn end(&self, state: State<I, T, E>, input_over: bool) -> RunReport {
        let report = RunReport {
            stopped: !input_over || state.report.cancelled > 0,
            wall: state.started.elapsed(),
            queued: state.queued_times.percentiles(),
            running: state.running_times.percentiles(),
            ..state.report
        };
        self.settings.observer.observe(&Event::RunFinished { report: &report });
        report
    }

    fn is_closing(&self) -> bool {
        self.cancel.is_cancelled() || self.drain.is_cancelled()
    }

    /// Starts jobs until no slot, no room, or no input is left, or the rate says to wait.
    fn start_all(
        &self,
        state: &mut State<I, T, E>,
        mut inputs: Pin<&mut (impl Stream<Item = (I, Option<Ticket<T, E>>)> + Send)>,
        input_over: &mut bool,
    ) -> Idle {
        while state.running < self.settings.jobs {
            if let Some(pending) = self.next_ready(state) {
                self.start(state, pending);
            } else if state.held.is_some() {
                return Idle::Rate;
            } else if *input_over {
                return Idle::Done;
            } else if !self.room.has_room(state.pulled) {
                return Idle::NoRoom;
            } else {
                match inputs.next().now_or_never() {
                    Some(Some(input)) => self.pull(state, input),
                    Some(None) => *input_over = true,
                    None => return Idle::NoInput,
                }
            }
        }
        Idle::Full
    }

    /// The job whose turn it is, if the rates let it begin now.
    fn next_ready(&self, state: &mut State<I, T, E>) -> Option<Pending<I, T, E>> {
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

    fn pull(&self, state: &mut State<I, T, E>, (input, ticket): (I, Option<Ticket<T, E>>)) {
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

    fn start(&self, state: &mut State<I, T, E>, mut pending: Pending<I, T, E>) {
        if pending.ticket.as_ref().is_some_and(|ticket| !ticket.begin()) {
            state.queue.ended(pending.key.as_ref());
            return self.finish(state, pending, Err(JobError::Cancelled));
        }
        let now = Instant::now();
        let since = now - *pending.started.get_or_insert(now);
        if let Some(limit) = self.settings.deadline.filter(|limit| pending.attempts > 0 && since >= *limit) {
            state.queue.ended(pending.key.as_ref());
            return self.finish(state, pending, Err(JobError::DeadlinePassed(limit)));
        }
        pending.attempts += 1;
        let (job, number) = (pending.job, pending.attempts);
        self.settings.observer.observe(&Event::AttemptStarted { job, label: &pending.label, attempt: number });
        let token = pending.ticket.as_ref().map(Ticket::token);
        let context = Context::new(job, number, Arc::clone(&state.run), token);
        let limit = Limit::of(self.settings.attempt_timeout, self.settings.deadline, since);
        let (work, input, ended) = (Arc::clone(&self.job), pending.input.clone(), state.ended.clone());
        let place = state.take_off(pending);
        tokio::spawn(attempt(place, context, now, limit, move |context| work(context, input), ended));
    }

    fn ended(&self, state: &mut State<I, T, E>, ended: Ended<T, E>) {
        let Ended { place, result, running, advanced, stages } = ended;
        let Some(mut pending) = state.land(place) else { return };
        pending.running += running;
        pending.advanced = advanced;
        pending.stages.extend(stages);
        state.queue.ended(pending.key.as_ref());
        let error = match &result {
            Ok(_) | Err(JobError::Cancelled) => return self.finish(state, pending, result),
            Err(error) => error,
        };
        let now = Instant::now();
        if let (Some(failure), Some(key)) = (error.failure(), &pending.key)
            && let Some(pause) = self.settings.retry.pause(failure)
        {
            // What asks for longer than the clock can tell asks for ever; a day is as good.
            state.queue.pause(key, now + pause.min(Duration::from_secs(24 * 60 * 60)));
            self.settings.observer.observe(&Event::KeyPaused { key, pause });
        }
        let retry_in = self.retry_in(&mut pending, error, now);
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

    /// The wait before the next attempt, if there is to be one.
    fn retry_in(&self, pending: &mut Pending<I, T, E>, error: &JobError<E>, now: Instant) -> Option<Duration> {
        let retry = &self.settings.retry;
        if matches!(error, JobError::Panicked(_) | JobError::DeadlinePassed(_))
            || self.is_closing()
            || pending.ticket.as_ref().is_some_and(|ticket| !ticket.pause())
        {
            return None;
        }
        if retry.resets(pending.advanced, pending.furthest) {
            pending.delays = None;
        }
        let (got, furthest) = (pending.advanced, pending.furthest);
        pending.furthest = (got.0.max(furthest.0), got.1.max(furthest.1));
        let since = pending.started.map_or(Duration::ZERO, |started| now - started);
        let delays = pending.delays.get_or_insert_with(|| retry.delays());
        let wait = retry.next(error.failure(), &mut **delays, since)?;
        self.settings.deadline.is_none_or(|limit| since + wait < limit).then_some(wait)
    }

    fn finish(&self, state: &mut State<I, T, E>, pending: Pending<I, T, E>, result: Result<T, JobError<E>>) {
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
        state.count(&report);
        self.settings.observer.observe(&Event::JobFinished { report: &report });
        if self.settings.stop_after.is_some_and(|most| state.report.failed >= most) {
            self.cancel.cancel();
        }
        match pending.ticket {
            Some(ticket) => ticket.deliver(result),
            // Nobody listens any more when the run was dropped.
            None => drop(self.results.send(Completed { job: report.job, result, report })),
        }
    }
}

impl<I, T, E> State<I, T, E> {
    /// Whether no job waits.
    fn is_idle(&self) -> bool {
        self.queue.is_empty() && self.held.is_none()
    }

    /// Gives a job a place among those in flight.
    fn take_off(&mut self, pending: Pending<I, T, E>) -> usize {
        self.running += 1;
        self.report.peak_in_flight = self.report.peak_in_flight.max(self.running);
        if let Some(place) = self.free.pop() {
            self.flying[place] = Some(pending);
            return place;
        }
        self.flying.push(Some(pending));
        self.flying.len() - 1
    }

    fn land(&mut self, place: usize) -> Option<Pending<I, T, E>> {
        self.running -= 1;
        self.free.push(place);
        self.flying[place].take()
    }

    fn count(&mut self, job: &JobReport) {
        self.report.count(job);
        if job.attempts > 0 {
            self.queued_times.add(job.queued);
            self.running_times.add(job.running);
        }
    }
}

async fn sleep_until(wake: Option<Instant>) {
    match wake {
        Some(wake) => tokio::time::sleep_until(wake).await,
        None => std::future::pending().await,
    }
}
