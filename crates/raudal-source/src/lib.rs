//! What to fetch: the catalogue of the ITER archives, URL patterns, lists, local paths.
//!
//! Everything here produces [`Input`]s, and nothing opens a connection:
//!
//! - [`expand`] reads one SOURCE of the command line, a path or a URL with curl's patterns;
//! - [`read_list`] reads the lines of `-i FILE`;
//! - [`Checksums`] reads what `sha256sum` writes;
//! - [`iter_inputs`] returns the archives of the catalogue, [`select_entities`] selects among them.

mod catalogue;
mod checksums;
mod expansion;
mod input;
mod iter;
mod lines;
mod list;
mod pattern;

pub use catalogue::{Catalogue, Edition, Entity};
pub use checksums::Checksums;
pub use expansion::{Expansion, MAX_INPUTS, expand};
pub use input::{Input, Location};
pub use iter::{iter_inputs, select_entities};
pub use list::read_list;
