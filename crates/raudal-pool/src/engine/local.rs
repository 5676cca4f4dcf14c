//! A run in the task of its caller: its jobs may borrow, and need not be `Send`.

use super::Core;
use super::driver::Drive;
use super::job::Reply;
use super::source::Engine;
use super::worker::{HeldSlot, work};
use crate::completed::Completed;
use crate::context::Context;
use crate::report::RunReport;
use crate::results::{ResultReceiver, channel};
use futures_core::Stream;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{self, Poll};

type SlotFuture<'p> = Pin<Box<dyn Future<Output = ()> + 'p>>;

pub(crate) struct LocalEngine<'p, I, T, E, F, S> {
    engine: Arc<Engine<'p, I, T, E, F, S>>,
    drive: Drive,
    slots: FuturesUnordered<SlotFuture<'p>>,
    results: ResultReceiver<Completed<I, T, E>>,
    report: Option<RunReport>,
}

impl<'p, I, T, E, F, S, Fut> LocalEngine<'p, I, T, E, F, S>
where
    I: 'p,
    T: 'p,
    E: 'p,
    S: Stream<Item = I> + 'p,
    F: Fn(Context<I>, I) -> Fut + 'p,
    Fut: Future<Output = Result<T, E>> + 'p,
{
    pub(crate) fn new(core: Core<'p, I, T, E>, job: F, inputs: S) -> Self {
        let (sender, results) = channel();
        let drive = Drive::new(&core);
        let engine = Arc::new(Engine::new(Arc::new(core), job, inputs, Reply::Stream(sender)));
        Self { engine, drive, slots: FuturesUnordered::new(), results, report: None }
    }

    pub(crate) fn core(&self) -> &Arc<Core<'p, I, T, E>> {
        &self.engine.core
    }

    pub(crate) fn report(&self) -> Option<&RunReport> {
        self.report.as_ref()
    }

    pub(crate) fn poll(&mut self, cx: &mut task::Context<'_>) -> Poll<Option<Completed<I, T, E>>> {
        if self.report.is_some() {
            return Poll::Ready(None);
        }
        let (engine, slots) = (&self.engine, &self.slots);
        let over = self.drive.poll(engine, cx, &mut |ready| slots.push(Box::pin(work(HeldSlot::new(engine, ready)))));
        while let Poll::Ready(Some(())) = self.slots.poll_next_unpin(cx) {}
        if let Some(done) = self.results.try_next() {
            self.engine.core.backpressure.take();
            return Poll::Ready(Some(done));
        }
        if over.is_ready() {
            self.report = Some(Drive::finish(&self.engine));
            return Poll::Ready(None);
        }
        Poll::Pending
    }
}

impl<I, T, E, F, S> Drop for LocalEngine<'_, I, T, E, F, S> {
    fn drop(&mut self) {
        self.engine.core.abandon();
    }
}
