//! What the name of the output says, what is there already, and the types of columns.

use std::fs;
use std::io::Read;
use std::path::Path;

use super::sink::{rows, to_shared, written};
use crate::{Compression, Existing, FileType, Format, Sink, SinkOptions, Target, Types, check_target};
use raudal_common::{Error, Kind, Result};

fn named(name: &str) -> Result<String> {
    FileType::of_path(Path::new(name)).map(|of_name| of_name.to_string())
}

#[test]
fn the_ending_of_a_name_decides_the_format() {
    for (name, format) in [
        ("a.csv", "csv"),
        ("x/a.b.TSV", "tsv"),
        ("a.tab", "tsv"),
        ("a.ndjson", "jsonl"),
        ("a.json", "json"),
        ("a.csv.gz", "csv.gz"),
        ("a.jsonl.ZST", "jsonl.zst"),
        ("a.parquet", "parquet"),
        ("a.arrow", "arrow"),
        ("a.feather", "arrow"),
        ("a.db", "sqlite"),
        ("a.sqlite3", "sqlite"),
    ] {
        assert_eq!(named(name).unwrap(), format, "{name}");
    }
}

#[test]
fn an_ending_that_is_not_written_is_a_usage_error_with_a_cure() {
    for (name, cure) in [
        ("a", "[`format`]"),
        (".csv", "[`format`]"),
        ("a.txt", "[`format`]"),
        ("a.gz", "[`format`]"),
        ("a.cvs", "did you mean .csv?"),
        ("a.parquet.gz", "leave the second ending out"),
        ("a.sqlite.zst", "leave the second ending out"),
        ("a.csv.xz", "ends in .gz or .zst"),
        ("a.zip", "ends in .gz or .zst"),
        ("a.xlsx", "[`bom`]"),
        ("a.table", "[`format`]"),
        ("a.postgres", "[`format`]"),
    ] {
        let error = named(name).unwrap_err();
        assert_eq!(error.kind(), Kind::Usage, "{name}");
        assert!(error.hint_text().unwrap().contains(cure), "{name}: {error:?}");
    }
    assert!("xlsx".parse::<Format>().unwrap_err().hint_text().unwrap().contains("[`bom`]"));
}

#[test]
fn options_that_do_not_go_together_are_refused_before_anything_is_opened() {
    let refused = |change: fn(&mut SinkOptions), format| {
        let mut options = SinkOptions::new(format);
        change(&mut options);
        let folder = tempfile::tempdir().unwrap();
        let error = Sink::create(Target::File(folder.path().join("out")), options).unwrap_err();
        assert_eq!(error.kind(), Kind::Usage);
        assert!(error.hint_text().is_some() && fs::read_dir(folder.path()).unwrap().next().is_none());
    };
    for format in [Format::Json, Format::Table, Format::Parquet, Format::Arrow] {
        refused(|options| options.existing = Existing::Append, format);
    }
    refused(|options| options.bom = true, Format::Jsonl);
    refused(|options| options.table = String::new(), Format::Csv);
    refused(|options| options.compression = Compression::Gzip, Format::Table);
    assert_eq!(check_target(&Target::Stdout, &SinkOptions::new(Format::Sqlite)).unwrap_err().kind(), Kind::Usage);
}

fn write(path: &Path, existing: Existing, inputs: &[&str]) -> Result<()> {
    let of_name = FileType::of_path(path)?;
    let mut options = SinkOptions::new(of_name.format);
    (options.compression, options.existing) = (of_name.compression, existing);
    let mut sink = Sink::create(Target::File(path.to_owned()), options)?;
    for input in inputs {
        sink.append("in.csv", rows(input))?;
    }
    let bytes = sink.finish()?.bytes;
    assert_eq!(bytes, fs::metadata(path).unwrap().len());
    Ok(())
}

