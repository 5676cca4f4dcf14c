//! Looking at an input: what is found, and that what is found reads it.

use std::io::Cursor;

use super::containers::tar;
use super::workbook::workbook;
use super::{deflated, read_query, stored, zip};
use crate::{Encodings, Header, Peek, Query, Quote, Ragged, Type, peek};
use raudal_common::{Kind, Result};

fn look(bytes: &[u8], name: &str) -> Result<Peek> {
    peek(Cursor::new(bytes.to_vec()), name, &Query::new())
}

/// Looks at an input, and reads it as what was found says. Returns the columns and the number of rows.
fn read_as_found(bytes: &[u8], name: &str) -> (String, u64, Query) {
    let found = look(bytes, name).unwrap_or_else(|error| panic!("{name}: {error}"));
    let table = found.table.unwrap_or_else(|| panic!("{name}: {:?}", found.problem));
    let columns: Vec<String> = table.columns.iter().map(|column| column.name.clone()).collect();
    let rows = read_query(bytes, name, &table.query).unwrap_or_else(|error| panic!("{name}: {error}"));
    assert_eq!(rows.header(), columns, "{name}");
    assert!(rows.rows_read() >= table.cells.len() as u64, "{name}");
    (columns.join("|"), rows.rows_read(), table.query)
}

#[test]
fn what_is_found_reads_the_text() {
    for (name, text, columns, rows) in [
        ("a.csv", &b"id,name\n1,a\n2,b\n"[..], "id|name", 2),
        ("a.tsv", b"id\tname\n1\ta\n", "id|name", 1),
        ("semicolons.csv", b"id;name\n1;a, b\n2;c\n", "id|name", 2),
        ("tabs.txt", b"id\tname\n1\ta\n2\tb\n", "id|name", 2),
        ("carets.csv", b"id^name\n1^a\n2^b\n", "id|name", 2),
        ("told.csv", b"sep=;\nid;name\n1;a\n", "id|name", 1),
        ("prose.csv", b"Fecha;Valor, en pesos\n2020;1,5\n2021;2,5\n", "Fecha|Valor, en pesos", 2),
        ("titled.csv", b"A title\n\nid,name\n1,a\n2,b\n", "id|name", 2),
        ("padded.csv", b"A title,,\n,,\nid,name,x\n1,a,b\n2,c,d\n", "id|name|x", 2),
        ("footed.csv", b"id,name\n1,a\n2,b\n\nSource: us\n", "id|name", 2),
        ("all.csv", b"T\xedtulo\n\na\xf1o;valor\n2020;1,5\n2021;2,5\nFuente\n", "a\u{f1}o|valor", 2),
        ("commented.csv", b"# of 2020\nid;name\n1;a\n# a note\n2;b\n", "id|name", 2),
        ("latin1.csv", b"a\xf1o,pa\xeds\n2020,M\xe9xico\n", "a\u{f1}o|pa\u{ed}s", 1),
        ("utf16.csv", b"\xff\xfea\0,\0b\0\n\x001\0,\x002\0\n\0", "a|b", 1),
        ("unmarked.csv", b"a\0,\0b\0\n\x001\0,\x002\0\n\0", "a|b", 1),
        ("quotes.tsv", b"id\tname\n1\t\"Kostas\n2\tb\n3\tc\n", "id|name", 3),
        ("ragged.csv", b"id,name\n1\n2,b,c\n3,d\n4,e\n", "id|name", 4),
        ("bare.csv", b"1,2020-01-01\n2,2020-01-02\n", "column_1|column_2", 2),
        ("years.csv", b"2018,2019\n1,2\n", "2018|2019", 1),
        ("one.csv", b"phone\n111\n\n222\n", "phone", 3),
    ] {
        let (found, count, query) = read_as_found(text, name);
        assert_eq!((found.as_str(), count), (columns, rows), "{name}: {:?}", query.dialect);
    }
}

