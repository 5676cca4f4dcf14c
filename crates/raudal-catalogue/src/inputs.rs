//! The files of a catalogue as inputs.

use crate::{Catalogue, Edition, Entry};
use raudal_common::{Error, Result};
use raudal_source::{Input, Location};

/// Approximate bytes of an archive for each row.
const ROW: u64 = 190;

impl Catalogue {
    /// Returns the files of these entries, from their publisher, or from any base URL or folder with files of the same
    /// names.
    ///
    /// Each input has the glob that selects the data in its edition. The base gets a final slash if it has none:
    /// `http://host/iter` and `http://host/iter/` are the same.
    ///
    /// # Errors
    ///
    /// Fails for a base that is not a URL, or that has a query or a fragment.
    ///
    /// ```
    /// use raudal_catalogue::iter_2020::{self, MICRODATOS};
    ///
    /// let catalogue = iter_2020::catalogue();
    /// let inputs = catalogue.inputs(&catalogue.select("9")?, MICRODATOS, Some("http://127.0.0.1:8000/x"))?;
    /// assert_eq!(inputs[0].location.to_string(), "http://127.0.0.1:8000/x/ITER_09_2020_csv.zip");
    /// assert_eq!(inputs[0].member.as_deref(), Some("ITER_09CSV20.csv"));
    /// # Ok::<(), raudal_common::Error>(())
    /// ```
    pub fn inputs(&self, entries: &[&Entry], edition: Edition, base: Option<&str>) -> Result<Vec<Input>> {
        let base = Location::parse(base.unwrap_or(self.base_url(edition)))?;
        entries
            .iter()
            .map(|entry| {
                let mut input = Input::new(beside(&base, entry.file(edition))?).with_member(entry.member(edition));
                input.size = Some(entry.rows.saturating_mul(ROW));
                Ok(input)
            })
            .collect()
    }
}

fn beside(base: &Location, file: &str) -> Result<Location> {
    match base {
        Location::File(folder) => Ok(Location::File(folder.join(file))),
        Location::Stdin => {
            Err(Error::usage("standard input cannot be a base for files").hint("give a folder or a URL"))
        }
        Location::Url(url) => {
            if url.query().is_some() || url.fragment().is_some() {
                return Err(Error::usage("a base URL with a query or a fragment")
                    .input(url)
                    .hint("file names are appended to it: give the URL of their folder"));
            }
            let mut url = url.clone();
            url.path_segments_mut()
                .map_err(|()| Error::usage("file names cannot be appended to this base URL").input(base.to_string()))?
                .pop_if_empty()
                .push(file);
            Ok(Location::Url(url))
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::iter_2020::{self, DATOS_ABIERTOS, MICRODATOS};

    #[test]
    fn the_base_is_inegi_a_mirror_or_a_folder() {
        let catalogue = iter_2020::catalogue();
        let list = catalogue.select("1,32").expect("two");
        let places = |edition, base| -> Vec<String> {
            let inputs = catalogue.inputs(&list, edition, base).expect("inputs");
            inputs.iter().map(|input| input.location.to_string()).collect()
        };
        assert_eq!(
            places(MICRODATOS, None)[1],
            "https://www.inegi.org.mx/contenidos/programas/ccpv/2020/microdatos/iter/ITER_32_2020_csv.zip"
        );
        assert_eq!(places(DATOS_ABIERTOS, Some("http://h"))[0], "http://h/iter_01_cpv2020_csv.zip");
        for base in ["http://h/x", "http://h/x/"] {
            assert_eq!(places(MICRODATOS, Some(base))[0], "http://h/x/ITER_01_2020_csv.zip");
        }
        assert!(places(MICRODATOS, Some("../iter"))[0].ends_with("ITER_01_2020_csv.zip"));
        assert!(catalogue.inputs(&list, MICRODATOS, Some("http://h/?a=b")).is_err());
        assert!(catalogue.inputs(&list, MICRODATOS, Some("gopher://h/")).is_err());
    }
}
