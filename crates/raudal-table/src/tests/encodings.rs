//! Encodings that are decided on the whole input, and what a refusal names.

use std::io::Cursor;

use super::{deflated, read_query, refused, text, zip};
use crate::{Encoding, Encodings, Query, read};
use encoding_rs::{BIG5, SHIFT_JIS, WINDOWS_1251, WINDOWS_1252};
use raudal_common::Kind;

fn encoded(labels: &str) -> Query {
    let mut query = Query::new();
    query.encodings = labels.parse().unwrap();
    query
}

fn latin(text: &str) -> Vec<u8> {
    WINDOWS_1252.encode(text).0.into_owned()
}

/// `Población` in code pages of DOS.
const CP850: &[u8] = b"id,name\n1,Poblaci\xa2n\n";
const MAC: &[u8] = b"id,name\n1,Poblaci\x97n\n2,Espa\x96a\n";

#[test]
fn encodings_are_tried_in_order_on_each_whole_input() {
    let query = encoded("utf-8,windows-1252");
    let utf8 = read_query("a,b\n1,ñ\n".as_bytes(), "x.csv", &query).unwrap();
    assert_eq!(utf8.notes(), ["its encoding: UTF-8"]);
    assert_eq!(text(utf8), "1,ñ\n");
    // The byte that decides is at the very end, far behind what is read at once.
    let long = format!("a,b\n{}1,ñ\n", "0,Ã\n".repeat(200_000));
    let rows = read_query(&latin(&long), "x.csv", &query).unwrap();
    assert_eq!(rows.notes(), ["its encoding: windows-1252"]);
    assert_eq!(rows.bytes(), latin(&long).len() as u64);
    assert_eq!(text(rows), long[4..]);
    let error = read_query(b"a,b\n1,\x81\n", "x.csv", &encoded("utf-8,shift_jis")).unwrap_err();
    assert_eq!(error.message(), "the text is none of these: UTF-8, Shift_JIS");
    // Any other error is not blamed on the encoding.
    let error = read_query(b"a,b\n1\n", "x.csv", &query).unwrap_err();
    assert_eq!(error.to_string(), "x.csv: line 2: this record has 1 field, the header has 2");
}

#[test]
fn each_member_of_an_archive_has_an_encoding_of_its_own() {
    let archive = zip(&[
        deflated("2019.csv", &latin("a,b\n1,ñ\n")),
        deflated("2020.csv", "a,b\n2,é\n".as_bytes()),
        deflated("2021.csv", b"a,b\n3,x\n"),
    ]);
    for labels in ["utf-8,windows-1252", "auto"] {
        let mut query = encoded(labels);
        query.member = Some("*.csv".into());
        let rows = read_query(&archive, "x.zip", &query).unwrap();
        assert_eq!((rows.rows_read(), rows.members().len()), (3, 3));
        assert_eq!(text(rows), "1,ñ\n2,é\n3,x\n");
    }
}

#[test]
fn auto_decides_on_the_whole_input_and_says_what_it_found() {
    let utf16 = |text: &str, big: bool| -> Vec<u8> {
        text.encode_utf16().flat_map(|unit| if big { unit.to_be_bytes() } else { unit.to_le_bytes() }).collect()
    };
    let russian = "имя,город\nАнна,Москва\nПётр,Санкт-Петербург\n";
    let japanese = "名前,都市\n太郎,東京都新宿区\nはなこ,おおさか\n";
    let spanish = format!("id,name\n{}2,Población\n", "1,x\n".repeat(100_000));
    for (bytes, found, expected) in [
        (latin(&spanish), "windows-1252", spanish.as_str()),
        (CP850.to_vec(), "cp850", "id,name\n1,Población\n"),
        (MAC.to_vec(), "macintosh", "id,name\n1,Población\n2,España\n"),
        (WINDOWS_1251.encode(russian).0.into_owned(), "windows-1251", russian),
        (SHIFT_JIS.encode(japanese).0.into_owned(), "Shift_JIS", japanese),
        (utf16("id,name\n1,Población\n", false), "UTF-16LE", "id,name\n1,Población\n"),
        (utf16("id,name\n1,Población\n", true), "UTF-16BE", "id,name\n1,Población\n"),
    ] {
        let rows = read_query(&bytes, "x.csv", &encoded("auto")).unwrap();
        assert_eq!(rows.warnings(), [format!("[`encoding`] auto found that it is {found}")]);
        assert_eq!(format!("{}\n{}", rows.header().join(","), text(rows)), expected);
    }
    let rows = read_query("a,b\n1,ñ\n".as_bytes(), "x.csv", &encoded("auto")).unwrap();
    assert!(rows.warnings().is_empty());
    assert_eq!(rows.notes(), ["its encoding: UTF-8"]);
    let noise: Vec<u8> = (0..4000u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8 | 0x80).collect();
    assert_eq!(read_query(&noise, "x.csv", &encoded("auto")).unwrap_err().kind(), Kind::Encoding);
}

#[test]
fn a_byte_order_mark_wins_over_the_encoding_and_that_is_said() {
    for labels in ["windows-1252", "shift_jis,windows-1252", "cp850"] {
        let rows = read_query("\u{feff}E,b\nñ,1\n".as_bytes(), "x.csv", &encoded(labels)).unwrap();
        assert_eq!(rows.header(), ["E", "b"]);
        assert_eq!(rows.notes(), ["its byte order mark says UTF-8, and wins over [`encoding`]"]);
        assert_eq!(text(rows), "ñ,1\n");
    }
    let utf16: Vec<u8> = "\u{feff}a,b\nñ,1\n".encode_utf16().flat_map(u16::to_be_bytes).collect();
    assert_eq!(text(read_query(&utf16, "x.csv", &encoded("windows-1252")).unwrap()), "ñ,1\n");
}

