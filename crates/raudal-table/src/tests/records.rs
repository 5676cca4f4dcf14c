//! Compares the record splitter with the `csv` crate, and tests refusals.

use proptest::prelude::*;

use super::{Hostile, read_all, read_query, refused, text};
use crate::{Delimiter, Query, Select, read};
use raudal_common::Kind;

/// Returns header and rows as the `csv` crate reads them; `None` if it refuses or finds no header.
fn reference(input: &[u8], delimiter: u8) -> Option<(Vec<String>, String)> {
    let mut reader =
        csv::ReaderBuilder::new().has_headers(false).flexible(false).delimiter(delimiter).from_reader(input);
    let mut writer = csv::Writer::from_writer(Vec::new());
    let mut header = None;
    for record in reader.byte_records() {
        let record = record.ok()?;
        if header.is_none() {
            header = Some(record.iter().map(|name| String::from_utf8(name.to_vec()).unwrap()).collect());
        } else {
            writer.write_byte_record(&record).unwrap();
        }
    }
    Some((header?, String::from_utf8(writer.into_inner().unwrap()).unwrap()))
}

fn agree(input: &str, delimiter: u8) {
    let mut query = Query::new();
    query.dialect.delimiter = Delimiter::Byte(delimiter);
    let ours = read_query(input.as_bytes(), "x.csv", &query);
    match (ours, reference(input.as_bytes(), delimiter)) {
        // Different on purpose: text after a closing quote.
        (Ok(rows), _) if rows.warnings().iter().any(|said| said.contains("closing quote")) => {}
        // Different on purpose: a byte order mark before a record that is not the first.
        (Ok(rows), _) if rows.warnings().iter().any(|said| said.contains("byte order mark")) => {}
        (Err(_), Some(_)) if input.char_indices().any(|(at, c)| at > 0 && c == '\u{feff}') => {}
        (Ok(rows), Some((header, expected))) => {
            assert_eq!(rows.header(), header, "{input:?}");
            let is_one_column = rows.header().len() == 1;
            // Different on purpose: blank lines between the rows of one column.
            let without_blank = |text: String| -> Vec<String> {
                let is_row = |line: &&str| !(is_one_column && *line == "\"\"");
                text.split('\n').filter(is_row).map(str::to_owned).collect()
            };
            let [ours, expected] = [text(rows), expected].map(without_blank);
            assert_eq!(ours, expected, "{input:?}");
        }
        // Different on purpose: a delimiter more at the end of each record.
        (Ok(rows), None) if rows.warnings().iter().any(|said| said.contains("that the header lacks")) => {}
        (Ok(rows), None) => panic!("the csv crate refuses {input:?}, we read {rows:?}"),
        (Err(error), Some(_)) => {
            // Stricter on purpose: an unclosed quote, the line of a message, rows within a field, a title, a header
            // without names, blanks alone.
            let intended = ["never closes", "one line of text", "swallows", "one name", "no names", "but blanks"]
                .iter()
                .any(|why| error.message().contains(why));
            assert!(intended, "the csv crate reads {input:?}, we refuse: {error}");
        }
        (Err(_), None) => {}
    }
}

/// Inputs that splitters often get wrong.
const TRAPS: &[&str] = &[
    "a,b\n1,2\n",
    "a,b\r\n1,2\r\n",
    "a,b\r1,2\r3,4",
    "a,b\n\n\r\n1,2\n\n",
    "\n\na,b\n1,2",
    "a,b\n\"1\",\"2,\n\"\"3\"\"\"\n",
    "a,b\n1\"2,\"3\"4\"5\n",
    "a,b\n\"1\"x,\"\"\n",
    "a,b\n\"1\"\r\n",
    "a,b\n1,\n",
    "a,b\n,\n",
    "a\n\"\"\n\"\"",
    "a\n \n",
    "a,b\n\"\r\n\",\"\r\"\n",
    "\u{feff}a,b\n1,2\n",
    "\u{feff}\"a\",b\n1,2\n",
    "a,\u{feff}b\n\u{feff}1,2\n",
    "a,b\n1,2,3\n",
    "a,b\n\"1,2\n3,4\n",
    "\"\n",
    "\"\"",
    "é,b\n\"°'\"\"\",ü\n",
    "a;b\n1;2,3\n",
];

