//! Delimiters, quotes and escapes, as tables in the world have them.

use super::{Hostile, read_all, read_query, refused, text};
use crate::{Dialect, Filter, Query, Quote, Rows, read};
use raudal_common::{Error, Kind};

pub(super) fn dialect(set: impl FnOnce(&mut Dialect)) -> Query {
    let mut query = Query::new();
    set(&mut query.dialect);
    query
}

pub(super) fn delimited(delimiter: &str) -> Query {
    dialect(|dialect| dialect.delimiter = delimiter.parse().unwrap())
}

pub(super) fn good(input: &str, name: &str, query: &Query) -> Rows {
    read_query(input.as_bytes(), name, query).unwrap_or_else(|error| panic!("{input:?}: {error:?}"))
}

/// The header and the rows as CSV.
pub(super) fn table(input: &str, name: &str, query: &Query) -> String {
    let rows = good(input, name, query);
    format!("{}\n{}", rows.header().join(","), text(rows))
}

pub(super) fn bad(input: &str, query: &Query) -> Error {
    read_query(input.as_bytes(), "x.csv", query).expect_err("it should be refused")
}

pub(super) fn hint(error: &Error) -> &str {
    error.hint_text().unwrap_or_default()
}

#[test]
fn a_header_of_one_column_that_holds_another_delimiter_is_refused_with_the_delimiter() {
    for (input, delimiter, cure) in [
        ("id;name;rate\n1;a;12,5\n2;b;3\n", ";", "[`delimiter`] ';'"),
        ("id\tname\n1\ta\n", "tab", "[`delimiter`] tab"),
        ("id|name\n1|a\n", "|", "[`delimiter`] '|'"),
        ("id;name\n", ";", "[`delimiter`] ';'"),
        ("id;rate;x\n1;12,5;a\n2;7,5;b\n", ";", "[`delimiter`] ';'"),
    ] {
        let error = refused(input.as_bytes(), "x.csv");
        assert_eq!(error.kind(), Kind::Csv);
        assert!(error.to_string().starts_with("x.csv: line 1: a header of one column that holds "), "{error}");
        assert!(hint(&error).contains(cure), "{error:?}");
        assert!(good(input, "x.csv", &delimited(delimiter)).header().len() > 1);
        assert_eq!(table(input, "x.csv", &delimited("auto")), table(input, "x.csv", &delimited(delimiter)));
    }
    let tabs = refused(b"id,name\n1,a\n", "x.tsv");
    assert!(hint(&tabs).contains("[`delimiter`] ,"), "{tabs:?}");
}

#[test]
fn one_column_is_read_when_its_delimiter_was_named_or_the_other_is_in_quotes() {
    assert_eq!(table("id;name\n1;a\n", "x.csv", &delimited(",")), "id;name\n1;a\n");
    let said = |input: &str, delimiter: &str| good(input, "x.csv", &delimited(delimiter)).warnings().to_vec();
    assert_eq!(
        said("id,name\n1,a\n", ";"),
        ["it has one column, but a comma divides all of it alike ([`delimiter`] ,)"]
    );
    for one in ["Valor, en pesos\n5\n", "\"id,name\"\n\"1,a\"\n", "id\n1\n"] {
        assert!(said(one, ";").is_empty(), "{one}");
    }
    assert_eq!(table("\"id;name\"\n1\n", "x.csv", &Query::new()), "id;name\n1\n");
}

#[test]
fn utf16_with_tabs_is_refused_with_the_delimiter_like_any_other() {
    let utf16: Vec<u8> = "\u{feff}id\tname\r\n1\té\r\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let error = refused(&utf16, "unicode.csv");
    assert!(hint(&error).contains("[`delimiter`] tab"), "{error:?}");
    assert_eq!(text(read_query(&utf16, "unicode.csv", &delimited("auto")).unwrap()), "1,é\n");
}

#[test]
fn auto_says_what_it_found_and_leaves_one_column_alone() {
    let rows = good("id\tname\n1\ta\n", "x.csv", &delimited("auto"));
    assert_eq!(rows.notes(), ["the delimiter that was found: tab"]);
    assert_eq!(table("phone\n111\n", "x.csv", &delimited("auto")), "phone\n111\n");
    let mut hash = delimited("auto");
    hash.dialect.comment = Some("#".into());
    assert_eq!(table("\n# a, b\n\nid;name\n1;a\n", "x.csv", &hash), "id,name\n1,a\n");
    let error = bad("A title\n\nid;name\n1;a\n2;b\n", &delimited("auto"));
    assert!(hint(&error).contains("[`skip_rows`] 2"), "{error:?}");
}

