//! `raudal man`: the manual pages, one for each command.

use super::print;
use clap::Command;
use clap_mangen::Man;
use raudal::{Error, Result};
use std::path::Path;

/// Prints the page of the command that the names lead to, or writes all pages to a folder.
pub(super) fn man(command: Command, names: &[String], dir: Option<&Path>) -> Result<u8> {
    let command = built(command);
    if let Some(dir) = dir {
        let written = std::fs::create_dir_all(dir).and_then(|()| write(&command, dir));
        written.map_err(|error| Error::io("cannot write the manual pages", error).input(dir.display().to_string()))?;
        return Ok(0);
    }
    let page = page(chosen(&command, names)?);
    print(&page.map_err(|error| Error::io("cannot write the manual page", error))?)
}

/// Returns the command with the full names of its subcommands. None is named `help`: it would have a
/// page for each of the others.
fn built(command: Command) -> Command {
    fn without_help(command: Command) -> Command {
        command.disable_help_subcommand(true).mut_subcommands(without_help)
    }
    let mut command = without_help(command);
    command.build();
    command
}

fn chosen<'a>(command: &'a Command, names: &[String]) -> Result<&'a Command> {
    let mut found = command;
    for name in names {
        found = found.find_subcommand(name).ok_or_else(|| {
            let known: Vec<&str> = found.get_subcommands().map(Command::get_name).collect();
            let known = if known.is_empty() { "it has none".to_owned() } else { known.join(", ") };
            Error::usage(format!("{} has no such command: {name}", found.get_name())).hint(known)
        })?;
    }
    Ok(found)
}

fn write(command: &Command, dir: &Path) -> std::io::Result<()> {
    of(command).generate_to(dir)?;
    command.get_subcommands().try_for_each(|below| write(below, dir))
}

fn of(command: &Command) -> Man {
    Man::new(command.clone()).source(concat!("raudal ", env!("CARGO_PKG_VERSION")))
}

fn page(command: &Command) -> std::io::Result<Vec<u8>> {
    let mut page = Vec::new();
    of(command).render(&mut page)?;
    Ok(page)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn pages() -> BTreeMap<String, (Command, String)> {
        fn add(command: &Command, pages: &mut BTreeMap<String, (Command, String)>) {
            let text = String::from_utf8(page(command).unwrap()).unwrap().replace("\\-", "-");
            let name = command.get_display_name().unwrap_or(command.get_name()).to_owned();
            pages.insert(name, (command.clone(), text));
            command.get_subcommands().for_each(|command| add(command, pages));
        }
        let mut pages = BTreeMap::new();
        add(&built(super::super::command()), &mut pages);
        pages
    }

    #[test]
    fn every_command_has_a_page_with_all_its_options() {
        let pages = pages();
        assert!(pages.contains_key("raudal-compare-iter") && pages.contains_key("raudal-table"), "{:?}", pages.keys());
        for (name, (command, text)) in &pages {
            for option in command.get_arguments().filter_map(clap::Arg::get_long) {
                assert!(text.contains(&format!("--{option}")), "{name} lacks --{option}");
            }
        }
        assert!(pages["raudal-table"].1.contains("RAUDAL_JOBS"));
    }

    #[test]
    fn every_page_that_a_page_names_is_there() {
        let pages = pages();
        let mut named = 0;
        for (name, (_, text)) in &pages {
            for (before, _) in text.match_indices("(1)").map(|(at, _)| text.split_at(at)) {
                let letters = |c: char| c.is_ascii_alphanumeric() || c == '-';
                let other = before.rsplit(|c| !letters(c)).next().unwrap_or_default();
                assert!(pages.contains_key(other), "{name} names {other}(1)");
                named += 1;
            }
        }
        assert!(named >= pages.len() - 1, "{named}");
    }

    #[test]
    fn a_command_that_is_not_there_is_a_usage_error_with_those_that_are() {
        let command = built(super::super::command());
        let error = chosen(&command, &["compare".to_owned(), "naps".to_owned()]).unwrap_err();
        assert!(error.hint_text().unwrap().contains("sleep"));
        let nested = chosen(&command, &["compare".to_owned(), "sleep".to_owned()]).unwrap();
        assert_eq!(nested.get_display_name(), Some("raudal-compare-sleep"));
    }
}
