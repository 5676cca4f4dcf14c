//! What stands above, below and between the rows of a table: headers, comments, footers, other numbers of fields.

use super::dialect::{bad, delimited, dialect, good, hint, table};
use super::{Hostile, deflated, read_all, read_query, refused, text, zip};
use crate::{Dialect, Filter, Header, Query, Quote, Ragged, RepeatedHeader, read};
use raudal_common::Kind;

#[test]
fn comments_are_left_out_and_counted() {
    let hash = dialect(|dialect| dialect.comment = Some("#".into()));
    let rows = good("# source: x\n# \"made: y\nid,name\n1,a\n#2,b\n3,#c\n# end", "x.csv", &hash);
    assert_eq!(rows.notes(), ["4 comments were left out, the first at line 1: \"# source: x\""]);
    assert_eq!(text(rows), "1,a\n3,#c\n");
    let error = refused(b"# source: x\n# made: y\nid,name\n1,a\n", "x.csv");
    assert!(hint(&error).contains("[`skip_rows`] 2; if what is above it are comments, [`comment`] '#'"), "{error:?}");
    let slashes = dialect(|dialect| dialect.comment = Some("//".into()));
    assert_eq!(table("// x\na,b\n/1,2\n", "x.csv", &slashes), "a,b\n/1,2\n");
    let error = refused(b"id,name\n1,a\n# the end\n", "x.csv");
    assert!(hint(&error).contains("[`comment`] '#'"), "{error:?}");
}

#[test]
fn lines_above_the_header_are_skipped_and_the_refusal_says_how_many() {
    let input = "Population by region\nof 2020, in thousands\n\nid,name,pop\n1,a,5\n2,b,6\n";
    let error = refused(input.as_bytes(), "x.csv");
    assert!(hint(&error).contains("line 4 looks like the header: [`skip_rows`] 3"), "{error:?}");
    let skipping = dialect(|dialect| dialect.skip_rows = 3);
    assert_eq!(table(input, "x.csv", &skipping), "id,name,pop\n1,a,5\n2,b,6\n");
    let header = dialect(|dialect| dialect.header = Header::Line(4));
    assert_eq!(table(input, "x.csv", &header), table(input, "x.csv", &skipping));
    // A title of one line; one with a semicolon; with a quote in it; one that is counted in lines of CRLF.
    let error = refused(b"Title; of 2020\nid,name,pop\n1,a,5\n2,b,6\n", "x.csv");
    assert!(hint(&error).contains("[`skip_rows`] 1"), "{error:?}");
    let skipping = dialect(|dialect| dialect.skip_rows = 2);
    assert_eq!(table("a \"b\r\n\r\nid,name\r\n1,a\r\n", "x.csv", &skipping), "id,name\n1,a\n");
    let error = bad("a\nb\nid,name\n1\n", &skipping);
    assert_eq!(error.to_string(), "x.csv: line 4: this record has 1 field, the header has 2");
    let error = bad("a\n", &skipping);
    assert_eq!(error.kind(), Kind::Empty);
    assert!(hint(&error).contains("[`skip_rows`]"));
}

#[test]
fn a_table_without_a_header_has_names_of_its_own() {
    let none = dialect(|dialect| dialect.header = Header::None);
    assert_eq!(table("1,Ana,5\n2,Luis,7\n", "x.csv", &none), "column_1,column_2,column_3\n1,Ana,5\n2,Luis,7\n");
    let named = dialect(|dialect| {
        dialect.header = Header::None;
        dialect.columns = ["id", "name", "n"].map(str::to_owned).to_vec();
    });
    let rows = good("1,\"A\nna\",5\n2,Luis,7\n", "x.csv", &named);
    assert_eq!((rows.header(), rows.rows_read()), (&["id", "name", "n"].map(str::to_owned)[..], 2));
    let error = bad("1,2\n", &named);
    assert_eq!(
        (error.kind(), error.message()),
        (Kind::Headers, "its records have 2 fields, and 3 names were given for the columns")
    );
    let error = bad("1,2,3\n4,5\n", &named);
    assert_eq!(error.message(), "this record has 2 fields, the first one has 3");
    // With a header, they take its place.
    let renamed = dialect(|dialect| dialect.columns = vec!["x".into(), "y".into()]);
    assert_eq!(table("a,b\n1,2\n", "x.csv", &renamed), "x,y\n1,2\n");
}

