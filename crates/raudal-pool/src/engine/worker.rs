//! A slot at work: attempts, one after the other, as one task.

use super::attempt::{Limit, Limits, Timer, attempt};
use super::core::Core;
use super::outcome::{Ended, Next};
use super::source::Engine;
use crate::context::Context;
use crate::error::{JobError, panic_message};
use crate::scheduler::Grant;
use futures_core::Stream;
use futures_util::FutureExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use tokio::time::Instant;

/// A slot that is given back however its worker ends: also when the worker is dropped, or panics.
struct Held<'a, 'p, I, T, E> {
    core: &'a Core<'p, I, T, E>,
    grant: Option<Grant>,
}

impl<I, T, E> Drop for Held<'_, '_, I, T, E> {
    fn drop(&mut self) {
        if let Some(grant) = self.grant.take() {
            self.core.released(&grant);
        }
    }
}

/// Runs this job, and then whatever may begin in its place, until there is nothing.
pub(super) async fn work<I, T, E, F, S, Fut>(engine: Arc<Engine<'_, I, T, E, F, S>>, first: Grant)
where
    S: Stream<Item = I>,
    F: Fn(Context<I>, I) -> Fut,
    Fut: Future<Output = Result<T, E>>,
{
    let mut timer = Timer::default();
    let mut next = Some(first);
    while let Some(grant) = next {
        let mut held = Held { core: &engine.core, grant: Some(grant) };
        let Some(grant) = &held.grant else { return };
        // A panic in there is not that of a job: it is the run's, and the driver's to tell.
        let ran = match AssertUnwindSafe(engine.run(grant, &mut timer)).catch_unwind().await {
            Ok(ran) => ran,
            Err(panic) => return engine.core.break_down(panic),
        };
        let Some(grant) = held.grant.take() else { return };
        next = match catch_unwind(AssertUnwindSafe(|| engine.turn(&grant, ran))) {
            Ok(next) => next,
            Err(panic) => return engine.core.break_down(panic),
        };
        drop(held);
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
    /// Runs one attempt of a job that was granted.
    pub(super) async fn run(&self, grant: &Grant, timer: &mut Timer) -> Option<Next<I, T, E>> {
        let core = &self.core;
        let job = core.take_granted(grant.id)?;
        let started = Instant::now();
        let (mut job, context) = match core.start(grant, job, started) {
            Ok(started) => started,
            Err((job, error)) => return Some(Next::Over(core.conclude(Some(grant.id), job, Err(error)))),
        };
        core.enter(grant.id, &job, &context);
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
        span.end(ended.result.as_ref().err().map_or("succeeded", JobError::word));
        Some(core.ended(grant, job, ended))
    }

    /// Gives back the slot, hands over the result, and takes the next job that may begin.
    pub(super) fn turn(&self, grant: &Grant, ran: Option<Next<I, T, E>>) -> Option<Grant> {
        let core = &self.core;
        let waits = matches!(ran, Some(Next::Again));
        let is_open = !core.is_closing();
        let (mut next, is_vacant) = core.pool.with(|scheduler| {
            scheduler.ended(core.run, grant);
            if !waits {
                scheduler.release_key(grant.key);
            }
            scheduler.dispatch(Some(core.run));
            let next = scheduler.take(core.run);
            if waits || scheduler.has_granted(core.run) {
                scheduler.wake(core.run);
            }
            let is_vacant = is_open && scheduler.vacancy(core.run).is_some();
            if is_vacant && next.is_some() {
                // Another run shares the pool: the driver pulls an input ahead.
                scheduler.wake(core.run);
            }
            (next, is_vacant)
        });
        if let Some(Next::Over((ticket, done))) = ran {
            self.reply.deliver(ticket, done);
        }
        if is_vacant && next.is_none() {
            next = self.pull();
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
