//! Compressed files of every format: read as the tools wrote them, joined, padded, cut, flipped,
//! and as bombs.

use std::io::{Cursor, Write};

use super::containers::with_glob;
use super::{Entry, Hostile, deflated, read_all, read_query, refused, stored, text, zip};
use crate::signature::Packing;
use crate::{Query, read, read_ahead};
use raudal_common::Kind;

const CSV: &[u8] = b"id,name\n1,a\n2,b\n";
const ROWS: &str = "1,a\n2,b\n";

/// Every format with the ending of its names.
pub(super) const PACKINGS: [(Packing, &str); 5] = [
    (Packing::Gzip, "gz"),
    (Packing::Bzip2, "bz2"),
    (Packing::Xz, "xz"),
    (Packing::Zstd, "zst"),
    (Packing::Lz4, "lz4"),
];

pub(super) fn pack(packing: Packing, bytes: &[u8]) -> Vec<u8> {
    match packing {
        Packing::Gzip => {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
            encoder.write_all(bytes).unwrap();
            encoder.finish().unwrap()
        }
        Packing::Bzip2 => {
            let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::best());
            encoder.write_all(bytes).unwrap();
            encoder.finish().unwrap()
        }
        Packing::Xz => {
            let options = lzma_rust2::XzOptions::with_preset(6);
            let mut encoder = lzma_rust2::XzWriter::new(Vec::new(), options).unwrap();
            encoder.write_all(bytes).unwrap();
            encoder.finish().unwrap()
        }
        Packing::Zstd => {
            let mut encoder = zstd::Encoder::new(Vec::new(), zstd::DEFAULT_COMPRESSION_LEVEL).unwrap();
            encoder.include_checksum(true).unwrap();
            encoder.write_all(bytes).unwrap();
            encoder.finish().unwrap()
        }
        Packing::Lz4 => {
            let mut info = lz4_flex::frame::FrameInfo::new();
            info.content_checksum = true;
            let mut encoder = lz4_flex::frame::FrameEncoder::with_frame_info(info, Vec::new());
            encoder.write_all(bytes).unwrap();
            encoder.finish().unwrap()
        }
    }
}

fn hex(text: &str) -> Vec<u8> {
    (0..text.len() / 2).map(|at| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).unwrap()).collect()
}

/// A table of one long field, as the formats' own tools packed it.
const BY_TOOLS: [(&str, &str); 4] = [
    (
        "bz2",
        "425a6839314159265359640a60630000065988801000043000362300400000800820003100000650d3691ea68bca694875d70e2c918b0003f177245385090640a60630",
    ),
    ("zst", "28b52ffd64c70abd00008069642c6e616d650a312c780a322c620a0100b4f381177884d80d"),
    (
        "xz",
        "fd377a585a000004e6d6b4460200210116000000742fe5a3e00bc600265d00349901858192eab7df98a59bec0ab6de1ab27f4eb68f1b1b006fb694dc76ed61d6f72ca40a000000002faa973e9aa04ac6000142c71700000057243e17b1c467fb020000000004595a",
    ),
    (
        "lz4",
        "04224d186c40c70b0000000000005620000000bf69642c6e616d650a312c780100ffffffffffffffffffffffaf500a322c620a00000000878744cd",
    ),
];

