//! A comparison as a table for people: on a terminal, and in Markdown.

use super::comparison::{Comparison, Level};
use super::turn::jobs;
use raudal_common::units;
use raudal_pipeline::Jobs;
use std::fmt::Write as _;
use std::time::Duration;
use unicode_width::UnicodeWidthStr as _;

pub(super) const HEADINGS: [&str; 8] =
    ["jobs", "mean ± σ", "min … max", "speed-up", "efficiency", "overlap", "peak", "throughput"];
/// Lines end before this column, as far as their words allow.
const WIDTH: usize = 80;
/// Blanks between two columns.
const GAP: usize = 3;

/// Returns the comparison as an aligned table, with what bounds each level and the warnings below.
///
/// The level `auto` is shown with the highest limit that it set. `efficiency` is the speed-up over
/// the ratio of the jobs, `overlap` the mean number of jobs in flight, `peak` the highest number. A
/// dash stands for an undefined value.
#[must_use]
pub fn render_text(comparison: &Comparison) -> String {
    let rows = table(comparison);
    let mut out = String::new();
    wrap(&mut out, "", &heading(comparison));
    out.push('\n');
    let widths: Vec<usize> = (0..HEADINGS.len())
        .map(|i| rows.iter().map(|row| row[i].width()).chain([HEADINGS[i].width()]).max().unwrap_or(0))
        .collect();
    for (number, columns) in parts(&widths).into_iter().enumerate() {
        if number > 0 {
            out.push('\n');
        }
        for row in std::iter::once(&HEADINGS.map(str::to_owned)).chain(&rows) {
            // Padded by hand: `{:>width$}` counts characters, not columns.
            let cell = |i: &usize| " ".repeat(widths[*i] - row[*i].width()) + &row[*i];
            let cells: Vec<String> = columns.iter().map(cell).collect();
            let _ = writeln!(out, "  {}", cells.join(&" ".repeat(GAP)).trim_end());
        }
    }
    out.push('\n');
    for (level, sentence) in explanations(comparison) {
        wrap(&mut out, &format!("  {level}: "), &sentence);
    }
    out.push('\n');
    for (name, value) in comparison.described_conditions() {
        wrap(&mut out, &format!("  {name}: "), &value);
    }
    let warnings = comparison.warnings();
    if !warnings.is_empty() {
        out.push('\n');
    }
    for warning in warnings {
        wrap(&mut out, "warning: ", &warning.to_string());
    }
    out
}

/// Divides the columns of a table into parts that fit the width. Each part begins with the first
/// column, which names the level.
fn parts(widths: &[usize]) -> Vec<Vec<usize>> {
    let mut parts: Vec<Vec<usize>> = Vec::new();
    let mut end = WIDTH;
    for column in 1..widths.len() {
        let width = GAP + widths[column];
        if let Some(part) = parts.last_mut().filter(|_| end + width < WIDTH) {
            part.push(column);
        } else {
            parts.push(vec![0, column]);
            end = 2 + widths[0];
        }
        end += width;
    }
    parts
}

/// Returns, for each level, its name (`10 jobs`) and a sentence: how close it came to the ideal,
/// and what seems to bound it.
#[must_use]
pub fn explanations(comparison: &Comparison) -> Vec<(String, String)> {
    comparison.levels.iter().map(|level| (jobs(level.jobs), explanation(comparison, level))).collect()
}

fn explanation(comparison: &Comparison, level: &Level) -> String {
    let mut sentences = Vec::new();
    if let Some(ideal) = comparison.ideal(level) {
        let bound = match ideal.longest {
            Some(longest) if longest >= ideal.share => "the longest job".to_owned(),
            _ => format!("all job times divided among {}", slots(ideal.slots)),
        };
        sentences.push(format!(
            "the ideal time is {} ({bound}), and the level reached {:.0} % of that speed",
            units::duration(ideal.time),
            ideal.reached * 100.0
        ));
    }
    let last = level.median_run().and_then(|run| run.limits.last());
    if let (Jobs::Auto, Some(highest), Some(last)) = (level.jobs, level.highest_limit(), last) {
        let (limit, why) = (last.limit, raudal_common::error::printable(&last.why));
        sentences.push(format!("the limit for a host rose to {highest}, and was last set to {limit} ({why})"));
    }
    sentences.push(match comparison.finding(level) {
        Some(finding) => finding.to_string(),
        None => "the measurements do not show what bounds it".to_owned(),
    });
    sentences.join("; ")
}

fn slots(n: usize) -> String {
    if n == 1 { "1 slot".to_owned() } else { format!("{n} slots") }
}

/// Writes a sentence after its head, wrapped between words; lines after the first are indented.
fn wrap(out: &mut String, head: &str, sentence: &str) {
    out.push_str(head);
    let indent = head.width().min(12);
    let mut column = head.width();
    for (i, word) in sentence.split(' ').enumerate() {
        if i > 0 && column + 1 + word.width() >= WIDTH {
            out.push('\n');
            out.push_str(&" ".repeat(indent));
            column = indent;
        } else if i > 0 {
            out.push(' ');
            column += 1;
        }
        out.push_str(word);
        column += word.width();
    }
    out.push('\n');
}

