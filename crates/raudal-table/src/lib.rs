//! Archive → CSV records → filter → one table.
//!
//! This crate takes any reader; it knows no socket and no runtime. Read the modules in this order:
//!
//! | module | what it does |
//! |---|---|
//! | [`query`](Query) | the options for each input: filter, columns, member, encoding, bounds |
//! | `read` | [`read()`]: reads one input and returns its verified [`Rows`] |
//! | `archive` | detects the kind of input; lists and selects the members of a zip |
//! | `extract` | [`extract()`]: writes the members of a zip as files of a new folder |
//! | `verify` | checks the CRC, the length and the bounds of the bytes |
//! | `text` | decodes bytes into valid UTF-8 without a BOM |
//! | `records` | splits text into records with `memchr`; agrees with the `csv` crate |
//! | `filter` | [`Filter`]: an expression over columns, parsed by `sqlparser`, evaluated here |
//! | `select` | [`Select`]: the columns to keep, their order and their names |
//! | `nulls`, `column_names`, `columns` | which cells are null; when two names are the same; columns in a header |
//! | `layout` | how headers that differ fit together |
//! | `rows` | [`Rows`]: the kept rows, in memory or in a temporary file |
//! | `pick`, `table` | [`Table`]: aligns the columns of many inputs, and picks rows of all of them |
//! | `sink` | [`Sink`]: writes many inputs as one CSV, TSV, JSON Lines or terminal table |
//!
//! ```
//! use raudal_table::{Filter, Format, Query, Select, Sink, SinkOptions, Target};
//!
//! # fn main() -> raudal_common::Result<()> {
//! let mut query = Query::new();
//! query.filter = Some(Filter::parse("MUN == 0 and LOC == 0")?);
//! query.select = Select::parse("NOM_ENT, POBTOT as people")?;
//!
//! let input = "MUN,LOC,NOM_ENT,POBTOT\r\n000,0000,Aguascalientes,1425607\r\n001,0000,Aguascalientes,948990\r\n";
//! let rows = raudal_table::read(std::io::Cursor::new(input), "iter.csv", &query, &())?;
//! assert_eq!((rows.rows_read(), rows.rows_kept()), (2, 1));
//!
//! let mut sink = Sink::create(Target::Writer(Box::new(std::io::sink())), SinkOptions::new(Format::Csv))?;
//! sink.append("iter.csv", rows)?;
//! assert_eq!(sink.finish()?.rows, 1);
//! # Ok(())
//! # }
//! ```

mod archive;
mod column_names;
mod columns;
mod encoding;
mod extract;
mod filter;
mod layout;
mod limits;
mod nulls;
mod pick;
mod query;
mod read;
mod records;
mod reshape;
mod rows;
mod select;
mod sink;
mod table;
mod text;
mod verify;

#[cfg(test)]
mod tests;

pub use encoding::Encoding;
pub use extract::{Extracted, extract};
pub use filter::Filter;
pub use limits::Limits;
pub use nulls::Nulls;
pub use pick::{ColumnsMode, Pick, Sample};
pub use query::{Query, check_glob};
pub use read::{Watch, confirm, read, read_ahead};
pub use rows::Rows;
pub use select::Select;
pub use sink::{Format, Sink, SinkOptions, Target, Written, partial_path};
pub use table::Table;
