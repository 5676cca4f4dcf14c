//! Tests each rule for what bounds a level, and its sentence, with invented runs.

use super::fixture::{comparison, even, job, level, limit, ms, run, staged};
use super::*;
use raudal_pool::JobReport;
use std::time::Duration;

fn bound(comparison: &Comparison, jobs: impl Into<Jobs>) -> Option<Bound> {
    comparison.finding(comparison.level(jobs).unwrap()).map(|finding| finding.bound)
}

fn sentence(comparison: &Comparison, jobs: usize) -> String {
    comparison.finding(comparison.level(jobs).unwrap()).unwrap().to_string()
}

/// `count` jobs, `jobs` at a time, each with stages of these lengths.
fn stages(jobs: usize, count: u64, lengths: &[(&'static str, u64)]) -> Level {
    let time: u64 = lengths.iter().map(|stage| stage.1).sum();
    let make = |number: u64| -> JobReport {
        let start = number / jobs as u64 * time;
        let mut at = start;
        let ends: Vec<(&'static str, u64)> = lengths
            .iter()
            .map(|(stage, length)| {
                at += length;
                (*stage, at)
            })
            .collect();
        staged(number, start, &ends)
    };
    level(jobs, vec![run(1, (0..count).map(make).collect())])
}

fn with_bytes(mut level: Level, bytes: u64) -> Level {
    for run in &mut level.runs {
        run.jobs.iter_mut().for_each(|job| job.bytes = bytes);
        run.report.bytes = bytes * run.jobs.len() as u64;
    }
    level
}

fn with_cpu(mut level: Level, cpu: u64) -> Level {
    level.runs.iter_mut().for_each(|run| run.cpu = Some(ms(cpu)));
    level
}

#[test]
fn one_at_a_time_waits_and_full_slots_want_more() {
    let comparison = comparison(vec![with_cpu(even(1, 40, &[100]), 200), with_cpu(even(10, 40, &[100]), 200)]);
    assert_eq!(
        sentence(&comparison, 1),
        "it is probably bound by latency: one job at a time was in flight, mostly waiting (a core would have been idle for \
         95 % of the time); concurrent jobs would overlap their waits"
    );
    assert_eq!(
        sentence(&comparison, 10),
        "it is probably bound by the number of slots: 10.0 of 10 were busy on average and a job took only 1.00 times \
         as long as with 1 job; more jobs at once would probably help"
    );
    let level = comparison.level(10).unwrap();
    assert_eq!(comparison.efficiency(level), Some(1.0));
    let ideal = comparison.ideal(level).unwrap();
    assert_eq!((ideal.time, ideal.share, ideal.longest), (ms(400), ms(400), Some(ms(100))));
    assert!((ideal.reached - 1.0).abs() < 1e-9);
}

#[test]
fn all_jobs_in_flight_at_once_wait_for_one_answer() {
    let comparison = comparison(vec![even(1, 8, &[100]), even(16, 8, &[100])]);
    assert_eq!(bound(&comparison, 16), Some(Bound::Latency));
    // The share of each slot is less than the longest job, so the longest job is the ideal.
    assert_eq!(comparison.ideal(&comparison.levels[1]).unwrap().time, ms(100));
}

#[test]
fn a_transfer_that_takes_as_much_longer_as_there_are_jobs_is_bandwidth() {
    let one = with_bytes(stages(1, 20, &[("fetch", 100), ("decode", 10)]), 1_000_000);
    let four = with_bytes(stages(4, 20, &[("fetch", 400), ("decode", 12)]), 1_000_000);
    let comparison = comparison(vec![one, four]);
    assert_eq!(
        sentence(&comparison, 4),
        "it is probably bound by bandwidth: a job took 3.7 times as long as with 1 job, with 99 % of the extra time \
         in `fetch`, and 9.7 MB/s is no faster than with 1 job; about 2 jobs in flight would be as fast"
    );
}

#[test]
fn without_stages_a_rate_that_does_not_rise_is_bandwidth_and_no_bytes_are_something_shared() {
    let one = even(1, 20, &[100]);
    let ten = even(10, 20, &[1000]);
    let bytes = |level: &Level| with_bytes(level.clone(), 1_000_000);
    assert_eq!(bound(&comparison(vec![bytes(&one), bytes(&ten)]), 10), Some(Bound::Bandwidth));
    assert_eq!(bound(&comparison(vec![one, ten]), 10), Some(Bound::Shared));
}

#[test]
fn waits_for_a_turn_are_something_shared_and_slower_decoding_is_the_processor() {
    let one = stages(1, 20, &[("acquire", 1), ("query", 100)]);
    let ten = stages(10, 20, &[("acquire", 900), ("query", 100)]);
    assert_eq!(bound(&comparison(vec![one, ten]), 10), Some(Bound::Shared));
    let (one, ten) = (stages(1, 20, &[("decode", 100)]), stages(10, 20, &[("decode", 500)]));
    assert_eq!(bound(&comparison(vec![one, ten]), 10), Some(Bound::Processor));
}

#[test]
fn busy_cores_are_the_processor() {
    let comparison = comparison(vec![with_cpu(even(1, 8, &[100]), 790), with_cpu(even(4, 8, &[200]), 780)]);
    assert_eq!(
        sentence(&comparison, 1),
        "it is probably bound by the processor: this process kept 0.99 cores busy on average of the 1 that 1 job \
         could use; more jobs could use the remaining cores"
    );
    assert_eq!(bound(&comparison, 4), Some(Bound::Processor));
}

#[test]
fn one_long_job_is_named() {
    let jobs = |starts: [u64; 4]| -> Vec<JobReport> {
        starts.into_iter().zip([100, 100, 100, 1000]).zip(0..).map(|((at, t), n)| job(n, at, at + t)).collect()
    };
    let one = level(1, vec![run(1, jobs([0, 100, 200, 300]))]);
    let comparison = comparison(vec![one, level(4, vec![run(2, jobs([0, 0, 0, 0]))])]);
    assert_eq!(
        sentence(&comparison, 4),
        "it is probably bound by the longest job: job 3 alone took 1.00 s of 1.00 s; more jobs at once cannot help; \
         make the job shorter, or split it"
    );
    assert_eq!(comparison.ideal(&comparison.levels[1]).unwrap().time, Duration::from_secs(1));
}

#[test]
fn job_times_that_grow_with_their_bytes_show_the_throughput_of_one_connection() {
    // A job takes its latency, and a millisecond for each kilobyte.
    let jobs = |latency: u64| {
        let mut at = 0;
        let one = |number: u64| {
            let (start, length) = (at, latency + 10 * (number + 1));
            at += length;
            let mut job = job(number, start, start + length);
            job.bytes = 10_000 * (number + 1);
            job
        };
        comparison(vec![level(1, vec![run(1, (0..20).map(one).collect())])])
    };
    let carried = sentence(&jobs(10), 1);
    assert!(
        carried.starts_with("it is probably bound by the throughput of one connection: one job at a time"),
        "{carried}"
    );
    assert!(carried.contains("a job takes 10.0 ms plus its bytes at 1.0 MB/s"), "{carried}");
    assert_eq!(bound(&jobs(1000), 1), Some(Bound::Latency));
}

#[test]
fn slots_that_stand_empty_show_another_limit() {
    let mut ten = even(4, 40, &[100]);
    ten.jobs = Jobs::Most(10);
    let comparison = comparison(vec![even(1, 40, &[100]), ten]);
    assert_eq!(
        sentence(&comparison, 10),
        "it is probably bound by a limit other than the number of jobs: at most 4 jobs were in flight, \
         although 10 were allowed; check the limit for each host or key, and the rate"
    );
}

#[test]
fn slots_that_stand_empty_only_at_the_end_show_jobs_of_unlike_length() {
    // Five short jobs on two slots, then a long one, which takes most of the run, but not nearly
    // all.
    let lengths = [100, 100, 100, 100, 100, 600];
    let starts = |jobs: usize| if jobs == 1 { [0, 100, 200, 300, 400, 500] } else { [0, 0, 100, 100, 200, 200] };
    let of = |jobs: usize| {
        let jobs_of = starts(jobs).into_iter().zip(lengths).zip(0..).map(|((at, t), n)| job(n, at, at + t)).collect();
        level(jobs, vec![run(1, jobs_of)])
    };
    let comparison = comparison(vec![of(1), of(2)]);
    assert_eq!(
        sentence(&comparison, 2),
        "it is probably bound by the jobs that finish last: the last job began after 200 ms of 800 ms; from then on \
         only 1.2 of 2 slots were busy on average; start long jobs first; more jobs at once help less"
    );
}

#[test]
fn what_needs_a_number_is_not_said_of_auto_and_its_highest_limit_is() {
    let auto = |mut level: Level| {
        level.jobs = Jobs::Auto;
        for (run, highest) in level.runs.iter_mut().zip([16, 8]) {
            run.limits = vec![limit(0, 4, "to begin with"), limit(20, highest, "no data has arrived yet")];
        }
        level
    };
    let comparison = comparison(vec![even(1, 40, &[100, 100]), auto(even(10, 40, &[100, 100]))]);
    let level = comparison.level(Jobs::Auto).unwrap();
    assert_eq!((comparison.ideal(level), comparison.efficiency(level), comparison.finding(level)), (None, None, None));
    assert_eq!((comparison.speed_up(level).unwrap().ratio, level.highest_limit()), (10.0, Some(16)));
    assert_eq!(
        explanations(&comparison)[1],
        (
            "auto".to_owned(),
            "the limit for a host rose to 16, and was last set to 16 (no data has arrived yet); \
             the measurements do not show what bounds it"
                .to_owned()
        )
    );
    let text = render_text(&comparison);
    assert!(text.lines().any(|line| line.starts_with("  auto (16)") && line.ends_with("  –")), "{text}");
    assert!(to_csv(&comparison).lines().nth(3).unwrap().starts_with("fake,auto,1,1,"));
    assert!(to_csv(&comparison).lines().nth(3).unwrap().contains(",d1,16,2026-01-02T"));
    let json: serde_json::Value = serde_json::from_str(&to_json(&comparison).unwrap()).unwrap();
    assert_eq!((&json["levels"][1]["jobs"], &json["levels"][1]["highest_limit"]), (&"auto".into(), &16.into()));
    assert!(json["levels"][0]["highest_limit"].is_null() && json["levels"][1]["ideal_seconds"].is_null());
    assert_eq!(conclusion(&comparison), "auto: 10.00 times as fast as 1 job");
}

#[test]
fn auto_is_found_bound_by_what_was_seen_in_flight() {
    let mut all = even(8, 8, &[100]);
    all.jobs = Jobs::Auto;
    assert_eq!(bound(&comparison(vec![even(1, 8, &[100]), all]), Jobs::Auto), Some(Bound::Latency));
    let mut slow = with_bytes(stages(4, 20, &[("fetch", 400), ("decode", 12)]), 1_000_000);
    slow.jobs = Jobs::Auto;
    let one = with_bytes(stages(1, 20, &[("fetch", 100), ("decode", 10)]), 1_000_000);
    assert_eq!(bound(&comparison(vec![one, slow]), Jobs::Auto), Some(Bound::Bandwidth));
}

#[test]
fn without_job_times_nothing_is_claimed() {
    let bare = |jobs| level(jobs, vec![run(1, Vec::new())]);
    let comparison = comparison(vec![bare(1), bare(10)]);
    for level in &comparison.levels {
        assert_eq!((comparison.ideal(level), comparison.finding(level)), (None, None));
        assert_eq!((comparison.efficiency(level), level.busy_cores()), (None, None));
    }
    assert_eq!(explanations(&comparison)[1].1, "the measurements do not show what bounds it");
}

#[test]
fn a_drift_that_all_levels_share_is_warned_of_and_chance_is_not() {
    let words = |one: &[u64], ten: &[u64]| -> Vec<&'static str> {
        let comparison = comparison(vec![even(1, 20, one), even(10, 20, ten)]);
        comparison.warnings().iter().map(Warning::word).collect()
    };
    assert_eq!(words(&[100, 103, 106, 109, 112, 115], &[100, 104, 105, 110, 112, 116]), ["drift"]);
    assert_eq!(words(&[115, 112, 109, 106, 103, 100], &[116, 112, 110, 105, 104, 100]), ["drift"]);
    // Only one level drifts; the drift is too small; there is no order; there are too few rounds.
    assert!(words(&[100, 106, 112, 118, 124, 130], &[101, 100, 101, 100, 101, 100]).is_empty());
    assert!(words(&[1000, 1001, 1002, 1003, 1004, 1005], &[1000, 1001, 1002, 1003, 1004, 1005]).is_empty());
    assert!(words(&[100, 120, 100, 120, 100, 120], &[100, 120, 100, 120, 100, 120]).is_empty());
    assert!(words(&[100, 110, 120, 130], &[100, 110, 120, 130]).is_empty());

    let slower = Warning::Drift { change: 0.12 }.to_string();
    assert!(slower.starts_with("every level became slower") && slower.contains("12 % longer"), "{slower}");
    let quicker = Warning::Drift { change: -0.12 }.to_string();
    assert!(quicker.contains("12 % less") && quicker.contains("warm up with"), "{quicker}");
}

#[test]
fn stray_runs_are_named_with_their_times() {
    let comparison = comparison(vec![even(1, 10, &[100, 101, 100, 900, 102, 101])]);
    assert_eq!(
        comparison.warnings()[0].to_string(),
        "1 job: some runs are far from the median of 1.01 s: run 4 (9.00 s); something else was running, so measure \
         again on a quieter machine or network"
    );
}

#[test]
fn csv_holds_every_run_and_an_empty_cell_for_what_is_undefined() {
    let mut comparison = comparison(vec![even(1, 20, &[100, 100]), with_cpu(even(10, 20, &[100]), 120)]);
    comparison.workload = "one, \"two\"".to_owned();
    let csv = to_csv(&comparison);
    let lines: Vec<&str> = csv.lines().collect();
    assert_eq!(
        lines[0],
        "workload,jobs,round,turn,wall_seconds,job_seconds,cpu_seconds,overlap,peak_in_flight,succeeded,attempts,retries,\
         bytes,items,rows,digest,highest_limit,started,version,machine,settings,command"
    );
    let conditions = "2026-01-02T03:04:05.000Z,1.2.3,\"linux x86_64, Some CPU, 2 cores, 8.2 GB of memory\",\
                      latency 80ms; seed 7,raudal compare fake --seed=7";
    assert_eq!(lines[2], format!("\"one, \"\"two\"\"\",1,2,2,2,2,,1,1,20,20,0,0,20,32,d1,,{conditions}"));
    assert_eq!(lines[3], format!("\"one, \"\"two\"\"\",10,1,1,0.2,2,0.12,10,10,20,20,0,0,20,32,d1,,{conditions}"));
    assert_eq!(lines.len(), 4);
}
