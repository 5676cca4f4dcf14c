//! Words messages and the status line for people: pure values in, text out.

use super::fit::fit;
use super::model::Model;
use super::style::Verbosity;
use raudal_common::error::printable;
use raudal_common::units;
use raudal_pool::{Event, EventKind, Outcome};
use std::time::Duration;
use unicode_width::UnicodeWidthStr as _;

/// How much a message matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MessageLevel {
    /// Always shown.
    Error,
    /// Shown unless quiet.
    Note,
    /// Shown when verbose.
    Detail,
}

impl MessageLevel {
    pub(super) fn is_shown(self, verbosity: Verbosity) -> bool {
        match self {
            Self::Error => true,
            Self::Note => verbosity >= Verbosity::Normal,
            Self::Detail => verbosity >= Verbosity::Verbose,
        }
    }

    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Note => "note",
            Self::Detail => "detail",
        }
    }
}

/// Returns the line that an event writes, if it writes one.
pub(super) fn message(event: &Event<'_>) -> Option<(MessageLevel, String)> {
    match &event.kind {
        EventKind::JobFinished { report } if report.outcome == Outcome::Failed => {
            let reason = report.error.as_deref().or(report.kind).unwrap_or("failed");
            let tries = if report.attempts > 1 { format!(" ({} tries)", report.attempts) } else { String::new() };
            // The summary at the end names every failure, so this line is only a detail.
            Some((MessageLevel::Detail, format!("{}{tries}", about(&report.label, reason))))
        }
        EventKind::AttemptFailed { label, attempt, error, retry_in: Some(wait), .. } => {
            let again = format!("attempt {attempt} failed, retry in {}: {error}", units::duration(*wait));
            Some((MessageLevel::Detail, about(label, &again)))
        }
        EventKind::KeyPaused { key, pause } => {
            Some((MessageLevel::Detail, about(key, &format!("held back for {}", units::duration(*pause)))))
        }
        EventKind::LimitChanged { key, limit, why } => {
            Some((MessageLevel::Detail, about(key, &format!("at most {limit} at a time: {why}"))))
        }
        _ => None,
    }
}

/// Joins `label: reason`, or returns the reason alone if it begins with the label. Both come from
/// outside.
fn about(label: &str, reason: &str) -> String {
    let (label, reason) = (printable(label), printable(reason));
    let is_named = reason.strip_prefix(&label).is_some_and(|rest| rest.is_empty() || rest.starts_with(':'));
    if is_named { reason } else { format!("{label}: {reason}") }
}

/// A part of the status line and its rank: 0 is never left out, the highest rank goes first.
pub(super) struct StatusPart(u8, String);

/// Says how many lines were left out because the reader was too slow.
pub(super) fn lost(lines: u64) -> String {
    format!("warning: the reader of these messages is too slow; lines left out: {lines}\n")
}

/// Returns the state of the run: `12/32 done, 1 failed, 3 in flight, 14.2 MB, 7.1 MB/s, 4 s left`.
pub(super) fn status(model: &Model, now: Duration) -> String {
    join(&parts(model, now))
}

fn join(parts: &[StatusPart]) -> String {
    parts.iter().map(|part| part.1.as_str()).collect::<Vec<_>>().join(", ")
}

pub(super) fn parts(model: &Model, now: Duration) -> Vec<StatusPart> {
    let done = model.done();
    let mut parts = vec![StatusPart(
        0,
        match model.total {
            Some(total) => format!("{done}/{total} done"),
            None => format!("{done} done"),
        },
    )];
    if model.failed > 0 {
        parts.push(StatusPart(1, format!("{} failed", model.failed)));
    }
    // On a terminal, the rows show this too.
    let in_flight = model.in_flight();
    parts.push(StatusPart(
        6,
        match model.peers.len() {
            0 => format!("{in_flight} in flight"),
            1 => "1 worker".to_owned(),
            workers => format!("{workers} workers"),
        },
    ));
    let waiting = model.jobs.len() - in_flight;
    if waiting > 0 {
        parts.push(StatusPart(5, format!("{waiting} waiting")));
    }
    parts.extend(amount(model.bytes, model.items).map(|amount| StatusPart(3, amount)));
    parts.extend(model.speed(now).filter(|_| model.bytes > 0).map(|speed| StatusPart(4, units::rate(speed))));
    parts.extend(model.remaining(now).map(|time| StatusPart(2, format!("{} left", units::countdown(time)))));
    let latest = model.pauses.iter().filter(|(_, until)| **until > now).max_by_key(|(_, until)| **until);
    parts.extend(latest.map(|(key, until)| {
        let left = units::countdown(until.saturating_sub(now));
        StatusPart(7, format!("{} held back for {left}", printable(key)))
    }));
    parts
}

/// Joins the parts that fit into a width; the least important ones are dropped first.
pub(super) fn status_within(mut parts: Vec<StatusPart>, width: usize) -> String {
    while join(&parts).width() > width {
        let least = parts.iter().enumerate().max_by_key(|(_, part)| part.0).filter(|(_, part)| part.0 > 0);
        let Some((least, _)) = least else { break };
        parts.remove(least);
    }
    fit(&join(&parts), width)
}

pub(super) fn amount(bytes: u64, items: u64) -> Option<String> {
    match (bytes, items) {
        (0, 0) => None,
        (0, items) => Some(format!("{items} items")),
        (bytes, _) => Some(units::bytes(bytes)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_retry_is_a_detail_whatever_the_failure() {
        for kind in ["status", "reset", "timeout", "panic"] {
            let event = Event::new(
                1,
                EventKind::AttemptFailed {
                    job: 0,
                    label: "a",
                    attempt: 2,
                    error: "why",
                    kind,
                    retry_in: Some(Duration::from_millis(500)),
                    bytes: 0,
                    items: 0,
                },
            );
            let line = "a: attempt 2 failed, retry in 500 ms: why".to_owned();
            assert_eq!(message(&event), Some((MessageLevel::Detail, line)), "{kind}");
        }
    }

    #[test]
    fn control_characters_from_outside_are_escaped() {
        let event = Event::new(
            1,
            EventKind::AttemptFailed {
                job: 0,
                label: "a\u{1b}[2J",
                attempt: 1,
                error: "odd\r\nname",
                kind: "status",
                retry_in: Some(Duration::from_millis(500)),
                bytes: 0,
                items: 0,
            },
        );
        let (level, line) = message(&event).unwrap();
        assert_eq!(level, MessageLevel::Detail);
        assert_eq!(line, "a\\u{1b}[2J: attempt 1 failed, retry in 500 ms: odd\\r\\nname");
    }
}
