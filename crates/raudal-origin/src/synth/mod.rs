//! Synthetic archives: invented figures in the exact shape of INEGI's files.
//!
//! | file | what it does |
//! |---|---|
//! | `plan` | distributes the entity's rows and people over municipalities and localities |
//! | `columns` | the 286 columns and how a cell of each is drawn |
//! | `rows` | draws the figures of a row and writes them |
//! | `names` | names of places |
//! | `companions` | the other members of an archive |
//! | `tiny` | archives of four rows, one for each number |
//! | `rng` | the pseudo-random numbers for all of it |
//!
//! The entities' names, codes, populations, and numbers of rows and municipalities are real.
//! Everything else is invented. All arithmetic except the scale is in whole numbers, so that every
//! machine makes the same bytes.

mod columns;
mod companions;
mod names;
mod plan;
mod rng;
mod rows;
mod tiny;

use super::pack::{ZipMember, pack};
use plan::{Locality, Municipality};
use raudal_catalogue::{Edition, Entry, iter_2020};
use raudal_common::{Error, Result};
pub(super) use rng::Rng;
use rows::Figures;
pub(super) use tiny::{figure, tiny};

/// The largest scale: beyond it, the locality numbers of the largest municipalities would need a
/// fifth digit.
pub(super) const MAX_SCALE: f64 = 6.0;

/// Bytes of CSV per row, with some to spare, so that the buffer need not grow.
const ROW_BYTES: usize = 860;

/// Checks a scale: above 0 and at most 6.
pub(super) fn check_scale(scale: f64) -> Result<()> {
    if scale > 0.0 && scale <= MAX_SCALE {
        return Ok(());
    }
    Err(Error::usage(format!("the scale of the archives is not between 0 and {MAX_SCALE}: {scale}"))
        .hint("1 is the size of the real files, 0.1 is a tenth of it"))
}

/// Returns the bytes of an entity's synthetic archive.
///
/// The same arguments give the same bytes on every machine. At scale 1 the file has as many rows as
/// INEGI's; the population of its total row is the real one at every scale. See [`origin`](super)
/// for its shape.
///
/// # Errors
///
/// Fails with the kind [`Usage`](raudal_common::Kind::Usage) for a scale that is not above 0 and at most 6.
///
/// ```
/// use raudal_origin::archive;
/// use raudal_catalogue::{iter_2020, Edition};
///
/// let colima = &iter_2020::catalogue().entries()[5];
/// let bytes = archive(colima, iter_2020::MICRODATOS, 0.05, 0)?;
/// assert!(bytes.starts_with(b"PK"));
/// assert_eq!(bytes, archive(colima, iter_2020::MICRODATOS, 0.05, 0)?);
/// # Ok::<(), raudal_common::Error>(())
/// ```
pub fn archive(entity: &Entry, edition: Edition, scale: f64, seed: u64) -> Result<Vec<u8>> {
    check_scale(scale)?;
    let rows = plan::rows(entity, scale);
    let (head, body) = csv(entity, rows, seed);
    let data = [&head[..], &body[..]];
    let nn = &entity.code;
    let notice = [companions::NOTICE.as_bytes()];
    let notice = || ZipMember::new("SYNTHETIC.txt".to_owned(), &notice);
    match edition {
        iter_2020::DATOS_ABIERTOS => {
            let folder = format!("iter_{nn}_cpv2020");
            let (sizes, dictionary, metadata) =
                (companions::sizes(), companions::dictionary(), companions::metadata(entity));
            pack(&[
                ZipMember::new(format!("{folder}/catalogos/tam_loc.csv.csv"), &[sizes.as_bytes()]),
                ZipMember::new(format!("{folder}/conjunto_de_datos/conjunto_de_datos_iter_{nn}CSV20.csv"), &data),
                ZipMember::new(
                    format!("{folder}/diccionario_datos/diccionario_datos_iter_{nn}CSV20.csv"),
                    &[dictionary.as_bytes()],
                ),
                ZipMember::new(format!("{folder}/metadatos/metadatos_iter_{nn}_cpv2020.txt"), &[metadata.as_bytes()]),
                notice(),
            ])
        }
        _ => pack(&[ZipMember::new(format!("ITER_{nn}CSV20.csv"), &data), notice()]),
    }
}

/// The total rows of small localities: locality number and name.
const SPECIALS: [(u32, &str); 2] = [(9998, "Localidades de una vivienda"), (9999, "Localidades de dos viviendas")];

/// The data: the BOM, the header and the entity's three totals, then everything else. Two parts, because the totals
/// stand first and are known last.
fn csv(entity: &Entry, rows: u64, seed: u64) -> (Vec<u8>, Vec<u8>) {
    let mut rng = Rng::new(seed, u64::from(entity.number()));
    let plan = plan::plan(entity, rows, &mut rng);
    let mut writer = RowWriter {
        keys: format!("{},{},", entity.code, quoted(&entity.name)).into_bytes(),
        out: Vec::with_capacity(rows as usize * ROW_BYTES),
    };
    let mut sums = Sums::default();
    for (number, municipality) in (1..).zip(&plan) {
        sums.add(&writer.municipality(number, municipality, &mut rng));
    }
    let body = std::mem::take(&mut writer.out);
    let name = format!("Total de la entidad {}", entity.name);
    writer.out.extend_from_slice("\u{feff}".as_bytes());
    writer.out.extend_from_slice(columns::header().as_bytes());
    writer.out.extend_from_slice(b"\r\n");
    writer.total(0, &name, 0, "Total de la Entidad", &sums.all);
    for ((number, label), figures) in SPECIALS.into_iter().zip(&sums.specials) {
        writer.total(0, &name, number, label, figures);
    }
    (writer.out, body)
}

