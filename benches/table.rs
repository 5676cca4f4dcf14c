//! Compares the parts of the table with what one would write without it, on the same text in the
//! same run.
//!
//! The text is a synthetic ITER table of 286 columns. `split` also has two others: narrow rows
//! without quotes, and rows with every field in quotes. Bytes per second are bytes of CSV, zipped
//! or not.
//!
//! - `split`: text to records. raudal's splitter is called through [`read`], with a filter on the
//!   first column that no row matches. So it also checks that the text is UTF-8 without NUL and
//!   that each record has the right number of fields. It is compared with `csv` (which copies every
//!   field), with `csv_core` (the same without allocation or reader), and twice with `simd_csv`:
//!   its splitter, which neither finds nor counts fields, and its reader, which finds all of them.
//! - `filter`: text to the rows with `MUN == 0 and LOC == 0`. It is compared with the same `if` by
//!   hand over records of `csv` and of `simd_csv`, and over a `Vec<String>` for each row.
//! - `inflate_scan`: a zip archive to the same rows. It is compared with inflating alone, with
//!   inflating and checking the checksum, and with `zip` and `csv` by hand.
//!
//! ```text
//! cargo bench --bench table -- --quick
//! ```

mod common;

use common::{Shared, by_csv, by_zip_and_csv, is_zero, places, totals};
use criterion::{
    BenchmarkGroup, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main, measurement::WallTime,
};
use flate2::bufread::DeflateDecoder;
use raudal::catalogue::iter_2020;
use raudal::origin::archive;
use raudal::table::{Filter, Query, read};
use std::fmt::{Debug, Write as _};
use std::hint::black_box;
use std::io::{Cursor, Read};
use std::time::Duration;

/// The buffer size of all readers, the same as raudal's.
const BUFFER: usize = 256 << 10;

/// An archive of about 4,700 rows, and its contents.
struct Zacatecas {
    archive: Vec<u8>,
    /// The member, compressed.
    packed: Vec<u8>,
    crc: u32,
    text: Vec<u8>,
}

impl Zacatecas {
    fn new() -> Self {
        let entity = &iter_2020::catalogue().entries()[31];
        let archive = archive(entity, iter_2020::MICRODATOS, 1.0, 0).expect("a good scale");
        let mut zip = zip::ZipArchive::new(Cursor::new(&archive)).expect("an archive");
        let (mut packed, mut text) = (Vec::new(), Vec::new());
        zip.by_index_raw(0).expect("a member").read_to_end(&mut packed).expect("in memory");
        let mut member = zip.by_index(0).expect("a member");
        let crc = member.crc32();
        member.read_to_end(&mut text).expect("a good member");
        drop(member);
        Self { archive, packed, crc, text }
    }
}

/// A function and its name in the results.
type Way<I, O> = (&'static str, fn(&I) -> O);

/// Times several functions, after checking that they return the same result.
fn ways<I: ?Sized, O: PartialEq + Debug>(
    group: &mut BenchmarkGroup<'_, WallTime>,
    parameter: &str,
    input: &I,
    ways: &[Way<I, O>],
) {
    let expected = ways[0].1(input);
    for (name, way) in ways {
        assert!(way(input) == expected, "{name} differs from {} on {parameter}", ways[0].0);
        group.bench_with_input(BenchmarkId::new(*name, parameter), input, |bench, input| {
            bench.iter(|| black_box(way(input)));
        });
    }
}

fn group<'a>(criterion: &'a mut Criterion, name: &str) -> BenchmarkGroup<'a, WallTime> {
    let mut group = criterion.benchmark_group(name);
    group.sample_size(20).warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(2));
    group
}

fn split(criterion: &mut Criterion) {
    let mut group = group(criterion, "split");
    for (name, text) in [("iter", Zacatecas::new().text), ("narrow", narrow(4 << 20)), ("quoted", quoted(4 << 20))] {
        group.throughput(Throughput::Bytes(text.len() as u64));
        ways(
            &mut group,
            name,
            text.as_slice(),
            &[
                ("raudal", split_by_raudal),
                ("csv", split_by_csv),
                ("csv_core", split_by_csv_core),
                ("simd_csv_splitter", split_by_simd_csv),
                ("simd_csv_reader", read_by_simd_csv),
            ],
        );
    }
    group.finish();
}

