//! Writes a comparison as one self-contained page: figures, what bounds each level, and the
//! timeline as SVG.
//!
//! Bars are placed in percent of the axis, so that the page scales without a script while its text
//! keeps its size. The page may be sent to other people. So everything from outside is escaped, and
//! a content security policy forbids everything that is not in the page itself.

use super::comparison::Comparison;
use super::draw::fit;
use super::look::{BAR, look_of, patterns};
use super::text::{HEADINGS, explanations, heading, table};
use super::timeline::{Bar, Chart, NONE, StagePiece, Track, legend, limit_change, name};
use super::turn::jobs;
use raudal_common::units;
use std::fmt::Write as _;
use std::time::Duration;

const STYLE: &str = include_str!("page.css");
/// With more jobs than this, a row for each is unreadable. Then each row is a slot and shows the
/// jobs that ran in it.
const ROWS: usize = 120;
/// The most jobs drawn for one level; with more, a page takes long to open.
const BARS: usize = 2000;
/// Heights in pixels: the time axis, a row, the graph of jobs in flight.
const AXIS: usize = 18;
const ROW: usize = 16;
const FLIGHT: usize = 36;
/// How many numbers beside marks fit on the axis of a narrow page.
const LIMITS: u32 = 12;
/// The most columns of a name beside its row.
const LABEL: usize = 20;

/// Returns the comparison as a page with inline SVG and CSS, light or dark as the reader's system
/// is set.
///
/// It holds the figures, what bounds each level, the warnings, and the timeline of each level's
/// median run. All timelines share one time axis. Each job has a tooltip and a row in a table. The
/// page works without a script and loads nothing.
#[must_use]
pub fn to_html(comparison: &Comparison) -> String {
    let title = format!("raudal compare: {}", escape(&comparison.workload));
    let mut out = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\" />\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\" />\n\
         <meta name=\"color-scheme\" content=\"light dark\" />\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\" />\n\
         <title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n<h1>{title}</h1>\n"
    );
    let _ = writeln!(out, "<p>{}.</p>", escape(&heading(comparison)));
    figures(&mut out, comparison);
    bounds(&mut out, comparison);
    warnings(&mut out, comparison);
    timeline(&mut out, comparison);
    conditions(&mut out, comparison);
    let digest = escape(&comparison.digest);
    let _ = writeln!(
        out,
        "<footer>Every run gave the result with the digest {digest}.</footer>\n</main>\n</body>\n</html>"
    );
    out
}

fn figures(out: &mut String, comparison: &Comparison) {
    out.push_str("<h2 id=\"figures\">Figures</h2>\n<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-labelledby=\"figures\">\n<table class=\"fold\">\n<tr>");
    for heading in HEADINGS {
        let _ = write!(out, "<th scope=\"col\">{heading}</th>");
    }
    out.push_str("</tr>\n");
    for row in table(comparison) {
        let _ = write!(out, "<tr><th scope=\"row\" data-label=\"{}\">{}</th>", HEADINGS[0], row[0]);
        for (heading, cell) in HEADINGS.iter().zip(&row).skip(1) {
            let _ = write!(out, "<td data-label=\"{heading}\">{}</td>", escape(cell));
        }
        out.push_str("</tr>\n");
    }
    out.push_str("</table>\n</div>\n");
}

fn bounds(out: &mut String, comparison: &Comparison) {
    out.push_str("<h2>What bounds each level</h2>\n<ul>\n");
    for (level, sentence) in explanations(comparison) {
        let _ = writeln!(out, "<li><b>{level}</b>: {}.</li>", with_code(&sentence));
    }
    out.push_str("</ul>\n");
}

fn warnings(out: &mut String, comparison: &Comparison) {
    let warnings = comparison.warnings();
    if warnings.is_empty() {
        return;
    }
    out.push_str("<h2>Warnings</h2>\n<ul class=\"warn\">\n");
    for warning in warnings {
        let _ = writeln!(out, "<li><b>Warning:</b> {}.</li>", escape(&warning.to_string()));
    }
    out.push_str("</ul>\n");
}

