//! Follows a run from any machine, for people.

use super::broker::{Broker, no_run, parse_record};
use super::events::{Events, Next};
use super::protocol::{Event, State, Written, run_key};
use async_nats::jetstream::kv::Operation;
use raudal_common::{Result, units};
use std::collections::HashSet;
use std::time::Duration;

/// How often the state of the run is looked at.
const LOOK: Duration = Duration::from_millis(500);

/// Follows a run until all of its chunks are done, or it is cancelled or forgotten. Calls the
/// function with each line for people.
///
/// # Errors
///
/// A usage error if there is no such run; or if the broker does not answer at the start.
pub async fn watch(broker: &Broker, run: &str, mut show: impl FnMut(&str)) -> Result<()> {
    let record = broker.record(run).await?.ok_or_else(|| no_run(run))?;
    let mut events = Events::new(broker, run);
    let mut seen = Seen { all: record.chunks, done: HashSet::new(), failed: 0 };
    let mut look = tokio::time::interval(LOOK);
    while seen.done.len() < record.chunks as usize {
        let next = tokio::select! {
            next = events.next() => next,
            _ = look.tick() => match end(broker, run).await {
                Some(words) => {
                    show(words);
                    return Ok(());
                }
                None => continue,
            },
        };
        seen.take(next).iter().for_each(|line| show(line));
    }
    Ok(())
}

/// Says how a run has ended, if it has.
async fn end(broker: &Broker, run: &str) -> Option<&'static str> {
    match broker.kv.entry(run_key(run)).await {
        Ok(Some(entry)) if entry.operation != Operation::Put => Some("the run is over, and was forgotten"),
        Ok(Some(entry)) if parse_record(&entry.value).is_ok_and(|now| now.state == State::Cancelled) => {
            Some("the run was cancelled")
        }
        _ => None,
    }
}

/// What was seen of a run.
struct Seen {
    all: u32,
    done: HashSet<u32>,
    failed: u64,
}

impl Seen {
    /// Returns the lines about what has happened.
    fn take(&mut self, next: Next) -> Vec<String> {
        let line = match next {
            Next::Event(Event::Part(written)) => return self.part(written),
            Next::Event(Event::Refused { worker, reason }) => format!("{worker}: {reason}"),
            Next::Event(Event::Aside { subject, worker, reason }) => {
                format!("{worker} set a message aside: {subject}: {reason}")
            }
            Next::Event(Event::Paused { host, ms, .. }) => {
                format!("{host} asked for a pause of {}", units::duration(Duration::from_millis(ms)))
            }
            Next::Event(Event::Redo { chunk }) => {
                self.done.remove(&chunk);
                format!("chunk {chunk} is done again")
            }
            Next::Unreadable(reason) => format!("an event that cannot be read was left out: {reason}"),
            Next::Gone => "the broker has lost the events of the run".to_owned(),
        };
        vec![line]
    }

    fn part(&mut self, written: Written) -> Vec<String> {
        let Written { chunk, worker, inputs, failed, rows, bytes, ms, errors } = written;
        self.done.insert(chunk);
        self.failed += failed;
        let more = failed.saturating_sub(errors.len() as u64);
        let mut lines: Vec<String> =
            errors.into_iter().map(|error| format!("error: {}", error.into_error().report())).collect();
        if more > 0 {
            lines.push(format!("error: … and {more} more in this chunk"));
        }
        let (bytes, took) = (units::bytes(bytes), units::duration(Duration::from_millis(ms)));
        lines.push(format!(
            "chunk {chunk} by {worker} in {took}: inputs {inputs}, rows {rows}, {bytes}; {} of {} chunks done, {} failed",
            self.done.len(),
            self.all,
            self.failed
        ));
        lines
    }
}
