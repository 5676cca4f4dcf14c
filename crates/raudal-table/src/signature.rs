//! Tells the kind of an input by its first bytes, and what its name says that it is.

use raudal_common::{Error, Kind};

/// Bytes that are enough to tell the kind: the header of a tar archive is the longest.
pub(super) const HEAD: usize = 512;

/// How a stream of bytes is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Packing {
    Gzip,
    Bzip2,
    Xz,
    Zstd,
    Lz4,
}

impl Packing {
    /// What the format is called in messages.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Bzip2 => "bzip2",
            Self::Xz => "xz",
            Self::Zstd => "zstd",
            Self::Lz4 => "lz4",
        }
    }

    /// The bytes that every stream of the format begins with.
    pub(super) fn magic(self) -> &'static [u8] {
        match self {
            Self::Gzip => b"\x1f\x8b\x08",
            Self::Bzip2 => b"BZh",
            Self::Xz => b"\xfd7zXZ\0",
            Self::Zstd => b"\x28\xb5\x2f\xfd",
            Self::Lz4 => b"\x04\x22\x4d\x18",
        }
    }
}

/// What the first bytes of an input are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Signature {
    Zip,
    /// Bytes that are no text. A zip archive may stand behind them, as in a self-extracting one.
    Program,
    Packed(Packing),
    Tar,
    /// A format that is told by its bytes but not read.
    Foreign(&'static Foreign),
    Text,
}

/// A format that is not read.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Foreign {
    magic: &'static [u8],
    what: &'static str,
    hint: &'static str,
}

impl Foreign {
    pub(super) fn what(&self) -> &'static str {
        self.what
    }

    pub(super) fn error(&self) -> Error {
        Error::new(Kind::Unsupported, format!("{}, which is not read", self.what)).hint(self.hint)
    }
}

const fn foreign(magic: &'static [u8], what: &'static str, hint: &'static str) -> Foreign {
    Foreign { magic, what, hint }
}

const EXPORT: &str = "write the table as CSV first, as with DuckDB, pandas or R";
const PICTURE: &str = "ask the source for the table as CSV or .xlsx";

const FOREIGN: &[Foreign] = &[
    foreign(b"7z\xbc\xaf\x27\x1c", "a 7z archive", "unpack it first, as with `7z x`, or pack it as zip or tar.xz"),
    foreign(b"Rar!\x1a\x07", "a rar archive", "unpack it first, as with `unrar x` or `bsdtar -xf`, or pack it as zip"),
    OLE,
    foreign(b"LZIP", "an lzip file", "decompress it first, as with `lzip -d`"),
    // The properties that the programs write, and the low bytes of the size of the dictionary.
    foreign(b"\x5d\0\0", "an lzma file in the legacy format", "decompress it first, as with `xz -d`"),
    foreign(b"\x1f\x9d", "a .Z file of compress", "decompress it first, as with `gzip -d`"),
    foreign(
        b"\x02\x21\x4c\x18",
        "an lz4 file in the legacy format",
        "it has no checksum and no end: decompress it first, as with `lz4 -d`",
    ),
    foreign(b"\x89LZO\0", "an lzop file", "decompress it first, as with `lzop -d`"),
    foreign(b"\xff\x06\0\0sNaPpY", "a snappy file", "decompress it first, as with `snzip -d`"),
    foreign(b"!<arch>\n", "an ar archive (.a, .deb)", "unpack it first, as with `ar x`"),
    foreign(b"MSCF", "a cabinet (.cab)", "unpack it first, as with `cabextract`"),
    foreign(b"%PDF-", "a PDF", PICTURE),
    foreign(b"\x89PNG\r\n", "a picture (PNG)", PICTURE),
    foreign(b"\xff\xd8\xff", "a picture (JPEG)", PICTURE),
    foreign(b"GIF87a", "a picture (GIF)", PICTURE),
    foreign(b"GIF89a", "a picture (GIF)", PICTURE),
    foreign(b"PAR1", "a Parquet file", EXPORT),
    foreign(b"ARROW1\0\0", "an Arrow file (Feather)", EXPORT),
    foreign(b"\xff\xff\xff\xff", "an Arrow stream", EXPORT),
    foreign(b"\x93NUMPY", "an array of NumPy (.npy)", EXPORT),
    foreign(b"\x80\x04\x95", "a pickle of Python", EXPORT),
    foreign(b"\x80\x05\x95", "a pickle of Python", EXPORT),
    foreign(b"\0\0\x27\x0a", "a shapefile (.shp)", "its table is the .dbf beside it: write that as CSV first"),
    foreign(b"FEA1", "an Arrow file (Feather)", EXPORT),
    foreign(b"Obj\x01", "an Avro file", EXPORT),
    foreign(b"\x89HDF\r\n", "an HDF5 file", EXPORT),
    foreign(b"$FL2@(#)", "a file of SPSS (.sav)", EXPORT),
    foreign(b"$FL3@(#)", "a file of SPSS (.zsav)", EXPORT),
    foreign(b"<stata_dta>", "a file of Stata (.dta)", EXPORT),
    foreign(b"\0\0\0\0\0\0\0\0\0\0\0\0\xc2\xea\x81\x60", "a file of SAS (.sas7bdat)", EXPORT),
    foreign(b"RDX2\n", "a file of R (.RData)", EXPORT),
    foreign(b"RDX3\n", "a file of R (.RData)", EXPORT),
    foreign(b"X\n\0\0\0", "a file of R (.rds)", EXPORT),
    foreign(b"\0\x01\0\0Standard ", "a database of Access", EXPORT),
    foreign(b"SQLite format 3\0", "a SQLite database", "write the table as CSV first, as with `sqlite3 -csv -header`"),
    foreign(
        b"version https://git-lfs.github.com/spec/",
        "a pointer of Git LFS in place of the file",
        "fetch the file itself: `git lfs pull`, or on GitHub the link that Download gives",
    ),
];

