//! The state of a run: its jobs, its counts, how it ends.

use super::job::{Current, Job, Reply, Ticket, lock};
use crate::context::{Attempt, RunShared};
use crate::event::EventKind;
use crate::histogram::Histogram;
use crate::inbox::{Added, Inbox};
use crate::permits::Permits;
use crate::policy::Policy;
use crate::pool::{Pool, Shared};
use crate::report::RunReport;
use crate::room::Room;
use crate::scheduler::{Grant, RunId};
use crate::timeouts::Timeouts;
use crate::trace::Span;
use slab::Slab;
use std::any::Any;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// How far a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd)]
#[repr(u8)]
pub(crate) enum Phase {
    Open = 0,
    /// Nothing new begins, and what runs comes to its end.
    Draining = 1,
    /// What runs is told to end.
    Cancelled = 2,
}

pub(super) enum Slot<I, T, E> {
    /// The job waits, or was granted and has not begun.
    Waiting(Box<Job<I, T, E>>),
    /// A worker has it, and is about to begin an attempt.
    Starting,
    /// The job runs: its worker has it, and says which one it is.
    Running(Arc<Current>),
}

pub(super) struct Table<I, T, E> {
    pub(super) jobs: Slab<Slot<I, T, E>>,
}

/// What is counted of a run. On cache lines of its own: it is written for each job.
#[repr(align(128))]
pub(super) struct Stats {
    pub(super) report: RunReport,
    pub(super) queued: Histogram,
    pub(super) running: Histogram,
}

pub(crate) struct Core<'p, I, T, E> {
    pub(crate) pool: Arc<Shared>,
    /// The run's place in the scheduler.
    pub(crate) run: RunId,
    pub(crate) policy: Policy<'p, I, E>,
    pub(crate) shared: Arc<RunShared>,
    pub(crate) room: Room,
    pub(crate) inbox: Arc<Inbox<I>>,
    pub(super) tickets: Mutex<HashMap<u64, Ticket<T, E>>>,
    pub(super) table: Mutex<Table<I, T, E>>,
    stats: Mutex<Stats>,
    pub(super) cancel: CancellationToken,
    pub(super) drain: CancellationToken,
    phase: AtomicU8,
    /// A panic of the input, of an observer or of a policy, which is the run's own.
    broken: Mutex<Option<Box<dyn Any + Send>>>,
    broke: AtomicBool,
    pub(super) held_back: AtomicBool,
    next_ticket: AtomicU64,
    /// Somebody wanted to pull an input while another one did.
    pub(super) missed: AtomicBool,
    pub(super) input_is_over: AtomicBool,
    pub(super) arrived: Arrived,
}

/// How many jobs have arrived. On a cache line of its own: it is written for each job.
#[repr(align(128))]
pub(super) struct Arrived(pub(super) AtomicU64);

impl<'p, I, T, E> Core<'p, I, T, E> {
    pub(crate) fn new(pool: &Pool, policy: Policy<'p, I, E>, has_input: bool, open: bool) -> Self {
        static RUNS: AtomicU64 = AtomicU64::new(0);
        let pool = Arc::clone(&pool.shared);
        let (run, jobs) = pool.with(|scheduler| {
            let run = scheduler.add_run(policy.limit, has_input);
            (run, scheduler.run_slots(run).0)
        });
        let started = Instant::now();
        let shared = RunShared {
            run: RUNS.fetch_add(1, SeqCst) + 1,
            started,
            timeouts: Timeouts::new(started),
            observer: policy.observer.clone(),
            permits: Permits { pool: Arc::clone(&pool) },
            cancel: policy.cancel.clone(),
            span: Span::current(),
        };
        let stats = Stats {
            report: RunReport { jobs, ..RunReport::default() },
            queued: Histogram::default(),
            running: Histogram::default(),
        };
        Self {
            run,
            shared: Arc::new(shared),
            room: Room::new(),
            inbox: Inbox::new(open),
            tickets: Mutex::default(),
            table: Mutex::new(Table { jobs: Slab::new() }),
            stats: Mutex::new(stats),
            cancel: CancellationToken::new(),
            drain: CancellationToken::new(),
            phase: AtomicU8::new(Phase::Open as u8),
            broken: Mutex::default(),
            broke: AtomicBool::new(false),
            held_back: AtomicBool::new(false),
            next_ticket: AtomicU64::new(0),
            missed: AtomicBool::new(false),
            // Jobs that come one by one are no input.
            input_is_over: AtomicBool::new(!has_input),
            arrived: Arrived(AtomicU64::new(0)),
            pool,
            policy,
        }
    }

