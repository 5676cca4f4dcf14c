//! Draws bars: the lines of one frame, as text. Pure.

use super::fit::{fit, pad};
use super::lines::{amount, parts, status_within};
use super::model::{JobView, Model};
use raudal_common::error::printable;
use raudal_common::units;
use std::time::Duration;
use unicode_width::UnicodeWidthStr as _;

/// The most job bars; more would only flicker.
pub(super) const MOST_ROWS: usize = 8;
/// A label has at most `LABEL` columns. Other columns are dropped before it is cut below
/// `LABEL_LEAST`.
const LABEL: usize = 36;
const LABEL_LEAST: usize = 12;

/// Returns the lines to draw: a row for each of the oldest jobs, and the whole run on the last
/// line.
///
/// No line is wider than `width` columns and there are at most `height` of them, whatever the
/// labels are.
pub(super) fn frame(model: &Model, now: Duration, width: usize, height: usize, colours: bool) -> Vec<String> {
    // A full last column would leave the cursor of some terminals on the next line.
    let width = width.saturating_sub(1);
    let bar_width = match width {
        0..40 => 0,
        40..70 => 10,
        _ => 20,
    };
    let text_width = if bar_width == 0 { width } else { width - bar_width - 1 };
    // One line is for the total, one for the number of hidden rows.
    let room = MOST_ROWS.min(height.saturating_sub(2));
    let rows: Vec<(JobRow, Option<RowBar>)> = if model.peers.is_empty() {
        let mut jobs: Vec<&JobView> = model.jobs.values().collect();
        jobs.sort_by_key(|job| job.since);
        let share = |job: &JobView| RowBar { runs: job.waiting.is_none(), share: job.share() };
        jobs.into_iter().map(|job| (JobRow::of(job, now), Some(share(job)))).collect()
    } else {
        // Nobody knows how much is left for a peer, so it has no bar.
        model.peers.iter().map(|peer| (JobRow(peer.texts(now)), None)).collect()
    };
    let hidden = rows.len().saturating_sub(room);
    let (rows, shares): (Vec<JobRow>, Vec<Option<RowBar>>) = rows.into_iter().take(room).unzip();
    let indent = if bar_width == 0 { 0 } else { bar_width + 1 };
    let texts = columns(&rows, text_width);
    let mut lines: Vec<String> = shares
        .iter()
        .zip(texts)
        .map(|(share, text)| match share {
            Some(RowBar { runs, share }) => with_bar(bar_width, *runs, *share, now, &text, colours),
            None => format!("{:indent$}{text}", ""),
        })
        .collect();
    if hidden > 0 && height > 1 {
        lines.push(fit(&format!("{:indent$}+{hidden} more", ""), width));
    }
    let total = status_within(parts(model, now), text_width);
    lines.push(with_bar(bar_width, true, model.share(), now, &total, colours));
    lines
}

/// What the bar of a row shows.
struct RowBar {
    runs: bool,
    share: Option<f64>,
}

/// The texts of a job's row: label, amount, speed, stage. The label stays; the others are dropped
/// when space runs out.
struct JobRow([String; 4]);

impl JobRow {
    fn of(job: &JobView, now: Duration) -> Self {
        if let Some(waiting) = &job.waiting {
            let left = units::countdown(waiting.until.saturating_sub(now));
            let reason = fit(&printable(&waiting.reason), 40);
            return Self([job.label.clone(), format!("retry in {left}"), String::new(), reason]);
        }
        let amount = match job.expected {
            Some(expected) if expected >= job.bytes => {
                format!("{}/{}", units::bytes(job.bytes), units::bytes(expected))
            }
            _ => amount(job.bytes, job.items).unwrap_or_default(),
        };
        let speed = job.speed(now).filter(|_| job.bytes > 0).map(units::rate).unwrap_or_default();
        let attempt = if job.attempt > 1 { format!(" (attempt {})", job.attempt) } else { String::new() };
        let stage = format!("{}{attempt}", job.stage.unwrap_or_default()).trim().to_owned();
        Self([job.label.clone(), amount, speed, stage])
    }
}

/// Aligns the rows in columns within a width. The speed is dropped first, then the stage, then the
/// amount.
fn columns(rows: &[JobRow], width: usize) -> Vec<String> {
    let widths: [usize; 4] = std::array::from_fn(|i| rows.iter().map(|row| row.0[i].width()).max().unwrap_or(0));
    let mut shown = [true; 4];
    let others =
        |shown: &[bool; 4]| -> usize { (1..4).filter(|i| shown[*i] && widths[*i] > 0).map(|i| widths[i] + 2).sum() };
    for drop in [2, 3, 1] {
        if others(&shown) + widths[0].min(LABEL_LEAST) > width {
            shown[drop] = false;
        }
    }
    let label = widths[0].min(LABEL).min(width.saturating_sub(others(&shown)));
    let line = |row: &JobRow| {
        let mut line = pad(&fit(&row.0[0], label), label);
        for i in (1..4).filter(|i| shown[*i] && widths[*i] > 0) {
            line += "  ";
            line += &pad(&row.0[i], widths[i]);
        }
        fit(line.trim_end(), width)
    };
    rows.iter().map(line).collect()
}

