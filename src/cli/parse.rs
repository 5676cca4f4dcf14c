//! Parses the arguments. An error about a value says which environment variable it comes from.

use super::args::Cli;
use super::suggest;
use clap::error::{ContextKind, ContextValue};
use clap::{ArgMatches, Command, FromArgMatches};
use std::ffi::OsString;

/// Parses arguments, the name of the program first. Returns them typed, and as clap found them.
pub(super) fn parse(mut command: Command, args: Vec<OsString>) -> Result<(Cli, ArgMatches), clap::Error> {
    let parsed =
        command.try_get_matches_from_mut(&args).and_then(|found| Cli::from_arg_matches(&found).map(|cli| (cli, found)));
    parsed.map_err(|error| {
        let mut error = suggest::better(error, &command);
        if let Some(variable) = variable(&error, &command, &args) {
            let tip = format!("the value is that of the environment variable {variable}");
            error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip.into()]));
        }
        error
    })
}

/// Returns the environment variable that the value in an error comes from, if it does.
fn variable(error: &clap::Error, command: &Command, args: &[OsString]) -> Option<String> {
    let Some(ContextValue::String(shown)) = error.get(ContextKind::InvalidArg) else { return None };
    let Some(ContextValue::String(value)) = error.get(ContextKind::InvalidValue) else { return None };
    let is_of = |arg: &&clap::Arg| !arg.is_positional() && arg.to_string() == *shown;
    let arg = chosen(command, args).get_arguments().find(is_of)?.clone();
    let variable = arg.get_env()?.to_str()?.to_owned();
    let given = args.iter().filter_map(|text| text.to_str()).any(|text| {
        let long = arg.get_long().map(|long| format!("--{long}"));
        long.is_some_and(|long| text.split('=').next() == Some(&long))
            || arg
                .get_short()
                .is_some_and(|short| text.strip_prefix('-').is_some_and(|letters| letters.contains(short)))
    });
    // One value of a list is named, or all of it.
    let is_there = std::env::var(&variable).is_ok_and(|all| all.contains(value));
    (is_there && !given).then_some(variable)
}

/// Returns the command that the arguments name.
fn chosen<'a>(command: &'a Command, args: &[OsString]) -> &'a Command {
    let mut found = command;
    for word in args.iter().filter_map(|word| word.to_str()) {
        found = found.find_subcommand(word).unwrap_or(found);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Arg;

    #[test]
    fn a_bad_value_names_its_variable_unless_it_was_given_as_an_option() {
        // Every process has this variable, and no test may change the environment.
        let name = if cfg!(windows) { "SystemRoot" } else { "PATH" };
        let number = Arg::new("number").long("number").short('n').env(name).value_parser(clap::value_parser!(u8));
        let command = Command::new("raudal").subcommand(Command::new("table").arg(number));
        let refused = |args: &[&str]| {
            let mut command = command.clone();
            let args: Vec<OsString> = args.iter().map(OsString::from).collect();
            let error = command.try_get_matches_from_mut(&args).unwrap_err();
            variable(&error, &command, &args)
        };
        assert_eq!(refused(&["raudal", "table"]).as_deref(), Some(name));
        for given in [&["--number", "x"][..], &["--number=x"], &["-n", "x"], &["-nx"]] {
            assert_eq!(refused(&[&["raudal", "table"], given].concat()), None, "{given:?}");
        }
    }
}
