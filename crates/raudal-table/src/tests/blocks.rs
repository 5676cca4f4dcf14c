//! Rows that are read in blocks, on several threads, beside those that are read one after another.

use std::cell::Cell;
use std::io::Cursor;

use fastrand::Rng;

use super::{Hostile, text};
use crate::blocks::Plan;
use crate::{Encoding, Filter, Nulls, Query, Ragged, RepeatedHeader, Rows, Select, Watch, read};
use raudal_common::{Kind, Result};

/// What a generated text has beside plain rows: one of these in so many rows.
#[derive(Clone, Copy)]
struct Oddities {
    breaks: usize,
    ragged: usize,
    damage: usize,
}

fn one_in(random: &mut Rng, rows: usize) -> bool {
    rows > 0 && random.usize(..rows) == 0
}

fn cell(random: &mut Rng, oddities: Oddities, delimiter: char) -> String {
    let end = *random.choice(&["\n", "\r\n", "\r"]).unwrap();
    if one_in(random, oddities.breaks) {
        return format!("\"a{end}{}{delimiter}{end}\"\"b\"\"\"", "x".repeat(random.usize(..90)));
    }
    if one_in(random, oddities.ragged) {
        return (*random.choice(&["5\" pipe", "\"Kostas\" Theatre", "a\"\"b", "\"\"\"\"", "x\"", "\"a\" "]).unwrap())
            .to_owned();
    }
    match random.usize(..12) {
        0 => format!("\"{}\"", random.u32(..99)),
        1 => format!("\"q{delimiter} {}\"", random.u32(..99)),
        2 => "\"say \"\"hi\"\"\"".to_owned(),
        3 => "Málaga ñ ü".to_owned(),
        4 => String::new(),
        5 => "*".to_owned(),
        6 => "x".repeat(random.usize(..120)),
        7 => "\"\"".to_owned(),
        _ => random.u32(..12).to_string(),
    }
}

fn table(random: &mut Rng, delimiter: char, oddities: Oddities) -> Vec<u8> {
    let width = random.usize(2..5);
    let end = *random.choice(&["\n", "\n", "\r\n", "\r\n", "\r"]).unwrap();
    let header = ["n", "name", "m", "z"][..width].join(&delimiter.to_string());
    let mut text = format!("{header}{end}").into_bytes();
    let trailing = one_in(random, 30);
    for _ in 0..random.usize(..120) {
        let fields = if one_in(random, oddities.ragged * 2) { random.usize(1..7) } else { width };
        if one_in(random, oddities.ragged * 3) {
            let odd: &str = random.choice(&["\n", "\r\n", "\r", "\n\n", "\u{feff}", "\u{feff}n", "ｆ"]).unwrap();
            text.extend_from_slice(odd.as_bytes());
        }
        if one_in(random, oddities.damage * 40) {
            let odd: &[u8] = random.choice(&[&b"\xff"[..], b"\0", b"caf\xe9", b"\x1a", b"\""]).unwrap();
            text.extend_from_slice(odd);
        }
        let row = if one_in(random, 60) {
            header.clone()
        } else {
            let cells: Vec<String> = (0..fields).map(|_| cell(random, oddities, delimiter)).collect();
            cells.join(&delimiter.to_string())
        };
        text.extend_from_slice(row.as_bytes());
        text.extend_from_slice(if trailing { &b","[..] } else { b"" });
        text.extend_from_slice(end.as_bytes());
    }
    match random.usize(..8) {
        0 => text.truncate(text.len() - end.len()),
        1 => text.extend_from_slice(b"\n\n"),
        2 => text.push(0x1a),
        3 => text.extend_from_slice(b"\"open"),
        4 => text.extend_from_slice(b"Source: a census\n"),
        _ => {}
    }
    text
}