/// The same table in a zip, by method, as 7-Zip packed it.
const BY_7ZIP: [(&str, &str); 3] = [
    (
        "deflate64",
        "504b0304150000000900b84e7b5d417c395f2c000000c70b000005000000612e637376e5c1b11100101000b0fe67f9868d380a05b5f1cde192ac91a7ed19252f8fc7e3f1783c1e8fc7fb49d4ecf100504b01023f03150000000900b84e7b5d417c395f2c000000c70b0000050024000000000000002080a48100000000612e6373760a00200000000000010018004db3e631557edd0100000000000000000000000000000000504b05060000000001000100570000004f0000000000",
    ),
    (
        "lzma",
        "504b03043f0002000e00b84e7b5d417c395f35000000c70b000005000000612e637376190105005d0010000000349901858192eab7df98a59bec0ab6de1ab27f4eb68f1b1b006fb694dc76ed61d6f79242250dffd2de0000504b01023f033f0002000e00b84e7b5d417c395f35000000c70b0000050024000000000000002080a48100000000612e6373760a00200000000000010018004db3e631557edd0100000000000000000000000000000000504b0506000000000100010057000000580000000000",
    ),
    (
        "bzip2",
        "504b03042e0000000c00b84e7b5d417c395f43000000c70b000005000000612e637376425a6839314159265359640a606300000659a08010000430003623004008000000a0003100000650d3691ea68bca694875d70e2c918b0003f177245385090640a60630504b01023f032e0000000c00b84e7b5d417c395f43000000c70b0000050024000000000000002080a48100000000612e6373760a00200000000000010018004db3e631557edd0100000000000000000000000000000000504b0506000000000100010057000000660000000000",
    ),
];

fn long_rows() -> String {
    format!("1,{}\n2,b\n", "x".repeat(3000))
}

#[test]
fn what_the_formats_own_tools_packed_is_read() {
    for (ending, packed) in BY_TOOLS {
        let rows = read_all(&hex(packed), &format!("a.csv.{ending}")).unwrap();
        assert!(rows.warnings().is_empty(), "{ending}: {:?}", rows.warnings());
        assert_eq!(text(rows), long_rows(), "{ending}");
    }
    for (method, packed) in BY_7ZIP {
        assert_eq!(text(read_all(&hex(packed), "a.zip").unwrap()), long_rows(), "{method}");
    }
}

#[test]
fn every_format_is_told_by_its_bytes_and_read_in_pieces_of_any_size() {
    for (packing, ending) in PACKINGS {
        let bytes = pack(packing, CSV);
        for name in ["x".to_owned(), format!("a.csv.{ending}"), format!("https://h/A.CSV.{ending}?x=1")] {
            let rows = read_all(&bytes, &name).unwrap();
            assert!(rows.warnings().is_empty(), "{name}: {:?}", rows.warnings());
            assert_eq!((rows.rows_read(), rows.bytes()), (2, CSV.len() as u64), "{name}");
            assert_eq!(text(rows), ROWS, "{name}");
        }
        for most in [1, 3, 100] {
            assert_eq!(text(read(Hostile::new(&bytes, most), "x", &Query::new(), &()).unwrap()), ROWS, "{ending}");
            let ahead = read_ahead(Hostile::new(&bytes, most), "x", &Query::new(), &()).unwrap();
            assert_eq!(text(ahead), ROWS, "{ending}");
        }
        let tabs = pack(packing, b"a\tb\n1\t2\n");
        assert_eq!(text(read_all(&tabs, &format!("a.tsv.{ending}")).unwrap()), "1,2\n");
    }
}

#[test]
fn joined_streams_are_one_file_and_what_trails_is_counted() {
    for (packing, ending) in PACKINGS {
        let mut bytes = [pack(packing, b"id,name\n1,a\n"), pack(packing, b"2,b\n")].concat();
        assert_eq!(text(read_all(&bytes, "x").unwrap()), ROWS, "{ending}");
        bytes.extend_from_slice(&[0; 512]);
        let rows = read_all(&bytes, "x").unwrap();
        assert!(rows.warnings().is_empty(), "{ending}: {:?}", rows.warnings());
        assert_eq!(text(rows), ROWS, "{ending}");
        bytes.extend_from_slice(b"-- mailed by x --");
        let rows = read_all(&bytes, "x").unwrap();
        let name = packing.name();
        let warning = format!("17 bytes after the end of the {name} data are something else; they were left out");
        assert_eq!(rows.warnings(), [warning], "{ending}");
        assert_eq!(text(rows), ROWS, "{ending}");
    }
    // Frames that hold no data.
    let skipped =
        [&b"\x50\x2a\x4d\x18\x03\0\0\0abc"[..], &pack(Packing::Zstd, CSV), b"\x5f\x2a\x4d\x18\0\0\0\0"].concat();
    assert_eq!(text(read_all(&skipped, "x").unwrap()), ROWS);
}

