//! Slots that no job of a run waits for, lent to whoever can use them.

use std::fmt;
use std::sync::{Arc, Weak};
use tokio::sync::Notify;

/// What a run lends its slots by.
pub(super) trait Lend: Send + Sync {
    fn set_limit(&self, key: &str, limit: usize);
    fn spare(&self, key: Option<&str>) -> usize;
    fn lend(&self, key: Option<&str>) -> bool;
    fn take_back(&self, key: Option<&str>);
}

/// The slots of a [`Run`](super::Run), seen from outside. Cheap to clone.
///
/// Those of a key can be made fewer, or more again, while the run goes on; and those that its jobs leave free at the end
/// can be lent. A run whose input is over, and of which no job waits, has slots that nothing will ever fill. Work that helps the jobs
/// that still run may take them: a second connection for the largest of the downloads, say. The limits of the run hold
/// for both together.
///
/// ```
/// use raudal_pool::Pool;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let pool = Pool::builder().jobs(2).build()?;
/// let gate = std::sync::Arc::new(tokio::sync::Notify::new());
/// let open = gate.clone();
/// let mut run = pool.run(0..2, move |_cx, n| {
///     let gate = gate.clone();
///     async move {
///         if n == 1 {
///             gate.notified().await;
///         }
///         Ok::<_, std::io::Error>(n)
///     }
/// });
/// let slots = run.slots();
/// run.next().await;
/// assert_eq!(slots.spare(None), 1, "one job is over, one runs, and none waits");
/// let slot = slots.lend(None).expect("nobody else has taken it");
/// assert!(slots.lend(None).is_none(), "two slots are all there are");
/// drop(slot);
/// open.notify_one();
/// assert_eq!(run.finish().await.peak_in_flight, 2, "what is lent is no job");
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Slots {
    pub(super) lender: Weak<dyn Lend>,
    /// Told when a slot came free that no job took.
    pub(super) freed: Arc<Notify>,
}

impl Slots {
    /// How many slots there are that no job can want now; of a key, if there is one, and within its limit.
    pub fn spare(&self, key: Option<&str>) -> usize {
        self.lender.upgrade().map_or(0, |lender| lender.spare(key))
    }

    /// Lets at most so many jobs of a key be in flight from now on, at least 1. What runs beyond that comes to its end.
    pub fn set_limit(&self, key: &str, limit: usize) {
        if let Some(lender) = self.lender.upgrade() {
            lender.set_limit(key, limit.max(1));
        }
    }

    /// Waits until a slot has come free that no job took. One caller at a time is told.
    pub async fn freed(&self) {
        self.freed.notified().await;
    }

    /// A slot, if no job can want it now; of this key, if there is one, and within its limit.
    ///
    /// The run does not wait for what is lent: whoever borrows ends on its own when the run does.
    pub fn lend(&self, key: Option<&str>) -> Option<Lent> {
        // Held for no longer: what keeps a run alive keeps its stream of results open.
        let is_lent = self.lender.upgrade()?.lend(key);
        is_lent.then(|| Lent { lender: Weak::clone(&self.lender), key: key.map(str::to_owned) })
    }
}

impl fmt::Debug for Slots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Slots").finish_non_exhaustive()
    }
}

/// A slot that was lent. It returns when this is dropped.
pub struct Lent {
    lender: Weak<dyn Lend>,
    key: Option<String>,
}

impl fmt::Debug for Lent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lent").field("key", &self.key).finish_non_exhaustive()
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if let Some(lender) = self.lender.upgrade() {
            lender.take_back(self.key.as_deref());
        }
    }
}