#[test]
fn a_first_line_for_excel_names_the_delimiter() {
    for input in [
        "sep=;\r\nid;name\r\n1;a\r\n",
        "SEP=;\nid;name\n1;a\n",
        "\"sep=;\"\nid;name\n1;a\n",
        "\u{feff}sep=;\rid;name\r1;a\r",
    ] {
        let rows = good(input, "x.csv", &Query::new());
        assert_eq!(rows.notes(), ["its first line names the delimiter: ';'"]);
        assert_eq!(rows.header(), ["id", "name"]);
        assert_eq!(text(rows), "1,a\n");
    }
    assert_eq!(table("sep=,\r\nid,name\r\n1,a\r\n", "x.csv", &Query::new()), "id,name\n1,a\n");
    assert_eq!(table("sep=\t\nid\tname\n", "x.csv", &Query::new()), "id,name\n");
    // The line is what it is, whichever delimiter was asked for.
    assert_eq!(table("sep=;\nid,name\n1,a\n", "x.csv", &delimited(",")), "id,name\n1,a\n");
    assert_eq!(
        refused(b"sep=;\nid;name\n1\n", "x.csv").to_string(),
        "x.csv: line 3: this record has 1 field, the header has 2"
    );
    assert_eq!(table("sep=10\n1\n", "x.csv", &Query::new()), "sep=10\n1\n");
}

#[test]
fn the_server_may_say_that_there_are_tabs() {
    let mut query = Query::new();
    query.served.media_type = Some("text/tab-separated-values".into());
    assert_eq!(table("id\tname\n1\ta\n", "http://x/tsv", &query), "id,name\n1,a\n");
    let mut query = Query::new();
    query.served.file_name = Some("Export 1.TSV".into());
    assert_eq!(table("id\tname\n1\ta\n", "http://x/export?id=1", &query), "id,name\n1,a\n");
    // It is about the whole, not about a member; and the name says more than the type.
    query.served.media_type = Some("text/tab-separated-values".into());
    assert_eq!(text(read_query(b"a,b\n1,2\n", "http://x/a.csv", &query).unwrap()), "1,2\n");
}

#[test]
fn text_after_a_closing_quote_is_kept_as_it_stands_and_said() {
    let input = "id\tname\tkind\n1\t\"Kostas\" Theatre\tTHTR\n2\t12\" pipe\tX\n";
    let rows = good(input, "names.tsv", &Query::new());
    assert_eq!(rows.warnings().len(), 1);
    assert!(rows.warnings()[0].starts_with("1 field has text after its closing quote and was kept as it stands"));
    assert!(rows.warnings()[0].contains("at line 2"), "{:?}", rows.warnings());
    let kept = text(rows);
    assert_eq!(kept, "1,\"\"\"Kostas\"\" Theatre\",THTR\n2,\"12\"\" pipe\",X\n");
    let letters = dialect(|dialect| dialect.quote = Quote::None);
    let rows = good(input, "names.tsv", &letters);
    assert!(rows.warnings().is_empty());
    assert_eq!(text(rows), kept);
    // Selected, filtered, in the header, in another dialect: the same.
    let mut query = Query::new();
    query.select = crate::Select::names(["name"]);
    query.filter = Some(Filter::parse("name == '\"Kostas\" Theatre'").unwrap());
    assert_eq!(text(good(input, "names.tsv", &query)), "\"\"\"Kostas\"\" Theatre\"\n");
    assert_eq!(good("\"a\"b,c\n1,2\n", "x.csv", &Query::new()).header(), ["\"a\"b", "c"]);
    let escaping = dialect(|dialect| dialect.escape = Some(b'\\'));
    let rows = good("a,b\n\"x\" y,2\n", "x.csv", &escaping);
    assert_eq!(rows.warnings().len(), 1);
    assert_eq!(text(rows), "\"\"\"x\"\" y\",2\n");
    // Blanks are no text.
    let rows = good("a,b\n\"x\" ,2\n", "x.csv", &Query::new());
    assert!(rows.warnings().is_empty());
    assert_eq!(text(rows), "x ,2\n");
}

