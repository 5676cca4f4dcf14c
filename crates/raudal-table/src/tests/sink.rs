//! Where the table goes, in which format, and what is left after a failure.

use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Arc, Mutex};

use super::{read_all, refused};
use crate::{Existing, Format, Rows, Sink, SinkOptions, Target, Written};
use raudal_common::{Kind, Result};

#[derive(Clone, Default)]
pub(super) struct Shared(Arc<Mutex<Vec<u8>>>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Shared {
    pub(super) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

pub(super) fn rows(csv: &str) -> Rows {
    read_all(csv.as_bytes(), "x.csv").unwrap()
}

pub(super) fn to_shared(options: SinkOptions) -> (Sink, Shared) {
    let shared = Shared::default();
    (Sink::create(Target::Writer(Box::new(shared.clone())), options).unwrap(), shared)
}

pub(super) fn written(options: SinkOptions, inputs: &[&str]) -> (String, Written) {
    let (mut sink, shared) = to_shared(options);
    for (at, input) in inputs.iter().enumerate() {
        sink.append(&format!("in{at}.csv"), rows(input)).unwrap();
    }
    let written = sink.finish().unwrap();
    assert_eq!(written.bytes, shared.text().len() as u64);
    (shared.text(), written)
}

fn to_file(path: &Path) -> Result<Sink> {
    let mut options = SinkOptions::new(Format::Csv);
    options.existing = Existing::Replace;
    Sink::create(Target::File(path.to_owned()), options)
}

const TRAPS: &str = "k,\"a\"\"b\"\n000,\"x,y\"\n,\"say \"\"hi\"\"\"\n1,\"two\r\nlines\"\n2,tab\there\n";

#[test]
fn csv_has_lf_ends_and_quotes_only_where_they_are_needed() {
    let (text, written) = written(SinkOptions::new(Format::Csv), &[TRAPS, "k,\"a\"\"b\"\r\n\"9\",\"z\"\r\n"]);
    assert_eq!(text, format!("{TRAPS}9,z\n"));
    assert_eq!((written.rows, written.columns), (5, 2));
    let digest = <sha2::Sha256 as sha2::Digest>::digest(&text);
    let bytes = (0..32).map(|at| u8::from_str_radix(&written.digest[2 * at..2 * at + 2], 16).unwrap());
    assert!(bytes.eq(digest.iter().copied()), "{}", written.digest);
}

#[test]
fn tsv_quotes_tabs() {
    let (text, _) = written(SinkOptions::new(Format::Tsv), &[TRAPS]);
    assert_eq!(text, "k\t\"a\"\"b\"\n000\tx,y\n\t\"say \"\"hi\"\"\"\n1\t\"two\r\nlines\"\n2\t\"tab\there\"\n");
}

#[test]
fn jsonl_keeps_text_and_the_order_of_columns() {
    let (text, _) = written(SinkOptions::new(Format::Jsonl), &["z,a\n000,\"x\"\"\ny\u{1f}\"\n\"\",é\n"]);
    assert_eq!(text, "{\"z\":\"000\",\"a\":\"x\\\"\\ny\\u001f\"}\n{\"z\":\"\",\"a\":\"é\"}\n");
    let (mut sink, _) = to_shared(SinkOptions::new(Format::Jsonl));
    let error = sink.append("x.csv", rows("a,b,a\n1,2,3\n")).unwrap_err();
    assert_eq!(error.to_string(), "x.csv: a JSON object has each name once, the header has one twice: \"a\"");
    sink.append("y.csv", rows("a,b\n1,2\n")).unwrap();
}

#[test]
fn the_same_columns_in_another_order_are_aligned_in_every_format() {
    for (format, expected) in [
        (Format::Csv, "a,b\n1,2\n3,4\n"),
        (Format::Tsv, "a\tb\n1\t2\n3\t4\n"),
        (Format::Jsonl, "{\"a\":\"1\",\"b\":\"2\"}\n{\"a\":\"3\",\"b\":\"4\"}\n"),
        (Format::Json, "[\n{\"a\":\"1\",\"b\":\"2\"},\n{\"a\":\"3\",\"b\":\"4\"}\n]\n"),
        (Format::Table, "a  b\n─  ─\n1  2\n3  4\n2 rows\n"),
    ] {
        assert_eq!(written(SinkOptions::new(format), &["a,b\n1,2\n", "b,a\n4,3\n"]).0, expected);
    }
}

#[test]
fn columns_that_differ_are_named_and_the_sink_goes_on() {
    let (mut sink, shared) = to_shared(SinkOptions::new(Format::Csv));
    sink.append("https://u:p@h/one.csv", rows("a,b,c\n1,2,3\n")).unwrap();
    for (csv, message) in [
        ("a,b\n1,2\n", "two.csv: its columns differ: without \"c\""),
        ("a,b,c,d\n1,2,3,4\n", "two.csv: its columns differ: with extra \"d\""),
        ("a,B,c\n1,2,3\n", "two.csv: its columns differ: without \"b\", with extra \"B\""),
        ("c,b,a,a\n1,2,3,4\n", "two.csv: its columns differ: in another order, with \"a\" more than once"),
    ] {
        let error = sink.append("two.csv", rows(csv)).unwrap_err();
        assert_eq!((error.kind(), error.to_string().as_str()), (Kind::Headers, message));
        assert_eq!(error.hint_text(), Some("compared with the first input: https://h/one.csv"));
    }
    sink.append("three.csv", rows("a,b,c\n4,5,6\n")).unwrap();
    assert_eq!(sink.finish().unwrap().rows, 2);
    assert_eq!(shared.text(), "a,b,c\n1,2,3\n4,5,6\n");
}

#[test]
fn a_source_column_comes_first_and_must_not_be_there_already() {
    let mut options = SinkOptions::new(Format::Csv);
    options.source_column = Some("file".into());
    let (text, written) = written(options.clone(), &["a,b\n1,\"2\n\"\n", "b,a\n4,3\n"]);
    assert_eq!(text, "file,a,b\nin0.csv,1,\"2\n\"\nin1.csv,3,4\n");
    assert_eq!(written.columns, 3);
    let (mut sink, _) = to_shared(options);
    let error = sink.append("x.csv", rows("a,file\n1,2\n")).unwrap_err();
    assert_eq!((error.kind(), error.hint_text().unwrap().contains("[`source_column`]")), (Kind::Column, true));
}

#[test]
fn a_table_shows_the_columns_that_fit_and_counts_the_rest() {
    let mut options = SinkOptions::new(Format::Table);
    options.width = Some(30);
    let input =
        "name,POBTOT,long,more,more2\nSan José,1425607,123456789012345,x,y\n日本,*,,x,y\n\"a\u{1b}[2Jb\",5,z,x,y\n";
    let (text, _) = written(options.clone(), &[input]);
    assert_eq!(
        text,
        "name          POBTOT  more\n\
         ───────────  ───────  ────\n\
         San José     1425607  x\n\
         日本         *        x\n\
         a\\u{1b}[2Jb        5  x\n\
         3 rows; 2 more columns not shown\n"
    );
    options.width = Some(3);
    let (text, _) = written(options.clone(), &["abcdef,bcde\n1234,5678\n"]);
    assert_eq!(text, "ab…\n───\n12…\n1 row; 1 more column not shown\n");
    options.width = None;
    let (text, _) = written(options.clone(), &[&format!("a\n{}\n", "x".repeat(100))]);
    assert!(text.contains(&format!("\n{}…\n", "x".repeat(39))), "{text}");
    // More rows than the sample that decides the widths.
    let many = format!("a,b\n{}1234567,1\n", "1,2\n".repeat(500));
    let (text, _) = written(options, &[&many]);
    assert!(text.ends_with("1  2\n…  1\n501 rows\n"), "{}", &text[text.len() - 50..]);
}

#[test]
fn nothing_appended_is_an_empty_table() {
    for format in [Format::Csv, Format::Tsv, Format::Jsonl, Format::Table] {
        assert_eq!(written(SinkOptions::new(format), &[]).0, "");
    }
    assert_eq!(written(SinkOptions::new(Format::Json), &[]).0, "[]\n");
    assert_eq!(written(SinkOptions::new(Format::Csv), &["a,b\n"]).0, "a,b\n");
}

#[test]
fn rows_are_seen_as_soon_as_an_input_is_appended() {
    let (mut sink, shared) = to_shared(SinkOptions::new(Format::Csv));
    sink.append("x.csv", rows("a\n1\n")).unwrap();
    assert_eq!(shared.text(), "a\n1\n");
}

#[test]
fn a_file_appears_when_the_table_is_whole_and_not_before() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out.csv");
    let names = || fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect::<Vec<_>>();
    let mut sink = to_file(&path).unwrap();
    sink.append("x.csv", rows("a\n1\n")).unwrap();
    assert!(!path.exists());
    drop(sink);
    assert!(names().is_empty(), "{:?}", names());

    fs::write(&path, "old").unwrap();
    let mut sink = to_file(&path).unwrap();
    sink.append("x.csv", rows("a\n1\n")).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "old");
    sink.finish().unwrap();
    assert_eq!((fs::read_to_string(&path).unwrap().as_str(), names().len()), ("a\n1\n", 1));
}