/// A table of dBase.
const DBASE: Foreign = foreign(b"", "a table of dBase (.dbf)", EXPORT);

/// Whether these bytes begin a table of dBase: its version, a date, and a header of some length.
fn is_dbase(head: &[u8]) -> bool {
    matches!(head, [0x03 | 0x83 | 0x8b | 0xf5, _, 1..=12, 1..=31, _, _, _, _, low, high, ..] if [*low, *high] != [0, 0])
}

/// What Excel wrote up to 2003. An encrypted workbook of later versions has the same container.
const OLE: Foreign = Foreign {
    magic: b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
    what: "an Excel 97-2003 workbook (.xls), or a workbook with a password",
    hint: "save it as .xlsx without a password, or as CSV, as with `libreoffice --headless --convert-to csv`",
};

/// Other spreadsheets that are zip archives, by the name of a member.
pub(super) const SPREADSHEETS: &[(&[u8], Foreign)] = &[
    (
        b"xl/workbook.bin",
        Foreign { magic: b"", what: "an Excel binary workbook (.xlsb)", hint: "save it as .xlsx or CSV" },
    ),
    (
        b"content.xml",
        Foreign { magic: b"", what: "an OpenDocument file (.ods, .odt)", hint: "save it as .xlsx or CSV" },
    ),
];

/// Tells the kind of an input by its first [`HEAD`] bytes.
pub(super) fn of(head: &[u8]) -> Signature {
    match head {
        [b'P', b'K'] | [b'P', b'K', 3 | 5 | 6, ..] => return Signature::Zip,
        // A zip archive made to be split over disks that turned out to fit one (APPNOTE 8.5.4).
        [b'P', b'K', 7, 8, b'P', b'K', 3, 4, ..] | [b'P', b'K', b'0', b'0', b'P', b'K', 3, 4, ..] => {
            return Signature::Program;
        }
        [0x1f, 0x8b, ..] => return Signature::Packed(Packing::Gzip),
        // The level, then a block or the end of the stream.
        [b'B', b'Z', b'h', b'1'..=b'9', 0x31, 0x41, 0x59, ..]
        | [b'B', b'Z', b'h', b'1'..=b'9', 0x17, 0x72, 0x45, ..] => {
            return Signature::Packed(Packing::Bzip2);
        }
        // Both zstd and lz4 may begin with a frame to skip. zstd's tools write it, those of lz4 do not.
        [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => return Signature::Packed(Packing::Zstd),
        _ => {}
    }
    for packing in [Packing::Xz, Packing::Zstd, Packing::Lz4] {
        if head.starts_with(packing.magic()) {
            return Signature::Packed(packing);
        }
    }
    if let Some(foreign) = FOREIGN.iter().find(|foreign| head.starts_with(foreign.magic)) {
        return Signature::Foreign(foreign);
    }
    if is_dbase(head) {
        return Signature::Foreign(&DBASE);
    }
    if is_tar(head) {
        return Signature::Tar;
    }
    let is_program = head.starts_with(b"MZ") || head.starts_with(b"\x7fELF") || head.starts_with(b"#!");
    if is_program { Signature::Program } else { Signature::Text }
}

/// Whether these bytes begin a tar archive: they have the mark of POSIX, or a checksum that is right
/// (older archives have no mark).
fn is_tar(head: &[u8]) -> bool {
    if head.get(257..262) == Some(b"ustar") {
        return true;
    }
    let Some(header) = head.first_chunk::<512>() else { return false };
    let digits = header[148..156].iter().filter(|byte| (b'0'..=b'7').contains(byte));
    let stated = digits.fold(0, |sum, digit| sum * 8 + u32::from(digit - b'0'));
    stated == checksum(header) && header[0] != 0
}

/// The sum of the bytes of a tar header, those of the sum itself taken for blanks.
pub(super) fn checksum(header: &[u8; 512]) -> u32 {
    let bytes = header.iter().enumerate();
    bytes.map(|(at, &byte)| if (148..156).contains(&at) { u32::from(b' ') } else { u32::from(byte) }).sum()
}

/// Endings of names, what they say that a file is, and the ending of what is in it.
const ENDINGS: &[(&str, &str, Option<&str>)] = &[
    (".zip", "a zip archive", None),
    (".xlsx", "an Excel workbook", None),
    (".tar", "a tar archive", None),
    (".tgz", "a gzip file", Some(".tar")),
    (".tbz2", "a bzip2 file", Some(".tar")),
    (".txz", "an xz file", Some(".tar")),
    (".tzst", "a zstd file", Some(".tar")),
    (".gz", "a gzip file", Some("")),
    (".gzip", "a gzip file", Some("")),
    (".bz2", "a bzip2 file", Some("")),
    (".xz", "an xz file", Some("")),
    (".zst", "a zstd file", Some("")),
    (".lz4", "an lz4 file", Some("")),
];

/// What the name says that a file is, if it is anything but text.
pub(super) fn promised(name: &str) -> Option<&'static str> {
    ENDINGS.iter().find(|(ending, ..)| name.ends_with(ending)).map(|(_, what, _)| *what)
}