fn read(path: &Path) -> String {
    let mut text = String::new();
    let bytes = fs::read(path).unwrap();
    match FileType::of_path(path).unwrap().compression {
        Compression::None => return String::from_utf8(bytes).unwrap(),
        Compression::Gzip => flate2::bufread::MultiGzDecoder::new(bytes.as_slice()).read_to_string(&mut text),
        Compression::Zstd => zstd::Decoder::new(bytes.as_slice()).unwrap().read_to_string(&mut text),
    }
    .unwrap();
    text
}

#[test]
fn compressed_tables_hold_the_same_bytes_and_are_the_same_file_each_time() {
    let folder = tempfile::tempdir().unwrap();
    for format in ["csv", "tsv", "jsonl", "json"] {
        let at = |ending: &str| folder.path().join(format!("a.{format}{ending}"));
        for ending in ["", ".gz", ".zst"] {
            write(&at(ending), Existing::Refuse, &["a,b\n1,\"x,y\"\n", "b,a\né,2\n"]).unwrap();
            assert_eq!(read(&at(ending)), read(&at("")), "{format}{ending}");
            let before = fs::read(at(ending)).unwrap();
            write(&at(ending), Existing::Replace, &["a,b\n1,\"x,y\"\n", "b,a\né,2\n"]).unwrap();
            assert_eq!(fs::read(at(ending)).unwrap(), before);
        }
    }
}

#[test]
fn an_output_that_is_there_is_refused_and_the_hint_names_what_helps() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["a.csv", "a.jsonl", "a.csv.gz", "a.json"] {
        let path = folder.path().join(name);
        fs::write(&path, "precious").unwrap();
        let error = write(&path, Existing::Refuse, &["a\n1\n"]).unwrap_err();
        assert_eq!(error.kind(), Kind::Io);
        let hint = error.hint_text().unwrap();
        assert!(hint.contains("[`overwrite`]") && hint.contains("[`append`]"), "{hint}");
        assert_eq!(fs::read(&path).unwrap(), b"precious");
        write(&path, Existing::Replace, &["a\n1\n"]).unwrap();
        assert!(read(&path).contains('1'));
    }
}

#[test]
fn a_file_that_appears_during_the_run_is_not_replaced_and_the_table_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.csv");
    let mut sink = Sink::create(Target::File(path.clone()), SinkOptions::new(Format::Csv)).unwrap();
    sink.append("x.csv", rows("a\n1\n")).unwrap();
    fs::write(&path, "precious").unwrap();
    let error = sink.finish().unwrap_err();
    assert!(error.kind() == Kind::Io && error.hint_text().unwrap().ends_with("a.csv.partial"), "{error:?}");
    assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
    assert_eq!(fs::read_to_string(folder.path().join("a.csv.partial")).unwrap(), "a\n1\n");
}

#[test]
fn rows_are_added_to_a_table_of_the_same_columns() {
    let folder = tempfile::tempdir().unwrap();
    for (name, whole) in [
        ("a.csv", "a,b\n1,2\n3,4\n5,6\n"),
        ("a.tsv", "a\tb\n1\t2\n3\t4\n5\t6\n"),
        ("a.jsonl", "{\"a\":\"1\",\"b\":\"2\"}\n{\"a\":\"3\",\"b\":\"4\"}\n{\"a\":\"5\",\"b\":\"6\"}\n"),
        ("a.csv.gz", "a,b\n1,2\n3,4\n5,6\n"),
        ("a.csv.zst", "a,b\n1,2\n3,4\n5,6\n"),
    ] {
        let path = folder.path().join(name);
        write(&path, Existing::Append, &["a,b\n1,2\n"]).unwrap();
        write(&path, Existing::Append, &["b,a\n4,3\n", "a,b\n5,6\n"]).unwrap();
        assert_eq!(read(&path), whole, "{name}");
        let error = write(&path, Existing::Append, &["a,c\n1,2\n"]).unwrap_err();
        assert_eq!(error.kind(), Kind::Headers);
        assert!(error.hint_text().unwrap().starts_with("rows are appended only to the same columns"), "{error:?}");
        assert_eq!(read(&path), whole, "{name}");
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 5);
}

