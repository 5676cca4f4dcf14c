//! Globs over names and paths: `*`, `?`, `**`, `[a-z]`, `{a,b}`.

use std::collections::BTreeMap;

/// Checks a glob.
///
/// # Errors
///
/// Returns a description of what is wrong with it.
pub fn validate(glob: &str) -> Result<(), String> {
    fast_glob::validate(glob).map_err(|error| error.to_string())
}

/// Returns whether a glob matches a name. `?` stands for one letter, whatever its alphabet.
///
/// ```
/// use raudal_common::glob;
///
/// assert!(glob::matches("Poblaci?n/[á-ú]*.csv", "Población/índice.csv"));
/// assert!(!glob::matches("*.csv", "folder/a.csv"));
/// ```
pub fn matches(glob: &str, name: &str) -> bool {
    if glob.is_ascii() && name.is_ascii() {
        return fast_glob::glob_match(glob, name);
    }
    // The library compares bytes, so that `?` is half of an accented letter. Each such letter becomes one byte here,
    // in the order of the letters, for ranges.
    let letters = || glob.chars().chain(name.chars()).filter(|c| !c.is_ascii());
    let codes: BTreeMap<char, u8> = letters().map(|c| (c, 0)).collect();
    if codes.len() > 128 {
        return fast_glob::glob_match(glob, name);
    }
    let codes: BTreeMap<char, u8> = codes.into_keys().zip(0x80..=0xff).collect();
    let bytes = |text: &str| -> Vec<u8> {
        text.chars().map(|c| codes.get(&c).copied().or_else(|| u8::try_from(c).ok()).unwrap_or_default()).collect()
    };
    fast_glob::glob_match(bytes(glob), bytes(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_mark_is_one_letter_of_any_alphabet() {
        for (glob, name) in
            [("?.csv", "ñ.csv"), ("a?c", "a語c"), ("**/?", "x/é"), ("[à-ü]", "é"), ("[!a]", "é"), ("*ó*", "Población")]
        {
            assert!(matches(glob, name), "{glob} {name}");
        }
        for (glob, name) in [("?", "ab"), ("??", "ñ"), ("[a-z]", "é"), ("[à-ç]", "é"), ("?", "/"), ("ñ", "n")] {
            assert!(!matches(glob, name), "{glob} {name}");
        }
    }
}
