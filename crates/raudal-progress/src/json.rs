//! Writes events as JSON, one object a line: pure values in, text out. The crate's documentation
//! has the schema.

use super::peers::Peer;
use raudal_common::units::date;
use raudal_pool::{Event, EventKind, JobReport, RunReport};
use serde::Serialize;
use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

/// A job's `advanced` lines are at least this far apart: a reader wants a curve, not every read of
/// a socket.
const APART: Duration = Duration::from_millis(100);

/// One line of the output.
#[derive(Serialize)]
struct JsonLine<'a> {
    #[serde(flatten)]
    fields: EventFields<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    run: Option<u64>,
    t: f64,
    time: String,
}

/// The name of an event and its own fields.
#[derive(Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum EventFields<'a> {
    RunStarted {
        schema: &'static str,
        total: Option<u64>,
        jobs: usize,
    },
    AttemptStarted {
        job: u64,
        label: &'a str,
        attempt: u32,
    },
    Stage {
        job: u64,
        stage: &'a str,
    },
    Expected {
        job: u64,
        bytes: u64,
    },
    Advanced {
        job: u64,
        bytes: u64,
        items: u64,
    },
    AttemptFailed {
        job: u64,
        label: &'a str,
        attempt: u32,
        error: &'a str,
        kind: &'static str,
        retry_in_seconds: Option<f64>,
        bytes: u64,
        items: u64,
    },
    KeyPaused {
        key: &'a str,
        pause_seconds: f64,
    },
    LimitChanged {
        key: &'a str,
        limit: usize,
        why: &'a str,
    },
    Worker {
        worker: &'a str,
        host: &'a str,
        running: usize,
        inputs: u64,
        failed: u64,
        rows: u64,
        bytes: u64,
    },
    JobFinished {
        job: u64,
        report: &'a JobReport,
    },
    RunFinished {
        report: &'a RunReport,
    },
    Message {
        level: &'a str,
        text: &'a str,
    },
}

/// The schema of the lines. Fields are added under the same number; none is renamed or removed.
const SCHEMA: &str = "raudal.events/1";

/// Returns the line that says how many lines were left out because the reader was too slow. It has
/// no time: it stands where they are missing.
pub(super) fn lost(lines: u64) -> String {
    format!("{{\"event\":\"lost\",\"lines\":{lines}}}\n")
}

/// Turns events into lines, and collects `advanced` events so that a job has few such lines.
#[derive(Debug)]
pub(super) struct JsonEncoder {
    /// The date of the moment from which `now` counts.
    zero: SystemTime,
    started: Duration,
    /// How many runs have begun. `open` maps the number of each current run to its number in the
    /// output.
    runs: u64,
    open: BTreeMap<u64, u64>,
    /// Progress that no line has told yet, by run number and job number.
    pending: BTreeMap<(u64, u64), PendingAdvance>,
    /// The last state that was written of each peer.
    peers: Vec<Peer>,
}

/// The progress of a job since its last `advanced` line.
#[derive(Debug, Default)]
struct PendingAdvance {
    bytes: u64,
    items: u64,
    last: Option<Duration>,
}

impl PendingAdvance {
    fn is_due(&self, now: Duration) -> bool {
        (self.bytes > 0 || self.items > 0) && self.last.is_none_or(|last| now.saturating_sub(last) >= APART)
    }
}

impl JsonEncoder {
    pub(super) fn new(zero: SystemTime) -> Self {
        Self {
            zero,
            started: Duration::ZERO,
            runs: 0,
            open: BTreeMap::new(),
            pending: BTreeMap::new(),
            peers: Vec::new(),
        }
    }

    /// Returns the lines for an event, each with its line end.
    pub(super) fn event(&mut self, event: &Event<'_>, now: Duration) -> String {
        let mut out = String::new();
        if let Some(fields) = self.fields(event, now, &mut out) {
            self.line(Some(event.run), fields, now, &mut out);
        }
        if matches!(event.kind, EventKind::RunFinished { .. }) {
            self.open.remove(&event.run);
        }
        out
    }

