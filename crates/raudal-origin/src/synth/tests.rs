//! Tests what the archives promise, read back with other crates: `zip` and `csv`.

use super::*;
use raudal_catalogue::iter_2020;
use std::collections::HashMap;
use std::io::{Cursor, Read as _};

/// The members of an archive, by name.
fn members(bytes: Vec<u8>) -> Vec<(String, Vec<u8>)> {
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).expect("an archive");
    assert_eq!(archive.comment(), crate::SYNTHETIC.as_bytes());
    (0..archive.len())
        .map(|at| {
            let mut member = archive.by_index(at).expect("a member");
            let mut content = Vec::new();
            member.read_to_end(&mut content).expect("a sound member");
            (member.name().expect("a name").into_owned(), content)
        })
        .collect()
}

struct Table {
    columns: HashMap<String, usize>,
    rows: Vec<csv::StringRecord>,
}

impl Table {
    fn of(data: &[u8]) -> Self {
        let text = data.strip_prefix("\u{feff}".as_bytes()).expect("a BOM");
        assert!(text.ends_with(b"\r\n"));
        assert!(text.split_inclusive(|&b| b == b'\n').all(|line| line.ends_with(b"\r\n")));
        let mut reader = csv::Reader::from_reader(text);
        let columns = reader.headers().expect("a header").iter().zip(0..).map(|(n, at)| (n.to_owned(), at)).collect();
        Self { columns, rows: reader.records().map(|r| r.expect("a row")).collect() }
    }

    fn cell<'a>(&self, row: &'a csv::StringRecord, column: &str) -> &'a str {
        &row[self.columns[column]]
    }

    fn number(&self, row: &csv::StringRecord, column: &str) -> u64 {
        self.cell(row, column).trim_start().parse().expect("a number")
    }

    /// Returns the number of rows with such a municipality and locality, and the sum of a column
    /// over them.
    fn sum(&self, column: &str, rows: impl Fn(u64, u64) -> bool) -> (usize, u64) {
        let of: Vec<u64> = self
            .rows
            .iter()
            .filter(|row| rows(self.number(row, "MUN"), self.number(row, "LOC")))
            .map(|row| self.number(row, column))
            .collect();
        (of.len(), of.iter().sum())
    }
}

fn table(code: usize, scale: f64) -> (&'static Entry, Table) {
    let entity = &iter_2020::catalogue().entries()[code - 1];
    let members = members(archive(entity, iter_2020::MICRODATOS, scale, 0).expect("an archive"));
    assert_eq!(members[0].0, entity.member(iter_2020::MICRODATOS));
    assert_eq!((members.len(), members[1].0.as_str()), (2, "SYNTHETIC.txt"));
    let notice = String::from_utf8_lossy(&members[1].1);
    assert!(notice.to_lowercase().starts_with(&crate::SYNTHETIC.to_lowercase()), "{notice}");
    (entity, Table::of(&members[0].1))
}

#[test]
fn an_archive_of_full_size_has_the_real_rows_and_people() {
    for code in [1, 9] {
        let (entity, table) = table(code, 1.0);
        assert_eq!(table.rows.len() as u64, entity.rows);
        assert_eq!(table.sum("POBTOT", |mun, loc| (mun, loc) == (0, 0)), (1, iter_2020::population(entity)));
        let municipalities = (iter_2020::municipalities(entity) as usize, iter_2020::population(entity));
        assert_eq!(table.sum("POBTOT", |mun, loc| mun != 0 && loc == 0), municipalities);
        let people = table.sum("POBTOT", |mun, loc| mun != 0 && ![0, 9998, 9999].contains(&loc)).1;
        assert_eq!(people, iter_2020::population(entity));
    }
}

#[test]
fn every_entity_keeps_its_sums_at_a_small_scale() {
    for code in 1..=32 {
        let (entity, table) = table(code, 0.02);
        assert_eq!(table.sum("POBTOT", |mun, loc| (mun, loc) == (0, 0)), (1, iter_2020::population(entity)));
        for column in ["POBTOT", "P_15YMAS_F", "VIVTOT", "POB_AFRO"] {
            let whole = table.sum(column, |mun, loc| (mun, loc) == (0, 0)).1;
            assert_eq!(table.sum(column, |mun, loc| mun != 0 && loc == 0).1, whole, "{column} of {}", entity.name);
        }
        let people = table.sum("POBTOT", |mun, loc| mun != 0 && ![0, 9998, 9999].contains(&loc)).1;
        assert_eq!(people, iter_2020::population(entity));
        for row in &table.rows {
            if table.cell(row, "POBFEM") != "*" {
                let both = table.number(row, "POBFEM") + table.number(row, "POBMAS");
                assert_eq!(both, table.number(row, "POBTOT"));
            }
        }
    }
}