#[test]
fn what_others_wrote_is_added_to_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        path
    };
    // A byte order mark, CRLF, no line end at the end.
    let path = at("a.csv", "\u{feff}\"a\",b\r\n1,2");
    write(&path, Existing::Append, &["a,b\n3,4\n"]).unwrap();
    assert_eq!(read(&path), "\u{feff}\"a\",b\r\n1,2\r\n3,4\r\n");
    let path = at("empty.csv", "");
    write(&path, Existing::Append, &["a,b\n3,4\n"]).unwrap();
    assert_eq!(read(&path), "a,b\n3,4\n");
    for text in ["[{\"a\":1}]", "nonsense", "1\n"] {
        let path = at("b.jsonl", text);
        assert_eq!(write(&path, Existing::Append, &["a\n1\n"]).unwrap_err().kind(), Kind::Csv, "{text}");
        assert_eq!(read(&path), text);
    }
    let path = at("c.jsonl", "{\"b\": 1, \"a\": {\"x\": [2]}}");
    let error = write(&path, Existing::Append, &["a,b\n3,4\n"]).unwrap_err();
    assert!(error.message().contains("neither text nor numbers in this column: \"a\""), "{error:?}");
    assert_eq!(read(&path), "{\"b\": 1, \"a\": {\"x\": [2]}}");
}

#[test]
fn rows_that_are_added_have_the_line_ends_of_the_file() {
    let folder = tempfile::tempdir().unwrap();
    for (name, text, added) in [
        ("a.csv", "a,b\r\n1,2\r\n", "3,\"x\ny\"\r\n"),
        ("b.csv", "a,b\r1,2\r", "3,\"x\ny\"\r"),
        ("c.csv", "\"a\",\"b\"\n\"1\r\n\",2\n", "3,\"x\ny\"\n"),
        ("d.tsv", "a\tb\r\n", "3\t\"x\ny\"\r\n"),
        ("e.csv", "a,b", "\n3,\"x\ny\"\n"),
    ] {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        write(&path, Existing::Append, &["a,b\n3,\"x\ny\"\n"]).unwrap();
        assert_eq!(read(&path), format!("{text}{added}"), "{name}");
    }
}

#[test]
fn a_file_that_ends_within_quotes_gets_no_rows() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.csv");
    for (text, line) in
        [("a,b\n1,\"x", 2), ("a,b\n1,\"x\"\"\n2,3\n", 2), ("\u{feff}\"a,b\n", 1), ("a\r\n\"x\"\r\n\"", 3)]
    {
        fs::write(&path, text).unwrap();
        let error = write(&path, Existing::Append, &["a,b\n3,4\n"]).unwrap_err();
        assert_eq!(error.kind(), Kind::Csv, "{text}");
        assert!(error.to_string().contains(&format!("a.csv: line {line}: ")) && error.hint_text().is_some(), "{error}");
        assert_eq!(read(&path), text);
    }
    // Quotes that are letters, or closed.
    for text in ["a,b\n1,x\"y\n", "a,b\n1,\"x\"\"\"\n", "a,b\n1,\"\"\n"] {
        fs::write(&path, text).unwrap();
        write(&path, Existing::Append, &["a,b\n3,4\n"]).unwrap();
        assert_eq!(read(&path), format!("{text}3,4\n"));
    }
}

