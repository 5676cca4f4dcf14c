//! Spare permits: slots that no job wants, for work that helps running jobs.

use crate::pool::PoolShared;
use crate::scheduler::KeyId;
use std::fmt;
use std::sync::Arc;

/// The spare slots of a pool. Cheap to clone.
///
/// When the inputs of all runs are over and no job waits, free slots stay unused. Work that helps the running jobs may
/// take them: for example a second connection for the largest download. The limits of the pool and of its keys hold for
/// jobs and permits together.
///
/// ```
/// use raudal_pool::Pool;
/// use std::sync::Arc;
/// use tokio::sync::Notify;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let gate = Arc::new(Notify::new());
/// let open = gate.clone();
/// let mut run = Pool::new(2)
///     .run(0..2, move |_cx, n| {
///         let gate = gate.clone();
///         async move {
///             if n == 1 {
///                 gate.notified().await;
///             }
///             Ok::<_, String>(n)
///         }
///     })
///     .start();
/// let permits = run.permits();
/// run.next().await;
/// assert_eq!(permits.spare(None), 1, "one job is over, one runs, and none waits");
/// let permit = permits.try_acquire(None).expect("nobody else has taken it");
/// assert!(permits.try_acquire(None).is_none(), "two slots are all there are");
/// drop(permit);
/// open.notify_one();
/// assert_eq!(run.join().await.peak_in_flight, 2, "a permit is no job");
/// # }
/// ```
#[derive(Clone)]
pub struct Permits {
    pub(crate) pool: Arc<PoolShared>,
}

impl Permits {
    /// Returns how many slots are spare now; with a key, within the limit of that key.
    pub fn spare(&self, key: Option<&str>) -> usize {
        self.pool.with(|scheduler| scheduler.spare(key))
    }

    /// Waits until a slot comes free that no job takes. Wakes one caller at a time.
    pub async fn freed(&self) {
        self.pool.freed.notified().await;
    }

    /// Takes a spare slot, if there is one; with a key, within the limit of that key.
    pub fn try_acquire(&self, key: Option<&str>) -> Option<Permit> {
        let spare = self.pool.with(|scheduler| scheduler.acquire_spare(key))?;
        Some(Permit { pool: Arc::clone(&self.pool), key: spare.key })
    }
}

impl Permits {
    /// Takes a slot before any waiting job. If none is free, the permit gets the next one that comes free: wait until
    /// it [is ready](Permit::is_ready). Dropping the permit gives the slot up.
    ///
    /// Use it for work that matters more than starting another job, such as a second request for a stalled download.
    /// Returns `None` if the limit is 1, because the running job holds the only slot.
    ///
    /// ```
    /// use raudal_pool::Pool;
    /// use std::sync::Arc;
    /// use tokio::sync::Notify;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let gate = Arc::new(Notify::new());
    /// let open = gate.clone();
    /// let mut run = Pool::new(2)
    ///     .run(0..3, move |_cx, n| {
    ///         let gate = gate.clone();
    ///         async move {
    ///             tokio::task::yield_now().await;
    ///             if n == 1 {
    ///                 gate.notified().await;
    ///             }
    ///             Ok::<_, String>(n)
    ///         }
    ///     })
    ///     .start();
    /// let permit = run.permits().claim(None).expect("more than one slot");
    /// run.next().await;
    /// assert!(permit.is_ready(), "the slot of the first job, which the last one would have taken");
    /// drop(permit);
    /// open.notify_one();
    /// assert_eq!(run.join().await.succeeded, 3);
    /// # }
    /// ```
    pub fn claim(&self, key: Option<&str>) -> Option<Permit> {
        let spare = self.pool.with(|scheduler| scheduler.claim(key))?;
        Some(Permit { pool: Arc::clone(&self.pool), key: spare.key })
    }
}

impl fmt::Debug for Permits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permits").finish_non_exhaustive()
    }
}

/// A slot used by work other than a job. Dropping it frees the slot.
pub struct Permit {
    pool: Arc<PoolShared>,
    key: Option<KeyId>,
}

impl Permit {
    /// Returns whether the slot is free. Only a [claimed](Permits::claim) slot may have to wait.
    pub fn is_ready(&self) -> bool {
        self.pool.with(|scheduler| scheduler.is_within_limits(self.key))
    }
}

impl fmt::Debug for Permit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permit").finish_non_exhaustive()
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.pool.with(|scheduler| scheduler.release_spare(self.key));
        self.pool.freed.notify_one();
    }
}