#[test]
fn a_folder_that_is_missing_is_said_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let error = to_file(&folder.path().join("no/out.csv")).unwrap_err();
    assert_eq!(error.kind(), Kind::Io);
    assert!(error.hint_text().unwrap().starts_with("the folder does not exist"), "{error:?}");
    assert_eq!(to_file(folder.path()).unwrap_err().kind(), Kind::Io);
    assert_eq!(to_file(Path::new("")).unwrap_err().kind(), Kind::Io);
}

#[cfg(unix)]
#[test]
fn a_new_file_has_the_permissions_of_any_new_file_and_links_are_followed() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let (plain, ours, link) = (folder.path().join("plain"), folder.path().join("ours"), folder.path().join("link"));
    fs::write(&plain, "").unwrap();
    to_file(&ours).unwrap().finish().unwrap();
    assert_eq!(mode(&ours), mode(&plain));
    fs::set_permissions(&ours, fs::Permissions::from_mode(0o640)).unwrap();
    std::os::unix::fs::symlink(&ours, &link).unwrap();
    let mut sink = to_file(&link).unwrap();
    sink.append("x.csv", rows("a\n1\n")).unwrap();
    sink.finish().unwrap();
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!((fs::read_to_string(&ours).unwrap().as_str(), mode(&ours)), ("a\n1\n", 0o640));
}