#[test]
fn values_added_to_json_lines_are_of_the_kinds_that_it_has() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.jsonl");
    let before = "{\"a\":1,\"b\":\"x\",\"c\":null,\"d\":2}\n{\"b\":\"y\",\"a\":2,\"c\":null,\"d\":2.5}\n";
    fs::write(&path, before).unwrap();
    write(&path, Existing::Append, &["a,b,c,d\n03,04,05,06\n,,,\n"]).unwrap();
    let added = "{\"a\":3,\"b\":\"04\",\"c\":\"05\",\"d\":6.0}\n{\"a\":null,\"b\":\"\",\"c\":\"\",\"d\":null}\n";
    assert_eq!(read(&path), format!("{before}{added}"));
    fs::write(&path, before).unwrap();
    let error = write(&path, Existing::Append, &["a,b,c,d\nx,1,1,1\n"]).unwrap_err();
    assert!(error.kind() == Kind::Csv && error.message().ends_with("not of the type int: x"), "{error:?}");
    let mut options = SinkOptions::new(Format::Jsonl);
    options.existing = Existing::Append;
    options.types = "b:int".parse().unwrap();
    let mut sink = Sink::create(Target::File(path.clone()), options).unwrap();
    let error = sink.append("in.csv", rows("a,b,c,d\n1,1,1,1\n")).unwrap_err();
    assert!(error.message().ends_with("text in this column: \"b\""), "{error:?}");
    drop(sink);
    assert_eq!(read(&path), before);
    fs::write(&path, "{\"a\":1}\n{\"a\":").unwrap();
    let error = write(&path, Existing::Append, &["a\n1\n"]).unwrap_err();
    assert!(error.to_string().contains("line 2") && error.hint_text().is_some(), "{error:?}");
}

#[test]
fn names_are_folded_for_types_and_for_rows_that_are_added() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.jsonl");
    fs::write(&path, "{\"Año\":1,\"b\":\"x\"}\n").unwrap();
    let mut options = SinkOptions::new(Format::Jsonl);
    options.existing = Existing::Append;
    options.types = "ANO:int".parse().unwrap();
    let add = |options: &SinkOptions| {
        let mut sink = Sink::create(Target::File(path.clone()), options.clone()).unwrap();
        sink.append("in.csv", rows("B,ano\ny,2\n")).and_then(|()| sink.finish())
    };
    assert_eq!(add(&options).unwrap_err().kind(), Kind::Headers);
    options.fold_names = true;
    add(&options).unwrap();
    assert_eq!(read(&path), "{\"Año\":1,\"b\":\"x\"}\n{\"Año\":2,\"b\":\"y\"}\n");
    options.types = "POB:int".parse().unwrap();
    let error = add(&options).unwrap_err();
    assert!(error.hint_text().unwrap().contains("the names that the output has, after [`select`]"), "{error:?}");
}

#[cfg(feature = "sqlite")]
#[test]
fn what_sqlite_would_refuse_is_refused_in_our_words() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.sqlite");
    let database = rusqlite::Connection::open(&path).unwrap();
    database.execute_batch("CREATE TABLE t (a); CREATE VIEW v AS SELECT a FROM t; CREATE INDEX i ON t (a)").unwrap();
    drop(database);
    let before = fs::read(&path).unwrap();
    for existing in [Existing::Append, Existing::Replace] {
        for (table, says) in [("V", "a view: V"), ("i", "an index: i"), ("SQLite_master", "for itself: SQLite_master")]
        {
            let mut options = SinkOptions::new(Format::Sqlite);
            (options.existing, options.table) = (existing, table.to_owned());
            let error = Sink::create(Target::File(path.clone()), options).unwrap_err();
            assert!(error.message().ends_with(says) && error.hint_text().unwrap().contains("[`table`]"), "{error:?}");
        }
    }
    assert_eq!(fs::read(&path).unwrap(), before);
    let refused = |source: Option<&str>, input: &str| {
        let mut options = SinkOptions::new(Format::Sqlite);
        options.source_column = source.map(str::to_owned);
        let mut sink = Sink::create(Target::File(folder.path().join("new.sqlite")), options).unwrap();
        let error = sink.append("in.csv", rows(input)).unwrap_err();
        assert_eq!(error.kind(), Kind::Column);
        error.message().to_owned()
    };
    assert!(refused(Some("FILE"), "file,b\n1,2\n").ends_with("a column of the source column's name: \"FILE\""));
    let wide: Vec<String> = (0..2001).map(|at| format!("c{at}")).collect();
    assert_eq!(refused(None, &format!("{}\n", wide.join(","))), "a table of sqlite has 2000 columns at most, not 2001");
}