#[test]
fn the_splitter_agrees_with_the_csv_crate_on_known_traps() {
    for input in TRAPS {
        agree(input, b',');
        agree(input, b';');
        agree(input, b'\t');
    }
}

#[test]
fn the_splitter_agrees_with_the_csv_crate_wherever_a_trap_falls() {
    for trap in TRAPS {
        // Longer than the widest vector that is searched at once.
        for before in 0..130 {
            let padding = "x".repeat(before);
            agree(&format!("a,b\n{padding},{trap}"), b',');
            agree(&format!("a,b\n\"{padding},{trap}\",{trap}"), b',');
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(debug_assertions) { 4000 } else { 40000 }))]

    #[test]
    fn the_splitter_agrees_with_the_csv_crate(parts in proptest::collection::vec(
        prop_oneof![Just("\""), Just("\"\""), Just(","), Just(";"), Just("\n"), Just("\r\n"), Just("\r"), Just("a"), Just("é"),
            Just(" "), Just("\u{feff}"), Just("1,2\n"), Just("\"x,y\","), Just("\",\"")], 0..24)) {
        let input = parts.concat();
        agree(&input, b',');
        agree(&input, b';');
        agree(&format!("a,b\n{input}"), b',');
    }

    #[test]
    fn any_selection_finds_the_fields_that_the_csv_crate_finds(
        cells in proptest::collection::vec(prop_oneof![Just("1"), Just(""), Just("\"x,\""), Just("\"\""), Just("a\"b"), Just("\"q\"\"z\"")], 2..12),
        wanted in proptest::collection::vec(0usize..12, 1..4)) {
        let names: Vec<String> = (0..cells.len()).map(|at| format!("c{at}")).collect();
        let mut query = Query::new();
        let mut select: Vec<String> = Vec::new();
        for at in wanted {
            let name = names[at % names.len()].clone();
            if !select.contains(&name) {
                select.push(name);
            }
        }
        query.select = select.clone().into();
        let input = format!("{}\n{}\n", names.join(","), cells.join(","));
        let mut reader = csv::Reader::from_reader(input.as_bytes());
        let record = reader.records().next().unwrap().unwrap();
        let mut writer = csv::Writer::from_writer(Vec::new());
        writer.write_record(select.iter().map(|name| &record[name[1..].parse::<usize>().unwrap()])).unwrap();
        let ours = text(read_query(input.as_bytes(), "x.csv", &query).unwrap());
        prop_assert_eq!(ours.as_bytes(), writer.into_inner().unwrap());
    }

    #[test]
    fn the_size_of_reads_makes_no_difference(parts in proptest::collection::vec(
        prop_oneof![Just("\"q\"\"\n\","), Just("x,"), Just("é\n"), Just("\r\n"), Just("°")], 0..60), most in 1usize..9) {
        let input = format!("\u{feff}a,b\n{}", parts.concat());
        let whole = read_all(input.as_bytes(), "x.csv").map(text).map_err(|error| error.to_string());
        let bits = read(Hostile::new(input.as_bytes(), most), "x.csv", &Query::new(), &()).map(text).map_err(|error| error.to_string());
        prop_assert_eq!(whole, bits);
    }
}

#[test]
fn records_across_the_borders_of_the_buffer_are_whole() {
    // Rows of growing length, some with quotes, so that the buffer ends in every part of a row.
    let mut input = String::from("a,b\n");
    let mut expected = String::new();
    for at in 0..600 {
        let cell = "x".repeat(2_000 + at);
        let (row, canonical) = if at % 2 == 0 {
            (format!("{cell},{at}\r\n"), format!("{cell},{at}\n"))
        } else {
            (format!("\"{cell}\"\"\",é\n"), format!("\"{cell}\"\"\",é\n"))
        };
        input.push_str(&row);
        expected.push_str(&canonical);
    }
    assert_eq!(text(read_all(input.as_bytes(), "x.csv").unwrap()), expected);
}

#[test]
fn a_ragged_record_is_refused_with_its_line_and_its_counts() {
    for (input, line, fields) in [
        ("a,b,c\n1,2,3\n4,5\n", 3, "2 fields"),
        ("a,b,c\r\n\r\n\"1\r\n\",2,3\r\n4\r\n", 5, "1 field"),
        ("a,b,c\r1,2,3\r4,5,6,7\r", 3, "4 fields"),
        ("a,b,c\n1,\"2,x\",3,\"4\"", 2, "4 fields"),
    ] {
        let error = refused(input.as_bytes(), "x.csv");
        assert_eq!(error.kind(), Kind::Csv);
        let said = format!("x.csv: line {line}: this record has {fields}, the header has 3");
        assert_eq!(error.to_string(), said, "{input:?}");
    }
}

