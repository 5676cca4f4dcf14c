//! Brings the bytes of URLs and local files.

pub(crate) mod attempt;
pub(crate) mod balance;
pub(crate) mod hedge;
pub(crate) mod local;
pub(crate) mod part_reader;
pub(crate) mod rate;
pub(crate) mod respond;
pub(crate) mod segments;
pub(crate) mod silence;
pub(crate) mod transport;
