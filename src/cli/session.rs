//! What surrounds one command: its progress display, its signals, and its messages at the end.

use super::args::{HttpArgs, ShowArgs};
use super::ending::Ending;
use super::output::Output;
use super::signals::{self, Signals};
use super::wording::options;
use raudal::fetch::Cache;
use raudal::pipeline::{Summary, files};
use raudal::pool::{Observer, RunReport};
use raudal::progress::{Progress, Recorder, Verbosity};
use raudal::units;
use raudal::{Error, Kind, Result};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::task::AbortOnDropHandle;

/// How many failures are printed at the end. The report and --failed-to list all of them.
pub(crate) const NAMED_FAILURES: usize = 20;

pub(crate) struct Session {
    pub(crate) progress: Progress,
    pub(crate) signals: Signals,
    pub(crate) recorder: Option<Arc<Recorder>>,
    /// Removes the bars at Ctrl-Z, and draws them again at `fg`.
    _ctrl_z: Option<AbortOnDropHandle<()>>,
}

impl Session {
    pub(crate) fn begin(show: &ShowArgs, deadline: Option<Duration>, record: bool) -> Self {
        let progress = Progress::new(show.progress, verbosity(show));
        if progress.is_terminal() {
            progress.clear_on_panic();
        }
        let signals = Signals::watch(deadline, progress.eraser());
        #[cfg(unix)]
        let ctrl_z =
            progress.is_terminal().then(|| AbortOnDropHandle::new(signals::at_ctrl_z(progress.stopper(signals::stop))));
        #[cfg(not(unix))]
        let ctrl_z = None;
        Self { progress, signals, recorder: record.then(Arc::default), _ctrl_z: ctrl_z }
    }

    /// Returns the observers of the run, as one.
    pub(crate) fn observer(&self) -> Arc<dyn Observer> {
        let mut observers = vec![self.progress.observer()];
        if let Some(recorder) = &self.recorder {
            observers.push(Arc::clone(recorder) as Arc<dyn Observer>);
        }
        Arc::new(observers)
    }

    /// Prints warnings that --quiet does not silence.
    pub(crate) fn warn_of(&self, http: &HttpArgs) {
        if http.insecure {
            self.progress.error("warning: certificates are not checked (--insecure)");
        }
    }

    /// Prints an error and its hint.
    pub(crate) fn say_error(progress: &Progress, error: &Error) {
        progress.error(&format!("error: {}", error.report()));
        if let Some(hint) = error.hint_text() {
            progress.error(&hint_line(hint));
        }
    }

    /// Prints the outcome of the run: each failure with its reason.
    pub(crate) fn conclude(&self, ending: &Ending<'_>, total: u64) {
        let (progress, report) = (&self.progress, ending.report);
        progress.finish();
        for warning in ending.warnings {
            progress.note(&format!("warning: {}", options(warning)));
        }
        for failure in ending.failures.iter().take(NAMED_FAILURES) {
            let tries = if failure.attempts == 1 { String::new() } else { format!(" ({} tries)", failure.attempts) };
            progress.error(&format!("error: {}{tries}", failure.error.report()));
            if let Some(hint) = failure.error.hint_text() {
                progress.error(&hint_line(hint));
            }
        }
        let failed = ending.failures.len() as u64;
        if failed > NAMED_FAILURES as u64 {
            progress.error(&format!("error: … and {} more", thousands(failed - NAMED_FAILURES as u64)));
        }
        let left = total.saturating_sub(ending.succeeded + failed);
        if let Some(stop) = self.signals.stop()
            && report.stopped
        {
            progress.error(&format!("{}: {left} of {} not done", stop.words(), counted(total, "input")));
        } else if let Some(condition) = ending.condition {
            Self::say_error(progress, condition);
            progress.error(&format!("stopped: {left} of {} not done", counted(total, "input")));
        } else if report.stopped {
            let all = counted(total, "input");
            progress.error(&format!("stopped after {failed} failed: {left} of {all} not done"));
        }
        if failed > 0 {
            progress.error(&format!("{} of {} failed", thousands(failed), counted(total, "input")));
        }
    }

    /// Prints that inputs were left out because the table has all rows of its limit.
    pub(crate) fn say_limit(&self, summary: &Summary, total: u64) {
        let left = total.saturating_sub(summary.succeeded + summary.failures.len() as u64);
        if summary.limited && left > 0 {
            self.progress.note(&format!(
                "the table has the rows of --limit: {} of {} not read",
                thousands(left),
                counted(total, "input")
            ));
        }
    }