#[test]
fn a_quote_that_never_closes_is_refused_where_it_opens() {
    let error = refused(b"a,b\n1,2\n3,\"4\n5,6\n7,8\n", "x.csv");
    assert_eq!(error.to_string(), "x.csv: line 3: column b: the quote that opens here never closes");
    let swallowed = format!("a,b\n1,\"{}", "2,3\n".repeat(1 << 20));
    let error = refused(swallowed.as_bytes(), "x.csv");
    assert_eq!(
        (error.kind(), error.to_string().starts_with("x.csv: line 2: column b: a field is longer")),
        (Kind::Bounds, true)
    );
    assert!(error.hint_text().unwrap().contains("may be missing its end"), "{error:?}");
}

#[test]
fn a_field_of_two_mebibytes_is_refused_with_its_line_unless_allowed() {
    let long = "x".repeat(2 << 20);
    for input in [format!("a,b\n1,2\n3,{long}\n"), format!("a,b\n1,2\n3,\"{long}\"\n"), format!("a,b\n1,2\n3,{long}")] {
        let error = refused(input.as_bytes(), "x.csv");
        assert_eq!(error.kind(), Kind::Bounds);
        assert_eq!(error.to_string(), "x.csv: line 3: column b: a field is longer than the limit: 1048576 bytes");
        assert!(error.hint_text().unwrap().contains("[`max_field_size`]"));
        let mut query = Query::new();
        query.limits.field_bytes = 3 << 20;
        assert_eq!(read_query(input.as_bytes(), "x.csv", &query).unwrap().rows_read(), 2);
    }
}

#[test]
fn a_record_is_bounded_too_but_many_fields_are_no_long_field() {
    let mut query = Query::new();
    query.limits.field_bytes = 1000;
    let wide = |columns: usize| format!("{}\n{}\n", vec!["\"h\""; columns].join(","), vec!["1"; columns].join(","));
    assert_eq!(read_query(wide(3_000).as_bytes(), "x.csv", &query).unwrap().rows_read(), 1);
    let error = read_query(wide(100_000).as_bytes(), "x.csv", &query).unwrap_err();
    assert_eq!((error.kind(), error.message()), (Kind::Bounds, "a record is longer than the limit: 16000 bytes"));
}

#[test]
fn nul_bytes_are_refused_with_their_line() {
    let error = refused(b"a,b\n1,2\n3,\x004\n", "x.csv");
    assert_eq!(
        (error.kind(), error.to_string().as_str()),
        (Kind::Csv, "x.csv: line 3: column b: a NUL byte: this is not text")
    );
}

#[test]
fn selected_columns_come_in_the_order_asked_for_and_an_empty_one_is_no_blank_line() {
    let mut query = Query::new();
    query.select = Select::names(["c", "a"]);
    let rows = read_query(b"a,b,c\n1,2,3\n\"4\",\"5\",\"6,\"\n", "x.csv", &query).unwrap();
    assert_eq!(rows.header(), ["c", "a"]);
    assert_eq!(text(rows), "3,1\n\"6,\",4\n");
    query.select = Select::names(["b"]);
    assert_eq!(text(read_query(b"a,b\n1,\n2,3\n", "x.csv", &query).unwrap()), "\"\"\n3\n");
    query.select = Select::names(["b", "b"]);
    assert_eq!(read_query(b"a,b\n1,2\n", "x.csv", &query).unwrap_err().kind(), Kind::Usage);
}

#[test]
fn rows_beyond_the_memory_go_to_a_file_and_come_back_in_order() {
    let mut query = Query::new();
    query.memory = 100;
    let input: String = std::iter::once("a,b\n".to_owned()).chain((0..5_000).map(|at| format!("{at},x\n"))).collect();
    let rows = read_query(input.as_bytes(), "x.csv", &query).unwrap();
    assert!(rows.store.memory.len() <= 100);
    assert_eq!(text(rows), input[4..]);
}

#[test]
fn zero_padded_text_stays_as_it_was() {
    assert_eq!(text(read_all(b"a,b\n000,\"   22425\"\n", "x.csv").unwrap()), "000,   22425\n");
}