#[test]
fn what_is_found_loses_no_field() {
    for (text, cell, is_so) in [
        (&b"id,name\n1,\"say \\\"hi\\\", ok\"\n2,b\n"[..], "say \"hi\", ok", "escape"),
        (b"'id','name'\n'1','a,b'\n", "a,b", "quote"),
        (b"id;name\n1;'a;b'\n2;'c'\n", "a;b", "quote"),
        (b"id, name\n1, \"a,b\"\n2, \"c\"\n", "a,b", "trim"),
        (b"id,n\n1,a\\,b\n2,c\n", "a,b", "escape"),
    ] {
        let query = read_as_found(text, "a.csv").2;
        let dialect = &query.dialect;
        assert_eq!(dialect.ragged, Ragged::Refuse, "{dialect:?}");
        let found = [
            ("escape", dialect.escape == Some(b'\\')),
            ("quote", dialect.quote == Quote::Byte(b'\'')),
            ("trim", dialect.trim),
        ];
        assert!(found.iter().all(|(name, found)| *found == (*name == is_so)), "{dialect:?}");
        let rows = crate::tests::text(read_query(text, "a.csv", &query).unwrap());
        assert!(rows.contains(&cell.replace('"', "\"\"")), "{rows}");
    }
    assert_eq!(read_as_found(b"1,Ana,5\n2,Luis,7\n", "a.csv").2.dialect.header, Header::None);
    let numbers = read_as_found(b"m;t\nA;1.234\nB;12,5\n", "a.csv").2.dialect.numbers;
    assert_eq!((numbers.decimal, numbers.thousands), (',', Some('.')));
}

#[test]
fn nothing_is_named_that_is_as_usual() {
    let found = look(b"id,name\n1,a\n", "a.csv").unwrap().table.unwrap().query;
    let usual = Query::new();
    assert_eq!((found.dialect, found.encodings), (usual.dialect, usual.encodings));
    let titled = read_as_found(b"A title\nid,name\n1,a\n2,b\n", "a.csv").2.dialect;
    assert_eq!((titled.skip_rows, titled.delimiter), (1, usual_delimiter()));
    let ragged = read_as_found(b"id,name\n1\n2,b\n3\n4,d\n", "a.csv").2.dialect;
    assert_eq!((ragged.ragged, ragged.footer), (Ragged::Pad, 0));
    assert_eq!(read_as_found(b"id\tx\n1\t\"a\n2\tb\n", "a.tsv").2.dialect.quote, Quote::None);
    assert_eq!(read_as_found(b"1,2\n3,4\n", "a.csv").2.dialect.header, Header::None);
    assert!(matches!(read_as_found(b"a\xf1o\n1\n", "a.csv").2.encodings, Encodings::List(list) if list.len() == 1));
}

fn usual_delimiter() -> crate::Delimiter {
    crate::Delimiter::default()
}

#[test]
fn what_is_given_is_taken_as_it_is() {
    let text = b"id;name, so\n1;a, b\n";
    let mut query = Query::new();
    query.dialect.delimiter = ",".parse().unwrap();
    let table = peek(Cursor::new(text), "a.csv", &query).unwrap().table.unwrap();
    assert_eq!((table.columns[0].name.as_str(), table.query.dialect), ("id;name", query.dialect.clone()));
    query.encodings = "windows-1250".parse().unwrap();
    let table = peek(Cursor::new(b"a\xf1o,x\n1,2\n"), "a.csv", &query).unwrap().table.unwrap();
    assert_eq!(table.encoding.to_string(), "windows-1250");
}

#[test]
fn what_is_found_reads_the_archive() {
    let csv = b"id,name\n1,a\n2,b\n";
    let long = b"id,name\n1,a\n2,b\n3,c\n";
    let inner = zip(&[deflated("d/a.csv", csv), stored("d/b[1]{x}.csv", long), stored("leeme.txt", b"x")]);
    for (name, bytes, member, rows) in [
        ("one.zip", zip(&[deflated("a.csv", csv), stored("leeme.txt", b"x")]), None, 2),
        ("two.zip", inner.clone(), Some("d/b\\[1\\]\\{x\\}.csv"), 3),
        ("deflated.zip", zip(&[deflated("in.zip", &inner)]), Some("in.zip!/d/b\\[1\\]\\{x\\}.csv"), 3),
        ("stored.zip", zip(&[stored("in.zip", &inner)]), Some("in.zip!/d/b\\[1\\]\\{x\\}.csv"), 3),
        (
            "years.zip",
            zip(&[stored("1.zip", &zip(&[stored("a.csv", csv)])), stored("2.zip", b"PK")]),
            Some("1.zip!/a.csv"),
            2,
        ),
        ("a.tar", tar(&[("./a.csv", csv), ("b.csv", long)]), Some("b.csv"), 3),
        ("tar.zip", zip(&[stored("a.tar", &tar(&[("a.csv", csv), ("b.csv", long)]))]), Some("a.tar!/b.csv"), 3),
    ] {
        let (_, count, query) = read_as_found(&bytes, name);
        assert_eq!((query.member.as_deref(), count), (member, rows), "{name}");
    }
    let found = look(&inner, "two.zip").unwrap();
    let members: Vec<_> = found.members.iter().map(|member| (member.path.as_str(), member.size)).collect();
    assert_eq!(members, [("d/a.csv", Some(16)), ("d/b[1]{x}.csv", Some(20)), ("leeme.txt", Some(1))]);
    assert_eq!(found.table.unwrap().member.as_deref(), Some("d/b[1]{x}.csv"));
    let nested = look(&zip(&[stored("in.zip", &inner)]), "o.zip").unwrap();
    assert_eq!(nested.layers, ["a zip archive", "a zip archive", "plain text"]);
    assert_eq!(nested.members[1].path, "in.zip!/d/a.csv");
}

