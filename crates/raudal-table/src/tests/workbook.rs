//! Excel workbooks: which sheet, what cells become, and every way in which a workbook can be bad.

#![allow(clippy::format_push_string, clippy::format_collect)] // short texts, easier to read so

use std::io::Cursor;

use super::containers::with_glob;
use super::{Entry, Hostile, deflated, read_all, read_query, refused, stored, text, zip};
use crate::{Query, read, read_ahead};
use raudal_common::{Error, Kind};

/// A sheet: its name, its state, and its rows as XML.
type Sheet<'a> = (&'a str, &'a str, &'a str);

/// The parts of a workbook with these sheets (ECMA-376, part 1, 18).
fn parts(sheets: &[Sheet<'_>]) -> Vec<Entry> {
    let part = |name: &str, xml: &str| deflated(name, format!("<?xml version=\"1.0\"?>{xml}").as_bytes());
    let main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main";
    let relations = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";
    let package = "http://schemas.openxmlformats.org/package/2006/relationships";
    let mut list = String::new();
    let mut links = String::new();
    let mut entries = Vec::new();
    for (at, (name, state, rows)) in sheets.iter().enumerate() {
        let id = at + 1;
        list += &format!("<sheet name=\"{name}\" sheetId=\"{id}\" state=\"{state}\" r:id=\"rId{id}\"/>");
        links += &format!(
            "<Relationship Id=\"rId{id}\" Type=\"{relations}/worksheet\" Target=\"worksheets/sheet{id}.xml\"/>"
        );
        let sheet = format!("<worksheet xmlns=\"{main}\"><sheetData>{rows}</sheetData></worksheet>");
        entries.push(part(&format!("xl/worksheets/sheet{id}.xml"), &sheet));
    }
    links += &format!("<Relationship Id=\"s\" Type=\"{relations}/sharedStrings\" Target=\"sharedStrings.xml\"/>");
    links += &format!("<Relationship Id=\"t\" Type=\"{relations}/styles\" Target=\"styles.xml\"/>");
    entries.extend([
        part("[Content_Types].xml", "<Types xmlns=\"http://schemas.openxmlformats.org/package/2006/content-types\"/>"),
        part(
            "_rels/.rels",
            &format!("<Relationships xmlns=\"{package}\"><Relationship Id=\"a\" Type=\"{relations}/officeDocument\" Target=\"xl/workbook.xml\"/></Relationships>"),
        ),
        part("xl/workbook.xml", &format!("<workbook xmlns=\"{main}\" xmlns:r=\"{relations}\"><sheets>{list}</sheets></workbook>")),
        part("xl/_rels/workbook.xml.rels", &format!("<Relationships xmlns=\"{package}\">{links}</Relationships>")),
        part(
            "xl/sharedStrings.xml",
            &format!("<sst xmlns=\"{main}\"><si><t>id</t></si><si><t>name</t></si><si><t>say \"hi\", ok</t></si><si><t>Ñandú</t></si></sst>"),
        ),
        // The styles 1, 2 and 3: a date, a date with a time, a duration.
        part(
            "xl/styles.xml",
            &format!("<styleSheet xmlns=\"{main}\"><cellXfs><xf numFmtId=\"0\"/><xf numFmtId=\"14\"/><xf numFmtId=\"22\"/><xf numFmtId=\"46\"/></cellXfs></styleSheet>"),
        ),
    ]);
    entries
}

pub(super) fn workbook(sheets: &[Sheet<'_>]) -> Vec<u8> {
    zip(&parts(sheets))
}

const ROWS: &str = "<row r=\"1\"><c r=\"A1\" t=\"s\"><v>0</v></c><c r=\"B1\" t=\"s\"><v>1</v></c></row>\
    <row r=\"2\"><c r=\"A2\"><v>1</v></c><c r=\"B2\" t=\"s\"><v>2</v></c></row>\
    <row r=\"4\"><c r=\"A4\"><v>2.5</v></c><c r=\"B4\" t=\"s\"><v>3</v></c></row>";
const CSV: &str = "1,\"say \"\"hi\"\", ok\"\n2.5,Ñandú\n";

fn with_sheet(name: &str) -> Query {
    let mut query = Query::new();
    query.sheet = Some(name.into());
    query
}

#[test]
fn the_only_sheet_with_cells_is_read_as_a_table() {
    let bytes = workbook(&[("Datos", "visible", ROWS), ("Hoja2", "visible", ""), ("Listas", "hidden", ROWS)]);
    for name in ["a.xlsx", "x", "https://h/a.XLSX?x"] {
        let rows = read_all(&bytes, name).unwrap();
        assert_eq!(
            (rows.header(), rows.members()),
            (&["id".to_owned(), "name".to_owned()][..], &["Datos".to_owned()][..])
        );
        assert!(rows.warnings().is_empty(), "{:?}", rows.warnings());
        assert_eq!(text(rows), CSV);
    }
    assert_eq!(text(read(Hostile::new(&bytes, 7), "x", &Query::new(), &()).unwrap()), CSV);
    // The options for text mean nothing to a sheet.
    let mut query = Query::new();
    query.dialect.delimiter = crate::Delimiter::Byte(b';');
    query.encodings = "utf-16le".parse().unwrap();
    assert_eq!(text(read_query(&bytes, "a.xlsx", &query).unwrap()), CSV);
    let error = read_ahead(Cursor::new(&bytes), "a.xlsx", &Query::new(), &()).unwrap_err();
    assert!(error.message().contains("once it is there as a whole"), "{error}");
}

#[test]
fn formulas_that_no_program_has_calculated_are_counted() {
    let rows =
        ROWS.replace("<v>2.5</v>", "<f>A2*2</f><v></v>").replace("<v>1</v></c><c r=\"B2\"", "<f>A4</f></c><c r=\"B2\"");
    for most in [1, 5, 1000] {
        let book = workbook(&[("Datos", "visible", &rows)]);
        let rows = read(Hostile::new(&book, most), "a.xlsx", &Query::new(), &()).unwrap();
        assert_eq!(
            rows.warnings(),
            ["2 cells of the workbook hold formulas that no program has calculated, so they are empty: open it in \
              Excel or LibreOffice, and save it"]
        );
    }
    let calculated = ROWS.replace("<v>2.5</v>", "<f>5/2</f><v>2.5</v>");
    assert!(read_all(&workbook(&[("Datos", "visible", &calculated)]), "a.xlsx").unwrap().warnings().is_empty());
}

#[test]
fn a_hidden_sheet_is_named_where_no_other_has_cells() {
    let error = refused(&workbook(&[("Datos", "visible", ""), ("Listas", "hidden", ROWS)]), "a.xlsx");
    assert_eq!(error.hint_text(), Some("[`sheet`] reads a hidden one: Listas"));
}

#[test]
fn several_sheets_are_listed_and_a_name_or_a_position_chooses() {
    let other = ROWS.replace("<v>2.5</v>", "<v>7</v>");
    let bytes = workbook(&[("Población", "visible", ROWS), ("Año 2020", "visible", &other), ("x", "hidden", ROWS)]);
    let error = refused(&bytes, "a.xlsx");
    assert_eq!((error.kind(), error.message()), (Kind::Member, "2 sheets where one is expected: Población, Año 2020"));
    assert!(error.hint_text().unwrap().contains("[`sheet`]"), "{error:?}");
    for (sheet, rows) in [
        ("Población", CSV.to_owned()),
        ("año 2020", CSV.replace("2.5", "7")),
        ("2", CSV.replace("2.5", "7")),
        ("X", CSV.to_owned()),
    ] {
        assert_eq!(text(read_query(&bytes, "a.xlsx", &with_sheet(sheet)).unwrap()), rows, "{sheet}");
    }
    let error = read_query(&bytes, "a.xlsx", &with_sheet("Poblacion")).unwrap_err();
    assert_eq!((error.message(), error.hint_text()), ("no such sheet: Poblacion", Some("did you mean Población?")));
    let error = read_query(&bytes, "a.xlsx", &with_sheet("9")).unwrap_err();
    assert_eq!(error.hint_text(), Some("the workbook has Población, Año 2020, x"));
    let error = refused(&workbook(&[("a", "visible", "")]), "a.xlsx");
    assert!(error.kind() == Kind::Empty && !error.is_transient(), "{error:?}");
}

#[test]
fn cells_become_text_by_their_kind() {
    let cells = [
        ("<c r=\"C5\"><v>7</v></c>", "7"),
        ("<c r=\"C5\"><v>0.1</v></c>", "0.1"),
        ("<c r=\"C5\"><v>-1.5E-2</v></c>", "-0.015"),
        ("<c r=\"C5\"><v>126014024</v></c>", "126014024"),
        ("<c r=\"C5\"><v>1e300</v></c>", "1e300"),
        ("<c r=\"C5\" t=\"b\"><v>1</v></c>", "TRUE"),
        ("<c r=\"C5\" t=\"inlineStr\"><is><t>a, b</t></is></c>", "\"a, b\""),
        ("<c r=\"C5\" t=\"str\"><f>A1</f><v>of a formula</v></c>", "of a formula"),
        ("<c r=\"C5\" s=\"1\"><v>43905</v></c>", "2020-03-15"),
        ("<c r=\"C5\" s=\"2\"><v>43905.5625</v></c>", "2020-03-15 13:30:00"),
        ("<c r=\"C5\" s=\"2\"><v>0.25</v></c>", "06:00:00"),
        ("<c r=\"C5\" s=\"1\"><v>2958465</v></c>", "9999-12-31"),
        ("<c r=\"C5\" s=\"1\"><v>2958466</v></c>", "2958466"),
        ("<c r=\"C5\" s=\"1\"><v>-1</v></c>", "-1"),
        ("<c r=\"C5\" s=\"3\"><v>1.5</v></c>", "36:00:00"),
        ("<c r=\"C5\" t=\"d\"><v>2020-03-15</v></c>", "2020-03-15"),
    ];
    for (cell, value) in cells {
        // The table begins in column B of row 4, below a blank row, right of a blank column.
        let rows = format!(
            "<row r=\"4\"><c r=\"B4\" t=\"s\"><v>0</v></c><c r=\"C4\" t=\"s\"><v>1</v></c></row><row r=\"5\">{cell}</row>"
        );
        let rows = read_all(&workbook(&[("s", "visible", &rows)]), "a.xlsx").unwrap();
        assert_eq!(text(rows), format!(",{value}\n"), "{cell}");
    }
    let error =
        "<row r=\"1\"><c r=\"A1\" t=\"s\"><v>0</v></c></row><row r=\"2\"><c r=\"A2\" t=\"e\"><v>#N/A</v></c></row>";
    let rows = read_all(&workbook(&[("s", "visible", error)]), "a.xlsx").unwrap();
    assert_eq!(rows.warnings(), ["s: a cell holds an error of Excel, such as #N/A; it was read as text"]);
    assert_eq!(text(rows), "#N/A\n");
    let long = "<row r=\"1\"><c r=\"A1\" t=\"s\"><v>0</v></c></row><row r=\"2\"><c r=\"A2\"><v>12345678901234567</v></c></row>";
    let rows = read_all(&workbook(&[("s", "visible", long)]), "a.xlsx").unwrap();
    assert_eq!(rows.warnings(), ["s: a cell holds a number of more than 15 digits, which a workbook rounds"]);
}

/// A cell with a text of its own.
fn cell(place: &str, text: &str) -> String {
    format!("<c r=\"{place}\" t=\"inlineStr\"><is><t xml:space=\"preserve\">{text}</t></is></c>")
}

/// A title of two lines in row 1, a blank row, a header in row 3, rows in 4 and 6, notes in 7 and 8.
fn titled() -> Vec<u8> {
    let row = |number: u32, cells: &[(&str, &str)]| {
        let cells: String = cells.iter().map(|(column, text)| cell(&format!("{column}{number}"), text)).collect();
        format!("<row r=\"{number}\">{cells}</row>")
    };
    let rows = [
        row(1, &[("A", "A title\nof two lines"), ("Z", "wide")]),
        row(3, &[("B", "id"), ("C", "first\nname")]),
        row(4, &[("B", "1"), ("C", "a\nb")]),
        row(6, &[("B", "x"), ("C", "c")]),
        row(7, &[("B", "# note,\nof two lines"), ("C", "d")]),
        row(8, &[("A", "the end\nof it")]),
    ];
    workbook(&[("s", "visible", &rows.concat())])
}

#[test]
fn the_rows_above_and_below_are_those_of_the_sheet() {
    let mut query = Query::new();
    query.dialect.footer = 2;
    for (skip, header) in [(2, 1), (0, 3), (1, 2)] {
        (query.dialect.skip_rows, query.dialect.header) = (skip, crate::Header::Line(header));
        let rows = read_query(&titled(), "a.xlsx", &query).unwrap();
        assert_eq!(rows.header(), ["id", "first\nname"]);
        assert_eq!(text(rows), "1,\"a\nb\"\nx,c\n");
    }
    (query.dialect.skip_rows, query.dialect.header, query.dialect.footer) = (3, crate::Header::None, 4);
    assert_eq!(text(read_query(&titled(), "a.xlsx", &query).unwrap()), "1,\"a\nb\"\n");
    query.dialect.footer = 100;
    assert_eq!(read_query(&titled(), "a.xlsx", &query).unwrap_err().kind(), Kind::Empty);
}

#[test]
fn a_row_is_a_line_in_messages_and_a_comment() {
    let mut query = Query::new();
    (query.dialect.skip_rows, query.dialect.footer) = (2, 1);
    query.dialect.comment = Some("#".into());
    query.filter = Some(crate::Filter::parse("id < 5").unwrap());
    let rows = read_query(&titled(), "a.xlsx", &query).unwrap();
    assert_eq!((rows.rows_read(), rows.rows_kept()), (2, 1));
    assert!(rows.warnings()[0].contains("at line 6: \"x\""), "{:?}", rows.warnings());
    assert!(rows.notes().iter().any(|note| note.contains("1 comment was left out, at line 7")), "{:?}", rows.notes());
}

#[test]
fn numbers_have_the_decimal_mark_of_the_texts_beside_them() {
    let rows = format!(
        "<row r=\"1\">{}</row><row r=\"2\"><c r=\"A2\"><v>1234.5</v></c></row><row r=\"3\">{}</row>\
         <row r=\"4\"><c r=\"A4\"><v>1e-9</v></c></row><row r=\"5\"><c r=\"A5\"><v>1.234</v></c></row>",
        cell("A1", "t"),
        cell("A3", "1.234,5")
    );
    let mut query = Query::new();
    (query.dialect.numbers.decimal, query.dialect.numbers.thousands) = (',', Some('.'));
    query.filter = Some(crate::Filter::parse("t < 2 or t == 1234.5").unwrap());
    let rows = read_query(&workbook(&[("s", "visible", &rows)]), "a.xlsx", &query).unwrap();
    assert!(rows.warnings().is_empty(), "{:?}", rows.warnings());
    let kept = text(rows);
    assert_eq!(kept, "\"1234,5\"\n\"1.234,5\"\n1e-9\n\"1,234\"\n");
    for (cell, number) in [("1234,5", "1234.5"), ("1.234,5", "1234.5"), ("1e-9", "1e-9"), ("1,234", "1.234")] {
        assert_eq!(query.dialect.numbers.plain(cell).as_deref(), Some(number));
    }
}

#[test]
fn a_workbook_in_an_archive_is_read_too() {
    let book = workbook(&[("Datos", "visible", ROWS)]);
    let outer = zip(&[stored("d/libro.xlsx", &book), stored("leeme.txt", b"x")]);
    let rows = read_all(&outer, "o.zip").unwrap();
    assert_eq!(rows.members(), ["d/libro.xlsx!/Datos"]);
    assert_eq!(text(rows), CSV);
    assert_eq!(text(read_ahead(Cursor::new(&outer), "o.zip", &Query::new(), &()).unwrap()), CSV);
    // A CSV beside it is meant before it.
    let both = zip(&[stored("libro.xlsx", &book), stored("a.csv", b"x\n1\n")]);
    assert_eq!(text(read_all(&both, "o.zip").unwrap()), "1\n");
    assert_eq!(text(read_query(&both, "o.zip", &with_glob("*.xlsx")).unwrap()), CSV);
}

#[test]
fn other_spreadsheets_are_refused_by_name() {
    let package = stored("[Content_Types].xml", b"<x/>");
    let binary = zip(&[package.clone(), stored("xl/workbook.bin", b"x")]);
    let open =
        zip(&[stored("mimetype", b"x"), stored("content.xml", b"<x/>"), stored("META-INF/manifest.xml", b"<x/>")]);
    let bare = zip(&[stored("mimetype", b"x"), stored("content.xml", b"<x/>")]);
    for (bytes, says) in [(binary, "(.xlsb)"), (open, "OpenDocument"), (bare, "OpenDocument")] {
        let error = refused(&bytes, "a.xlsx");
        assert_eq!(error.kind(), Kind::Unsupported);
        assert!(error.message().contains(says) && error.hint_text().unwrap().contains(".xlsx"), "{error:?}");
    }
    let empty = zip(&[package, stored("xl/workbook.xml", b"<x/>"), stored("xl/worksheets/sheet1.xml", b"<x/>")]);
    let error = refused(&empty, "a.xlsx");
    assert!(matches!(error.kind(), Kind::Corrupt | Kind::Empty), "{error:?}");
}

#[test]
fn a_workbook_that_is_cut_or_flipped_is_refused_or_the_same() {
    let whole = workbook(&[("Datos", "visible", ROWS)]);
    for cut in 0..whole.len() {
        let error = refused(&whole[..cut], "a.xlsx");
        assert!(error.kind().may_be_damage_on_the_way(), "cut at {cut}: {error:?}");
    }
    for at in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x15;
        match read_all(&bytes, "a.xlsx") {
            Ok(rows) => assert_eq!(text(rows), CSV, "byte {at}"),
            Err(error) => assert!(
                !matches!(error.kind(), Kind::Internal | Kind::Io | Kind::Csv | Kind::Encoding),
                "byte {at}: {error:?}"
            ),
        }
    }
}

#[test]
fn bounds_hold_for_the_parts_of_a_workbook() {
    let is_bound = |error: &Error, setting: &str| {
        assert_eq!(error.kind(), Kind::Bounds, "{error:?}");
        assert!(error.hint_text().unwrap().contains(setting), "{error:?}");
    };
    let mut query = Query::new();
    query.limits.members = 5;
    let book = workbook(&[("Datos", "visible", ROWS)]);
    is_bound(&read_query(&book, "a.xlsx", &query).unwrap_err(), "[`max_members`]");
    query = Query::new();
    query.limits.member_bytes = 300;
    is_bound(&read_query(&book, "a.xlsx", &query).unwrap_err(), "[`max_member_size`]");
    let blanks = format!("{ROWS}{}", " ".repeat(8 << 20));
    let bomb = workbook(&[("Datos", "visible", &blanks)]);
    is_bound(&refused(&bomb, "a.xlsx"), "[`max_ratio`]");
    is_bound(&refused(&zip(&[deflated("a.xlsx", &bomb)]), "a.zip"), "[`max_ratio`]");
    // Few cells, far apart: as CSV they would take much more than they do here.
    let wide: String = (1..4000)
        .map(|row| format!("<row r=\"{row}\"><c r=\"A{row}\"><v>1</v></c><c r=\"XFD{row}\"><v>1</v></c></row>"))
        .collect();
    is_bound(&refused(&workbook(&[("s", "visible", &wide)]), "a.xlsx"), "[`max_ratio`]");
}
