//! The type of every input.

use std::io::{Read, Seek};

/// Bytes that can be read from any place.
///
/// The readers of this crate take a `&mut dyn Input` in place of a type parameter. An archive in an
/// archive is read from another type than the archive around it, and each type would be one more
/// copy of every decoder in the program.
pub(super) trait Input: Read + Seek {}

impl<T: Read + Seek> Input for T {}
