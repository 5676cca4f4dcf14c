//! Turns the options of a dialect into the library's.

use super::args::{DialectArgs, RaggedArg, RepeatedHeaderArg};
use raudal::table::{Dialect, Encodings, Header, Ragged, RepeatedHeader};

/// The cells of INEGI's tables that hold no value: withheld, not available, not applicable.
pub(super) const ITER_NULLS: [&str; 3] = ["*", "N/D", "N/A"];

/// Returns the dialect and the encodings.
pub(super) fn read(args: &DialectArgs, header: Option<Header>) -> (Dialect, Encodings) {
    let mut dialect = Dialect::default();
    dialect.delimiter = args.delimiter.unwrap_or_default();
    dialect.quote = args.quote.unwrap_or_default();
    dialect.escape = args.escape;
    // An empty variable names no comment.
    dialect.comment = args.comment.clone().filter(|text| !text.is_empty());
    dialect.columns = args.columns.clone().map(|names| names.0).unwrap_or_default();
    dialect.skip_rows = args.skip_rows.unwrap_or_default();
    dialect.header = header.unwrap_or_default();
    dialect.footer = args.footer.unwrap_or_default();
    dialect.trim = args.trim;
    dialect.ragged = match args.ragged {
        None | Some(RaggedArg::Refuse) => Ragged::Refuse,
        Some(RaggedArg::Pad) => Ragged::Pad,
        Some(RaggedArg::Skip) => Ragged::Skip,
    };
    dialect.repeated_header = match args.repeated_header {
        None | Some(RepeatedHeaderArg::Warn) => RepeatedHeader::Warn,
        Some(RepeatedHeaderArg::Drop) => RepeatedHeader::Drop,
    };
    dialect.numbers.decimal = args.decimal.unwrap_or(dialect.numbers.decimal);
    dialect.numbers.thousands = args.thousands;
    (dialect, args.encoding.clone().unwrap_or_default())
}
