//! What a build without some of the formats says of them.

use super::{Layer, Walk};
#[cfg(not(feature = "xlsx"))]
use crate::archive::Archive;
#[cfg(not(feature = "tar"))]
use crate::input::Input;
#[cfg(not(feature = "tar"))]
use crate::signature::Packing;
use raudal_common::{Error, Kind, Result};

#[cfg(not(feature = "xlsx"))]
#[allow(clippy::unused_self)] // as the methods that they stand for
impl Walk<'_> {
    pub(super) fn workbook(&mut self, _: Archive<'_>, _: &Layer) -> Result<()> {
        Err(not_built_in("Excel workbooks"))
    }
}

#[cfg(not(feature = "tar"))]
#[allow(clippy::unused_self)] // as the methods that they stand for
impl Walk<'_> {
    pub(super) fn tar(&mut self, _: &mut dyn Input, _: &Layer) -> Result<()> {
        Err(not_built_in("tar"))
    }

    pub(super) fn compressed_tar(&mut self, _: &mut dyn Input, _: Packing, _: u64, _: &Layer) -> Result<()> {
        Err(not_built_in("tar"))
    }
}

pub(crate) fn not_built_in(what: &str) -> Error {
    Error::new(Kind::Unsupported, format!("this program was built without {what}"))
        .hint("build it with the feature `formats`, or unpack the input first")
}
