//! What looks like something else: titles, prose, other delimiters, headers again.

use super::dialect::{bad, delimited, dialect, good, hint, table};
use super::{read_all, refused, stored, text, zip};
use crate::{Delimiter, Encoding, Filter, Header, Query, RepeatedHeader, read};
use raudal_common::Kind;
use std::io::Cursor;

fn warnings(input: &str) -> Vec<String> {
    good(input, "x.csv", &Query::new()).warnings().to_vec()
}

#[test]
fn a_repeated_header_is_known_whatever_is_around_its_names() {
    let drop = dialect(|dialect| dialect.repeated_header = RepeatedHeader::Drop);
    for again in ["id,name", "\"id\",\"name\"", "id,\"name\"", " id, name ", "\u{feff}id,name", "\u{feff}\"id\",name"] {
        let input = format!("id,name\n1,a\n{again}\nida,b\n{again}\n");
        assert_eq!(table(&input, "x.csv", &drop), "id,name\n1,a\nida,b\n", "{again}");
        assert!(warnings(&input).iter().any(|said| said.starts_with("2 records repeat the header")), "{again}");
    }
    let input = "\"id\",\"a name\"\n\"1\",\"a\"\nid,a name\n";
    assert_eq!(table(input, "x.csv", &drop), "id,a name\n1,a\n");
    let tabs = "\tname\n1\ta\n\"\"\t name\n";
    assert_eq!(table(tabs, "x.tsv", &drop), ",name\n1,a\n");
    assert_eq!(
        table(
            "id;name\n1;a\n'id' ;name\n",
            "x.csv",
            &dialect(|dialect| {
                (dialect.delimiter, dialect.repeated_header) = (Delimiter::Byte(b';'), RepeatedHeader::Drop);
                dialect.quote = "'".parse().unwrap();
                dialect.trim = true;
            })
        ),
        "id,name\n1,a\n"
    );
}

#[test]
fn a_byte_order_mark_within_joined_files_is_dropped_and_said() {
    let rows = good("a,b\n1,2\n\u{feff}3,4\n", "x.csv", &Query::new());
    assert_eq!(
        rows.warnings(),
        ["1 byte order mark before a record was dropped; it looks like files that were joined, at line 3: \"3,4\""]
    );
    assert_eq!(text(rows), "1,2\n3,4\n");
    let trim = dialect(|dialect| dialect.trim = true);
    assert_eq!(table("a,b\n1,2\n\u{feff} 3,4\n", "x.csv", &trim), "a,b\n1,2\n3,4\n");
    assert_eq!(table("a\n1\n\u{feff}3\n\n\u{feff}\n4\n", "x.csv", &Query::new()), "a\n1\n3\n\"\"\n\"\"\n4\n");
    // A letter that begins with the same byte is none.
    assert_eq!(table("a,b\n\u{ff21},2\n", "x.csv", &Query::new()), "a,b\n\u{ff21},2\n");
    let error = bad("a,b\n1,2\u{feff}a,b\n3,4\n", &Query::new());
    assert!(hint(&error).contains("with a line end between"), "{error:?}");
    for most in 1..8 {
        let input = super::Hostile::new("a,b\n1,2\n\u{feff}3,4\n".as_bytes(), most);
        assert_eq!(text(read(input, "x.csv", &Query::new(), &()).unwrap()), "1,2\n3,4\n");
    }
}

#[test]
fn a_padded_line_of_excel_names_the_delimiter() {
    for first in ["sep=;", "sep=;;;", "\"sep=;\"", "SEP=;;"] {
        assert_eq!(table(&format!("{first}\na;b;c\n1;2;3\n"), "x.csv", &Query::new()), "a,b,c\n1,2,3\n");
    }
    let plain = table("sep=;,\n1,2\n", "x.csv", &Query::new());
    assert_eq!(plain, "sep=;,\n1,2\n");
}