/// What the kind is called where it contradicts a name.
pub(super) fn described(signature: Signature) -> &'static str {
    match signature {
        Signature::Zip | Signature::Program => "a zip archive",
        Signature::Packed(Packing::Gzip) => "a gzip file",
        Signature::Packed(Packing::Bzip2) => "a bzip2 file",
        Signature::Packed(Packing::Xz) => "an xz file",
        Signature::Packed(Packing::Zstd) => "a zstd file",
        Signature::Packed(Packing::Lz4) => "an lz4 file",
        Signature::Tar => "a tar archive",
        Signature::Foreign(foreign) => foreign.what,
        Signature::Text => "plain text",
    }
}

/// The name of what is in a compressed file: `a.tsv` of `a.tsv.gz`.
pub(super) fn unpacked_name(name: &str) -> String {
    let inner =
        ENDINGS.iter().find_map(|(ending, _, inner)| Some(format!("{}{}", name.strip_suffix(ending)?, (*inner)?)));
    inner.unwrap_or_else(|| name.to_owned())
}

/// The last segment of a URL or a path, in lower case.
pub(super) fn file_name(name: &str) -> String {
    let path = if name.contains("://") { name.split(['?', '#']).next().unwrap_or(name) } else { name };
    path.rsplit(['/', '\\']).next().unwrap_or(path).to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_told_by_bytes_that_no_table_begins_with() {
        for text in ["PKEY,a\n", "BZhang,1\n", "Rar,7z\n", "id,name\n", "LZ\n", "7z,1\n", "", "P"] {
            assert_eq!(of(text.as_bytes()), Signature::Text, "{text}");
        }
        let mut long = b"id,name\n".to_vec();
        long.resize(600, b' ');
        assert_eq!(of(&long), Signature::Text);
    }

    #[test]
    fn a_format_that_is_not_read_is_named() {
        for (head, what) in [
            (&b"\x03\x7c\x05\x1f\x0a\0\0\0\x61\0\x20\0"[..], "a table of dBase (.dbf)"),
            (b"\x89PNG\r\n\x1a\n", "a picture (PNG)"),
            (b"ARROW1\0\0\xff", "an Arrow file (Feather)"),
            (b"$FL2@(#) SPSS DATA FILE", "a file of SPSS (.sav)"),
            (b"\x5d\0\0\x80\0", "an lzma file in the legacy format"),
            (
                b"version https://git-lfs.github.com/spec/v1\noid sha256:abc\nsize 12\n",
                "a pointer of Git LFS in place of the file",
            ),
        ] {
            let Signature::Foreign(foreign) = of(head) else { panic!("{what}") };
            assert_eq!(foreign.error().message(), format!("{what}, which is not read"));
        }
        for text in ["version,size\n1,2\n", "$FL,2\n", "Obj,1\n", "\u{3}a,b\n", "GIF,89a\n", "RDX2,a\n", "X\n1\n"] {
            assert_eq!(of(text.as_bytes()), Signature::Text, "{text}");
        }
    }

    #[test]
    fn the_name_of_what_is_in_a_file_has_one_ending_less() {
        for (name, inner) in
            [("a.tsv.gz", "a.tsv"), ("a.tgz", "a.tar"), ("a.csv", "a.csv"), ("a.zip", "a.zip"), ("a.gz.xz", "a.gz")]
        {
            assert_eq!(unpacked_name(name), inner);
        }
    }
}
