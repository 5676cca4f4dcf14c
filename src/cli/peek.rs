//! `raudal peek`: shows what is in an input, and the command that reads it.

use super::args::{HttpArgs, PeekArgs, PeekFormat};
use super::peek_report::{Listed, Report, is_no_table};
use super::session::Session;
use super::wording::options as worded;
use super::{dialect, exit, print, setup, signals};
use raudal::error::redact;
use raudal::fetch::Client;
use raudal::pipeline::{self, Peeked, RunOptions};
use raudal::pool::Backoff;
use raudal::progress::{Progress, Style, Verbosity};
use raudal::source::{Input, Location, expand};
use raudal::table::{Delimiter, Encodings, Header, Query, Quote, Ragged, RepeatedHeader};
use raudal::{Error, Kind, Result};
use std::path::Path;

/// Endings of files that may be tables or hold some.
const TABLES: [&str; 16] = [
    ".csv", ".tsv", ".tab", ".csv.gz", ".csv.zst", ".csv.xz", ".csv.bz2", ".zip", ".xlsx", ".txt", ".gz", ".tgz",
    ".tar", ".zst", ".xz", ".bz2",
];

pub(super) async fn peek(args: PeekArgs) -> Result<u8> {
    let query = query(&args)?;
    let client = Client::new(&setup::fetch_options(&args.http)?)?;
    let said = Progress::new(Style::None, Verbosity::Normal);
    if args.http.insecure {
        said.error("warning: certificates are not checked (--insecure)");
    }
    let report = match inputs(&args.source, &client).await? {
        Source::Files(listed, folders) => Report::of_files(&args, listed, folders, list_command(&args)),
        Source::One(input) => {
            let signals = signals::Signals::watch(None, || ());
            let mut options = RunOptions::default();
            options.backoff = Backoff::default().retries(args.retries);
            options.cancel = signals.token().clone();
            let peeked = match pipeline::peek(*input, &client, &options, &query, args.max_fetch).await {
                Err(error) if error.kind() == Kind::Cancelled => {
                    return Ok(signals.stop().unwrap_or(exit::Stop::Interrupt).code());
                }
                peeked => peeked?,
            };
            Report::of_input(&args, command(&args, &peeked), peeked)
        }
    };
    print(
        match args.format {
            PeekFormat::Json => report.json()?,
            PeekFormat::Text => report.text()?,
        }
        .as_bytes(),
    )?;
    if args.format == PeekFormat::Text {
        report.warnings.iter().for_each(|warning| said.note(&format!("warning: {}", worded(warning))));
    }
    let Some(problem) = report.problem.as_ref().filter(|problem| !is_no_table(problem)) else { return Ok(0) };
    if args.format == PeekFormat::Text {
        Session::say_error(&said, problem);
    }
    Ok(exit::of_error(problem))
}

/// What a source is.
enum Source {
    One(Box<Input>),
    /// The files of a folder, and how many folders are in it; or the inputs of a glob or a pattern.
    Files(Vec<Listed>, u64),
}

async fn inputs(source: &str, client: &Client) -> Result<Source> {
    let folder = Path::new(source);
    if !source.contains("://") && folder.is_dir() {
        return files(folder);
    }
    let mut inputs = expand(source)?;
    let in_list = |input: Input| match &input.location {
        Location::File(path) => Listed::file(path),
        other => Listed { path: other.to_string(), bytes: input.size },
    };
    if inputs.has_globs() {
        let mut found = pipeline::listed(inputs, client).await?;
        return Ok(match found.pop() {
            Some(one) if found.is_empty() => Source::One(Box::new(one)),
            last => Source::Files(found.into_iter().chain(last).map(in_list).collect(), 0),
        });
    }
    if inputs.len() == 1
        && let Some(input) = inputs.next()
    {
        return Ok(Source::One(Box::new(input)));
    }
    Ok(Source::Files(inputs.map(in_list).collect(), 0))
}

