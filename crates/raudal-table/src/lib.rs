//! Archive → CSV records → filter → one table.
//!
//! This crate takes any reader; it knows no socket and no runtime. Read the modules in this order:
//!
//! | module | what it does |
//! |---|---|
//! | [`query`](Query) | the options for each input: filter, columns, member, encoding, bounds |
//! | `plan` | filters the records of one text, and writes those that are kept |
//! | `read` | [`read()`]: reads one input and returns its verified [`Rows`] |
//! | `open` | finds the tables in an input: compressed, in archives, in workbooks, one in another |
//! | `signature` | tells the kind of an input by its first bytes |
//! | `unpack` | decompresses gzip, bzip2, xz, zstd and lz4, and the methods of zip |
//! | `archive` | a zip archive: its directory, checked, and its members |
//! | `tape` | a tar archive |
//! | `workbook` | a sheet of an Excel workbook as CSV |
//! | `members`, `names` | select members by their names, and decode those |
//! | `peek` | [`peek()`]: looks at an input: what is in it, and how it is written |
//! | `extract` | [`extract()`]: writes the members of an archive as files of a new folder |
//! | `verify` | checks the CRC, the length and the bounds of the bytes |
//! | [`dialect`](Dialect) | how a text is written: delimiter, quotes, header, what to drop |
//! | [`numbers`](Numbers), [`nulls`](Nulls) | how cells write numbers and nulls |
//! | `text` | decodes bytes into valid UTF-8 without a BOM |
//! | `choice` | which delimiter and encoding to read a text with |
//! | `survey`, `letters` | decide on an encoding, over the whole text |
//! | `lines` | cuts off the lines above the header and below the rows |
//! | `impostor` | refuses JSON, XML, HTML and messages in place of a table |
//! | `sniff` | guesses the delimiter and the line of the header |
//! | `scan` | finds the records of plain CSV with `memchr`; agrees with the `csv` crate |
//! | `rewrite` | finds the records of any other dialect, and writes them as plain CSV |
//! | `records` | the records of a text, each with as many fields as the header |
//! | `blocks` | reads plain rows in blocks, on all cores that are idle |
//! | `tally` | counts what was dropped, changed or guessed |
//! | `filter` | [`Filter`]: an expression over columns, parsed by `sqlparser`, evaluated here |
//! | `select` | [`Select`]: the columns to keep, their order and their names |
//! | `column_names`, `columns` | when two names are the same; columns in a header |
//! | `layout` | how headers that differ fit together |
//! | `rows` | [`Rows`]: the kept rows, in memory or in a temporary file |
//! | `portable` | rows that go to another process |
//! | `pick`, `table` | [`Table`]: aligns the columns of many inputs, and picks rows of all of them |
//! | `sink` | [`Sink`]: writes many inputs as one table, a [`Format`] a file |
//!
//! # Features
//!
//! Plain text, gzip and zip (stored, deflated) are always read. The other formats are features, all
//! off by default; `formats` is all readers, and the program `raudal` has it on. All but `zstd` are
//! pure Rust.
//! What each adds: crates to the 54 of the tree, seconds of a release build (of about 200, summed
//! over two cores), and seconds to read 54 MB of CSV on one core (plain takes 0.16, gzip 0.28):
//!
//! | feature | reads | with | crates | build | 54 MB |
//! |---|---|---|---|---|---|
//! | `bzip2` | `.bz2`, bzip2 in zips | `bzip2`, `libbz2-rs-sys` | 2 | 2 s | 1.8 s (`bzip2 -d`: 1.8) |
//! | `xz` | `.xz`; xz and lzma in zips | `lzma-rust2` | 1 | 4 s | 1.2 s (`xz -d`: 0.9) |
//! | `zstd` | `.zst`, zstd in zips | `zstd`, the C library | 3 | 15 s | 0.2 s (`zstd -d`: 0.12) |
//! | `lz4` | `.lz4` | `lz4_flex` | 2 | 1 s | 0.16 s (`lz4 -d`: 0.11) |
//! | `deflate64` | deflate64 in zips | `deflate64` | 1 | 1 s | |
//! | `tar` | `.tar`, in any of the packings | `tar` | 2 | 3 s | |
//! | `xlsx` | Excel workbooks | `calamine` | 12 | 16 s | |
//!
//! `zstd` takes a C compiler: it also writes `.zst`, and no crate in pure Rust compresses as well. One library
//! reads and writes.
//!
//! The formats that are written beside text and JSON are features as well, off by default. The program has all on but
//! `postgres`. Without one, its format is refused with the name of the feature, before anything is opened.
//!
//! | feature | writes |
//! |---|---|
//! | `arrow` | `.arrow` |
//! | `parquet` | `.parquet`; needs `arrow` |
//! | `sqlite` | `.sqlite`, with SQLite built in: a C compiler |
//! | `zstd` | `.csv.zst` and the like, with the C library of zstd |
//! | `postgres` | a table of PostgreSQL, with `COPY` |
//!
//! # Example
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
mod blocks;
mod choice;
mod column_names;
mod columns;
mod dialect;
mod encoding;
mod extract;
mod filter;
mod impostor;
mod input;
mod layout;
mod letters;
mod limits;
mod lines;
mod members;
mod names;
mod nulls;
mod numbers;
mod open;
mod peek;
mod pick;
mod plan;
mod portable;
mod query;
mod read;
mod records;
mod reshape;
mod rewrite;
mod rows;
mod scan;
mod select;
mod signature;
mod sink;
mod sniff;
mod survey;
mod table;
mod tally;
#[cfg(feature = "tar")]
mod tape;
mod text;
mod unpack;
mod verify;
mod watch;
#[cfg(feature = "xlsx")]
mod workbook;

#[cfg(test)]
mod tests;

pub use dialect::{Delimiter, Dialect, Header, Quote, Ragged, RepeatedHeader};
pub use encoding::{Encoding, Encodings};
pub use extract::{ExtractOptions, Extracted, extract};
pub use filter::Filter;
pub use limits::Limits;
pub use names::MemberEncoding;
pub use nulls::Nulls;
pub use numbers::Numbers;
pub use peek::{Peek, PeekColumn, PeekMember, PeekTable, peek};
pub use pick::{ColumnsMode, Pick, Sample};
pub use query::{Query, Served, check_glob};
pub use read::{confirm, read, read_ahead};
pub use rows::Rows;
pub use select::Select;
#[cfg(feature = "arrow")]
pub use sink::BatchSink;
pub use sink::{
    Compression, Existing, FileType, Format, Sink, SinkOptions, Target, Type, Types, Written, check_target,
    partial_path,
};
pub use table::Table;
pub use watch::Watch;