#[test]
fn a_file_cut_anywhere_is_refused_as_damaged() {
    let long: Vec<u8> = (0..3000).fold(b"id,name\n".to_vec(), |mut csv, row| {
        let _ = writeln!(csv, "{row},n{}", row * 7919 % 10007);
        csv
    });
    for (packing, ending) in PACKINGS {
        for whole in [pack(packing, CSV), pack(packing, &long)] {
            let step = (whole.len() / 400).max(1);
            for cut in (12..whole.len()).step_by(step).chain(whole.len().saturating_sub(16)..whole.len()) {
                let error = refused(&whole[..cut], "x");
                assert_eq!(error.kind(), Kind::Corrupt, "{ending} cut at {cut} of {}: {error:?}", whole.len());
            }
            // Too short to tell what it is, if not by its name.
            for cut in 1..12 {
                let error = refused(&whole[..cut], &format!("a.csv.{ending}"));
                assert!(error.kind().may_be_damage_on_the_way(), "{ending} cut at {cut}: {error:?}");
            }
        }
    }
}

#[test]
fn a_flipped_byte_never_gives_wrong_rows() {
    for (packing, ending) in PACKINGS {
        let whole = pack(packing, CSV);
        for at in 0..whole.len() {
            for flip in [1, 2, 4, 8, 16, 32, 64, 128, 255] {
                let mut bytes = whole.clone();
                bytes[at] ^= flip;
                match read_all(&bytes, &format!("a.csv.{ending}")) {
                    Ok(rows) => assert_eq!(text(rows), ROWS, "{ending}: byte {at} ^ {flip}"),
                    Err(error) => assert!(
                        !matches!(error.kind(), Kind::Internal | Kind::Io | Kind::Csv),
                        "{ending}: byte {at} ^ {flip}: {error:?}"
                    ),
                }
            }
        }
    }
}

#[test]
fn an_error_of_the_reader_is_not_damage() {
    for (packing, ending) in PACKINGS {
        let bytes = pack(packing, CSV);
        for fails in 0..bytes.len() as u64 {
            let mut reader = Hostile::new(&bytes, 4);
            reader.fails = Some(fails);
            if let Err(error) = read(reader, "x", &Query::new(), &()) {
                assert_eq!(error.kind(), Kind::Io, "{ending}: {error:?}");
                assert!(error.report().contains("on fire"), "{ending}: {error:?}");
            }
        }
    }
}

#[test]
fn a_bomb_is_stopped_by_its_ratio_in_every_format() {
    let bomb = [&b"a\n"[..], &b"0\n".repeat(2 << 20)].concat();
    for (packing, ending) in PACKINGS {
        let bytes = pack(packing, &bomb);
        if bomb.len() / bytes.len() <= 200 {
            // lz4 packs at most 255 times, and the encoder of the tests for zstd less than it could.
            assert!(matches!(packing, Packing::Lz4 | Packing::Zstd), "{ending}");
            let mut query = Query::new();
            query.limits.ratio = 2;
            assert_eq!(read_query(&bytes, "x", &query).unwrap_err().kind(), Kind::Bounds, "{ending}");
            continue;
        }
        let error = refused(&bytes, "x");
        assert_eq!(error.kind(), Kind::Bounds, "{ending}: {error:?}");
        assert!(error.hint_text().unwrap().contains("[`max_ratio`]"), "{error:?}");
        // Packed twice it is smaller, not less of a bomb.
        assert_eq!(refused(&pack(Packing::Gzip, &bytes), "x").kind(), Kind::Bounds, "{ending}");
        let mut query = Query::new();
        (query.limits.ratio, query.limits.member_bytes) = (1 << 20, 1 << 20);
        let error = read_query(&bytes, "x", &query).unwrap_err();
        assert!(error.hint_text().unwrap().contains("[`max_member_size`]"), "{ending}: {error:?}");
    }
}

