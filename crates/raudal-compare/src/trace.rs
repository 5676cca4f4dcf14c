//! Writes a timeline for Perfetto (<https://ui.perfetto.dev>) and `chrome://tracing`, as JSON in
//! the Trace Event Format.

use super::comparison::{Comparison, Measured};
use super::export::conditions_json;
use super::timeline::{Bar, Chart, PieceKind, Track, name};
use super::turn::jobs;
use raudal_common::{Error, Result};
use serde_json::{Value, json};
use std::time::Duration;

/// Returns the median run of each level as trace events. Times are in microseconds.
///
/// - Each level is a process. All begin at 0, so that they can be compared.
/// - Each slot is a thread.
/// - Each job is a complete event (`X`) with its number, attempts, bytes, items and times as
///   `args`. Each of its stages is a complete event inside it.
/// - A counter shows the jobs in flight.
/// - Each host whose limit was set has a counter, `limit HOST`, and an instant event (`i`) for each
///   change, with the reason.
///
/// `otherData` holds the conditions. A job is put into the first slot that was free when it began. Without job reports, there is one
/// event for the whole run.
pub fn to_trace(comparison: &Comparison) -> Result<String> {
    let mut events = Vec::new();
    let chart = Chart::of(comparison);
    for (pid, level) in (1_usize..).zip(&comparison.levels) {
        let Some(run) = level.median_run() else { continue };
        let title = format!("{}: {}", comparison.workload, jobs(level.jobs));
        events.push(metadata("process_name", pid, 0, &json!({ "name": title })));
        events.push(metadata("process_sort_index", pid, 0, &json!({ "sort_index": pid })));
        let args = json!({ "turn": run.turn, "wall_seconds": run.wall.as_secs_f64() });
        events.push(complete("run", "run", pid, 0, (Duration::ZERO, run.wall), args));
        events.push(metadata("thread_name", pid, 0, &json!({ "name": "run" })));
        events.extend(limits(run, pid));
        let Some(chart) = &chart else { continue };
        if let Some(track) = chart.levels.iter().find(|track| track.jobs == level.jobs) {
            add_track(&mut events, chart, track, pid);
        }
    }
    let document = json!({
        "displayTimeUnit": "ms",
        "otherData": {
            "workload": comparison.workload,
            "digest": comparison.digest,
            "conditions": conditions_json(comparison),
        },
        "traceEvents": events,
    });
    let json = serde_json::to_string(&document)
        .map_err(|e| Error::new(raudal_common::Kind::Internal, "cannot write the trace as JSON").because(e))?;
    Ok(json + "\n")
}

fn add_track(events: &mut Vec<Value>, chart: &Chart<'_>, track: &Track<'_>, pid: usize) {
    for lane in 0..track.lanes {
        events.push(metadata("thread_name", pid, lane + 1, &json!({ "name": format!("slot {}", lane + 1) })));
    }
    for bar in &track.bars {
        let job = bar.job;
        let args = json!({
            "job": job.job,
            "attempts": job.attempts,
            "bytes": job.bytes,
            "items": job.items,
            "queued_seconds": job.queued.as_secs_f64(),
            "running_seconds": job.running.as_secs_f64(),
        });
        events.push(complete(&job.label, "job", pid, bar.lane + 1, (job.started, bar.end), args));
        events.extend(stages(chart, bar, pid));
    }
    for (time, count) in track.in_flight() {
        events.push(json!({
            "ph": "C", "name": "in flight", "pid": pid, "tid": 0, "ts": micros(time), "args": { "jobs": count }
        }));
    }
}

/// Returns two events for each change of a limit: a step of the host's counter, and an instant
/// event with the reason.
fn limits(run: &Measured, pid: usize) -> impl Iterator<Item = Value> {
    run.limits.iter().flat_map(move |change| {
        let ts = micros(change.at);
        let name = format!("limit {}", change.key);
        let args = json!({ "host": change.key, "limit": change.limit, "why": change.why });
        [
            json!({ "ph": "C", "name": name, "pid": pid, "tid": 0, "ts": ts, "args": { "limit": change.limit } }),
            json!({ "ph": "i", "name": change.why, "cat": "limit", "s": "p", "pid": pid, "tid": 0, "ts": ts, "args": args }),
        ]
    })
}

fn stages(chart: &Chart<'_>, bar: &Bar<'_>, pid: usize) -> Vec<Value> {
    // A job holds no slot while it is queued, so that time is left out.
    let inside = bar.pieces.iter().filter(|piece| matches!(piece.kind, PieceKind::Stage(_) | PieceKind::Pause));
    let event = |piece: &super::timeline::StagePiece| {
        let stage = name(piece.kind, &chart.stages);
        complete(&stage, "stage", pid, bar.lane + 1, (piece.start, piece.end), json!({ "job": bar.job.job }))
    };
    inside.map(event).collect()
}

