//! Patterns for names: `*` stands for any letters, `?` for one. Brackets and braces are ordinary letters, because
//! names of data files often contain them.

use raudal_common::glob;

/// Whether a text has a pattern in it.
pub(super) fn is_glob(text: &str) -> bool {
    text.contains(['*', '?'])
}

/// Whether a pattern matches one name: of a file, of a folder, a part of a key.
pub(super) fn matches(pattern: &str, name: &str) -> bool {
    let mut escaped = String::with_capacity(pattern.len());
    for c in pattern.chars() {
        if "[]{}!\\".contains(c) {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    glob::matches(&escaped, name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_stars_and_question_marks_are_patterns() {
        for (pattern, name) in [
            ("*.csv", "a.csv"),
            ("*", ""),
            ("*a*b", "aabab"),
            ("?.csv", "ñ.csv"),
            ("a**", "ab"),
            ("!e[1]{2}\\.csv", "!e[1]{2}\\.csv"),
            ("*[1]*", "e[1].csv"),
            ("a,b", "a,b"),
        ] {
            assert!(matches(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in
            [("?.csv", ".csv"), ("e[1].csv", "e1.csv"), ("{a,b}", "a"), ("!a", "b"), ("*.csv", "a.CSV")]
        {
            assert!(!matches(pattern, name), "{pattern} {name}");
        }
    }
}