#[test]
fn a_window_beyond_the_bound_takes_no_memory() {
    // The dictionary of the block, 4 GiB (xz 5.3.1), with the checksum of its header made right.
    let mut bytes = pack(Packing::Xz, CSV);
    let at = 12 + bytes[12..].iter().position(|&byte| byte == 0x21).unwrap() + 2;
    bytes[at] = 40;
    let length = 4 * (usize::from(bytes[12]) + 1);
    let crc = crc32fast::hash(&bytes[12..12 + length - 4]).to_le_bytes();
    bytes[12 + length - 4..12 + length].copy_from_slice(&crc);
    let error = refused(&bytes, "x");
    assert_eq!(error.kind(), Kind::Bounds, "{error:?}");
    assert!(error.message().contains("a window of more than 128 MiB"), "{error}");
    // A zstd frame with a window of 3.75 TiB (RFC 8878, 3.1.1.1.2).
    let error = refused(b"\x28\xb5\x2f\xfd\x00\xff\x01\x00\x00", "x");
    assert_eq!(error.kind(), Kind::Bounds, "{error:?}");
}

#[test]
fn every_method_of_zip_is_read_and_a_damaged_one_is_refused() {
    let deflate64 = Entry { method: 9, ..deflated("a.csv", CSV) };
    let lzma = {
        let mut packed = vec![9, 20, 5, 0];
        let options = lzma_rust2::LzmaOptions::with_preset(6);
        packed.push(options.get_props());
        packed.extend_from_slice(&options.dict_size.to_le_bytes());
        let mut writer = lzma_rust2::LzmaWriter::new_no_header(packed, &options, true).unwrap();
        writer.write_all(CSV).unwrap();
        Entry { method: 14, flags: 2, data: writer.finish().unwrap(), ..stored("a.csv", CSV) }
    };
    let of = |method, packing| Entry { method, data: pack(packing, CSV), ..stored("a.csv", CSV) };
    let entries =
        [deflate64, of(12, Packing::Bzip2), lzma, of(93, Packing::Zstd), of(20, Packing::Zstd), of(95, Packing::Xz)];
    for entry in entries {
        let method = entry.method;
        let archive = zip(&[stored("read me.txt", b"x"), entry.clone()]);
        assert_eq!(text(read_all(&archive, "a.zip").unwrap()), ROWS, "method {method}");
        assert_eq!(text(read_ahead(Cursor::new(&archive), "a.zip", &Query::new(), &()).unwrap()), ROWS);
        let start = archive.windows(4).position(|four| four == &entry.data[..4]).unwrap();
        for at in start..start + entry.data.len() {
            let mut bytes = archive.clone();
            bytes[at] ^= 0x11;
            match read_all(&bytes, "a.zip") {
                Ok(rows) => assert_eq!(text(rows), ROWS, "method {method}, byte {at}"),
                Err(error) => assert!(
                    !matches!(error.kind(), Kind::Internal | Kind::Io | Kind::Csv | Kind::Encoding),
                    "method {method}, byte {at}: {error:?}"
                ),
            }
        }
        for cut in 0..entry.data.len() {
            let short = Entry { data: entry.data[..cut].to_vec(), ..entry.clone() };
            match read_all(&zip(&[short]), "a.zip") {
                // The last bytes may be an end mark, after all of the content.
                Ok(rows) => assert!(cut + 8 > entry.data.len() && text(rows) == ROWS, "method {method}, cut at {cut}"),
                Err(error) => assert!(error.kind().is_damage(), "method {method}, cut at {cut}: {error:?}"),
            }
        }
    }
}

