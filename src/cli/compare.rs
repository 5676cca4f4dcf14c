//! `raudal compare`: a workload at several levels.

use super::args::{HttpArgs, LevelArgs};
use super::host_run::Host;
use super::session::{Session, check_folder};
use super::wording::options;
use super::{command_line, print};
use raudal::compare::{self, Comparison, Jobs, Plan, Turn};
use raudal::pool::Observer;
use raudal::progress::Progress;
use raudal::workload::{ConcurrencyLimit, Workload};
use raudal::{Error, Kind, Result};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Who shows a comparison.
#[derive(Clone, Copy)]
pub(super) enum ShownBy<'a> {
    /// The command: it prints the report and writes the requested files.
    Command,
    /// A host, which gets the comparison.
    Host(&'a Host, &'a OnceLock<Comparison>),
}

/// Opens a workload, compares its levels, closes it, and shows the result.
pub(super) async fn measure<W: Workload>(
    by: ShownBy<'_>,
    levels: &[Jobs],
    args: &LevelArgs,
    http: Option<&HttpArgs>,
    about: &str,
    open: impl Future<Output = Result<W>>,
    close: impl AsyncFnOnce(W),
) -> Result<u8> {
    let plan = Plan::new(levels.iter().copied())?.warmup(args.warmup);
    let plan = match args.min_runs {
        Some(least) => plan.min_runs(least)?,
        None => plan.runs(args.runs)?,
    };
    if let ShownBy::Host(host, result) = by {
        host.progress.note(about);
        let (comparison, _) = run(&host.progress, &plan, &host.cancel, open, close).await?;
        let _ = result.set(comparison);
        return Ok(0);
    }
    let to_stdout = exports(args).into_iter().filter(|path| is_stdout(path)).count();
    if to_stdout > 1 {
        return Err(Error::usage("more than one export to standard output").hint("write the others to files"));
    }
    for path in exports(args).into_iter().filter(|path| !is_stdout(path)) {
        check_folder(Some(path))?;
    }
    let session = Session::begin(&args.show, None, false);
    if let Some(http) = http {
        session.warn_of(http);
    }
    session.progress.note(about);
    let done = run(&session.progress, &plan, session.signals.token(), open, close).await;
    session.progress.finish();
    let stop = session.signals.stop();
    let (mut comparison, bound) = match (done, stop) {
        (Err(error), Some(stop)) if error.kind() == Kind::Cancelled => {
            session.progress.error(&format!("{}: nothing was compared", stop.words()));
            return Ok(stop.code());
        }
        (done, _) => done?,
    };
    comparison.conditions.command = command_line::of_this_process();
    export(args, &comparison)?;
    let mut report = compare::render_text(&comparison);
    if to_stdout == 0 {
        report += &timeline(&comparison);
    }
    if let Some(bound) = bound {
        report += &explain(&bound, &plan);
    }
    if to_stdout == 0 {
        print(report.as_bytes())?;
    } else {
        session.progress.note(report.trim_end());
    }
    let Some(stop) = stop.filter(|_| comparison.stopped.is_some()) else { return Ok(0) };
    session.progress.error(&format!("{}: the complete runs are kept", stop.words()));
    Ok(stop.code())
}

/// The requested files.
fn exports(args: &LevelArgs) -> Vec<&Path> {
    let paths = [&args.export_json, &args.export_markdown, &args.export_csv, &args.timeline, &args.trace];
    paths.into_iter().flatten().map(PathBuf::as_path).collect()
}

fn is_stdout(path: &Path) -> bool {
    path.as_os_str() == "-"
}

/// Opens the workload, compares its levels and closes it. Returns the comparison and the workload's
/// own limit.
async fn run<W: Workload>(
    progress: &Progress,
    plan: &Plan,
    cancel: &CancellationToken,
    open: impl Future<Output = Result<W>>,
    close: impl AsyncFnOnce(W),
) -> Result<(Comparison, Option<ConcurrencyLimit>)> {
    let workload = tokio::select! {
        biased;
        workload = open => workload?,
        () = cancel.cancelled() => return Err(Error::new(Kind::Cancelled, "cancelled")),
    };
    let bound = workload.limit();
    let done = compare::compare(&workload, plan, &TurnLines(progress), cancel.clone()).await;
    close(workload).await;
    Ok((done?, bound))
}

/// Writes the requested files.
fn export(args: &LevelArgs, comparison: &Comparison) -> Result<()> {
    let write = |path: &Option<PathBuf>, text: &dyn Fn() -> Result<String>| match path {
        Some(path) if is_stdout(path) => print(text()?.as_bytes()).map(drop),
        Some(path) => compare::export(path, &text()?),
        None => Ok(()),
    };
    write(&args.export_json, &|| compare::to_json(comparison))?;
    write(&args.export_markdown, &|| Ok(compare::to_markdown(comparison)))?;
    write(&args.export_csv, &|| Ok(compare::to_csv(comparison)))?;
    write(&args.timeline, &|| Ok(compare::to_html(comparison)))?;
    write(&args.trace, &|| compare::to_trace(comparison))
}

/// Draws when each job ran, for a terminal. A file or a pipe gets only the figures; --timeline
/// draws the rest.
fn timeline(comparison: &Comparison) -> String {
    match terminal_size::terminal_size_of(std::io::stdout()) {
        Some((width, _)) => format!("\n{}", compare::render_timeline(comparison, usize::from(width.0))),
        None => String::new(),
    }
}

/// Explains why levels above the workload's own limit gained nothing.
fn explain(bound: &ConcurrencyLimit, plan: &Plan) -> String {
    let mut text = String::new();
    if let Some(most) =
        plan.levels().iter().filter_map(|level| level.number()).max().filter(|most| *most > bound.at_once)
    {
        // Writing to a String cannot fail.
        let _ = write!(
            text,
            "\nnote: {most} jobs in flight, but at most {} at work: {}\n",
            bound.at_once,
            options(&bound.why)
        );
    }
    text
}

/// Shows the progress of each run, and the time it took.
struct TurnLines<'a>(&'a Progress);

impl compare::TurnObserver for TurnLines<'_> {
    fn begin(&self, _: &Turn) -> Arc<dyn Observer> {
        self.0.observer()
    }

    fn done(&self, turn: &Turn, wall: Duration) {
        self.0.note(&format!("{turn}, {}", raudal::units::duration(wall)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_is_explained_only_where_a_level_goes_beyond_it() {
        let bound = ConcurrencyLimit { at_once: 5, why: "there are 5 connections".to_owned() };
        let explained = |levels: [usize; 2]| explain(&bound, &Plan::new(levels).expect("a plan"));
        assert_eq!(explained([1, 5]), "");
        assert_eq!(explained([20, 1]), "\nnote: 20 jobs in flight, but at most 5 at work: there are 5 connections\n");
    }
}
