//! Decides after an attempt: another attempt, or the end of the job.

use super::core::{Core, JobSlot, Phase};
use super::job::{Job, Ready, Reply};
use crate::attempt::Attempt;
use crate::error::{JobError, panic_message};
use crate::event::EventKind;
use crate::limit::Pressure;
use crate::report::{JobReport, Outcome};
use crate::scheduler::{Grant, KeyId};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;
use tokio::time::Instant;

/// A job with the attempt that starts and the time of its start, or a job that ended before that.
pub(super) type StartResult<I, T, E> = Result<(Box<Job<I, T, E>>, Attempt, Instant), (Box<Job<I, T, E>>, JobError<E>)>;

/// The state of a job after an attempt.
pub(super) enum AfterAttempt<I, T, E> {
    Again,
    /// It is over and counted. Its result waits to be delivered.
    Over(Box<Job<I, T, E>>, Result<T, JobError<E>>),
}

/// Returns the instant `wait` after `now`, at most about thirty years ahead: tokio's timer looks no further.
pub(super) fn after(now: Instant, wait: Duration) -> Instant {
    const FAR: Duration = Duration::from_secs(30 * 365 * 24 * 60 * 60);
    now + wait.min(FAR)
}

impl<I, T, E> Core<'_, I, T, E> {
    /// Starts an attempt of a granted job and publishes it, so that it can be cancelled. Refuses a job that was cancelled
    /// or has passed its deadline.
    pub(super) fn start(
        &self,
        ready: &mut Ready<I, T, E>,
        mut job: Box<Job<I, T, E>>,
        now: Instant,
    ) -> StartResult<I, T, E> {
        if job.handle_sender.as_ref().is_some_and(super::job::HandleSender::is_aborted) || self.is_closing() {
            return Err((job, JobError::CANCELLED));
        }
        let since = now - *job.started.get_or_insert(now);
        if let Some(deadline) =
            self.policy.time_limits.deadline.filter(|deadline| job.report.attempts > 0 && since >= *deadline)
        {
            return Err((job, JobError::DeadlinePassed { deadline, last: None }));
        }
        job.report.attempts += 1;
        if let Some(handle_sender) = &mut job.handle_sender {
            handle_sender.queue_permit = None;
        }
        let Ready { grant, current, .. } = ready;
        let meters = if grant.is_metered() { self.pool.with(|s| s.meters(self.run, grant.key)) } else { (None, None) };
        let JobReport { job: number, label, attempts, .. } = &job.report;
        let attempt = if let Some(current) = current {
            current.renew(|attempt| attempt.renew(*number, *attempts, grant.key, meters))
        } else {
            let attempt = Attempt::new(*number, *attempts, grant.key, meters, &self.shared);
            *current = Some(self.list(grant, attempt.clone()));
            attempt
        };
        let kind = EventKind::AttemptStarted { job: *number, label, attempt: *attempts };
        self.policy.tell(self.number(), kind);
        // A cancellation at the same time is seen here, or it sees the job that was just published.
        let is_aborted = job.handle_sender.as_ref().is_some_and(super::job::HandleSender::is_aborted);
        if is_aborted || self.phase() == Phase::Cancelled {
            attempt.cancel();
        }
        Ok((job, attempt, now))
    }

    /// Returns the input of a job for its next attempt: a copy if it may have another one. A panic in the user's `Clone` is
    /// a panic of the job.
    pub(super) fn input(&self, job: &mut Job<I, T, E>) -> Option<Result<I, JobError<E>>> {
        let Some(copy) = self.policy.copy else { return job.input.take().map(Ok) };
        let input = job.input.as_ref()?;
        let copied = catch_unwind(AssertUnwindSafe(|| copy(input)));
        Some(copied.map_err(|panic| JobError::Panicked(panic_message(&*panic))))
    }

    /// Records the end of an attempt and decides what follows. The time of a blocking attempt starts with its closure.
    pub(super) fn ended(
        &self,
        grant: &Grant,
        mut job: Box<Job<I, T, E>>,
        attempt: &Attempt,
        started: Instant,
        result: Result<T, JobError<E>>,
    ) -> AfterAttempt<I, T, E> {
        let at = Instant::now();
        let is_blocking = self.policy.time_limits.is_blocking;
        let began = if is_blocking { attempt.begun().unwrap_or(at) } else { started };
        job.report.running += at - began;
        (job.report.bytes, job.report.items) = attempt.advanced();
        job.report.stages.extend(attempt.spans());
        let error = match result {
            Ok(_) | Err(JobError::Cancelled { .. }) => {
                if result.is_ok() && grant.is_metered() {
                    self.pool.with(|scheduler| scheduler.succeeded(grant.key, job.report.bytes == 0));
                }
                let result = self.conclude(&mut job, result);
                return AfterAttempt::Over(job, result);
            }
            Err(error) => error,
        };
        let pause = job.key.and_then(|key| Some((key, self.policy.retry.pause(&error)?)));
        let wait = self.retry_in(&mut job, &error, at);
        let pressure = self.policy.pressure_of(&error, wait.is_some());
        if pressure != Pressure::None || pause.is_some() {
            self.slow_down(grant, pressure, pause, at);
        }
        self.tell_of_failure(&job.report, &error, wait);
        let Some(wait) = wait else {
            let result = self.conclude(&mut job, Err(error));
            return AfterAttempt::Over(job, result);
        };
        let failures = job.failures.get_or_insert_default();
        failures.last = error.into_last_failure().or(failures.last.take());
        self.again(grant, job, after(at, wait));
        AfterAttempt::Again
    }

    /// Counts the failure against the adaptive limits, and pauses the job's key if the failure asks for it.
    fn slow_down(&self, grant: &Grant, pressure: Pressure, pause: Option<(KeyId, Duration)>, now: Instant) {
        let paused = self.pool.with(|scheduler| {
            scheduler.pressed(self.run, grant.key, pressure);
            let (key, pause) = pause?;
            scheduler.pause_key(key, after(now, pause));
            Some((scheduler.name_of(key), pause))
        });
        if let Some((key, pause)) = paused {
            self.policy.tell(self.number(), EventKind::KeyPaused { key: &key, pause });
        }
    }

    /// Tells the observer of a failed attempt. `wait` is the time until the next attempt, if there is one.
    fn tell_of_failure(&self, report: &JobReport, error: &JobError<E>, wait: Option<Duration>) {
        if self.policy.observer.is_none() {
            return;
        }
        let text = self.policy.describe(error);
        let kind = EventKind::AttemptFailed {
            job: report.job,
            label: &report.label,
            attempt: report.attempts,
            error: text.as_deref().unwrap_or_default(),
            kind: self.policy.kind_of(error),
            retry_in: wait,
            bytes: report.bytes,
            items: report.items,
        };
        self.policy.tell(self.number(), kind);
    }

    /// Puts a job back to wait for its next attempt.
    fn again(&self, grant: &Grant, job: Box<Job<I, T, E>>, when: Instant) {
        let entry = job.entry(grant.id);
        let mut table = self.table();
        if let Some(slot) = table.jobs.get_mut(grant.id) {
            *slot = JobSlot::Waiting(job);
        }
        self.pool.with(|scheduler| scheduler.push_later(self.run, entry, when));
        let is_aborted = match table.jobs.get(grant.id) {
            Some(JobSlot::Waiting(job)) => {
                job.handle_sender.as_ref().filter(|handle_sender| handle_sender.is_aborted()).map(|_| job.report.job)
            }
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
        let waits = matches!(table.jobs.get(id), Some(JobSlot::Waiting(job)) if job.report.job == number);
        // If it was granted a slot already, the worker that starts it cancels it.
        if !waits || !self.pool.with(|scheduler| scheduler.remove(self.run, id)) {
            return;
        }
        let removed = table.jobs.remove(id);
        drop(table);
        if let JobSlot::Waiting(job) = removed {
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
            || job.handle_sender.as_ref().is_some_and(super::job::HandleSender::is_aborted)
        {
            return None;
        }
        let failures = job.failures.get_or_insert_default();
        let (got, furthest) = ((job.report.bytes, job.report.items), failures.furthest);
        if retry.resets(got, furthest) {
            failures.delays = None;
        }
        failures.furthest = (got.0.max(furthest.0), got.1.max(furthest.1));
        let since = job.started.map_or(Duration::ZERO, |started| now - started);
        let delays = failures.delays.get_or_insert_with(|| retry.delays());
        let wait = retry.next(error, &mut **delays, since)?;
        self.policy.time_limits.deadline.is_none_or(|limit| since.saturating_add(wait) < limit).then_some(wait)
    }

    /// Ends a job: counts it and tells the observer. Its slot and its place in the table stay taken.
    pub(super) fn conclude(&self, job: &mut Job<I, T, E>, result: Result<T, JobError<E>>) -> Result<T, JobError<E>> {
        let earlier = job.failures.take().and_then(|failures| failures.last);
        let result = result.map_err(|error| error.with_last(earlier));
        let started = job.started.unwrap_or_else(Instant::now);
        let Job { report, arrived, span, .. } = job;
        report.outcome = match &result {
            Ok(_) => Outcome::Succeeded,
            Err(JobError::Cancelled { .. }) => Outcome::Cancelled,
            Err(_) => Outcome::Failed,
        };
        report.started = started.saturating_duration_since(self.shared.started);
        report.queued = started.saturating_duration_since(*arrived);
        if let Err(error) = &result {
            self.policy.fill(report, error);
        }
        let failed = {
            let mut stats = self.stats();
            stats.report.count(report);
            if report.attempts > 0 {
                stats.queued.add(report.queued);
                stats.running.add(report.running);
            }
            stats.report.failed
        };
        if let Some(span) = span {
            span.attempts(report.attempts);
            span.outcome(report.kind.unwrap_or(match report.outcome {
                Outcome::Succeeded => "succeeded",
                Outcome::Failed => "failed",
                Outcome::Cancelled => "cancelled",
            }));
        }
        if report.outcome == Outcome::Failed && self.policy.stop_after.is_some_and(|most| failed >= most) {
            self.cancel_run();
        }
        self.policy.tell(self.number(), EventKind::JobFinished { report });
        result
    }

    /// Ends a job that holds no slot and is not in the table.
    pub(super) fn finish(&self, mut job: Box<Job<I, T, E>>, result: Result<T, JobError<E>>, reply: &Reply<I, T, E>) {
        let key = job.key;
        let result = self.conclude(&mut job, result);
        self.pool.with(|scheduler| scheduler.release_key(key));
        reply.deliver(job, result);
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
