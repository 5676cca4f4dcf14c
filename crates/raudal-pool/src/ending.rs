//! What the end of an attempt means: another one, or the end of its job.

use super::engine::{Engine, Pending, State};
use super::error::JobError;
use super::event::Event;
use super::report::{JobReport, Outcome};
use super::run::Completed;
use super::spawn::Ticket;
use super::worker::Ended;
use futures::Stream;
use std::fmt::Display;
use std::time::Duration;
use tokio::time::Instant;

impl<I, T, E, F, S> Engine<I, T, E, F, S>
where
    I: Clone,
    E: Display,
    S: Stream<Item = (I, Option<Ticket<T, E>>)>,
{
    /// Accounts for the end of an attempt; whether its job, or its key, waits now.
    pub(super) fn ended(
        &self,
        state: &mut State<I, T, E, S>,
        mut pending: Pending<I, T, E>,
        ended: Ended<T, E>,
    ) -> bool {
        let Ended { result, at, running, advanced, stages } = ended;
        pending.running += running;
        pending.advanced = advanced;
        pending.stages.extend(stages);
        state.queue.ended(pending.key.as_ref());
        let error = match &result {
            Ok(_) | Err(JobError::Cancelled) => {
                self.finish(state, pending, result);
                return false;
            }
            Err(error) => error,
        };
        if let (Some(failure), Some(key)) = (error.failure(), &pending.key)
            && let Some(pause) = self.settings.retry.pause(failure)
        {
            // What asks for longer than the clock can tell asks for ever; a day is as good.
            state.queue.pause(key, at + pause.min(Duration::from_secs(24 * 60 * 60)));
            self.settings.observer.observe(&Event::KeyPaused { key, pause });
        }
        let retry_in = self.retry_in(&mut pending, error, at);
        self.settings.observer.observe(&Event::AttemptFailed {
            job: pending.job,
            label: &pending.label,
            attempt: pending.attempts,
            error: &self.settings.describe(error),
            kind: self.settings.kind_of(error),
            retry_in,
            bytes: pending.advanced.0,
            items: pending.advanced.1,
        });
        match retry_in {
            Some(wait) => state.queue.push_later(pending, at + wait),
            None => self.finish(state, pending, result),
        }
        true
    }

    /// The wait before the next attempt, if there is to be one.
    fn retry_in(&self, pending: &mut Pending<I, T, E>, error: &JobError<E>, now: Instant) -> Option<Duration> {
        let retry = &self.settings.retry;
        if matches!(error, JobError::Panicked(_) | JobError::DeadlinePassed(_))
            || self.is_closing()
            || pending.ticket.as_ref().is_some_and(|ticket| !ticket.pause())
        {
            return None;
        }
        if retry.resets(pending.advanced, pending.furthest) {
            pending.delays = None;
        }
        let (got, furthest) = (pending.advanced, pending.furthest);
        pending.furthest = (got.0.max(furthest.0), got.1.max(furthest.1));
        let since = pending.started.map_or(Duration::ZERO, |started| now - started);
        let delays = pending.delays.get_or_insert_with(|| retry.delays());
        let wait = retry.next(error.failure(), &mut **delays, since)?;
        self.settings.deadline.is_none_or(|limit| since + wait < limit).then_some(wait)
    }

    pub(super) fn finish(
        &self,
        state: &mut State<I, T, E, S>,
        pending: Pending<I, T, E>,
        result: Result<T, JobError<E>>,
    ) {
        let (outcome, failure) = match &result {
            Ok(_) => (Outcome::Succeeded, None),
            Err(JobError::Cancelled) => (Outcome::Cancelled, None),
            Err(error) => (Outcome::Failed, Some(error)),
        };
        let started = pending.started.unwrap_or_else(Instant::now);
        let report = JobReport {
            job: pending.job,
            label: pending.label,
            outcome,
            attempts: pending.attempts,
            started: started - state.started,
            queued: started - pending.pulled,
            running: pending.running,
            bytes: pending.advanced.0,
            items: pending.advanced.1,
            kind: failure.map(|error| self.settings.kind_of(error)),
            error: failure.map(|error| self.settings.describe(error)),
            stages: pending.stages,
        };
        state.count(&report);
        self.settings.observer.observe(&Event::JobFinished { report: &report });
        if self.settings.stop_after.is_some_and(|most| state.report.failed >= most) {
            self.cancel.cancel();
        }
        match pending.ticket {
            Some(ticket) => ticket.deliver(result),
            // Nobody listens any more when the run was dropped.
            None => drop(self.results.send(Completed { job: report.job, result, report })),
        }
    }
}

impl<I, T, E, S> State<I, T, E, S> {
    fn count(&mut self, job: &JobReport) {
        self.report.count(job);
        if job.attempts > 0 {
            self.queued_times.add(job.queued);
            self.running_times.add(job.running);
        }
    }
}
