//! A worker: one task that runs attempts in its slot, one after the other.

use super::attempt::{AttemptLimits, Timer, WatchedAttempt};
use super::job::Ready;
use super::outcome::{AfterAttempt, StartResult};
use super::source::{Engine, NoInput};
use crate::context::Context;
use crate::error::JobError;
use crate::inbox::InboxSender;
use crate::report::JobReport;
use futures_core::Stream;
use futures_util::FutureExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use tokio::time::Instant;

/// A slot and its job. Dropping it frees the slot, so the slot is freed however the worker ends: by a panic, or by being
/// dropped before its first poll.
pub(super) struct HeldSlot<'p, I, T, E, F, S> {
    engine: Arc<Engine<'p, I, T, E, F, S>>,
    ready: Option<Ready<I, T, E>>,
}

impl<'p, I, T, E, F, S> HeldSlot<'p, I, T, E, F, S> {
    pub(super) fn new(engine: &Arc<Engine<'p, I, T, E, F, S>>, ready: Ready<I, T, E>) -> Self {
        Self { engine: Arc::clone(engine), ready: Some(ready) }
    }
}

impl<I, T, E, F, S> Drop for HeldSlot<'_, I, T, E, F, S> {
    fn drop(&mut self) {
        if let Some(Ready { mut grant, job, current }) = self.ready.take() {
            drop(job);
            grant.nested = current.and_then(|current| current.attempt().nested_slot().cloned());
            self.engine.core.released(&grant);
        }
    }
}

/// What a worker does next.
pub(super) enum WorkerStep {
    /// It has a job, or it has freed its slot.
    Done,
    /// It keeps its slot, because an input may arrive in a moment.
    WaitsForAMoment,
}

