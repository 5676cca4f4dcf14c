//! Measures the time of a piece of work, and the peak memory of its process.

use std::fmt::Display;
use std::time::Instant;

/// Runs the work, and prints its result, its time and the peak memory of this process. Each way
/// needs its own process: a peak never falls, so a second way would show the peak of the first.
pub(crate) fn measured<R: Display, E>(name: &str, work: impl FnOnce() -> Result<R, E>) -> Result<(), E> {
    let start = Instant::now();
    let result = work()?;
    println!("{name}: {result} in {:.3} s, peak memory {}", start.elapsed().as_secs_f64(), peak());
    Ok(())
}

/// Returns the peak memory of this process, which Linux calls its high water mark.
fn peak() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|rest| rest.trim().strip_suffix(" kB")?.parse::<f64>().ok());
    kilobytes.map_or("not known here".to_owned(), |kilobytes| format!("{:.1} MiB", kilobytes / 1024.0))
}
