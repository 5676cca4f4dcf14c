//! Draws a timeline on a terminal with block characters; it needs no colour.

use super::comparison::Comparison;
use super::timeline::{Bar, Chart, LOOKS, NONE, PieceKind, Track, legend, look};
use super::turn::jobs;
use raudal_common::units;
use std::fmt::Write as _;
use std::time::Duration;
use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

/// The most rows of jobs in all levels together, and in one level.
const ROWS: usize = 80;
const ROWS_OF_A_LEVEL: usize = 40;
/// The most columns of a name. Names are cut on the left, because URLs differ at their end.
const LABEL: usize = 24;
/// The characters of the first stages. Further ones have a letter each.
const SHADES: [char; 6] = ['█', '▒', '▓', '▚', '░', '▞'];
/// Eighths of a cell's height, for the jobs in flight.
const HEIGHTS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// Draws which job ran when: the median run of each level on one time axis, a row for each job, at
/// most `width` columns wide.
///
/// Each stage has its own shade or letter, and a legend explains them. A cell shows what the job did for most
/// of its time; a job shorter than a cell still has one. A row shows each limit at the time when it
/// was set, as far as there is room. Of many jobs, only some are shown: the retried ones, the
/// longest, and others at even distances. Below each level is the number of jobs in flight, on one
/// scale for all levels.
#[must_use]
pub fn render_timeline(comparison: &Comparison, width: usize) -> String {
    let Some(chart) = Chart::of(comparison) else { return format!("{NONE}\n") };
    let labels = chart.levels.iter().flat_map(|track| &track.bars).map(|bar| printable_width(&bar.job.label));
    let label = labels.chain(["in flight".len()]).max().unwrap_or(0).min(LABEL).min(width / 3);
    // Two blanks before a name and one after it, and a line on both sides of the cells.
    let cells = width.saturating_sub(label + 5).clamp(10, 400);
    let canvas = Canvas { chart: &chart, label, cells, shades: shades(&chart.stages) };

    let cell = units::duration(chart.end / cells as u32);
    let mut out = format!("the median run of each level; a cell is {cell}\n");
    canvas.legend(&mut out, width);
    let rows = (ROWS / chart.levels.len().max(1)).clamp(4, ROWS_OF_A_LEVEL);
    let peak = chart.levels.iter().flat_map(Track::in_flight).map(|step| step.1).max().unwrap_or(1).max(1);
    for track in &chart.levels {
        let _ = writeln!(out, "\n{}: {} (run {})", jobs(track.jobs), units::duration(track.run.wall), track.run.turn);
        if track.bars.is_empty() {
            let _ = writeln!(out, "  {NONE}");
            continue;
        }
        let (bars, others) = track.telling(rows);
        for bar in &bars {
            canvas.row(&mut out, &bar.job.label, &canvas.bar(bar));
        }
        if others > 0 {
            let _ = writeln!(out, "  +{others} more");
        }
        if !track.run.limits.is_empty() {
            canvas.row(&mut out, "limit", &canvas.limits(track));
        }
        canvas.row(&mut out, "in flight", &canvas.in_flight(track, peak));
    }
    canvas.axis(&mut out);
    out
}

struct Canvas<'a> {
    chart: &'a Chart<'a>,
    /// Columns of a name.
    label: usize,
    /// Columns of the time axis.
    cells: usize,
    /// The character of each look.
    shades: Vec<char>,
}

/// Returns a different character for each look: first blocks, then a letter of the stage's name, or
/// another one if the letters of the name are taken.
fn shades(stages: &[&str]) -> Vec<char> {
    let mut shades = SHADES.to_vec();
    for stage in stages.iter().take(LOOKS).skip(SHADES.len()) {
        let own = stage.chars().filter(char::is_ascii_alphabetic).map(|c| c.to_ascii_lowercase());
        let free = own.chain('a'..='z').chain('A'..='Z').find(|c| !shades.contains(c));
        shades.push(free.unwrap_or('?'));
    }
    shades
}

