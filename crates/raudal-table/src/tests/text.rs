//! Encodings, byte order marks, and invalid bytes.

use encoding_rs::{SHIFT_JIS, WINDOWS_1252};

use super::{Hostile, read_all, read_query, refused, text};
use crate::{Encoding, Query, read};
use raudal_common::Kind;

fn encoded(label: &str) -> Query {
    let mut query = Query::new();
    query.encodings = Encoding::parse(label).unwrap().into();
    query
}

fn utf16(text: &str, big: bool) -> Vec<u8> {
    text.encode_utf16().flat_map(|unit| if big { unit.to_be_bytes() } else { unit.to_le_bytes() }).collect()
}

#[test]
fn a_bom_is_stripped_even_when_split_over_reads() {
    for most in 1..5 {
        let rows = read(Hostile::new("\u{feff}a,b\n1,2\n".as_bytes(), most), "x.csv", &Query::new(), &()).unwrap();
        assert_eq!(rows.header(), ["a", "b"]);
    }
    assert_eq!(refused("\u{feff}".as_bytes(), "x.csv").kind(), Kind::Empty);
    assert_eq!(refused(b"\xef\xbb", "x.csv").kind(), Kind::Encoding);
}

#[test]
fn invalid_utf8_is_refused_with_line_column_and_hint() {
    let error = refused(b"a,b\n1,2\n\"x\ny\",caf\xe9,\n", "x.csv");
    assert_eq!(error.kind(), Kind::Encoding);
    assert_eq!(error.to_string(), "x.csv: line 4: column b: these bytes are not utf-8: e9");
    assert!(error.hint_text().unwrap().contains("[`encoding`] windows-1252"));
}

#[test]
fn a_zero_byte_is_told_by_what_is_around_it() {
    let wide = |text: &str| -> Vec<u8> { text.chars().flat_map(|c| u32::from(c).to_le_bytes()).collect() };
    let table = "id,name\n1,a\n";
    for (input, hint) in [
        (utf16(table, false), "[`encoding`] utf-16le"),
        (utf16(table, true), "[`encoding`] utf-16be"),
        (wide(table), "UTF-32"),
        (wide(&format!("\u{feff}{table}")), "UTF-32"),
        (wide(table).chunks(4).flat_map(|c| c.iter().rev().copied().collect::<Vec<_>>()).collect(), "UTF-32"),
        ([table.as_bytes(), &[0; 512]].concat(), "a hole in a file"),
        (vec![0; 600], "a hole in a file"),
        (b"id,name\n1,a\0b\n".to_vec(), "a damaged one"),
    ] {
        let error = refused(&input, "x.csv");
        assert!(error.hint_text().unwrap().contains(hint), "{hint}: {error:?}");
    }
}

#[test]
fn utf_16_that_is_cut_off_is_not_called_another_encoding() {
    let mut cut = vec![0xff, 0xfe];
    cut.extend(utf16("id,name\n1,ñandú\n", false));
    cut.pop();
    let lone = [&b"\xff\xfe"[..], &utf16("id,name\n1,", false), b"\x00\xd8\n\0"].concat();
    for input in [cut, lone] {
        let error = refused(&input, "x.csv");
        assert_eq!(error.hint_text(), Some("the file may be cut off or damaged"), "{error:?}");
    }
}

#[test]
fn invalid_utf8_is_found_wherever_it_stands_even_in_rows_that_are_not_kept() {
    let mut query = Query::new();
    query.filter = Some(crate::Filter::parse("a == 1").unwrap());
    for bad in [&b"\xff"[..], b"\xc3", b"\xe2\x82", b"\xed\xa0\x80", b"\xc0\xaf", b"\xf4\x90\x80\x80"] {
        for before in [0, 1, 60, (256 << 10) - 5, 256 << 10, 300_000] {
            let mut input = b"a,b\n2,".to_vec();
            input.extend(std::iter::repeat_n(b'x', before));
            input.extend_from_slice(bad);
            let error = read_query(&input, "x.csv", &query).unwrap_err();
            assert_eq!(error.kind(), Kind::Encoding, "{bad:?} after {before}");
        }
    }
}

#[test]
fn characters_split_over_reads_are_whole() {
    let input = "a,b\n€,𝄞\nñ,é\n";
    for most in 1..6 {
        let rows = read(Hostile::new(input.as_bytes(), most), "x.csv", &Query::new(), &()).unwrap();
        assert_eq!(text(rows), "€,𝄞\nñ,é\n");
    }
}

