//! Decides after an attempt: another attempt, or the end of the job.

use super::core::{Core, Phase, Slot};
use super::job::{Job, Ready, Reply};
use crate::context::Attempt;
use crate::error::JobError;
use crate::event::EventKind;
use crate::limit::Pressure;
use crate::report::{JobReport, Outcome, StageSpan};
use crate::run::Completed;
use crate::scheduler::Grant;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// An attempt that is over.
pub(super) struct Ended<T, E> {
    pub(super) result: Result<T, JobError<E>>,
    /// When it ended.
    pub(super) at: Instant,
    pub(super) running: Duration,
    pub(super) advanced: (u64, u64),
    pub(super) stages: Vec<StageSpan>,
}

/// A finished job, with the ticket that receives its result.
pub(super) type Finished<I, T, E> = (Option<super::job::Ticket<T, E>>, Completed<I, T, E>);

/// A job and the attempt that starts.
pub(super) type Started<I, T, E> = (Box<Job<I, T, E>>, Attempt);

/// A job that ended before its attempt started.
pub(super) type Refused<I, T, E> = (Box<Job<I, T, E>>, JobError<E>);

/// The state of a job after an attempt.
#[expect(clippy::large_enum_variant, reason = "one of them is on the stack of a worker, for a moment")]
pub(super) enum Next<I, T, E> {
    Again,
    Over(Finished<I, T, E>),
}

/// Returns the instant `wait` after `now`, at most about thirty years ahead: tokio's timer looks no further.
pub(super) fn after(now: Instant, wait: Duration) -> Instant {
    const FAR: Duration = Duration::from_secs(30 * 365 * 24 * 60 * 60);
    now + wait.min(FAR)
}

