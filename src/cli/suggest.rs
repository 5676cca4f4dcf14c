//! What to use in place of an option that does not exist.

use clap::Command;
use clap::builder::StyledStr;
use clap::error::{ContextKind, ContextValue, ErrorKind};

/// What other programs call an option, and its name here.
const ELSEWHERE: [(&str, &str); 8] = [
    ("--head", "--limit"),
    ("--rows", "--limit"),
    ("--nrows", "--limit"),
    ("--lines", "--limit"),
    ("--filter", "--where"),
    ("--query", "--where"),
    ("--usecols", "--select"),
    ("--sep", "--delimiter"),
];

/// What only a program with the feature `fleet` has.
const FLEET: [&str; 4] = ["worker", "runs", "--nats", "--parts"];

/// Replaces a suggestion that only looks similar: `--header` for `--head`.
pub(crate) fn better(mut error: clap::Error, root: &Command) -> clap::Error {
    let subject = match error.kind() {
        ErrorKind::UnknownArgument => ContextKind::InvalidArg,
        ErrorKind::InvalidSubcommand => ContextKind::InvalidSubcommand,
        _ => return error,
    };
    let tip = match error.get(subject) {
        Some(ContextValue::String(wrong)) if !cfg!(feature = "fleet") && FLEET.contains(&wrong.as_str()) => Some(
            "this program was built without the feature `fleet`: cargo install --path . --features fleet".to_owned(),
        ),
        _ if error.kind() == ErrorKind::InvalidSubcommand => choices(&error, root),
        _ => None,
    };
    if let Some(tip) = tip {
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![StyledStr::from(tip)]));
        return error;
    }
    if error.kind() != ErrorKind::UnknownArgument {
        return error;
    }
    let text = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.split('=').next().unwrap_or_default().to_owned()),
        _ => None,
    };
    let (Some(wrong), similar) = (text(ContextKind::InvalidArg), text(ContextKind::SuggestedArg)) else { return error };
    let named = ELSEWHERE.iter().find(|(other, _)| *other == wrong).map(|(_, here)| *here);
    let owners = owners(root, named.unwrap_or(&wrong));
    let tip = match (named, owners.as_slice()) {
        (_, []) if similar.is_none_or(|similar| is_near(&wrong, &similar)) => return error,
        (_, []) => None,
        (Some(here), _) => Some(format!("the option of {} for that is '{here}'", owners.join(", "))),
        (None, _) => Some(format!("'{wrong}' is an option of {}", owners.join(", "))),
    };
    // The usage names the suggestion too.
    for kind in [ContextKind::SuggestedArg, ContextKind::TrailingArg, ContextKind::Usage] {
        error.remove(kind);
    }
    if let Some(tip) = tip {
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![StyledStr::from(tip)]));
    }
    error
}

/// Returns the commands below another one, if one of them was misspelled beyond recognition.
fn choices(error: &clap::Error, root: &Command) -> Option<String> {
    if error.get(ContextKind::SuggestedSubcommand).is_some() {
        return None;
    }
    let Some(ContextValue::StyledStr(usage)) = error.get(ContextKind::Usage) else { return None };
    let usage = usage.to_string();
    let above = root.get_subcommands().find(|command| usage.contains(&format!(" {} ", command.get_name())));
    let below = above.unwrap_or(root).get_subcommands().map(Command::get_name);
    Some(format!("one of {}", below.collect::<Vec<_>>().join(", ")))
}

/// Returns the commands that have this option.
fn owners(root: &Command, option: &str) -> Vec<String> {
    let name = option.trim_start_matches('-');
    let has = |command: &&Command| command.get_arguments().any(|arg| arg.get_long() == Some(name));
    root.get_subcommands().filter(has).map(|command| format!("raudal {}", command.get_name())).collect()
}

/// Returns whether one is the other with a letter more, less or exchanged. clap also suggests what
/// merely has many letters in common.
fn is_near(wrong: &str, similar: &str) -> bool {
    let (wrong, similar) = (wrong.as_bytes(), similar.trim_start_matches('-').as_bytes());
    let wrong = wrong.strip_prefix(b"--").unwrap_or(wrong);
    let begin = wrong.iter().zip(similar).take_while(|(a, b)| a == b).count();
    let (wrong, similar) = (&wrong[begin..], &similar[begin..]);
    let end = wrong.iter().rev().zip(similar.iter().rev()).take_while(|(a, b)| a == b).count();
    wrong.len().max(similar.len()) - end <= 2
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(arguments: &[&str]) -> String {
        let command = super::super::command();
        let words = ["raudal"].iter().chain(arguments);
        better(command.clone().try_get_matches_from(words).expect_err("unknown"), &command).to_string()
    }

    #[test]
    fn a_command_that_does_not_exist_is_answered_with_those_that_do() {
        assert!(said(&["compare", "latency"]).contains("one of iter, mixed, database, files, requests, sleep"));
        assert!(said(&["show", "a.csv"]).contains("one of iter, table, peek, get, compare, serve"));
        assert!(said(&["tabel", "a.csv"]).contains("'table'"));
    }

    #[cfg(not(feature = "fleet"))]
    #[test]
    fn what_this_program_was_built_without_is_said() {
        for words in [&["worker", "--nats", "nats://a"][..], &["runs"], &["table", "a.csv", "--nats", "nats://a"]] {
            assert!(said(words).contains("--features fleet"), "{words:?}");
        }
    }

    #[test]
    fn an_option_of_another_program_is_answered_with_ours() {
        for (wrong, here) in [("--head", "--limit"), ("--nrows=5", "--limit"), ("--sep", "--delimiter")] {
            let said = said(&["table", "a.csv", wrong]);
            assert!(said.contains(&format!("'{here}'")) && !said.contains("--header"), "{said}");
        }
    }

    #[test]
    fn an_option_of_another_command_is_said_to_be_one() {
        let said = said(&["get", "a.csv", "--count"]);
        assert!(said.contains("'--count' is an option of raudal iter, raudal table"), "{said}");
        assert!(!said.contains("--contact"), "{said}");
    }

    #[test]
    fn only_what_is_near_is_suggested() {
        assert!(said(&["table", "a.csv", "--selct", "a"]).contains("--select"));
        assert!(said(&["table", "a.csv", "--wehre", "a"]).contains("--where"));
        assert!(!said(&["table", "a.csv", "--conact"]).contains("--count"));
        assert!(!said(&["compare", "sleep", "--xyzzy"]).contains("tip"));
    }
}
