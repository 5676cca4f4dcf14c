//! Parses the arguments, with what the environment and the configuration files add. An error about a
//! value says where it comes from.

use super::args::Cli;
use super::config::{Config, Found, holding};
use super::suggest;
use super::wording::options;
use clap::builder::StyledStr;
use clap::error::{ContextKind, ContextValue};
use clap::{ArgMatches, Command, FromArgMatches};
use raudal::{Error, Result};
use std::ffi::OsString;
use std::num::ParseIntError;
use std::path::{Path, PathBuf};

/// Why there is no command.
pub(super) enum Refused {
    /// A wrong argument, or a wish for help.
    Clap(Box<clap::Error>),
    /// A wrong configuration file.
    Config(Error),
}

/// Parses arguments, the name of the program first. Returns them typed, and as clap found them. `leave_out` are the options that configuration
/// files cannot set here.
pub(super) fn parse(
    mut command: Command,
    mut args: Vec<OsString>,
    leave_out: &[&str],
) -> Result<(Cli, ArgMatches), Refused> {
    let (names, at) = chosen(&command, &args);
    let config = configured(&command, &names, &args).map_err(Refused::Config)?;
    let mut from_files: Vec<(String, PathBuf)> = Vec::new();
    if let Some(config) = &config {
        let found = found(config, &command, &names, &args).map_err(Refused::Config)?;
        let found = found.into_iter().filter(|found| !leave_out.contains(&found.name.replace('-', "_").as_str()));
        let mut added = Vec::new();
        for found in found {
            from_files.push((found.name, found.path.to_owned()));
            added.extend(found.args);
        }
        args.splice(at..at, added);
    }
    let parsed =
        command.try_get_matches_from_mut(&args).and_then(|found| Cli::from_arg_matches(&found).map(|cli| (cli, found)));
    parsed.map_err(|error| {
        let mut error = suggest::better(error, &command);
        let tips: Vec<StyledStr> = [cure(&error), source(&error, &command, &names, &args, &from_files)]
            .into_iter()
            .flatten()
            .map(StyledStr::from)
            .collect();
        if !tips.is_empty() {
            error.insert(ContextKind::Suggested, ContextValue::StyledStrs(tips));
        }
        Refused::Clap(Box::new(error))
    })
}

/// Returns the values of the configuration files that hold.
pub(super) fn found<'a>(
    config: &'a Config,
    command: &Command,
    names: &[String],
    args: &[OsString],
) -> Result<Vec<Found<'a>>> {
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let of_command = named(command, &names);
    let given = given(command, args);
    let matches = names.iter().try_fold(&given, |matches, name| matches.subcommand_matches(name));
    let found = config.of_command(of_command, &names)?;
    Ok(matches.map_or_else(Vec::new, |matches| holding(found, of_command, matches)))
}

/// Returns what the arguments and the environment say, whatever is wrong with it.
pub(super) fn given(command: &Command, args: &[OsString]) -> ArgMatches {
    let lenient = command.clone().ignore_errors(true);
    lenient.try_get_matches_from(args).unwrap_or_default()
}

/// Returns the command that names lead to.
pub(super) fn named<'a>(command: &'a Command, names: &[&str]) -> &'a Command {
    names.iter().fold(command, |command, name| command.find_subcommand(name).unwrap_or(command))
}

/// Reads the configuration files for a command that has options of its own. Help needs none.
fn configured(command: &Command, names: &[String], args: &[OsString]) -> Result<Option<Config>> {
    let is_help = args.iter().any(|arg| arg == "--help" || arg == "-h" || arg == "--version");
    let takes = names.first().is_some_and(|name| !["completions", "config", "help", "man"].contains(&name.as_str()));
    if is_help || !takes { Ok(None) } else { Config::read(command).map(Some) }
}

/// Returns the names of the command that the arguments choose, and where its own arguments begin.
fn chosen(command: &Command, args: &[OsString]) -> (Vec<String>, usize) {
    let (mut found, mut names) = (command, Vec::new());
    for word in args.iter().skip(1) {
        let Some(below) = word.to_str().and_then(|word| found.find_subcommand(word)) else { break };
        names.push(below.get_name().to_owned());
        found = below;
    }
    let at = (names.len() + 1).min(args.len());
    (names, at)
}

/// Returns what to write in place of a bad value. clap shows only what is wrong with it.
fn cure(error: &clap::Error) -> Option<String> {
    let cause = std::error::Error::source(error)?;
    if cause.is::<ParseIntError>() {
        return Some("write a whole number of 0 or more, in digits alone".to_owned());
    }
    cause.downcast_ref::<Error>()?.hint_text().map(options)
}