    /// Returns the fields of the line for an event, if it gets one. Writes the lines that must come before.
    fn fields<'a>(&mut self, event: &Event<'a>, now: Duration, out: &mut String) -> Option<EventFields<'a>> {
        let run = event.run;
        Some(match event.kind {
            EventKind::RunStarted { total, jobs } => {
                if self.open.is_empty() {
                    self.started = now;
                }
                self.runs += 1;
                self.open.insert(run, self.runs);
                EventFields::RunStarted { schema: SCHEMA, total, jobs }
            }
            EventKind::Advanced { job, bytes, items } => {
                let pending = self.pending.entry((run, job)).or_default();
                pending.bytes += bytes;
                pending.items += items;
                if pending.is_due(now) {
                    self.flush((run, job), now, out);
                }
                return None;
            }
            EventKind::AttemptStarted { job, label, attempt } => {
                self.flush((run, job), now, out);
                EventFields::AttemptStarted { job, label, attempt }
            }
            EventKind::Stage { job, stage } => {
                self.flush((run, job), now, out);
                EventFields::Stage { job, stage }
            }
            EventKind::Expected { job, bytes } => {
                self.flush((run, job), now, out);
                EventFields::Expected { job, bytes }
            }
            EventKind::AttemptFailed { job, label, attempt, error, kind, retry_in, bytes, items } => {
                self.flush((run, job), now, out);
                let retry_in_seconds = retry_in.map(|wait| wait.as_secs_f64());
                EventFields::AttemptFailed { job, label, attempt, error, kind, retry_in_seconds, bytes, items }
            }
            EventKind::LimitChanged { key, limit, why } => EventFields::LimitChanged { key, limit, why },
            EventKind::KeyPaused { key, pause } => EventFields::KeyPaused { key, pause_seconds: pause.as_secs_f64() },
            EventKind::JobFinished { report } => {
                self.flush((run, report.job), now, out);
                self.pending.remove(&(run, report.job));
                EventFields::JobFinished { job: report.job, report }
            }
            EventKind::RunFinished { report } => {
                let pending: Vec<(u64, u64)> = self.pending.keys().filter(|job| job.0 == run).copied().collect();
                for job in pending {
                    self.flush(job, now, out);
                    self.pending.remove(&job);
                }
                EventFields::RunFinished { report }
            }
            _ => return None,
        })
    }

    /// Returns the lines that are due without a new event; with `all`, all pending progress.
    pub(super) fn pass(&mut self, now: Duration, all: bool) -> String {
        let mut out = String::new();
        let due: Vec<(u64, u64)> =
            self.pending.iter().filter(|(_, pending)| all || pending.is_due(now)).map(|(job, _)| *job).collect();
        for job in due {
            self.flush(job, now, &mut out);
        }
        out
    }

    /// Returns a line for each peer that has changed.
    pub(super) fn peers(&mut self, peers: &[Peer], now: Duration) -> String {
        let mut out = String::new();
        let run = self.open.keys().next_back().copied();
        for peer in peers.iter().filter(|peer| !self.peers.contains(peer)) {
            let Peer { name, host, running, inputs, failed, rows, bytes } = peer;
            let (running, inputs, failed, rows, bytes) = (*running, *inputs, *failed, *rows, *bytes);
            self.line(
                run,
                EventFields::Worker { worker: name, host, running, inputs, failed, rows, bytes },
                now,
                &mut out,
            );
        }
        self.peers = peers.to_vec();
        out
    }

    /// Returns the line for a message that is not an event.
    pub(super) fn message(&self, level: &str, text: &str, now: Duration) -> String {
        let mut out = String::new();
        self.line(None, EventFields::Message { level, text }, now, &mut out);
        out
    }

    fn flush(&mut self, job: (u64, u64), now: Duration, out: &mut String) {
        let Some(pending) = self.pending.get_mut(&job) else { return };
        let (bytes, items) = (std::mem::take(&mut pending.bytes), std::mem::take(&mut pending.items));
        if bytes > 0 || items > 0 {
            pending.last = Some(now);
            self.line(Some(job.0), EventFields::Advanced { job: job.1, bytes, items }, now, out);
        }
    }

    fn line(&self, run: Option<u64>, fields: EventFields<'_>, now: Duration, out: &mut String) {
        let t = (now.saturating_sub(self.started).as_secs_f64() * 1e3).round() / 1e3;
        let time = date(self.zero.checked_add(now).unwrap_or(self.zero));
        // A line holds only strings and numbers, so writing it cannot fail.
        if let Ok(json) =
            serde_json::to_string(&JsonLine { fields, run: run.and_then(|run| self.open.get(&run).copied()), t, time })
        {
            *out += &json;
            out.push('\n');
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    #[test]
    fn an_event_is_an_object_on_one_line() {
        let mut encoder = JsonEncoder::new(SystemTime::UNIX_EPOCH);
        encoder.event(&Event::new(1, EventKind::RunStarted { total: None, jobs: 8 }), at(1000));
        let begun = Event::new(1, EventKind::AttemptStarted { job: 0, label: "a\n\"b\"", attempt: 1 });
        assert_eq!(
            encoder.event(&begun, at(1123)),
            "{\"event\":\"attempt_started\",\"job\":0,\"label\":\"a\\n\\\"b\\\"\",\"attempt\":1,\"run\":1,\"t\":0.123,\
             \"time\":\"1970-01-01T00:00:01.123Z\"}\n"
        );
        assert_eq!(
            encoder.message("note", "hello", at(2000)),
            "{\"event\":\"message\",\"level\":\"note\",\"text\":\"hello\",\"t\":1.0,\
             \"time\":\"1970-01-01T00:00:02.000Z\"}\n"
        );
    }

    #[test]
    fn advances_are_gathered_and_their_sum_is_exact_at_the_next_event_of_the_job() {
        let mut encoder = JsonEncoder::new(SystemTime::UNIX_EPOCH);
        let mut lines = String::new();
        for millisecond in 0..1000 {
            lines +=
                &encoder.event(&Event::new(1, EventKind::Advanced { job: 7, bytes: 3, items: 1 }), at(millisecond));
            lines +=
                &encoder.event(&Event::new(1, EventKind::Advanced { job: 8, bytes: 1, items: 0 }), at(millisecond));
        }
        assert!(lines.lines().count() <= 22, "{lines}");
        lines += &encoder.event(&Event::new(1, EventKind::Stage { job: 7, stage: "decode" }), at(1000));
        let sum: u64 = lines
            .lines()
            .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
            .filter(|line| line["event"] == "advanced" && line["job"] == 7)
            .map(|line| line["bytes"].as_u64().unwrap())
            .sum();
        assert_eq!(sum, 3000);
        assert!(lines.lines().last().unwrap().contains("decode"));
        assert!(encoder.pass(at(999), false).is_empty(), "job 8 spoke less than a tenth of a second ago");
        assert!(encoder.pass(at(1100), false).contains("\"job\":8"));
    }

    #[test]
    fn lines_of_two_runs_at_once_can_be_told_apart_and_neither_ends_the_other() {
        let mut encoder = JsonEncoder::new(SystemTime::UNIX_EPOCH);
        let mut lines = String::new();
        let report = RunReport::default();
        for (run, kind, millisecond) in [
            (17, EventKind::RunStarted { total: None, jobs: 1 }, 0),
            (12, EventKind::RunStarted { total: None, jobs: 1 }, 10),
            (17, EventKind::Advanced { job: 0, bytes: 1, items: 0 }, 20),
            (12, EventKind::Advanced { job: 0, bytes: 1, items: 0 }, 20),
            (17, EventKind::Advanced { job: 0, bytes: 2, items: 0 }, 30),
            (12, EventKind::Advanced { job: 0, bytes: 4, items: 0 }, 30),
            (17, EventKind::RunFinished { report: &report }, 40),
            (12, EventKind::RunFinished { report: &report }, 50),
        ] {
            lines += &encoder.event(&Event::new(run, kind), at(millisecond));
        }
        let mut sums = BTreeMap::new();
        let mut order = Vec::new();
        for line in lines.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()) {
            let run = line["run"].as_u64().unwrap();
            match line["event"].as_str().unwrap() {
                "advanced" => *sums.entry(run).or_insert(0) += line["bytes"].as_u64().unwrap(),
                event => order.push((event.to_owned(), run, line["t"].as_f64().unwrap())),
            }
        }
        assert_eq!(sums, BTreeMap::from([(1, 3), (2, 5)]));
        let expected =
            [("run_started", 1, 0.0), ("run_started", 2, 0.01), ("run_finished", 1, 0.04), ("run_finished", 2, 0.05)];
        assert_eq!(order, expected.map(|(event, run, t)| (event.to_owned(), run, t)));
    }
}