#[test]
fn rows_that_a_quote_swallows_in_a_table_with_tabs_are_refused() {
    let input = "id\tname\tkind\n1\t\"Alpha\tA\n2\tBeta\tB\n3\tGamma\"\tC\n4\tDelta\tD\n";
    let error = read_all(input.as_bytes(), "swallow.tsv").unwrap_err();
    assert_eq!(error.to_string(), "swallow.tsv: line 2: a quoted field swallows 2 lines that are rows themselves");
    assert!(hint(&error).contains("[`quote`] none"), "{error:?}");
    let letters = dialect(|dialect| dialect.quote = Quote::None);
    assert_eq!(good(input, "swallow.tsv", &letters).rows_read(), 4);
    // Asked for, or not like rows, it is a field of several lines.
    let quoted = dialect(|dialect| dialect.quote = Quote::Byte(b'"'));
    assert_eq!(good(input, "swallow.tsv", &quoted).rows_read(), 2);
    assert_eq!(good("id\tname\tkind\n1\t\"two\nlines\"\tA\n", "x.tsv", &Query::new()).rows_read(), 1);
    assert_eq!(good("id,name\n1,\"a\nb,c\"\n", "x.csv", &Query::new()).rows_read(), 1);
    let open = read_all(b"id\tname\n1\t\"Alpha\n2\tBeta\n", "open.tsv").unwrap_err();
    assert!(hint(&open).contains("[`quote`] none"), "{open:?}");
}

#[test]
fn escapes_and_other_quotes_are_read_and_hinted_at() {
    let input = "id,name\n1,\"say \\\"hi\\\", ok\"\n2,b\n";
    let error = refused(input.as_bytes(), "x.csv");
    assert!(hint(&error).contains("[`escape`] '\\'"), "{error:?}");
    let escaping = dialect(|dialect| dialect.escape = Some(b'\\'));
    assert_eq!(table(input, "x.csv", &escaping), "id,name\n1,\"say \"\"hi\"\", ok\"\n2,b\n");
    assert_eq!(
        text(good("a,b\n1\\,5,\\\\\n\"a\"\"b\",x\\\ny\n", "x.csv", &escaping)),
        "\"1,5\",\\\n\"a\"\"b\",\"x\ny\"\n"
    );
    let input = "'id','name'\n1,'a,b'\n2,'it''s'\n";
    let error = refused(input.as_bytes(), "x.csv");
    assert!(hint(&error).contains("[`quote`] \"'\""), "{error:?}");
    let single = dialect(|dialect| dialect.quote = "'".parse().unwrap());
    assert_eq!(table(input, "x.csv", &single), "id,name\n1,\"a,b\"\n2,it's\n");
}

#[test]
fn a_record_in_another_dialect_is_the_same_wherever_a_read_ends() {
    let input = "# no\n'a';b\n'x''y\\';\r\nz' ; \\;\n# 'no\n\"1\";2\r";
    let query = dialect(|dialect| {
        dialect.delimiter = ";".parse().unwrap();
        dialect.quote = "'".parse().unwrap();
        dialect.escape = Some(b'\\');
        dialect.comment = Some("#".into());
        dialect.trim = true;
    });
    let whole = table(input, "x.csv", &query);
    assert_eq!(whole, "a,b\n\"x'y';\r\nz\",;\n\"\"\"1\"\"\",2\n");
    for most in 1..8 {
        let rows = read(Hostile::new(input.as_bytes(), most), "x.csv", &query, &()).unwrap();
        assert_eq!(format!("a,b\n{}", text(rows)), whole, "{most} bytes a read");
    }
    // Cut at any place it is a table, or an error: never a panic.
    for end in 0..input.len() {
        let _ = read_query(&input.as_bytes()[..end], "x.csv", &query);
    }
}

#[test]
fn records_of_another_dialect_that_are_longer_than_the_buffer_are_whole() {
    let cell = "x;y'".repeat(200_000);
    let input = format!("a,b\n1,'{}'\n2,z\n", cell.replace('\'', "''"));
    let query = dialect(|dialect| dialect.quote = "'".parse().unwrap());
    assert_eq!(text(good(&input, "x.csv", &query)), format!("1,{cell}\n2,z\n"));
}