#[test]
fn other_encodings_are_decoded() {
    let table = "año,b\nMéxico,ñ\n";
    let (latin, _, _) = WINDOWS_1252.encode(table);
    assert_eq!(text(read_query(&latin, "x.csv", &encoded("windows-1252")).unwrap()), "México,ñ\n");
    assert_eq!(text(read_query(&latin, "x.csv", &encoded("latin1")).unwrap()), "México,ñ\n");
    for (big, label) in [(false, "utf-16le"), (true, "utf-16be")] {
        assert_eq!(text(read_query(&utf16(table, big), "x.csv", &encoded(label)).unwrap()), "México,ñ\n");
        // With a BOM, no encoding needs to be given.
        let rows = read_all(&utf16(&format!("\u{feff}{table}"), big), "x.csv").unwrap();
        assert_eq!(rows.header(), ["año", "b"]);
    }
    let long = format!("a,b\n{}", "ñ,é\n".repeat(100_000));
    let (latin, _, _) = WINDOWS_1252.encode(&long);
    for most in [1 << 16, 7] {
        let rows = read(Hostile::new(&latin, most), "x.csv", &encoded("windows-1252"), &()).unwrap();
        assert_eq!(text(rows), long[4..]);
    }
}

#[test]
fn bytes_that_are_not_of_the_encoding_are_refused_not_replaced() {
    let (mut bytes, _, _) = SHIFT_JIS.encode("a,b\n日本,語\n1,");
    bytes.to_mut().extend_from_slice(b"\x81\xff\n");
    let error = read_query(&bytes, "x.csv", &encoded("shift_jis")).unwrap_err();
    assert_eq!(error.kind(), Kind::Encoding);
    assert!(error.to_string().starts_with("x.csv: line 3: column b: these bytes are not Shift_JIS"), "{error}");
    let mut odd = utf16("\u{feff}a,b\n1,2\n", false);
    odd.pop();
    assert_eq!(refused(&odd, "x.csv").kind(), Kind::Encoding);
}

#[test]
fn bad_bytes_are_named_wherever_a_read_ends() {
    // A lone surrogate; a character cut off by the end.
    let lone = [b"\xff\xfe".to_vec(), utf16("a,b\n1,", false), b"\x0a\xda".to_vec(), utf16("x\n", false)].concat();
    for (bytes, label, bad) in [
        (lone, "utf-16le", "line 2: column b: these bytes are not UTF-16LE: 0a da"),
        (b"a,b\n1,\x81\xff\n".to_vec(), "shift_jis", "line 2: column b: these bytes are not Shift_JIS: 81 ff"),
        (b"a,b\n1,\x81".to_vec(), "shift_jis", "line 2: column b: these bytes are not Shift_JIS: 81"),
        (b"a,b\n1,\x84\x31\xa4\x7f\n".to_vec(), "gb18030", "line 2: column b: these bytes are not gb18030: 84"),
        (b"a,b\n1,\xe2\x28\n".to_vec(), "utf-8", "line 2: column b: these bytes are not utf-8: e2"),
    ] {
        for most in 1..20 {
            let error = read(Hostile::new(&bytes, most), "x.csv", &encoded(label), &()).unwrap_err();
            assert_eq!(error.to_string(), format!("x.csv: {bad}"), "{most} bytes a read");
        }
    }
}

#[test]
fn utf16_without_a_bom_is_refused_with_a_hint() {
    let error = refused(&utf16("a,b\n1,2\n", false), "x.csv");
    assert_eq!(error.kind(), Kind::Csv);
    assert!(error.hint_text().unwrap().contains("[`encoding`] utf-16le"));
}

#[test]
fn no_two_bytes_at_the_start_make_it_panic_in_any_encoding() {
    for label in ["utf-8", "utf-16le", "utf-16be", "shift_jis", "gb18030", "iso-2022-jp", "big5", "euc-kr"] {
        let query = encoded(label);
        for first in 0..=255u8 {
            for second in [0, 1, 0x0a, 0x1b, 0x22, 0x2c, 0x4b, 0x80, 0x8b, 0xbb, 0xd8, 0xfe, 0xff] {
                let _ = read_query(&[first, second], "x.csv", &query);
                let _ = read_query(&[first, second, 0xbf, b'\n', second], "x.csv", &query);
            }
        }
    }
}