/// Runs a job, then further jobs in the same slot, until none may start.
#[expect(clippy::manual_async_fn, reason = "an `async fn` keeps its argument twice, in each slot")]
pub(super) fn work<I, T, E, F, S, Fut>(mut held: HeldSlot<'_, I, T, E, F, S>) -> impl Future<Output = ()>
where
    S: Stream<Item = I>,
    F: Fn(Context<I>, I) -> Fut,
    Fut: Future<Output = Result<T, E>>,
{
    async move {
        let mut timer = Timer::default();
        let sender = held.engine.core.inbox.sender();
        while let Some(ready) = &mut held.ready {
            // A panic here did not come from a job. It breaks the run, and the driver rethrows it.
            let run = held.engine.run(ready, &mut timer, &sender);
            let ran = match AssertUnwindSafe(run).catch_unwind().await {
                Ok(ran) => ran,
                Err(panic) => return held.engine.core.break_down(panic),
            };
            let mut turned = catch_unwind(AssertUnwindSafe(|| held.engine.turn(&mut held.ready, ran)));
            // Yielding costs less than ending this task and spawning another.
            for left in (0..8).rev() {
                if !matches!(turned, Ok(WorkerStep::WaitsForAMoment)) {
                    break;
                }
                tokio::task::yield_now().await;
                turned = catch_unwind(AssertUnwindSafe(|| held.engine.go_on(&mut held.ready, left == 0)));
            }
            if let Err(panic) = turned {
                return held.engine.core.break_down(panic);
            }
            // Jobs that never wait must not starve the other tasks of the runtime.
            tokio::task::consume_budget().await;
        }
    }
}

impl<I, T, E, F, S, Fut> Engine<'_, I, T, E, F, S>
where
    S: Stream<Item = I>,
    F: Fn(Context<I>, I) -> Fut,
    Fut: Future<Output = Result<T, E>>,
{
    /// Runs one attempt of a job, and waits for all the work that it started.
    #[expect(clippy::manual_async_fn, reason = "an `async fn` keeps its arguments twice, in each slot")]
    pub(super) fn run<'a>(
        &'a self,
        ready: &'a mut Ready<I, T, E>,
        timer: &'a mut Timer,
        sender: &'a InboxSender<I>,
    ) -> impl Future<Output = Option<AfterAttempt<I, T, E>>> {
        async move {
            let (mut job, context, started) = match self.start(ready)? {
                Ok(started) => started,
                Err((mut job, error)) => {
                    let result = self.core.conclude(&mut job, Err(error));
                    return Some(AfterAttempt::Over(job, result));
                }
            };
            let input = match self.core.input(&mut job)? {
                Ok(input) => input,
                Err(error) => return Some(self.core.ended(&ready.grant, job, &context, started, Err(error))),
            };
            let JobReport { job: number, label, attempts, .. } = &job.report;
            let core = &self.core;
            let span = job.span.get_or_insert_with(|| core.shared.span.job(core.number(), *number, label));
            let span = span.attempt(*attempts);
            let (result, started) = {
                let first = job.started.unwrap_or(started);
                let limits = AttemptLimits { policy: &self.core.policy.time_limits, started, first };
                let cx = Context::new(context.clone(), sender.clone());
                span.within(|| WatchedAttempt::new(&context, limits, timer, || (self.job)(cx, input)))
            }
            .await;
            let result = match context.end() {
                None => result,
                // It is rare, and in a box it takes no memory of the others.
                Some(elsewhere) => {
                    Box::pin(async move {
                        elsewhere.wait().await;
                        result
                    })
                    .await
                }
            };
            ready.grant.nested = context.nested_slot().cloned();
            span.end(result.as_ref().err().map_or("succeeded", JobError::word));
            Some(self.core.ended(&ready.grant, job, &context, started, result))
        }
    }

    /// Starts an attempt of the worker's job. Returns when it started.
    fn start(&self, ready: &mut Ready<I, T, E>) -> Option<StartResult<I, T, E>> {
        let job = ready.job.take();
        // A job that was just pulled for this slot starts at its arrival: one clock read less.
        let pulled = job.as_ref().filter(|_| ready.current.is_some());
        let started = pulled.map_or_else(Instant::now, |job| job.arrived);
        let job = job.or_else(|| self.core.take_granted(ready.grant.id))?;
        Some(self.core.start(ready, job, started))
    }

    /// Delivers the result, then takes the next job or frees the slot.
    ///
    /// The input, a policy or the destructor of a result may panic here. The owner of `held` then frees the slot.
    pub(super) fn turn(&self, held: &mut Option<Ready<I, T, E>>, ran: Option<AfterAttempt<I, T, E>>) -> WorkerStep {
        let core = &self.core;
        let Some(Ready { grant, .. }) = held else { return WorkerStep::Done };
        let over = match ran {
            Some(AfterAttempt::Again) => {
                *held = self.next(held, true);
                return WorkerStep::Done;
            }
            Some(AfterAttempt::Over(job, result)) => Some((job, result)),
            None => None,
        };
        let is_kept = !core.is_closing() && core.pool.keeps(grant).is_some();
        if !is_kept {
            *held = self.next(held, false);
        }
        if let Some((job, result)) = over {
            self.reply.deliver(job, result);
        }
        if is_kept { self.go_on(held, false) } else { WorkerStep::Done }
    }

    /// Pulls an input for a kept slot, or frees the slot. Keeps it once more if an input may arrive in a moment, unless
    /// this is the `last` try.
    fn go_on(&self, held: &mut Option<Ready<I, T, E>>, last: bool) -> WorkerStep {
        let limit = held.as_ref().and_then(|ready| self.core.pool.keeps(&ready.grant));
        let pulled = limit.map_or(Err(NoInput::Now), |limit| self.pull(held, limit));
        *held = match pulled {
            Ok(ready) => Some(ready),
            Err(NoInput::YetForAMoment) if !last && held.is_some() => return WorkerStep::WaitsForAMoment,
            Err(_) => self.next(held, false),
        };
        WorkerStep::Done
    }

    /// Frees the slot, if it is still held, and takes the next job that may start. A job that `waits` for its next attempt
    /// stays in the table.
    fn next(&self, held: &mut Option<Ready<I, T, E>>, waits: bool) -> Option<Ready<I, T, E>> {
        let core = &self.core;
        let held = held.take();
        if let Some(Ready { grant, .. }) = held.as_ref().filter(|_| !waits) {
            core.unlist(grant);
        }
        let is_open = !core.is_closing();
        let (next, is_vacant) = core.pool.with(|scheduler| {
            if let Some(Ready { grant, .. }) = &held {
                scheduler.ended(core.run, grant);
                if !waits {
                    scheduler.release_key(grant.key);
                }
            }
            scheduler.dispatch(Some(core.run));
            let next = scheduler.take(core.run);
            if waits || scheduler.has_granted(core.run) {
                scheduler.wake(core.run);
            }
            let is_vacant = is_open && scheduler.vacancy(core.run).is_some();
            // Either another run shares the pool and the driver pulls one input ahead, or a heavy job freed several slots.
            let was_heavy = held.as_ref().is_some_and(|held| held.grant.weight() > 1);
            if is_vacant && (next.is_some() || was_heavy) {
                scheduler.wake(core.run);
            }
            (next, is_vacant)
        });
        let mut next = next.map(Ready::listed);
        if is_vacant && next.is_none() {
            next = self.pull(&mut None, 0).ok();
        }
        if next.is_none() {
            core.pool.with(|scheduler| {
                scheduler.wake(core.run);
                scheduler.wake_hungry();
            });
            core.pool.freed.notify_one();
        }
        next
    }
}