/// Returns the number of records, without the header.
fn split_by_raudal(text: &[u8]) -> u64 {
    let first = read(Cursor::new(text.split(|&byte| byte == b'\n').next().unwrap_or(text)), "", &Query::new(), &());
    let mut query = Query::new();
    let first = &first.expect("a header").header()[0].clone();
    query.filter = Some(Filter::parse(&format!("`{first}` == 'none'")).expect("a good filter"));
    let rows = read(Cursor::new(text), "", &query, &()).expect("good CSV");
    assert_eq!(rows.rows_kept(), 0);
    rows.rows_read()
}

fn split_by_csv(text: &[u8]) -> u64 {
    let mut reader = csv::ReaderBuilder::new().buffer_capacity(BUFFER).from_reader(text);
    let mut record = csv::ByteRecord::new();
    let mut count = 0;
    while reader.read_byte_record(&mut record).expect("good CSV") {
        count += 1;
    }
    count
}

fn split_by_csv_core(mut text: &[u8]) -> u64 {
    use csv_core::ReadRecordResult::{End, InputEmpty, Record};
    let (mut fields, mut ends) = (vec![0; BUFFER], vec![0; 1024]);
    let (mut at, mut end) = (0, 0);
    let mut reader = csv_core::Reader::new();
    let mut records = 0_u64;
    loop {
        let (result, read, written, ended) = reader.read_record(text, &mut fields[at..], &mut ends[end..]);
        text = &text[read..];
        match result {
            InputEmpty => (at, end) = (at + written, end + ended),
            Record => {
                black_box(&fields);
                (at, end) = (0, 0);
                records += 1;
            }
            End => return records - 1,
            full => panic!("{full:?}: a record is larger than the buffer"),
        }
    }
}

fn split_by_simd_csv(text: &[u8]) -> u64 {
    let mut splitter = simd_csv::SplitterBuilder::with_capacity(BUFFER).from_reader(text);
    let mut count = 0;
    while splitter.split_record().expect("good CSV").is_some() {
        count += 1;
    }
    count
}

fn read_by_simd_csv(text: &[u8]) -> u64 {
    let mut reader = simd_csv::ZeroCopyReaderBuilder::with_capacity(BUFFER).from_reader(text);
    let mut count = 0;
    while reader.read_byte_record().expect("good CSV").is_some() {
        count += 1;
    }
    count
}

/// Returns rows of four fields without quotes, about 30 bytes each.
fn narrow(bytes: usize) -> Vec<u8> {
    let mut text = String::from("id,name,amount,flag\n");
    for n in 0_u64.. {
        let _ = writeln!(text, "{n},name of {},{}.25,{}", n % 977, n * 7919 % 100_000, n % 2);
        if text.len() > bytes {
            break;
        }
    }
    text.into_bytes()
}

/// Returns rows of twelve fields in quotes, with commas and doubled quotes in some of them.
fn quoted(bytes: usize) -> Vec<u8> {
    let mut text = String::from("\"a\",\"b\",\"c\",\"d\",\"e\",\"f\",\"g\",\"h\",\"i\",\"j\",\"k\",\"l\"\r\n");
    for n in 0_u64.. {
        for column in 0..12 {
            let comma = if column == 0 { "" } else { "," };
            let _ = match (n + column) % 6 {
                0 => write!(text, "{comma}\"Ayala, the {n}th\""),
                1 => write!(text, "{comma}\"{}°17'45\"\" W\"", n % 90),
                _ => write!(text, "{comma}\"{}\"", n * 7919 % 10_007),
            };
        }
        text.push_str("\r\n");
        if text.len() > bytes {
            break;
        }
    }
    text.into_bytes()
}

