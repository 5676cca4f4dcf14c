//! Configuration files: defaults of a project and of a user, below environment variables and options.
//!
//! A file holds options by their names, for all commands at the top or for one in a table of its
//! name. What it says is put among the arguments, unless these or the environment say otherwise. So
//! every option can be in it, and a bad value is refused like any other.

use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command};
use raudal::{Error, Result};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use toml::{Table, Value};

/// The name of a project's file.
const OF_PROJECT: &str = "raudal.toml";
/// What a project may not decide, because its files may come from anyone: whom to trust, and what to
/// send.
const TRUST: [&str; 10] =
    ["allow-http", "cacert", "cert", "database", "header", "insecure", "key", "netrc-file", "proxy", "user-agent"];

/// The configuration files, the first one with the higher rank.
#[derive(Debug, Default)]
pub(super) struct Config {
    files: Vec<ConfigFile>,
}

#[derive(Debug)]
struct ConfigFile {
    path: PathBuf,
    table: Table,
}

/// A value of a file, as arguments.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Found<'a> {
    /// The name of the option.
    pub(super) name: String,
    pub(super) args: Vec<OsString>,
    pub(super) path: &'a Path,
}

impl Config {
    /// Reads the files that are there: of the project, in the current folder or the nearest one above,
    /// and of the user. `RAUDAL_NO_CONFIG` says that there are none.
    ///
    /// # Errors
    ///
    /// A usage error for a file that is no TOML, or has what is no option of a command.
    pub(super) fn read(command: &Command) -> Result<Self> {
        let mut files = Vec::new();
        for (path, of_project) in places() {
            let Some(text) = text(&path)? else { continue };
            files.push(ConfigFile::parse(path, &text, command, of_project)?);
        }
        Ok(Self { files })
    }

    /// Returns what the files say of a command's options, each from the file of the highest rank.
    /// `names` leads to the command.
    pub(super) fn of_command(&self, command: &Command, names: &[&str]) -> Result<Vec<Found<'_>>> {
        let mut found = Vec::new();
        for arg in command.get_arguments() {
            let Some(long) = arg.get_long() else { continue };
            let first = self.files.iter().find_map(|file| Some((file, file.value(names, long)?)));
            if let Some((file, value)) = first {
                let args = arguments(arg, long, value).map_err(|error| error.input(file.path.display().to_string()))?;
                found.push(Found { name: long.to_owned(), args, path: &file.path });
            }
        }
        Ok(found)
    }

    /// Returns the paths of the files.
    pub(super) fn paths(&self) -> impl Iterator<Item = &Path> {
        self.files.iter().map(|file| file.path.as_path())
    }
}

impl ConfigFile {
    fn parse(path: PathBuf, text: &str, command: &Command, of_project: bool) -> Result<Self> {
        let named = |error: Error| error.input(path.display().to_string());
        let table: Table = text.parse().map_err(|error: toml::de::Error| {
            let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
            let line = before.matches('\n').count() as u64 + 1;
            named(Error::usage(format!("not TOML: {}", error.message().replace('\n', " "))).line(line))
        })?;
        check(&table, command, of_project).map_err(named)?;
        Ok(Self { path, table })
    }

    /// Returns the value of an option: of the table of its command, else of one around that.
    fn value<'a>(&'a self, names: &[&str], long: &str) -> Option<&'a Value> {
        let mut tables = vec![&self.table];
        for name in names {
            match tables.last().and_then(|table| table.get(*name)).and_then(Value::as_table) {
                Some(table) => tables.push(table),
                None => break,
            }
        }
        // A command and an option may have the same name: `table` has an option `--table`.
        let own = |table: &&'a Table| {
            let value = table.get(long).or_else(|| table.get(&long.replace('-', "_")));
            value.filter(|value| !value.is_table())
        };
        tables.iter().rev().find_map(own)
    }
}

/// Refuses names that are no options of the command or of one below it.
fn check(table: &Table, command: &Command, of_project: bool) -> Result<()> {
    for (name, value) in table {
        if let Value::Table(table) = value {
            let below =
                command.find_subcommand(name).ok_or_else(|| Error::usage(format!("no such command: {name}")))?;
            check(table, below, of_project)?;
            continue;
        }
        let long = name.replace('_', "-");
        if !has(command, &long) {
            return Err(Error::usage(format!("no such option of {}: {name}", command.get_name()))
                .hint("raudal config show COMMAND lists the names"));
        }
        if of_project && TRUST.contains(&long.as_str()) {
            return Err(Error::usage(format!("a project cannot decide this: {name}"))
                .hint("put it into your own configuration file, or give it as an option"));
        }
    }
    Ok(())
}

fn has(command: &Command, long: &str) -> bool {
    let own = command.get_arguments().any(|arg| arg.get_long() == Some(long));
    own || command.get_subcommands().any(|below| has(below, long))
}

