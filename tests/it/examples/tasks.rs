//! Tasks and their synchronisation: lessons 1 to 7, 9 to 11, 14.

use crate::harness::{Said, numbers, run};

#[test]
fn lesson_01_the_program_ends_only_when_its_tasks_have() {
    let said = run("task");
    assert_eq!(
        said.lines(),
        ["both are started", "pasando", "pasando ahora", "both have ended, and so does the program"]
    );
}

#[cfg(unix)]
#[test]
fn lesson_02_ctrl_c_stops_all_seven_in_order_and_no_line_is_cut() {
    use crate::harness::example;
    use rustix::process::{Pid, Signal, kill_process};
    use std::collections::BTreeSet;
    use std::io::{BufRead, BufReader};
    use std::process::Stdio;

    let mut child = example("typed_workers", &[]).stdout(Stdio::piped()).spawn().expect("the example runs");
    let mut lines = Vec::new();
    let mut seen = BTreeSet::new();
    let mut stopping = false;
    for line in BufReader::new(child.stdout.take().expect("a pipe")).lines() {
        let line = line.expect("UTF-8");
        if let Some((worker, _)) = line.split_once(" wrote line ") {
            seen.insert(worker.to_owned());
        }
        lines.push(line);
        // Each of the seven has written a line: now interrupt them.
        if seen.len() == 7 && !stopping {
            stopping = true;
            kill_process(Pid::from_child(&child), Signal::INT).expect("a signal");
        }
    }
    assert!(child.wait().expect("it ends").success(), "it ends by itself, not by the signal");

    let order = ["task1 worker 1", "task1 worker 2", "task2 worker 1", "task2 worker 2", "task2 worker 3"];
    let order: Vec<_> = order.into_iter().chain(["task3 worker 1", "task3 worker 2"]).collect();
    assert_eq!(lines.pop().as_deref(), Some("All 7 have stopped."));
    // A worker that stops later may still write a line after an earlier one has stopped.
    let (end, work): (Vec<_>, Vec<_>) = lines.iter().partition(|line| line.contains(" stopped after "));
    let stopped: Vec<_> = end.iter().filter_map(|line| line.split_once(" stopped after ")).collect();
    assert_eq!(stopped.iter().map(|s| s.0).collect::<Vec<_>>(), order, "{end:#?}");
    for (worker, count) in stopped {
        let written = work.iter().filter(|line| line.starts_with(&format!("{worker} wrote line "))).count();
        assert_eq!(count, format!("{written} lines."), "{worker}");
    }
    assert!(work.iter().all(|line| line.ends_with('.')), "every line is whole: {work:#?}");
}

#[test]
fn lesson_03_the_worker_counts_only_after_the_release() {
    let said = run("lock");
    assert_eq!(numbers(&said.after("main: ")[..10]), (10..20).collect::<Vec<_>>());
    assert_eq!(numbers(&said.after("worker: ")[1..]), (0..10).collect::<Vec<_>>());
    assert!(said.place("worker: waiting for the lock") < said.place("main: released"));
    assert!(said.place("main: released") < said.place("worker: 0"));
}

#[test]
fn lesson_04_the_other_starts_only_after_eleven_releases() {
    let said = run("reentrant_lock");
    assert_eq!(said.after("owner: taken ").len(), 11);
    assert_eq!(said.after("owner: released, "), (0..11).rev().map(|n| format!("{n} left")).collect::<Vec<_>>());
    assert!(said.place("other: waiting") < said.place("owner: released, 10 left"));
    assert!(said.place("owner: released, 0 left") < said.place("other: taken 1 time"));
}

#[test]
fn lesson_05_the_consumer_wakes_for_each_notification_and_ends_when_told() {
    let said = run("condition");
    assert_eq!(numbers(&said.after("consumer: item ")), [1, 2, 3, 4, 5]);
    assert_eq!(said.after("consumer: woken, time ").len(), 6);
    assert_eq!(said.lines().last(), Some(&"the consumer ended after 6 notifications"));
}

#[test]
fn lesson_06_at_most_five_are_inside() {
    let said = run("semaphore");
    let inside = |line: &&str| -> usize {
        line.rsplit_once(", ").and_then(|(_, n)| n.strip_suffix(" inside")?.parse().ok()).expect("a count")
    };
    let moves: Vec<_> = said.after("task ").iter().map(inside).collect();
    assert_eq!(moves.len(), 40);
    assert_eq!(moves.iter().max(), Some(&5), "{}", said.out);
    assert_eq!(said.lines().last(), Some(&"20 tasks, at most 5 inside at once"));
}

#[test]
fn lesson_07_nobody_enters_before_set_and_all_do_after_it() {
    let said = run("event");
    let set = said.place("main: set");
    let places = |what: &str| -> Vec<usize> { (1..=5).map(|n| said.place(&format!("waiter {n}: {what}"))).collect() };
    assert!(places("waiting").into_iter().all(|place| place < set), "{}", said.out);
    assert!(places("in").into_iter().all(|place| place > set), "{}", said.out);
    assert_eq!(said.lines()[said.lines().len() - 2..], ["latecomer: waiting", "latecomer: in"]);
}

#[test]
fn lesson_09_values_come_in_the_order_of_the_workers() {
    let said = run("return_values");
    let values: Vec<_> = said.out.lines().filter_map(|line| line.parse::<u64>().ok()).collect();
    assert_eq!(values, [200, 220, 240, 260]);
    assert_eq!(said.after("worker ")[0], "13 has finished", "they finish in another order");
}

#[test]
fn lesson_10_hello_world_then_foo() {
    assert_eq!(run("channel").lines(), ["hello world!", "foo"]);
}

#[test]
fn lesson_11_one_of_two_updates_is_lost_and_none_with_a_lock() {
    assert_eq!(run("lost_update").lines(), ["without a lock: 1", "with a lock: 2"]);
}

#[test]
fn lesson_14_interleaved_then_in_order() {
    let said: Said = run("numbers_letters");
    let expected = "at once: 1 a 2 b 3 c 4 d 5 e one after the other: 1 2 3 4 5 a b c d e";
    assert_eq!(said.lines().join(" "), expected);
}
