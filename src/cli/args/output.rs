//! The options for the table that `iter` and `table` write.

use super::{EndArgs, OUTPUT, with_hint};
use clap::builder::FalseyValueParser;
use clap::{Args, ValueHint};
use raudal::table::{FileType, Types};
use std::path::PathBuf;

#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
#[derive(Debug, Args)]
pub(crate) struct OutputArgs {
    /// Write the table to this file, whose ending sets the format; `-` is standard output
    #[arg(short, long, value_name = "FILE", env = "RAUDAL_OUTPUT", help_heading = OUTPUT, value_hint = ValueHint::FilePath)]
    pub(crate) output: Option<PathBuf>,
    /// Write csv, tsv, jsonl, json (each also with .gz or .zst), parquet, arrow, sqlite or table [default: by the file's ending; without a file, table on a terminal, else csv]
    #[arg(long, value_name = "FORMAT", value_parser = file_type, env = "RAUDAL_FORMAT", help_heading = OUTPUT)]
    pub(crate) format: Option<FileType>,
    /// Replace an existing output; in a database, the table
    #[arg(long, env = "RAUDAL_OVERWRITE", value_parser = FalseyValueParser::new(), conflicts_with = "append", help_heading = OUTPUT)]
    pub(crate) overwrite: bool,
    /// Append rows to an existing output with the same columns
    #[arg(long, env = "RAUDAL_APPEND", value_parser = FalseyValueParser::new(), help_heading = OUTPUT)]
    pub(crate) append: bool,
    /// Give columns types (text, int, float, date), such as 'POBTOT:int, LAT:float'; `auto` decides on all rows [default: all text]
    #[arg(long, value_name = "TYPES", value_parser = types, env = "RAUDAL_TYPES", help_heading = OUTPUT)]
    pub(crate) types: Option<Types>,
    /// Write to this table of a database [default: data]
    #[arg(long, value_name = "NAME", env = "RAUDAL_TABLE", help_heading = OUTPUT)]
    pub(crate) table: Option<String>,
    /// Begin csv or tsv with a byte order mark, so that Excel reads accents correctly
    #[arg(long, env = "RAUDAL_BOM", value_parser = FalseyValueParser::new(), help_heading = OUTPUT)]
    pub(crate) bom: bool,
    /// Show all columns and whole cells in the format table
    #[arg(long, env = "RAUDAL_NO_TRUNCATE", value_parser = FalseyValueParser::new(), help_heading = OUTPUT)]
    pub(crate) no_truncate: bool,
    #[command(flatten)]
    pub(crate) end: EndArgs,
}

fn file_type(text: &str) -> Result<FileType, String> {
    text.parse().map_err(|error| with_hint(&error))
}

fn types(text: &str) -> Result<Types, String> {
    text.parse().map_err(|error| with_hint(&error))
}
