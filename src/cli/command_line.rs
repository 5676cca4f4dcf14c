//! The command line of this process as text, for the conditions of a comparison. It holds no
//! credentials.

use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Command};
use raudal::error::redact;

/// Options whose values may be secrets that do not look like ones.
const SECRET: [&str; 1] = ["headers"];

/// Returns a command line that does the same as this process: the options that were given, and
/// those that came from the environment.
pub(crate) fn of_this_process() -> Option<String> {
    let mut command = super::command();
    let matches = command.try_get_matches_from_mut(std::env::args_os()).ok()?;
    Some(text(&command, &matches))
}

fn text(command: &Command, matches: &ArgMatches) -> String {
    let mut words = vec![command.get_name().to_owned()];
    let (mut command, mut matches) = (command, matches);
    loop {
        for arg in command.get_arguments() {
            words.extend(given(arg, matches));
        }
        let inner = matches.subcommand().and_then(|(name, inner)| Some((command.find_subcommand(name)?, inner)));
        let Some(inner) = inner else { return words.join(" ") };
        (command, matches) = inner;
        words.push(command.get_name().to_owned());
    }
}

/// Returns the words of one option or argument, or none if it has its default.
fn given(arg: &Arg, matches: &ArgMatches) -> Vec<String> {
    let id = arg.get_id().as_str();
    let source = matches.value_source(id);
    if !matches!(source, Some(ValueSource::CommandLine | ValueSource::EnvVariable)) {
        return Vec::new();
    }
    let raw = matches.get_raw(id).into_iter().flatten();
    let mut values: Vec<String> = raw.map(|value| shown(id, &value.to_string_lossy())).collect();
    let Some(long) = arg.get_long() else { return values.iter().map(|value| quoted(value)).collect() };
    if !arg.get_action().takes_values() {
        // A switch may come from the environment, where it may be off.
        return if matches.get_flag(id) { vec![format!("--{long}")] } else { Vec::new() };
    }
    if let Some(delimiter) = arg.get_value_delimiter() {
        values = vec![values.join(&delimiter.to_string())];
    }
    values.iter().map(|value| quoted(&format!("--{long}={value}"))).collect()
}

/// Removes what may be secret from a value.
fn shown(id: &str, value: &str) -> String {
    match value.split_once(':') {
        Some((name, _)) if SECRET.contains(&id) => format!("{name}: …"),
        _ => redact(value),
    }
}

/// Quotes a word for a shell, where it must be.
pub(crate) fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "-_=+,./:@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(words: &[&str]) -> String {
        let mut command = crate::cli::command();
        let matches = command.try_get_matches_from_mut(words).expect("a command line");
        text(&command, &matches)
    }

    #[test]
    fn the_text_does_the_same_as_what_was_given() {
        let given = ["raudal", "compare", "iter", "-j", "1,8,auto", "-r", "2", "--where", "MUN == 0 and x = 'a'", "-k"];
        let text = of(&given);
        assert!(text.starts_with("raudal compare iter "), "{text}");
        for part in ["--jobs=1,8,auto", "--runs=2", "'--where=MUN == 0 and x = '\\''a'\\'''", "--insecure"] {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert!(!text.contains("--warmup"), "a default is not given: {text}");
    }

    #[test]
    fn credentials_are_left_out() {
        let text =
            of(&["raudal", "compare", "iter", "-H", "Authorization: Bearer hunter2", "-x", "http://me:hunter2@p:1"]);
        assert!(!text.contains("hunter2"), "{text}");
        assert!(text.contains("'--header=Authorization: …'") && text.contains("--proxy=http://p:1"), "{text}");
        let text = of(&["raudal", "compare", "database", "--database", "postgres://me:hunter2@host/name"]);
        assert!(!text.contains("hunter2") && text.contains("--database=postgres://host/name"), "{text}");
    }
}
