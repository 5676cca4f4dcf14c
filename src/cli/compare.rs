//! `raudal compare`: a workload at several levels.

use super::args::{HttpArgs, LevelArgs};
use super::host::Host;
use super::print;
use super::session::{Session, check_folder};
use super::wording::options;
use raudal::compare::{self, Comparison, Jobs, Plan, Turn};
use raudal::pool::Observer;
use raudal::progress::Progress;
use raudal::workload::{Bound, Workload};
use raudal::{Kind, Result};
use std::fmt::Write as _;
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
    for path in [&args.export_json, &args.export_markdown, &args.export_csv, &args.timeline, &args.trace] {
        check_folder(path.as_deref())?;
    }

    let session = Session::begin(&args.show, None, false);
    if let Some(http) = http {
        session.warn_of(http);
    }
    session.progress.note(about);
    let done = run(&session.progress, &plan, session.signals.token(), open, close).await;
    session.progress.finish();
    let (comparison, bound) = match (done, session.signals.stop()) {
        (Err(error), Some(stop)) if error.kind() == Kind::Cancelled => {
            session.progress.error(&format!("{}: nothing was compared", stop.words()));
            return Ok(stop.code());
        }
        (done, _) => done?,
    };
    export(args, &comparison)?;
    let mut report = compare::render_text(&comparison);
    report += &timeline(&comparison);
    if let Some(bound) = bound {
        report += &explain(&bound, &plan);
    }
    print(report.as_bytes())
}

/// Opens the workload, compares its levels and closes it. Returns the comparison and the workload's
/// own limit.
async fn run<W: Workload>(
    progress: &Progress,
    plan: &Plan,
    cancel: &CancellationToken,
    open: impl Future<Output = Result<W>>,
    close: impl AsyncFnOnce(W),
) -> Result<(Comparison, Option<Bound>)> {
    let work = async {
        let workload = open.await?;
        let bound = workload.bound();
        let done = compare::compare(&workload, plan, &Watch(progress), cancel.clone()).await;
        close(workload).await;
        Ok((done?, bound))
    };
    tokio::select! {
        biased;
        done = work => done,
        // The comparison itself stops cleanly; this is for the opening of the workload.
        () = async { cancel.cancelled().await; tokio::time::sleep(Duration::from_millis(900)).await } => {
            Err(raudal::Error::new(Kind::Cancelled, "cancelled"))
        }
    }
}

/// Writes the requested files.
fn export(args: &LevelArgs, comparison: &Comparison) -> Result<()> {
    if let Some(path) = &args.export_json {
        compare::export(path, &compare::to_json(comparison)?)?;
    }
    if let Some(path) = &args.export_markdown {
        compare::export(path, &compare::to_markdown(comparison))?;
    }
    if let Some(path) = &args.export_csv {
        compare::export(path, &compare::to_csv(comparison))?;
    }
    if let Some(path) = &args.timeline {
        compare::export(path, &compare::to_html(comparison))?;
    }
    if let Some(path) = &args.trace {
        compare::export(path, &compare::to_trace(comparison)?)?;
    }
    Ok(())
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
fn explain(bound: &Bound, plan: &Plan) -> String {
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
struct Watch<'a>(&'a Progress);

impl compare::Watch for Watch<'_> {
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
        let bound = Bound { at_once: 5, why: "there are 5 connections".to_owned() };
        let explained = |levels: [usize; 2]| explain(&bound, &Plan::new(levels).expect("a plan"));
        assert_eq!(explained([1, 5]), "");
        assert_eq!(explained([20, 1]), "\nnote: 20 jobs in flight, but at most 5 at work: there are 5 connections\n");
    }
}
