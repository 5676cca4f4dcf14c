//! `raudal config show`: which value each option has, and where it comes from.

use super::config::{Config, places};
use super::{parse, print};
use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Command};
use raudal::error::{printable, redact};
use raudal::{Error, Result};
use std::ffi::OsString;
use std::fmt::Write as _;

/// Options whose values are secret, or may hold a password.
const SECRET: [&str; 3] = ["header", "proxy", "database"];

/// Prints the options of a command as TOML, each with its source. Without a command: the files, and
/// what differs from the defaults.
pub(super) fn show(command: &Command, names: &[String]) -> Result<u8> {
    let config = Config::read(command)?;
    let mut text = String::new();
    if names.is_empty() {
        for (path, of_project) in places() {
            let is_there = config.paths().any(|there| there == path);
            let whose = if of_project { "of the project" } else { "of the user" };
            let _ = writeln!(text, "# {whose}: {}{}", path.display(), if is_there { "" } else { " (not there)" });
        }
        for names in commands(command, &[]) {
            let lines = lines(&config, command, &names, false)?;
            if !lines.is_empty() {
                let _ = write!(text, "\n[{}]\n{lines}", names.join("."));
            }
        }
    } else {
        let mut found = command;
        for name in names {
            found = found.find_subcommand(name).ok_or_else(|| Error::usage(format!("no such command: {name}")))?;
        }
        let _ = write!(text, "[{}]\n{}", names.join("."), lines(&config, command, names, true)?);
    }
    print(text.as_bytes())
}

/// Returns the names of all commands that have no others below them.
fn commands(command: &Command, names: &[String]) -> Vec<Vec<String>> {
    let below = command.get_subcommands().filter(|below| !["completions", "config", "man"].contains(&below.get_name()));
    let mut all = Vec::new();
    for below in below {
        let names = [names, &[below.get_name().to_owned()]].concat();
        if below.has_subcommands() { all.extend(commands(below, &names)) } else { all.push(names) }
    }
    all
}

fn lines(config: &Config, command: &Command, names: &[String], all: bool) -> Result<String> {
    let mut args: Vec<OsString> = [&["raudal".to_owned()], names].concat().into_iter().map(OsString::from).collect();
    let found = parse::found(config, command, names, &args)?;
    args.extend(found.iter().flat_map(|found| found.args.clone()));
    let matches = parse::given(command, &args);
    let words: Vec<&str> = names.iter().map(String::as_str).collect();
    let matches = words.iter().try_fold(&matches, |matches, name| matches.subcommand_matches(name));
    let mut text = String::new();
    for arg in parse::named(command, &words).get_arguments() {
        let (Some(long), Some(matches)) = (arg.get_long(), matches) else { continue };
        let of_file = found.iter().find(|found| found.name == long).map(|found| found.path.display().to_string());
        let variable = arg.get_env().map(|name| name.to_string_lossy().into_owned());
        let source = match matches
            .try_contains_id(arg.get_id().as_str())
            .ok()
            .and_then(|_| matches.value_source(arg.get_id().as_str()))
        {
            Some(ValueSource::CommandLine) => of_file,
            Some(ValueSource::EnvVariable) => variable,
            _ => None,
        };
        if source.is_none() && !all || ["help", "version"].contains(&long) {
            continue;
        }
        let value = value(arg, long, matches);
        let source =
            source.unwrap_or_else(|| if value.is_empty() { "not set".to_owned() } else { "default".to_owned() });
        let line = if value.is_empty() { format!("# {long}") } else { format!("{long} = {value}") };
        let _ = writeln!(text, "{line:<40} # {source}");
    }
    Ok(text)
}

/// Returns the value as TOML; empty if there is none.
fn value(arg: &Arg, long: &str, matches: &ArgMatches) -> String {
    let raw: Vec<String> = match matches.try_get_raw(arg.get_id().as_str()) {
        Ok(Some(raw)) => raw.map(|one| one.to_string_lossy().into_owned()).collect(),
        _ => Vec::new(),
    };
    let shown = |one: &String| {
        let text = if SECRET.contains(&long) { secret(one) } else { printable(one) };
        format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
    };
    match &raw[..] {
        [] => String::new(),
        [one] if !arg.get_action().takes_values() => one.clone(),
        [one] => shown(one),
        many => format!("[{}]", many.iter().map(shown).collect::<Vec<_>>().join(", ")),
    }
}

/// Returns what may be shown of a header or of a URL.
fn secret(text: &str) -> String {
    match text.split_once(':') {
        Some((_, rest)) if rest.starts_with("//") => redact(text),
        Some((name, _)) => format!("{name}: …"),
        None => "…".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::secret;

    #[test]
    fn passwords_are_not_shown() {
        assert_eq!(secret("Authorization: Bearer abc"), "Authorization: …");
        assert!(!secret("http://me:word@proxy.example:3128").contains("word"));
        assert_eq!(secret("me-word"), "…");
    }
}
