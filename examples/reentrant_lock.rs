//! Lesson 4: a re-entrant lock: its owner may take it several times, and must release it as often.
//!
//! ```sh
//! cargo run --example reentrant_lock
//! ```
//!
//! Look for: `owner` takes the lock 11 times; `other` gets it only after 11 releases, and not after
//! 10.
//!
//! In Python: `threading.RLock`. Neither std nor tokio has one: a guard gives `&mut` to what it
//! protects, and two guards at once would break that. Usually the answer is to take the lock once
//! and pass `&mut` to the functions that need it. If the lock protects no value but a section of
//! code, a counter is enough: a semaphore of 1, its owner and its depth.

mod pace;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::task::Id;

/// A lock that its owner, a task, may take again.
struct ReentrantLock {
    free: Semaphore,
    /// The holder and its depth. Not held across an `.await`, so a lock of std is enough.
    holder: Mutex<Option<(Id, u32)>>,
}

impl ReentrantLock {
    fn new() -> Self {
        Self { free: Semaphore::new(1), holder: Mutex::new(None) }
    }

    /// Calls `change` with the holder.
    fn holder<R>(&self, change: impl FnOnce(&mut Option<(Id, u32)>) -> R) -> R {
        change(&mut self.holder.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes the lock, or takes it again. Returns how many times it is held now.
    async fn take(&self) -> u32 {
        let me = tokio::task::id();
        let again = self.holder(|holder| match holder {
            Some((owner, depth)) if *owner == me => {
                *depth += 1;
                Some(*depth)
            }
            _ => None,
        });
        if let Some(depth) = again {
            return depth;
        }
        // Nobody closes this semaphore, so `acquire` cannot fail. The last release returns the
        // permit.
        if let Ok(permit) = self.free.acquire().await {
            permit.forget();
        }
        self.holder(|holder| *holder = Some((me, 1)));
        1
    }

    /// Releases it once, and returns how many times it is still held. The last release lets the
    /// next task in.
    fn release(&self) -> u32 {
        self.holder(|holder| match holder {
            Some((owner, depth)) if *owner == tokio::task::id() => {
                *depth -= 1;
                let left = *depth;
                if left == 0 {
                    *holder = None;
                    self.free.add_permits(1);
                }
                left
            }
            // This is a bug in the program, not bad input, so it panics. Python raises a
            // RuntimeError.
            _ => panic!("the lock is released by a task that does not hold it"),
        })
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), tokio::task::JoinError> {
    pace::virtual_time();
    let lock = Arc::new(ReentrantLock::new());
    let owner = tokio::spawn({
        let lock = Arc::clone(&lock);
        async move {
            for _ in 0..11 {
                println!("owner: taken {} times", lock.take().await);
            }
            for _ in 0..11 {
                // The other task gets its chance at every depth.
                tokio::time::sleep(Duration::from_millis(100)).await;
                println!("owner: released, {} left", lock.release());
            }
        }
    });
    let other = tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(50)).await;
        println!("other: waiting");
        println!("other: taken {} time", lock.take().await);
        println!("other: released, {} left", lock.release());
    });
    owner.await?;
    other.await
}
