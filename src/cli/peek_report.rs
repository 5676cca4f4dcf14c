//! What `raudal peek` prints: text for people, JSON for programs.

use super::args::PeekArgs;
use super::command_line::quoted;
use super::session::thousands;
use super::wording::options as worded;
use raudal::error::{printable, redact};
use raudal::pipeline::Peeked;
use raudal::table::{Encodings, Format, PeekColumn, PeekMember, PeekTable, Sink, SinkOptions, Target};
use raudal::units::bytes;
use raudal::{Error, Kind, Result};
use serde::Serialize;
use std::fmt::Write as _;
use std::io::Write;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

/// The schema of the JSON. Fields are added under the same number; none is renamed or removed.
const SCHEMA: &str = "raudal.peek/1";

/// Members, columns, links and files that are shown, without `--all`.
const SHOWN: usize = 20;

/// A file of a folder, or an input of a pattern.
#[derive(Debug, Serialize)]
pub(super) struct Listed {
    pub(super) path: String,
    pub(super) bytes: Option<u64>,
}

impl Listed {
    pub(super) fn file(path: &Path) -> Self {
        let bytes = std::fs::metadata(path).ok().map(|there| there.len());
        Self { path: path.display().to_string(), bytes }
    }
}

/// What was seen.
pub(super) struct Report<'a> {
    args: &'a PeekArgs,
    peeked: Option<Peeked>,
    files: Vec<Listed>,
    /// Folders beside the files.
    folders: u64,
    command: Option<Vec<String>>,
    pub(super) problem: Option<Error>,
    pub(super) warnings: Vec<String>,
}

impl<'a> Report<'a> {
    pub(super) fn of_files(
        args: &'a PeekArgs,
        files: Vec<Listed>,
        folders: u64,
        command: impl FnOnce(&[Listed]) -> Option<Vec<String>>,
    ) -> Self {
        let command = command(&files);
        Self { args, peeked: None, files, folders, command, problem: None, warnings: Vec::new() }
    }

    pub(super) fn of_input(args: &'a PeekArgs, command: Option<Vec<String>>, mut peeked: Peeked) -> Self {
        let problem = peeked.peek.problem.take();
        let warnings = std::mem::take(&mut peeked.peek.warnings);
        Self { args, peeked: Some(peeked), files: Vec::new(), folders: 0, command, problem, warnings }
    }