/// A bar, and a text to its right.
fn with_bar(width: usize, runs: bool, share: Option<f64>, now: Duration, text: &str, colours: bool) -> String {
    if width == 0 {
        return text.to_owned();
    }
    // Both characters are in code page 437 and its successors, so every console has them.
    let bar: String = match share {
        Some(share) => {
            let full = ((share * width as f64) as usize).min(width);
            "█".repeat(full) + &"░".repeat(width - full)
        }
        // The length is unknown: a block moves back and forth.
        None if runs => {
            let (block, step) = (3.min(width), (now.as_millis() / 120) as usize);
            let turn = (width - block).max(1);
            let place = step % (2 * turn);
            let place = if place <= turn { place } else { 2 * turn - place };
            "░".repeat(place) + &"█".repeat(block) + &"░".repeat(width - place - block)
        }
        None => "░".repeat(width),
    };
    if colours { format!("\u{1b}[36m{bar}\u{1b}[0m {text}") } else { format!("{bar} {text}") }
}

#[cfg(test)]
mod tests {
    use super::super::peers::{Peer, PeerView};
    use super::*;
    use raudal_pool::{Event, EventKind};

    fn at(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    fn model(jobs: u64) -> Model {
        let mut model = Model::default();
        model.apply(&Event::new(1, EventKind::RunStarted { total: Some(32), jobs: 8 }), at(0));
        for job in 0..jobs {
            let label = format!("ITER_{job:02}_2020_csv.zip");
            model.apply(&Event::new(1, EventKind::AttemptStarted { job, label: &label, attempt: 1 }), at(job));
            model.apply(&Event::new(1, EventKind::Stage { job, stage: "fetch" }), at(job));
            model.apply(&Event::new(1, EventKind::Expected { job, bytes: 2_000_000 }), at(job));
            model.apply(&Event::new(1, EventKind::Advanced { job, bytes: 500_000 * (job % 4), items: 0 }), at(1000));
        }
        model
    }

    #[test]
    fn a_row_shows_bytes_speed_and_stage_and_the_last_line_the_whole() {
        assert_eq!(
            frame(&model(2), at(1000), 100, 24, false),
            [
                "░░░░░░░░░░░░░░░░░░░░ ITER_00_2020_csv.zip  0 B/2.0 MB               fetch",
                "█████░░░░░░░░░░░░░░░ ITER_01_2020_csv.zip  500 kB/2.0 MB  501 kB/s  fetch",
                "░░░░░░░░░░░░░░░░░░░░ 0/32 done, 2 in flight, 500 kB, 500 kB/s",
            ]
        );
    }

    #[test]
    fn peers_have_a_row_each_and_jobs_none() {
        let mut model = model(2);
        let peers = ["a", "b\n"].map(|name| {
            let mut peer = Peer::default();
            (peer.name, peer.host, peer.inputs, peer.running) = (name.into(), "h".into(), 7, 2);
            peer
        });
        PeerView::update(&mut model.peers, &peers, at(1000));
        let later = peers.clone().map(|mut peer| {
            (peer.rows, peer.bytes, peer.failed) = (500, 4_000, u64::from(peer.name == "a"));
            peer
        });
        PeerView::update(&mut model.peers, &later, at(2000));
        assert_eq!(
            frame(&model, at(2000), 100, 24, false),
            [
                "                     a on h    7 inputs, 1 failed  500 rows/s, 4.0 kB/s  2 running",
                "                     b\\n on h  7 inputs            500 rows/s, 4.0 kB/s  2 running",
                "░░░░░░░░░░░░░░░░░░░░ 0/32 done, 2 workers, 500 kB, 250 kB/s",
            ]
        );
        // One that is gone is left out, and one that began anew has no speed below 0.
        let again = [Peer { rows: 1, ..peers[0].clone() }];
        PeerView::update(&mut model.peers, &again, at(3000));
        assert_eq!(model.peers.len(), 1);
        assert!(frame(&model, at(3000), 100, 24, false)[0].contains("250 rows/s"));
        // A run that saves files has no rows.
        PeerView::update(&mut model.peers, &peers[..1], at(3000));
        assert!(!frame(&model, at(3000), 100, 24, false)[0].contains("rows/s"));
    }

    #[test]
    fn colours_change_nothing_but_the_colour() {
        let strip = |lines: Vec<String>| lines.join("\n").replace("\u{1b}[36m", "").replace("\u{1b}[0m", "");
        let model = model(3);
        let coloured = frame(&model, at(1000), 80, 24, true);
        assert!(coloured.iter().all(|line| line.starts_with("\u{1b}[36m")));
        assert_eq!(strip(coloured), frame(&model, at(1000), 80, 24, false).join("\n"));
    }

    #[test]
    fn more_than_eight_in_flight_are_counted_and_the_oldest_are_shown() {
        let lines = frame(&model(20), at(1000), 100, 24, false);
        assert_eq!(lines.len(), 10);
        assert!(lines[7].contains("ITER_07"), "{lines:#?}");
        assert_eq!(lines[8].trim(), "+12 more");
    }

    #[test]
    fn no_line_is_too_wide_and_there_are_not_too_many_at_any_size() {
        let mut model = model(12);
        model.apply(&Event::new(1, EventKind::AttemptStarted { job: 99, label: "人口普查.zip", attempt: 2 }), at(0));
        let wait = Some(at(3000));
        let failed = Event::new(
            1,
            EventKind::AttemptFailed {
                job: 3,
                label: "x",
                attempt: 1,
                error: "e",
                kind: "status",
                retry_in: wait,
                bytes: 0,
                items: 0,
            },
        );
        model.apply(&failed, at(1000));
        for width in 0..140 {
            for height in 0..14 {
                let lines = frame(&model, at(1234), width, height, false);
                assert!(lines.len() <= height.max(1), "{width}x{height}: {lines:#?}");
                assert!(lines.iter().all(|line| line.width() <= width), "{width}x{height}: {lines:#?}");
            }
        }
    }
}
