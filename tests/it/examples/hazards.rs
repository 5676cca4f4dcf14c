//! Hazards and their cures: lessons 15, 21, 22, 25.

use crate::harness::run;

#[test]
fn lesson_15_a_plain_counter_loses_four_of_five_and_the_others_none() {
    let said = run("counter_race");
    for (way, left, lost) in [("plain", 10_000, 40_000), ("atomic", 50_000, 0), ("lock", 50_000, 0)] {
        let line = said.after(&format!("{way}: "))[0];
        assert!(line.starts_with(&format!("{left} ({lost} lost) in ")) && line.ends_with(" s"), "{line}");
    }
}

#[test]
fn lesson_21_daemons_end_with_their_parent_having_closed_what_they_held() {
    let said = run("daemon");
    for name in ["sporadic", "periodic", "long-lived"] {
        let written = said.number(&format!("{name}: closed its file after "));
        assert!(written >= 1);
        assert_eq!(said.number(&format!("parent: {name} left ")), written, "{}", said.out);
    }
    assert_eq!(said.number("long-lived: closed its file after "), 1, "it was in the middle of its one task");
    assert_eq!(said.lines().last(), Some(&"parent: ended"));
}

#[test]
fn lesson_22_a_race_is_provoked_detected_and_cured() {
    assert_eq!(
        run("race").lines(),
        [
            "the signal is given",
            "look, then wait: nothing after 1 s: the signal is lost",
            "the signal is given",
            "ask, then look: told"
        ]
    );
}

#[test]
fn lesson_22_starvation_is_provoked_detected_and_cured() {
    let said = run("starvation");
    assert!(said.place("unfair lock: no turn in 1 s: the modest task starves") == 0);
    assert!(said.lines()[1].starts_with("fair lock: the modest task had its turn after "), "{}", said.out);
}

#[test]
fn lesson_22_a_deadlock_is_provoked_detected_and_cured() {
    let said = run("deadlock");
    let detected = said.place("crosswise: nothing moves after 1 s: a deadlock");
    assert!(said.place("transfer 1 -> 2: holds 1, waits for 2") < detected);
    assert!(said.place("transfer 2 -> 1: holds 2, waits for 1") < detected);
    assert_eq!(said.lines()[detected + 1], "balances: 100 and 100", "nothing is half-done");
    assert!(detected < said.place("in order: done"));
    assert_eq!(said.lines().last(), Some(&"balances: 80 and 120"));
}

#[test]
fn lesson_25_every_increment_counts() {
    assert_eq!(run("shared_value").lines(), ["2 x 100000 = 200000", "6 x 100000 = 600000"]);
}
