//! Pulls the inputs of a run when slots come free.

use super::core::{CachePadded, Core, JobSlot};
use super::job::{Job, Ready, Reply};
use super::outcome::after;
use crate::error::JobError;
use crate::event::EventKind;
use crate::inbox::Added;
use crate::report::{JobReport, Outcome};
use crate::scheduler::RunEntry;
use futures_core::Stream;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use tokio::time::Instant;

/// The input of a run.
pub(super) struct InputSource<S> {
    /// `None` once it is over.
    stream: Option<Pin<Box<S>>>,
    /// Wakes the driver, no matter which task polls the stream.
    pub(super) waker: Waker,
}

/// Why no input was pulled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoInput {
    /// None is ready, or none may be pulled.
    Now,
    /// The buffer of results is full, or another slot is pulling. Either may change in a moment.
    YetForAMoment,
}

/// A run: its state, its input and its job.
pub(crate) struct Engine<'p, I, T, E, F, S> {
    pub(crate) core: Arc<Core<'p, I, T, E>>,
    pub(crate) job: F,
    pub(crate) reply: Reply<I, T, E>,
    intake: CachePadded<SourceIntake<S>>,
}

/// What each worker changes when it pulls an input.
struct SourceIntake<S> {
    /// Locked with `try_lock` only: no thread waits while another one pulls.
    source: Mutex<InputSource<S>>,
    /// How many jobs have arrived.
    arrived: AtomicU64,
}

impl<'p, I, T, E, F, S: Stream<Item = I>> Engine<'p, I, T, E, F, S> {
    pub(crate) fn new(core: Arc<Core<'p, I, T, E>>, job: F, inputs: S, reply: Reply<I, T, E>) -> Self {
        let source = InputSource { stream: Some(Box::pin(inputs)), waker: Waker::noop().clone() };
        Self {
            core,
            job,
            reply,
            intake: CachePadded(SourceIntake { source: Mutex::new(source), arrived: AtomicU64::new(0) }),
        }
    }

