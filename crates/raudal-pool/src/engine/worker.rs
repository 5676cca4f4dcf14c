//! A slot at work: attempts, one after the other, as one task.

use super::attempt::{Limit, Limits, Timer, attempt};
use super::job::{Job, Ready};
use super::outcome::{Ended, Next};
use super::source::{Engine, NoInput};
use crate::context::Context;
use crate::error::{JobError, panic_message};
use futures_core::Stream;
use futures_util::FutureExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use tokio::time::Instant;

/// A slot, and the job that has it. The slot is given back however its worker ends: also when the worker panics, or is
/// dropped, even before it was polled.
pub(super) struct Held<'p, I, T, E, F, S> {
    engine: Arc<Engine<'p, I, T, E, F, S>>,
    ready: Option<Ready<I, T, E>>,
}

impl<'p, I, T, E, F, S> Held<'p, I, T, E, F, S> {
    pub(super) fn new(engine: &Arc<Engine<'p, I, T, E, F, S>>, ready: Ready<I, T, E>) -> Self {
        Self { engine: Arc::clone(engine), ready: Some(ready) }
    }
}

impl<I, T, E, F, S> Drop for Held<'_, I, T, E, F, S> {
    fn drop(&mut self) {
        if let Some(Ready { mut grant, job, current }) = self.ready.take() {
            drop(job);
            grant.lends = current.and_then(|current| current.attempt().1.lent().cloned());
            self.engine.core.released(&grant);
        }
    }
}

/// What a slot does next.
pub(super) enum Turn {
    /// It has a job, or was given back.
    Done,
    /// It was kept: an input may be there in a moment.
    WaitsForAMoment,
}

/// Runs this job, and then whatever may begin in its place, until there is nothing.
pub(super) async fn work<I, T, E, F, S, Fut>(mut held: Held<'_, I, T, E, F, S>)
where
    S: Stream<Item = I>,
    F: Fn(Context<I>, I) -> Fut,
    Fut: Future<Output = Result<T, E>>,
{
    let mut timer = Timer::default();
    let engine = Arc::clone(&held.engine);
    let mut is_first = true;
    while let Some(ready) = &mut held.ready {
        let job = ready.job.take();
        // A job that was pulled just now begins now.
        let now = job.as_ref().filter(|_| !is_first).map(|job| job.arrived);
        is_first = false;
        // A panic in there is not that of a job: it is the run's, and the driver's to tell.
        let run = engine.run(ready, job, now.unwrap_or_else(Instant::now), &mut timer);
        let ran = match AssertUnwindSafe(run).catch_unwind().await {
            Ok(ran) => ran,
            Err(panic) => return engine.core.break_down(panic),
        };
        let mut turned = catch_unwind(AssertUnwindSafe(|| engine.turn(&mut held.ready, ran)));
        // A task that ends, for another one to be made in its place, costs more than one that lets others go first.
        for left in (0..8).rev() {
            if !matches!(turned, Ok(Turn::WaitsForAMoment)) {
                break;
            }
            tokio::task::yield_now().await;
            turned = catch_unwind(AssertUnwindSafe(|| engine.go_on(&mut held.ready, left == 0)));
        }
        if let Err(panic) = turned {
            return engine.core.break_down(panic);
        }
        // Jobs that are never kept waiting must not keep all others of the runtime waiting.
        tokio::task::consume_budget().await;
    }
}

impl<I, T, E, F, S, Fut> Engine<'_, I, T, E, F, S>
where
    S: Stream<Item = I>,
    F: Fn(Context<I>, I) -> Fut,
    Fut: Future<Output = Result<T, E>>,
{
    /// Runs one attempt of a job.
    pub(super) async fn run(
        &self,
        ready: &mut Ready<I, T, E>,
        job: Option<Box<Job<I, T, E>>>,
        started: Instant,
        timer: &mut Timer,
    ) -> Option<Next<I, T, E>> {
        let core = &self.core;
        let job = job.or_else(|| core.take_granted(ready.grant.id))?;
        let (mut job, context) = match core.start(&ready.grant, job, started) {
            Ok(started) => started,
            Err((job, error)) => return Some(Next::Over(core.conclude(job, Err(error)))),
        };
        core.enter(ready, &job, &context);
        let grant = &mut ready.grant;
        let input = match core.policy.copy {
            // What the user's `Clone` does is the job's affair.
            Some(copy) => job.input.as_ref().map(|input| catch_unwind(AssertUnwindSafe(|| copy(input)))),
            None => job.input.take().map(Ok),
        };
        let input = match input? {
            Ok(input) => input,
            Err(panic) => {
                let result = Err(JobError::Panicked(panic_message(&*panic)));
                let ended = Ended {
                    result,
                    at: started,
                    running: std::time::Duration::ZERO,
                    advanced: (0, 0),
                    stages: Vec::new(),
                };
                return Some(core.ended(grant, job, ended));
            }
        };
        let since = job.started.map_or(std::time::Duration::ZERO, |first| started - first);
        let limits = Limits {
            limit: Limit::of(core.policy.attempt_timeout, core.policy.deadline, since),
            grace: core.policy.grace,
            is_blocking: core.policy.blocking,
        };
        let cx = Context::new(context.clone(), core.inbox.sender());
        let span = job.span.get_or_insert_with(|| core.shared.span.job(core.number(), job.number, &job.label));
        let span = span.attempt(job.attempts);
        let ended = span.within(attempt(&context, started, limits, || (self.job)(cx, input), timer)).await;
        grant.lends = context.lent().cloned();
        span.end(ended.result.as_ref().err().map_or("succeeded", JobError::word));
        Some(core.ended(grant, job, ended))
    }

    /// Hands over the result, and takes the next job that may begin, or gives back the slot.
    ///
    /// A panic in there is that of an input, of a policy, or of the destructor of a result: what is `held` then is given
    /// back by its owner.
    pub(super) fn turn(&self, held: &mut Option<Ready<I, T, E>>, ran: Option<Next<I, T, E>>) -> Turn {
        let core = &self.core;
        let Some(Ready { grant, .. }) = held else { return Turn::Done };
        let over = match ran {
            Some(Next::Again) => {
                *held = self.next(held, true);
                return Turn::Done;
            }
            Some(Next::Over(over)) => Some(over),
            None => None,
        };
        let is_kept = !core.is_closing() && core.pool.keeps(grant).is_some();
        if !is_kept {
            *held = self.next(held, false);
        }
        if let Some((ticket, done)) = over {
            self.reply.deliver(ticket, done);
        }
        if is_kept { self.go_on(held, false) } else { Turn::Done }
    }

    /// Pulls an input for a slot that was kept, or gives the slot back. If an input may be there in a moment, the slot is
    /// kept for that, unless this is the `last` time.
    fn go_on(&self, held: &mut Option<Ready<I, T, E>>, last: bool) -> Turn {
        let limit = held.as_ref().and_then(|ready| self.core.pool.keeps(&ready.grant));
        let pulled = limit.map_or(Err(NoInput::Now), |limit| self.pull(held, limit));
        *held = match pulled {
            Ok(ready) => Some(ready),
            Err(NoInput::YetForAMoment) if !last && held.is_some() => return Turn::WaitsForAMoment,
            Err(_) => self.next(held, false),
        };
        Turn::Done
    }

    /// Gives back a slot, if it was not given back, and takes the next job that may begin. A job that `waits` is still in
    /// the table.
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
            // Another run shares the pool, and the driver pulls an input ahead; or a heavy job has left room for several.
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