impl Canvas<'_> {
    fn legend(&self, out: &mut String, width: usize) {
        let mut column = 0;
        for (kind, name) in legend(self.chart) {
            let entry = format!("  {} {name}", self.shade(kind));
            if column > 0 && column + entry.width() > width {
                out.push('\n');
                column = 0;
            }
            column += entry.width();
            out.push_str(&entry);
        }
        out.push('\n');
    }

    fn row(&self, out: &mut String, label: &str, cells: &str) {
        let label = fit(label, self.label);
        let blanks = " ".repeat(self.label - label.width());
        let _ = writeln!(out, "  {label}{blanks} │{cells}│");
    }

    /// Draws in each cell the piece that takes most of it.
    fn bar(&self, bar: &Bar<'_>) -> String {
        let first = self.cell(bar.pieces.first().map_or(bar.job.started, |piece| piece.start));
        let last = self.cell(bar.end);
        let mut row = String::with_capacity(self.cells * 3);
        for cell in 0..self.cells {
            let (from, to) = (cell as f64 / self.cells as f64, (cell + 1) as f64 / self.cells as f64);
            let inside = |start, end| self.chart.share(end).min(to) - self.chart.share(start).max(from);
            let most = bar
                .pieces
                .iter()
                .map(|piece| (piece.kind, inside(piece.start, piece.end)))
                .filter(|(_, share)| *share > 0.0)
                .max_by(|a, b| a.1.total_cmp(&b.1));
            let half = 0.5 / self.cells as f64;
            row.push(match most {
                // The last cell stays empty if the job fills less than half of it, unless it is the
                // job's only cell.
                Some((kind, share)) if share >= half || first == last || cell == first => self.shade(kind),
                Some((kind, _)) if cell < last => self.shade(kind),
                _ => ' ',
            });
        }
        row
    }

    /// Draws each new limit at the time when it was set, as far as there is room.
    fn limits(&self, track: &Track<'_>) -> String {
        let mut row = String::with_capacity(self.cells);
        for (number, change) in track.run.limits.iter().enumerate() {
            let limit = change.limit.to_string();
            let cell = self.cell(change.at).min(self.cells.saturating_sub(limit.len()));
            let is_free = row.is_empty() || cell > row.len();
            if is_free && track.held(number, self.chart.end / self.cells as u32 * (limit.len() as u32 + 1)) {
                row += &" ".repeat(cell - row.len());
                row += &limit;
            }
        }
        format!("{row:<width$}", width = self.cells)
    }

    fn in_flight(&self, track: &Track<'_>, peak: usize) -> String {
        let steps = track.in_flight();
        let mut row = String::with_capacity(self.cells * 3);
        for cell in 0..self.cells {
            let (from, to) = (cell as f64 / self.cells as f64, (cell + 1) as f64 / self.cells as f64);
            let mut area = 0.0;
            for (i, (start, count)) in steps.iter().enumerate() {
                let end = steps.get(i + 1).map_or(1.0, |next| self.chart.share(next.0));
                area += (end.min(to) - self.chart.share(*start).max(from)).max(0.0) * *count as f64;
            }
            let mean = area * self.cells as f64;
            let eighths = (mean / peak as f64 * 8.0).round() as usize;
            // A single job of a hundred is visible too.
            row.push(HEIGHTS[if mean > 0.05 { eighths.clamp(1, 8) } else { 0 }]);
        }
        row
    }

    /// Draws a line with round times, each below its column.
    fn axis(&self, out: &mut String) {
        let (mut marks, mut words) = (String::new(), String::new());
        let offset = self.label + 4;
        for tick in self.chart.ticks((self.cells / 12).clamp(1, 8)) {
            let column = offset + (self.chart.share(tick) * self.cells as f64).round() as usize;
            let word = units::duration(tick);
            // The last label ends with the line, even if it then begins left of its mark.
            let place = column.min((offset + self.cells).saturating_sub(word.width() - 1));
            if words.width() > place {
                continue;
            }
            marks += &" ".repeat(column - marks.width());
            words += &" ".repeat(place - words.width());
            marks.push('╵');
            words += &word;
            words.push(' ');
        }
        let _ = writeln!(out, "{marks}\n{}", words.trim_end());
    }

    fn shade(&self, kind: PieceKind) -> char {
        match kind {
            PieceKind::Queued => '·',
            PieceKind::Running if self.chart.stages.is_empty() => SHADES[0],
            PieceKind::Running => '━',
            PieceKind::Stage(stage) => self.shades.get(look(stage)).copied().unwrap_or('?'),
            PieceKind::Pause => '-',
        }
    }

    fn cell(&self, time: Duration) -> usize {
        ((self.chart.share(time) * self.cells as f64) as usize).min(self.cells - 1)
    }
}

fn printable_width(text: &str) -> usize {
    raudal_common::error::printable(text).width()
}