#[test]
fn commas_of_prose_do_not_divide_a_table() {
    let input = "Fecha;Valor, en pesos\n2020;1,5\n2021;2,5\n";
    let error = bad(input, &Query::new());
    assert_eq!(error.message(), "its fields may be separated by a comma or by a semicolon");
    assert_eq!(hint(&error), "[`delimiter`] ';'; if by a comma, [`delimiter`] ,");
    let auto = dialect(|dialect| dialect.delimiter = Delimiter::Auto);
    assert_eq!(table(input, "x.csv", &auto), "Fecha,Valor, en pesos\n2020,\"1,5\"\n2021,\"2,5\"\n");
    let comma = dialect(|dialect| dialect.delimiter = Delimiter::Byte(b','));
    assert_eq!(table(input, "x.csv", &comma), "Fecha;Valor, en pesos\n2020;1,5\n2021;2,5\n");
    let titled = "Precios, en pesos\nFecha;Valor, medio\n2020;1,5\n2021;2,5\n";
    let error = bad(titled, &Query::new());
    assert_eq!(hint(&error), "[`skip_rows`] 1 [`delimiter`] ';'; if by a comma, [`delimiter`] ,");
    // These are tables with commas.
    for plain in ["gene|symbol,value\na|b,1\nc|d,2\n", "id, name\n1, a; b\n2, c\n", "id, \"a;b\"\n1, \"c;d\"\n"] {
        assert!(table(plain, "x.csv", &Query::new()).starts_with(&plain[..2]), "{plain}");
    }
}

#[test]
fn a_title_padded_with_delimiters_is_no_header() {
    for (input, line) in [
        ("Población;;\nid;name;pop\n1;a;5\n", 2),
        ("Población;;\n;;\n\nid;name;pop\n1;a;5\n", 4),
        ("\"Población\n2020\";;\nid;name;\n1;a;5\n", 3),
    ] {
        let error = bad(input, &dialect(|dialect| dialect.delimiter = Delimiter::Byte(b';')));
        assert!(
            hint(&error).starts_with(&format!("line {line} looks like the header: [`skip_rows`] {}", line - 1)),
            "{error:?}"
        );
    }
    for input in ["id,,\n1,2,3\n", "id,,\n1,a,b\n", ",a,b\n1,2,3\n", "id,\nx,y\n"] {
        assert_eq!(table(input, "x.csv", &Query::new()), input);
    }
    let named = dialect(|dialect| dialect.columns = ["a", "b", "c"].map(str::to_owned).to_vec());
    assert_eq!(table("Title,,\nid,name,pop\n", "x.csv", &named), "a,b,c\nid,name,pop\n");
}

#[test]
fn a_hint_for_ragged_rows_names_what_would_read_them() {
    let plain = Query::new();
    for (input, cure) in [
        ("a,b\nx,1,2\ny,3,4\n", "[`skip_rows`] 1 and [`header`] none, with [`columns`]"),
        ("\"a\",\"b\"\n\"1\",5,6\n\"2\",7,8\n", "a name may be missing there"),
        ("a,b\n1, \"x, y\"\n2, \"z, w\"\n", "it reads well with [`trim`]"),
        ("a,b\n1,x\\, y\n2,z\\, w\n", "it reads well with [`escape`] '\\'"),
        ("a,b\n1,'x, y'\n2,'z, w'\n", "[`quote`] \"'\""),
        ("of 2020, all\nx^y^z\n1^2^3\n2^3^4\n", "line 2 looks like the header: [`skip_rows`] 1 [`delimiter`] '^'"),
        ("Title, 2020\nid,name,x\n1,a,b\n", "line 2 looks like the header"),
        ("Title\nid,2019,2020\n1,a,b\n", "line 2 looks like the header"),
        ("a,b\n1,x\n\"Note: one, two\"\n", "[`footer`] 1"),
        ("a,b\n1,x\n\"Note: it's one, two\"\n\"and, more\"\n", "[`footer`] 2"),
        ("A,B\n1,2,,x\n3,4,,y\n", "[`ragged`] skip leaves"),
        ("A,B\n1,2,\n3,4,x\n", "[`skip_rows`] 1 and [`header`] none, with [`columns`]"),
    ] {
        let error = bad(input, &plain);
        assert!(hint(&error).contains(cure), "{input}: {error:?}");
    }
    for (input, cure) in [
        ("a^b\n1^2\n", "[`delimiter`] '^'"),
        ("a\u{1f}b\n1\u{1f}2\n", "[`delimiter`] $'\\x1f'"),
        ("a\u{1}b\n1\u{1}2\n", "[`delimiter`] $'\\x01'"),
        ("id  name\n 1   a\n12  b c\n", "columns of fixed width"),
    ] {
        let error = bad(input, &plain);
        assert!(
            hint(&error).contains(cure) && hint(&error).contains("if it is one column, [`delimiter`] ,"),
            "{error:?}"
        );
    }
    for one in ["Full name\nAna Ruiz\n", "A  name\nAna Ruiz\nLuis\n"] {
        assert_eq!(table(one, "x.csv", &plain), one);
    }
    assert_eq!(table("time:x\n12\n", "x.csv", &plain), "time:x\n12\n");
}