/// Returns the comparison as a Markdown table, with what bounds each level and the warnings as
/// lists.
#[must_use]
pub fn to_markdown(comparison: &Comparison) -> String {
    let mut out = heading(comparison) + "\n\n";
    let _ = writeln!(out, "| {} |", HEADINGS.join(" | "));
    out += &("|".to_owned() + &"---:|".repeat(HEADINGS.len()) + "\n");
    for row in table(comparison) {
        let _ = writeln!(out, "| {} |", row.join(" | "));
    }
    out.push('\n');
    for (level, sentence) in explanations(comparison) {
        let _ = writeln!(out, "- {level}: {}", escape_markdown(&sentence));
    }
    out.push('\n');
    for (name, value) in comparison.described_conditions() {
        let _ = writeln!(out, "- {name}: {}", code_span(&value));
    }
    let warnings = comparison.warnings();
    if !warnings.is_empty() {
        out.push('\n');
    }
    for warning in warnings {
        let _ = writeln!(out, "- warning: {warning}");
    }
    out
}

/// Returns text as a code span, where no character is markup. The fence is longer than any row of
/// backquotes in it.
fn code_span(text: &str) -> String {
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest + 1);
    let blank = if longest > 0 { " " } else { "" };
    format!("{fence}{blank}{text}{blank}{fence}")
}

/// Escapes Markdown markup, because names of jobs come from outside.
fn escape_markdown(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, '<' | '>' | '*' | '_' | '[' | ']' | '|' | '\\') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

pub(super) fn heading(comparison: &Comparison) -> String {
    let runs = comparison.levels.iter().map(|level| level.runs.len());
    let (least, most) = (runs.clone().min().unwrap_or(0), runs.max().unwrap_or(0));
    let times = |n: usize, of: &str| format!("{n} {of}{}", if n == 1 { "" } else { "s" });
    let warmup = match comparison.warmup {
        0 => "without warm-up".to_owned(),
        n => format!("after {}", times(n as usize, "warm-up run")),
    };
    let runs = if least == most { times(most, "run") } else { format!("{least} to {}", times(most, "run")) };
    format!(
        "{}: {runs} of each level {warmup}; the result was the same every time ({})",
        comparison.workload,
        times(comparison.rows as usize, "row"),
    )
}

pub(super) fn table(comparison: &Comparison) -> Vec<[String; 8]> {
    comparison.levels.iter().map(|level| row(comparison, level)).collect()
}

fn row(comparison: &Comparison, level: &Level) -> [String; 8] {
    let dash = || "–".to_owned();
    let summary = level.summary();
    let unit = UnitWord::of(summary.map_or(Duration::ZERO, |summary| summary.mean));
    let mean = summary.map_or_else(dash, |summary| match summary.stddev {
        Some(stddev) => format!("{} ± {} {}", unit.number(summary.mean), unit.number(stddev), unit.name()),
        None => format!("{} {}", unit.number(summary.mean), unit.name()),
    });
    let range = summary.map_or_else(dash, |summary| {
        format!("{} … {} {}", unit.number(summary.min), unit.number(summary.max), unit.name())
    });
    let speed_up = match comparison.speed_up(level) {
        _ if level.jobs == comparison.baseline => "1".to_owned(),
        Some(speed_up) => match speed_up.uncertainty {
            Some(uncertainty) => format!("{:.2} ± {uncertainty:.2}", speed_up.ratio),
            None => format!("{:.2}", speed_up.ratio),
        },
        None => dash(),
    };
    [
        match (level.jobs, level.highest_limit()) {
            (Jobs::Auto, Some(limit)) => format!("auto ({limit})"),
            (jobs, _) => jobs.to_string(),
        },
        mean,
        range,
        speed_up,
        comparison.efficiency(level).map_or_else(dash, |efficiency| format!("{:.0} %", efficiency * 100.0)),
        level.overlap().map_or_else(dash, |overlap| format!("{overlap:.2}")),
        level.peak_in_flight().to_string(),
        level.per_second(comparison.unit).map_or_else(dash, |rate| comparison.unit.rate(rate)),
    ]
}

/// The unit of the times in a row: the one that fits its mean.
#[derive(Clone, Copy)]
enum UnitWord {
    Seconds,
    Milliseconds,
    Microseconds,
}

impl UnitWord {
    fn of(mean: Duration) -> Self {
        // A value that would be rounded up to 1000 belongs to the next unit.
        match mean {
            _ if mean >= Duration::from_micros(999_950) => Self::Seconds,
            _ if mean >= Duration::from_nanos(999_950) => Self::Milliseconds,
            _ => Self::Microseconds,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Seconds => "s",
            Self::Milliseconds => "ms",
            Self::Microseconds => "µs",
        }
    }

    fn number(self, time: Duration) -> String {
        match self {
            Self::Seconds => format!("{:.3}", time.as_secs_f64()),
            Self::Milliseconds => format!("{:.1}", time.as_secs_f64() * 1e3),
            Self::Microseconds => format!("{:.1}", time.as_secs_f64() * 1e6),
        }
    }
}

/// Returns the conclusion, for the end of a report: a line for each level against the baseline.
///
/// Empty if there is only one level. A difference below 2 % counts as none. A difference within the
/// uncertainty is not called a speed-up.
#[must_use]
pub fn conclusion(comparison: &Comparison) -> String {
    let mut lines = Vec::new();
    for level in &comparison.levels {
        let Some(speed_up) = comparison.speed_up(level) else { continue };
        let (level, baseline) = (jobs(level.jobs), jobs(comparison.baseline));
        let verdict = match speed_up.is_established() {
            _ if speed_up.is_negligible() => format!("{level}: as fast as {baseline}"),
            Some(false) => format!("{level}: no clear difference from {baseline}"),
            _ if speed_up.ratio >= 1.0 => format!("{level}: {:.2} times as fast as {baseline}", speed_up.ratio),
            _ => format!("{level}: slower than {baseline}, {:.2} times as fast", speed_up.ratio),
        };
        lines.push(verdict);
    }
    lines.join("\n")
}