#[test]
fn the_odd_cells_are_there() {
    let (_, table) = table(1, 1.0);
    let cells = table.rows.len() * 286;
    let count = |text: &str| table.rows.iter().flatten().filter(|&cell| cell == text).count();
    assert!((cells / 4..cells / 2).contains(&count("*")), "{} of {cells} cells are confidential", count("*"));
    assert!(count("N/D") > 0);
    assert!(table.rows.iter().any(|row| table.cell(row, "NOM_LOC").contains(',')));
    for row in &table.rows {
        let total = [0, 9998, 9999].contains(&table.number(row, "LOC"));
        assert_eq!(table.cell(row, "LONGITUD").is_empty(), total);
        assert_eq!(table.cell(row, "TAMLOC") == "*", total);
        if !total {
            assert!(table.cell(row, "LONGITUD").ends_with("\" W") && table.cell(row, "LATITUD").ends_with("\" N"));
        }
        assert_eq!(table.cell(row, "MUN").len() + table.cell(row, "LOC").len(), 7);
        let afro = table.cell(row, "POB_AFRO_F");
        assert!(matches!(afro, "*" | "N/D") || afro.len() == 9, "{afro:?}");
    }
}

#[test]
fn the_rows_9998_and_9999_count_localities_of_one_and_two_dwellings_again() {
    let (_, table) = table(17, 1.0);
    for (special, dwellings) in [(9998, "1"), (9999, "2")] {
        let small = table
            .rows
            .iter()
            .filter(|row| ![0, 9998, 9999].contains(&table.number(row, "LOC")))
            .filter(|row| table.cell(row, "TVIVHAB") == dwellings);
        let people: u64 = small.map(|row| table.number(row, "POBTOT")).sum();
        assert_eq!(table.sum("POBTOT", |mun, loc| mun == 0 && loc == special), (1, people));
        let (rows, again) = table.sum("POBTOT", |mun, loc| mun != 0 && loc == special);
        assert_eq!(again, people);
        assert!(0 < rows && rows < 36);
    }
}

#[test]
fn datos_abiertos_has_its_members_and_the_same_rows() {
    let entity = &iter_2020::catalogue().entries()[0];
    let plain = members(archive(entity, iter_2020::MICRODATOS, 0.1, 5).expect("an archive"));
    let open = members(archive(entity, iter_2020::DATOS_ABIERTOS, 0.1, 5).expect("an archive"));
    let names: Vec<&str> = open.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        names,
        [
            "iter_01_cpv2020/catalogos/tam_loc.csv.csv",
            "iter_01_cpv2020/conjunto_de_datos/conjunto_de_datos_iter_01CSV20.csv",
            "iter_01_cpv2020/diccionario_datos/diccionario_datos_iter_01CSV20.csv",
            "iter_01_cpv2020/metadatos/metadatos_iter_01_cpv2020.txt",
            "SYNTHETIC.txt",
        ]
    );
    assert!(open[1].1 == plain[0].1);
}

#[test]
fn every_name_of_a_place_says_that_it_is_synthetic() {
    let (_, table) = table(6, 0.1);
    for row in &table.rows {
        for (key, name) in [("MUN", "NOM_MUN"), ("LOC", "NOM_LOC")] {
            let is_place = ![0, 9998, 9999].contains(&table.number(row, key));
            assert_eq!(table.cell(row, name).ends_with(" (sintético)"), is_place, "{row:?}");
        }
    }
}

#[test]
fn a_seed_decides_every_byte() {
    let entity = &iter_2020::catalogue().entries()[5];
    let bytes = |seed| archive(entity, iter_2020::MICRODATOS, 0.05, seed).expect("an archive");
    assert!(bytes(1) == bytes(1) && bytes(1) != bytes(2));
    assert!(tiny(7, 1).expect("an archive") == tiny(7, 1).expect("an archive"));
    assert!(tiny(7, 1).expect("an archive") != tiny(8, 1).expect("an archive"));
}

#[test]
fn the_bytes_never_change() {
    // Machines, builds and versions agree, or mirrors and resumed downloads would not.
    let entity = &iter_2020::catalogue().entries()[5];
    let bytes = archive(entity, iter_2020::MICRODATOS, 0.05, 0).expect("an archive");
    assert_eq!(crc32fast::hash(&members(bytes).remove(0).1), 3_999_746_634);
}

#[test]
fn a_tiny_archive_adds_up() {
    let mut members = members(tiny(100_000, 0).expect("an archive"));
    let (name, data) = members.remove(0);
    assert_eq!(name, "tiny_100000.csv");
    let table = Table::of(&data);
    assert_eq!(table.rows.len(), 4);
    let (rows, whole) = table.sum("POBTOT", |mun, loc| (mun, loc) == (0, 0));
    assert_eq!((rows, table.sum("POBTOT", |_, loc| loc != 0).1), (1, whole));
}

#[test]
fn a_scale_that_makes_no_sense_is_refused() {
    let entity = &iter_2020::catalogue().entries()[0];
    for scale in [0.0, -1.0, f64::NAN, f64::INFINITY, 6.5] {
        let error = archive(entity, iter_2020::MICRODATOS, scale, 0).expect_err("no such scale");
        assert_eq!(error.kind(), raudal_common::Kind::Usage);
    }
}
