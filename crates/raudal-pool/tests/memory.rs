//! The memory of a run does not grow with the number of its jobs. Alone in its file, as the peak is the whole process's.

#![cfg(target_os = "linux")]

use raudal_pool::{Backoff, Pool};
use std::time::Duration;

/// The most memory this process ever had, in MiB.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux has it");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a peak");
    line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") / 1024
}

/// Half a million of them; `RAUDAL_POOL_JOBS` asks for more.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn millions_of_jobs_stay_under_16_mib() {
    let jobs = std::env::var("RAUDAL_POOL_JOBS").map_or(500_000, |jobs| jobs.parse().expect("a number"));
    let report = Pool::new(1000)
        .for_each(0..jobs, |_, _| async { Ok::<_, String>(()) })
        .retry(Backoff::default())
        .attempt_timeout(Duration::from_secs(60))
        .await;
    assert_eq!((report.succeeded, report.total()), (jobs, jobs));
    assert!(report.peak_in_flight <= 1000);
    println!("{jobs} jobs in {:?}, {} MiB at the peak", report.wall, peak());
    assert!(peak() < 16, "the peak was {} MiB", peak());
}
