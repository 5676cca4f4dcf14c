//! The catalogue's archives as inputs, and how to select them.

use super::{Catalogue, Edition, Entity, Input, Location};
use raudal_common::{Error, Result};

/// Approximate bytes of an archive for each row.
const ROW: u64 = 190;

/// Returns the archives of these entities, from INEGI, or from any base URL or folder with files of
/// the same names.
///
/// Each input has the glob that selects the data in its edition's layout. The base gets a final
/// slash if it has none: `http://host/iter` and `http://host/iter/` are the same.
///
/// ```
/// use raudal_source::{Edition, iter_inputs, select_entities};
///
/// let inputs = iter_inputs(&select_entities("9")?, Edition::Microdatos, Some("http://127.0.0.1:8000/x"))?;
/// assert_eq!(inputs[0].location.to_string(), "http://127.0.0.1:8000/x/ITER_09_2020_csv.zip");
/// assert_eq!(inputs[0].member.as_deref(), Some("ITER_09CSV20.csv"));
/// # Ok::<(), raudal_common::Error>(())
/// ```
pub fn iter_inputs(entities: &[&Entity], edition: Edition, base: Option<&str>) -> Result<Vec<Input>> {
    let base = Location::parse(base.unwrap_or(edition.base_url()))?;
    entities
        .iter()
        .map(|entity| {
            let input = Input::new(beside(&base, entity.file(edition))?).with_member(entity.member(edition));
            Ok(Input { size: Some(entity.rows * ROW), ..input })
        })
        .collect()
}

fn beside(base: &Location, file: &str) -> Result<Location> {
    match base {
        Location::File(folder) => Ok(Location::File(folder.join(file))),
        Location::Url(url) => {
            if url.query().is_some() || url.fragment().is_some() {
                return Err(Error::usage("a base URL with a query or a fragment")
                    .input(url)
                    .hint("the file names are put after it: end it with the folder they are in"));
            }
            let mut url = url.clone();
            url.path_segments_mut()
                .map_err(|()| Error::usage("not a base that file names can be put after").input(base.to_string()))?
                .pop_if_empty()
                .push(file);
            Ok(Location::Url(url))
        }
    }
}

/// Selects entities of the catalogue: `01,09,14-16`, with or without the zero, or by name.
///
/// A name ignores case and accents, and may be shortened if only one entity begins that way. The
/// result is in the order of the codes, each entity once.
///
/// ```
/// use raudal_source::select_entities;
///
/// let codes = |text| select_entities(text).map(|list| list.iter().map(|e| e.number()).collect::<Vec<_>>());
/// assert_eq!(codes("14-16,9,01,15")?, [1, 9, 14, 15, 16]);
/// assert_eq!(codes("yucatan, Veracruz")?, [30, 31]);
/// assert_eq!(codes("33").unwrap_err().to_string(), "unknown entity: 33");
/// # Ok::<(), raudal_common::Error>(())
/// ```
pub fn select_entities(text: &str) -> Result<Vec<&'static Entity>> {
    let entities = Catalogue::iter_2020().entities();
    let mut chosen = vec![false; entities.len()];
    for word in text.split(',').map(str::trim) {
        let range = find(entities, word)?;
        chosen[range].fill(true);
    }
    Ok(entities.iter().zip(chosen).filter_map(|(entity, chosen)| chosen.then_some(entity)).collect())
}

/// Returns the positions in the catalogue for one word of a selection.
fn find(entities: &[Entity], word: &str) -> Result<std::ops::RangeInclusive<usize>> {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let number = |code: &str| {
        let number = code.parse::<u8>().ok();
        entities.iter().position(|entity| Some(entity.number()) == number).ok_or_else(|| unknown(entities, code))
    };
    if word.is_empty() {
        return Err(Error::usage("an entity without code or name").hint("write codes and ranges: 01,09,14-16"));
    }
    if let Some((from, to)) = word.split_once('-')
        && is_number(from.trim())
        && is_number(to.trim())
    {
        let (from, to) = (number(from.trim())?, number(to.trim())?);
        if from > to {
            return Err(Error::usage(format!("a range of entities that runs backwards: {word}")));
        }
        return Ok(from..=to);
    }
    if is_number(word) {
        return number(word).map(|at| at..=at);
    }
    let wanted = plain(word);
    let names: Vec<String> = entities.iter().map(|entity| plain(&entity.name)).collect();
    if let Some(at) = names.iter().position(|name| *name == wanted) {
        return Ok(at..=at);
    }
    let mut begin_so = names.iter().enumerate().filter(|(_, name)| name.starts_with(&wanted)).map(|(at, _)| at);
    match (begin_so.next(), begin_so.next()) {
        (Some(at), None) => Ok(at..=at),
        (Some(_), Some(_)) => Err(ambiguous(entities, &names, word, &wanted)),
        (None, _) => Err(unknown(entities, word)),
    }
}

