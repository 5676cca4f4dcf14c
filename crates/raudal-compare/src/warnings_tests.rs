//! Differences that are none, and the units and widths in which figures are shown.

use super::*;
use crate::fixture::comparison;
use crate::workload::Unit;
use std::time::Duration;

fn words(comparison: &Comparison) -> Vec<&'static str> {
    comparison.warnings().iter().map(Warning::word).collect()
}

/// A level with these wall times, in microseconds.
fn timed(jobs: usize, walls: &[u64]) -> Level {
    let run = |(turn, wall): (u64, &u64)| {
        let mut run = fixture::run(turn, vec![fixture::job(0, 0, 1)]);
        run.wall = Duration::from_micros(*wall);
        run
    };
    fixture::level(jobs, (1..).zip(walls).map(run).collect())
}

#[test]
fn a_difference_below_two_hundredths_or_the_grain_of_the_clock_is_none() {
    // Very even runs, one of them a little slower: the first, or another one.
    let even = [462_000, 462_010, 462_020, 462_005, 462_015, 462_010];
    for slow in [0, 3] {
        let mut walls = even;
        walls[slow] += 9_000;
        assert_eq!(words(&comparison(vec![timed(1, &walls)])), [""; 0], "{walls:?}");
        walls[slow] += 9_000;
        let word = if slow == 0 { "slow-first" } else { "spread" };
        assert_eq!(words(&comparison(vec![timed(1, &walls)])), [word], "{walls:?}");
    }
    // A millisecond more or less, of six.
    let walls = [6_000, 6_001, 6_900, 6_002, 6_000, 6_001];
    assert_eq!(words(&comparison(vec![timed(1, &walls)])), [""; 0]);
    // Levels that are equally fast.
    let levels = vec![timed(1, &[462_000, 462_500]), timed(10, &[461_000, 461_500])];
    let comparison = comparison(levels);
    assert_eq!((words(&comparison).len(), conclusion(&comparison)), (0, "10 jobs: as fast as 1 job".to_owned()));
}

#[test]
fn no_warning_compares_two_times_that_are_shown_alike() {
    let mut rng = fastrand::Rng::with_seed(7);
    let (mut seen, shown) = (0, raudal_common::units::duration);
    for _ in 0..3000 {
        let (base, noise) = (rng.u64(100..5_000_000), 1.0 + 10_f64.powf(rng.f64() * 6.0 - 7.0));
        let walls: Vec<u64> =
            (0..rng.usize(3..12)).map(|_| (base as f64 * (1.0 + rng.f64() * (noise - 1.0))) as u64).collect();
        let mut walls = walls;
        walls[0] += base / rng.u64(2..1000);
        let last = walls.len() - 1;
        walls[last] += base / rng.u64(2..1000);
        for warning in comparison(vec![timed(1, &walls)]).warnings() {
            let (far, median) = match &warning {
                Warning::SlowFirst { first, median, .. } => (vec![*first], *median),
                Warning::Spread { runs, median, .. } => (runs.iter().map(|run| run.1).collect(), *median),
                _ => continue,
            };
            seen += far.len();
            assert!(far.iter().all(|wall| shown(*wall) != shown(median)), "{warning}: {walls:?}");
        }
    }
    assert!(seen > 100, "the test has seen such warnings: {seen}");
}

#[test]
fn times_have_the_unit_that_fits_and_no_line_is_wider_than_80() {
    let mut comparison = comparison(vec![
        timed(1, &[7_230_312, 7_230_100]),
        timed(4, &[460_312, 461_100]),
        timed(64, &[730, 731]),
        timed(128, &[99_999_960, 100_000_030]),
    ]);
    comparison.unit = Unit::Jobs("transactions");
    let text = render_text(&comparison);
    for part in ["7.230 ± 0.000 s", "460.7 ± 0.6 ms", "730.5 ± 0.7 µs"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let widest = text.lines().map(unicode_width::UnicodeWidthStr::width).max();
    assert!(widest.is_some_and(|width| width <= 80), "{widest:?}: {text}");
}
