//! How a run is shown, and how much is said about it.

use raudal_common::{Error, Result};
use std::io::IsTerminal as _;
use std::str::FromStr;

/// How a run is shown on stderr.
///
/// ```
/// use raudal_progress::Style;
///
/// assert_eq!("plain".parse::<Style>()?, Style::Plain);
/// assert!("fancy".parse::<Style>().is_err());
/// # Ok::<(), raudal_common::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Style {
    /// Bars if stderr is a terminal that can draw them, outside CI; otherwise plain lines.
    #[default]
    Auto,
    /// A bar for each job in flight and one for the whole run; plain lines if bars cannot be drawn.
    Bar,
    /// A line about every two seconds.
    Plain,
    /// A JSON object on a line of its own for each event.
    Json,
    /// Only messages.
    None,
}

impl FromStr for Style {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Ok(match text {
            "auto" => Self::Auto,
            "bar" => Self::Bar,
            "plain" => Self::Plain,
            "json" => Self::Json,
            "none" => Self::None,
            _ => {
                return Err(Error::usage(format!(
                    "unknown style of progress: {}",
                    raudal_common::error::printable(text)
                ))
                .hint("choose one of auto, bar, plain, json, none"));
            }
        })
    }
}

/// How much is said about a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Verbosity {
    /// Errors only: no progress, no summary.
    Quiet,
    /// Progress, and the summary at the end.
    #[default]
    Normal,
    /// Also a line for each retry and each pause.
    Verbose,
}

/// Facts about the environment, passed in so that the decision itself is pure.
#[derive(Clone, Debug, Default)]
#[allow(clippy::struct_excessive_bools)] // four independent facts, not a state machine in disguise
pub(super) struct Surroundings {
    pub(super) terminal: bool,
    pub(super) dumb: bool,
    pub(super) ci: bool,
    pub(super) colours: bool,
}

impl Surroundings {
    pub(super) fn of_stderr() -> Self {
        let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        // An unset TERM is a dumb terminal, except on Windows, where nobody sets it.
        let dumb = set("TERM").map_or(cfg!(not(windows)), |term| term == "dumb");
        // Old consoles know no escape sequences; the others are asked to read them.
        #[cfg(windows)]
        let dumb = dumb || anstyle_query::windows::enable_ansi_colors() == Some(false);
        Self {
            terminal: std::io::stderr().is_terminal(),
            dumb,
            ci: set("CI").is_some_and(|ci| ci != "false" && ci != "0"),
            // https://no-color.org: any value except the empty one. Old Windows consoles would show
            // the escapes.
            colours: set("NO_COLOR").is_none() && cfg!(not(windows)),
        }
    }
}

impl Style {
    /// Returns the style in use: never [`Style::Auto`], and never bars where they cannot be drawn.
    pub(super) fn resolve(self, verbosity: Verbosity, around: &Surroundings) -> Self {
        let drawable = around.terminal && !around.dumb;
        match self {
            // A program reads the JSON, and `-q` is meant for people.
            Self::Json => Self::Json,
            _ if verbosity == Verbosity::Quiet => Self::None,
            Self::Auto if drawable && !around.ci => Self::Bar,
            Self::Bar if drawable => Self::Bar,
            Self::Auto | Self::Bar | Self::Plain => Self::Plain,
            Self::None => Self::None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_chosen_only_where_they_can_be_drawn() {
        let terminal = Surroundings { terminal: true, ..Surroundings::default() };
        let dumb = Surroundings { dumb: true, ..terminal.clone() };
        let ci = Surroundings { ci: true, ..terminal.clone() };
        let pipe = Surroundings::default();
        let resolve = |style: Style, around: &Surroundings| style.resolve(Verbosity::Normal, around);

        assert_eq!(resolve(Style::Auto, &terminal), Style::Bar);
        assert_eq!([&dumb, &ci, &pipe].map(|around| resolve(Style::Auto, around)), [Style::Plain; 3]);
        assert_eq!([&terminal, &ci].map(|around| resolve(Style::Bar, around)), [Style::Bar; 2]);
        assert_eq!([&dumb, &pipe].map(|around| resolve(Style::Bar, around)), [Style::Plain; 2]);
    }

    #[test]
    fn quiet_leaves_only_json() {
        let terminal = Surroundings { terminal: true, ..Surroundings::default() };
        let styles = [Style::Auto, Style::Bar, Style::Plain, Style::None];
        assert_eq!(styles.map(|style| style.resolve(Verbosity::Quiet, &terminal)), [Style::None; 4]);
        assert_eq!(Style::Json.resolve(Verbosity::Quiet, &terminal), Style::Json);
    }

    #[test]
    fn an_unknown_style_is_told_the_known_ones() {
        let error = "bars\u{1b}".parse::<Style>().unwrap_err();
        assert_eq!(error.to_string(), "unknown style of progress: bars\\u{1b}");
        assert_eq!(error.hint_text(), Some("choose one of auto, bar, plain, json, none"));
    }
}
