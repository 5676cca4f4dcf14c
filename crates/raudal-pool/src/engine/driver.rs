//! The task that drives a run: starts the first attempts, sleeps until the next timer, waits until every job has ended.

use super::core::{Core, Phase};
use super::job::Ready;
use super::source::{Engine, LONG, earliest};
use super::worker::{HeldSlot, work};
use crate::context::Context;
use crate::event::EventKind;
use crate::report::RunReport;
use futures_core::Stream;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{self, Poll};
use tokio::task::JoinHandle;
use tokio::time::{Instant, Sleep};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

/// Several cancellation tokens; any one of them counts.
struct Tokens(Vec<Pin<Box<WaitForCancellationFutureOwned>>>);

impl Tokens {
    fn new(own: &CancellationToken, others: &[CancellationToken]) -> Self {
        Self([own].into_iter().chain(others).map(|token| Box::pin(token.clone().cancelled_owned())).collect())
    }

    /// Returns whether a token is cancelled. Otherwise registers the task to be woken when one is.
    fn is_any(&mut self, cx: &mut task::Context<'_>) -> bool {
        // Poll all of them, so that each registers the waker.
        let ready = self.0.iter_mut().filter_map(|token| token.as_mut().poll(cx).is_ready().then_some(())).count();
        ready > 0
    }
}

/// The state of the driver. It runs as its own task, or inside the caller's task.
pub(crate) struct Drive {
    cancelled: Tokens,
    drained: Tokens,
    timer: Option<Pin<Box<Sleep>>>,
    began: bool,
    gave_up: bool,
    over: bool,
}

impl Drive {
    pub(crate) fn new<I, T, E>(core: &Core<'_, I, T, E>) -> Self {
        Self {
            cancelled: Tokens::new(&core.cancel, &core.policy.cancel),
            drained: Tokens::new(&core.drain, &core.policy.drain),
            timer: None,
            began: false,
            gave_up: false,
            over: false,
        }
    }

    /// Advances the run as far as possible. `launch` starts a granted job. Ready when nothing is in flight and nothing
    /// more will start.
    ///
    /// A panic in the user's code breaks the run. The driver rethrows it when the run is over.
    pub(crate) fn poll<I, T, E, F, S: Stream<Item = I>>(
        &mut self,
        engine: &Engine<'_, I, T, E, F, S>,
        cx: &mut task::Context<'_>,
        launch: &mut dyn FnMut(Ready<I, T, E>),
    ) -> Poll<()> {
        loop {
            if self.over {
                return Poll::Ready(());
            }
            match catch_unwind(AssertUnwindSafe(|| self.step(engine, cx, launch))) {
                Ok(polled) => return polled,
                Err(panic) => engine.core.break_down(panic),
            }
        }
    }

    fn step<I, T, E, F, S: Stream<Item = I>>(
        &mut self,
        engine: &Engine<'_, I, T, E, F, S>,
        cx: &mut task::Context<'_>,
        launch: &mut dyn FnMut(Ready<I, T, E>),
    ) -> Poll<()> {
        let core = &engine.core;
        if !std::mem::replace(&mut self.began, true) {
            core.begin(engine.total());
        }
        let waker = cx.waker().clone();
        drop(core.pool.with(|scheduler| scheduler.set_waker(core.run, waker)));
        core.inbox.register(cx.waker());
        core.backpressure.register(cx.waker());
        engine.register(cx.waker());
        core.shared.timeouts.register(cx.waker());
        if self.cancelled.is_any(cx) {
            core.close(Phase::Cancelled);
        } else if self.drained.is_any(cx) {
            core.close(Phase::Draining);
        }
        if !core.is_closing() && self.go_on(engine, cx, launch).is_pending() {
            return Poll::Pending;
        }
        loop {
            core.time_out(Instant::now());
            if self.end(engine).is_ready() {
                return Poll::Ready(());
            }
            if self.sleep_until(core.shared.timeouts.next(), cx).is_pending() {
                return Poll::Pending;
            }
        }
    }

