//! The pace of the lessons: quick, or with `--slow` (or `RAUDAL_SLOW=1`) that of the original
//! programs.

// Each lesson includes this file, but none uses all of it.
#![allow(dead_code)]

use std::time::Duration;

/// Whether the original pace was requested. An example that starts itself again passes the variable
/// on.
pub(crate) fn slow() -> bool {
    std::env::args().any(|argument| argument == "--slow") || std::env::var_os("RAUDAL_SLOW").is_some_and(|v| v == "1")
}

/// Converts seconds of the original to real time: a hundredth of them, unless slow.
pub(crate) fn seconds(seconds: f64) -> Duration {
    Duration::from_secs_f64(if slow() { seconds } else { seconds / 100.0 })
}

/// Lets tokio's clock jump to the next timer, unless slow. A sleep of a minute is then over at
/// once, and timers fire in order, however busy the machine is. A line on stderr says so, since the
/// times that a lesson prints do not pass. It needs `#[tokio::main(flavor = "current_thread")]`.
pub(crate) fn virtual_time() {
    if !slow() {
        eprintln!("(virtual time: the clock jumps from wait to wait; with --slow it is the real one)");
        tokio::time::pause();
    }
}