    /// Prints where the table is, and its figures. `counts` if the table is a count of rows.
    pub(crate) fn say_table(
        &self,
        summary: &Summary,
        inputs: &str,
        counts: bool,
        output: &Output,
        partials: Option<&Path>,
    ) {
        match (output.name(), &summary.written) {
            (Some(path), Some(_)) if summary.report.stopped => {
                let kept = raudal::table::partial_path(Path::new(&path));
                self.progress.error(&format!("the complete part is kept in: {}", kept.display()));
            }
            (Some(path), None) => self.progress.error(&format!("nothing was written to: {path}")),
            _ => {}
        }
        if let Some(folder) = partials.filter(|folder| folder.is_dir()) {
            // A table that lacks inputs has taken the name.
            let taken = summary.written.is_some() && !summary.report.stopped;
            self.say_kept(folder, if taken { "the same command with --overwrite" } else { "the same command" });
        }
        for note in summary.written.iter().flat_map(|written| &written.notes) {
            self.progress.detail(note);
        }
        for note in &summary.notes {
            self.progress.detail(&options(note));
        }
        let written = summary.written.as_ref().filter(|written| !counts && written.rows != summary.rows_kept);
        let written = written.map(|written| format!(", {} written", thousands(written.rows))).unwrap_or_default();
        self.progress.note(&format!(
            "{}, {}: {} read, {} kept{written}",
            counted(summary.succeeded, inputs),
            units::bytes(summary.report.bytes),
            counted(summary.rows_read, "row"),
            thousands(summary.rows_kept),
        ));
        self.progress.note(&times(&summary.report));
    }

    /// Prints how many inputs came from the cache, and whether something could not be stored.
    pub(crate) fn say_cache(&self, cache: Option<&Cache>) {
        let Some(cache) = cache else { return };
        if cache.hits() > 0 {
            self.progress.note(&format!("{} from the cache", counted(cache.hits(), "input")));
        }
        if let Some(problem) = cache.problem() {
            self.progress.note(&format!("warning: {problem}"));
        }
    }

    /// Prints that partial data is kept, after an error that ended the run. An empty folder is removed.
    pub(crate) fn say_partials(&self, folder: Option<&Path>) {
        if let Some(folder) = folder.filter(|folder| std::fs::remove_dir(folder).is_err() && folder.is_dir()) {
            self.say_kept(folder, "the same command");
        }
    }

    fn say_kept(&self, folder: &Path, command: &str) {
        self.progress.note(&format!("partial data is kept; {command} resumes it: {}", folder.display()));
    }

    /// Prints how many files there are, whether partial data is kept, and the figures of the run.
    pub(crate) fn say_files(&self, summary: &files::Summary, has_partials: bool, updates: bool) {
        let skipped = summary.saved.iter().filter(|saved| saved.skipped).count() as u64;
        let what = if updates { "unchanged" } else { "already there" };
        let there = if skipped > 0 { format!(", {} of them {what}", thousands(skipped)) } else { String::new() };
        let files = counted(summary.saved.len() as u64, "file");
        if has_partials && (!summary.failures.is_empty() || summary.report.stopped) {
            self.progress.note("partial data is kept; run the same command again to resume");
        }
        self.progress.note(&format!("{files}, {}{there}", units::bytes(summary.report.bytes)));
        self.progress.note(&times(&summary.report));
    }
}

/// The times of a run, as text.
fn times(report: &RunReport) -> String {
    let overlap = report.overlap().map_or(String::new(), |n| format!(", {n:.1} at once on average"));
    let retries = match report.retries {
        0 => String::new(),
        1 => "; 1 retry".to_owned(),
        n => format!("; {} retries", thousands(n)),
    };
    // It is not known of a run over several machines.
    let peak = match report.peak_in_flight {
        0 => String::new(),
        n => format!(", {n} in flight at the peak"),
    };
    format!(
        "{} of wall time, {} of job time{overlap}{peak}{retries}",
        units::duration(report.wall),
        units::duration(report.job_time),
    )
}

/// 1 row, 2 rows.
fn counted(n: u64, what: &str) -> String {
    format!("{} {what}{}", thousands(n), if n == 1 { "" } else { "s" })
}

/// 195659 → 195,659
pub(crate) fn thousands(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// How much a run says.
pub(crate) fn verbosity(show: &ShowArgs) -> Verbosity {
    match (show.quiet, show.verbose) {
        (true, _) => Verbosity::Quiet,
        (_, true) => Verbosity::Verbose,
        _ => Verbosity::Normal,
    }
}

/// Formats a hint for the line below its error. A hint of several lines marks a position in an
/// expression, so its lines stay aligned.
fn hint_line(hint: &str) -> String {
    format!("  hint: {}", options(hint).replace('\n', "\n        "))
}

/// Refuses a file that could not be written at the end, before the work is done: its folder is
/// missing, or it is standard output, which has the rows or the paths.
pub(crate) fn check_folder(path: Option<&Path>) -> Result<()> {
    let Some(path) = path else { return Ok(()) };
    if path.as_os_str() == "-" {
        return Err(Error::usage("standard output has something else already: -")
            .hint("give the name of a file; ./- is a file with this name"));
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if folder.is_dir() {
        return Ok(());
    }
    Err(Error::new(Kind::Io, format!("no such folder: {}", folder.display()))
        .input(path.display().to_string())
        .hint("create the folder first"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_grouped_from_the_right() {
        assert_eq!(
            [0, 12, 999, 1000, 195_659, 1_000_000].map(thousands),
            ["0", "12", "999", "1,000", "195,659", "1,000,000"]
        );
    }
}
