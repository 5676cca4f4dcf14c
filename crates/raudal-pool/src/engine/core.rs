//! The state of a run: its jobs, its counts, its phase.

use super::job::{Current, HandleSender, Job, lock};
use crate::attempt::{Attempt, RunShared};
use crate::backpressure::Backpressure;
use crate::event::EventKind;
use crate::histogram::Histogram;
use crate::inbox::{Added, Inbox};
use crate::permits::Permits;
use crate::policy::Policy;
use crate::pool::{Pool, PoolShared};
use crate::report::RunReport;
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

/// The phase of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd)]
#[repr(u8)]
pub(crate) enum Phase {
    Open = 0,
    /// Nothing new starts; running jobs finish.
    Draining = 1,
    /// Running jobs are cancelled.
    Cancelled = 2,
}

pub(super) enum JobSlot<I, T, E> {
    /// The job waits, or was granted a slot and has not started.
    Waiting(Box<Job<I, T, E>>),
    /// A worker has taken it and is about to start an attempt.
    Starting,
    /// The job runs. Its worker keeps the current job and attempt here.
    Running(Arc<Current>),
}

pub(super) struct JobTable<I, T, E> {
    pub(super) jobs: Slab<JobSlot<I, T, E>>,
}

/// A value that is written for every job. It has its own cache lines, so that it does not slow down its neighbours.
#[repr(align(128))]
pub(super) struct CachePadded<T>(pub(super) T);

/// The counts of a run.
pub(super) struct EngineStats {
    pub(super) report: RunReport,
    pub(super) queued: Histogram,
    pub(super) running: Histogram,
}