fn conditions(out: &mut String, comparison: &Comparison) {
    out.push_str("<h2>Conditions</h2>\n<dl>\n");
    for (name, value) in comparison.described_conditions() {
        let _ = writeln!(out, "<dt>{name}</dt><dd>{}</dd>", escape(&value));
    }
    out.push_str("</dl>\n");
}

fn timeline(out: &mut String, comparison: &Comparison) {
    out.push_str("<h2>Which job ran when</h2>\n");
    let Some(chart) = Chart::of(comparison) else {
        let _ = writeln!(out, "<p class=\"soft\">{NONE}</p>");
        return;
    };
    out.push_str(
        "<p class=\"soft\">The median run of each level, all on one time axis. A dashed line shows \
         where a level ended. Point at a bar to see its times, and at a mark to see why a limit was \
         set. The tables show the same data.</p>\n<ul class=\"legend\">\n",
    );
    for (kind, name) in legend(&chart) {
        let (look, height) = look_of(kind, &chart);
        let (y, name) = ((BAR - height) / 2, escape(&name));
        let _ = writeln!(
            out,
            "<li><svg aria-hidden=\"true\"><rect {look} width=\"22\" height=\"{height}\" y=\"{y}\" /></svg>{name}</li>"
        );
    }
    out.push_str("</ul>\n");
    patterns(out, &chart);
    let peak = chart.levels.iter().flat_map(Track::in_flight).map(|step| step.1).max().unwrap_or(1).max(1);
    for track in &chart.levels {
        level(out, &chart, track, peak);
    }
}

fn level(out: &mut String, chart: &Chart<'_>, track: &Track<'_>, peak: usize) {
    let (name, wall) = (jobs(track.jobs), units::duration(track.run.wall));
    let turn = track.run.turn;
    let _ = writeln!(out, "<section>\n<h3>{name} <span>{wall}, run {turn}</span></h3>");
    if track.bars.is_empty() {
        let _ = writeln!(out, "<p class=\"soft\">{NONE}</p>\n</section>");
        return;
    }
    let (bars, others) = track.telling(BARS);
    if others > 0 {
        let _ =
            writeln!(out, "<p class=\"soft\">{BARS} jobs are shown, the longest included; {others} more are not.</p>");
    }
    let each = bars.len() <= ROWS;
    let rows = if each { bars.len() } else { track.lanes };
    let limits = AXIS + rows * ROW;
    let flight = limits + if track.run.limits.is_empty() { 4 } else { ROW + 4 };
    let height = flight + FLIGHT;
    let most = track.in_flight().into_iter().map(|step| step.1).max().unwrap_or(0);
    let _ = writeln!(
        out,
        "<div class=\"scroll\">\n<div class=\"chart\" role=\"img\" aria-label=\"Timeline of run {turn} with {name}: {} in \
         {wall}, at most {most} in flight. The table below lists each job.\">",
        jobs(track.bars.len().into())
    );

    let _ = writeln!(out, "<svg height=\"{height}\">");
    let mut label = |text: &str, y: usize| {
        let _ = writeln!(out, "<text class=\"label\" x=\"138\" y=\"{y}\">{}</text>", escape(text));
    };
    let names: Vec<String> = if each {
        bars.iter().map(|bar| fit(&bar.job.label, LABEL)).collect()
    } else {
        (1..=rows).map(|slot| format!("slot {slot}")).collect()
    };
    for (row, name) in names.iter().enumerate() {
        label(name, AXIS + row * ROW + 11);
    }
    if !track.run.limits.is_empty() {
        label("limit", limits + 11);
    }
    label("in flight", flight + FLIGHT / 2);
    label(&format!("at most {most}"), flight + FLIGHT / 2 + 13);
    out.push_str("</svg>\n");

    let _ = writeln!(out, "<svg height=\"{height}\">");
    axis(out, chart, track, height);
    for (place, bar) in bars.iter().enumerate() {
        let row = if each { place } else { bar.lane };
        draw_bar(out, chart, bar, AXIS + row * ROW + (ROW - BAR) / 2);
    }
    draw_limits(out, chart, track, limits);
    in_flight(out, chart, track, peak, flight);
    out.push_str("</svg>\n</div>\n</div>\n");
    details(out, chart, &bars);
    changes(out, track);
    out.push_str("</section>\n");
}

