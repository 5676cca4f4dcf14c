//! The limit on open files, and how many transfers it allows.

use raudal::pipeline::RunOptions;

/// Files that are open in every run: the standard streams, the runtime's own, signals, the result,
/// a report.
const BASE: u64 = 16;
/// Files that one transfer may have open at once: its connection (and the other end, if that is the
/// embedded origin), its partial file with its sidecar and a reader, and one that is opened briefly.
const EACH: u64 = 6;
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

/// Lowers the number of jobs to what the limit on open files allows. Returns a message if it did.
pub(crate) fn lower(options: &mut RunOptions) -> Option<String> {
    let limit = open_files()?;
    let most = jobs(limit);
    let asked = options.concurrency.total();
    if asked <= most {
        return None;
    }
    options.concurrency = options.concurrency.at_most(most);
    Some(format!("at most {most} at once instead of {asked}, because only {limit} files may be open (ulimit -n)"))
}

fn jobs(limit: u64) -> usize {
    usize::try_from(limit.saturating_sub(BASE) / EACH).unwrap_or(usize::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_enough_for_one_at_least() {
        assert_eq!([0, 16, 24, 64, 256, 1024, u64::MAX].map(jobs)[..6], [1, 1, 1, 8, 40, 168]);
    }
}