/// Returns a sentence on where the value in an error comes from, unless it was given as an option.
fn source(
    error: &clap::Error,
    command: &Command,
    names: &[String],
    args: &[OsString],
    from_files: &[(String, PathBuf)],
) -> Option<String> {
    let Some(ContextValue::String(shown)) = error.get(ContextKind::InvalidArg) else { return None };
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let is_of = |arg: &&clap::Arg| !arg.is_positional() && arg.to_string() == *shown;
    let arg = named(command, &names).get_arguments().find(is_of)?;
    let long = arg.get_long()?;
    if let Some((_, path)) = from_files.iter().find(|(name, _)| name == long) {
        return Some(said_by(path));
    }
    let Some(ContextValue::String(value)) = error.get(ContextKind::InvalidValue) else { return None };
    let variable = arg.get_env()?.to_str()?;
    let given = args.iter().filter_map(|text| text.to_str()).any(|text| {
        text.split('=').next().and_then(|name| name.strip_prefix("--")) == Some(long)
            || arg
                .get_short()
                .is_some_and(|short| text.strip_prefix('-').is_some_and(|letters| letters.contains(short)))
    });
    // One value of a list is named, or all of it.
    let is_there = std::env::var(variable).is_ok_and(|all| all.contains(value));
    (is_there && !given).then(|| format!("the value is that of the environment variable {variable}"))
}

fn said_by(path: &Path) -> String {
    format!("the value is that of the configuration file {}", path.display())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Arg;

    #[test]
    fn a_bad_value_is_answered_with_a_good_one() {
        for (option, value, good) in [
            ("--read-timeout", "5k", "such as 80ms, 0.5s, 2m or 1h30m"),
            ("--limit-rate", "fast", "512KiB"),
            ("--limit-rate", "5k", "5KiB"),
            ("--rate", "5", "5/s"),
            ("--retries", "many", "a whole number"),
            ("--footer", "-1", "a whole number"),
            ("--progress", "pretty", "auto, bar, plain, json, none"),
            ("--retry-on", "sometimes", "5xx"),
            ("--max-members", "1e9", "a whole number"),
        ] {
            let args = ["raudal", "table", "a.csv", &format!("{option}={value}")].map(OsString::from).to_vec();
            let Err(Refused::Clap(error)) = parse(super::super::command(), args, &[]) else {
                panic!("{option} {value}")
            };
            let said = error.to_string();
            assert!(said.contains(good) && said.contains("tip: "), "{option} {value}: {said}");
        }
    }

    #[test]
    fn a_bad_value_names_its_variable_unless_it_was_given_as_an_option() {
        // Every process has this variable, and no test may change the environment.
        let name = if cfg!(windows) { "SystemRoot" } else { "PATH" };
        let number = Arg::new("number").long("number").short('n').env(name).value_parser(clap::value_parser!(u8));
        let command = Command::new("raudal").subcommand(Command::new("table").arg(number));
        let refused = |args: &[&str], files: &[(String, PathBuf)]| {
            let mut command = command.clone();
            let args: Vec<OsString> = args.iter().map(OsString::from).collect();
            let error = command.try_get_matches_from_mut(&args).unwrap_err();
            source(&error, &command, &["table".to_owned()], &args, files)
        };
        assert!(refused(&["raudal", "table"], &[]).is_some_and(|said| said.ends_with(name)));
        for given in [&["--number", "x"][..], &["--number=x"], &["-n", "x"], &["-nx"]] {
            assert_eq!(refused(&[&["raudal", "table"], given].concat(), &[]), None, "{given:?}");
        }
        let of_file = refused(&["raudal", "table", "--number=x"], &[("number".to_owned(), "a/raudal.toml".into())]);
        assert_eq!(of_file.as_deref(), Some("the value is that of the configuration file a/raudal.toml"));
    }

    #[test]
    fn the_command_is_found_before_its_arguments() {
        let command = super::super::command();
        let chosen = |args: &[&str]| chosen(&command, &args.iter().map(OsString::from).collect::<Vec<_>>());
        assert_eq!(chosen(&["raudal", "table", "get"]), (vec!["table".to_owned()], 2));
        assert_eq!(
            chosen(&["raudal", "compare", "iter", "-j", "1"]),
            (vec!["compare".to_owned(), "iter".to_owned()], 3)
        );
        assert_eq!(chosen(&["raudal"]), (vec![], 1));
        assert_eq!(chosen(&["raudal", "--help"]), (vec![], 1));
    }
}