#[cfg(target_os = "linux")]
#[test]
fn devices_are_written_directly_and_a_full_disk_is_named() {
    let mut sink = to_file(Path::new("/dev/null")).unwrap();
    sink.append("x.csv", rows("a\n1\n")).unwrap();
    assert_eq!(sink.finish().unwrap().rows, 1);
    let mut sink = to_file(Path::new("/dev/full")).unwrap();
    let error = sink.append("x.csv", rows("a\n1\n")).unwrap_err();
    assert_eq!((error.kind(), error.to_string().as_str()), (Kind::Io, "cannot write: /dev/full"));
    assert_eq!(error.hint_text(), Some("the disk is full"));
    // An incomplete table is neither continued nor published.
    assert_eq!(sink.append("x.csv", rows("a\n1\n")).unwrap_err().kind(), Kind::Io);
    assert_eq!(sink.finish().unwrap_err().kind(), Kind::Io);
}

#[test]
fn a_closed_pipe_is_known_by_its_source() {
    struct Closed;
    impl Write for Closed {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut sink = Sink::create(Target::Writer(Box::new(Closed)), SinkOptions::new(Format::Csv)).unwrap();
    let error = sink.append("x.csv", rows("a\n1\n")).unwrap_err();
    let source = std::error::Error::source(&error).and_then(|source| source.downcast_ref::<io::Error>()).unwrap();
    assert_eq!((error.kind(), source.kind()), (Kind::Io, io::ErrorKind::BrokenPipe));
}

#[test]
fn rows_and_sinks_go_to_other_threads() {
    fn send<T: Send>() {}
    send::<Rows>();
    send::<Sink>();
    assert_eq!(refused(b"", "x.csv").kind(), Kind::Empty);
}
