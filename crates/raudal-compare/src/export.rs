//! Exports a comparison for programs, and writes files atomically.

use super::comparison::{Comparison, Level, Measured};
use super::conditions;
use raudal_common::atomic_file::AtomicFile;
use raudal_common::units::date;
use raudal_common::{Error, Kind, Result};
use raudal_pipeline::Jobs;
use raudal_pool::RunReport;
use serde::Serialize;
use serde_json::{Map, Value};
use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::Path;

#[derive(Serialize)]
struct ComparisonJson<'a> {
    schema: &'static str,
    workload: &'a str,
    unit: &'a str,
    digest: &'a str,
    rows: u64,
    cores: Option<usize>,
    warmup_runs: u32,
    baseline_jobs: Jobs,
    stopped: bool,
    conditions: ConditionsJson<'a>,
    levels: Vec<LevelJson<'a>>,
    warnings: Vec<WarningJson>,
}

#[derive(Serialize)]
pub(super) struct ConditionsJson<'a> {
    started: String,
    ended: String,
    version: &'a str,
    command: Option<&'a str>,
    machine: MachineJson<'a>,
    settings: Map<String, Value>,
}

#[derive(Serialize)]
struct MachineJson<'a> {
    system: &'a str,
    architecture: &'a str,
    processor: Option<&'a str>,
    cores: Option<usize>,
    memory_bytes: Option<u64>,
}

#[derive(Serialize)]
struct LevelJson<'a> {
    jobs: Jobs,
    mean_seconds: Option<f64>,
    stddev_seconds: Option<f64>,
    median_seconds: Option<f64>,
    min_seconds: Option<f64>,
    max_seconds: Option<f64>,
    speed_up: Option<f64>,
    speed_up_uncertainty: Option<f64>,
    efficiency: Option<f64>,
    ideal_seconds: Option<f64>,
    ideal_reached: Option<f64>,
    bound: Option<&'static str>,
    bound_because: Option<String>,
    bound_advice: Option<String>,
    busy_cores: Option<f64>,
    overlap: Option<f64>,
    peak_in_flight: usize,
    highest_limit: Option<usize>,
    bytes_per_second: Option<f64>,
    per_second: Option<f64>,
    runs: Vec<RunJson<'a>>,
}

#[derive(Serialize)]
struct RunJson<'a> {
    turn: u64,
    started: String,
    ended: String,
    wall_seconds: f64,
    cpu_seconds: Option<f64>,
    report: &'a RunReport,
}

#[derive(Serialize)]
struct WarningJson {
    warning: &'static str,
    jobs: Option<Jobs>,
    text: String,
}

/// Returns the comparison as JSON, with every run, in the schema `raudal.compare/1`. The
/// [crate documentation](crate#json) describes it.
pub fn to_json(comparison: &Comparison) -> Result<String> {
    let document = ComparisonJson {
        schema: "raudal.compare/1",
        workload: &comparison.workload,
        unit: comparison.unit.word(),
        digest: &comparison.digest,
        rows: comparison.rows,
        cores: comparison.cores,
        warmup_runs: comparison.warmup,
        baseline_jobs: comparison.baseline,
        stopped: comparison.stopped.is_some(),
        conditions: conditions_json(comparison),
        levels: comparison.levels.iter().map(|level| level_json(comparison, level)).collect(),
        warnings: comparison
            .warnings()
            .iter()
            .map(|warning| WarningJson { warning: warning.word(), jobs: warning.level(), text: warning.to_string() })
            .collect(),
    };
    let json = serde_json::to_string_pretty(&document)
        .map_err(|e| Error::new(Kind::Internal, "cannot write the comparison as JSON").because(e))?;
    Ok(json + "\n")
}

pub(super) fn conditions_json(comparison: &Comparison) -> ConditionsJson<'_> {
    let conditions = &comparison.conditions;
    let machine = &conditions.machine;
    let mut settings: Map<String, Value> = Map::new();
    for setting in &conditions.settings {
        // A setting that is given several times, such as a fault, is one text.
        let value = match settings.get(setting.name).and_then(Value::as_str) {
            Some(before) => format!("{before}; {}", setting.value),
            None => setting.value.clone(),
        };
        settings.insert(setting.name.to_owned(), value.into());
    }
    ConditionsJson {
        started: date(conditions.started),
        ended: date(conditions.ended),
        version: &conditions.version,
        command: conditions.command.as_deref(),
        machine: MachineJson {
            system: &machine.system,
            architecture: &machine.architecture,
            processor: machine.processor.as_deref(),
            cores: comparison.cores,
            memory_bytes: machine.memory,
        },
        settings,
    }
}

fn run_json(run: &Measured) -> RunJson<'_> {
    RunJson {
        turn: run.turn,
        started: date(run.started),
        ended: date(run.started + run.wall),
        wall_seconds: run.wall.as_secs_f64(),
        cpu_seconds: run.cpu.map(|cpu| cpu.as_secs_f64()),
        report: &run.report,
    }
}

