//! What became of a run, as JSON: Python reads it into its own objects.

use raudal::compare::{self, Comparison};
use raudal::pipeline::{Failure, Summary, files};
use raudal::{Error, Kind};
use serde_json::{Value, json};

/// What a command returns.
pub(crate) enum Done {
    Table(Summary),
    Files(files::Summary),
    Compared(Box<Comparison>),
}

/// Returns the outcome of a command.
pub(crate) fn json(done: Result<Done, Error>) -> Value {
    match done {
        Ok(Done::Table(summary)) => table(&summary),
        Ok(Done::Files(summary)) => saved(&summary),
        Ok(Done::Compared(comparison)) => {
            compared(&comparison).unwrap_or_else(|error| json!({ "error": problem(&error) }))
        }
        Err(error) => json!({ "error": problem(&error) }),
    }
}

/// Returns the outcome of a command that panicked.
pub(crate) fn of_panic(panic: &(dyn std::any::Any + Send)) -> Value {
    let text = panic.downcast_ref::<&str>().map(ToString::to_string);
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
    let error = Error::new(Kind::Internal, format!("raudal panicked: {text}"));
    json!({ "error": problem(&error.hint("this is a bug in raudal: please report it")) })
}

fn problem(error: &Error) -> Value {
    json!({
        "kind": error.kind().word(),
        "message": error.report(),
        "hint": error.hint_text(),
        "may_help": error.is_transient(),
    })
}

fn failures(failures: &[Failure]) -> Value {
    let one = |failure: &Failure| {
        let mut one = problem(&failure.error);
        one["source"] = failure.input.location.to_string().into();
        one["attempts"] = failure.attempts.into();
        one
    };
    failures.iter().map(one).collect()
}

fn table(summary: &Summary) -> Value {
    json!({
        "succeeded": summary.succeeded,
        "failures": failures(&summary.failures),
        "unfinished": summary.unfinished.iter().map(|input| input.location.to_string()).collect::<Vec<_>>(),
        "rows_read": summary.rows_read,
        "rows_kept": summary.rows_kept,
        "written": summary.written.is_some(),
        "warnings": summary.warnings,
        "notes": summary.notes.iter().chain(summary.written.iter().flat_map(|w| &w.notes)).collect::<Vec<_>>(),
        "report": summary.report,
    })
}

fn saved(summary: &files::Summary) -> Value {
    let one = |saved: &files::Saved| {
        json!({
            "path": saved.path.to_string_lossy(),
            "url": saved.url,
            "bytes": saved.bytes,
            "sha256": saved.sha256,
            "skipped": saved.skipped,
            "extracted": saved.extracted.as_ref().map(|path| path.to_string_lossy()),
        })
    };
    json!({
        "succeeded": summary.saved.len(),
        "files": summary.saved.iter().map(one).collect::<Vec<_>>(),
        "failures": failures(&summary.failures),
        "unfinished": summary.unfinished.iter().map(|input| input.location.to_string()).collect::<Vec<_>>(),
        "warnings": summary.warnings,
        "notes": [],
        "report": summary.report,
    })
}

fn compared(comparison: &Comparison) -> raudal::Result<Value> {
    Ok(json!({
        "json": compare::to_json(comparison)?,
        "html": compare::to_html(comparison),
        "markdown": compare::to_markdown(comparison),
        "csv": compare::to_csv(comparison),
        "trace": compare::to_trace(comparison)?,
        "text": compare::render_text(comparison),
    }))
}
