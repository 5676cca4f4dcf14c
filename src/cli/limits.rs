//! The limit on open files, and how many transfers it allows.

use raudal::pipeline::RunOptions;

/// Files that are open before a run, where they cannot be counted: the standard streams, the runtime's
/// own, signals.
const BASE: u64 = 12;
/// Files that a run opens besides those of its transfers: the result, a report, a lock, and one that is
/// opened briefly.
const OTHERS: u64 = 4;

/// What the transfers of a command have open at once, as `/proc/PID/fd` shows it at the peak.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Transfers {
    /// The connection, and a temporary file.
    Temporary,
    /// The connection, the file, and at its end a reader of it.
    Files,
    /// The same, and a sidecar for another run.
    Resumable,
}

impl Transfers {
    /// Returns how many files one transfer has open. The embedded origin holds the other end of the
    /// connection.
    fn each(self, has_origin: bool) -> u64 {
        let own = match self {
            Self::Temporary => 2,
            Self::Files => 3,
            Self::Resumable => 4,
        };
        own + u64::from(has_origin)
    }
}
/// The highest limit that macOS accepts when the hard limit is unlimited.
#[cfg(unix)]
const WHERE_ENDLESS: u64 = 10_240;

/// Raises the limit on open files as far as allowed. Most systems start with a low limit, for
/// programs that can handle only 1,024.
pub(crate) fn raise() {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
        let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
        if current == maximum {
            return;
        }
        let most = Rlimit { current: maximum, maximum };
        if setrlimit(Resource::Nofile, most).is_err() && current.is_some_and(|current| current < WHERE_ENDLESS) {
            // If this fails too, the old limit stays.
            let _ = setrlimit(Resource::Nofile, Rlimit { current: Some(WHERE_ENDLESS), maximum });
        }
    }
}

/// Returns the limit on open files; `None` if the system has none.
fn open_files() -> Option<u64> {
    #[cfg(unix)]
    return rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    #[cfg(not(unix))]
    None
}

/// Returns how many files are open now.
fn open_now() -> u64 {
    // The folder itself is one of them while it is read.
    std::fs::read_dir("/dev/fd").map_or(BASE, |files| (files.count() as u64).saturating_sub(1))
}

/// Lowers the number of jobs to what the limit on open files allows. Returns a message if it did.
pub(crate) fn lower(options: &mut RunOptions, transfers: Transfers, has_origin: bool) -> Option<String> {
    let limit = open_files()?;
    let most = jobs(limit.saturating_sub(open_now() + OTHERS), transfers.each(has_origin));
    let asked = options.concurrency.total();
    if asked <= most {
        return None;
    }
    options.concurrency = options.concurrency.at_most(most);
    Some(format!("at most {most} at once instead of {asked}, because only {limit} files may be open (ulimit -n)"))
}

fn jobs(free: u64, each: u64) -> usize {
    usize::try_from(free / each).unwrap_or(usize::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_enough_for_one_at_least() {
        let of = |free| {
            [Transfers::Temporary, Transfers::Files, Transfers::Resumable].map(|own| jobs(free, own.each(false)))
        };
        assert_eq!([0, 1, 20, 240].map(of), [[1, 1, 1], [1, 1, 1], [10, 6, 5], [120, 80, 60]]);
        assert_eq!(jobs(20, Transfers::Temporary.each(true)), 6);
        assert!((3..200).contains(&open_now()), "{}", open_now());
    }
}