#[test]
fn what_the_server_says_counts_where_the_bytes_are_not_utf8() {
    let mut query = Query::new();
    query.served.charset = Some(Encoding::parse("ISO-8859-1").unwrap());
    let rows = read_query(&latin("id,name\n1,Población\n"), "http://x/charset.csv", &query).unwrap();
    assert_eq!(rows.notes(), ["its encoding, as the server says: windows-1252"]);
    assert_eq!(text(rows), "1,Población\n");
    // Servers often say so of UTF-8.
    assert_eq!(text(read_query("a,b\n1,ñ\n".as_bytes(), "http://x/a.csv", &query).unwrap()), "1,ñ\n");
    // An encoding that was asked for wins.
    query.encodings = Encoding::UTF_8.into();
    assert_eq!(read_query(&latin("a,b\n1,ñ\n"), "http://x/a.csv", &query).unwrap_err().kind(), Kind::Encoding);
}

#[test]
fn a_refusal_names_the_encodings_that_give_letters_and_shows_them() {
    let hint = |bytes: &[u8]| refused(bytes, "x.csv").hint_text().unwrap_or_default().to_owned();
    let dos = hint(CP850);
    assert!(
        dos.contains("[`encoding`] cp850 (Población)") && dos.contains("cp437") && !dos.contains("windows-1252"),
        "{dos}"
    );
    let mac = hint(MAC);
    assert!(mac.contains("[`encoding`] macintosh (Población)") && !mac.contains("windows-1252"), "{mac}");
    let big5 = hint(&BIG5.encode("城市,人口\n臺北市,中正區\n高雄市,左營區\n").0);
    assert!(big5.contains("[`encoding`] big5 (") && !big5.contains("windows-1252"), "{big5}");
    let windows = hint(&latin("id,name\n1,Población\n"));
    assert!(windows.contains("[`encoding`] windows-1252 (Población)"), "{windows}");
    let nothing = hint(b"a,b\n\xff\xfe\xfd\x00,\x81\x8d\n");
    assert!(nothing.contains("or this is no text") || !nothing.contains("windows-1252"), "{nothing}");
    // Never the one that it was read with.
    let error = read_query(b"a,b\n1,\x81\xff\n", "x.csv", &encoded("shift_jis")).unwrap_err();
    assert!(!error.hint_text().unwrap().contains("shift_jis"), "{error:?}");
}

#[test]
fn code_pages_of_dos_are_read() {
    for (label, name) in
        [("cp850", "cp850"), ("IBM850", "cp850"), ("850", "cp850"), ("oem-437", "cp437"), ("CP 866", "")]
    {
        match Encoding::parse(label) {
            Ok(encoding) => assert_eq!(encoding.to_string(), name),
            Err(_) => assert_eq!(name, ""),
        }
    }
    assert_eq!(text(read_query(CP850, "x.csv", &encoded("cp850")).unwrap()), "1,Población\n");
    let long = [&b"id,name\n"[..], &b"1,\xa2\xa4\n".repeat(200_000)].concat();
    let rows = read(Cursor::new(long), "x.csv", &encoded("cp850"), &()).unwrap();
    assert_eq!(text(rows), "1,óñ\n".repeat(200_000));
}

#[test]
fn a_label_that_is_unknown_lists_near_ones_or_some() {
    let hint = |label: &str| Encoding::parse(label).unwrap_err().hint_text().unwrap_or_default().to_owned();
    assert!(hint("cp851").contains("cp850"));
    assert!(hint("windws-1252").contains("windows-1252"));
    assert!(hint("klingon").contains("utf-8, windows-1252"), "{}", hint("klingon"));
    assert!(!hint("").contains("did you mean ?"));
    assert!("utf-8,latin1,windows-1252".parse::<Encodings>().is_err());
    for label in ["latin-1", "utf_8", "UTF8", "cp1252", "cp932", "mac_roman", "ansi"] {
        assert!(Encoding::parse(label).is_ok(), "{label}");
    }
}

#[test]
fn utf8_that_is_read_in_another_encoding_as_asked_is_said() {
    let warnings = |bytes: &[u8], label: &str| read_query(bytes, "x.csv", &encoded(label)).unwrap().warnings().to_vec();
    let utf8 = "a,b\n1,ñ\n2,é".as_bytes();
    for label in ["windows-1252", "cp850", "windows-1252,utf-8", "macintosh"] {
        let said = warnings(utf8, label);
        assert!(said.len() == 1 && said[0].starts_with("all of it is valid UTF-8, but it was read as "), "{said:?}");
    }
    let long = [utf8, b"\n", "3,abc\n".repeat(100_000).as_bytes()].concat();
    assert_eq!(warnings(&long, "windows-1252").len(), 1);
    for (bytes, label) in [
        (utf8, "utf-8"),
        (b"a,b\n1,2\n", "windows-1252"),
        ("\u{feff}a,b\n1,ñ\n".as_bytes(), "windows-1252"),
        (&latin("a,b\n1,ñ\n"), "windows-1252"),
        (&latin("a,b\n1,ñ\n"), "utf-8,windows-1252"),
    ] {
        assert_eq!(warnings(bytes, label), [""; 0], "{label}");
    }
    let mixed = [&latin("a,b\n1,ñ\n")[..], "2,é\n3,x\n4,ó\n".as_bytes()].concat();
    assert_eq!(
        warnings(&mixed, "windows-1252"),
        [
            "2 lines of it are UTF-8, but it was read as windows-1252, so letters are wrong there, the first on line 3; it \
          looks like files that were joined"
        ]
    );
}