#[test]
fn the_source_column_of_an_existing_table_must_be_its_first() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.csv");
    fs::write(&path, "file,a\nold.csv,1\n").unwrap();
    let with = |name: &str| {
        let mut options = SinkOptions::new(Format::Csv);
        (options.existing, options.source_column) = (Existing::Append, Some(name.to_owned()));
        Sink::create(Target::File(path.clone()), options)
    };
    assert_eq!(with("origin").unwrap_err().kind(), Kind::Headers);
    let mut sink = with("file").unwrap();
    sink.append("new.csv", rows("a\n2\n")).unwrap();
    assert_eq!(sink.finish().unwrap().columns, 2);
    assert_eq!(read(&path), "file,a\nold.csv,1\nnew.csv,2\n");
}

#[test]
fn a_byte_order_mark_comes_once_and_only_where_it_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.csv");
    for _ in 0..2 {
        let mut options = SinkOptions::new(Format::Csv);
        (options.existing, options.bom) = (Existing::Append, true);
        let mut sink = Sink::create(Target::File(path.clone()), options).unwrap();
        sink.append("x.csv", rows("ñ\nó\n")).unwrap();
        sink.finish().unwrap();
    }
    assert_eq!(read(&path), "\u{feff}ñ\nó\nó\n");
}

fn typed(types: &str, format: Format) -> SinkOptions {
    let mut options = SinkOptions::new(format);
    options.types = types.parse().unwrap();
    options
}

#[test]
fn named_types_are_numbers_in_json_and_a_bad_cell_refuses_its_input_only() {
    let mut options = typed("pop:int, lat:float, day:date", Format::Jsonl);
    options.null = vec!["*".to_owned()];
    let (mut sink, shared) = to_shared(options);
    sink.append("a.csv", rows("pop,lat,day,mun\n0031,19.50,2020-03-15,007\n*,,,\n")).unwrap();
    let error = sink.append("b.csv", rows("pop,lat,day,mun\n1,2,,x\nN/D,2,,x\n")).unwrap_err();
    assert_eq!(error.kind(), Kind::Csv);
    assert_eq!(error.to_string(), "b.csv: kept row 2: column pop: this cell is not of the type int: N/D");
    assert!(error.hint_text().unwrap().contains("[`null`]"));
    // In another order, the types go with their columns.
    sink.append("c.csv", rows("mun,day,lat,pop\n9,,-1e3,5\n")).unwrap();
    sink.finish().unwrap();
    assert_eq!(
        shared.text(),
        "{\"pop\":31,\"lat\":19.5,\"day\":\"2020-03-15\",\"mun\":\"007\"}\n\
         {\"pop\":null,\"lat\":null,\"day\":null,\"mun\":\"\"}\n\
         {\"pop\":5,\"lat\":-1000.0,\"day\":null,\"mun\":\"9\"}\n"
    );
}

#[test]
fn types_read_numbers_with_the_marks_of_their_country() {
    for types in ["t:float, n:int", "auto"] {
        let mut options = typed(types, Format::Jsonl);
        (options.numbers.decimal, options.numbers.thousands) = (',', Some('.'));
        let (mut sink, shared) = to_shared(options);
        sink.append("a.csv", rows("k,t,n\na,\"1.234,5\",1.000\nb,\"2,5\",12\n")).unwrap();
        sink.finish().unwrap();
        let expected = "{\"k\":\"a\",\"t\":1234.5,\"n\":1000}\n{\"k\":\"b\",\"t\":2.5,\"n\":12}\n";
        assert_eq!(shared.text(), expected, "{types}");
    }
    // A point that is no mark of thousands makes no number.
    let mut options = typed("t:float", Format::Jsonl);
    (options.numbers.decimal, options.numbers.thousands) = (',', Some('.'));
    let (mut sink, _) = to_shared(options);
    assert_eq!(sink.append("a.csv", rows("t\n12.5\n")).unwrap_err().kind(), Kind::Csv);
}