#[test]
fn lines_below_the_rows_are_dropped_and_hinted_at() {
    let input = "date;usd\n20240102;3,9\n20240103;4,0\n\nkod;nazwa;x\n";
    let query = delimited(";");
    let error = bad(input, &query);
    assert_eq!(error.to_string(), "x.csv: line 5: this record has 3 fields, the header has 2");
    assert!(hint(&error).contains("[`footer`] 1"), "{error:?}");
    for footer in 1..=2 {
        let mut query = query.clone();
        query.dialect.footer = footer;
        for most in [1, 7, 1000] {
            let rows = read(Hostile::new(input.as_bytes(), most), "x.csv", &query, &()).unwrap();
            let note = ["1 line at the end was left out", "2 lines at the end were left out"][footer as usize - 1];
            assert_eq!(rows.notes(), [note]);
            assert_eq!(text(rows), "20240102,\"3,9\"\n20240103,\"4,0\"\n");
        }
    }
    // Longer than the buffer; an error keeps its line.
    let long: String = std::iter::once("a,b\n".to_owned()).chain((0..100_000).map(|n| format!("{n},x\n"))).collect();
    let footed = dialect(|dialect| dialect.footer = 3);
    let rows = good(&(long.clone() + "\"x\ny\nz"), "x.csv", &footed);
    assert_eq!((rows.rows_read(), text(rows) == long[4..]), (100_000, true));
    let mut bytes = long.into_bytes();
    bytes.extend_from_slice(b"1,\xff\n");
    assert!(read_query(&bytes, "x.csv", &footed).unwrap_err().to_string().contains("line 100002: column b"));
}

#[test]
fn trimmed_cells_lose_their_blanks_quoted_or_not() {
    let trimming = dialect(|dialect| dialect.trim = true);
    let input = " id , name\t\n 1, \"a, b\" \n2,\"  c \"\n\u{a0}3,d\u{2003}\n   \n";
    assert_eq!(table(input, "x.csv", &trimming), "id,name\n1,\"a, b\"\n2,c\n3,d\n");
}

#[test]
fn ragged_records_are_padded_or_skipped_on_request_and_said() {
    let input = "id,name\n1,a\n2\n3,c,d\n\"4\",\"e,\",x,y\n5,f\n";
    let error = refused(input.as_bytes(), "x.csv");
    assert_eq!(error.to_string(), "x.csv: line 3: this record has 1 field, the header has 2");
    assert!(hint(&error).contains("[`ragged`]"), "{error:?}");
    let rows = good(input, "x.csv", &dialect(|dialect| dialect.ragged = Ragged::Pad));
    assert_eq!(
        rows.warnings(),
        [
            "1 short record was filled with empty fields, at line 3: \"2\"",
            "2 long records lost their surplus fields, the first at line 4: \"3,c,d\"",
        ]
    );
    assert_eq!(text(rows), "1,a\n2,\n3,c\n4,\"e,\"\n5,f\n");
    let rows = good(input, "x.csv", &dialect(|dialect| dialect.ragged = Ragged::Skip));
    assert_eq!(rows.warnings(), ["3 records were left out for their number of fields, the first at line 3: \"2\""]);
    assert_eq!(rows.rows_read(), 2);
    assert_eq!(text(rows), "1,a\n5,f\n");
    // The same in another dialect.
    let semicolons = dialect(|dialect| {
        (dialect.ragged, dialect.trim) = (Ragged::Pad, true);
        dialect.delimiter = ";".parse().unwrap();
    });
    assert_eq!(text(good("id;name\n1\n2;c;d\n", "x.csv", &semicolons)), "1,\n2,c\n");
}

#[test]
fn a_repeated_header_is_warned_of_or_dropped() {
    let input = "id,name\n1,a\nid,name\n2,b\n\u{feff}id,name\n3,c\n";
    let rows = good(input, "x.csv", &Query::new());
    assert!(
        rows.warnings()[0].starts_with("2 records repeat the header and were kept as rows"),
        "{:?}",
        rows.warnings()
    );
    assert!(rows.warnings()[0].contains("[`repeated_header`] drop"));
    assert_eq!(rows.rows_read(), 5);
    let rows = good(input, "x.csv", &dialect(|dialect| dialect.repeated_header = RepeatedHeader::Drop));
    assert_eq!(rows.warnings()[0], "2 repeated headers were left out, the first at line 3: \"id,name\"");
    assert!(rows.warnings()[1].starts_with("1 byte order mark before a record was dropped"), "{:?}", rows.warnings());
    assert_eq!(rows.rows_read(), 3);
    assert_eq!(text(rows), "1,a\n2,b\n3,c\n");
}

