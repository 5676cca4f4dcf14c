//! `--metrics`: the figures of runs as Prometheus text, for the textfile collector of `node_exporter`.
//!
//! Counters go on from what the file holds, so that Prometheus sees every run, however seldom it
//! reads the file. Several commands may share a file.

use super::args::Command;
use super::ending::Ending;
use super::exit;
use super::session::check_folder;
use raudal::compare::export;
use raudal::error::printable;
use raudal::units::now;
use raudal::{Error, Kind, Result};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, UNIX_EPOCH};

/// Each metric, its type and its help, in the order of the file.
const METRICS: [(&str, &str, &str); 11] = [
    ("raudal_runs_total", "counter", "Runs, by exit code."),
    ("raudal_run_seconds_total", "counter", "Wall time of all runs."),
    ("raudal_bytes_total", "counter", "Bytes of inputs that succeeded."),
    ("raudal_inputs_total", "counter", "Inputs, by outcome: succeeded, failed, unfinished."),
    ("raudal_failures_total", "counter", "Inputs that failed and errors that ended a run, by kind."),
    ("raudal_retries_total", "counter", "Attempts beyond the first of each input."),
    ("raudal_last_run_timestamp_seconds", "gauge", "When the last run ended, as Unix time."),
    ("raudal_last_success_timestamp_seconds", "gauge", "When the last run with exit code 0 ended, as Unix time."),
    ("raudal_last_run_seconds", "gauge", "Wall time of the last run."),
    ("raudal_last_run_exit_code", "gauge", "Exit code of the last run."),
    ("raudal_last_run_failures", "gauge", "Failures of the last run, by kind."),
];

/// A larger file is not one of these: each kind of failure of each command is two lines.
const MOST: u64 = 1 << 20;

/// The values by metric and labels: `{name="nightly",command="get"}`.
type Series = BTreeMap<(String, String), f64>;

/// The metrics file of one run.
pub(crate) struct Metrics {
    path: PathBuf,
    command: &'static str,
    began: Instant,
}

/// What one run adds.
#[derive(Debug, Default)]
struct Figures {
    exit_code: u8,
    seconds: f64,
    bytes: u64,
    retries: u64,
    succeeded: u64,
    failed: u64,
    unfinished: u64,
    kinds: BTreeMap<&'static str, u64>,
}

impl Metrics {
    /// Returns the metrics file that a command asks for. A dry run has none.
    pub(crate) fn of(command: &Command) -> Option<Self> {
        let (name, end) = match command {
            Command::Get(args) => ("get", &args.end),
            Command::Table(args) => ("table", &args.output.end),
            Command::Iter(args) => ("iter", &args.output.end),
            _ => return None,
        };
        let path = end.metrics.clone().filter(|path| !end.dry_run && path.as_os_str() != "-")?;
        Some(Self { path, command: name, began: Instant::now() })
    }

    /// Adds a run that an error ended.
    pub(crate) fn add_error(&self, error: &Error) -> Result<()> {
        let mut figures = Figures { exit_code: exit::of_error(error), ..Figures::default() };
        figures.seconds = self.began.elapsed().as_secs_f64();
        figures.kinds.insert(error.kind().word(), 1);
        add(&self.path, self.command, &figures)
    }
}

/// Refuses a file that is not one of these, before the work is done.
pub(crate) fn check(path: Option<&Path>) -> Result<()> {
    check_folder(path)?;
    path.map_or(Ok(()), |path| read(path).map(drop))
}

/// Adds a run to the file. `total` is the number of its inputs.
pub(crate) fn write(path: Option<&Path>, command: &str, ending: &Ending<'_>, total: u64, exit_code: u8) -> Result<()> {
    let Some(path) = path else { return Ok(()) };
    let failed = ending.failures.len() as u64;
    let mut figures = Figures {
        exit_code,
        seconds: ending.report.wall.as_secs_f64(),
        bytes: ending.report.bytes,
        retries: ending.report.retries,
        succeeded: ending.succeeded,
        failed,
        // Once a table has the rows of its limit, no input is left to do.
        unfinished: if ending.pulled == u64::MAX { 0 } else { total.saturating_sub(ending.succeeded + failed) },
        kinds: BTreeMap::new(),
    };
    for failure in ending.failures {
        *figures.kinds.entry(failure.error.kind().word()).or_default() += 1;
    }
    add(path, command, &figures)
}

fn add(path: &Path, command: &str, figures: &Figures) -> Result<()> {
    // Only one run at a time reads the file and replaces it. Where a folder cannot be locked, two
    // runs that end at the same moment may count as one.
    let folder = File::open(raudal_folder(path)).ok();
    let _lock = folder.as_ref().filter(|folder| folder.lock().is_ok());
    let mut series = read(path)?;
    let ended = now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    figures.add_to(&mut series, &labels(path, command), ended.as_secs_f64());
    export(path, &text(&series))
}

fn raudal_folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// The labels of every series of a command in a file. The name of the file is one of them: the
/// collector refuses two files with the same series.
fn labels(path: &Path, command: &str) -> String {
    let name = path.file_stem().unwrap_or_default().to_string_lossy();
    let name = name.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    format!("name=\"{name}\",command=\"{command}\"")
}