    fn try_source(&self) -> Option<MutexGuard<'_, InputSource<S>>> {
        match self.intake.0.source.try_lock() {
            Ok(source) => Some(source),
            Err(TryLockError::Poisoned(source)) => Some(source.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    /// Returns the number of the next job to arrive.
    pub(super) fn next_number(&self) -> u64 {
        self.intake.0.arrived.fetch_add(1, SeqCst)
    }

    /// Returns whether every job that arrived has ended. Compares counts: a job that was just pulled is in no table and
    /// has no slot yet.
    pub(super) fn has_ended_all(&self) -> bool {
        let arrived = self.intake.0.arrived.load(SeqCst);
        self.core.stats().report.total() >= arrived
    }

    /// Returns whether the input is over and every job is done.
    pub(super) fn is_done(&self) -> bool {
        let core = &self.core;
        // The order matters: a running job may add another one before it ends.
        core.input_is_over.load(SeqCst) && self.has_ended_all() && core.is_still() && core.inbox.is_done()
    }

    /// Returns the number of inputs, if the input knows it.
    pub(super) fn total(&self) -> Option<u64> {
        if self.core.input_is_over.load(SeqCst) {
            return None;
        }
        let (low, high) = self.try_source()?.stream.as_ref()?.size_hint();
        high.filter(|high| *high == low).map(|total| total as u64)
    }

    /// Registers the waker for further inputs.
    pub(super) fn register(&self, waker: &Waker) {
        if let Some(mut source) = self.try_source() {
            source.waker.clone_from(waker);
        }
    }

    /// Pulls inputs until a job may start.
    ///
    /// The first job gets the `kept` slot, which no other job waits for. If no job takes it, the caller frees it. `limit`
    /// belongs to the kept slot: how many jobs of the run may be in flight.
    pub(super) fn pull(&self, kept: &mut Option<Ready<I, T, E>>, limit: usize) -> Result<Ready<I, T, E>, NoInput> {
        let core = &self.core;
        loop {
            if core.is_closing() || core.input_is_over.load(SeqCst) {
                return Err(NoInput::Now);
            }
            self.may_pull(kept.is_some().then_some(limit))?;
            let source = self.source_soon().or_else(|| {
                // The slot that pulls now sees this when it is done, or is done before the second try.
                core.missed.store(true, SeqCst);
                self.try_source()
            });
            let Some(mut source) = source else { return Err(NoInput::YetForAMoment) };
            let InputSource { stream, waker } = &mut *source;
            let polled = stream.as_mut().map(|stream| stream.as_mut().poll_next(&mut Context::from_waker(waker)));
            let over = if matches!(polled, Some(Poll::Ready(None))) { stream.take() } else { None };
            // Take the number under the lock, so that numbers follow the order of the input.
            let number = if matches!(polled, Some(Poll::Ready(Some(_)))) { self.next_number() } else { 0 };
            drop(source);
            drop(over);
            if core.missed.load(SeqCst) && core.missed.swap(false, SeqCst) {
                core.pool.with(|scheduler| scheduler.wake(core.run));
            }
            match polled {
                Some(Poll::Ready(Some(input))) => {
                    let added = Added { input, parent: None, handle_sender: None };
                    if let Some(ready) = self.admit(number, added, false, kept) {
                        return Ok(ready);
                    }
                }
                Some(Poll::Pending) => return Err(NoInput::Now),
                None | Some(Poll::Ready(None)) => {
                    core.input_is_over.store(true, SeqCst);
                    core.pool.with(|scheduler| {
                        scheduler.input_is_over(core.run);
                        scheduler.wake(core.run);
                    });
                    return Err(NoInput::Now);
                }
            }
        }
    }

    /// Locks the input, spinning for about as long as most inputs take to yield.
    fn source_soon(&self) -> Option<MutexGuard<'_, InputSource<S>>> {
        (0..64).find_map(|_| {
            let source = self.try_source();
            if source.is_none() {
                std::hint::spin_loop();
            }
            source
        })
    }

    /// Checks that a slot is free that no waiting job can use, and that there is room for one more result.
    fn may_pull(&self, kept: Option<usize>) -> Result<(), NoInput> {
        let core = &self.core;
        let vacancy = match kept {
            Some(limit) => Some((0, limit)),
            None => core.pool.with(|scheduler| scheduler.vacancy(core.run)),
        };
        let Some((waiting, limit)) = vacancy else { return Err(NoInput::Now) };
        let buffer = core.policy.buffer.unwrap_or_else(|| limit.saturating_mul(3).clamp(16, 1024));
        // Jobs that are held back by their key leave room to look for others.
        let most = limit.saturating_add(buffer).saturating_add(waiting.min(core.policy.look_ahead)) as u64;
        if core.backpressure.has_room(self.intake.0.arrived.load(SeqCst), most, buffer as u64) {
            return Ok(());
        }
        if waiting > 0 && waiting >= core.policy.look_ahead && !core.held_back.swap(true, SeqCst) {
            let fullest = core.pool.with(|scheduler| scheduler.fullest_key(core.run));
            if let Some((key, jobs)) = fullest {
                core.policy.tell(core.number(), EventKind::HeldBack { key: &key, jobs });
            }
        }
        Err(NoInput::YetForAMoment)
    }

    /// Adds a job to the run. Returns a grant of the run, if there is one, which may be for another job. With more jobs
    /// `to_come` nothing starts yet, so that the most urgent of them starts first.
    pub(super) fn admit(
        &self,
        number: u64,
        added: Added<I>,
        to_come: bool,
        kept: &mut Option<Ready<I, T, E>>,
    ) -> Option<Ready<I, T, E>> {
        let core = &self.core;
        let job = self.job(number, added);
        let location = job.handle_sender.as_ref().map(|sender| Arc::clone(&sender.location));
        if core.is_closing() {
            core.finish(job, Err(JobError::CANCELLED), &self.reply);
            core.pool.with(|scheduler| scheduler.wake(core.run));
            return None;
        }
        if job.key.is_none() && job.priority == 0 && location.is_none() && !to_come {
            let ready = match kept {
                Some(_) => kept.take_if(|_| job.weight == 1),
                None => core.pool.with(|scheduler| scheduler.grant_at_once(core.run, job.weight)).map(Ready::listed),
            };
            if let Some(ready) = ready {
                return Some(Ready { job: Some(job), ..ready });
            }
        }
        if let Some(kept) = &kept {
            core.unlist(&kept.grant);
        }
        let (id, entry) = {
            let mut table = core.table();
            let entry = job.entry(0);
            (table.jobs.insert(JobSlot::Waiting(job)), entry)
        };
        let grant = core.pool.with(|scheduler| {
            if let Some(kept) = kept.take() {
                scheduler.ended(core.run, &kept.grant);
            }
            scheduler.push(core.run, RunEntry { id, ..entry }, false);
            if to_come {
                return None;
            }
            scheduler.dispatch(Some(core.run));
            let grant = scheduler.take(core.run);
            if scheduler.has_granted(core.run) {
                scheduler.wake(core.run);
            }
            grant
        });
        if let Some(location) = location {
            location.settle(id, number);
            if location.aborted.load(SeqCst) {
                core.give_up(id, number, &Reply::Nobody);
            }
        }
        // If the run was closed meanwhile, the driver may have cancelled the waiting jobs before this one waited.
        if core.is_closing() {
            core.give_up(id, number, &self.reply);
            core.pool.with(|scheduler| scheduler.wake(core.run));
        }
        grant.map(Ready::listed)
    }

    /// A job for an input that was added. Keys, labels and priorities are the user's code: no lock is held.
    fn job(&self, number: u64, added: Added<I>) -> Box<Job<I, T, E>> {
        let (core, policy) = (&self.core, &self.core.policy);
        let Added { input, parent, handle_sender } = added;
        let handle_sender = handle_sender
            .and_then(|number| core.handle_senders.lock().unwrap_or_else(PoisonError::into_inner).remove(&number));
        let key = policy.key.as_ref().and_then(|key| key(&input));
        let label = policy.label.as_ref().map(|label| label(&input)).unwrap_or_default();
        let priority = policy.priority.as_ref().map_or(0, |priority| priority(&input));
        let weight = policy.weight.as_ref().map_or(1, |weight| weight(&input).max(1));
        let key = key.map(|key| core.pool.with(|scheduler| scheduler.intern(&key)));
        if parent.is_some() {
            policy.tell(core.number(), EventKind::Spawned { job: number });
        }
        Box::new(Job {
            // Until it begins it counts as stopped.
            report: JobReport::new(number, label, Outcome::Cancelled),
            input: Some(input),
            parent,
            key,
            priority,
            weight,
            handle_sender,
            arrived: Instant::now(),
            started: None,
            failures: None,
            span: None,
        })
    }

    /// Ends each remaining input as cancelled, up to the upper bound of its `size_hint`. Without a bound, one result
    /// stands for all of them.
    pub(super) fn complete(&self) {
        let Some(mut source) = self.try_source() else { return };
        let InputSource { stream: Some(stream), waker } = &mut *source else { return };
        let most = stream.size_hint().1.filter(|most| *most < usize::MAX);
        let mut left = most.unwrap_or(1);
        while left > 0 {
            let Poll::Ready(Some(input)) = stream.as_mut().poll_next(&mut Context::from_waker(waker)) else { return };
            left -= 1;
            self.cancelled(Added { input, parent: None, handle_sender: None });
        }
    }

    /// Adds a job that ends at once as cancelled.
    pub(super) fn cancelled(&self, added: Added<I>) {
        drop(self.admit(self.next_number(), added, true, &mut None));
    }

    /// Returns whether the input was stopped before its end.
    pub(super) fn has_more(&self) -> bool {
        !self.core.input_is_over.load(SeqCst)
    }

    /// Drops the input: it may hold something that others wait for, such as a sender.
    pub(super) fn drop_source(&self) {
        let stream = self.try_source().and_then(|mut source| source.stream.take());
        drop(stream);
    }
}

/// How long pulling may go on before it yields to other tasks of the thread.
pub(super) const LONG: Duration = Duration::from_millis(1);

/// Returns the instant at which the driver wakes, at most as far ahead as tokio's timer looks.
pub(super) fn earliest(first: Option<Instant>, now: Instant) -> Option<Instant> {
    first.map(|at| at.min(after(now, Duration::MAX)))
}