    /// Returns the first of them, or all, and how many are left.
    fn first<'b, T>(&self, all: &'b [T]) -> (&'b [T], usize) {
        let count = if self.args.all { all.len() } else { all.len().min(SHOWN) };
        (&all[..count], all.len() - count)
    }

    pub(super) fn text(&self) -> Result<String> {
        let mut text = format!("{}: {}\n", redact(&self.args.source), self.what());
        if self.peeked.is_none() {
            self.list(&mut text, &self.files, |file| (file.bytes, printable(&file.path)));
        }
        if let Some(peeked) = &self.peeked {
            if !peeked.peek.members.is_empty() {
                text.push('\n');
            }
            self.list(&mut text, &peeked.peek.members, |member| (member.size, printable(&member.path)));
            if peeked.peek.has_more {
                text.push_str("  … and more, which were not looked at\n");
            }
            self.list(&mut text, &peeked.links.inputs, |input| (None, printable(&input.location.to_string())));
            if let Some(table) = &peeked.peek.table {
                self.table(&mut text, table)?;
            }
        }
        // The links of a page are the better answer.
        if let Some(problem) = self.problem.as_ref().filter(|problem| self.command.is_none() && is_no_table(problem)) {
            let hint = problem.hint_text().map(|hint| format!("\n  hint: {}", worded(hint))).unwrap_or_default();
            let _ = writeln!(text, "no table: {}{hint}", problem.message());
        }
        if let Some(command) = &self.command {
            let _ = writeln!(text, "\nread it with\n  {}", typed(command));
            if let Some(left_out) = left_out(self.args) {
                let _ = writeln!(text, "  ({left_out})");
            }
        }
        Ok(text)
    }

    /// Says what it is, and what it cost to see that.
    fn what(&self) -> String {
        let Some(peeked) = &self.peeked else {
            let files = counted(self.files.len(), "file");
            return match self.folders {
                0 => files,
                folders => format!("{files}, and {} that were not looked into", counted(folders as usize, "folder")),
            };
        };
        let layers = peeked.peek.layers.as_slice();
        // What is in an archive is told with its table.
        let told = layers.len().saturating_sub(usize::from(layers.len() > 1 && peeked.peek.table.is_some()));
        let mut what = layers[..told].join(", in it ");
        if let Some(size) = peeked.size {
            let _ = write!(what, ", {}", bytes(size));
        }
        let members = peeked.peek.members.len();
        if members > 0 {
            let sheets = peeked.peek.members.iter().all(|member| member.is_sheet);
            let one = if sheets { "sheet" } else { "member" };
            let _ = write!(what, ", {}", counted(members, one));
        }
        if peeked.peek.is_page() {
            let _ = write!(what, ", {} to files", counted(peeked.links.inputs.len(), "link"));
        }
        if let Some(fetched) = peeked.fetched {
            let ranges = match peeked.ranges {
                0 => "the server sends no ranges".to_owned(),
                count => format!("in {}", counted(count as usize, "range")),
            };
            let _ = write!(what, " (fetched {}, {ranges})", bytes(fetched));
        }
        what
    }

    fn list<T>(&self, text: &mut String, all: &[T], line: impl Fn(&T) -> (Option<u64>, String)) {
        let (shown, rest) = self.first(all);
        for item in shown {
            let (size, name) = line(item);
            let _ = match size {
                Some(size) => writeln!(text, "  {:>9}  {name}", bytes(size)),
                None => writeln!(text, "  {name}"),
            };
        }
        if rest > 0 {
            let _ = writeln!(text, "  … and {} more: --all shows them", thousands(rest as u64));
        }
    }

    fn table(&self, text: &mut String, table: &PeekTable) -> Result<()> {
        let name = table.member.as_deref().map_or_else(String::new, |member| format!("{}: ", printable(member)));
        let encoding = match (table.is_ascii, table.whole) {
            (true, true) => "in ASCII".to_owned(),
            (true, false) => format!("in ASCII so far, read as {}", table.encoding),
            (false, _) => format!("in {}{}", table.encoding, if self.is_guessed(table) { ", a guess" } else { "" }),
        };
        let columns = counted(table.columns.len(), "column");
        let _ = writeln!(text, "\n{name}{columns}, separated by {}, {encoding}", in_words(table.delimiter));
        let whole = if table.whole { "all of it" } else { "its beginning" };
        let _ = writeln!(text, "kinds guessed from {} ({whole}):", counted(table.cells.len(), "row"));
        let (shown, rest) = self.first(&table.columns);
        let width = shown.iter().map(|column| column.name.chars().count()).max().unwrap_or(0).min(40);
        for column in shown {
            let line = format!("  {:width$}  {:5}  {}", printable(&column.name), column.kind, about(column));
            text.push_str(line.trim_end());
            text.push('\n');
        }
        if rest > 0 {
            let _ = writeln!(text, "  … and {} more: --all shows them", thousands(rest as u64));
        }
        let nulls = nulls(&table.columns);
        if !nulls.is_empty() {
            let _ = writeln!(text, "cells that may mean no value: --null {}", typed(&[nulls.join(",")]));
        }
        if self.args.rows > 0 && !table.cells.is_empty() {
            text.push('\n');
            text.push_str(&rows_of(table, self.args.rows)?);
        }
        Ok(())
    }

    /// Whether nothing but its letters tells the encoding.
    fn is_guessed(&self, table: &PeekTable) -> bool {
        self.args.dialect.encoding.is_none() && table.query.encodings != Encodings::default()
    }

    pub(super) fn json(&self) -> Result<String> {
        let peeked = self.peeked.as_ref();
        let document = Document {
            schema: SCHEMA,
            raudal: env!("CARGO_PKG_VERSION"),
            source: redact(&self.args.source),
            location: peeked.map(|peeked| peeked.location.to_string()),
            layers: peeked.map_or(&[], |peeked| &peeked.peek.layers),
            bytes: peeked.and_then(|peeked| peeked.size),
            fetched: peeked.and_then(|peeked| peeked.fetched),
            ranges: peeked.and_then(|peeked| peeked.fetched.map(|_| peeked.ranges)),
            members: peeked.map_or(&[][..], |peeked| &peeked.peek.members).iter().map(Member::of).collect(),
            has_more_members: peeked.is_some_and(|peeked| peeked.peek.has_more),
            table: peeked
                .and_then(|peeked| peeked.peek.table.as_ref())
                .map(|table| Table::of(table, self.args.rows, self.is_guessed(table))),
            links: peeked
                .map(|peeked| peeked.links.inputs.iter().map(|input| input.location.to_string()).collect())
                .unwrap_or_default(),
            files: &self.files,
            folders: self.folders,
            command: self.command.as_deref().map(typed),
            arguments: self.command.as_deref(),
            problem: self.problem.as_ref().map(|problem| Problem {
                kind: problem.kind().word(),
                error: problem.report(),
                hint: problem.hint_text().map(worded),
            }),
            warnings: self.warnings.iter().map(|warning| worded(warning)).collect(),
        };
        let json = serde_json::to_string_pretty(&document)
            .map_err(|error| Error::new(Kind::Internal, "what was seen cannot be written").because(error))?;
        Ok(json + "\n")
    }
}

fn counted(count: usize, one: &str) -> String {
    format!("{} {one}{}", thousands(count as u64), if count == 1 { "" } else { "s" })
}

