//! Processes: lessons 8, 12, 17 to 19, 23.

use crate::harness::run;
use std::collections::BTreeSet;

#[test]
fn lesson_08_tasks_share_a_pid_and_processes_do_not() {
    let said = run("tasks_and_processes");
    let lines = said.lines();
    let half = lines.iter().position(|line| line.starts_with("main has control again:")).expect("a first join");
    let pids = |lines: &[&str], worker: &str| -> Vec<String> {
        let steps = lines.iter().filter(|line| line.starts_with(worker));
        steps.filter_map(|line| Some(line.split_once("pid ")?.1.split_once(',')?.0.to_owned())).collect()
    };
    let (tasks, processes) = (pids(&lines[..half], "task "), pids(&lines[half..], "process "));
    assert_eq!(tasks.iter().collect::<BTreeSet<_>>().len(), 1, "{}", said.out);
    let each: BTreeSet<_> = processes.iter().collect();
    assert_eq!(each.len() * 3, processes.len(), "three steps of each: {}", said.out);
    assert!(each.len() >= 2 && !each.contains(&tasks[0]), "{}", said.out);
    // Interleaved: all of step 1 comes before any of step 3, for tasks and for processes.
    for part in [&lines[..half], &lines[half..]] {
        let last_1 = part.iter().rposition(|line| line.ends_with("step 1")).expect("a step");
        let first_3 = part.iter().position(|line| line.ends_with("step 3")).expect("a step");
        assert!(last_1 < first_3, "{}", said.out);
    }
    assert_eq!(lines.last(), Some(&"main has control again"));
}

#[test]
fn lesson_12_processes_lose_updates_without_a_lock_and_none_with_it() {
    let said = run("lost_update_processes");
    assert_eq!(said.number("2 processes x 100 without a lock: "), 100);
    assert_eq!(said.number("2 processes x 100 with a lock: "), 200);
}

#[test]
fn lesson_17_parent_and_child_have_pids_of_their_own() {
    let said = run("process");
    let (parent, child) = (said.number("parent: pid "), said.number("child: pid "));
    assert_ne!(parent, child);
    said.place(&format!("child: pid {child}, parent {parent}"));
    assert!(said.out.contains("the child ended with exit") && said.out.trim_end().ends_with(" s"), "{}", said.out);
}

#[test]
fn lesson_18_five_items_in_order_and_then_the_end() {
    let said = run("queue");
    let items: Vec<_> = said.out.lines().filter_map(|line| Some(line.split_once(": Dato ")?.1)).collect();
    assert_eq!(items, ["1", "2", "3", "4", "5"]);
    let last = said.lines().iter().rposition(|line| line.contains(": Dato ")).expect("an item");
    assert!(last < said.place("the end: the queue is closed"));
    assert_eq!(said.after("producer ended: ").len() + said.after("consumer ended: ").len(), 2);
}

#[test]
fn lesson_19_the_receiver_ends_at_the_marker() {
    let said = run("pipe");
    assert_eq!(
        said.after("receiver: "),
        ["hello", "how are you?", "this is the third", "and the last", "the end marker"]
    );
    let ended = |who: &str| said.lines().iter().position(|line| line.starts_with(&format!("{who} ended: exit")));
    assert!(ended("receiver").expect("an end") < ended("sender").expect("an end"));
}

#[test]
fn lesson_23_each_greets_with_its_own_pid_and_all_are_reaped() {
    let said = run("many_processes");
    let greetings: BTreeSet<_> = said.after("hello from ").into_iter().collect();
    let names: BTreeSet<_> = greetings.iter().filter_map(|line| Some(line.split_once(", pid ")?.0)).collect();
    let pids: BTreeSet<_> = greetings.iter().filter_map(|line| Some(line.split_once(", pid ")?.1)).collect();
    let expected = ["Ana", "Beto", "Citlali", "Process-4", "Process-5", "Process-6", "Process-7", "Process-8"];
    assert_eq!(names.into_iter().collect::<Vec<_>>(), expected);
    assert_eq!(pids.len(), 8, "{}", said.out);
    assert_eq!(said.lines().last(), Some(&"8 of 8 reaped"));
}