impl Figures {
    fn add_to(&self, series: &mut Series, labels: &str, now: f64) {
        let key = |metric: &str, label: &str| (metric.to_owned(), format!("{{{labels}{label}}}"));
        let last = key("raudal_last_run_failures", "");
        let is_last = |(metric, labels): &&(String, String)| {
            *metric == last.0 && labels.starts_with(last.1.trim_end_matches('}'))
        };
        // A kind that has failed before and did not now is 0: a series that ends is hard to alert on.
        let known: Vec<(String, String)> = series.keys().filter(is_last).cloned().collect();
        series.extend(known.into_iter().map(|key| (key, 0.0)));
        for (kind, count) in &self.kinds {
            let label = format!(",kind=\"{kind}\"");
            *series.entry(key("raudal_failures_total", &label)).or_default() += *count as f64;
            series.insert(key("raudal_last_run_failures", &label), *count as f64);
        }
        let mut count = |metric, label: &str, by: f64| *series.entry(key(metric, label)).or_default() += by;
        count("raudal_runs_total", &format!(",exit_code=\"{}\"", self.exit_code), 1.0);
        count("raudal_run_seconds_total", "", self.seconds);
        count("raudal_bytes_total", "", self.bytes as f64);
        count("raudal_retries_total", "", self.retries as f64);
        for (outcome, inputs) in
            [("succeeded", self.succeeded), ("failed", self.failed), ("unfinished", self.unfinished)]
        {
            count("raudal_inputs_total", &format!(",outcome=\"{outcome}\""), inputs as f64);
        }
        series.insert(key("raudal_last_run_timestamp_seconds", ""), now);
        series.insert(key("raudal_last_run_seconds", ""), self.seconds);
        series.insert(key("raudal_last_run_exit_code", ""), f64::from(self.exit_code));
        if self.exit_code == 0 {
            series.insert(key("raudal_last_success_timestamp_seconds", ""), now);
        }
    }
}

/// Writes the text format of Prometheus, version 0.0.4.
fn text(series: &Series) -> String {
    let mut text = String::new();
    for (metric, kind, help) in METRICS {
        let of_metric: Vec<_> = series.iter().filter(|((name, _), _)| name == metric).collect();
        if of_metric.is_empty() {
            continue;
        }
        // Writing to a String cannot fail.
        let _ = writeln!(text, "# HELP {metric} {help}\n# TYPE {metric} {kind}");
        for ((_, labels), value) in of_metric {
            let _ = writeln!(text, "{metric}{labels} {value}");
        }
    }
    text
}

/// Reads what earlier runs wrote. A missing file is empty; so is a device or a pipe, which keeps
/// nothing.
fn read(path: &Path) -> Result<Series> {
    let shown = printable(&path.display().to_string());
    let failed = |error| Error::io(format!("cannot read the metrics: {shown}"), error);
    let bytes = match fs::metadata(path) {
        Ok(there) if there.is_dir() => return Err(failed(ErrorKind::IsADirectory.into())),
        Ok(there) if !there.is_file() => return Ok(Series::new()),
        Ok(there) if there.len() > MOST => return Err(not_ours(&shown, 1)),
        Ok(_) => fs::read(path).map_err(failed)?,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Series::new()),
        Err(error) => return Err(failed(error)),
    };
    parse(&bytes).map_err(|line| not_ours(&shown, line))
}

/// Reads the text of a file, or returns the first line that was not written here.
fn parse(bytes: &[u8]) -> std::result::Result<Series, usize> {
    let text = std::str::from_utf8(bytes).map_err(|_| 1_usize)?;
    if !text.is_empty() && !text.ends_with('\n') {
        // It was cut off, perhaps within a number.
        return Err(text.lines().count());
    }
    let lines = (1..).zip(text.lines()).filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    lines.map(|(number, line)| sample(line).ok_or(number)).collect()
}

/// Reads `metric{labels} value`, for the metrics that are written here.
fn sample(line: &str) -> Option<((String, String), f64)> {
    let (series, value) = line.rsplit_once(' ')?;
    let (metric, labels) = series.split_at(series.find('{')?);
    let known = METRICS.iter().any(|(name, ..)| *name == metric) && labels.ends_with('}');
    let value = value.parse::<f64>().ok().filter(|value| value.is_finite())?;
    known.then(|| ((metric.to_owned(), labels.to_owned()), value))
}