fn filter(criterion: &mut Criterion) {
    let mut group = group(criterion, "filter");
    let text = Zacatecas::new().text;
    group.throughput(Throughput::Bytes(text.len() as u64));
    ways(
        &mut group,
        "iter",
        text.as_slice(),
        &[
            ("raudal", filter_by_raudal),
            ("csv", |text| by_csv(text)),
            ("simd_csv", filter_by_simd_csv),
            ("strings", filter_by_strings),
        ],
    );
    group.finish();
}

/// Returns the table of the matching rows, from a text or an archive.
fn filter_by_raudal(input: &[u8]) -> Vec<u8> {
    let shared = Shared::default();
    let mut sink = shared.sink();
    sink.append("", read(Cursor::new(input), "", &totals(), &()).expect("good CSV")).expect("in memory");
    sink.finish().expect("in memory");
    shared.take()
}

fn filter_by_simd_csv(text: &[u8]) -> Vec<u8> {
    let mut reader = simd_csv::ZeroCopyReaderBuilder::with_capacity(BUFFER).from_reader(text);
    let header = reader.byte_headers().expect("a header").clone();
    let [mun, loc] = places(header.iter());
    let mut table = csv::Writer::from_writer(Vec::new());
    table.write_record(header.iter()).expect("in memory");
    while let Some(record) = reader.read_byte_record().expect("good CSV") {
        let is_zero = |at| record.unescape(at).is_some_and(|cell| is_zero(&cell));
        if is_zero(mun) && is_zero(loc) {
            table.write_record(record.unescaped_iter()).expect("in memory");
        }
    }
    table.into_inner().expect("in memory")
}

fn filter_by_strings(text: &[u8]) -> Vec<u8> {
    let mut reader = csv::Reader::from_reader(text);
    let header = reader.byte_headers().expect("a header").clone();
    let [mun, loc] = places(&header);
    let mut table = csv::Writer::from_writer(Vec::new());
    table.write_byte_record(&header).expect("in memory");
    for record in reader.records() {
        let row: Vec<String> = record.expect("good CSV").iter().map(str::to_owned).collect();
        if is_zero(row[mun].as_bytes()) && is_zero(row[loc].as_bytes()) {
            table.write_record(&row).expect("in memory");
        }
    }
    table.into_inner().expect("in memory")
}

fn inflate_scan(criterion: &mut Criterion) {
    let zacatecas = Zacatecas::new();
    let mut group = group(criterion, "inflate_scan");
    group.throughput(Throughput::Bytes(zacatecas.text.len() as u64));
    // Inflating alone gives no rows, so check that it gives all bytes.
    assert_eq!(inflate(&zacatecas.packed, |_| ()), zacatecas.text.len());
    ways(
        &mut group,
        "iter",
        &zacatecas,
        &[
            ("inflate", |zip| (inflate(&zip.packed, |bytes| _ = black_box(bytes)), zip.crc)),
            ("inflate_crc", |zip| {
                let mut hasher = crc32fast::Hasher::new();
                (inflate(&zip.packed, |bytes| hasher.update(bytes)), hasher.finalize())
            }),
        ],
    );
    ways(
        &mut group,
        "iter",
        &zacatecas,
        &[("raudal", |zip| filter_by_raudal(&zip.archive)), ("zip_csv", |zip| by_zip_and_csv(&zip.archive))],
    );
    group.finish();
}

/// Inflates all of it in pieces of the same size as raudal's, and returns the number of bytes.
fn inflate(packed: &[u8], mut piece: impl FnMut(&[u8])) -> usize {
    let mut reader = DeflateDecoder::new(packed);
    let mut buffer = vec![0; BUFFER];
    let mut total = 0;
    loop {
        match reader.read(&mut buffer).expect("good data") {
            0 => return total,
            count => {
                piece(&buffer[..count]);
                total += count;
            }
        }
    }
}

criterion_group!(benches, split, filter, inflate_scan);
criterion_main!(benches);
