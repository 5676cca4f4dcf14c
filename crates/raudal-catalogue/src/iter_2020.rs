//! The 32 ITER 2020 archives of INEGI, one for each of Mexico's federal entities.
//!
//! The data is in `data/iter_2020.csv`; `data/README.md` says where they come from. Each entity has two facts:
//! [`municipalities`] (in Mexico City: boroughs), and [`population`], on the day of the census, 15 March 2020.

use crate::{Catalogue, Edition, Entry};
use std::sync::LazyLock;

/// *Microdatos*: one CSV in each archive.
pub const MICRODATOS: Edition = Edition(0);
/// *Datos abiertos*: the data, a catalogue, a dictionary and metadata in each archive.
pub const DATOS_ABIERTOS: Edition = Edition(1);

/// Returns the catalogue of the 32 archives of the 2020 census.
///
/// # Panics
///
/// Never panics in a released version: the data is part of the program, and a test reads all of it.
///
/// ```
/// use raudal_catalogue::iter_2020::{self, MICRODATOS};
///
/// let entities = iter_2020::catalogue().entries();
/// assert_eq!(entities.len(), 32);
/// assert_eq!(entities[0].file(MICRODATOS), "ITER_01_2020_csv.zip");
/// assert_eq!(entities.iter().map(iter_2020::population).sum::<u64>(), 126_014_024);
/// ```
pub fn catalogue() -> &'static Catalogue {
    static CATALOGUE: LazyLock<Catalogue> = LazyLock::new(|| {
        Catalogue::parse(include_str!("../data/iter_2020.csv")).expect("the built-in catalogue is right")
    });
    &CATALOGUE
}

/// Returns the population of an entity: `POBTOT` of its total row.
pub fn population(entity: &Entry) -> u64 {
    entity.fact("population").unwrap_or_default()
}

/// Returns how many municipalities an entity has.
pub fn municipalities(entity: &Entry) -> u64 {
    entity.fact("municipalities").unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_catalogue_is_what_inegi_published() {
        let catalogue = catalogue();
        let entities = catalogue.entries();
        let names: Vec<&str> = catalogue.editions().map(|edition| catalogue.edition_name(edition)).collect();
        assert_eq!(names, ["microdatos", "datosabiertos"]);
        assert_eq!(catalogue.edition("datosabiertos"), Some(DATOS_ABIERTOS));
        assert_eq!(entities.len(), 32);
        for (i, entity) in entities.iter().enumerate() {
            assert_eq!(entity.code, format!("{:02}", i + 1));
            assert_eq!(entity.number() as usize, i + 1);
            assert_eq!(entity.file(DATOS_ABIERTOS), format!("iter_{:02}_cpv2020_csv.zip", i + 1));
            assert_eq!(entity.member(MICRODATOS), format!("ITER_{:02}CSV20.csv", i + 1));
        }
        let sum = |fact: fn(&Entry) -> u64| entities.iter().map(fact).sum::<u64>();
        assert_eq!(entities.iter().map(|entity| entity.rows).sum::<u64>(), 195_659);
        assert_eq!((sum(population), sum(municipalities)), (126_014_024, 2_469));
    }

    #[test]
    fn a_file_is_found_by_either_name_in_any_case() {
        let catalogue = catalogue();
        let (entity, edition) = catalogue.find_file("iter_30_2020_CSV.zip").expect("Veracruz");
        assert_eq!((entity.code.as_str(), edition), ("30", MICRODATOS));
        assert_eq!(catalogue.find_file("iter_09_cpv2020_csv.zip").map(|f| f.1), Some(DATOS_ABIERTOS));
        assert!(catalogue.find_file("iter_33_cpv2020_csv.zip").is_none());
    }
}