impl<I, T, E> Core<'_, I, T, E> {
    /// Starts an attempt of a granted job, unless the job was cancelled or has passed its deadline.
    pub(super) fn start(
        &self,
        grant: &Grant,
        mut job: Box<Job<I, T, E>>,
        now: Instant,
    ) -> Result<Started<I, T, E>, Refused<I, T, E>> {
        if job.ticket.as_ref().is_some_and(super::job::Ticket::is_aborted) || self.is_closing() {
            return Err((job, JobError::CANCELLED));
        }
        let since = now - *job.started.get_or_insert(now);
        if let Some(deadline) = self.policy.deadline.filter(|deadline| job.attempts > 0 && since >= *deadline) {
            return Err((job, JobError::DeadlinePassed { deadline, last: None }));
        }
        job.attempts += 1;
        if let Some(ticket) = &mut job.ticket {
            ticket.room = None;
        }
        let meters = if grant.is_metered() { self.pool.with(|s| s.meters(self.run, grant.key)) } else { (None, None) };
        let attempt = Attempt::new(job.number, job.attempts, grant.key, Arc::clone(&self.shared), meters);
        let kind = EventKind::AttemptStarted { job: job.number, label: &job.label, attempt: job.attempts };
        self.policy.tell(self.number(), kind);
        Ok((job, attempt))
    }

    /// Publishes that this job runs, so that it can be cancelled.
    pub(super) fn enter(&self, ready: &mut Ready<I, T, E>, job: &Job<I, T, E>, attempt: &Attempt) {
        match &ready.current {
            Some(current) => current.set(job.number, attempt),
            None => ready.current = Some(self.list(&mut ready.grant, job.number, attempt)),
        }
        // A cancellation at the same time is seen here, or it sees the job that was just published.
        let is_aborted = job.ticket.as_ref().is_some_and(super::job::Ticket::is_aborted);
        if is_aborted || self.phase() == Phase::Cancelled {
            attempt.cancel();
        }
    }

    /// Records the end of an attempt and decides what follows.
    pub(super) fn ended(&self, grant: &Grant, mut job: Box<Job<I, T, E>>, ended: Ended<T, E>) -> Next<I, T, E> {
        let Ended { result, at, running, advanced, stages } = ended;
        job.running += running;
        job.advanced = advanced;
        job.stages.extend(stages);
        let error = match result {
            Ok(_) | Err(JobError::Cancelled { .. }) => {
                if result.is_ok() && grant.is_metered() {
                    self.pool.with(|scheduler| scheduler.succeeded(grant.key));
                }
                return Next::Over(self.conclude(job, result));
            }
            Err(error) => error,
        };
        let pause = job.key.and_then(|key| Some((key, self.policy.retry.pause(&error)?)));
        let wait = self.retry_in(&mut job, &error, at);
        let pressure = self.policy.pressure_of(&error, wait.is_some());
        if pressure != Pressure::None || pause.is_some() {
            let name = self.pool.with(|scheduler| {
                scheduler.pressed(self.run, grant.key, pressure);
                let (key, pause) = pause?;
                scheduler.pause_key(key, after(at, pause));
                Some((scheduler.name_of(key), pause))
            });
            if let Some((key, pause)) = name {
                self.policy.tell(self.number(), EventKind::KeyPaused { key: &key, pause });
            }
        }
        if self.policy.observer.is_some() {
            let text = self.policy.describe(&error);
            let kind = EventKind::AttemptFailed {
                job: job.number,
                label: &job.label,
                attempt: job.attempts,
                error: text.as_deref().unwrap_or_default(),
                kind: self.policy.kind_of(&error),
                retry_in: wait,
                bytes: job.advanced.0,
                items: job.advanced.1,
            };
            self.policy.tell(self.number(), kind);
        }
        let Some(wait) = wait else {
            return Next::Over(self.conclude(job, Err(error)));
        };
        job.last = error.into_last_failure().or(job.last.take());
        self.again(grant, job, after(at, wait));
        Next::Again
    }

    /// Puts a job back to wait for its next attempt.
    fn again(&self, grant: &Grant, job: Box<Job<I, T, E>>, when: Instant) {
        let entry = job.entry(grant.id);
        let mut table = self.table();
        if let Some(slot) = table.jobs.get_mut(grant.id) {
            *slot = Slot::Waiting(job);
        }
        self.pool.with(|scheduler| scheduler.push_later(self.run, entry, when));
        let is_aborted = match table.jobs.get(grant.id) {
            Some(Slot::Waiting(job)) => job.ticket.as_ref().filter(|ticket| ticket.is_aborted()).map(|_| job.number),
            _ => None,
        };
        drop(table);
        if let Some(number) = is_aborted {
            self.give_up(grant.id, number, &Reply::Nobody);
        }
    }

    /// Cancels a waiting job.
    pub(super) fn give_up(&self, id: usize, number: u64, reply: &Reply<I, T, E>) {
        let mut table = self.table();
        let waits = matches!(table.jobs.get(id), Some(Slot::Waiting(job)) if job.number == number);
        // If it was granted a slot already, the worker that starts it cancels it.
        if !waits || !self.pool.with(|scheduler| scheduler.remove(self.run, id)) {
            return;
        }
        let removed = table.jobs.remove(id);
        drop(table);
        if let Slot::Waiting(job) = removed {
            self.finish(job, Err(JobError::CANCELLED), reply);
        }
        self.pool.with(|scheduler| scheduler.wake(self.run));
    }

    /// Returns the wait before the next attempt, or `None` if there is none.
    fn retry_in(&self, job: &mut Job<I, T, E>, error: &JobError<E>, now: Instant) -> Option<Duration> {
        let retry = &self.policy.retry;
        if matches!(error, JobError::Panicked(_) | JobError::DeadlinePassed { .. })
            || job.input.is_none()
            || self.is_closing()
            || job.ticket.as_ref().is_some_and(super::job::Ticket::is_aborted)
        {
            return None;
        }
        if retry.resets(job.advanced, job.furthest) {
            job.delays = None;
        }
        let (got, furthest) = (job.advanced, job.furthest);
        job.furthest = (got.0.max(furthest.0), got.1.max(furthest.1));
        let since = job.started.map_or(Duration::ZERO, |started| now - started);
        let delays = job.delays.get_or_insert_with(|| retry.delays());
        let wait = retry.next(error, &mut **delays, since)?;
        self.policy.deadline.is_none_or(|limit| since.saturating_add(wait) < limit).then_some(wait)
    }

    /// Ends a job: counts it and tells the observer. Its slot and its place in the table stay taken.
    #[expect(clippy::boxed_local, reason = "its callers have it in a box")]
    pub(super) fn conclude(&self, mut job: Box<Job<I, T, E>>, result: Result<T, JobError<E>>) -> Finished<I, T, E> {
        let earlier = job.last.take();
        let result = result.map_err(|error| error.with_last(earlier));
        let outcome = match &result {
            Ok(_) => Outcome::Succeeded,
            Err(JobError::Cancelled { .. }) => Outcome::Cancelled,
            Err(_) => Outcome::Failed,
        };
        let started = job.started.unwrap_or_else(Instant::now);
        let mut report = JobReport::new(job.number, std::mem::take(&mut job.label), outcome);
        report.attempts = job.attempts;
        report.started = started.saturating_duration_since(self.shared.started);
        report.queued = started.saturating_duration_since(job.arrived);
        report.running = job.running;
        (report.bytes, report.items) = job.advanced;
        report.stages = std::mem::take(&mut job.stages);
        if let Err(error) = &result {
            self.policy.fill(&mut report, error);
        }
        let failed = {
            let mut stats = self.stats();
            stats.report.count(&report);
            if report.attempts > 0 {
                stats.queued.add(report.queued);
                stats.running.add(report.running);
            }
            stats.report.failed
        };
        if let Some(span) = &job.span {
            span.attempts(report.attempts);
            span.outcome(report.kind.unwrap_or(match outcome {
                Outcome::Succeeded => "succeeded",
                Outcome::Failed => "failed",
                Outcome::Cancelled => "cancelled",
            }));
        }
        if outcome == Outcome::Failed && self.policy.stop_after.is_some_and(|most| failed >= most) {
            self.cancel_run();
        }
        self.policy.tell(self.number(), EventKind::JobFinished { report: &report });
        let Job { number, input, parent, ticket, .. } = *job;
        (ticket, Completed { job: number, input, parent, result, report })
    }

    /// Ends a job that holds no slot and is not in the table.
    pub(super) fn finish(&self, job: Box<Job<I, T, E>>, result: Result<T, JobError<E>>, reply: &Reply<I, T, E>) {
        let key = job.key;
        let (ticket, done) = self.conclude(job, result);
        self.pool.with(|scheduler| scheduler.release_key(key));
        reply.deliver(ticket, done);
    }

    /// Cancels all waiting jobs.
    pub(super) fn give_up_all(&self, reply: &Reply<I, T, E>) {
        let ids = self.pool.with(|scheduler| scheduler.close(self.run));
        for id in ids {
            if let Some(job) = self.take(id) {
                self.finish(job, Err(JobError::CANCELLED), reply);
            }
        }
    }
}