/// Running sums: of all localities, and of those with one and with two dwellings.
struct Sums {
    all: Figures,
    specials: [Figures; 2],
}

impl Default for Sums {
    fn default() -> Self {
        let none = [0; columns::FIGURES_LEN];
        Self { all: none, specials: [none; 2] }
    }
}

impl Sums {
    fn add(&mut self, other: &Self) {
        rows::add(&mut self.all, &other.all);
        for (sum, figures) in self.specials.iter_mut().zip(&other.specials) {
            rows::add(sum, figures);
        }
    }

    fn add_locality(&mut self, dwellings: u32, figures: &Figures) {
        rows::add(&mut self.all, figures);
        if let Some(sum) = (dwellings as usize).checked_sub(1).and_then(|at| self.specials.get_mut(at)) {
            rows::add(sum, figures);
        }
    }
}

/// Writes rows into a buffer.
struct RowWriter {
    /// `01,Aguascalientes,`: how every row begins.
    keys: Vec<u8>,
    out: Vec<u8>,
}

impl RowWriter {
    /// Writes a municipality's rows: its total, its localities, and its rows 9998 and 9999.
    fn municipality(&mut self, number: u32, municipality: &Municipality, rng: &mut Rng) -> Sums {
        let localities: Vec<(Locality, Figures)> =
            municipality.localities.iter().map(|&locality| (locality, rows::draw(locality, rng))).collect();
        let mut sums = Sums::default();
        for (locality, figures) in &localities {
            sums.add_locality(locality.dwellings, figures);
        }
        let mut name = String::new();
        names::municipality(rng, &mut name);
        self.total(number, &name, 0, "Total del Municipio", &sums.all);
        let place = Coordinates::new(rng);
        // Real numbers have gaps, where localities have disappeared.
        let gap = (9997 / localities.len().max(1) as u32).min(4);
        let mut locality_number = 0;
        let mut locality_name = String::new();
        for (at, (locality, figures)) in localities.iter().enumerate() {
            locality_number += 1 + if at == 0 { 0 } else { rng.below(gap) };
            locality_name.clear();
            names::locality(rng, &mut locality_name);
            // The seat of a municipality mostly has the same name.
            let name_of = if at == 0 { &name } else { &locality_name };
            self.begin(number, &name, locality_number, name_of);
            place.write(rng, &mut self.out);
            if locality.dwellings <= 2 {
                rows::write_confidential(figures, &mut self.out);
            } else {
                let missing = rng.chance(2_000).then(|| 3 + rng.below(columns::FIGURES_LEN as u32 - 3) as usize);
                rows::write(figures, missing, &mut self.out);
            }
            rows::number(companions::size_class(locality.people), &mut self.out);
            self.out.extend_from_slice(b"\r\n");
        }
        for (at, (special, label)) in SPECIALS.into_iter().enumerate() {
            if municipality.specials[at] {
                self.total(number, &name, special, label, &sums.specials[at]);
            }
        }
        sums
    }

    /// Writes a total row: no coordinates, and `*` for the size class.
    fn total(&mut self, municipality: u32, name: &str, locality: u32, label: &str, sum: &Figures) {
        self.begin(municipality, name, locality, label);
        self.out.extend_from_slice(b",,,");
        rows::write(&rows::total(*sum), None, &mut self.out);
        self.out.extend_from_slice(b",*\r\n");
    }

    /// Writes the keys of a row, up to the name of the locality.
    fn begin(&mut self, municipality: u32, name: &str, locality: u32, label: &str) {
        self.out.extend_from_slice(&self.keys);
        rows::digits(municipality, 3, &mut self.out);
        self.out.push(b',');
        self.out.extend_from_slice(quoted(name).as_bytes());
        self.out.push(b',');
        rows::digits(locality, 4, &mut self.out);
        self.out.push(b',');
        self.out.extend_from_slice(quoted(label).as_bytes());
    }
}

/// The position and altitude of a municipality.
struct Coordinates {
    west: u32,
    north: u32,
    metres: u32,
}

impl Coordinates {
    /// In thousandths of a second of arc, within Mexico's bounds.
    fn new(rng: &mut Rng) -> Self {
        Self {
            west: (88 * 3_600_000) + rng.below(28 * 3_600_000),
            north: (16 * 3_600_000) + rng.below(15 * 3_600_000),
            metres: rng.below(2_600),
        }
    }

    /// Appends longitude, latitude and altitude of a place nearby, each after a comma.
    fn write(&self, rng: &mut Rng, out: &mut Vec<u8>) {
        angle(self.west + rng.below(900_000), b'W', out);
        angle(self.north + rng.below(900_000), b'N', out);
        out.push(b',');
        rows::digits(self.metres + rng.below(200), 4, out);
    }
}

/// Appends `,"102°17'45.768"" W"`: the mark for seconds is a quote, so the cell is quoted and the
/// quote doubled.
fn angle(thousandths: u32, side: u8, out: &mut Vec<u8>) {
    let seconds = thousandths / 1000;
    out.extend_from_slice(b",\"");
    rows::digits(seconds / 3600, 2, out);
    out.extend_from_slice("°".as_bytes());
    rows::digits(seconds / 60 % 60, 2, out);
    out.push(b'\'');
    rows::digits(seconds % 60, 2, out);
    out.push(b'.');
    rows::digits(thousandths % 1000, 3, out);
    out.extend_from_slice(&[b'"', b'"', b' ', side, b'"']);
}

/// Returns a name, in quotes if it needs them (RFC 4180, section 2).
fn quoted(name: &str) -> std::borrow::Cow<'_, str> {
    if name.contains([',', '"']) { format!("\"{}\"", name.replace('"', "\"\"")).into() } else { name.into() }
}

#[cfg(test)]
mod tests;