/// Returns a value as arguments.
fn arguments(arg: &Arg, long: &str, value: &Value) -> Result<Vec<OsString>> {
    let text = |value: &Value| match value {
        Value::String(text) => Ok(text.clone()),
        Value::Integer(number) => Ok(number.to_string()),
        Value::Float(number) => Ok(number.to_string()),
        _ => Err(Error::usage(format!("not a text, a number or a list: {long}"))),
    };
    let takes_none = arg.get_num_args().is_some_and(|count| count.min_values() == 0);
    let given = |text: String| OsString::from(format!("--{long}={text}"));
    Ok(match value {
        Value::Boolean(on) if takes_none || matches!(arg.get_action(), ArgAction::SetTrue) => {
            on.then(|| format!("--{long}").into()).into_iter().collect()
        }
        _ if matches!(arg.get_action(), ArgAction::SetTrue) => {
            return Err(Error::usage(format!("neither true nor false: {long}")));
        }
        Value::Array(list) => {
            let texts = list.iter().map(text).collect::<Result<Vec<String>>>()?;
            match arg.get_action() {
                ArgAction::Append => texts.into_iter().map(given).collect(),
                _ => vec![given(texts.join(","))],
            }
        }
        one => vec![given(text(one)?)],
    })
}

/// Returns the values that hold: those of options that were not given otherwise, and do not conflict
/// with one that was.
pub(super) fn holding<'a>(found: Vec<Found<'a>>, command: &Command, matches: &ArgMatches) -> Vec<Found<'a>> {
    let is_given = |arg: &Arg| {
        let known = matches.try_contains_id(arg.get_id().as_str()).is_ok();
        let source = known.then(|| matches.value_source(arg.get_id().as_str())).flatten();
        matches!(source, Some(ValueSource::CommandLine | ValueSource::EnvVariable))
    };
    let given: Vec<&Arg> = command.get_arguments().filter(|arg| is_given(arg)).collect();
    let holds = |found: &Found<'_>| {
        let Some(arg) = command.get_arguments().find(|arg| arg.get_long() == Some(found.name.as_str())) else {
            return false;
        };
        let excludes = |one: &Arg, other: &Arg| command.get_arg_conflicts_with(one).contains(&other);
        !is_given(arg) && !given.iter().any(|other| excludes(arg, other) || excludes(other, arg))
    };
    found.into_iter().filter(holds).collect()
}

/// Returns where files are looked for, and whether they are a project's.
pub(super) fn places() -> Vec<(PathBuf, bool)> {
    let is_set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty() && value != "0");
    if is_set("RAUDAL_NO_CONFIG") {
        return Vec::new();
    }
    let mut places = Vec::new();
    if let Ok(folder) = std::env::current_dir() {
        let above = folder.ancestors().map(|folder| folder.join(OF_PROJECT));
        places.extend(above.into_iter().find(|path| path.is_file()).map(|path| (path, true)));
    }
    // A relative `XDG_CONFIG_HOME` is ignored, as its specification requires.
    let named = std::env::var_os("XDG_CONFIG_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let home = || std::env::home_dir().filter(|home| !home.as_os_str().is_empty()).map(|home| home.join(".config"));
    places.extend(named.or_else(home).map(|folder| (folder.join("raudal").join("config.toml"), false)));
    places
}

fn text(path: &Path) -> Result<Option<String>> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if matches!(error.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory) => {
            Ok(None)
        }
        Err(error) => Err(Error::io("cannot read the configuration file", error).input(path.display().to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str, of_project: bool) -> Result<Config> {
        let command = super::super::command();
        Ok(Config { files: vec![ConfigFile::parse("raudal.toml".into(), text, &command, of_project)?] })
    }

    fn words(config: &Config, names: &[&str]) -> Vec<String> {
        let command = super::super::command();
        let chosen = names.iter().fold(&command, |command, name| command.find_subcommand(name).unwrap());
        let found = config.of_command(chosen, names).unwrap();
        found.into_iter().flat_map(|found| found.args).map(|arg| arg.into_string().unwrap()).collect()
    }

    #[test]
    fn a_table_of_a_command_wins_over_what_is_for_all() {
        let text = "retries = 5\nread_timeout = '5s'\n[table]\nretries = 7\ndistinct = true\nfold-names = false\n\
                    [compare]\nruns = 2\n[compare.sleep]\nsleeps = 3\njobs = [1, 8]";
        let config = parsed(text, true).unwrap();
        let of_table = words(&config, &["table"]);
        assert_eq!(of_table, ["--distinct", "--retries=7", "--read-timeout=5s"]);
        assert!(words(&config, &["get"]).contains(&"--retries=5".to_owned()));
        assert_eq!(words(&config, &["compare", "sleep"]), ["--sleeps=3", "--jobs=1", "--jobs=8", "--runs=2"]);
        assert_eq!(words(&config, &["serve"]), [""; 0]);
    }

    #[test]
    fn what_is_no_option_is_refused_with_the_file() {
        for (text, said) in [
            ("retries = 5\na = ", "line 2: not TOML"),
            ("retires = 5", "no such option of raudal: retires"),
            ("[tables]\nretries = 5", "no such command: tables"),
            ("[table]\nsleeps = 5", "no such option of table: sleeps"),
        ] {
            let error = parsed(text, false).unwrap_err();
            assert!(error.to_string().starts_with("raudal.toml: ") && error.to_string().contains(said), "{error}");
        }
        let config = parsed("distinct = 3", false).unwrap();
        let command = super::super::command();
        assert!(config.of_command(command.find_subcommand("table").unwrap(), &["table"]).is_err());
    }

    #[test]
    fn a_project_cannot_decide_whom_to_trust() {
        for name in TRUST {
            let text = format!("{name} = 'x'");
            assert!(parsed(&text, true).unwrap_err().to_string().contains("a project cannot decide"), "{name}");
            assert!(parsed(&text, false).is_ok(), "{name}");
        }
    }
}
