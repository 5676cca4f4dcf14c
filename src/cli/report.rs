//! What a run leaves behind on request: `--report` and `--failed-to`.

use super::inputs::Inputs;
use raudal::compare::export;
use raudal::pipeline::Summary;
use raudal::pool::{JobReport, RunReport};
use raudal::progress::Recording;
use raudal::{Error, Kind, Result};
use serde::Serialize;
use std::path::Path;

/// The report of a run. Times are seconds, sizes bytes.
#[derive(Serialize)]
struct Report<'a> {
    raudal: &'static str,
    command: &'a str,
    exit_code: u8,
    run: &'a RunReport,
    overlap: Option<f64>,
    archives: u64,
    rows_read: u64,
    rows_kept: u64,
    table_bytes: u64,
    output: Option<Output>,
    failed: Vec<Failed<'a>>,
    unfinished: Vec<String>,
    warnings: &'a [String],
    jobs: &'a [JobReport],
}

#[derive(Serialize)]
struct Output {
    path: Option<String>,
    rows: u64,
    bytes: u64,
    sha256: String,
}

#[derive(Serialize)]
struct Failed<'a> {
    input: String,
    name: &'a str,
    kind: &'static str,
    error: String,
    hint: Option<&'a str>,
    attempts: u32,
}

pub(crate) fn write(
    path: &Path,
    command: &str,
    summary: &Summary,
    recording: &Recording,
    output: Option<&Path>,
    exit_code: u8,
) -> Result<()> {
    let report = Report {
        raudal: env!("CARGO_PKG_VERSION"),
        command,
        exit_code,
        run: &summary.report,
        overlap: summary.report.overlap(),
        archives: summary.succeeded,
        rows_read: summary.rows_read,
        rows_kept: summary.rows_kept,
        table_bytes: summary.table_bytes,
        output: summary.written.as_ref().map(|written| Output {
            path: output.map(|path| written_path(path, summary.report.stopped)),
            rows: written.rows,
            bytes: written.bytes,
            sha256: written.digest.clone(),
        }),
        failed: summary
            .failures
            .iter()
            .map(|failure| Failed {
                input: failure.input.location.to_string(),
                name: &failure.input.name,
                kind: failure.error.kind().word(),
                error: failure.error.report(),
                hint: failure.error.hint_text(),
                attempts: failure.attempts,
            })
            .collect(),
        unfinished: summary.unfinished.iter().map(|input| input.location.to_string()).collect(),
        warnings: &summary.warnings,
        jobs: &recording.jobs,
    };
    let json = serde_json::to_string_pretty(&report)
        .map_err(|error| Error::new(Kind::Internal, "cannot write the report").because(error))?;
    export(path, &(json + "\n"))
}

fn written_path(path: &Path, stopped: bool) -> String {
    let path = if stopped { raudal::table::partial_path(path) } else { path.to_owned() };
    path.display().to_string()
}

/// Writes what is not in the table, as a list that `--input` reads: what failed, what was stopped, what was not begun.
pub(crate) fn write_failed(path: &Path, summary: &Summary, inputs: Inputs) -> Result<()> {
    let mut lines: String = summary.failures.iter().map(|failure| failure.input.to_line() + "\n").collect();
    for input in summary.unfinished.iter().cloned().chain(inputs.skip(summary.pulled as usize)) {
        lines.push_str(&input.to_line());
        lines.push('\n');
    }
    export(path, &lines)
}
