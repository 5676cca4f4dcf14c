//! How the inputs are written.

use super::with_hint;
use clap::{Args, ValueEnum};
use raudal::table::{Delimiter, Dialect, Encodings, Nulls, Quote};
use std::str::FromStr;

const DIALECT: &str = "Dialect";

#[derive(Debug, Args)]
pub(crate) struct DialectArgs {
    /// The encoding of the inputs; several, such as utf-8,windows-1252, are tried in order on each whole input; auto decides
    #[arg(long, value_name = "LABELS|auto", value_parser = parse::<Encodings>, env = "RAUDAL_ENCODING", help_heading = DIALECT)]
    pub(crate) encoding: Option<Encodings>,
    /// What separates fields: a character, `tab`, or `auto` [default: a tab for .tsv and .tab, else a comma]
    #[arg(long, value_name = "CHAR|auto", value_parser = parse::<Delimiter>, env = "RAUDAL_DELIMITER", help_heading = DIALECT)]
    pub(crate) delimiter: Option<Delimiter>,
    /// What encloses fields: a character, or `none` if quotes are letters [default: "]
    #[arg(long, value_name = "CHAR|none", value_parser = parse::<Quote>, env = "RAUDAL_QUOTE", help_heading = DIALECT)]
    pub(crate) quote: Option<Quote>,
    /// Read the character after this one literally
    #[arg(long, value_name = "CHAR", value_parser = byte, env = "RAUDAL_ESCAPE", help_heading = DIALECT)]
    pub(crate) escape: Option<u8>,
    /// Leave out lines that begin with this text
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true, env = "RAUDAL_COMMENT", help_heading = DIALECT)]
    pub(crate) comment: Option<String>,
    /// Skip this many lines at the beginning
    #[arg(long, value_name = "N", env = "RAUDAL_SKIP_ROWS", help_heading = DIALECT)]
    pub(crate) skip_rows: Option<u64>,
    /// Use these names for the columns, in place of the header: a, b, "a name, with a comma"
    #[arg(long, value_name = "NAMES", value_parser = column_names, env = "RAUDAL_COLUMNS", help_heading = DIALECT)]
    pub(crate) columns: Option<ColumnNames>,
    /// Drop this many lines at the end
    #[arg(long, value_name = "N", env = "RAUDAL_FOOTER", help_heading = DIALECT)]
    pub(crate) footer: Option<u64>,
    /// Remove blanks around names and cells
    #[arg(long, value_parser = clap::builder::FalseyValueParser::new(), env = "RAUDAL_TRIM", help_heading = DIALECT)]
    pub(crate) trim: bool,
    /// Records with more or fewer fields than the header: refuse the input, or pad or skip them
    #[arg(long, value_enum, value_name = "WHAT", env = "RAUDAL_RAGGED", help_heading = DIALECT)]
    pub(crate) ragged: Option<RaggedArg>,
    /// Rows that repeat the header, as in joined files: warn of them, or drop them
    #[arg(long, value_enum, value_name = "WHAT", env = "RAUDAL_REPEATED_HEADER", help_heading = DIALECT)]
    pub(crate) repeated_header: Option<RepeatedHeaderArg>,
    /// The decimal mark of numbers, for --where and --types [default: .]
    #[arg(long, value_name = "CHAR", value_parser = character, env = "RAUDAL_DECIMAL", help_heading = DIALECT)]
    pub(crate) decimal: Option<char>,
    /// The mark between the thousands of numbers, for --where and --types
    #[arg(long, value_name = "CHAR", value_parser = character, env = "RAUDAL_THOUSANDS", help_heading = DIALECT)]
    pub(crate) thousands: Option<char>,
    /// Cells that mean "no value" for --where, besides empty ones [default: none; *,N/D,N/A for iter]
    #[arg(long, value_name = "TOKENS", allow_hyphen_values = true, value_delimiter = ',', env = "RAUDAL_NULL", help_heading = DIALECT)]
    pub(crate) null: Option<Vec<String>>,
}

impl DialectArgs {
    /// Returns the null cells.
    pub(crate) fn nulls(&self) -> Nulls {
        Nulls::new(self.null.iter().flatten())
    }
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum RaggedArg {
    Refuse,
    /// Fill short records with empty fields, drop the surplus fields of long ones
    Pad,
    /// Leave them out
    Skip,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum RepeatedHeaderArg {
    /// Keep them as rows
    Warn,
    Drop,
}

/// The names of `--columns`.
#[derive(Clone, Debug)]
pub(crate) struct ColumnNames(pub(crate) Vec<String>);

fn column_names(text: &str) -> Result<ColumnNames, String> {
    Dialect::column_names(text).map(ColumnNames).map_err(|error| with_hint(&error))
}

fn parse<T: FromStr<Err = raudal::Error>>(text: &str) -> Result<T, String> {
    text.parse().map_err(|error| with_hint(&error))
}

fn byte(text: &str) -> Result<u8, String> {
    match text.as_bytes() {
        [byte] if byte.is_ascii_graphic() => Ok(*byte),
        _ => Err("it must be one ASCII character".to_owned()),
    }
}

fn character(text: &str) -> Result<char, String> {
    let mut characters = text.chars();
    match (characters.next(), characters.next()) {
        (Some(c), None) => Ok(c),
        _ => Err("it must be one character".to_owned()),
    }
}