    pub(super) fn table(&self) -> MutexGuard<'_, Table<I, T, E>> {
        lock(&self.table)
    }

    pub(super) fn stats(&self) -> MutexGuard<'_, Stats> {
        lock(&self.stats)
    }

    pub(crate) fn number(&self) -> u64 {
        self.shared.run
    }

    pub(crate) fn phase(&self) -> Phase {
        match self.phase.load(SeqCst) {
            0 => Phase::Open,
            1 => Phase::Draining,
            _ => Phase::Cancelled,
        }
    }

    /// Whether nothing may begin any more. The driver may not have seen yet that a token was cancelled.
    pub(crate) fn is_closing(&self) -> bool {
        let mut tokens = self.policy.cancel.iter().chain(&self.policy.drain);
        self.phase() != Phase::Open || tokens.any(CancellationToken::is_cancelled)
    }

    /// Cancels the run. Nothing begins from here on; the driver does the rest.
    pub(crate) fn cancel_run(&self) {
        self.close(Phase::Cancelled);
        self.cancel.cancel();
    }

    /// Drains the run. Nothing begins from here on; the driver does the rest.
    pub(crate) fn drain_run(&self) {
        self.close(Phase::Draining);
        self.drain.cancel();
    }

    /// Adds a job from outside, with whom to tell.
    pub(crate) fn add(&self, input: I, ticket: Ticket<T, E>) -> Result<(), (I, Ticket<T, E>)> {
        let number = self.next_ticket.fetch_add(1, SeqCst);
        lock(&self.tickets).insert(number, ticket);
        self.inbox.add(Added { input, parent: None, ticket: Some(number) }).map_err(|added| {
            let ticket = lock(&self.tickets).remove(&number);
            // Nobody else has taken it: the job was not added.
            (added.input, ticket.unwrap_or_else(|| unreachable!("the ticket was put there just now")))
        })
    }

    /// The number of the next job that arrives.
    pub(super) fn next_number(&self) -> u64 {
        self.arrived.0.fetch_add(1, SeqCst)
    }

    /// Tells the observer that the run begins.
    pub(crate) fn begin(&self, total: Option<u64>) {
        let jobs = self.stats().report.jobs;
        self.policy.tell(self.number(), EventKind::RunStarted { total, jobs });
    }

    /// Begins to close the run: nothing begins any more. What waits is left to be given up.
    pub(crate) fn close(&self, phase: Phase) {
        self.phase.fetch_max(phase as u8, SeqCst);
        if phase == Phase::Cancelled {
            let running: Vec<Attempt> = self
                .table()
                .jobs
                .iter()
                .filter_map(|(_, slot)| match slot {
                    Slot::Running(current) => Some(current.attempt().1),
                    _ => None,
                })
                .collect();
            running.iter().for_each(Attempt::cancel);
        }
    }

    /// Tells all attempts that are out of time, if one may be.
    pub(super) fn time_out(&self, now: Instant) {
        let timeouts = &self.shared.timeouts;
        if !timeouts.is_due(now) {
            return;
        }
        let now = timeouts.at(now);
        let mut late = Vec::new();
        for (_, slot) in &self.table().jobs {
            let Slot::Running(current) = slot else { continue };
            let (_, attempt) = current.attempt();
            match attempt.limit() {
                Some(at) if at <= now => late.push(attempt),
                Some(at) => timeouts.keep(at),
                None => {}
            }
        }
        late.iter().for_each(Attempt::time_out);
    }

    /// Ends the run by a panic that no job is to blame for; whoever waits for the run panics with it.
    pub(crate) fn break_down(&self, panic: Box<dyn Any + Send>) {
        self.broke.store(true, SeqCst);
        lock(&self.broken).get_or_insert(panic);
        self.cancel_run();
        self.pool.with(|scheduler| scheduler.wake(self.run));
    }

    /// The panic that broke the run.
    pub(crate) fn broken(&self) -> Option<Box<dyn Any + Send>> {
        lock(&self.broken).take()
    }

    pub(crate) fn is_broken(&self) -> bool {
        self.broke.load(SeqCst)
    }

    /// Whether nothing of the run is in flight.
    pub(crate) fn is_still(&self) -> bool {
        self.pool.with(|scheduler| scheduler.run_slots(self.run).1) == 0
    }

    /// Whether each job that has arrived has come to its end. One that was pulled just now is in no table and has no
    /// slot yet: only the counts know of it.
    pub(super) fn has_ended_all(&self) -> bool {
        let arrived = self.arrived.0.load(SeqCst);
        self.stats().report.total() >= arrived
    }

    /// Whether all that there was is done.
    pub(crate) fn is_done(&self) -> bool {
        // In this order: a job that runs may add another one before it ends.
        self.input_is_over.load(SeqCst) && self.has_ended_all() && self.is_still() && self.inbox.is_done()
    }

    /// What the counts say now.
    pub(crate) fn report(&self) -> RunReport {
        let peak = self.pool.with(|scheduler| scheduler.peak_of(self.run));
        let stats = self.stats();
        RunReport {
            wall: self.shared.started.elapsed(),
            queued: stats.queued.percentiles(),
            running: stats.running.percentiles(),
            peak_in_flight: peak,
            ..stats.report.clone()
        }
    }

    /// How many jobs wait, and how many run.
    pub(crate) fn counts(&self) -> (usize, usize) {
        let (waiting, running) =
            self.pool.with(|scheduler| (scheduler.waiting_of(self.run), scheduler.run_slots(self.run).1));
        (waiting + self.inbox.len(), running)
    }

    /// Takes a job out of the table that waits there.
    pub(super) fn take(&self, id: usize) -> Option<Box<Job<I, T, E>>> {
        match self.table().jobs.try_remove(id)? {
            Slot::Waiting(job) => Some(job),
            _ => None,
        }
    }

    /// Takes a job that was granted. Its place in the table stays.
    pub(super) fn take_granted(&self, id: usize) -> Option<Box<Job<I, T, E>>> {
        match std::mem::replace(self.table().jobs.get_mut(id)?, Slot::Starting) {
            Slot::Waiting(job) => Some(job),
            _ => None,
        }
    }

    /// Lists a job as running, in the place that it had if it had one.
    pub(super) fn list(&self, grant: &mut Grant, job: u64, attempt: &Attempt) -> Arc<Current> {
        let current = Arc::new(Current::new(job, attempt));
        let running = Slot::Running(Arc::clone(&current));
        let mut table = self.table();
        match table.jobs.get_mut(grant.id) {
            Some(slot) => *slot = running,
            None => grant.id = table.jobs.insert(running),
        }
        current
    }

    /// Takes out of the table what has left its slot.
    pub(super) fn unlist(&self, grant: &Grant) {
        let left = self.table().jobs.try_remove(grant.id);
        drop(left);
    }

    /// The slot of a job is free again, and the run is not to go on.
    pub(super) fn released(&self, grant: &Grant) {
        self.unlist(grant);
        self.pool.with(|scheduler| {
            scheduler.ended(self.run, grant);
            scheduler.release_key(grant.key);
            scheduler.dispatch(None);
            scheduler.wake(self.run);
            scheduler.wake_hungry();
        });
        self.pool.freed.notify_one();
    }

    /// A job of the same pool waits for this run: one job may use its slot meanwhile.
    pub(crate) fn lend(&self, attempt: &Attempt) {
        if Arc::ptr_eq(&attempt.permits().pool, &self.pool) {
            self.pool.with(|scheduler| {
                scheduler.lend_to(self.run, attempt.loan());
                scheduler.dispatch(None);
            });
        }
    }

    /// Nobody drives the run any more: what waits is dropped, and whoever waits for it is told by that.
    pub(super) fn abandon(&self) {
        self.close(Phase::Cancelled);
        drop(self.pool.with(|scheduler| scheduler.close(self.run)));
        let jobs = std::mem::take(&mut self.table().jobs);
        let tickets = std::mem::take(&mut *lock(&self.tickets));
        drop((jobs, tickets));
        while self.inbox.take().is_some() || !self.inbox.end() {}
    }
}