    /// Sleeps until an instant, or for ever without one.
    fn sleep_until(&mut self, wake: Option<Instant>, cx: &mut task::Context<'_>) -> Poll<()> {
        let Some(wake) = wake else { return Poll::Pending };
        let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(wake)));
        if timer.deadline() != wake {
            timer.as_mut().reset(wake);
        }
        timer.as_mut().poll(cx)
    }

    /// Starts the jobs that may start. Ready when all jobs are done.
    fn go_on<I, T, E, F, S: Stream<Item = I>>(
        &mut self,
        engine: &Engine<'_, I, T, E, F, S>,
        cx: &mut task::Context<'_>,
        launch: &mut dyn FnMut(Ready<I, T, E>),
    ) -> Poll<()> {
        let core = &engine.core;
        loop {
            let now = Instant::now();
            core.time_out(now);
            // The user's function: call it without a lock.
            let may_grow = !core.pool.hold.as_ref().is_some_and(|hold| hold());
            let changes = core.pool.with(|scheduler| {
                scheduler.tick(core.run, now);
                scheduler.look(now, may_grow);
                scheduler.dispatch(Some(core.run));
                scheduler.take_changes(core.run)
            });
            for change in changes {
                let key = change.key.as_deref().unwrap_or_default();
                core.policy.tell(core.number(), EventKind::LimitChanged { key, limit: change.limit, why: change.why });
            }
            while let Some(grant) = core.pool.with(|scheduler| scheduler.take(core.run)) {
                launch(Ready::listed(grant));
            }
            while let Some(added) = core.inbox.take() {
                engine
                    .admit(engine.next_number(), added, !core.inbox.is_empty(), &mut None)
                    .into_iter()
                    .for_each(&mut *launch);
            }
            while let Ok(ready) = engine.pull(&mut None, 0) {
                launch(ready);
                if now.elapsed() > LONG {
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
            }
            if core.is_closing() || engine.is_done() {
                return Poll::Ready(());
            }
            let wake = core.pool.with(|scheduler| scheduler.next_wake(core.run));
            let wake = [wake, core.shared.timeouts.next()].into_iter().flatten().min();
            if self.sleep_until(earliest(wake, now), cx).is_pending() {
                return Poll::Pending;
            }
        }
    }

    /// Closes the run: cancels the waiting jobs and waits for the running ones.
    fn end<I, T, E, F, S: Stream<Item = I>>(&mut self, engine: &Engine<'_, I, T, E, F, S>) -> Poll<()> {
        let core = &engine.core;
        if !std::mem::replace(&mut self.gave_up, true) {
            core.give_up_all(&engine.reply);
        }
        while let Some(added) = core.inbox.take() {
            engine.cancelled(added);
        }
        if !core.is_still() {
            return Poll::Pending;
        }
        // A job may have gone back to waiting while the run was closing.
        core.give_up_all(&engine.reply);
        while !core.inbox.end() {
            core.inbox.take().into_iter().for_each(|added| engine.cancelled(added));
        }
        // A slot has just pulled an input. It will see that the run is closed, end the job and wake the driver.
        // A panic in the user's code can lose an input, which then never ends.
        if !engine.has_ended_all() && !core.is_broken() {
            return Poll::Pending;
        }
        if engine.has_more() && core.policy.complete && !core.is_broken() {
            engine.complete();
        }
        self.over = true;
        Poll::Ready(())
    }

    /// Returns the report of a finished run.
    ///
    /// # Panics
    ///
    /// Rethrows the panic that broke the run.
    pub(crate) fn finish<I, T, E, F, S: Stream<Item = I>>(engine: &Engine<'_, I, T, E, F, S>) -> RunReport {
        let core = &engine.core;
        let has_more = engine.has_more();
        engine.drop_source();
        if let Some(panic) = core.broken() {
            resume_unwind(panic);
        }
        let mut report = core.report();
        report.stopped = has_more || report.cancelled > 0 && core.is_closing();
        core.stats().report.stopped = report.stopped;
        core.policy.tell(core.number(), EventKind::RunFinished { report: &report });
        report
    }
}

/// Drops the waiting jobs if the driver is dropped, which happens when the runtime shuts down.
struct Abandon<I, T, E>(Arc<Core<'static, I, T, E>>);

impl<I, T, E> Drop for Abandon<I, T, E> {
    fn drop(&mut self) {
        self.0.abandon();
    }
}

/// Runs all jobs until they have ended, or until the run is cancelled or drained.
///
/// # Panics
///
/// Rethrows a panic of the input, of an observer or of a policy.
pub(crate) fn drive<I, T, E, F, S, Fut>(engine: Arc<Engine<'static, I, T, E, F, S>>) -> impl Future<Output = RunReport>
where
    I: Send + 'static,
    T: Send + 'static,
    E: Send + 'static,
    S: Stream<Item = I> + Send + 'static,
    F: Fn(Context<I>, I) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<T, E>> + Send + 'static,
{
    // Made here and not by the first poll: a runtime that shuts down drops tasks that it has never polled.
    let abandon = Abandon(Arc::clone(&engine.core));
    async move {
        let _abandon = abandon;
        let mut drive = Drive::new(&engine.core);
        std::future::poll_fn(|cx| {
            drive.poll(&engine, cx, &mut |ready| drop(tokio::spawn(work(HeldSlot::new(&engine, ready)))))
        })
        .await;
        Drive::finish(&engine)
    }
}

/// Waits for the driver and rethrows its panic. If the runtime was shut down, returns the counts so far.
pub(crate) async fn join<I, T, E>(driver: &mut JoinHandle<RunReport>, core: &Core<'_, I, T, E>) -> RunReport {
    match driver.await {
        Ok(report) => report,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => resume_unwind(panic),
            Err(_) => RunReport { stopped: true, runtime_gone: true, ..core.report() },
        },
    }
}
