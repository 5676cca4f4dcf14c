//! Archives: which member is selected, and every way in which an archive can be bad.

use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering};

use super::{Entry, Hostile, deflated, read_all, read_query, refused, stored, text, zip};
use crate::{Limits, Query, Watch, read};
use raudal_common::Kind;

const CSV: &[u8] = b"MUN,LOC\r\n000,0000\r\n001,0000\r\n";
const ROWS: &str = "000,0000\n001,0000\n";

fn with_member(glob: &str) -> Query {
    let mut query = Query::new();
    query.member = Some(glob.into());
    query
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn zip_gzip_and_plain_give_the_same_rows() {
    let streamed = Entry { flags: 8, ..deflated("a.csv", CSV) };
    for bytes in
        [CSV.to_vec(), gzip(CSV), zip(&[deflated("a.csv", CSV)]), zip(&[stored("a.CSV", CSV)]), zip(&[streamed])]
    {
        // The bytes decide the kind, not the name.
        let rows = read_all(&bytes, "x").unwrap();
        assert_eq!((rows.rows_read(), rows.bytes()), (2, CSV.len() as u64));
        assert_eq!(text(rows), ROWS);
        for most in [1, 3, 100] {
            assert_eq!(text(read(Hostile::new(&bytes, most), "x", &Query::new(), &()).unwrap()), ROWS);
        }
    }
}

#[test]
fn an_error_in_the_middle_is_said_and_is_no_damage() {
    for bytes in [CSV.to_vec(), gzip(CSV), zip(&[deflated("a.csv", CSV)])] {
        for fails in [0, 5, 40] {
            let mut reader = Hostile::new(&bytes, 4);
            reader.fails = Some(fails);
            if let Err(error) = read(reader, "x", &Query::new(), &()) {
                assert_eq!(error.kind(), Kind::Io, "{error:?}");
                assert!(error.report().contains("on fire"), "{error:?}");
            }
        }
    }
}

#[test]
fn the_only_csv_is_meant_or_else_the_only_file() {
    let others = [
        stored("read me.txt", b"hello"),
        stored("__MACOSX/a.csv", b"x"),
        stored("d/._a.csv", b"x"),
        stored("d.csv/", b""),
    ];
    let mut entries = others.to_vec();
    entries.push(deflated("d/A.Csv", CSV));
    let rows = read_all(&zip(&entries), "x.zip").unwrap();
    assert_eq!(rows.members(), ["d/A.Csv"]);
    assert_eq!(text(rows), ROWS);
    assert_eq!(text(read_all(&zip(&[stored("data.txt", CSV)]), "x.zip").unwrap()), ROWS);
    assert_eq!(text(read_all(&zip(&[stored("a.tsv", b"a\tb\n1\t2,3\n")]), "x.zip").unwrap()), "1,\"2,3\"\n");

    let error = refused(&zip(&others[1..]), "x.zip");
    assert_eq!((error.kind(), error.message()), (Kind::Member, "the archive holds no files"));
    let error = refused(&zip(&[stored("a.txt", b"x"), stored("b.dat", b"x")]), "x.zip");
    assert_eq!((error.kind(), error.message()), (Kind::Member, "no CSV among the members: a.txt, b.dat"));
    assert_eq!(refused(&zip(&[]), "x.zip").kind(), Kind::Member);
}

#[test]
fn several_csvs_are_listed_and_a_glob_chooses() {
    let bytes = zip(&[
        stored("iter/catalogos/tam_loc.csv", b"id\n1\n"),
        stored("iter/conjunto_de_datos/datos.csv", CSV),
        stored("iter/diccionario/\x1b[2J.csv", b"id\n1\n"),
        stored("iter/metadatos/m.txt", b"hello"),
    ]);
    let error = refused(&bytes, "x.zip");
    assert_eq!(error.kind(), Kind::Member);
    assert_eq!(
        error.message(),
        "3 CSV members where one is expected: iter/catalogos/tam_loc.csv, iter/conjunto_de_datos/datos.csv, iter/diccionario/\\u{1b}[2J.csv"
    );
    assert!(error.hint_text().unwrap().contains("[`member`]"));
    for glob in ["**/conjunto_de_datos/*.csv", "**/Datos.CSV", "iter/conj*/*", "**/{datos,x}.csv"] {
        assert_eq!(text(read_query(&bytes, "x.zip", &with_member(glob)).unwrap()), ROWS, "{glob}");
    }
    let error = read_query(&bytes, "x.zip", &with_member("*.csv")).unwrap_err();
    assert!(error.message().starts_with("no member matches *.csv: iter/catalogos"), "{error}");
    assert_eq!(read_query(&bytes, "x.zip", &with_member("[a")).unwrap_err().kind(), Kind::Usage);
}

#[test]
fn several_members_are_read_in_the_order_of_the_archive_with_headers_aligned() {
    let bytes = zip(&[stored("b.csv", b"x,y\n1,2\n"), stored("a.csv", b"y,x\n4,3\n"), stored("c.csv", b"x,z\n5,6\n")]);
    let rows = read_query(&bytes, "x.zip", &with_member("[ab].csv")).unwrap();
    assert_eq!(rows.members(), ["b.csv", "a.csv"]);
    assert_eq!(text(rows), "1,2\n3,4\n");
    let mut query = with_member("*.csv");
    let error = read_query(&bytes, "x.zip", &query).unwrap_err();
    assert_eq!(error.kind(), Kind::Headers);
    assert_eq!(error.to_string(), "x.zip: c.csv: its columns differ: without \"y\", with extra \"z\"");
    assert!(error.hint_text().unwrap().contains("first member: b.csv; [`columns_mode`] union"), "{error:?}");
    // Only the selected columns have to be there.
    query.select = crate::Select::names(["x"]);
    assert_eq!(text(read_query(&bytes, "x.zip", &query).unwrap()), "1\n3\n5\n");
    query.select = crate::Select::names(["y"]);
    let error = read_query(&bytes, "x.zip", &query).unwrap_err();
    assert_eq!((error.kind(), error.message()), (Kind::Column, "no such column: \"y\""));
}

#[test]
fn what_is_no_archive_is_named_for_what_it_is() {
    for (bytes, name, kind) in [
        (&b""[..], "a.csv", Kind::Empty),
        (b"", "a.zip", Kind::Empty),
        (b"\n\n", "a.csv", Kind::Empty),
        (b"not found\n", "https://h/a.ZIP?x=1#y", Kind::NotAnArchive),
        (b"no, not found", "a.csv.gz", Kind::NotAnArchive),
        (b"a,b\n1,\0\n", "a.csv.xz", Kind::NotAnArchive),
        (b"{\"error\": [1,\n2]}", "a.tar", Kind::Impostor),
        (b"\xef\xbb\xbf \n<!DOCTYPE html><html>", "a.zip", Kind::Impostor),
        (b"<HTML>", "a.csv.gz", Kind::Impostor),
        (b"PK\x03\x04", "a.zip", Kind::Corrupt),
        (b"PK", "a", Kind::Corrupt),
        (b"PK\x05\x06", "a.zip", Kind::Corrupt),
        (b"\x1f\x8b", "a.csv.gz", Kind::Corrupt),
        (b"MZ\x90\x00", "setup.zip", Kind::NotAnArchive),
    ] {
        assert_eq!(refused(bytes, name).kind(), kind, "{bytes:?} {name}");
    }
    assert_eq!(refused(&zip(&[stored("a.csv", b"")]), "a.zip").kind(), Kind::Empty);
    assert!(!refused(&zip(&[stored("a.csv", b"")]), "a.zip").is_transient());
    assert!(refused(b"", "a.zip").is_transient());
}

#[test]
fn a_zip_cut_anywhere_is_refused() {
    let long: Vec<u8> = [CSV, "002,ü\r\n".repeat(3000).as_bytes()].concat();
    for whole in [
        zip(&[deflated("a.csv", CSV)]),
        zip(&[deflated("a.csv", &long)]),
        zip(&[stored("a.csv", CSV), stored("b.txt", CSV)]),
        // When the outer archive is cut, the end of the inner archive takes its place.
        zip(&[stored("a.csv", CSV), stored("z/in.zip", &zip(&[deflated("b.csv", b"a\n1\n")]))]),
    ] {
        assert!(read_all(&whole, "a.zip").is_ok());
        for cut in 0..whole.len() {
            let error = refused(&whole[..cut], "a.zip");
            let kind = if cut == 0 {
                Kind::Empty
            } else if cut == 1 {
                Kind::NotAnArchive
            } else {
                Kind::Corrupt
            };
            assert_eq!(error.kind(), kind, "cut at {cut} of {}: {error:?}", whole.len());
        }
    }
}

#[test]
fn a_flipped_byte_never_gives_wrong_rows() {
    let entry = deflated("a.csv", CSV);
    for whole in [
        zip(&[entry.clone(), stored("b.txt", b"x")]),
        zip(&[Entry { flags: 8, ..entry }]),
        zip(&[stored("a.csv", CSV)]),
        gzip(CSV),
    ] {
        for at in 0..whole.len() {
            for flip in 1..=255u8 {
                let mut bytes = whole.clone();
                bytes[at] ^= flip;
                match read_all(&bytes, "a.zip") {
                    // Dates, unused flags, the padding after the last deflate block.
                    Ok(rows) => assert_eq!(text(rows), ROWS, "byte {at} ^ {flip}"),
                    Err(error) => assert_ne!(error.kind(), Kind::Internal),
                }
            }
        }
    }
}

#[test]
fn a_checksum_that_differs_is_a_checksum_and_damage_is_damage() {
    let wrong = Entry { crc: 1, ..deflated("a.csv", CSV) };
    let error = refused(&zip(&[wrong]), "a.zip");
    assert_eq!(error.kind(), Kind::Checksum);
    assert!(error.to_string().starts_with("a.zip: a.csv: the checksum (CRC-32) differs"), "{error}");
    for size in [CSV.len() as u32 - 1, CSV.len() as u32 + 1] {
        assert_eq!(refused(&zip(&[Entry { size, ..deflated("a.csv", CSV) }]), "a.zip").kind(), Kind::Corrupt);
    }
    let mut bytes = gzip(CSV);
    let trailer = bytes.len() - 8;
    bytes[trailer] ^= 1;
    assert_eq!(refused(&bytes, "a.gz").kind(), Kind::Checksum);
    assert_eq!(refused(&bytes[..trailer + 3], "a.gz").kind(), Kind::Corrupt);
}

#[test]
fn gzip_of_several_members_is_read_whole_and_what_trails_is_warned_of() {
    let mut bytes = [gzip(b"a,b\n1,2\n"), gzip(b"3,4\n")].concat();
    assert_eq!(text(read_all(&bytes, "a.csv.gz").unwrap()), "1,2\n3,4\n");
    assert_eq!(text(read_all(&gzip(b"a\tb\n1\t2\n"), "http://h/a.tsv.gz?x").unwrap()), "1,2\n");
    // Padding of tapes and disks is no content.
    bytes.extend_from_slice(&[0; 700]);
    let rows = read_all(&bytes, "a.csv.gz").unwrap();
    assert!(rows.warnings().is_empty());
    assert_eq!(text(rows), "1,2\n3,4\n");
    bytes.extend_from_slice(b"garbage");
    let rows = read_all(&bytes, "a.csv.gz").unwrap();
    assert_eq!(rows.warnings(), ["7 bytes after the end of the gzip data are something else; they were left out"]);
    assert_eq!(text(rows), "1,2\n3,4\n");
    // The beginning of a further member, damaged or cut off, is not something else.
    let two = [gzip(b"a,b\n1,2\n"), gzip(b"3,4\n")].concat();
    let second = gzip(b"a,b\n1,2\n").len();
    for at in second..second + 3 {
        let mut flipped = two.clone();
        flipped[at] ^= 1;
        assert_eq!(refused(&flipped, "a.csv.gz").kind(), Kind::Corrupt, "byte {at}");
    }
    for cut in second + 1..two.len() {
        assert_eq!(refused(&two[..cut], "a.csv.gz").kind(), Kind::Corrupt, "cut at {cut}");
    }
    for cut in 1..gzip(CSV).len() {
        assert!(read_all(&gzip(CSV)[..cut], "a.csv.gz").is_err(), "cut at {cut}");
    }
}

#[test]
fn what_is_not_supported_is_named() {
    let error = refused(&zip(&[Entry { flags: 1, ..stored("a.csv", CSV) }]), "a.zip");
    assert_eq!(error.kind(), Kind::Unsupported);
    assert_eq!(error.to_string(), "a.zip: a.csv: the member is encrypted, and encryption is not supported");
    for (method, name) in [(1, "Shrink"), (98, "Ppmd"), (6, "Implode")] {
        let error = refused(&zip(&[Entry { method, ..stored("a.csv", CSV) }]), "a.zip");
        assert_eq!(error.kind(), Kind::Unsupported);
        assert!(error.message().to_lowercase().contains(&name.to_lowercase()), "{error}");
    }
}

#[test]
fn a_zip_bomb_is_stopped_by_its_ratio_and_by_its_size() {
    let zeros = [&b"a\n"[..], "0".repeat(500).as_bytes(), b"\n"].concat();
    let bomb = [zeros, "0\n".repeat(4 << 20).into_bytes()].concat();
    for bytes in [zip(&[deflated("a.csv", &bomb)]), gzip(&bomb)] {
        let error = refused(&bytes, "a");
        assert_eq!(error.kind(), Kind::Bounds);
        assert!(error.hint_text().unwrap().contains("[`max_ratio`]"), "{error:?}");
        let mut query = Query::new();
        query.limits.ratio = 2000;
        assert!(read_query(&bytes, "a", &query).is_ok());
        query.limits.member_bytes = 1 << 20;
        let error = read_query(&bytes, "a", &query).unwrap_err();
        assert!(
            error.kind() == Kind::Bounds && error.hint_text().unwrap().contains("[`max_member_size`]"),
            "{error:?}"
        );
    }
    // A directory that declares a small size is not trusted.
    let lying = Entry { size: 10, ..deflated("a.csv", &bomb) };
    assert_eq!(refused(&zip(&[lying]), "a.zip").kind(), Kind::Corrupt);
}

#[test]
fn members_are_counted_and_must_not_overlap_or_share_a_name() {
    let many: Vec<Entry> = (0..20).map(|at| stored(&format!("{at}.txt"), b"x")).collect();
    let mut query = Query::new();
    query.limits = Limits { members: 19, ..Limits::default() };
    let error = read_query(&zip(&many), "a.zip", &query).unwrap_err();
    assert!(error.kind() == Kind::Bounds && error.hint_text().unwrap().contains("[`max_members`]"), "{error:?}");
    let twice = zip(&[stored("b.csv", CSV), stored("a.csv", CSV), stored("a.csv", b"b\n")]);
    assert_eq!(refused(&twice, "a.zip").message(), "two members of the archive have the same name: a.csv");
    // The second entry of the directory points at the first member's data.
    let mut overlap = zip(&[stored("a.csv", CSV), stored("b.txt", CSV)]);
    let second = overlap.windows(6).rposition(|six| six == b"PK\x01\x02\x14\x00").unwrap();
    overlap[second + 42..second + 46].copy_from_slice(&0u32.to_le_bytes());
    assert_eq!(refused(&overlap, "a.zip").message(), "members of the archive overlap, as zip bombs do");
    let other = Entry { local_name: b"b.csv".into(), ..stored("a.csv", CSV) };
    assert!(refused(&zip(&[other]), "a.zip").message().contains("than in the archive's directory: a.csv"));
}

#[test]
fn a_name_that_climbs_is_read_and_warned_of() {
    for name in ["../../etc/a.csv", "/a.csv", "C:\\a.csv", "x\\..\\a.csv"] {
        let rows = read_all(&zip(&[stored(name, CSV)]), "a.zip").unwrap();
        assert_eq!(rows.warnings().len(), 1, "{name}");
        assert!(rows.warnings()[0].contains(name), "{:?}", rows.warnings());
        assert_eq!(text(rows), ROWS);
    }
    assert!(read_all(&zip(&[stored("a..b/c.csv", CSV)]), "a.zip").unwrap().warnings().is_empty());
}

#[test]
fn comments_trailing_bytes_and_zip64_are_read() {
    let mut bytes = zip(&[stored("a.csv", CSV)]);
    let end = bytes.len() - 2;
    let mut comment = bytes.clone();
    comment[end..].copy_from_slice(&5u16.to_le_bytes());
    comment.extend_from_slice(b"hello");
    assert_eq!(text(read_all(&comment, "a.zip").unwrap()), ROWS);
    bytes.extend_from_slice(&[0; 100]);
    assert_eq!(text(read_all(&bytes, "a.zip").unwrap()), ROWS);

    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    writer.start_file("a.csv", zip::write::SimpleFileOptions::default().large_file(true)).unwrap();
    writer.write_all(CSV).unwrap();
    assert_eq!(text(read_all(writer.finish().unwrap().get_ref(), "a.zip").unwrap()), ROWS);
}

#[test]
fn a_watch_sees_every_byte_and_row_and_can_call_it_off() {
    #[derive(Default)]
    struct Count(AtomicU64, AtomicU64, Option<u64>);
    impl Watch for Count {
        fn advance(&self, bytes: u64, rows: u64) {
            self.0.fetch_add(bytes, Ordering::Relaxed);
            self.1.fetch_add(rows, Ordering::Relaxed);
        }
        fn cancelled(&self) -> bool {
            self.2.is_some_and(|most| self.0.load(Ordering::Relaxed) > most)
        }
    }
    let input = [b"a,b\n".to_vec(), "1,2\n".repeat(200_000).into_bytes()].concat();
    let bytes = zip(&[deflated("a.csv", &input)]);
    let mut count = Count::default();
    let mut query = Query::new();
    query.limits.ratio = 2000;
    let rows = read(std::io::Cursor::new(&bytes), "a.zip", &query, &count).unwrap();
    assert_eq!((count.0.load(Ordering::Relaxed), count.1.load(Ordering::Relaxed)), (input.len() as u64, 200_000));
    assert_eq!((rows.bytes(), rows.rows_read()), (input.len() as u64, 200_000));
    count = Count { 2: Some(1000), ..Count::default() };
    let error = read(std::io::Cursor::new(&bytes), "a.zip", &query, &count).unwrap_err();
    assert_eq!(error.kind(), Kind::Cancelled);
    assert!(count.0.load(Ordering::Relaxed) < 1 << 20);
}