impl<I, T, E> Drop for Core<'_, I, T, E> {
    fn drop(&mut self) {
        self.pool.with(|scheduler| scheduler.remove_run(self.run));
    }
}

/// A run, whatever its types are: for handles and for controls.
pub(crate) trait RunHandle: Send + Sync {
    /// The job at this place of the table is not wanted any more.
    fn abort(&self, id: usize, number: u64);
    /// Something in the inbox is not wanted any more.
    fn wake(&self);
    /// A job of the same pool waits for this run: one job may use its slot meanwhile.
    fn lend(&self, attempt: &Attempt);
    /// Whether a panic that no job is to blame for ended the run.
    fn has_broken_down(&self) -> bool;
    fn set_paused(&self, paused: bool);
    fn set_limit(&self, jobs: usize);
    fn cancel(&self);
    fn drain(&self);
    /// How many jobs wait, and how many run.
    fn counts(&self) -> (usize, usize);
}

impl<I, T, E> RunHandle for Core<'_, I, T, E>
where
    I: Send,
    T: Send,
    E: Send,
{
    fn abort(&self, id: usize, number: u64) {
        let running = match self.table().jobs.get(id) {
            Some(Slot::Running(current)) => Some(current.attempt()),
            _ => None,
        };
        match running {
            Some((job, attempt)) if job == number => attempt.cancel(),
            _ => self.give_up(id, number, &Reply::Nobody),
        }
    }

    fn wake(&self) {
        self.pool.with(|scheduler| scheduler.wake(self.run));
    }

    fn lend(&self, attempt: &Attempt) {
        Self::lend(self, attempt);
    }

    fn has_broken_down(&self) -> bool {
        self.broke.load(SeqCst)
    }

    fn set_paused(&self, paused: bool) {
        self.pool.with(|scheduler| {
            scheduler.pause_run(self.run, paused);
            scheduler.dispatch(None);
        });
    }

    fn set_limit(&self, jobs: usize) {
        self.pool.with(|scheduler| {
            scheduler.set_run_limit(self.run, jobs.max(1));
            scheduler.dispatch(None);
        });
    }

    fn cancel(&self) {
        self.cancel_run();
    }

    fn drain(&self) {
        self.drain_run();
    }

    fn counts(&self) -> (usize, usize) {
        Self::counts(self)
    }
}
