//! `-o` and what goes with it: where the table goes and how it is written, decided before anything is
//! fetched.

use super::args::{OutputArgs, TableArgs};
use super::beside_bars::{Rows, path_may_show, stdout_may_show};
use super::dialect;
use raudal::error::redact;
use raudal::progress::Progress;
use raudal::table::{Existing, FileType, Format, Sink, SinkOptions, Target, Types, check_target};
use raudal::{Error, Result};
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};

/// Where the table of a run goes.
pub(crate) struct Output {
    to: To,
    options: SinkOptions,
}

enum To {
    /// Standard output, a terminal or not.
    Stdout {
        terminal: bool,
    },
    File(PathBuf),
    /// The URL of a server, which may hold a password.
    Database(String),
}

impl Output {
    /// Decides the format, and refuses what could not be written.
    ///
    /// # Errors
    ///
    /// A usage error for a name that says no format and for options that do not go together; an
    /// I/O error for a file that is there already.
    pub(crate) fn plan(args: &OutputArgs, table: &TableArgs) -> Result<Self> {
        let to = match &args.output {
            Some(path) if path.as_os_str() == "-" => To::stdout(),
            Some(path) => database(path).map_or_else(|| To::File(path.clone()), To::Database),
            None => To::stdout(),
        };
        if args.append && matches!(to, To::Stdout { .. }) {
            return Err(Error::usage("nothing can be appended to standard output")
                .hint("name the table that gets the rows with --output"));
        }
        let file_type = match &to {
            To::File(path) => of_file(path, args.format)?,
            To::Stdout { terminal } => of_stdout(*terminal, args.format)?,
            To::Database(_) => match args.format {
                None => FileType::new(Format::Postgres),
                Some(chosen) => {
                    return Err(Error::usage(format!("a database has a format of its own: {chosen}"))
                        .hint("leave --format out, or name a file with --output"));
                }
            },
        };
        let mut options = sink_options(file_type, args, table);
        options.existing = match (args.overwrite, args.append) {
            (true, _) => Existing::Replace,
            (_, true) => Existing::Append,
            _ => Existing::Refuse,
        };
        options.bom = args.bom;
        options.width = terminal_size::terminal_size().map(|(width, _)| usize::from(width.0));
        options.truncate = !args.no_truncate;
        options.columns_chosen = table.select.iter().any(|name| !name.is_empty());
        if let Some(name) = &args.table {
            options.table.clone_from(name);
        }
        if let (Some(_), false) = (&args.table, matches!(file_type.format, Format::Sqlite | Format::Postgres)) {
            return Err(Error::usage(format!("only a database has tables, not this format: {file_type}"))
                .hint("leave --table out, or name a database with --output"));
        }
        check_counts(table, &options)?;
        let target = match &to {
            To::File(path) => Target::File(path.clone()),
            To::Stdout { .. } => Target::Stdout,
            To::Database(url) => Target::Database(url.clone()),
        };
        check_target(&target, &options)?;
        Ok(Self { to, options })
    }

    /// Returns the path of the file, if it is one.
    pub(crate) fn path(&self) -> Option<&Path> {
        match &self.to {
            To::File(path) => Some(path),
            To::Stdout { .. } | To::Database(_) => None,
        }
    }

    /// Returns what messages and the report call it. A database is called by its URL without user
    /// and password; standard output has no name.
    pub(crate) fn name(&self) -> Option<String> {
        match &self.to {
            To::File(path) => Some(path.display().to_string()),
            To::Database(url) => {
                let place = redact(url);
                Some(place.split_once('?').map_or(place.as_str(), |(place, _)| place).to_owned())
            }
            To::Stdout { .. } => None,
        }
    }

    /// Returns whether the table goes to standard output.
    pub(crate) fn is_stdout(&self) -> bool {
        matches!(self.to, To::Stdout { .. })
    }