#[test]
fn a_type_for_a_column_that_is_not_there_names_the_nearest() {
    let (mut sink, _) = to_shared(typed("POBTOTAL:int", Format::Csv));
    let error = sink.append("a.csv", rows("POBTOT,b\n1,2\n")).unwrap_err();
    assert_eq!((error.kind(), error.hint_text()), (Kind::Column, Some("did you mean \"POBTOT\"?")));
}

#[test]
fn in_csv_a_type_checks_and_changes_nothing() {
    let (mut sink, shared) = to_shared(typed("a:int", Format::Csv));
    sink.append("a.csv", rows("a\n007\n")).unwrap();
    assert_eq!(sink.append("b.csv", rows("a\nx\n")).unwrap_err().kind(), Kind::Csv);
    sink.finish().unwrap();
    assert_eq!(shared.text(), "a\n007\n");
}

#[test]
fn auto_decides_on_all_rows_and_names_the_cell_that_keeps_a_column_text() {
    let many = (0..40_000).fold(String::new(), |many, n| many + &format!("{n},{n}.5,0{n},{n},2020-03-15,t{n},\n"));
    let first = format!("i,f,code,bad,day,text,none\n{many}");
    let last = "i,f,code,bad,day,text,none\n,7,1,N/D,1999-12-31,x,\n";
    let (text, written) = written(typed("auto", Format::Jsonl), &[&first, last]);
    let mut lines = text.lines();
    assert_eq!(
        lines.next().unwrap(),
        r#"{"i":0,"f":0.5,"code":"00","bad":"0","day":"2020-03-15","text":"t0","none":""}"#
    );
    assert_eq!(
        lines.last().unwrap(),
        r#"{"i":null,"f":7.0,"code":"1","bad":"N/D","day":"1999-12-31","text":"x","none":""}"#
    );
    assert_eq!((written.rows, written.columns), (40_001, 7));
    assert_eq!(
        written.notes,
        ["column bad stays text: 1 cell is not among its numbers, the first: N/D (in1.csv, kept row 1)"]
    );
}