/// Lists the files of a folder, by their names. Hidden ones are left out, and folders are counted.
fn files(folder: &Path) -> Result<Source> {
    let cannot = |error| Error::io("cannot read the folder", error).input(folder.display().to_string());
    let (mut files, mut folders) = (Vec::new(), 0);
    for entry in std::fs::read_dir(folder).map_err(cannot)? {
        let path = entry.map_err(cannot)?.path();
        let is_hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        if path.is_dir() && !is_hidden {
            folders += 1;
        } else if !is_hidden {
            files.push(Listed::file(&path));
        }
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(Source::Files(files, folders))
}

fn query(args: &PeekArgs) -> Result<Query> {
    let mut query = Query::new();
    query.member = args.member.clone().filter(|glob| !glob.is_empty());
    query.sheet = args.sheet.clone().filter(|sheet| !sheet.is_empty());
    (query.dialect, query.encodings) = dialect::read(&args.dialect, args.http.table_header());
    query.nulls = args.dialect.nulls();
    query.member_encoding = setup::member_encoding(&args.names)?;
    query.limits = setup::bounds(&args.bounds);
    query.check()?;
    Ok(query)
}

/// Returns the command that reads what was seen, if anything can.
fn command(args: &PeekArgs, peeked: &Peeked) -> Option<Vec<String>> {
    let mut words = begin(&args.source);
    if peeked.peek.is_page() {
        let names = peeked.links.inputs.iter().map(|input| input.name.as_str());
        words.extend(option("links", &format!("*{}", usual_ending(names)?)));
    } else {
        words.extend(of_query(&peeked.peek.table.as_ref()?.query));
        words.extend(given(args));
    }
    words.extend(of_http(&args.http));
    Some(words)
}

/// Returns the command that reads the files of a folder, or of a glob.
fn list_command(args: &PeekArgs) -> impl FnOnce(&[Listed]) -> Option<Vec<String>> + '_ {
    move |listed| {
        let is_folder = Path::new(&args.source).is_dir();
        let pattern = if is_folder {
            let ending = usual_ending(listed.iter().map(|file| file.path.as_str()))?;
            format!("{}/*{ending}", args.source.trim_end_matches('/'))
        } else {
            args.source.clone()
        };
        let mut words = begin(&pattern);
        words.extend(given(args));
        words.extend(of_http(&args.http));
        Some(words)
    }
}

fn begin(source: &str) -> Vec<String> {
    vec!["raudal".to_owned(), "table".to_owned(), redact(source)]
}

/// Returns the ending of a table that most of the names have.
fn usual_ending<'a>(names: impl Iterator<Item = &'a str>) -> Option<&'static str> {
    let mut counts = [0_u64; TABLES.len()];
    for name in names {
        let name = name.to_lowercase();
        let longest = (0..TABLES.len()).filter(|&at| name.ends_with(TABLES[at])).max_by_key(|&at| TABLES[at].len());
        if let Some(at) = longest {
            counts[at] += 1;
        }
    }
    let (at, _) = counts.iter().enumerate().rev().max_by_key(|(_, count)| **count).filter(|(_, count)| **count > 0)?;
    TABLES.get(at).copied()
}

fn option(name: &str, value: &str) -> Vec<String> {
    // A value that looks like an option would be taken for one.
    if value.starts_with('-') || value.is_empty() {
        return vec![format!("--{name}={value}")];
    }
    vec![format!("--{name}"), value.to_owned()]
}