fn not_ours(path: &str, line: usize) -> Error {
    Error::new(Kind::Usage, format!("not a metrics file of raudal (line {line}): {path}"))
        .hint("give a file of its own to --metrics; it is created if it is missing")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(kind: &'static str, count: u64) -> Figures {
        Figures {
            exit_code: 3,
            seconds: 1.5,
            bytes: 10,
            failed: count,
            kinds: [(kind, count)].into(),
            ..Figures::default()
        }
    }

    fn at(folder: &tempfile::TempDir) -> PathBuf {
        folder.path().join("nightly.prom")
    }

    #[test]
    fn counters_go_on_from_run_to_run_and_gauges_are_those_of_the_last() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = at(&folder);
        add(&path, "get", &failed("timeout", 2)).expect("written");
        add(&path, "get", &failed("connect", 1)).expect("written");
        add(&path, "table", &Figures { seconds: 2.0, succeeded: 3, ..Figures::default() }).expect("written");
        let text = fs::read_to_string(&path).expect("the metrics");
        for line in [
            "# TYPE raudal_runs_total counter",
            "raudal_runs_total{name=\"nightly\",command=\"get\",exit_code=\"3\"} 2",
            "raudal_runs_total{name=\"nightly\",command=\"table\",exit_code=\"0\"} 1",
            "raudal_run_seconds_total{name=\"nightly\",command=\"get\"} 3",
            "raudal_bytes_total{name=\"nightly\",command=\"get\"} 20",
            "raudal_inputs_total{name=\"nightly\",command=\"get\",outcome=\"failed\"} 3",
            "raudal_inputs_total{name=\"nightly\",command=\"table\",outcome=\"succeeded\"} 3",
            "raudal_failures_total{name=\"nightly\",command=\"get\",kind=\"timeout\"} 2",
            "raudal_last_run_failures{name=\"nightly\",command=\"get\",kind=\"timeout\"} 0",
            "raudal_last_run_failures{name=\"nightly\",command=\"get\",kind=\"connect\"} 1",
            "raudal_last_run_exit_code{name=\"nightly\",command=\"get\"} 3",
        ] {
            assert!(text.lines().any(|there| there == line), "{line}: {text}");
        }
        assert!(!text.contains("last_success_timestamp_seconds{name=\"nightly\",command=\"get\"}"), "{text}");
        assert!(text.contains("last_success_timestamp_seconds{name=\"nightly\",command=\"table\"}"), "{text}");
        assert_eq!(fs::read_dir(folder.path()).expect("the folder").count(), 1, "nothing is left beside it");
    }

    #[test]
    fn each_metric_is_one_group_with_its_help_and_type() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = at(&folder);
        add(&path, "get", &failed("timeout", 1)).expect("written");
        add(&path, "get", &Figures::default()).expect("written");
        let text = fs::read_to_string(&path).expect("the metrics");
        let mut groups: Vec<&str> =
            text.lines().filter_map(|line| line.split([' ', '{']).find(|w| w.starts_with("raudal_"))).collect();
        groups.dedup();
        assert_eq!(groups, METRICS.map(|(name, ..)| name));
    }

    #[test]
    fn a_file_that_something_else_wrote_is_refused_and_stays() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = at(&folder);
        for other in [&b"node_load1 0.5\n"[..], b"raudal_runs_total{name=\"a\"} many\n", b"a,b\n1,2\n", b"\xff\xfe"] {
            fs::write(&path, other).expect("a file");
            let error = check(Some(&path)).expect_err("refused");
            assert_eq!((error.kind(), error.hint_text().is_some()), (Kind::Usage, true), "{error}");
            assert!(add(&path, "get", &Figures::default()).is_err());
            assert_eq!(fs::read(&path).expect("the file"), other);
        }
    }

    #[test]
    fn a_file_that_was_cut_or_damaged_is_never_taken_for_other_figures() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = at(&folder);
        add(&path, "get", &failed("timeout", 12)).expect("written");
        let whole = fs::read(&path).expect("the metrics");
        let figures = parse(&whole).expect("figures");
        for cut in 1..whole.len() {
            match parse(&whole[..cut]) {
                Ok(some) => assert!(whole[cut - 1] == b'\n' && some.iter().all(|it| figures.get(it.0) == Some(it.1))),
                Err(_) => assert_ne!(whole[cut - 1], b'\n', "cut at {cut}"),
            }
            let mut flipped = whole.clone();
            flipped[cut] ^= 0x80;
            assert!(parse(&flipped).is_err(), "flipped at {cut}: it is no longer text");
        }
        let large = File::create(&path).and_then(|file| file.set_len(MOST + 1));
        assert!(large.is_ok() && read(&path).is_err(), "too large");
        assert_eq!(check(Some(folder.path())).expect_err("a folder").kind(), Kind::Io);
    }

    #[test]
    fn runs_that_end_at_the_same_time_are_all_counted() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = at(&folder);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| add(&path, "get", &failed("timeout", 1)).expect("written"));
            }
        });
        let text = fs::read_to_string(&path).expect("the metrics");
        let line = "raudal_runs_total{name=\"nightly\",command=\"get\",exit_code=\"3\"} 8";
        assert!(!cfg!(unix) || text.lines().any(|there| there == line), "{text}");
    }

    #[test]
    fn odd_names_of_files_are_escaped_and_read_back() {
        assert_eq!(labels(Path::new("/a/b \"c\"\\.prom"), "get"), "name=\"b \\\"c\\\"\\\\\",command=\"get\"");
        let line = format!("raudal_bytes_total{{{}}} 7", labels(Path::new("b {c} 1.prom"), "get"));
        assert_eq!(sample(&line).map(|sample| sample.1), Some(7.0));
    }
}
