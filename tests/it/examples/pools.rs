//! Pools: lessons 13, 24, 29.

use crate::harness::{run, run_with};

#[test]
fn lesson_13_in_order_as_they_complete_and_with_a_time_out() {
    let said = run("pool");
    said.place("map: [0, 1, 4, 9, 16, 25, 36, 49, 64, 81]");
    let list = said.after("unordered: ")[0].trim_matches(['[', ']']);
    let mut squares: Vec<u64> = list.split(", ").map(|n| n.parse().expect("a number")).collect();
    assert!(!squares.is_sorted(), "the order of completion is another: {list}");
    squares.sort_unstable();
    assert_eq!(squares, [0, 1, 4, 9, 16, 25, 36, 49, 64, 81]);
    let missed = said.place("with a time-out: not there after 1 s");
    assert!(missed < said.place("without: 9"));
    said.place("at most 4 in flight");
    assert_eq!(said.lines().last(), Some(&"the pool is still usable: [0, 1, 4]"));
}

#[test]
fn lesson_24_the_wall_time_is_that_of_the_longest() {
    // The clock is virtual: these times are exact on any machine.
    assert_eq!(
        run("sleeping_pool").lines(),
        ["pool of 1: slept [5, 3, 4], wall 12.0 s", "pool of 3: slept [5, 3, 4], wall 5.0 s"]
    );
}

#[test]
fn lesson_29_results_in_order_and_lines_of_progress_when_asked() {
    let results: Vec<_> = (0..10).map(|i| format!("{i}: {}", i * i)).collect();
    let quiet = run("parallel_loop");
    assert_eq!(quiet.lines(), results);
    assert_eq!(quiet.err.lines().count(), 1, "only that time is virtual: {}", quiet.err);
    let verbose = run_with("parallel_loop", &["--verbose"]);
    assert_eq!(verbose.lines(), results);
    let progress: Vec<_> = verbose.err.lines().filter_map(|line| line.split_once("] turn ")).collect();
    assert_eq!(
        progress.iter().map(|p| p.0).collect::<Vec<_>>(),
        (1..=10).map(|n| format!("[{n}/10")).collect::<Vec<_>>()
    );
    let turns: Vec<_> = progress.iter().map(|p| p.1).collect();
    assert!(!turns.is_sorted(), "the order of completion is another: {turns:?}");
}