#[test]
fn a_compressed_file_in_a_zip_is_read_through() {
    for (packing, ending) in PACKINGS {
        let name = format!("data/zz.csv.{ending}");
        let archive = zip(&[deflated(&name, &pack(packing, CSV)), stored("leeme.txt", b"x")]);
        let rows = read_all(&archive, "a.zip").unwrap();
        assert_eq!(rows.members(), [name.as_str()]);
        assert_eq!(text(rows), ROWS, "{ending}");
        assert_eq!(text(read_ahead(Cursor::new(&archive), "a.zip", &Query::new(), &()).unwrap()), ROWS);
        // Damage of the member shows in the checksum of the zip, whatever the decoder says of it.
        let packed = pack(packing, CSV);
        let damaged = zip(&[Entry { crc: 1, ..stored(&name, &packed) }]);
        assert_eq!(refused(&damaged, "a.zip").kind(), Kind::Checksum, "{ending}");
    }
    let tabs = zip(&[stored("a.tsv.gz", &pack(Packing::Gzip, b"a\tb\n1\t2\n"))]);
    assert_eq!(text(read_query(&tabs, "a.zip", &with_glob("*.gz")).unwrap()), "1,2\n");
}

#[test]
fn a_table_under_the_name_of_an_archive_is_read_with_a_warning_and_a_page_is_not() {
    for name in ["dec.csv.gz", "csv_as.zip", "a.tar", "a.tgz", "a.xlsx", "a.csv.zst"] {
        let rows = read_all(CSV, name).unwrap();
        assert_eq!(rows.warnings().len(), 1, "{name}");
        assert!(rows.warnings()[0].contains("plain text; the bytes decide"), "{:?}", rows.warnings());
        assert_eq!(text(rows), ROWS);
        assert_eq!(refused(b"<!DOCTYPE html>\n<html>,", name).kind(), Kind::Impostor);
        assert_eq!(refused(b"{\"a\": 1,\n\"b\": 2}\n", name).kind(), Kind::Impostor);
        assert_eq!(refused(b"Not found, sorry\n", name).kind(), Kind::NotAnArchive);
    }
    assert_eq!(text(read_all(b"a\tb\n1\t2\n", "dec.tsv.gz").unwrap()), "1,2\n");
    let rows = read_all(&pack(Packing::Xz, CSV), "a.zip").unwrap();
    assert_eq!(rows.warnings(), ["its name says that it is a zip archive, but it is an xz file; the bytes decide"]);
    let rows = read_all(&pack(Packing::Gzip, CSV), "a.csv").unwrap();
    assert_eq!(rows.warnings(), ["its name says that it is plain text, but it is a gzip file; the bytes decide"]);
}

#[test]
fn formats_that_are_not_read_are_refused_by_name_with_what_to_do() {
    for (bytes, what, does) in [
        (&b"7z\xbc\xaf\x27\x1c\0\x04\0\0"[..], "a 7z archive", "7z x"),
        (b"Rar!\x1a\x07\x01\0\0\0", "a rar archive", "unrar x"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\0\0", "an Excel 97-2003 workbook (.xls)", ".xlsx"),
        (b"LZIP\x01\x0c", "an lzip file", "lzip -d"),
        (b"\x02\x21\x4c\x18\0\0", "an lz4 file in the legacy format", "lz4 -d"),
        (b"\x1f\x9d\x90\0", "a .Z file", "gzip -d"),
        (b"%PDF-1.7\n", "a PDF", "CSV"),
    ] {
        for (name, bytes) in
            [("a.csv", bytes.to_vec()), ("a.zip", bytes.to_vec()), ("b.zip", zip(&[stored("a.csv", bytes)]))]
        {
            let error = refused(&bytes, name);
            assert_eq!(error.kind(), Kind::Unsupported, "{what}: {error:?}");
            assert!(error.message().contains(what) && error.hint_text().unwrap().contains(does), "{error:?}");
        }
    }
}