fn level_json<'a>(comparison: &Comparison, level: &'a Level) -> LevelJson<'a> {
    let summary = level.summary();
    let speed_up = comparison.speed_up(level);
    let ideal = comparison.ideal(level);
    let finding = comparison.finding(level);
    LevelJson {
        jobs: level.jobs,
        mean_seconds: summary.map(|summary| summary.mean.as_secs_f64()),
        stddev_seconds: summary.and_then(|summary| summary.stddev).map(|stddev| stddev.as_secs_f64()),
        median_seconds: summary.map(|summary| summary.median.as_secs_f64()),
        min_seconds: summary.map(|summary| summary.min.as_secs_f64()),
        max_seconds: summary.map(|summary| summary.max.as_secs_f64()),
        speed_up: speed_up.map(|speed_up| speed_up.ratio),
        speed_up_uncertainty: speed_up.and_then(|speed_up| speed_up.uncertainty),
        efficiency: comparison.efficiency(level),
        ideal_seconds: ideal.map(|ideal| ideal.time.as_secs_f64()),
        ideal_reached: ideal.map(|ideal| ideal.reached),
        bound: finding.as_ref().map(|finding| finding.bound.word()),
        bound_because: finding.as_ref().map(|finding| finding.because.clone()),
        bound_advice: finding.map(|finding| finding.advice),
        busy_cores: level.busy_cores(),
        overlap: level.overlap(),
        peak_in_flight: level.peak_in_flight(),
        highest_limit: level.highest_limit(),
        bytes_per_second: level.bytes_per_second(),
        per_second: level.per_second(comparison.unit),
        runs: level.runs.iter().map(run_json).collect(),
    }
}

/// Returns the comparison as CSV: a header, then every measured run, ordered by level and then by
/// time. The [crate documentation](crate#csv) describes the columns.
#[must_use]
pub fn to_csv(comparison: &Comparison) -> String {
    let mut out = COLUMNS.join(",") + "\n";
    let given = &comparison.conditions;
    let conditions = [
        given.version.clone(),
        conditions::machine(&given.machine, comparison.cores),
        conditions::settings(&given.settings, "; "),
        given.command.clone().unwrap_or_default(),
    ]
    .map(|condition| cell(&condition));
    for level in &comparison.levels {
        for (round, run) in (1..).zip(&level.runs) {
            let report = &run.report;
            let overlap = (!run.wall.is_zero()).then(|| report.job_time.as_secs_f64() / run.wall.as_secs_f64());
            let or_empty = |value: Option<f64>| value.map_or_else(String::new, |value| value.to_string());
            let [version, machine, settings, command] = conditions.clone();
            let cells: [String; COLUMNS.len()] = [
                cell(&comparison.workload),
                level.jobs.to_string(),
                round.to_string(),
                run.turn.to_string(),
                run.wall.as_secs_f64().to_string(),
                report.job_time.as_secs_f64().to_string(),
                or_empty(run.cpu.map(|cpu| cpu.as_secs_f64())),
                or_empty(overlap),
                report.peak_in_flight.to_string(),
                report.succeeded.to_string(),
                report.attempts.to_string(),
                report.retries.to_string(),
                report.bytes.to_string(),
                report.items.to_string(),
                comparison.rows.to_string(),
                cell(&comparison.digest),
                run.limits.iter().map(|change| change.limit).max().map_or_else(String::new, |limit| limit.to_string()),
                date(run.started),
                version,
                machine,
                settings,
                command,
            ];
            out += &(cells.join(",") + "\n");
        }
    }
    out
}

/// New columns go at the end, so that programs that read by position keep working.
const COLUMNS: [&str; 22] = [
    "workload",
    "jobs",
    "round",
    "turn",
    "wall_seconds",
    "job_seconds",
    "cpu_seconds",
    "overlap",
    "peak_in_flight",
    "succeeded",
    "attempts",
    "retries",
    "bytes",
    "items",
    "rows",
    "digest",
    "highest_limit",
    "started",
    "version",
    "machine",
    "settings",
    "command",
];

/// A text in CSV, quoted where it must be (RFC 4180).
fn cell(text: &str) -> String {
    if text.contains(['"', ',', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text.to_owned() }
}

/// Writes a text to a file atomically: under a temporary name, flushed, then renamed. A device or a
/// pipe is written to directly.
///
/// ```
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("compare.md");
/// raudal_compare::export(&path, "| jobs |\n")?;
/// assert_eq!(std::fs::read_to_string(&path)?, "| jobs |\n");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn export(path: &Path, text: &str) -> Result<()> {
    let written = match fs::metadata(path) {
        Ok(there) if there.is_dir() => Err(io::ErrorKind::IsADirectory.into()),
        // Renaming over /dev/stdout would replace the device.
        Ok(there) if !there.is_file() => {
            OpenOptions::new().write(true).open(path).and_then(|mut file| file.write_all(text.as_bytes()))
        }
        _ => write_whole(path, text),
    };
    written.map_err(|e| {
        let is_place = matches!(
            e.kind(),
            ErrorKind::NotFound | ErrorKind::PermissionDenied | ErrorKind::IsADirectory | ErrorKind::NotADirectory
        );
        let path = raudal_common::error::printable(&path.display().to_string());
        let error = Error::io(format!("cannot write to: {path}"), e);
        // A full disk has a hint of its own.
        if is_place {
            error.hint("give a file in an existing folder that you have permission to write to")
        } else {
            error
        }
    })
}

fn write_whole(path: &Path, text: &str) -> io::Result<()> {
    // A symbolic link stays: the file that it points to is replaced.
    let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let mut unfinished = AtomicFile::of(&target)?;
    unfinished.write_all(text.as_bytes())?;
    unfinished.publish(&target, true)
}