fn axis(out: &mut String, chart: &Chart<'_>, track: &Track<'_>, height: usize) {
    let wall = percent(chart, track.run.wall);
    if wall < 100.0 {
        let rest = 100.0 - wall;
        let _ = writeln!(
            out,
            "<rect class=\"after\" x=\"{wall:.3}%\" y=\"{AXIS}\" width=\"{rest:.3}%\" height=\"{}\" />",
            height - AXIS
        );
    }
    for tick in chart.ticks(4) {
        let x = percent(chart, tick);
        // Labels at both ends stay inside the chart.
        let anchor = if x < 5.0 {
            "start"
        } else if x > 93.0 {
            "end"
        } else {
            "middle"
        };
        let _ = writeln!(
            out,
            "<line class=\"grid\" x1=\"{x:.3}%\" x2=\"{x:.3}%\" y1=\"{AXIS}\" y2=\"{height}\" />\
             <text x=\"{x:.3}%\" y=\"11\" text-anchor=\"{anchor}\">{}</text>",
            units::duration(tick)
        );
    }
    let _ = writeln!(out, "<line class=\"end\" x1=\"{wall:.3}%\" x2=\"{wall:.3}%\" y1=\"{AXIS}\" y2=\"{height}\" />");
}

fn draw_bar(out: &mut String, chart: &Chart<'_>, bar: &Bar<'_>, top: usize) {
    let _ = write!(out, "<g class=\"job\"><title>{}</title>", escape(&tooltip(chart, bar)));
    for piece in &bar.pieces {
        let (look, height) = look_of(piece.kind, chart);
        let (x, end) = (percent(chart, piece.start), percent(chart, piece.end));
        let y = top + (BAR - height) / 2;
        // Even the shortest piece stays visible.
        let width = (end - x).max(0.15);
        let _ = write!(out, "<rect {look} x=\"{x:.3}%\" y=\"{y}\" width=\"{width:.3}%\" height=\"{height}\" />");
    }
    out.push_str("</g>\n");
}

/// Draws a mark for each change of a limit, with the new limit beside it where there is room.
fn draw_limits(out: &mut String, chart: &Chart<'_>, track: &Track<'_>, top: usize) {
    for (number, change) in track.run.limits.iter().enumerate() {
        let (x, title) = (percent(chart, change.at), escape(&limit_change(change)));
        let (from, to) = (top + 2, top + ROW - 2);
        let _ = write!(
            out,
            "<g class=\"limit\"><title>{title}</title><line x1=\"{x:.3}%\" x2=\"{x:.3}%\" y1=\"{from}\" y2=\"{to}\" />"
        );
        if track.held(number, chart.end / LIMITS) {
            let _ = write!(out, "<text x=\"{x:.3}%\" dx=\"4\" y=\"{}\">{}</text>", top + 12, change.limit);
        }
        out.push_str("</g>\n");
    }
}

fn tooltip(chart: &Chart<'_>, bar: &Bar<'_>) -> String {
    let job = bar.job;
    let mut text = format!(
        "{}\nfrom {} to {}: {}",
        raudal_common::error::printable(&job.label),
        units::duration(job.started),
        units::duration(bar.end),
        units::duration(bar.end.saturating_sub(job.started))
    );
    for piece in &bar.pieces {
        let _ = write!(text, "\n{}", stage_time(chart, piece));
    }
    if job.attempts > 1 {
        let _ = write!(text, "\nattempts: {}", job.attempts);
    }
    if job.bytes > 0 {
        let _ = write!(text, "\n{}", units::bytes(job.bytes));
    }
    text
}