#[test]
fn a_delimiter_at_the_end_of_each_row_is_dropped_with_a_warning() {
    let rows = good("A,B,C\n1,4,7,\n2,5,8,\n", "x.csv", &Query::new());
    assert!(
        rows.warnings()[0].starts_with("2 records end with a delimiter that the header lacks"),
        "{:?}",
        rows.warnings()
    );
    assert_eq!(rows.header(), ["A", "B", "C"]);
    assert_eq!(text(rows), "1,4,7\n2,5,8\n");
    // With something in it, or only from some row on, it is a ragged record.
    assert_eq!(
        refused(b"A,B,C\n1,4,7,\n2,5,8,9\n", "x.csv").to_string(),
        "x.csv: line 3: this record has 4 fields, the header has 3"
    );
    assert_eq!(
        refused(b"A,B,C\n1,4,7\n2,5,8,\n", "x.csv").to_string(),
        "x.csv: line 3: this record has 4 fields, the header has 3"
    );
    let trimming = dialect(|dialect| dialect.trim = true);
    assert_eq!(text(good("A,B\n1 ,4,\n", "x.csv", &trimming)), "1,4\n");
    // In the header too: a column without a name.
    assert_eq!(table("A,B,\n1,4,\n", "x.csv", &Query::new()), "A,B,\n1,4,\n");
}

#[test]
fn all_that_is_empty_at_the_end_of_each_row_is_dropped_if_the_header_lacks_it() {
    for input in [
        "A,B\n1,2,\"\"\n3,4,\n",
        "A,B\n1,2, \n3,4,\n",
        "A,B\n1,2,,\n3,4,,\n",
        "A,B\n\"1\",\"2\",\"\"\n\"3\",\"4\",\"\"\n",
    ] {
        let rows = good(input, "x.csv", &Query::new());
        assert!(rows.warnings()[0].starts_with("2 records end with a delimiter that the header lacks"), "{input}");
        assert_eq!(text(rows), "1,2\n3,4\n", "{input}");
    }
    for input in ["A,B\n1,2,,\n3,4,,x\n", "A,B\n1,2,\"x\"\n", "A,B\n1,2\n3,4,,\n"] {
        refused(input.as_bytes(), "x.csv");
    }
}

#[test]
fn escapes_that_mean_more_to_other_programs_are_said() {
    let escaped = dialect(|dialect| dialect.escape = Some(b'\\'));
    let rows = good("id,name\n1,a\\nb\n2,\\N\n3,\"c\\\"d\\,\\\\\"\n", "x.csv", &escaped);
    assert_eq!(rows.warnings().len(), 1);
    assert!(rows.warnings()[0].starts_with("2 records have an escape before a letter"), "{:?}", rows.warnings());
    assert_eq!(text(rows), "1,anb\n2,N\n3,\"c\"\"d,\\\"\n");
}

#[test]
fn lines_that_look_like_rows_in_a_quoted_field_are_said() {
    let input = "id;name\n1;\"Alpha\n2;Beta\n3;Gamma\"\n4;d\n";
    let rows = good(input, "x.csv", &delimited(";"));
    assert_eq!(rows.rows_kept(), 2);
    assert_eq!(
        rows.warnings(),
        ["1 field in quotes holds lines that look like rows ([`quote`] none takes quotes for letters), at line 2: \
          \"1;\"Alpha\\n2;Beta\\n3;Gamma\"\""]
    );
    assert_eq!(good("id,name\n1,\"Alpha\n2,Beta\"\n", "x.csv", &Query::new()).warnings().len(), 1);
    for one in ["id,name\n1,\"Alpha\nBeta\"\n", "id,name\n1,\"Alpha\rBeta\"\n"] {
        assert!(good(one, "x.csv", &Query::new()).warnings().is_empty());
    }
    assert_eq!(text(good("id\tname\n1\t\"a\rb\"\n", "x.tsv", &Query::new())), "1,\"a\rb\"\n");
    // Far behind what is read first.
    let long = format!("id;name\n{}{}", "1;abc\n".repeat(200_000), &input[8..]);
    let rows = good(&long, "x.csv", &delimited(";"));
    assert!(rows.warnings().len() == 1 && rows.warnings()[0].contains("at line 200002"), "{:?}", rows.warnings());
    let mut meant = delimited(";");
    meant.dialect.quote = "\"".parse().unwrap();
    assert!(good(input, "x.csv", &meant).warnings().is_empty());
}

