//! Parquet, Arrow and SQLite: what is written is read back.

use std::fs;
use std::path::Path;

use super::sink::{rows, to_shared};
use crate::{Existing, FileType, Sink, SinkOptions, Target};
use raudal_common::{Kind, Result};

fn options(path: &Path, types: &str) -> SinkOptions {
    let mut options = SinkOptions::new(FileType::of_path(path).unwrap().format);
    options.types = types.parse().unwrap();
    options
}

fn write(path: &Path, options: SinkOptions, inputs: &[&str]) -> Result<()> {
    let mut sink = Sink::create(Target::File(path.to_owned()), options)?;
    for input in inputs {
        sink.append("in.csv", rows(input))?;
    }
    sink.finish().map(drop)
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = entries.collect();
    names.sort();
    names
}

const MIXED: &[&str] = &["k,n,f,d\n007,1,1.5,2020-03-15\n\"a\"\"\n\",,,\n", "d,f,n,k\n1969-12-31,-2e3,-5,ñ\n"];
const TYPES: &str = "n:int, f:float, d:date";

fn is_mixed(batch: &arrow_array::RecordBatch) {
    use arrow_array::cast::AsArray as _;
    use arrow_array::types::{Date32Type, Float64Type, Int64Type};
    let names: Vec<String> = batch.schema().fields().iter().map(|field| field.name().clone()).collect();
    assert_eq!(names, ["k", "n", "f", "d"]);
    let text: Vec<_> = batch.column(0).as_string::<i32>().iter().collect();
    assert_eq!(text, [Some("007"), Some("a\"\n"), Some("ñ")]);
    let ints: Vec<_> = batch.column(1).as_primitive::<Int64Type>().iter().collect();
    assert_eq!(ints, [Some(1), None, Some(-5)]);
    let floats: Vec<_> = batch.column(2).as_primitive::<Float64Type>().iter().collect();
    assert_eq!(floats, [Some(1.5), None, Some(-2000.0)]);
    let days: Vec<_> = batch.column(3).as_primitive::<Date32Type>().iter().collect();
    assert_eq!(days, [Some(18_336), None, Some(-1)]);
}

/// Passes on what is written.
struct Into(std::sync::mpsc::Sender<Vec<u8>>);

impl std::io::Write for Into {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.send(bytes.to_vec()).map_err(|_| std::io::ErrorKind::BrokenPipe)?;
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn arrow_is_a_file_with_a_footer_or_a_stream() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.arrow");
    write(&path, options(&path, TYPES), MIXED).unwrap();
    let file = arrow_ipc::reader::FileReader::try_new(fs::File::open(&path).unwrap(), None).unwrap();
    let batches: Vec<_> = file.map(|batch| batch.unwrap()).collect();
    assert_eq!(batches.len(), 1);
    is_mixed(&batches[0]);

    let (to, from) = std::sync::mpsc::channel();
    let mut sink = Sink::create(Target::Writer(Box::new(Into(to))), options(&path, TYPES)).unwrap();
    // A batch for each input, which a reader of the stream sees at once.
    sink.append("a.csv", rows(MIXED[0])).unwrap();
    let mut stream: Vec<u8> = from.try_iter().flatten().collect();
    let first = arrow_ipc::reader::StreamReader::try_new(stream.as_slice(), None).unwrap().next().unwrap().unwrap();
    assert_eq!(first.num_rows(), 2);
    sink.append("b.csv", rows(MIXED[1])).unwrap();
    sink.finish().unwrap();
    stream.extend(from.try_iter().flatten());
    let reader = arrow_ipc::reader::StreamReader::try_new(stream.as_slice(), None).unwrap();
    assert_eq!(reader.map(|batch| batch.unwrap().num_rows()).collect::<Vec<_>>(), [2, 1]);
}

/// Passes batches on. `true`: its reader waits for rows.
struct Handed(std::sync::mpsc::Sender<arrow_array::RecordBatch>, bool);

impl crate::BatchSink for Handed {
    fn begin(&mut self, schema: arrow_schema::SchemaRef) -> Result<()> {
        assert_eq!(schema.fields().len(), 4);
        Ok(())
    }

    fn batch(&mut self, batch: arrow_array::RecordBatch) -> Result<()> {
        self.0.send(batch).map_err(|_| raudal_common::Error::new(Kind::Cancelled, "nobody takes the rows"))
    }

    fn is_waiting(&self) -> bool {
        self.1
    }
}