fn stage_time(chart: &Chart<'_>, piece: &StagePiece) -> String {
    format!("{}: {}", name(piece.kind, &chart.stages), units::duration(piece.end.saturating_sub(piece.start)))
}

/// Draws the number of jobs in flight as an area. It is stretched to the width of the axis, which
/// does not distort steps.
fn in_flight(out: &mut String, chart: &Chart<'_>, track: &Track<'_>, peak: usize, top: usize) {
    let mut points = format!("0,{FLIGHT}");
    let height = |count: usize| FLIGHT as f64 * (1.0 - count as f64 / peak as f64);
    let mut last = 0;
    for (time, count) in track.in_flight() {
        let x = chart.share(time) * 1000.0;
        let _ = write!(points, " {x:.2},{:.2} {x:.2},{:.2}", height(last), height(count));
        last = count;
    }
    let _ = writeln!(
        out,
        "<svg class=\"steps\" y=\"{top}\" height=\"{FLIGHT}\" viewBox=\"0 0 1000 {FLIGHT}\" preserveAspectRatio=\"none\">\
         <polygon class=\"flight\" points=\"{points}\" /></svg>"
    );
}

fn details(out: &mut String, chart: &Chart<'_>, bars: &[&Bar<'_>]) {
    out.push_str(
        "<details>\n<summary>Each job as a table</summary>\n<div class=\"scroll\" tabindex=\"0\" \
         role=\"region\" aria-label=\"jobs\">\n<table class=\"fold\">\n\
         <tr><th scope=\"col\" class=\"name\">job</th><th scope=\"col\">began</th><th scope=\"col\">ended</th>\
         <th scope=\"col\">attempts</th><th scope=\"col\">bytes</th><th scope=\"col\" class=\"name\">stages</th></tr>\n",
    );
    for bar in bars {
        let job = bar.job;
        let stages: Vec<String> = bar.pieces.iter().map(|piece| stage_time(chart, piece)).collect();
        let bytes = if job.bytes > 0 { units::bytes(job.bytes) } else { "–".to_owned() };
        let label = escape(&raudal_common::error::printable(&job.label));
        let _ = write!(out, "<tr><th scope=\"row\" class=\"name\" data-label=\"job\">{label}</th>");
        for (heading, cell) in [
            ("began", units::duration(job.started)),
            ("ended", units::duration(bar.end)),
            ("attempts", job.attempts.to_string()),
            ("bytes", bytes),
        ] {
            let _ = write!(out, "<td data-label=\"{heading}\">{cell}</td>");
        }
        let _ = writeln!(out, "<td class=\"name\" data-label=\"stages\">{}</td></tr>", escape(&stages.join(", ")));
    }
    out.push_str("</table>\n</div>\n</details>\n");
}

fn changes(out: &mut String, track: &Track<'_>) {
    if track.run.limits.is_empty() {
        return;
    }
    out.push_str("<details>\n<summary>Each change of a limit</summary>\n<ul>\n");
    for change in &track.run.limits {
        let _ = writeln!(out, "<li>{}</li>", escape(&limit_change(change)));
    }
    out.push_str("</ul>\n</details>\n");
}

fn percent(chart: &Chart<'_>, time: Duration) -> f64 {
    chart.share(time) * 100.0
}

/// Escapes a sentence, and marks text between backquotes as code.
fn with_code(sentence: &str) -> String {
    let parts: Vec<String> = sentence.split('`').map(escape).collect();
    // A name may contain a backquote. Then the backquotes do not pair, and all stay as they are.
    if parts.len().is_multiple_of(2) {
        return parts.join("`");
    }
    let code = |(i, part): (usize, &String)| if i % 2 == 1 { format!("<code>{part}</code>") } else { part.clone() };
    parts.iter().enumerate().map(code).collect()
}

/// Escapes text for HTML, also for attribute values in quotes. Control characters except newline
/// are replaced; XML forbids most of them.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\n' => out.push('\n'),
            c if c.is_control() => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}