#[test]
fn the_end_mark_of_dos_is_no_row() {
    for (input, rows) in [
        ("id,name\r\n1,a\r\n2,b\r\n\x1a", "1,a\n2,b\n"),
        ("id\r\n1\r\n2\r\n\x1a", "1\n2\n"),
        ("id\r\n1\r\n2\x1a", "1\n2\n"),
        ("id\n1\n\x1a\x1a\x1a", "1\n"),
        ("id\n1\n\x1a\r\n", "1\n"),
    ] {
        for query in
            [Query::new(), dialect(|dialect| dialect.trim = true), dialect(|dialect| dialect.quote = Quote::None)]
        {
            let read = good(input, "x.csv", &query);
            assert_eq!(read.notes(), ["the end mark of DOS (0x1A) at the end was dropped"], "{input:?}");
            assert_eq!(text(read), rows, "{input:?}");
        }
    }
    let footed = dialect(|dialect| dialect.footer = 1);
    assert_eq!(text(good("id\n1\nend\n\x1a", "x.csv", &footed)), "1\n");
    assert!(refused(b"id\n1\n\x1a\n2\n", "x.csv").to_string().contains("line 3: an end mark of DOS"));
}

#[test]
fn an_empty_line_between_the_rows_of_one_column_is_an_empty_cell() {
    for input in
        ["phone\n111\n\n333\n", "phone\r\n111\r\n\r\n333", "phone\r111\r\r333\r", "phone\r\r\n111\r\r\n\r\r\n333\r\r\n"]
    {
        for most in [1, 2, 3, 1000] {
            let rows = read(Hostile::new(input.as_bytes(), most), "x.csv", &Query::new(), &()).unwrap();
            assert!(rows.warnings().is_empty());
            assert_eq!(text(rows), "111\n\"\"\n333\n", "{input:?}");
        }
    }
    let rows = good("phone\n111\n\n\n", "x.csv", &Query::new());
    assert_eq!(rows.warnings(), ["2 empty lines at the end were not taken for rows"]);
    assert_eq!(text(rows), "111\n");
    assert_eq!(text(good("a,b\n1,2\n\n3,4\n", "x.csv", &Query::new())), "1,2\n3,4\n");
    assert!(refused(b"phone\n1\n\n\n2,3\n", "x.csv").to_string().contains("line 5"));
}

#[test]
fn json_xml_html_and_messages_are_no_tables() {
    for (body, what) in [
        ("{\"error\":{\"message\":\"quota exceeded\",\"code\":429}}\n", "JSON stands"),
        ("{\"success\": false}", "JSON stands"),
        ("\u{feff}[{\"a\": 1}]", "JSON stands"),
        ("<?xml version=\"1.0\"?>\n<Error>no</Error>", "XML stands"),
        ("<!DOCTYPE html>\n<p>no", "HTML stands"),
        ("Service temporarily unavailable", "one line of text stands"),
        ("404 page not found\n", "one line of text stands"),
    ] {
        let error = refused(body.as_bytes(), "https://h/x.csv");
        assert_eq!((error.kind(), error.is_transient()), (Kind::Impostor, true), "{body}");
        assert!(error.message().starts_with(what), "{error}");
        assert!(hint(&error).contains("try again"));
    }
    let member = zip(&[deflated("a.csv", b"{\"a\": 1}")]);
    assert_eq!(refused(&member, "x.zip").kind(), Kind::Impostor);
    for table in ["[id],[name]\n1,2\n", "id\n", "two words\n1\n", "{a},b\n"] {
        assert!(read_all(table.as_bytes(), "x.csv").is_ok(), "{table}");
    }
    let mut query = Query::new();
    query.served.media_type = Some("application/problem+json".into());
    assert_eq!(bad("Forbidden\n", &query).kind(), Kind::Impostor);
    assert_eq!(table("a,b\n1,2\n", "x.csv", &query), "a,b\n1,2\n");
}

