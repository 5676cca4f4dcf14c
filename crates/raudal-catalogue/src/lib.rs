//! Catalogues of published files, as data.
//!
//! A [`Catalogue`] lists the files of one publisher: what each is called, where it is, and which member of it holds the
//! data. It is read from a text, so another catalogue is another file. The one that is built in is
//! [`iter_2020`]: the 32 ITER archives of the 2020 census of Mexico.
//!
//! # The file
//!
//! A CSV in UTF-8, with a line for each edition before it: `# edition NAME URL`. An edition is one publication of the
//! same rows, and its files are in the folder URL. The columns:
//!
//! | column | meaning |
//! |---|---|
//! | `code` | a number that picks the entry; entries are in its order |
//! | `name` | what the entry is called |
//! | `rows` | rows of its table |
//! | `NAME_file`, `NAME_member` | for each edition: the file, and the glob of the member with the data |
//! | any other | a [fact](Entry::fact): a whole number |
//!
//! ```
//! use raudal_catalogue::Catalogue;
//!
//! let catalogue = Catalogue::parse(
//!     "# edition open https://example.org/data/\n\
//!      code,name,rows,open_file,open_member\n\
//!      7,Lakes,120,lakes.zip,*.csv\n",
//! )?;
//! let open = catalogue.edition("open").unwrap();
//! let inputs = catalogue.inputs(&catalogue.select("lakes")?, open, None)?;
//! assert_eq!(inputs[0].location.to_string(), "https://example.org/data/lakes.zip");
//! # Ok::<(), raudal_common::Error>(())
//! ```

mod catalogue;
mod inputs;
pub mod iter_2020;
mod parse;
mod select;

pub use catalogue::{Catalogue, Edition, Entry};
