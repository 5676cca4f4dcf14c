//! Where the bytes of a body are stored, and how they are read.

pub(crate) mod carried;
pub(crate) mod decode;
pub(crate) mod file_writer;
pub(crate) mod partial;
pub(crate) mod partial_file;
pub(crate) mod reader;
pub(crate) mod resume;
pub(crate) mod sidecar;
pub(crate) mod spool;
pub(crate) mod streaming;
