//! The built-in catalogue: INEGI's 32 ITER 2020 archives, one per federal entity of Mexico.
//!
//! The facts are in `data/iter_2020.csv`; `data/README.md` names their sources.

use std::sync::OnceLock;

const ITER_2020: &str = include_str!("../data/iter_2020.csv");

/// Which of INEGI's two publications of the same rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Edition {
    /// *Microdatos*: one CSV in each archive.
    #[default]
    Microdatos,
    /// *Datos abiertos*: the data, a catalogue, a dictionary and metadata in each archive.
    DatosAbiertos,
}

impl Edition {
    /// Both editions, the default first.
    pub const ALL: [Self; 2] = [Self::Microdatos, Self::DatosAbiertos];

    /// Returns INEGI's folder for this edition, with a final slash.
    pub const fn base_url(self) -> &'static str {
        match self {
            Self::Microdatos => "https://www.inegi.org.mx/contenidos/programas/ccpv/2020/microdatos/iter/",
            Self::DatosAbiertos => "https://www.inegi.org.mx/contenidos/programas/ccpv/2020/datosabiertos/iter/",
        }
    }

    /// Returns the edition's name on the command line.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Microdatos => "microdatos",
            Self::DatosAbiertos => "datosabiertos",
        }
    }
}

/// One federal entity and its archive.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Entity {
    /// The two-digit code, `01` to `32`.
    pub code: String,
    /// The common or official name.
    pub name: String,
    /// Number of municipalities (in Mexico City: boroughs).
    pub municipalities: u32,
    /// Data rows in its file, of all kinds.
    pub rows: u64,
    /// Its population on the day of the census, 15 March 2020 (`POBTOT` of its total row).
    pub population: u64,
    files: [String; 2],
    members: [String; 2],
}

impl Entity {
    /// Returns the file name of its archive.
    pub fn file(&self, edition: Edition) -> &str {
        &self.files[edition as usize]
    }

    /// Returns the glob that selects the data among the archive's members.
    pub fn member(&self, edition: Edition) -> &str {
        &self.members[edition as usize]
    }

    /// Returns the code as a number, 1 to 32.
    pub fn number(&self) -> u8 {
        self.code.parse().unwrap_or_default()
    }
}

/// The entities, in the order of their codes.
#[derive(Debug)]
pub struct Catalogue(Vec<Entity>);

impl Catalogue {
    /// Returns the 32 archives of the 2020 census.
    ///
    /// # Panics
    ///
    /// Never in a released version: the data is part of the program, and a test reads all of it.
    ///
    /// ```
    /// use raudal_source::{Catalogue, Edition};
    ///
    /// let catalogue = Catalogue::iter_2020();
    /// assert_eq!(catalogue.entities().len(), 32);
    /// assert_eq!(catalogue.entities()[0].file(Edition::Microdatos), "ITER_01_2020_csv.zip");
    /// assert_eq!(catalogue.entities().iter().map(|e| e.population).sum::<u64>(), 126_014_024);
    /// ```
    pub fn iter_2020() -> &'static Self {
        static CATALOGUE: OnceLock<Catalogue> = OnceLock::new();
        CATALOGUE.get_or_init(|| Self(ITER_2020.lines().skip(1).map(parse).collect()))
    }

    /// Returns all entities, in the order of their codes.
    pub fn entities(&self) -> &[Entity] {
        &self.0
    }

    /// Finds the entity whose archive has this name in either edition. Ignores case, as INEGI's
    /// server does.
    pub fn find_file(&self, name: &str) -> Option<(&Entity, Edition)> {
        self.0.iter().find_map(|entity| {
            Edition::ALL
                .into_iter()
                .find(|&edition| entity.file(edition).eq_ignore_ascii_case(name))
                .map(|edition| (entity, edition))
        })
    }
}

/// Parses one line of the data. It has no quotes, and `the_catalogue_is_what_inegi_published` tests
/// that.
fn parse(line: &str) -> Entity {
    let fields: Vec<&str> = line.split(',').collect();
    let [code, name, municipalities, rows, population, file_m, member_m, file_d, member_d] = fields[..] else {
        panic!("the built-in catalogue has a line of {} fields: {line}", fields.len());
    };
    let number = |text: &str| text.parse::<u64>().unwrap_or_else(|_| panic!("not a number in the catalogue: {text}"));
    Entity {
        code: code.to_owned(),
        name: name.to_owned(),
        municipalities: number(municipalities) as u32,
        rows: number(rows),
        population: number(population),
        files: [file_m.to_owned(), file_d.to_owned()],
        members: [member_m.to_owned(), member_d.to_owned()],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_catalogue_is_what_inegi_published() {
        let entities = Catalogue::iter_2020().entities();
        assert!(!ITER_2020.contains('"'));
        assert_eq!(entities.len(), 32);
        for (i, entity) in entities.iter().enumerate() {
            assert_eq!(entity.code, format!("{:02}", i + 1));
            assert_eq!(usize::from(entity.number()), i + 1);
            assert_eq!(entity.file(Edition::DatosAbiertos), format!("iter_{:02}_cpv2020_csv.zip", i + 1));
            assert_eq!(entity.member(Edition::Microdatos), format!("ITER_{:02}CSV20.csv", i + 1));
        }
        assert_eq!(entities.iter().map(|e| e.rows).sum::<u64>(), 195_659);
        assert_eq!(entities.iter().map(|e| e.population).sum::<u64>(), 126_014_024);
        assert_eq!(entities.iter().map(|e| e.municipalities).sum::<u32>(), 2_469);
    }

    #[test]
    fn a_file_is_found_by_either_name_in_any_case() {
        let catalogue = Catalogue::iter_2020();
        let (entity, edition) = catalogue.find_file("iter_30_2020_CSV.zip").expect("Veracruz");
        assert_eq!((entity.code.as_str(), edition), ("30", Edition::Microdatos));
        assert_eq!(catalogue.find_file("iter_09_cpv2020_csv.zip").map(|f| f.1), Some(Edition::DatosAbiertos));
        assert!(catalogue.find_file("iter_33_cpv2020_csv.zip").is_none());
    }
}
