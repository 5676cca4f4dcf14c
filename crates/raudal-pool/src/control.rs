//! The means to control a run from elsewhere.

use crate::engine::RunHandle;
use std::fmt;
use std::sync::Arc;

/// Pauses a run, changes its limit, drains or cancels it. Cheap to clone, and without effect once the run is over.
///
/// ```
/// use raudal_pool::Pool;
/// use std::time::Duration;
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() {
/// let mut run = Pool::new(4).run(0..8, |_cx, n| async move { Ok::<_, String>(n) }).limit(1).start();
/// let control = run.control();
/// control.pause();
/// tokio::time::sleep(Duration::from_secs(60)).await;
/// assert_eq!(control.in_flight(), 0);
/// control.set_limit(4);
/// control.resume();
/// let mut done = 0;
/// while run.next().await.is_some() {
///     done += 1;
/// }
/// assert_eq!(done, 8);
/// # }
/// ```
#[derive(Clone)]
pub struct Control(Arc<dyn RunHandle>);

impl fmt::Debug for Control {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Control").finish_non_exhaustive()
    }
}

impl Control {
    pub(crate) fn new(run: Arc<dyn RunHandle>) -> Self {
        Self(run)
    }

    /// Starts no further attempt until [`resume`](Self::resume). Running attempts continue.
    pub fn pause(&self) {
        self.0.set_paused(true);
    }

    /// Ends a pause.
    pub fn resume(&self) {
        self.0.set_paused(false);
    }

    /// Changes how many jobs of the run may be in flight, at least 1, within the limit of the pool. Running jobs
    /// beyond that finish.
    pub fn set_limit(&self, jobs: usize) {
        self.0.set_limit(jobs);
    }

    /// Cancels the run: see [`Run::cancel`](crate::Run::cancel).
    pub fn cancel(&self) {
        self.0.cancel();
    }

    /// Drains the run: see [`Run::drain`](crate::Run::drain).
    pub fn drain(&self) {
        self.0.drain();
    }

    /// Returns how many jobs of the run are in flight.
    pub fn in_flight(&self) -> usize {
        self.0.counts().1
    }

    /// Returns how many jobs of the run have arrived and wait.
    pub fn waiting(&self) -> usize {
        self.0.counts().0
    }
}
