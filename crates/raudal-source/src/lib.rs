//! What to fetch: URL patterns, lists, local paths, and the checksums to expect.
//!
//! Everything here produces [`Input`]s, and nothing opens a connection:
//!
//! - [`expand`] reads one SOURCE of the command line: a path, a glob, a URL with curl's patterns, or `-`;
//! - [`List`] and [`read_list`] read the lines of `-i FILE`;
//! - [`Object`] names what is in a cloud store;
//! - [`Links`] finds the links on an HTML page;
//! - [`Checksums`] reads what `sha256sum` writes.

mod checksums;
mod expansion;
mod files;
mod glob;
mod input;
mod lines;
mod links;
mod list;
mod location;
mod object;
mod pattern;
mod percent;

pub use checksums::Checksums;
pub use expansion::{Expansion, MAX_INPUTS, expand};
pub use input::{Input, Line};
pub use links::{FoundLinks, Links};
pub use list::{List, ListInputs, read_list};
pub use location::Location;
pub use object::{Object, Service};