#[test]
fn what_is_found_reads_the_sheet() {
    let row = |at: usize, cells: &[&str]| {
        let cell = |text: &&str| format!("<c t=\"inlineStr\"><is><t>{text}</t></is></c>");
        format!("<row r=\"{at}\">{}</row>", cells.iter().map(cell).collect::<Vec<_>>().concat())
    };
    let titled = [row(1, &["A title"]), row(3, &["id", "name", "x"]), row(4, &["1", "a", "b"])].concat();
    let plain = [row(1, &["k"]), row(2, &["7"])].concat();
    let book = workbook(&[("2010", "visible", &titled), ("2020", "visible", &plain), ("empty", "visible", "")]);
    let (columns, rows, query) = read_as_found(&book, "a.xlsx");
    assert_eq!((columns.as_str(), rows, query.dialect.skip_rows), ("id|name|x", 1, 2));
    assert_eq!(query.sheet.as_deref(), Some("2010"));
    let found = look(&book, "a.xlsx").unwrap();
    let sheets: Vec<_> = found.members.iter().map(|member| (member.path.as_str(), member.is_sheet)).collect();
    assert_eq!(
        (sheets, found.layers),
        (vec![("2010", true), ("2020", true), ("empty", true)], vec!["an Excel workbook".into()])
    );
    let (_, _, only) = read_as_found(&workbook(&[("2020", "visible", &plain)]), "b.xlsx");
    assert_eq!(only.sheet, None);
    let (columns, ..) = read_as_found(&zip(&[stored("in.xlsx", &book)]), "c.zip");
    assert_eq!(columns, "id|name|x");
}

#[test]
fn kinds_are_guessed_from_the_cells() {
    let text = b"code,n,rate,day,name,gone,odd\n007,1,0.5,2020-03-15,a,,*\n008,*,2,2020-03-16,b,,x\n";
    let table = look(text, "a.csv").unwrap().table.unwrap();
    let kinds: Vec<Type> = table.columns.iter().map(|column| column.kind).collect();
    assert_eq!(kinds, [Type::Text, Type::Int, Type::Float, Type::Date, Type::Text, Type::Text, Type::Text]);
    let [code, n, .., gone, odd] = table.columns.as_slice() else { panic!("seven columns") };
    assert!(code.is_code && !n.is_code && n.nulls == ["*"] && odd.nulls.is_empty());
    assert_eq!((gone.empty, gone.example.as_deref(), n.example.as_deref()), (2, None, Some("1")));
    for (text, decimal, thousands) in [
        (&b"k;v\nA;1.234,5\nB;12,5\n"[..], ',', Some('.')),
        (b"k;v\nA;1,5\nB;12,5\n", ',', None),
        (b"k,v\nA,\"1,234\"\nB,\"12,345.5\"\n", '.', Some(',')),
        (b"k,v\nA,1.5\n", '.', None),
    ] {
        let table = look(text, "a.csv").unwrap().table.unwrap();
        let numbers = &table.query.dialect.numbers;
        assert_eq!((numbers.decimal, numbers.thousands), (decimal, thousands), "{}", String::from_utf8_lossy(text));
    }
}

#[test]
fn what_is_no_table_is_named() {
    for (bytes, what, kind) in [
        (&b"{\"a\":1}\n{\"a\":2}\n"[..], "JSON Lines", Kind::Impostor),
        (b"[{\"a\":1}]", "JSON", Kind::Impostor),
        (b"<?xml version=\"1.0\"?><a/>", "XML", Kind::Impostor),
        (b"<!doctype html><p>hi", "an HTML page", Kind::Impostor),
        (b"%PDF-1.7\n", "a PDF", Kind::Unsupported),
        (b"PAR1....", "a Parquet file", Kind::Unsupported),
        (b"\x01\0\0\x02\x03\0\0\x09", "bytes that are no text", Kind::Csv),
    ] {
        let found = look(bytes, "a").unwrap();
        assert_eq!((found.layers.as_slice(), found.problem.unwrap().kind()), (&[what.to_owned()][..], kind));
        assert!(found.table.is_none());
    }
    assert!(look(b"<html><a href=1.csv>", "a").unwrap().is_page());
    assert_eq!(look(b"", "a.csv").unwrap_err().kind(), Kind::Empty);
}