fn unknown(entities: &[Entity], word: &str) -> Error {
    Error::usage(format!("unknown entity: {word}")).hint(format!("there are {}", listing(entities.iter())))
}

fn ambiguous(entities: &[Entity], names: &[String], word: &str, wanted: &str) -> Error {
    let alike = entities.iter().zip(names).filter(|(_, name)| name.starts_with(wanted)).map(|(entity, _)| entity);
    Error::usage(format!("more than one entity begins so: {word}")).hint(format!("there are {}", listing(alike)))
}

fn listing<'a>(entities: impl Iterator<Item = &'a Entity>) -> String {
    entities.map(|entity| format!("{} {}", entity.code, entity.name)).collect::<Vec<_>>().join(", ")
}

/// Prepares a name for comparison: lower case, without Spanish accents.
fn plain(name: &str) -> String {
    name.chars()
        .flat_map(char::to_lowercase)
        .map(|c| match c {
            'á' => 'a',
            'é' => 'e',
            'í' => 'i',
            'ó' => 'o',
            'ú' | 'ü' => 'u',
            'ñ' => 'n',
            other => other,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use raudal_common::Kind;

    fn codes(text: &str) -> Vec<u8> {
        select_entities(text).expect(text).iter().map(|entity| entity.number()).collect()
    }

    #[test]
    fn entities_are_chosen_by_code_range_and_name() {
        assert_eq!(codes("1-32").len(), 32);
        assert_eq!(codes("16,14 - 16,9,09"), [9, 14, 15, 16]);
        assert_eq!(codes("MÉXICO"), [15], "an exact name comes before a name that begins so");
        assert_eq!(codes("Baja California"), [2]);
        assert_eq!(codes("san luis potosi,nuevo leon,coahuila"), [5, 19, 24]);
    }

    #[test]
    fn a_wrong_choice_says_what_there_is() {
        for (text, message) in [
            ("33", "unknown entity: 33"),
            ("0", "unknown entity: 0"),
            ("1-99", "unknown entity: 99"),
            ("Texas", "unknown entity: Texas"),
            ("16-14", "a range of entities that runs backwards: 16-14"),
            ("", "an entity without code or name"),
            ("1,,2", "an entity without code or name"),
            ("baja", "more than one entity begins so: baja"),
        ] {
            let error = select_entities(text).expect_err(text);
            assert_eq!((error.kind(), error.to_string().as_str()), (Kind::Usage, message));
        }
        let hint = select_entities("33").expect_err("unknown").hint_text().map(str::to_owned).expect("a hint");
        assert!(hint.starts_with("there are 01 Aguascalientes, 02 Baja California,"), "{hint}");
    }

    #[test]
    fn the_base_is_inegi_a_mirror_or_a_folder() {
        let list = select_entities("1,32").expect("two");
        let places = |edition, base| -> Vec<String> {
            let inputs = iter_inputs(&list, edition, base).expect("inputs");
            inputs.iter().map(|input| input.location.to_string()).collect()
        };
        assert_eq!(
            places(Edition::Microdatos, None)[1],
            "https://www.inegi.org.mx/contenidos/programas/ccpv/2020/microdatos/iter/ITER_32_2020_csv.zip"
        );
        assert_eq!(places(Edition::DatosAbiertos, Some("http://h"))[0], "http://h/iter_01_cpv2020_csv.zip");
        for base in ["http://h/x", "http://h/x/"] {
            assert_eq!(places(Edition::Microdatos, Some(base))[0], "http://h/x/ITER_01_2020_csv.zip");
        }
        assert!(places(Edition::Microdatos, Some("../iter"))[0].ends_with("ITER_01_2020_csv.zip"));
        assert!(iter_inputs(&list, Edition::Microdatos, Some("http://h/?a=b")).is_err());
        assert!(iter_inputs(&list, Edition::Microdatos, Some("gopher://h/")).is_err());
    }
}
