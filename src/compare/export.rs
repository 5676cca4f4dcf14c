//! A comparison for programs, and files that are there whole or not at all.

use super::comparison::{Comparison, Level};
use crate::pool::RunReport;
use crate::{Error, Kind, Result};
use serde::Serialize;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    workload: &'a str,
    digest: &'a str,
    rows: u64,
    warmup_runs: u32,
    baseline_jobs: usize,
    levels: Vec<LevelJson<'a>>,
    warnings: Vec<WarningJson>,
}

#[derive(Serialize)]
struct LevelJson<'a> {
    jobs: usize,
    mean_seconds: Option<f64>,
    stddev_seconds: Option<f64>,
    median_seconds: Option<f64>,
    min_seconds: Option<f64>,
    max_seconds: Option<f64>,
    speed_up: Option<f64>,
    speed_up_uncertainty: Option<f64>,
    overlap: Option<f64>,
    peak_in_flight: usize,
    bytes_per_second: Option<f64>,
    runs: Vec<RunJson<'a>>,
}

#[derive(Serialize)]
struct RunJson<'a> {
    turn: u64,
    wall_seconds: f64,
    report: &'a RunReport,
}

#[derive(Serialize)]
struct WarningJson {
    warning: &'static str,
    jobs: Option<usize>,
    text: String,
}

/// The comparison as JSON, with every single run.
///
/// An object with `schema` (`raudal.compare/1`), `workload`, `digest`, `rows`, `warmup_runs`, `baseline_jobs`,
/// `levels` and `warnings`. A level has `jobs`, `mean_seconds`, `stddev_seconds`, `median_seconds`, `min_seconds`,
/// `max_seconds`, `speed_up`, `speed_up_uncertainty` (both null for the baseline), `overlap`, `peak_in_flight`,
/// `bytes_per_second` and `runs`; a run has `turn` (its place among all runs, from 1, warm-up included),
/// `wall_seconds` and `report` (a [`RunReport`], its times in seconds); a warning has `warning` (a word), `jobs` and
/// `text`. What is undefined is null, never 0. Fields may be added under the same schema.
pub fn to_json(comparison: &Comparison) -> Result<String> {
    let document = Document {
        schema: "raudal.compare/1",
        workload: &comparison.workload,
        digest: &comparison.digest,
        rows: comparison.rows,
        warmup_runs: comparison.warmup,
        baseline_jobs: comparison.baseline,
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

fn level_json<'a>(comparison: &Comparison, level: &'a Level) -> LevelJson<'a> {
    let summary = level.summary();
    let speed_up = comparison.speed_up(level);
    LevelJson {
        jobs: level.jobs,
        mean_seconds: summary.map(|summary| summary.mean.as_secs_f64()),
        stddev_seconds: summary.and_then(|summary| summary.stddev).map(|stddev| stddev.as_secs_f64()),
        median_seconds: summary.map(|summary| summary.median.as_secs_f64()),
        min_seconds: summary.map(|summary| summary.min.as_secs_f64()),
        max_seconds: summary.map(|summary| summary.max.as_secs_f64()),
        speed_up: speed_up.map(|speed_up| speed_up.ratio),
        speed_up_uncertainty: speed_up.and_then(|speed_up| speed_up.uncertainty),
        overlap: level.overlap(),
        peak_in_flight: level.peak_in_flight(),
        bytes_per_second: level.bytes_per_second(),
        runs: level
            .runs
            .iter()
            .map(|run| RunJson { turn: run.turn, wall_seconds: run.wall.as_secs_f64(), report: &run.report })
            .collect(),
    }
}

/// Writes a text to a file that is there whole or not at all: aside, flushed, then renamed. A device or a pipe is
/// written to as it is.
///
/// ```
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("compare.md");
/// raudal::compare::export(&path, "| jobs |\n")?;
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
        _ => write_aside(path, text),
    };
    written.map_err(|e| {
        Error::io(
            format!("cannot write the comparison to: {}", crate::error::printable(&path.display().to_string())),
            e,
        )
        .hint("name a file in a folder that exists and that you may write to")
    })
}

fn write_aside(path: &Path, text: &str) -> io::Result<()> {
    // A link stays a link: what it points to is replaced.
    let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let folder = target.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut builder = tempfile::Builder::new();
    builder.prefix(".raudal-").suffix(".part");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        // Temporary files are private; this one becomes an ordinary file, less what the umask takes away.
        builder.permissions(fs::Permissions::from_mode(0o666));
    }
    let mut file = builder.tempfile_in(folder)?;
    file.write_all(text.as_bytes())?;
    file.as_file().sync_all()?;
    file.persist(&target).map_err(|e| e.error)?;
    Ok(())
}