#[test]
fn auto_keeps_text_where_a_number_would_lose_a_digit() {
    let (text, written) = written(
        typed("auto", Format::Jsonl),
        &["a,b,c\n9007199254740993,12345678901234567890,0.12345678901234567890\n0.5,1,1\n"],
    );
    assert!(text.starts_with(r#"{"a":"9007199254740993","b":"12345678901234567890","c":"0.12345678901234567890"}"#));
    assert_eq!(written.notes.len(), 3, "{:?}", written.notes);
    assert!(written.notes[0].contains("would round 9007199254740993 (in0.csv, kept row 1)"), "{:?}", written.notes);
}

#[test]
fn auto_leaves_the_source_column_text() {
    let mut options = typed("auto", Format::Jsonl);
    options.source_column = Some("file".into());
    let (mut sink, shared) = to_shared(options);
    sink.append("7", rows("a,b\n1,2\n")).unwrap();
    sink.append("8", rows("b,a\n4,3\n")).unwrap();
    sink.finish().unwrap();
    assert_eq!(shared.text(), "{\"file\":\"7\",\"a\":1,\"b\":2}\n{\"file\":\"8\",\"a\":3,\"b\":4}\n");
}

#[test]
fn a_stopped_table_keeps_its_rows_under_another_name() {
    let folder = tempfile::tempdir().unwrap();
    for (name, types) in [("a.csv", Types::Text), ("a.jsonl.gz", Types::Auto)] {
        let path = folder.path().join(name);
        let of_name = FileType::of_path(&path).unwrap();
        let mut options = SinkOptions::new(of_name.format);
        (options.compression, options.types) = (of_name.compression, types);
        let mut sink = Sink::create(Target::File(path.clone()), options).unwrap();
        sink.append("x.csv", rows("a\n1\n")).unwrap();
        assert_eq!(sink.finish_partial().unwrap().map(|written| written.rows), Some(1));
        assert!(!path.exists());
        let kept = folder.path().join(format!("{name}.partial"));
        assert!(fs::metadata(kept).unwrap().len() > 0);
    }
}

#[test]
fn a_terminal_shows_the_columns_that_tell_rows_apart_and_the_first_numbers() {
    let mut options = SinkOptions::new(Format::Table);
    options.width = Some(50);
    let header = "ENT,NOM_ENT,MUN,NOM_MUN,LON,POBTOT,POBFEM,POBMAS,LAST\n";
    let input = format!(
        "{header}01,Aguascalientes,000,Total de la entidad Aguascalientes,,1425607,728924,696683,x\n\
         02,Baja California,000,Total de la entidad Baja California,,3769020,1868431,1900589,y\n"
    );
    let (text, _) = written(options.clone(), &[&input]);
    assert_eq!(
        text,
        "ENT  NOM_ENT           POBTOT   POBFEM   POBMAS\n\
         ───  ───────────────  ───────  ───────  ───────\n\
         \x2001  Aguascalientes   1425607   728924   696683\n\
         \x2002  Baja California  3769020  1868431  1900589\n\
         2 rows; 4 more columns not shown\n"
    );
    // Chosen columns come as they were chosen.
    options.columns_chosen = true;
    let (text, _) = written(options.clone(), &[&input]);
    assert!(text.starts_with("ENT  NOM_ENT          MUN\n"), "{text}");
    options.truncate = false;
    let (text, _) = written(options, &[&input]);
    assert!(text.contains("Total de la entidad Aguascalientes  ") && text.ends_with("\n2 rows\n"), "{text}");
}

#[test]
fn an_error_of_an_option_tells_its_kind() {
    let error: Error = "POBTOT:number".parse::<Types>().unwrap_err();
    assert_eq!((error.kind(), error.to_string().as_str()), (Kind::Usage, "unknown type: number"));
}

#[test]
fn nothing_is_written_when_the_first_input_has_a_bad_cell() {
    let (mut sink, shared) = to_shared(typed("a:int", Format::Csv));
    assert_eq!(sink.append("a.csv", rows("a,b\nx,1\n")).unwrap_err().kind(), Kind::Csv);
    assert_eq!(shared.text(), "");
    // The next one gives the header.
    sink.append("b.csv", rows("c,a\n1,2\n")).unwrap();
    assert_eq!(shared.text(), "c,a\n1,2\n");
}

#[test]
fn rows_are_not_appended_to_a_text_of_another_encoding() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.csv");
    let old = b"a,b\n1,\xf1\n";
    fs::write(&path, old).unwrap();
    let error = write(&path, Existing::Append, &["a,b\n2,\u{e9}\n"]).unwrap_err();
    assert_eq!((error.kind(), error.message()), (Kind::Encoding, "the existing file is not UTF-8"));
    assert!(error.hint_text().unwrap().contains("to UTF-8 first"), "{error:?}");
    assert_eq!(fs::read(&path).unwrap(), old);
    fs::write(&path, "a,b\n1,\u{f1}").unwrap();
    write(&path, Existing::Append, &["a,b\n2,\u{e9}\n"]).unwrap();
    assert_eq!(read(&path), "a,b\n1,\u{f1}\n2,\u{e9}\n");
}

#[test]
fn a_cell_that_is_not_of_its_type_is_told_what_helps_for_this_type() {
    for (types, cell, cure) in [
        ("a:int", "1.0", "type float"),
        ("a:int", "1e3", "type float"),
        ("a:int", "1,5", "[`decimal`]"),
        ("a:float", "1,5", "[`decimal`]"),
        ("a:date", "15/03/2020", "2020-03-15"),
    ] {
        let mut options = SinkOptions::new(Format::Jsonl);
        options.types = types.parse().unwrap();
        let (mut sink, _) = to_shared(options);
        let error = sink.append("in.csv", rows(&format!("a\n\"{cell}\"\n"))).unwrap_err();
        assert!(error.hint_text().unwrap().contains(cure), "{types} {cell}: {error:?}");
    }
}