#[test]
fn batches_in_memory_are_handed_over_when_full_or_after_each_input_if_their_reader_waits() {
    for (waits, rows_of) in [(false, &[3][..]), (true, &[2, 1])] {
        let (to, from) = std::sync::mpsc::channel();
        let mut sink =
            Sink::create(Target::Batches(Box::new(Handed(to, waits))), options(Path::new("a.arrow"), TYPES)).unwrap();
        for input in MIXED {
            sink.append("in.csv", rows(input)).unwrap();
        }
        let written = sink.finish().unwrap();
        assert_eq!((written.rows, written.columns), (3, 4));
        let batches: Vec<_> = from.into_iter().collect();
        assert_eq!(batches.iter().map(arrow_array::RecordBatch::num_rows).collect::<Vec<_>>(), rows_of);
        if !waits {
            is_mixed(&batches[0]);
        }
    }
    let (to, _) = std::sync::mpsc::channel();
    let csv = Sink::create(Target::Batches(Box::new(Handed(to, false))), SinkOptions::default());
    assert_eq!(csv.unwrap_err().kind(), Kind::Usage);
}

#[test]
fn batches_that_nobody_takes_end_the_table() {
    let (to, from) = std::sync::mpsc::channel();
    drop(from);
    let mut sink =
        Sink::create(Target::Batches(Box::new(Handed(to, true))), options(Path::new("a.arrow"), TYPES)).unwrap();
    assert_eq!(sink.append("in.csv", rows(MIXED[0])).unwrap_err().kind(), Kind::Cancelled);
    assert_eq!(sink.finish().unwrap_err().kind(), Kind::Io);
}

#[test]
fn parquet_holds_the_types_and_the_same_table_is_the_same_file() {
    use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    write(&at("a.parquet"), options(&at("a.parquet"), TYPES), MIXED).unwrap();
    write(&at("b.parquet"), options(&at("b.parquet"), TYPES), MIXED).unwrap();
    assert_eq!(fs::read(at("a.parquet")).unwrap(), fs::read(at("b.parquet")).unwrap());
    let file = fs::File::open(at("a.parquet")).unwrap();
    let batches: Vec<_> = ParquetRecordBatchReaderBuilder::try_new(file).unwrap().build().unwrap().collect();
    is_mixed(batches[0].as_ref().unwrap());
    // Without types all is text, and no cell is null.
    write(&at("c.parquet"), options(&at("c.parquet"), ""), MIXED).unwrap();
    let file = fs::File::open(at("c.parquet")).unwrap();
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap().build().unwrap();
    for batch in reader {
        let batch = batch.unwrap();
        assert!(batch.columns().iter().all(|column| column.null_count() == 0 && column.len() == 3));
    }
}

#[test]
fn a_closed_pipe_is_known_behind_every_format() {
    struct Closed;
    impl std::io::Write for Closed {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Err(std::io::ErrorKind::BrokenPipe.into())
        }
    }
    for name in ["a.csv", "a.jsonl", "a.arrow", "a.parquet"] {
        let mut sink = Sink::create(Target::Writer(Box::new(Closed)), options(Path::new(name), "")).unwrap();
        let error = sink.append("x.csv", rows("a\n1\n")).and_then(|()| sink.finish().map(drop)).unwrap_err();
        let source = std::error::Error::source(&error).and_then(|source| source.downcast_ref::<std::io::Error>());
        assert_eq!(source.map(std::io::Error::kind), Some(std::io::ErrorKind::BrokenPipe), "{name}: {error:?}");
    }
}

#[test]
fn a_name_that_comes_twice_is_refused_where_readers_would_lose_a_column() {
    let folder = tempfile::tempdir().unwrap();
    for (name, header) in [("a.parquet", "a,a"), ("a.arrow", "a,a"), ("a.sqlite", "a,A"), ("a.json", "a,a")] {
        let path = folder.path().join(name);
        let error = write(&path, options(&path, ""), &[&format!("{header}\n1,2\n")]).unwrap_err();
        assert_eq!(error.kind(), Kind::Column, "{name}");
        assert!(error.hint_text().unwrap().contains("[`columns`]"));
    }
    assert!(names(folder.path()).is_empty(), "{:?}", names(folder.path()));
    let (mut sink, shared) = to_shared(SinkOptions::default());
    sink.append("x.csv", rows("a,a\n1,2\n")).unwrap();
    assert_eq!(shared.text(), "a,a\n1,2\n");
}

mod sqlite {
    use super::*;
    use rusqlite::Connection;
    use rusqlite::types::Value;

    fn all(path: &Path, table: &str) -> Vec<Vec<Value>> {
        let connection = Connection::open(path).unwrap();
        let mut statement = connection.prepare(&format!("SELECT * FROM \"{table}\"")).unwrap();
        let count = statement.column_count();
        let rows = statement.query_map([], |row| (0..count).map(|at| row.get(at)).collect()).unwrap();
        rows.map(|row| row.unwrap()).collect()
    }

    fn text(text: &str) -> Value {
        Value::Text(text.to_owned())
    }