/// Returns the options that the query needs, where it is not as usual.
fn of_query(query: &Query) -> Vec<String> {
    let mut words = Vec::new();
    let mut add = |name: &str, value: Option<String>| words.extend(value.into_iter().flat_map(|it| option(name, &it)));
    let dialect = &query.dialect;
    add("member", query.member.clone());
    add("sheet", query.sheet.clone());
    add(
        "encoding",
        match &query.encodings {
            Encodings::List(list) => Some(list.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")),
            Encodings::Auto => Some("auto".to_owned()),
            _ => None,
        },
    );
    add(
        "delimiter",
        match dialect.delimiter {
            Delimiter::Byte(b'\t') => Some("tab".to_owned()),
            Delimiter::Byte(byte) => Some(char::from(byte).to_string()),
            Delimiter::Auto => Some("auto".to_owned()),
            Delimiter::ByName => None,
        },
    );
    add(
        "quote",
        match dialect.quote {
            Quote::Byte(byte) => Some(char::from(byte).to_string()),
            Quote::None => Some("none".to_owned()),
            Quote::Usual => None,
        },
    );
    add("escape", dialect.escape.map(|byte| char::from(byte).to_string()));
    add("comment", dialect.comment.clone());
    let lines = |count: u64| (count > 0).then(|| count.to_string());
    add("skip-rows", lines(dialect.skip_rows));
    add(
        "header",
        match dialect.header {
            Header::None => Some("none".to_owned()),
            Header::Line(1) => None,
            Header::Line(line) => Some(line.to_string()),
        },
    );
    let names: Vec<String> = dialect.columns.iter().map(|name| quoted(name)).collect();
    add("columns", Some(names.join(",")).filter(|names| !names.is_empty()));
    add("footer", lines(dialect.footer));
    add(
        "ragged",
        match dialect.ragged {
            Ragged::Refuse => None,
            Ragged::Pad => Some("pad".to_owned()),
            Ragged::Skip => Some("skip".to_owned()),
        },
    );
    add("repeated-header", (dialect.repeated_header == RepeatedHeader::Drop).then(|| "drop".to_owned()));
    add("decimal", (dialect.numbers.decimal != '.').then(|| dialect.numbers.decimal.to_string()));
    add("thousands", dialect.numbers.thousands.map(|mark| mark.to_string()));
    words.extend(dialect.trim.then(|| "--trim".to_owned()));
    words
}

/// Returns the options that were given and that nothing found can change.
fn given(args: &PeekArgs) -> Vec<String> {
    let mut words = Vec::new();
    let mut add = |name: &str, value: Option<String>| words.extend(value.into_iter().flat_map(|it| option(name, &it)));
    add("null", args.dialect.null.as_ref().map(|tokens| tokens.join(",")).filter(|tokens| !tokens.is_empty()));
    add("member-encoding", args.names.member_encoding.clone().filter(|label| !label.is_empty()));
    add("max-members", args.bounds.members.map(|count| count.to_string()));
    add("max-member-size", args.bounds.member_size.map(|size| size.to_string()));
    add("max-ratio", args.bounds.ratio.map(|ratio| ratio.to_string()));
    words
}

/// Returns the options for HTTP that were given, but no headers: they may be secret.
fn of_http(args: &HttpArgs) -> Vec<String> {
    let path = |path: &Option<std::path::PathBuf>| path.as_ref().map(|path| path.display().to_string());
    let valued = [
        ("user-agent", args.user_agent.clone()),
        ("contact", args.contact.clone()),
        ("proxy", args.proxy.as_deref().map(redact)),
        ("cacert", path(&args.cacert)),
        ("cert", path(&args.cert)),
        ("key", path(&args.key)),
        ("netrc-file", path(&args.netrc_file)),
    ];
    let switches = [
        ("http2", args.http2),
        ("allow-http", args.allow_http),
        ("insecure", args.insecure),
        ("no-netrc", args.no_netrc),
    ];
    let mut words: Vec<String> =
        valued.into_iter().filter_map(|(name, value)| Some(option(name, &value?))).flatten().collect();
    words.extend(switches.into_iter().filter(|(_, on)| *on).map(|(name, _)| format!("--{name}")));
    words
}

/// A name of `--columns`: in double quotes where it must be.
fn quoted(name: &str) -> String {
    if name.contains([',', '"', '`']) || name.trim() != name {
        format!("\"{}\"", name.replace('"', "\"\""))
    } else {
        name.to_owned()
    }
}
