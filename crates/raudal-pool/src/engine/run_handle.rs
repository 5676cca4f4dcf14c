//! A run without its types, for handles and controls.

use super::core::{Core, JobSlot};
use super::job::Reply;
use crate::attempt::Attempt;

/// A run without its types, for handles and controls.
pub(crate) trait RunHandle: Send + Sync {
    /// Cancels the job at this place of the table.
    fn abort(&self, id: usize, number: u64);
    /// Wakes the driver, to remove an aborted job from the inbox.
    fn wake(&self);
    /// A job of the same pool waits for this run: lets one job of the run use its slot.
    fn offer_slot(&self, attempt: &Attempt);
    /// Returns whether a panic that did not come from a job ended the run.
    fn has_broken_down(&self) -> bool;
    fn set_paused(&self, paused: bool);
    fn set_limit(&self, jobs: usize);
    fn cancel(&self);
    fn drain(&self);
    /// How many jobs wait, and how many run.
    fn counts(&self) -> (usize, usize);
}

impl<I, T, E> RunHandle for Core<'_, I, T, E>
where
    I: Send,
    T: Send,
    E: Send,
{
    fn abort(&self, id: usize, number: u64) {
        let running = match self.table().jobs.get(id) {
            Some(JobSlot::Running(current)) => Some(current.attempt()),
            _ => None,
        };
        match running {
            Some(attempt) if attempt.job() == number => attempt.cancel(),
            _ => self.give_up(id, number, &Reply::Nobody),
        }
    }

    fn wake(&self) {
        self.pool.with(|scheduler| scheduler.wake(self.run));
    }

    fn offer_slot(&self, attempt: &Attempt) {
        Self::offer_slot(self, attempt);
    }

    fn has_broken_down(&self) -> bool {
        self.is_broken()
    }

    fn set_paused(&self, paused: bool) {
        self.pool.with(|scheduler| {
            scheduler.pause_run(self.run, paused);
            scheduler.dispatch(None);
        });
    }

    fn set_limit(&self, jobs: usize) {
        self.pool.with(|scheduler| {
            scheduler.set_run_limit(self.run, jobs.max(1));
            scheduler.dispatch(None);
        });
    }

    fn cancel(&self) {
        self.cancel_run();
    }

    fn drain(&self) {
        self.drain_run();
    }

    fn counts(&self) -> (usize, usize) {
        Self::counts(self)
    }
}
