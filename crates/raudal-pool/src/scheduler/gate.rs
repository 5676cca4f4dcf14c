//! Holds jobs back until the rates of the pool allow them to start.

use super::keys::{KeyId, KeyTable};
use super::run::RunId;
use crate::rate::Rates;
use tokio::time::Instant;

/// What holds a job back.
pub(super) enum RateLimited {
    /// The rate of its key, which is now paused.
    KeyState(KeyId),
    /// The rate of the pool.
    All,
}

#[derive(Debug)]
pub(super) struct RateGate {
    rates: Rates,
    /// Until then the rate of the pool lets no attempt start. The job whose turn it is keeps its turn.
    closed_until: Option<Instant>,
    /// The run, lane and job that have passed the rate of their key and wait for the rate of the pool.
    admitted: Option<(RunId, Option<KeyId>, usize)>,
}

impl RateGate {
    pub(super) fn new(rates: Rates) -> Self {
        Self { rates, closed_until: None, admitted: None }
    }

    /// Returns whether no rate is set.
    pub(super) fn is_free(&self) -> bool {
        self.rates.is_free()
    }

    pub(super) fn closed_until(&self) -> Option<Instant> {
        self.closed_until
    }

    /// Opens the gate if its time has come.
    pub(super) fn tick(&mut self, now: Instant) {
        self.closed_until = self.closed_until.filter(|until| *until > now);
    }

    /// Lets a job start now, or says what holds it back.
    pub(super) fn pass(
        &mut self,
        keys: &mut KeyTable,
        run: RunId,
        lane: Option<KeyId>,
        job: usize,
    ) -> Result<(), RateLimited> {
        if self.is_free() {
            return Ok(());
        }
        let this = Some((run, lane, job));
        if self.admitted != this {
            if let Some(key) = lane
                && let Err(until) = self.rates.check_key(&keys.get(key).name)
            {
                keys.pause(key, until);
                return Err(RateLimited::KeyState(key));
            }
            self.admitted = this;
        }
        if let Err(until) = self.rates.check() {
            self.closed_until = Some(until);
            return Err(RateLimited::All);
        }
        self.admitted = None;
        Ok(())
    }

    /// Forgets a job that no longer waits.
    pub(super) fn forget_job(&mut self, run: RunId, job: usize) {
        self.admitted = self.admitted.filter(|(other, _, head)| (*other, *head) != (run, job));
    }

    /// Forgets a run that is over.
    pub(super) fn forget_run(&mut self, run: RunId) {
        self.admitted = self.admitted.filter(|(other, ..)| *other != run);
    }
}
