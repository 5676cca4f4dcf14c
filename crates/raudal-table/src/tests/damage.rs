//! Archives of some size, cut and flipped in many places: never a wrong row, a panic or an endless
//! read. Damage in transit is reported as damage, so that the file is fetched again.

use std::io::{self, Cursor, Read, Seek, SeekFrom, Write};

use super::{Entry, deflated, refused, stored, text, zip};
use crate::{Query, Rows, read};
use raudal_common::{Kind, Result};

/// Number of places to cut or flip, besides the ends.
const PLACES: usize = 1000;
/// Bytes at the beginning and at the end that are cut at every offset.
const ENDS: usize = 4096;

/// A reader that fails after more reads than any good input needs, so that an endless read fails.
struct Patient<'a> {
    inner: Cursor<&'a [u8]>,
    left: usize,
}

impl Read for Patient<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.left = self.left.checked_sub(1).ok_or_else(|| io::Error::other("it reads for ever"))?;
        self.inner.read(buffer)
    }
}

impl Seek for Patient<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.left = self.left.checked_sub(1).ok_or_else(|| io::Error::other("it seeks for ever"))?;
        self.inner.seek(to)
    }
}

fn attempt(bytes: &[u8]) -> Result<Rows> {
    let mut query = Query::new();
    query.select = crate::Select::names(["NAME", "N"]);
    read(Patient { inner: Cursor::new(bytes), left: 100_000 }, "a.zip", &query, &())
}

/// A table of about 60 KB that does not compress to a few bytes.
fn table() -> Vec<u8> {
    let mut rng = fastrand::Rng::with_seed(7);
    let mut csv = b"N,NAME,X,Y,Z\r\n".to_vec();
    for row in 0..1200 {
        let _ = write!(csv, "{row:04},Zacatecas «{}»,{},{},\"a, b\"\r\n", row % 32, rng.u64(..), rng.u32(..));
    }
    csv
}

/// Archives packed in the usual ways, and their content.
fn archives() -> Vec<Vec<u8>> {
    let csv = table();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gzip.write_all(&csv).expect("memory does not fail");
    vec![
        zip(&[deflated("a.csv", &csv), stored("read me.txt", &csv[..5000])]),
        zip(&[Entry { flags: 8, ..stored("a.csv", &csv) }]),
        gzip.finish().expect("memory does not fail"),
    ]
}

/// Whether a retry may help, as in the pipeline: the bytes received are not those sent.
fn is_damage(kind: Kind) -> bool {
    matches!(kind, Kind::Checksum | Kind::Corrupt | Kind::NotAnArchive | Kind::Empty)
}

#[test]
fn an_archive_cut_at_any_place_is_refused_as_damaged() {
    let mut rng = fastrand::Rng::with_seed(11);
    for whole in archives() {
        attempt(&whole).expect("a good archive");
        let ends = (0..ENDS).chain(whole.len() - ENDS..whole.len());
        let places: Vec<usize> = ends.chain((0..PLACES).map(|_| rng.usize(..whole.len()))).collect();
        for cut in places {
            let error = attempt(&whole[..cut]).expect_err("it is cut");
            assert!(is_damage(error.kind()), "cut at {cut} of {}: {error:?}", whole.len());
        }
    }
}

#[test]
fn a_byte_flipped_at_any_place_gives_the_same_rows_or_is_refused_as_damaged() {
    let mut rng = fastrand::Rng::with_seed(13);
    for whole in archives() {
        let expected = text(attempt(&whole).expect("a good archive"));
        // Half of the places are in the structure: names, sizes, methods, the directory.
        let ends = (0..PLACES / 2).map(|at| if at % 2 == 0 { at / 2 } else { whole.len() - 1 - at / 2 });
        let places: Vec<usize> = ends.chain((0..PLACES).map(|_| rng.usize(..whole.len()))).collect();
        for at in places {
            let (mut bytes, flip) = (whole.clone(), rng.u8(1..));
            bytes[at] ^= flip;
            match attempt(&bytes) {
                Ok(rows) => assert!(text(rows) == expected, "byte {at} ^ {flip}: other rows"),
                Err(error) => assert!(is_damage(error.kind()), "byte {at} ^ {flip} of {}: {error:?}", whole.len()),
            }
        }
    }
}

/// Content with the checksum of other bytes: damage in transit that shows first as bad text.
fn damaged(content: &[u8], checked: &[u8]) -> Vec<u8> {
    zip(&[Entry { crc: crc32fast::hash(checked), ..deflated("a.csv", content) }])
}

#[test]
fn bad_text_is_blamed_only_if_the_bytes_are_those_that_were_packed() {
    let good = [&b"N,NAME\n"[..], &b"1,x\n".repeat(100_000)].concat();
    for (bad, kind) in [
        (&b"N,NAME\n1,x,y\n"[..], Kind::Csv),
        (b"N,NAME\n1,\"x\n", Kind::Csv),
        (b"N,NAME\n1,\xff\n", Kind::Encoding),
        (b"N,NAME\n1,\0\n", Kind::Csv),
        (b"", Kind::Empty),
        (b"N,NOME\n1,x\n", Kind::Column),
    ] {
        let long = if bad.is_empty() { Vec::new() } else { [bad, &good[7..]].concat() };
        for bad in [bad, &long] {
            let archive = damaged(bad, &good);
            // An empty member is read to its end before the reader knows that it is empty.
            assert_eq!(attempt(&archive).expect_err("bad text").kind(), Kind::Checksum, "{kind:?}");
            let archive = damaged(bad, bad);
            assert_eq!(attempt(&archive).expect_err("bad text").kind(), kind, "{kind:?}");
        }
    }
}

#[test]
fn a_method_is_not_supported_only_if_both_headers_say_so() {
    let csv = table();
    let good = zip(&[deflated("a.csv", &csv)]);
    let directory = good.windows(4).rposition(|four| four == b"PK\x01\x02").expect("a directory");
    // The flags and the method in the directory (APPNOTE 4.3.12).
    for (at, flip) in [(directory + 8, 1), (directory + 10, 2), (directory + 11, 1)] {
        let mut bytes = good.clone();
        bytes[at] ^= flip;
        let error = refused(&bytes, "a.zip");
        assert_eq!(error.kind(), Kind::Corrupt, "{error:?}");
        assert!(error.message().contains("disagree on encryption or compression"), "{error}");
        // Once the local header agrees, the method is really unsupported.
        bytes[at - directory - 2] ^= flip;
        assert_eq!(refused(&bytes, "a.zip").kind(), Kind::Unsupported);
    }
}