/// Says what a guess of a kind does not.
fn about(column: &PeekColumn) -> String {
    let mut about = Vec::new();
    if let Some(example) = &column.example {
        let short: String = example.chars().take(30).collect();
        about.push(printable(&short) + if short.len() < example.len() { "…" } else { "" });
    }
    if column.is_code {
        about.push("(codes: zeros in front)".to_owned());
    }
    if column.example.is_none() {
        about.push("(empty)".to_owned());
    } else if column.empty > 0 {
        about.push(format!("({} empty)", thousands(column.empty)));
    }
    about.join("  ")
}

fn nulls(columns: &[PeekColumn]) -> Vec<String> {
    let mut nulls: Vec<String> = columns.iter().flat_map(|column| column.nulls.iter().cloned()).collect();
    nulls.sort();
    nulls.dedup();
    nulls
}

fn in_words(delimiter: char) -> String {
    match delimiter {
        ',' => "commas".to_owned(),
        ';' => "semicolons".to_owned(),
        '\t' => "tabs".to_owned(),
        other => format!("'{other}'"),
    }
}

/// Returns the first rows, drawn like a table on a terminal.
fn rows_of(table: &PeekTable, most: usize) -> Result<String> {
    let text = Shared::default();
    let mut options = SinkOptions::new(Format::Table);
    options.width = Some(terminal_size::terminal_size().map_or(100, |(width, _)| usize::from(width.0)));
    let mut sink = Sink::create(Target::Writer(Box::new(text.clone())), options)?;
    sink.append("", table.rows(most))?;
    sink.finish()?;
    let text = std::mem::take(&mut *text.0.lock().unwrap_or_else(PoisonError::into_inner));
    Ok(String::from_utf8_lossy(&text).into_owned())
}

#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    raudal: &'static str,
    source: String,
    location: Option<String>,
    layers: &'a [String],
    bytes: Option<u64>,
    fetched: Option<u64>,
    ranges: Option<u64>,
    members: Vec<Member<'a>>,
    has_more_members: bool,
    table: Option<Table<'a>>,
    links: Vec<String>,
    files: &'a [Listed],
    folders: u64,
    command: Option<String>,
    arguments: Option<&'a [String]>,
    problem: Option<Problem>,
    warnings: Vec<String>,
}

#[derive(Serialize)]
struct Member<'a> {
    path: &'a str,
    bytes: Option<u64>,
    packed: Option<u64>,
    is_data: bool,
    is_sheet: bool,
}

impl<'a> Member<'a> {
    fn of(member: &'a PeekMember) -> Self {
        Self {
            path: &member.path,
            bytes: member.size,
            packed: member.packed,
            is_data: member.is_data,
            is_sheet: member.is_sheet,
        }
    }
}

#[derive(Serialize)]
struct Table<'a> {
    member: Option<&'a str>,
    encoding: String,
    is_encoding_guessed: bool,
    is_ascii: bool,
    delimiter: char,
    looked_at: u64,
    is_whole: bool,
    guessed_from_rows: usize,
    columns: Vec<Column<'a>>,
    rows: &'a [Vec<String>],
}

#[derive(Serialize)]
struct Column<'a> {
    name: &'a str,
    kind_guess: String,
    is_code: bool,
    empty: u64,
    null_guess: &'a [String],
    example: Option<&'a str>,
}

impl<'a> Table<'a> {
    fn of(table: &'a PeekTable, rows: usize, is_guessed: bool) -> Self {
        let column = |column: &'a PeekColumn| Column {
            name: &column.name,
            kind_guess: column.kind.to_string(),
            is_code: column.is_code,
            empty: column.empty,
            null_guess: &column.nulls,
            example: column.example.as_deref(),
        };
        Self {
            member: table.member.as_deref(),
            encoding: table.encoding.to_string(),
            is_encoding_guessed: is_guessed,
            is_ascii: table.is_ascii,
            delimiter: table.delimiter,
            looked_at: table.looked_at,
            is_whole: table.whole,
            guessed_from_rows: table.cells.len(),
            columns: table.columns.iter().map(column).collect(),
            rows: &table.cells[..table.cells.len().min(rows)],
        }
    }
}

#[derive(Serialize)]
struct Problem {
    kind: &'static str,
    error: String,
    hint: Option<String>,
}

/// Whether the problem is only that the input is something else than a table. That was said, so it is a success.
pub(super) fn is_no_table(problem: &Error) -> bool {
    matches!(problem.kind(), Kind::Unsupported | Kind::Impostor | Kind::NotAnArchive)
}

/// Returns what the command lacks, because it must not be shown.
fn left_out(args: &PeekArgs) -> Option<&'static str> {
    let proxy = args.http.proxy.as_deref().is_some_and(|proxy| redact(proxy) != proxy);
    match (redact(&args.source) != args.source || proxy, args.http.http_headers().is_empty()) {
        (true, _) => Some("the login is left out of the command: a netrc file can hold it"),
        (false, false) => Some("the headers are left out of the command: add them again with --header"),
        (false, true) => None,
    }
}

/// Writes a command as one types it.
fn typed(words: &[String]) -> String {
    words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ")
}