#[test]
fn a_header_without_names_is_refused_with_the_line_that_has_them() {
    let error = bad(",,\n,,\nid,name,x\n1,a,b\n", &Query::new());
    assert_eq!(error.to_string(), "x.csv: line 1: this header has no names");
    assert!(hint(&error).starts_with("line 3 looks like the header: [`skip_rows`] 2"), "{error:?}");
    let error = bad(",\n1,2\n", &Query::new());
    assert!(hint(&error).starts_with("if this is the header, name all columns with [`columns`]"), "{error:?}");
    let named = dialect(|dialect| dialect.columns = vec!["a".into(), "b".into()]);
    assert_eq!(table(",\n1,2\n", "x.csv", &named), "a,b\n1,2\n");
    for input in [",id\n0,5\n", "\"\"\n1\n", "a,,\n1,2,3\n"] {
        assert!(read(Cursor::new(input), "x.csv", &Query::new(), &()).is_ok(), "{input}");
    }
}

#[test]
fn a_sentence_with_commas_is_refused_like_one_without() {
    for input in [
        "Too many requests, try again later\n",
        "Sorry, no data\n",
        "Query failed: timeout, code 57014",
        "ERROR: relation \"x\" does not exist, line 1\n",
        "Your request failed,please retry.\n",
        "Forbidden\n",
    ] {
        let error = refused(input.as_bytes(), "x.csv");
        assert_eq!(error.kind(), Kind::Impostor, "{input}: {error}");
        assert!(error.message().starts_with("one line of text stands where a table should be: "), "{error}");
        assert_eq!(hint(&error).contains("[`delimiter`] ,"), input.contains(','), "{error:?}");
    }
    // A header without rows, and a line whose delimiter was named.
    for input in ["id,name\n", "id, name\n", "Total population,Area in km2\n", "id,Full name\n"] {
        assert!(read(Cursor::new(input), "x.csv", &Query::new(), &()).is_ok(), "{input}");
    }
    assert_eq!(good("Sorry, no data\n", "x.csv", &delimited(",")).header().len(), 2);
}

#[test]
fn few_lines_of_prose_are_read_with_a_warning() {
    for input in ["Not found,\nthe file is not here, sorry.\n", "Error: x y\nz\n"] {
        let said = warnings(input);
        assert!(said.iter().any(|said| said.contains("like a message, not like a table")), "{input}: {said:?}");
    }
    for input in ["id,name\n1,a\n", "Total population,Area\n5,7\n", "Too many,of them\n1,2\n3,4\n"] {
        assert!(warnings(input).is_empty(), "{input}");
    }
}

#[test]
fn a_header_that_looks_like_the_row_below_it_is_said() {
    for input in ["1,Ana,5\n2,Luis,7\n", "10,20\n30,40\n", "\"1\",a\n\"2\",b\n"] {
        let said = warnings(input);
        assert!(said.iter().any(|said| said.starts_with("the header looks like a row: ")), "{input}: {said:?}");
    }
    for input in ["id,2019,2020\n1,5,6\n", "2019,2020\n5,6\n", "1,name\n1,2\n", "1,2\n", "id,1\na,2\n"] {
        assert!(!warnings(input).iter().any(|said| said.contains("looks like a row")), "{input}");
    }
}

#[test]
fn a_table_that_another_delimiter_divides_into_more_fields_is_refused_with_both() {
    for (input, cure) in [("a;b,c;d\n1;2,3;4\n", "[`delimiter`] ';'"), ("a\tb,c\n1\t2,3\n", "[`delimiter`] tab")] {
        let error = refused(input.as_bytes(), "x.csv");
        assert!(hint(&error).contains(cure) && hint(&error).contains("[`delimiter`] ,"), "{error:?}");
        assert_eq!(table(input, "x.csv", &delimited(",")).lines().count(), 2);
        assert!(good(input, "x.csv", &delimited("auto")).header().len() >= 2);
    }
    // Values in parts, and a delimiter in quotes.
    for input in ["id,names;alias\n1,a;b\n", "id,\"a;b;c\"\n1,x\n", "id,a;b;c\n1,x\n"] {
        assert!(warnings(input).is_empty(), "{input}");
    }
}

#[test]
fn bytes_that_are_no_text_are_not_told_to_be_of_an_encoding() {
    for bytes in [&b"\x8b\x07\x80id,name\n1,a\n\x03"[..], b"\x9c\x01\x02\x04,\xff\n", b"id\x02\0\0\x04\n"] {
        let error = refused(bytes, "x.csv");
        assert!(hint(&error).contains("no text") && !hint(&error).contains("[`encoding`]"), "{error:?}");
    }
    let error =
        refused("1,ñ\n".repeat(3).into_bytes().into_iter().chain(*b"2,\xf1\n").collect::<Vec<_>>().as_slice(), "x.csv");
    assert!(hint(&error).contains("some of its lines are UTF-8 and some are not"), "{error:?}");
}

