//! The task that owns a run: it begins the first attempts, waits for what takes time to come, and awaits every end.

use super::engine::{Engine, Idle};
use super::report::RunReport;
use super::spawn::Ticket;
use super::worker::work;
use futures::Stream;
use std::fmt::Display;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use tokio::time::{Instant, Sleep};

/// Runs all jobs to their end, or until the run is cancelled or drained.
///
/// # Panics
///
/// If the input, an observer or a policy panicked, with that panic.
pub(super) async fn drive<I, T, E, F, S, Fut>(engine: Arc<Engine<I, T, E, F, S>>) -> RunReport
where
    I: Clone + Send + 'static,
    T: Send + 'static,
    E: Display + Send + 'static,
    S: Stream<Item = (I, Option<Ticket<T, E>>)> + Send + 'static,
    F: Fn(super::Context, I) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<T, E>> + Send + 'static,
{
    engine.begin();
    // Should this panic, what runs is told to end.
    let _told = engine.cancel.clone().drop_guard();
    let mut closing = pin!(async {
        tokio::select! { () = engine.cancel.cancelled() => {}, () = engine.drain.cancelled() => {} }
    });
    let mut timer = pin!(None);
    poll_fn(|cx| {
        loop {
            if let Some(panic) = engine.broken() {
                std::panic::resume_unwind(panic);
            }
            if closing.as_mut().poll(cx).is_ready() {
                return Poll::Ready(());
            }
            let wake = match engine.next(cx) {
                Ok(flight) => {
                    tokio::spawn(work(Arc::clone(&engine), flight));
                    continue;
                }
                Err(Idle::Done) => return Poll::Ready(()),
                // Whose time has come must wait for a slot: to be woken for it would be to spin.
                Err(Idle::Full) => None,
                Err(Idle::Rate(until)) => Some(until),
                Err(Idle::NoInput(until)) => until,
                Err(Idle::NoRoom(until)) => {
                    if engine.has_room(cx) {
                        continue;
                    }
                    until
                }
            };
            ready!(poll_until(&mut timer, wake, cx));
        }
    })
    .await;
    // Either all is done, or the run is closing: nothing begins any more, and what runs is awaited.
    engine.give_up();
    poll_fn(|cx| if engine.is_still(cx) { Poll::Ready(()) } else { Poll::Pending }).await;
    if let Some(panic) = engine.broken() {
        std::panic::resume_unwind(panic);
    }
    engine.end()
}

/// Waits for an instant that may be another one each time. Without one it only waits to be woken.
fn poll_until(timer: &mut Pin<&mut Option<Sleep>>, wake: Option<Instant>, cx: &mut Context<'_>) -> Poll<()> {
    let Some(wake) = wake else { return Poll::Pending };
    if timer.is_none() {
        timer.set(Some(tokio::time::sleep_until(wake)));
    }
    let Some(mut sleep) = timer.as_mut().as_pin_mut() else { return Poll::Pending };
    if sleep.deadline() != wake {
        sleep.as_mut().reset(wake);
    }
    sleep.poll(cx)
}