#[test]
fn numbers_are_compared_as_they_are_written() {
    let kept = |input: &str, filter: &str, decimal: char, thousands: Option<char>| {
        let mut query = delimited(";");
        query.filter = Some(Filter::parse(filter).unwrap());
        (query.dialect.numbers.decimal, query.dialect.numbers.thousands) = (decimal, thousands);
        let rows = good(input, "x.csv", &query);
        (rows.warnings().to_vec(), text(rows))
    };
    let german = "m;t\nA;1.234\nB;12,5\n";
    assert_eq!(kept(german, "t < 10", ',', Some('.')), (vec![], String::new()));
    assert_eq!(kept(german, "t == 1234 or t == 12.5", ',', Some('.')).1, "A,1.234\nB,\"12,5\"\n");
    let (warnings, rows) = kept(german, "t < 10", '.', None);
    assert_eq!(rows, "A,1.234\n");
    assert_eq!(
        warnings,
        [
            "column \"t\": 1 cell was no number for the filter, and so null, at line 3: \"12,5\" ([`decimal`], [`thousands`] and \
          [`null`] say how numbers and nulls are written)"
        ]
    );
    assert_eq!(kept("id;tasa\n1;12,5\n2;3,5\n3;100\n", "tasa > 10", ',', None).1, "1,\"12,5\"\n3,100\n");
    for (spelled, thousands) in
        [("1,234", ','), ("1 234", ' '), ("1\u{202f}234", ' '), ("1'234", '\''), ("1’234", '\'')]
    {
        let (warnings, rows) = kept(&format!("id;pop\n1;{spelled}\n2;12\n"), "pop > 1000", '.', Some(thousands));
        assert_eq!((warnings.len(), rows.lines().count()), (0, 1), "{spelled}");
    }
}

#[test]
fn cells_that_the_filter_takes_for_null_are_counted_unless_they_are_empty_or_named() {
    let mut query = Query::new();
    query.filter = Some(Filter::parse("x > 10 and y in [1, 2, 3]").unwrap());
    let input = "x,y\n45.6 b,1\n, \n11,*\n12,N/D\n13,p\n";
    let rows = good(input, "x.csv", &query);
    assert!(rows.warnings()[0].starts_with("column \"x\": 1 cell was no number"), "{:?}", rows.warnings());
    assert!(rows.warnings()[1].starts_with("column \"y\": 3 cells were no number"), "{:?}", rows.warnings());
    assert!(rows.warnings()[1].contains("the first at line 4: \"*\""), "{:?}", rows.warnings());
    query.nulls = crate::Nulls::new(["*", "N/D"]);
    assert!(good(input, "x.csv", &query).warnings()[1].starts_with("column \"y\": 1 cell was no number"));
    query.filter = Some(Filter::parse("y is null").unwrap());
    assert_eq!(text(good(input, "x.csv", &query)), ", \n11,*\n12,N/D\n");
    query.nulls = crate::Nulls::new(["-999"]);
    query.filter = Some(Filter::parse("x < 0").unwrap());
    assert_eq!(text(good("x,y\n-999,1\n-1,2\n", "x.csv", &query)), "-1,2\n");
}

#[test]
fn a_dialect_that_contradicts_itself_is_a_usage_error() {
    let is_usage = |set: fn(&mut Dialect)| {
        let error = bad("a,b\n", &dialect(set));
        assert_eq!(error.kind(), Kind::Usage, "{error}");
    };
    is_usage(|dialect| (dialect.delimiter, dialect.quote) = ("'".parse().unwrap(), "'".parse().unwrap()));
    is_usage(|dialect| (dialect.delimiter, dialect.comment) = (";".parse().unwrap(), Some(";".into())));
    is_usage(|dialect| dialect.comment = Some(String::new()));
    is_usage(|dialect| dialect.header = Header::Line(0));
    is_usage(|dialect| dialect.columns = vec!["a".into(), "a".into()]);
    is_usage(|dialect| dialect.numbers.thousands = Some('.'));
    is_usage(|dialect| dialect.numbers.decimal = '5');
    is_usage(|dialect| dialect.escape = Some(b'\n'));
}
