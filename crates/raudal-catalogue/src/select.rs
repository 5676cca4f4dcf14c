//! Selects entries of a catalogue.

use crate::{Catalogue, Entry};
use raudal_common::{Error, Result};

impl Catalogue {
    /// Selects entries: `01,09,14-16`, with or without the zero, or by name.
    ///
    /// A name ignores case and accents, and may be shortened if only one entry begins that way. The result is in the
    /// order of the codes, each entry once.
    ///
    /// # Errors
    ///
    /// Fails with the kind [`Usage`](raudal_common::Kind::Usage), listing the entries: an unknown code or name,
    /// several names that begin that way, a range that runs backwards.
    ///
    /// ```
    /// let catalogue = raudal_catalogue::iter_2020::catalogue();
    /// let codes = |text| catalogue.select(text).map(|list| list.iter().map(|e| e.number()).collect::<Vec<_>>());
    /// assert_eq!(codes("14-16,9,01,15")?, [1, 9, 14, 15, 16]);
    /// assert_eq!(codes("yucatan, Veracruz")?, [30, 31]);
    /// assert_eq!(codes("33").unwrap_err().to_string(), "unknown entity: 33");
    /// # Ok::<(), raudal_common::Error>(())
    /// ```
    pub fn select(&self, text: &str) -> Result<Vec<&Entry>> {
        let mut chosen = vec![false; self.entries.len()];
        for word in text.split(',').map(str::trim) {
            let range = find(&self.entries, word)?;
            chosen[range].fill(true);
        }
        Ok(self.entries.iter().zip(chosen).filter_map(|(entry, chosen)| chosen.then_some(entry)).collect())
    }
}

/// Returns the positions in the catalogue for one word of a selection.
fn find(entities: &[Entry], word: &str) -> Result<std::ops::RangeInclusive<usize>> {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let number = |code: &str| {
        let number = code.parse::<u32>().ok();
        entities.iter().position(|entity| Some(entity.number()) == number).ok_or_else(|| unknown(entities, code))
    };
    if word.is_empty() {
        return Err(Error::usage("an empty entity").hint("write codes and ranges: 01,09,14-16"));
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

fn unknown(entities: &[Entry], word: &str) -> Error {
    Error::usage(format!("unknown entity: {word}")).hint(format!("choose one of: {}", listing(entities.iter())))
}

fn ambiguous(entities: &[Entry], names: &[String], word: &str, wanted: &str) -> Error {
    let alike = entities.iter().zip(names).filter(|(_, name)| name.starts_with(wanted)).map(|(entity, _)| entity);
    Error::usage(format!("more than one entity begins with: {word}")).hint(format!("choose one of: {}", listing(alike)))
}

fn listing<'a>(entities: impl Iterator<Item = &'a Entry>) -> String {
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
    use crate::iter_2020;
    use raudal_common::Kind;

    fn codes(text: &str) -> Vec<u32> {
        iter_2020::catalogue().select(text).expect(text).iter().map(|entity| entity.number()).collect()
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
            ("", "an empty entity"),
            ("1,,2", "an empty entity"),
            ("baja", "more than one entity begins with: baja"),
        ] {
            let error = iter_2020::catalogue().select(text).expect_err(text);
            assert_eq!((error.kind(), error.to_string().as_str()), (Kind::Usage, message));
        }
        let hint =
            iter_2020::catalogue().select("33").expect_err("unknown").hint_text().map(str::to_owned).expect("a hint");
        assert!(hint.starts_with("choose one of: 01 Aguascalientes, 02 Baja California,"), "{hint}");
    }
}
