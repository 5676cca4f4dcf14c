//! Work for the processor, and real waits: lessons 16, 20, 26 to 28.

use crate::harness::{Said, numbers, run};

/// Returns the seconds in the line with this prefix.
fn seconds(lines: &[&str], prefix: &str) -> f64 {
    let rest = lines.iter().find_map(|line| line.trim_start().strip_prefix(prefix)).expect("the line");
    let number = rest.split(' ').next().unwrap_or_default();
    number.parse().unwrap_or_else(|_| panic!("not seconds: {rest:?}"))
}

/// Returns the result and the peak memory of one way.
fn measured<'a>(said: &'a Said, way: &str) -> (&'a str, &'a str) {
    let line = said.after(&format!("{way}: "))[0];
    let (result, rest) = line.split_once(" in ").expect("a time");
    let (_, peak) = rest.split_once(" s, peak memory ").expect("a peak");
    (result, peak)
}

/// Returns the peak in MiB, where it is known.
fn mebibytes(peak: &str) -> Option<f64> {
    if !cfg!(target_os = "linux") {
        return None;
    }
    Some(peak.strip_suffix(" MiB").and_then(|number| number.parse().ok()).unwrap_or_else(|| panic!("no peak: {peak}")))
}

#[test]
fn lesson_16_four_at_once_take_as_long_as_they_overlap() {
    let said = run("mixed_io");
    let lines = said.lines();
    let half = said.place("all at once:");
    for (part, at_once) in [(&lines[..half], 1), (&lines[half..], 4)] {
        let own: Vec<f64> = ["file: ", "api: ", "database: ", "zip: "]
            .map(|name| {
                let line = part.iter().find_map(|line| line.trim_start().strip_prefix(name)).expect("an operation");
                let (_, time) = line.rsplit_once(" in ").expect("a time");
                time.strip_suffix(" s").and_then(|time| time.parse().ok()).expect("seconds")
            })
            .into();
        // The printed times are rounded.
        let rounding = 0.001;
        assert!((seconds(part, "the sum: ") - own.iter().sum::<f64>()).abs() < rounding, "{}", said.out);
        let longest = own.iter().copied().fold(0.0, f64::max);
        assert!((seconds(part, "the longest: ") - longest).abs() < rounding, "{}", said.out);
        let total = seconds(part, "the total: ");
        // The total may exceed the longest on a busy machine. But all four must have run at once.
        assert!(total + rounding > if at_once == 1 { own.iter().sum() } else { longest }, "{}", said.out);
        let last = part.iter().find(|line| line.contains("the total: ")).expect("a total");
        assert!(last.ends_with(&format!("at most {at_once} at once")), "{last}");
    }
}

#[test]
fn lesson_20_squares_in_order() {
    let said = run("squares");
    assert_eq!(numbers(&said.lines()[1..]), (0..20).map(|n| n * n).collect::<Vec<_>>());
}

#[test]
fn lesson_26_the_same_sum_each_way_with_time_and_memory() {
    let said = run("parallel_sum");
    for way in ["sequential", "4 async tasks on one thread", "4 threads"] {
        let (sum, peak) = measured(&said, way);
        assert_eq!(sum, "50000005000000", "{way}");
        // Ten million integers of eight bytes each.
        assert!(mebibytes(peak).is_none_or(|peak| peak > 76.0), "{way}: {peak}");
    }
}

#[test]
fn lesson_27_the_same_32_rows_sequentially_and_with_ten_at_once() {
    let said = run("iter_archives");
    assert!(said.after("1 at once: ")[0].starts_with("32 rows in "), "{}", said.out);
    assert!(said.after("1 at once: ")[0].ends_with("at most 1 in flight"), "{}", said.out);
    assert!(said.after("10 at once: ")[0].starts_with("32 rows in "), "{}", said.out);
    let peak: u64 = said.after("10 at once: ")[0].rsplit(' ').nth(2).and_then(|n| n.parse().ok()).expect("a peak");
    assert!((1..=10).contains(&peak), "{}", said.out);
    said.place("the tables are equal");
}

#[test]
fn lesson_28_a_chunk_size_buys_memory() {
    let said = run("squares_memory");
    let ways =
        ["list", "map", "unordered, chunks of 100", "unordered, chunks of 10000", "unordered, chunks of 1000000"];
    let peaks: Vec<_> = ways
        .iter()
        .map(|way| {
            let (sum, peak) = measured(&said, way);
            assert_eq!(sum, "2666664666667000000", "{way}");
            mebibytes(peak)
        })
        .collect();
    if let (Some(list), Some(small), Some(large)) = (peaks[0], peaks[2], peaks[4]) {
        // All squares together take 15.3 MiB.
        assert!(small + 5.0 < list && small < large, "{}", said.out);
    }
}
