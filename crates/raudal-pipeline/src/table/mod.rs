//! Many inputs → one ordered table.

pub(crate) mod decoders;
pub(crate) mod job;
pub(crate) mod merge;
pub(crate) mod options;
pub(crate) mod reader;
mod reorder;
pub(crate) mod run;
mod shared;
pub(crate) mod streaming;
pub(crate) mod summary;
