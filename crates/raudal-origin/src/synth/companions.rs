//! The members besides the data: a notice, and in a *datos abiertos* archive a catalogue, a dictionary and metadata.

use super::columns;
use raudal_catalogue::Entry;
use std::fmt::Write as _;

/// INEGI's classes of localities by size (`TAMLOC`): the fewest people of each, 1 to 14.
const CLASSES: [u32; 14] =
    [1, 250, 500, 1_000, 2_500, 5_000, 10_000, 15_000, 30_000, 50_000, 100_000, 250_000, 500_000, 1_000_000];

/// Returns the class of a locality with this many people.
pub(super) fn size_class(people: u32) -> u32 {
    CLASSES.partition_point(|&least| least <= people) as u32
}

/// `tam_loc.csv.csv`: what the classes mean.
pub(super) fn sizes() -> String {
    let mut text = String::from("TAMLOC,DESCRIPCION\r\n");
    for (at, least) in CLASSES.iter().enumerate() {
        let _ = match CLASSES.get(at + 1) {
            Some(next) => write!(text, "{},{least} a {} habitantes\r\n", at + 1, next - 1),
            None => write!(text, "{},{least} y más habitantes\r\n", at + 1),
        };
    }
    text
}

/// The dictionary: a line for each column under a title, in a layout that is not a table, like
/// INEGI's.
pub(super) fn dictionary() -> String {
    let mut text = String::from(
        "\u{feff},,,,,,,,,\nDatos sintéticos hechos por raudal; no son cifras del INEGI,,,,,,,,,\n\
         Núm.,Indicador,Descripción,Mnemónico,Rangos,Longitud,,,,\n",
    );
    for (number, name) in (1..).zip(columns::header().split(',')) {
        let _ = writeln!(text, "{number},{name},\"Columna {name}, con cifras inventadas.\",{name},Alfanumérico,50,,,,");
    }
    text
}

/// `SYNTHETIC.txt`: what is real and what is not, for whoever unpacks an archive.
pub(super) const NOTICE: &str = "Synthetic data made by raudal, not INEGI's figures. Real are only the names and codes of the 32 entities,\r\n\
     their populations, and their numbers of rows and of municipalities.\r\n\r\n\
     Datos sintéticos hechos por raudal; no son cifras del INEGI. Reales son solo los nombres y las claves de las 32\r\n\
     entidades, sus poblaciones y sus números de filas y de municipios.\r\n";

/// The metadata, which say that the data are synthetic.
pub(super) fn metadata(entity: &Entry) -> String {
    format!(
        "identifier: raudal-synthetic-iter-{}\r\ntitle: Datos sintéticos con la forma del ITER 2020: {}\r\n\
         publisher: raudal; las cifras son inventadas y no son del INEGI\r\n",
        entity.code, entity.name
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_locality_has_the_class_of_its_size() {
        for (people, class) in [(1, 1), (249, 1), (250, 2), (2_499, 4), (999_999, 13), (1_800_000, 14)] {
            assert_eq!(size_class(people), class, "{people} people");
        }
        assert!(sizes().contains("\r\n4,1000 a 2499 habitantes\r\n"));
    }
}
