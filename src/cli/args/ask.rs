//! The options that say which columns and rows of the inputs make the table.

use super::{TABLE, with_hint};
use clap::Args;
use clap::builder::FalseyValueParser;
use raudal::table::ColumnsMode;

#[derive(Debug, Args)]
pub(crate) struct AskArgs {
    /// When columns differ: strict refuses the input, union has the columns of all, intersection those that all have
    #[arg(long, value_name = "MODE", default_value = "strict", value_parser = columns_mode, env = "RAUDAL_COLUMNS_MODE", help_heading = TABLE)]
    pub(crate) columns_mode: ColumnsMode,
    /// Treat names of columns that differ only by case or accents as the same
    #[arg(long, env = "RAUDAL_FOLD_NAMES", value_parser = FalseyValueParser::new(), help_heading = TABLE)]
    pub(crate) fold_names: bool,
    /// Write equal rows once; rows are equal if all their cells are the same text
    #[arg(long, env = "RAUDAL_DISTINCT", value_parser = FalseyValueParser::new(), help_heading = TABLE)]
    pub(crate) distinct: bool,
    /// Write the first N rows, in input order, and stop the transfers once they are there
    #[arg(long, value_name = "N", value_parser = rows, env = "RAUDAL_LIMIT", conflicts_with_all = ["sample", "lock"], help_heading = TABLE)]
    pub(crate) limit: Option<u64>,
    /// Write a random sample of N rows, in input order; --seed chooses another one
    #[arg(long, value_name = "N", value_parser = rows, env = "RAUDAL_SAMPLE", help_heading = TABLE)]
    pub(crate) sample: Option<u64>,
    /// Write no rows, but how many were read and kept of each input and in all
    #[arg(long, env = "RAUDAL_COUNT", value_parser = FalseyValueParser::new(), conflicts_with_all = ["distinct", "limit", "sample"], help_heading = TABLE)]
    pub(crate) count: bool,
}

fn columns_mode(text: &str) -> Result<ColumnsMode, String> {
    text.parse().map_err(|error| with_hint(&error))
}

fn rows(text: &str) -> Result<u64, String> {
    match text.parse::<u64>() {
        Ok(0) => Err("it must be at least 1; --count writes no rows".to_owned()),
        Ok(rows) => Ok(rows),
        Err(_) => Err("not a whole number".to_owned()),
    }
}
