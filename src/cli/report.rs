//! Files that a run writes on request: `--report` and `--failed-to`.

use super::ending::Ending;
use super::inputs::Inputs;
use super::wording::options;
use raudal::compare::export;
use raudal::pipeline::{Failure, Summary, files};
use raudal::pool::{JobReport, LimitChange, RunReport};
use raudal::progress::Recording;
use raudal::units::date;
use raudal::{Error, Kind, Result};
use serde::Serialize;
use std::path::Path;

/// The schema of the report. Fields are added under the same number; none is renamed or removed.
const SCHEMA: &str = "raudal.report/1";

/// The report of a run. Dates are those of RFC 3339, other times are seconds, sizes bytes.
#[derive(Serialize)]
struct Report<'a> {
    schema: &'static str,
    raudal: &'static str,
    command: &'a str,
    exit_code: u8,
    started: Option<String>,
    ended: Option<String>,
    run: &'a RunReport,
    overlap: Option<f64>,
    archives: u64,
    rows_read: u64,
    rows_kept: u64,
    /// Whether inputs were left out because the table had all rows of its limit.
    limited: bool,
    table_bytes: u64,
    output: Option<Output>,
    failed: Vec<Failed<'a>>,
    unfinished: Vec<String>,
    warnings: Vec<String>,
    limits: &'a [LimitChange],
    jobs: &'a [JobReport],
}

#[derive(Serialize)]
struct Output {
    path: Option<String>,
    rows: u64,
    bytes: u64,
    /// None of a table in a database.
    sha256: Option<String>,
}

#[derive(Serialize)]
struct Failed<'a> {
    input: String,
    name: &'a str,
    kind: &'static str,
    error: String,
    hint: Option<String>,
    attempts: u32,
}

pub(crate) fn write(
    path: &Path,
    command: &str,
    summary: &Summary,
    recording: &Recording,
    output: Option<String>,
    exit_code: u8,
) -> Result<()> {
    let ending = Ending::from(summary);
    let report = Report {
        schema: SCHEMA,
        raudal: env!("CARGO_PKG_VERSION"),
        command,
        exit_code,
        started: recording.started.map(date),
        ended: recording.ended.map(date),
        run: &summary.report,
        overlap: summary.report.overlap(),
        archives: summary.succeeded,
        rows_read: summary.rows_read,
        rows_kept: summary.rows_kept,
        limited: summary.limited,
        table_bytes: summary.table_bytes,
        output: summary.written.as_ref().map(|written| Output {
            path: output.map(|path| written_path(&path, summary.report.stopped)),
            rows: written.rows,
            bytes: written.bytes,
            sha256: Some(&written.digest).filter(|digest| !digest.is_empty()).cloned(),
        }),
        failed: failed(&ending),
        unfinished: unfinished(&ending),
        warnings: worded(&summary.warnings),
        limits: &recording.limits,
        jobs: &recording.jobs,
    };
    write_json(path, &report)
}

/// The report of a run that saved files.
#[derive(Serialize)]
struct FilesReport<'a> {
    schema: &'static str,
    raudal: &'static str,
    command: &'a str,
    exit_code: u8,
    started: Option<String>,
    ended: Option<String>,
    run: &'a RunReport,
    overlap: Option<f64>,
    files: Vec<File<'a>>,
    failed: Vec<Failed<'a>>,
    unfinished: Vec<String>,
    warnings: Vec<String>,
    limits: &'a [LimitChange],
    jobs: &'a [JobReport],
}

#[derive(Serialize)]
struct File<'a> {
    url: &'a str,
    final_url: Option<&'a str>,
    path: String,
    bytes: u64,
    sha256: Option<&'a str>,
    skipped: bool,
    extracted: Option<String>,
}

impl<'a> From<&'a files::Saved> for File<'a> {
    fn from(saved: &'a files::Saved) -> Self {
        Self {
            url: &saved.url,
            final_url: saved.final_url.as_deref(),
            path: saved.path.display().to_string(),
            bytes: saved.bytes,
            sha256: saved.sha256.as_deref(),
            skipped: saved.skipped,
            extracted: saved.extracted.as_ref().map(|folder| folder.display().to_string()),
        }
    }
}

pub(crate) fn write_files(path: &Path, summary: &files::Summary, recording: &Recording, exit_code: u8) -> Result<()> {
    let ending = Ending::from(summary);
    let report = FilesReport {
        schema: SCHEMA,
        raudal: env!("CARGO_PKG_VERSION"),
        command: "get",
        exit_code,
        started: recording.started.map(date),
        ended: recording.ended.map(date),
        run: &summary.report,
        overlap: summary.report.overlap(),
        files: summary.saved.iter().map(File::from).collect(),
        failed: failed(&ending),
        unfinished: unfinished(&ending),
        warnings: worded(&summary.warnings),
        limits: &recording.limits,
        jobs: &recording.jobs,
    };
    write_json(path, &report)
}

fn failed<'a>(ending: &Ending<'a>) -> Vec<Failed<'a>> {
    let failed = |failure: &'a Failure| Failed {
        input: failure.input.location.to_string(),
        name: &failure.input.name,
        kind: failure.error.kind().word(),
        error: failure.error.report(),
        hint: failure.error.hint_text().map(options),
        attempts: failure.attempts,
    };
    ending.failures.iter().map(failed).collect()
}

/// Words the settings in warnings as options.
fn worded(warnings: &[String]) -> Vec<String> {
    warnings.iter().map(|warning| options(warning)).collect()
}

fn unfinished(ending: &Ending<'_>) -> Vec<String> {
    ending.unfinished.iter().map(|input| input.location.to_string()).collect()
}

fn write_json(path: &Path, report: &impl Serialize) -> Result<()> {
    let json = serde_json::to_string_pretty(report)
        .map_err(|error| Error::new(Kind::Internal, "cannot write the report").because(error))?;
    export(path, &(json + "\n"))
}

fn written_path(path: &str, stopped: bool) -> String {
    let path = if stopped { raudal::table::partial_path(Path::new(path)) } else { path.into() };
    path.display().to_string()
}

/// Writes the inputs that are not done, as a list that `--input` reads: the failed, the stopped and
/// those that never began.
pub(crate) fn write_failed(path: &Path, ending: &Ending<'_>, inputs: Inputs) -> Result<()> {
    let mut lines: String = ending.failures.iter().map(|failure| failure.input.to_line() + "\n").collect();
    for input in ending.unfinished.iter().cloned().chain(inputs.skip(ending.pulled as usize)) {
        lines.push_str(&input.to_line());
        lines.push('\n');
    }
    export(path, &lines)
}
