//! Names of columns: when two of them are the same, and how a message shows one.

use std::fmt::Write as _;

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::{compose, is_combining_mark};

/// Decides when two names are the same.
///
/// Blanks around a name never count, nor does whether an accent is part of its letter or follows
/// it. If `fold`, case and accents do not count either.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Names {
    pub(super) fold: bool,
}

impl Names {
    /// Returns a text that is equal for names that are the same.
    pub(super) fn key(self, name: &str) -> String {
        let name = trimmed(name);
        match (self.fold, name.is_ascii()) {
            (false, true) => name.to_owned(),
            (false, false) => name.nfc().collect(),
            (true, true) => name.to_ascii_lowercase(),
            // Lower case first: some capitals become a letter and an accent.
            (true, false) => unaccent(&name.to_lowercase()),
        }
    }
}

/// Returns the name without blanks around it, nor a byte order mark.
pub(super) fn trimmed(name: &str) -> &str {
    name.trim_matches(|c: char| c.is_whitespace() || c == '\u{feff}')
}

/// Removes accents: `á` becomes `a`, `ñ` becomes `n`, `ø` becomes `o`, `ß` becomes `ss`. Signs that
/// other scripts need to be read stay.
pub(super) fn unaccent(text: &str) -> String {
    if text.is_ascii() {
        return text.to_owned();
    }
    let mut plain = String::with_capacity(text.len());
    for c in text.nfd().filter(|&c| !is_accent(c)) {
        match without_stroke(c) {
            Some(letters) => plain.push_str(letters),
            None => plain.push(c),
        }
    }
    // Letters of other scripts were taken apart too.
    plain.nfc().collect()
}

/// Whether a character is an accent over, under or through the letter before it.
fn is_accent(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36f}' | '\u{1ab0}'..='\u{1aff}' | '\u{1dc0}'..='\u{1dff}' | '\u{20d0}'..='\u{20ff}' | '\u{fe20}'..='\u{fe2f}')
        && is_combining_mark(c)
}

/// Returns plain letters for a letter that Unicode does not take apart.
fn without_stroke(c: char) -> Option<&'static str> {
    Some(match c {
        'ø' => "o",
        'Ø' => "O",
        'ł' => "l",
        'Ł' => "L",
        'đ' | 'ð' => "d",
        'Đ' | 'Ð' => "D",
        'ħ' => "h",
        'Ħ' => "H",
        'ŧ' => "t",
        'Ŧ' => "T",
        'ı' => "i",
        'æ' => "ae",
        'Æ' => "AE",
        'œ' => "oe",
        'Œ' => "OE",
        'þ' => "th",
        'Þ' => "TH",
        'ß' => "ss",
        'ẞ' => "SS",
        _ => return None,
    })
}

/// Formats a name for a message: in quotes, with all that cannot be seen spelled out, and cut if it
/// is long.
pub(super) fn quoted(name: &str) -> String {
    const MOST: usize = 100;
    let mut shown = String::from('"');
    let mut before = None;
    for (at, c) in name.chars().enumerate() {
        if at == MOST {
            shown.push('…');
            break;
        }
        let invisible = c.is_control()
            || c.is_whitespace() && c != ' '
            || matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2064}' | '\u{feff}')
            // An accent that could be part of its letter looks the same, but is another name.
            || is_accent(c) && before.is_none_or(|before| compose(before, c).is_some());
        match c {
            '"' => shown.push_str("\\\""),
            '\n' => shown.push_str("\\n"),
            '\t' => shown.push_str("\\t"),
            '\r' => shown.push_str("\\r"),
            c if invisible => {
                let _ = write!(shown, "{}", c.escape_unicode());
            }
            c => shown.push(c),
        }
        before = Some(c);
    }
    shown.push('"');
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blanks_and_the_form_of_accents_never_count() {
        let plain = Names::default();
        assert_eq!(plain.key(" \u{feff}Año\t"), plain.key("An\u{303}o"));
        assert_ne!(plain.key("Año"), plain.key("año"));
        assert_ne!(plain.key("Año"), plain.key("Ano"));
    }

    #[test]
    fn folded_names_differ_neither_by_case_nor_by_accents() {
        let fold = Names { fold: true };
        for (one, other) in [("Año", "ANO"), ("MÉXICO ", "mexico"), ("İl", "il"), ("Größe", "GROSSE"), ("Łódź", "lodz")]
        {
            assert_eq!(fold.key(one), fold.key(other), "{one} {other}");
        }
        assert_ne!(fold.key("a b"), fold.key("ab"));
    }

    #[test]
    fn other_scripts_keep_the_signs_they_need() {
        for text in ["हिन्दी", "한국어", "日本", "עִבְרִית"] {
            assert_eq!(unaccent(text), text.nfc().collect::<String>());
        }
    }

    #[test]
    fn what_cannot_be_seen_is_spelled_out() {
        for (name, shown) in [
            ("Año", "\"Año\""),
            ("An\u{303}o", "\"An\\u{303}o\""),
            ("a\u{a0}b\u{feff}", "\"a\\u{a0}b\\u{feff}\""),
            (" a ", "\" a \""),
            ("say \"x\"", "\"say \\\"x\\\"\""),
            ("", "\"\""),
        ] {
            assert_eq!(quoted(name), shown);
        }
        assert_eq!(quoted(&"x".repeat(200)).chars().count(), 103);
    }
}