pub(crate) struct Core<'p, I, T, E> {
    pub(crate) pool: Arc<PoolShared>,
    /// The run's place in the scheduler.
    pub(crate) run: RunId,
    pub(crate) policy: Policy<'p, I, E>,
    pub(crate) shared: Arc<RunShared>,
    pub(crate) backpressure: Backpressure,
    pub(crate) inbox: Arc<Inbox<I>>,
    pub(super) handle_senders: Mutex<HashMap<u64, HandleSender<T, E>>>,
    pub(super) table: Mutex<JobTable<I, T, E>>,
    stats: CachePadded<Mutex<EngineStats>>,
    pub(super) cancel: CancellationToken,
    pub(super) drain: CancellationToken,
    phase: AtomicU8,
    /// A panic in the input, an observer or a policy, which ends the run.
    broken: Mutex<Option<Box<dyn Any + Send>>>,
    broke: AtomicBool,
    pub(super) held_back: AtomicBool,
    next_handle_sender: AtomicU64,
    /// A slot tried to pull an input while another one was pulling.
    pub(super) missed: AtomicBool,
    pub(super) input_is_over: AtomicBool,
}

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
        let stats = EngineStats {
            report: RunReport { jobs, ..RunReport::default() },
            queued: Histogram::default(),
            running: Histogram::default(),
        };
        Self {
            run,
            shared: Arc::new(shared),
            backpressure: Backpressure::new(),
            inbox: Inbox::new(open),
            handle_senders: Mutex::default(),
            table: Mutex::new(JobTable { jobs: Slab::new() }),
            stats: CachePadded(Mutex::new(stats)),
            cancel: CancellationToken::new(),
            drain: CancellationToken::new(),
            phase: AtomicU8::new(Phase::Open as u8),
            broken: Mutex::default(),
            broke: AtomicBool::new(false),
            held_back: AtomicBool::new(false),
            next_handle_sender: AtomicU64::new(0),
            missed: AtomicBool::new(false),
            // A run of single jobs has no input.
            input_is_over: AtomicBool::new(!has_input),
            pool,
            policy,
        }
    }

    pub(super) fn table(&self) -> MutexGuard<'_, JobTable<I, T, E>> {
        lock(&self.table)
    }

    pub(super) fn stats(&self) -> MutexGuard<'_, EngineStats> {
        lock(&self.stats.0)
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

    /// Returns whether nothing more may start. Asks the tokens too: the driver may not have seen them yet.
    pub(crate) fn is_closing(&self) -> bool {
        let mut tokens = self.policy.cancel.iter().chain(&self.policy.drain);
        self.phase() != Phase::Open || tokens.any(CancellationToken::is_cancelled)
    }

    /// Cancels the run. Nothing starts from here on; the driver ends what is left.
    pub(crate) fn cancel_run(&self) {
        self.close(Phase::Cancelled);
        self.cancel.cancel();
    }

    /// Drains the run. Nothing starts from here on; the driver ends what is left.
    pub(crate) fn drain_run(&self) {
        self.close(Phase::Draining);
        self.drain.cancel();
    }

    /// Adds a single job with the sender for its result. Returns both if the run takes no more.
    pub(crate) fn add(&self, input: I, handle_sender: HandleSender<T, E>) -> Result<(), (I, HandleSender<T, E>)> {
        let number = self.next_handle_sender.fetch_add(1, SeqCst);
        lock(&self.handle_senders).insert(number, handle_sender);
        self.inbox.add(Added { input, parent: None, handle_sender: Some(number) }).map_err(|added| {
            let handle_sender = lock(&self.handle_senders).remove(&number);
            // The job was not added, so nobody has taken its sender.
            (added.input, handle_sender.unwrap_or_else(|| unreachable!("the sender was put there just now")))
        })
    }

    /// Tells the observer that the run starts.
    pub(crate) fn begin(&self, total: Option<u64>) {
        let jobs = self.stats().report.jobs;
        self.policy.tell(self.number(), EventKind::RunStarted { total, jobs });
        if !self.policy.sizes.is_empty() {
            self.policy.tell(self.number(), EventKind::Sizes { bytes: &self.policy.sizes });
        }
    }

    /// Stops the run from starting jobs. `give_up_all` then ends the waiting ones.
    pub(crate) fn close(&self, phase: Phase) {
        self.phase.fetch_max(phase as u8, SeqCst);
        if phase == Phase::Cancelled {
            let running: Vec<Attempt> = self
                .table()
                .jobs
                .iter()
                .filter_map(|(_, slot)| match slot {
                    JobSlot::Running(current) => Some(current.attempt()),
                    _ => None,
                })
                .collect();
            running.iter().for_each(Attempt::cancel);
        }
    }

    /// Times out all attempts that have passed their limit.
    pub(super) fn time_out(&self, now: Instant) {
        let timeouts = &self.shared.timeouts;
        if !timeouts.is_due(now) {
            return;
        }
        let now = timeouts.at(now);
        let mut late = Vec::new();
        for (_, slot) in &self.table().jobs {
            let JobSlot::Running(current) = slot else { continue };
            let attempt = current.attempt();
            match attempt.limit() {
                Some(at) if at <= now => late.push(attempt),
                Some(at) => timeouts.keep(at),
                None => {}
            }
        }
        late.iter().for_each(Attempt::time_out);
    }

    /// Ends the run with a panic that did not come from a job. The caller that waits for the run rethrows it.
    pub(crate) fn break_down(&self, panic: Box<dyn Any + Send>) {
        self.broke.store(true, SeqCst);
        lock(&self.broken).get_or_insert(panic);
        self.cancel_run();
        self.pool.with(|scheduler| scheduler.wake(self.run));
    }

    /// Takes the panic that broke the run.
    pub(crate) fn broken(&self) -> Option<Box<dyn Any + Send>> {
        lock(&self.broken).take()
    }

    pub(crate) fn is_broken(&self) -> bool {
        self.broke.load(SeqCst)
    }

    /// Returns whether no job is in flight.
    pub(crate) fn is_still(&self) -> bool {
        self.pool.with(|scheduler| scheduler.run_slots(self.run).1) == 0
    }

    /// Returns the counts so far.
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

    /// Returns how many jobs wait and how many run.
    pub(crate) fn counts(&self) -> (usize, usize) {
        let (waiting, running) =
            self.pool.with(|scheduler| (scheduler.waiting_of(self.run), scheduler.run_slots(self.run).1));
        (waiting + self.inbox.len(), running)
    }

    /// Removes a waiting job from the table.
    pub(super) fn take(&self, id: usize) -> Option<Box<Job<I, T, E>>> {
        match self.table().jobs.try_remove(id)? {
            JobSlot::Waiting(job) => Some(job),
            _ => None,
        }
    }

    /// Takes a granted job and keeps its place in the table.
    pub(super) fn take_granted(&self, id: usize) -> Option<Box<Job<I, T, E>>> {
        match std::mem::replace(self.table().jobs.get_mut(id)?, JobSlot::Starting) {
            JobSlot::Waiting(job) => Some(job),
            _ => None,
        }
    }

    /// Enters a job in the table as running, in its old place if it has one.
    pub(super) fn list(&self, grant: &mut Grant, attempt: Attempt) -> Arc<Current> {
        let current = Arc::new(Current::new(attempt));
        let running = JobSlot::Running(Arc::clone(&current));
        let mut table = self.table();
        match table.jobs.get_mut(grant.id) {
            Some(slot) => *slot = running,
            None => grant.id = table.jobs.insert(running),
        }
        current
    }

    /// Removes a job that has left its slot from the table.
    pub(super) fn unlist(&self, grant: &Grant) {
        let left = self.table().jobs.try_remove(grant.id);
        drop(left);
    }

    /// Frees the slot of a job without starting another one in it.
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

    /// A job of the same pool waits for this run: lets one job of the run use its slot.
    pub(crate) fn offer_slot(&self, attempt: &Attempt) {
        if Arc::ptr_eq(&attempt.permits().pool, &self.pool) {
            self.pool.with(|scheduler| {
                scheduler.offer_slot(self.run, attempt.offered_slot());
                scheduler.dispatch(None);
            });
        }
    }

    /// Drops the waiting jobs after the driver is gone. Their handles see that their senders were dropped.
    pub(super) fn abandon(&self) {
        self.close(Phase::Cancelled);
        drop(self.pool.with(|scheduler| scheduler.close(self.run)));
        let jobs = std::mem::take(&mut self.table().jobs);
        let handle_senders = std::mem::take(&mut *lock(&self.handle_senders));
        drop((jobs, handle_senders));
        while self.inbox.take().is_some() || !self.inbox.end() {}
    }
}

impl<I, T, E> Drop for Core<'_, I, T, E> {
    fn drop(&mut self) {
        drop(self.pool.with(|scheduler| scheduler.remove_run(self.run)));
    }
}
