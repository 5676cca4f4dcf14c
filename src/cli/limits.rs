//! How many files the machine lets us open, and how many transfers that is enough for.

use raudal::pipeline::Options;

/// What is open whatever a run does: the standard streams, the runtime's own, signals, the result, a report.
const BASE: u64 = 16;
/// What one transfer may have open at once: its connection (and the other end of it, if that is the embedded origin), the
/// file in which it arrives with its sidecar and a reader, and what is looked at in passing.
const EACH: u64 = 6;
/// What macOS gives at most to whoever asks for all there is.
#[cfg(unix)]
const WHERE_ENDLESS: u64 = 10_240;

/// Lets the program open as many files as it may. The limit that most systems begin with is one for programs that know
/// only 1,024.
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
            // What cannot be raised is lived with.
            let _ = setrlimit(Resource::Nofile, Rlimit { current: Some(WHERE_ENDLESS), maximum });
        }
    }
}

/// How many files may be open; `None` where nobody counts.
fn open_files() -> Option<u64> {
    #[cfg(unix)]
    return rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    #[cfg(not(unix))]
    None
}

/// Lowers the jobs of a run to what the limit on open files is enough for, and says so.
pub(crate) fn lower(options: &mut Options) -> Option<String> {
    let limit = open_files()?;
    let most = jobs(limit);
    if options.jobs <= most {
        return None;
    }
    let asked = std::mem::replace(&mut options.jobs, most);
    options.per_host = options.per_host.min(most);
    Some(format!("at most {most} at once in place of {asked}, as only {limit} files may be open (ulimit -n)"))
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