fn metadata(what: &str, pid: usize, tid: usize, args: &Value) -> Value {
    json!({ "ph": "M", "name": what, "pid": pid, "tid": tid, "args": args })
}

fn complete(
    name: &str,
    category: &str,
    pid: usize,
    tid: usize,
    (start, end): (Duration, Duration),
    args: Value,
) -> Value {
    // Both ends are truncated to whole microseconds, so that nested events stay nested after
    // rounding.
    let (ts, end) = (micros(start), micros(end));
    let mut event = json!({ "ph": "X", "name": name, "cat": category, "pid": pid, "tid": tid, "ts": ts });
    event["dur"] = json!(end.saturating_sub(ts));
    event["args"] = args;
    event
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{comparison, level, limit, run, staged};
    use raudal_pipeline::Jobs;

    fn events(comparison: &Comparison) -> Vec<Value> {
        let trace: Value = serde_json::from_str(&to_trace(comparison).unwrap()).unwrap();
        trace["traceEvents"].as_array().unwrap().clone()
    }

    #[test]
    fn each_level_is_a_process_each_slot_a_thread_and_stages_lie_within_jobs() {
        let stages = |at: u64| [("fetch", at + 300), ("decode", at + 400)];
        let one = run(1, vec![staged(0, 0, &stages(0)), staged(1, 400, &stages(400))]);
        let two = run(2, vec![staged(0, 0, &stages(0)), staged(1, 0, &stages(0))]);
        let comparison = comparison(vec![level(1, vec![one]), level(2, vec![two])]);
        let events = events(&comparison);
        let of = |ph: &str, cat: &str| -> Vec<&Value> {
            events.iter().filter(|e| e["ph"] == ph && (cat.is_empty() || e["cat"] == cat)).collect()
        };
        let names: Vec<&Value> =
            of("M", "").into_iter().filter(|e| e["name"] == "process_name").map(|e| &e["args"]["name"]).collect();
        assert_eq!(names, ["fake: 1 job", "fake: 2 jobs"]);
        let jobs: Vec<_> =
            of("X", "job").iter().map(|e| (e["pid"].clone(), e["tid"].clone(), e["ts"].clone())).collect();
        let expected = [(1, 1, 0), (1, 1, 400_000), (2, 1, 0), (2, 2, 0)];
        assert_eq!(jobs, expected.map(|(pid, tid, ts)| (json!(pid), json!(tid), json!(ts))));
        let stage = of("X", "stage")[1];
        assert_eq!((&stage["name"], &stage["ts"], &stage["dur"]), (&json!("decode"), &json!(300_000), &json!(100_000)));
        let peak = of("C", "").iter().map(|e| e["args"]["jobs"].as_u64().unwrap()).max();
        assert_eq!(peak, Some(2));
    }

    #[test]
    fn each_change_of_a_limit_is_a_step_of_a_counter_and_an_event_with_its_reason() {
        let mut auto = run(1, vec![staged(0, 0, &[("fetch", 300)])]);
        auto.limits = vec![limit(0, 4, "to begin with"), limit(20, 8, "no data has arrived yet")];
        let events = events(&comparison(vec![level(Jobs::Auto, vec![auto])]));
        let of = |ph: &str| -> Vec<&Value> {
            let is_limit = |e: &&Value| e["ph"] == ph && (e["cat"] == "limit" || e["args"]["limit"].is_u64());
            events.iter().filter(is_limit).collect()
        };
        let counter: Vec<_> = of("C").iter().map(|e| (e["ts"].clone(), e["args"].clone())).collect();
        assert_eq!(counter, [(json!(0), json!({ "limit": 4 })), (json!(20_000), json!({ "limit": 8 }))]);
        assert!(of("C").iter().all(|e| e["name"] == "limit https://a.example:443"));
        let last = of("i")[1];
        assert_eq!((&last["name"], &last["ts"]), (&json!("no data has arrived yet"), &json!(20_000)));
        assert_eq!(
            last["args"],
            json!({ "host": "https://a.example:443", "limit": 8, "why": "no data has arrived yet" })
        );
    }

    #[test]
    fn without_job_reports_a_run_is_one_event() {
        let mut bare = run(1, Vec::new());
        bare.wall = Duration::from_millis(7);
        let events = events(&comparison(vec![level(1, vec![bare])]));
        let spans: Vec<&Value> = events.iter().filter(|e| e["ph"] == "X").collect();
        assert_eq!((spans.len(), &spans[0]["dur"]), (1, &json!(7000)));
    }
}
