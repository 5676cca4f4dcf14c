//! The tables in a tar archive.

use std::io::Read;

use super::{Arrived, Layer, Walk, cannot_read, not_yet};
use crate::input::Input;
use crate::limits::Limits;
use crate::members::choose;
use crate::signature::Packing;
use crate::tally::{counted, trailing};
use crate::tape::{Entry, Flowing, Seeking, Tape, What, list};
use crate::unpack::{Notes, Unpacked};
use crate::verify::{Below, Promise, Verify, broken};
use raudal_common::{Error, Result};

impl Walk<'_> {
    pub(super) fn tar(&mut self, input: &mut dyn Input, layer: &Layer) -> Result<()> {
        self.must_be_whole(layer)?;
        let mut tape = Seeking::new(input)?;
        let entries = self.list(&mut tape)?;
        self.entries(&mut tape, &entries, layer, layer.packed)
    }

    /// Reads a compressed archive twice: for its names, and for the members that are meant.
    pub(super) fn compressed_tar(
        &mut self,
        input: &mut dyn Input,
        packing: Packing,
        packed: u64,
        layer: &Layer,
    ) -> Result<()> {
        self.must_be_whole(layer)?;
        let mut listing = Flowing::new(tar_bytes(input, packing, packed, &self.query.limits, &self.notes)?);
        let entries = self.list(&mut listing)?;
        drop(listing);
        // It has been warned of what trails it.
        let notes = Notes::default();
        let mut tape = Flowing::new(tar_bytes(input, packing, packed, &self.query.limits, &notes)?);
        self.entries(&mut tape, &entries, layer, packed)
    }

    fn must_be_whole(&self, layer: &Layer) -> Result<()> {
        if self.arrived == Arrived::InPart && !layer.is_member { Err(not_yet()) } else { Ok(()) }
    }

    fn list(&mut self, tape: &mut dyn Tape) -> Result<Vec<Entry>> {
        let listing = list(tape, &self.query.limits, self.query.member_encoding)?;
        if listing.trailing > 0 {
            self.visitor.warn(trailing(listing.trailing, "tar archive"));
        }
        if listing.replaced > 0 {
            let (were, it) = if listing.replaced == 1 { ("was", "it") } else { ("were", "them") };
            self.visitor.warn(format!(
                "{} of the tar archive {were} left out, because a later one of the same name replaces {it}",
                counted(listing.replaced, "member")
            ));
        }
        let links = listing.entries.iter().filter(|entry| entry.what == What::Link);
        self.links(&links.map(|entry| entry.name.text.clone()).collect::<Vec<_>>(), "tar");
        self.count(listing.entries.len() as u64)?;
        Ok(listing.entries)
    }

    fn entries(&mut self, tape: &mut dyn Tape, entries: &[Entry], layer: &Layer, packed: u64) -> Result<()> {
        let members: Vec<_> = entries.iter().map(Entry::member).collect();
        let chosen = choose(&members, layer.glob.as_deref())?;
        for at in chosen.places {
            let (Some(entry), Some(member)) = (entries.get(at), members.get(at)) else { continue };
            let mut inner = layer.deeper(&entry.name.text, chosen.within.clone())?;
            let path = inner.member.clone().unwrap_or_default();
            let with_name = |error: Error| error.member(path.clone());
            self.climbs(member, &path);
            tape.forward(entry.at).map_err(|error| with_name(broken(error)))?;
            // The archive has no compressed size of a member: all of it stands for each.
            inner.packed = if packed == 0 { entry.size } else { packed };
            let promise = Promise { size: entry.size, crc: None };
            let reader = Box::new(Read::take(&mut *tape, entry.size)) as Box<dyn Read>;
            let bytes = Verify::new(reader, Some(promise), inner.packed, &self.query.limits);
            self.stream(bytes, &inner).map_err(with_name)?;
        }
        Ok(())
    }
}

/// The decompressed bytes of a tar archive, from the first. The bound on a member does not hold for
/// the archive as a whole.
pub(crate) fn tar_bytes<'a>(
    input: &'a mut dyn Input,
    packing: Packing,
    packed: u64,
    limits: &Limits,
    notes: &Notes,
) -> Result<Below<Unpacked<'a>>> {
    input.rewind().map_err(cannot_read)?;
    let limits = Limits { member_bytes: u64::MAX, ..limits.clone() };
    Ok(Below(Verify::new(Unpacked::new(packing, Box::new(input), notes), None, packed, &limits)))
}