    /// Opens it. `writer` replaces standard output. The bars make room for rows that may be shown on
    /// their terminal.
    pub(crate) fn open(&self, writer: Option<Box<dyn Write + Send>>, progress: &Progress) -> Result<Sink> {
        if self.path().is_some_and(path_may_show) {
            progress.hide_bars();
        }
        let target = match (&self.to, writer) {
            (To::File(path), _) => Target::File(path.clone()),
            (To::Database(url), _) => Target::Database(url.clone()),
            (To::Stdout { .. }, Some(writer)) => Target::Writer(writer),
            (To::Stdout { .. }, None) if stdout_may_show() => Target::Writer(Box::new(Rows::new(progress))),
            (To::Stdout { .. }, None) => Target::Stdout,
        };
        Sink::create(target, self.options.clone())
    }
}

/// Returns what the options say of the rows, wherever they go.
pub(super) fn sink_options(file_type: FileType, args: &OutputArgs, table: &TableArgs) -> SinkOptions {
    let mut options = SinkOptions::new(file_type.format);
    options.compression = file_type.compression;
    options.types = args.types.clone().unwrap_or_default();
    options.fold_names = table.ask.fold_names;
    options.numbers = dialect::read(&table.dialect, None).0.numbers;
    // An empty variable names no cell.
    options.null = table.dialect.null.iter().flatten().filter(|cell| !cell.is_empty()).cloned().collect();
    // An empty one, as of an empty variable, is none.
    options.source_column = table.source_column.clone().filter(|name| !name.is_empty());
    options
}

impl To {
    fn stdout() -> Self {
        Self::Stdout { terminal: io::stdout().is_terminal() }
    }
}

/// Refuses types for columns that a count does not have.
fn check_counts(table: &TableArgs, options: &SinkOptions) -> Result<()> {
    const COUNTS: [&str; 3] = ["input", "read", "kept"];
    let Types::Named(named) = &options.types else { return Ok(()) };
    let is_there = |name: &str| COUNTS.contains(&name) || options.source_column.as_deref() == Some(name);
    match named.iter().find(|(name, _)| table.ask.count && !is_there(name)) {
        Some((name, _)) => Err(Error::usage(format!("with --count, the output has no column for --types: {name}"))
            .hint("leave --types out: rows are counted, and the columns are input, read and kept")),
        None => Ok(()),
    }
}

/// Returns the URL, if the output is a database server.
fn database(path: &Path) -> Option<String> {
    let text = path.to_str()?;
    let is_url = ["postgres://", "postgresql://"].iter().any(|scheme| text.starts_with(scheme));
    is_url.then(|| text.to_owned())
}

/// Refuses a URL in place of a path: it would become folders such as `s3:`.
pub(super) fn check_local(path: &Path) -> Result<()> {
    let Some((scheme, _)) = path.to_str().and_then(|text| text.split_once("://")) else { return Ok(()) };
    let is_scheme = !scheme.is_empty() && scheme.chars().all(|c| c.is_ascii_alphanumeric());
    if !is_scheme {
        return Ok(());
    }
    Err(Error::usage(format!("outputs are files, and are not written to {scheme}:// addresses"))
        .hint("write to a file or a folder, then copy it, such as with: aws s3 cp"))
}

fn of_file(path: &Path, chosen: Option<FileType>) -> Result<FileType> {
    check_local(path)?;
    if let Some(chosen) = chosen {
        return Ok(chosen.for_path(path));
    }
    match FileType::of_path(path) {
        // The names of pipes and devices say nothing.
        Err(_) if path.metadata().is_ok_and(|there| !there.is_file() && !there.is_dir()) => {
            Ok(FileType::new(Format::Csv))
        }
        of_name => of_name,
    }
}

fn of_stdout(terminal: bool, chosen: Option<FileType>) -> Result<FileType> {
    match chosen {
        None if terminal => Ok(FileType::new(Format::Table)),
        None => Ok(FileType::new(Format::Csv)),
        Some(chosen) if terminal && (chosen.format.is_binary() || chosen != FileType::new(chosen.format)) => {
            Err(Error::usage(format!("a terminal cannot show this format: {chosen}"))
                .hint("write it to a file with --output, or into a pipe"))
        }
        Some(chosen) => Ok(chosen),
    }
}