    #[test]
    fn a_new_database_appears_when_it_is_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.sqlite");
        let mut sink = Sink::create(Target::File(path.clone()), options(&path, TYPES)).unwrap();
        sink.append("a.csv", rows(MIXED[0])).unwrap();
        assert!(!path.exists());
        drop(sink);
        assert!(names(folder.path()).is_empty(), "{:?}", names(folder.path()));
        write(&path, options(&path, TYPES), MIXED).unwrap();
        assert_eq!(names(folder.path()), ["a.sqlite"]);
        assert_eq!(
            all(&path, "data"),
            [
                vec![text("007"), Value::Integer(1), Value::Real(1.5), text("2020-03-15")],
                vec![text("a\"\n"), Value::Null, Value::Null, Value::Null],
                vec![text("ñ"), Value::Integer(-5), Value::Real(-2000.0), text("1969-12-31")],
            ]
        );
        let error = write(&path, options(&path, TYPES), MIXED).unwrap_err();
        assert!(error.kind() == Kind::Io && error.hint_text().unwrap().contains("[`append`]"), "{error:?}");
    }

    #[test]
    fn rows_are_added_or_the_table_is_replaced_and_other_tables_stay() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.db");
        Connection::open(&path).unwrap().execute_batch("CREATE TABLE other (x); INSERT INTO other VALUES (1)").unwrap();
        let with = |existing, table: &str| {
            let mut options = options(&path, "n:int");
            (options.existing, options.table) = (existing, table.to_owned());
            options
        };
        let table = "odd \"name\"";
        write(&path, with(Existing::Append, table), &["k,n\n01,1\n"]).unwrap();
        write(&path, with(Existing::Append, table), &["n,k\n2,02\n"]).unwrap();
        let rows_of = |table: &str| all(&path, &table.replace('"', "\"\""));
        assert_eq!(rows_of(table), [vec![text("01"), Value::Integer(1)], vec![text("02"), Value::Integer(2)]]);
        // The existing table's types hold.
        let mut untyped = with(Existing::Append, table);
        untyped.types = crate::Types::Text;
        assert_eq!(write(&path, untyped, &["k,n\n03,x\n"]).unwrap_err().kind(), Kind::Csv);
        assert_eq!(
            write(&path, with(Existing::Append, table), &["k,other,n\n1,2,3\n"]).unwrap_err().kind(),
            Kind::Headers
        );
        assert_eq!(rows_of(table).len(), 2);
        write(&path, with(Existing::Replace, table), &["n\n9\n"]).unwrap();
        assert_eq!(rows_of(table), [vec![Value::Integer(9)]]);
        assert_eq!(rows_of("other"), [vec![Value::Integer(1)]]);
    }

    #[test]
    fn a_run_that_ends_early_leaves_an_existing_database_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.sqlite");
        write(&path, options(&path, ""), &["a\n1\n"]).unwrap();
        let before = fs::read(&path).unwrap();
        for existing in [Existing::Append, Existing::Replace] {
            let begun = || {
                let mut options = options(&path, "");
                options.existing = existing;
                let mut sink = Sink::create(Target::File(path.clone()), options).unwrap();
                sink.append("b.csv", rows(&format!("a\n{}", "2\n".repeat(50_000)))).unwrap();
                sink
            };
            drop(begun());
            assert_eq!(all(&path, "data"), [[text("1")]]);
            assert_eq!(begun().finish_partial().unwrap(), None);
            assert_eq!(all(&path, "data"), [[text("1")]]);
        }
        assert_eq!(fs::read(&path).unwrap().len(), before.len());
        // A new database is kept under another name.
        let new = folder.path().join("new.sqlite");
        let mut sink = Sink::create(Target::File(new.clone()), options(&new, "")).unwrap();
        sink.append("b.csv", rows("a\n2\n")).unwrap();
        assert_eq!(sink.finish_partial().unwrap().map(|written| written.rows), Some(1));
        assert_eq!(all(&folder.path().join("new.sqlite.partial"), "data"), [[text("2")]]);
        assert_eq!(names(folder.path()), ["a.sqlite", "new.sqlite.partial"]);
    }

    #[test]
    fn a_file_that_is_no_database_is_replaced_whole_and_never_added_to() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.sqlite");
        fs::write(&path, "a,b\n".repeat(500)).unwrap();
        let with = |existing| {
            let mut options = options(&path, "");
            options.existing = existing;
            options
        };
        let error = write(&path, with(Existing::Append), &["a\n1\n"]).unwrap_err();
        assert!(error.kind() == Kind::Io && error.hint_text().unwrap().contains("[`overwrite`]"), "{error:?}");
        write(&path, with(Existing::Replace), &["a\n1\n"]).unwrap();
        assert_eq!(all(&path, "data"), [[text("1")]]);
        // What a killed run has left is replaced.
        fs::remove_file(&path).unwrap();
        fs::write(folder.path().join(".raudal-a.sqlite.part"), "x").unwrap();
        fs::write(folder.path().join(".raudal-a.sqlite.part-db"), "x").unwrap();
        write(&path, with(Existing::Refuse), &["a\n1\n"]).unwrap();
        assert_eq!(names(folder.path()), ["a.sqlite"]);
    }
}