#[test]
fn only_the_beginning_is_read() {
    struct Counted<'a>(Cursor<Vec<u8>>, &'a std::cell::Cell<u64>);
    impl std::io::Read for Counted<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            let count = self.0.read(buffer)?;
            self.1.set(self.1.get() + count as u64);
            Ok(count)
        }
    }
    impl std::io::Seek for Counted<'_> {
        fn seek(&mut self, to: std::io::SeekFrom) -> std::io::Result<u64> {
            self.0.seek(to)
        }
    }
    // A quoted field lies across the place where the sample ends, wherever that is.
    let rows = format!("id,text\n{}", "1,\"a\nb\"\n".repeat(200_000));
    for bytes in [rows.clone().into_bytes(), zip(&[stored("a.csv", rows.as_bytes())])] {
        let read = std::cell::Cell::new(0);
        let table = peek(Counted(Cursor::new(bytes), &read), "a.csv", &Query::new()).unwrap().table.unwrap();
        assert_eq!((table.cells.len(), table.whole), (1000, false));
        assert!(read.get() < 400_000, "{}", read.get());
    }
    let wide = format!("id,text\n1,{}\n2,\"x\ny\"\n", "x".repeat(131_058));
    let table = look(wide.as_bytes(), "a.csv").unwrap().table.unwrap();
    assert!(!table.whole && table.cells.len() == 1);
}

#[test]
fn a_cut_or_damaged_input_never_panics_and_what_is_found_is_no_lie() {
    let csv = b"id;name\n1;a\n2;b\n";
    let inner = zip(&[deflated("a.csv", csv), stored("b.csv", csv)]);
    let book = workbook(&[("s", "visible", "<row r=\"1\"><c r=\"A1\" t=\"s\"><v>0</v></c></row>")]);
    let whole = [csv.to_vec(), zip(&[stored("in.zip", &inner)]), tar(&[("a.csv", csv), ("b.csv", csv)]), book];
    for bytes in &whole {
        for cut in 0..bytes.len() {
            if let Ok(found) = look(&bytes[..cut], "a.csv") {
                assert!(found.table.is_some() || found.problem.is_some(), "at {cut}");
            }
        }
        let mut random = fastrand::Rng::with_seed(7);
        for _ in 0..300 {
            let mut damaged = bytes.clone();
            let at = random.usize(..damaged.len());
            damaged[at] ^= 1 << random.u32(..8);
            if let Ok(found) = look(&damaged, "a.csv") {
                assert!(found.table.is_some() || found.problem.is_some(), "at {at}");
            }
        }
    }
}

#[test]
fn members_are_listed_although_none_can_be_read() {
    let mut secret = deflated("a.csv", b"id\n1\n");
    secret.flags = 1;
    let found = look(&zip(&[secret]), "a.zip").unwrap();
    assert_eq!((found.members.len(), found.problem.unwrap().kind()), (1, Kind::Unsupported));
    let mut query = Query::new();
    query.member = Some("*.tsv".into());
    let found = peek(Cursor::new(zip(&[stored("a.csv", b"id\n1\n")])), "a.zip", &query).unwrap();
    assert_eq!((found.members.len(), found.problem.unwrap().kind()), (1, Kind::Member));
}

#[test]
fn what_is_found_in_any_text_reads_it() {
    let mut random = fastrand::Rng::with_seed(11);
    let pieces: [&[u8]; 16] =
        [b"a", b"1", b"07", b"x y", b",", b",", b";", b";", b"\t", b"|", b"\"", b"\n", b"\n", b"\r\n", b"# ", b"\xe9"];
    let mut found = 0;
    for _ in 0..3_000 {
        let count = random.usize(1..40);
        let text: Vec<u8> = (0..count).flat_map(|_| pieces[random.usize(..pieces.len())].to_vec()).collect();
        let Ok(Peek { table: Some(table), .. }) = look(&text, "a.csv") else { continue };
        found += 1;
        let columns: Vec<&str> = table.columns.iter().map(|column| column.name.as_str()).collect();
        match read_query(&text, "a.csv", &table.query) {
            Ok(rows) => {
                assert_eq!(
                    (rows.header().len(), rows.rows_read()),
                    (columns.len(), table.cells.len() as u64),
                    "{}",
                    String::from_utf8_lossy(&text)
                );
                assert_eq!(rows.header(), columns, "{}", String::from_utf8_lossy(&text));
            }
            Err(error) => panic!("{error}: {:?}\n{:?}", String::from_utf8_lossy(&text), table.query.dialect),
        }
    }
    assert!(found > 300, "{found}");
}