/// Shortens a text to at most this many columns by cutting its beginning.
pub(super) fn fit(text: &str, columns: usize) -> String {
    let text = raudal_common::error::printable(text);
    if text.width() <= columns {
        return text;
    }
    let mut rest = columns.saturating_sub(1);
    let mut kept: Vec<char> = Vec::new();
    for c in text.chars().rev() {
        let width = c.width().unwrap_or(0);
        if width > rest {
            break;
        }
        rest -= width;
        kept.push(c);
    }
    std::iter::once('…').chain(kept.into_iter().rev()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{comparison, even, level, limit, ms, run, staged};
    use raudal_pipeline::Jobs;

    #[test]
    fn both_levels_stand_on_one_axis_with_a_shade_for_each_stage() {
        let one = run(
            1,
            vec![staged(0, 0, &[("fetch", 300), ("decode", 400)]), staged(1, 400, &[("fetch", 700), ("decode", 800)])],
        );
        let mut late = staged(1, 20, &[("fetch", 320), ("decode", 420)]);
        late.queued = ms(20);
        let two = run(2, vec![staged(0, 0, &[("fetch", 300), ("decode", 400)]), late]);
        let comparison = comparison(vec![level(1, vec![one]), level(2, vec![two])]);
        assert_eq!(
            render_timeline(&comparison, 54),
            "\
the median run of each level; a cell is 20.0 ms
  · queued  █ fetch  ▒ decode

1 job: 800 ms (run 1)
  job 0     │███████████████▒▒▒▒▒                    │
  job 1     │                    ███████████████▒▒▒▒▒│
  in flight │▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄▄│

2 jobs: 420 ms (run 2)
  job 0     │███████████████▒▒▒▒▒                    │
  job 1     │·███████████████▒▒▒▒▒                   │
  in flight │▄███████████████████▄                   │
             ╵                        ╵
             0 s                      500 ms
"
        );
    }

    #[test]
    fn each_stage_has_a_character_of_its_own_and_the_legend_fits() {
        const NAMES: [&str; 12] = [
            "connect",
            "first byte",
            "transfer",
            "write",
            "sync",
            "read",
            "remove",
            "stretch",
            "acquire",
            "query",
            "unpack",
            "request",
        ];
        let stages: Vec<(&str, u64)> = NAMES.iter().zip(1..).map(|(name, end)| (*name, end * 100)).collect();
        let text = render_timeline(&comparison(vec![level(1, vec![run(1, vec![staged(0, 0, &stages)])])]), 60);
        let legend = "  █ connect  ▒ first byte  ▓ transfer  ▚ write  ░ sync\n  \
                      ▞ read  r remove  s stretch  a acquire  q query  u unpack\n  e request\n";
        assert!(text.contains(legend), "{text}");
        let row = text.lines().find(|line| line.starts_with("  job 0")).unwrap();
        for shade in "█▒▓▚░▞rsaque".chars() {
            assert!(row.contains(shade), "{shade}: {row}");
        }
        assert!(text.lines().all(|line| line.width() <= 60), "{text}");
        let mut all = shades(&(0..LOOKS).map(|_| "same").collect::<Vec<_>>());
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), LOOKS);
    }

    #[test]
    fn limits_stand_where_they_were_set_and_never_upon_each_other() {
        let mut auto = run(1, vec![staged(0, 0, &[("fetch", 400)])]);
        auto.limits =
            [(0, 4), (15, 8), (200, 16), (390, 32), (399, 16)].map(|(at, most)| limit(at, most, "to see")).into();
        let text = render_timeline(&comparison(vec![level(Jobs::Auto, vec![auto])]), 54);
        assert!(text.contains("\nauto: 400 ms (run 1)\n"), "{text}");
        assert!(text.contains("\n  limit     │ 8                  16                16│\n"), "{text}");
    }

    #[test]
    fn many_jobs_are_bounded_and_counted_and_no_line_is_too_wide() {
        let comparison = comparison(vec![even(1, 500, &[10]), even(50, 500, &[10])]);
        let text = render_timeline(&comparison, 80);
        assert_eq!(text.matches("+460 more").count(), 2);
        assert!(text.lines().count() < 100 && text.lines().all(|line| line.width() <= 80), "{text}");
        let rows: Vec<&str> = text.lines().filter(|line| line.starts_with("  job")).collect();
        assert!(rows.iter().all(|row| row.contains('█')), "a short job still has a cell: {text}");
    }

    #[test]
    fn names_lose_their_control_characters_and_are_cut_on_the_left() {
        assert_eq!(fit("https://example.org/ITER_06_2020_csv.zip", 16), "…06_2020_csv.zip");
        assert_eq!(fit("a\x1b[2J", 16), "a\\u{1b}[2J");
        assert_eq!(fit("日本語日本語", 5), "…本語");
    }

    #[test]
    fn without_job_reports_it_says_so() {
        let comparison = comparison(vec![level(1, vec![run(1, Vec::new())])]);
        assert_eq!(render_timeline(&comparison, 80), "no timeline: the workload records no job reports\n");
    }
}