fn query(random: &mut Rng) -> Query {
    let mut query = Query::new();
    if random.bool() {
        let filter = random.choice(&["n == 7", "n > 5", "name == '7' or not n < 3", "n is null", "name > 0"]).unwrap();
        query.filter = Some(Filter::parse(filter).unwrap());
    }
    if one_in(random, 3) {
        query.select = Select::parse(random.choice(&["name", "name, n", "!n", "name as other"]).unwrap()).unwrap();
    }
    query.dialect.ragged = *random.choice(&[Ragged::Refuse, Ragged::Pad, Ragged::Skip]).unwrap();
    query.dialect.repeated_header = *random.choice(&[RepeatedHeader::Warn, RepeatedHeader::Drop]).unwrap();
    query.dialect.footer = u64::from(one_in(random, 8));
    query.dialect.skip_rows = u64::from(one_in(random, 12));
    query.dialect.comment = one_in(random, 12).then(|| "*".to_owned());
    query.dialect.trim = one_in(random, 12);
    query.nulls = if one_in(random, 4) { Nulls::new(["*"]) } else { Nulls::default() };
    query.pick.count = one_in(random, 8);
    if one_in(random, 8) {
        query.encodings = Encoding::parse(random.choice(&["windows-1252", "utf-8"]).unwrap()).unwrap().into();
    }
    query.memory = *random.choice(&[0, 100, 256 << 10]).unwrap();
    query
}

/// Counts what is reported.
#[derive(Default)]
struct Reported {
    bytes: Cell<u64>,
    rows: Cell<u64>,
}

impl Watch for Reported {
    fn advance(&self, bytes: u64, rows: u64) {
        self.bytes.set(self.bytes.get() + bytes);
        self.rows.set(self.rows.get() + rows);
    }
}

/// All that a reading gives, as text.
fn shown(result: Result<Rows>) -> String {
    match result {
        Ok(rows) => {
            let said = format!("{:?} {:?} {:?}", rows.header(), rows.warnings(), rows.notes());
            format!("{said} {} of {}, {} bytes\n{}", rows.rows_kept(), rows.rows_read(), rows.bytes(), text(rows))
        }
        // The hint guesses the encoding from the bytes that were read at once.
        Err(error) if error.kind() == Kind::Encoding => error.to_string(),
        Err(error) => format!("{error}: {:?}", error.hint_text()),
    }
}

fn check(seed: u64, oddities: Oddities) {
    let mut random = Rng::with_seed(seed);
    let tabs = one_in(&mut random, 5);
    let (name, delimiter) = if tabs { ("x.tsv", '\t') } else { ("x.csv", ',') };
    let bytes = table(&mut random, delimiter, oddities);
    let mut query = query(&mut random);
    let buffer = random.usize(128..1200);
    query.blocks = Plan::of(0, 0, buffer);
    let read_with = |query: &Query| {
        let watch = Reported::default();
        let rows = read(Cursor::new(&bytes), name, query, &watch);
        if let Ok(rows) = &rows
            && query.encodings == Query::new().encodings
        {
            assert_eq!((watch.rows.get(), watch.bytes.get()), (rows.rows_read(), rows.bytes()), "seed {seed}");
        }
        shown(rows)
    };
    let expected = read_with(&query);
    for helpers in [0, 1, 3] {
        let size = random.usize(1..1500);
        query.blocks = Plan::of(size, helpers, buffer);
        assert_eq!(
            read_with(&query),
            expected,
            "seed {seed}, {helpers} helpers, blocks of {size}, {:?}",
            bytes.escape_ascii().to_string()
        );
        let rows = read(Hostile::new(&bytes, 7), name, &query, &());
        assert_eq!(shown(rows), expected, "seed {seed}, a few bytes at once");
    }
}

#[test]
fn plain_rows_are_the_same_in_blocks_of_any_size_on_any_number_of_threads() {
    for seed in 0..100 {
        check(seed, Oddities { breaks: 0, ragged: 0, damage: 0 });
    }
}

#[test]
fn line_ends_in_quotes_are_no_row_ends_wherever_a_block_ends() {
    for seed in 1000..1120 {
        check(seed, Oddities { breaks: 1 + seed as usize % 40, ragged: 0, damage: 0 });
    }
}

#[test]
fn rows_that_are_not_plain_and_errors_are_those_of_one_thread() {
    for seed in 2000..2400 {
        let ragged = 1 + (seed as usize * 7) % 200;
        check(seed, Oddities { breaks: 25, ragged, damage: seed as usize % 3 });
    }
}