#[test]
fn a_file_of_this_machine_has_not_been_answered_by_a_server() {
    for name in ["x.csv", "x.zip"] {
        let error = refused(b"{\"a\": 1}\n", name);
        assert!(error.kind() == Kind::Impostor && !error.is_transient(), "{error:?}");
        assert!(!hint(&error).contains("server"), "{error:?}");
        let error = refused(b"{\"a\": 1}\n", &format!("https://h/{name}"));
        assert!(error.is_transient() && hint(&error).contains("servers"), "{error:?}");
    }
}

#[test]
fn the_charset_of_the_server_is_not_dropped_without_a_word() {
    let mut query = Query::new();
    query.served.charset = Some(Encoding::parse("iso-8859-1").unwrap());
    let rows = read(Cursor::new("año,b\n1,2\n"), "https://h/x.csv", &query, &()).unwrap();
    assert_eq!(rows.notes(), ["the server says windows-1252, but it is valid UTF-8, and was read so"]);
    query.served.charset = Some(Encoding::UTF_8);
    assert!(read(Cursor::new("año,b\n1,2\n"), "https://h/x.csv", &query, &()).unwrap().notes().is_empty());
}

#[test]
fn an_encoding_is_named_only_for_letters() {
    let error = refused(b"ciudad,b\nM\xe1laga,1\nBogot\xe1,2\nCuliac\xe1n,3\n", "x.csv");
    assert!(hint(&error).contains("(Málaga)") && !hint(&error).contains("macintosh"), "{error:?}");
    let error = refused(b"ciudad,b\nM\x87laga,1\nBogot\x87,2\nCuliac\x87n,3\n", "x.csv");
    assert!(hint(&error).contains("macintosh (Málaga)"), "{error:?}");
}

#[test]
fn a_cell_that_is_no_number_counts_whatever_else_decides() {
    let mut query = Query::new();
    (query.dialect.delimiter, query.dialect.numbers.decimal) = (Delimiter::Byte(b';'), ',');
    for filter in ["m == 1 and t < 10", "t < 10 and m == 1", "m != 1 or t < 10"] {
        query.filter = Some(Filter::parse(filter).unwrap());
        let rows = read(Cursor::new("m;t\n1;12,5\n2;1.5\n1;x\n"), "x.csv", &query, &()).unwrap();
        assert!(
            rows.warnings()[0].starts_with("column \"t\": 2 cells were no number"),
            "{filter}: {:?}",
            rows.warnings()
        );
    }
}

#[test]
fn of_a_text_and_documents_the_text_is_the_table() {
    let data = stored("datos.txt", b"a,b\n1,2\n");
    for others in [&["metodologia.pdf"][..], &["a.docx", "LEEME.txt"], &["README.md", "x.png"]] {
        let members: Vec<_> = [data.clone()].into_iter().chain(others.iter().map(|name| stored(name, b"x"))).collect();
        assert_eq!(text(read_all(&zip(&members), "a.zip").unwrap()), "1,2\n", "{others:?}");
    }
    let error = refused(&zip(&[data.clone(), stored("otros.txt", b"x"), stored("a.pdf", b"x")]), "a.zip");
    assert_eq!(error.message(), "no CSV among the members: datos.txt, otros.txt, a.pdf");
    let error = refused(&zip(&[stored("LEEME.txt", b"x"), stored("a.pdf", b"x")]), "a.zip");
    assert_eq!(error.kind(), Kind::Member);
}

#[test]
fn one_is_not_called_several() {
    let error = bad("a,b\n1\n", &Query::new());
    assert!(error.message().starts_with("this record has 1 field,"), "{error:?}");
    let mut named = dialect(|dialect| dialect.header = Header::None);
    named.dialect.columns = vec!["a".into()];
    let error = bad("1,2\n", &named);
    assert_eq!(error.message(), "its records have 2 fields, and 1 name was given for the columns");
    let error = bad("", &dialect(|dialect| dialect.skip_rows = 1));
    assert!(error.kind() == Kind::Empty, "{error:?}");
    let rows = read_all(&[&b"\x1f\x8b"[..], &gzip(b"a,b\n1,2\n")[2..], b"x"].concat(), "a.csv.gz").unwrap();
    assert_eq!(rows.warnings(), ["1 byte after the end of the gzip data is something else; it was left out"]);
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write as _;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}
