//! Which encodings turn bytes into letters, for hints and for [`Encodings::Auto`].
//!
//! [`Encodings::Auto`]: super::encoding::Encodings::Auto

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{MACINTOSH, WINDOWS_1250, WINDOWS_1252};

use super::encoding::Encoding;
use raudal_common::error::printable;

/// How much text is judged. The detector sees all of it.
const ENOUGH: usize = 1 << 20;

/// The longest piece of text that a hint shows, in characters.
const SHOWN: usize = 24;

/// The lines of a text that are not ASCII, collected from its pieces.
#[derive(Default)]
pub(super) struct Sample {
    lines: Vec<u8>,
    /// The line that the last piece ended in.
    open: Vec<u8>,
}

impl Sample {
    pub(super) fn of(bytes: &[u8]) -> Self {
        let mut sample = Self::default();
        sample.feed(bytes);
        sample.feed(b"\n");
        sample
    }

    pub(super) fn feed(&mut self, bytes: &[u8]) {
        for line in bytes.split_inclusive(|&byte| byte == b'\n') {
            if self.lines.len() >= ENOUGH {
                return;
            }
            // A text may have no line ends at all.
            if self.open.len() < ENOUGH {
                self.open.extend_from_slice(line);
            }
            if line.ends_with(b"\n") {
                if !self.open.is_ascii() {
                    self.lines.append(&mut self.open);
                }
                self.open.clear();
            }
        }
    }

    /// Whether some of the lines are UTF-8, and some are not.
    pub(super) fn is_mixed(&self) -> bool {
        let mut lines = self.lines.split(|&byte| byte == b'\n').filter(|line| !line.is_ascii());
        let is_utf8 = |line: &[u8]| std::str::from_utf8(line).is_ok();
        let Some(first) = lines.next().map(is_utf8) else { return false };
        lines.any(|line| is_utf8(line) != first)
    }

    /// Returns up to three encodings in which the bytes are letters, the likeliest first, each with
    /// a word that shows it. `guess` is the detector's guess over the whole text.
    pub(super) fn suggest(&self, guess: Encoding) -> Vec<(Encoding, String)> {
        let pages = ["cp850", "cp437", "cp852"].into_iter().filter_map(|label| Encoding::parse(label).ok());
        let web = [guess, Encoding::web(WINDOWS_1252), Encoding::web(MACINTOSH)];
        let candidates = web.into_iter().chain(pages).chain([Encoding::web(WINDOWS_1250)]);
        let mut found: Vec<(Encoding, String)> = Vec::new();
        let mut texts: Vec<String> = Vec::new();
        for encoding in candidates {
            let is_likely = encoding == guess || [WINDOWS_1250, WINDOWS_1252].into_iter().any(|it| encoding.is(it));
            // Of the rarer ones, a few symbols are no proof: any bytes are some.
            let fits = |text: &String| is_words(text) && (is_likely || has_letters(text));
            let Some(text) = encoding.decode(&self.lines).filter(fits) else { continue };
            // Two that read it alike need no choice, except of the code pages, which are confused.
            let is_page = encoding.name().starts_with("cp");
            if found.iter().any(|(other, _)| *other == encoding) || (texts.contains(&text) && !is_page) {
                continue;
            }
            found.push((encoding, word(&text)));
            texts.push(text);
            if found.len() == 3 {
                break;
            }
        }
        found
    }
}

/// What to do about a text whose lines are of several encodings.
pub(super) const MIXED: &str = "some of its lines are UTF-8 and some are not, as in files that were joined: bring the parts \
                                to one encoding first, as with `iconv`";

/// What to do about bytes that are none of a text.
pub(super) const NO_TEXT: &str = "it has control characters, as files have that are no text: `file` says what it is";

/// Whether the beginning of the bytes has control characters that no text has. Delimiters and marks may be some.
pub(super) fn is_binary(bytes: &[u8]) -> bool {
    let mut beginning = bytes.iter().take(1024);
    beginning.any(|byte| matches!(byte, 2..=8 | 0x0e..=0x19 | 0x1c..=0x1e))
}

/// Guesses the encoding of the pieces of a text that is not UTF-8.
pub(super) struct Detector(EncodingDetector);

impl Detector {
    pub(super) fn new() -> Self {
        Self(EncodingDetector::new(Iso2022JpDetection::Deny))
    }

    pub(super) fn feed(&mut self, bytes: &[u8]) {
        self.0.feed(bytes, false);
    }

    pub(super) fn guess(&self) -> Encoding {
        Encoding::web(self.0.guess(None, Utf8Detection::Deny))
    }
}

/// Returns what to do about bytes that are not of the encoding. Names only encodings in which the
/// text is letters, and never the one that it was read with.
pub(super) fn hint(bytes: &[u8], read_as: &str) -> String {
    if is_binary(bytes) {
        return NO_TEXT.to_owned();
    }
    let sample = Sample::of(bytes);
    if sample.is_mixed() {
        return MIXED.to_owned();
    }
    let mut detector = Detector::new();
    detector.feed(bytes);
    let mut found = sample.suggest(detector.guess());
    found.retain(|(encoding, _)| !encoding.name().eq_ignore_ascii_case(read_as));
    let named: Vec<String> = found
        .iter()
        .map(|(encoding, word)| format!("[`encoding`] {} ({word})", encoding.name().to_ascii_lowercase()))
        .collect();
    match named.as_slice() {
        [] => "another [`encoding`] may be meant, or this is no text".to_owned(),
        [one] => format!("its bytes are letters in another encoding: {one}"),
        many => format!("its bytes are letters in other encodings, choose by how they read: {}", many.join(", ")),
    }
}

/// Whether what is not ASCII in the text is letters of words, with few exceptions.
fn is_words(text: &str) -> bool {
    let (mut good, mut bad) = (0_u64, 0_u64);
    let mut before = None;
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        if !c.is_ascii() {
            if fits(before, c, rest.peek().copied()) {
                good += 1;
            } else {
                bad += 1;
            }
        }
        before = Some(c);
    }
    good > 0 && bad * 20 <= good
}

/// Whether most of what is not ASCII is letters.
fn has_letters(text: &str) -> bool {
    let (letters, others): (Vec<char>, Vec<char>) =
        text.chars().filter(|c| !c.is_ascii()).partition(|c| c.is_alphabetic());
    letters.len() > others.len()
}

fn is_l(c: char) -> bool {
    matches!(c, 'l' | 'L')
}

/// Whether a character that is not ASCII fits between its neighbours.
fn fits(before: Option<char>, c: char, after: Option<char>) -> bool {
    let is_letter = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphabetic());
    let beside = is_letter(before) || is_letter(after);
    if c.is_alphabetic() {
        // A capital in a word of small letters, or Cyrillic among Latin letters, is no spelling.
        let is_latin = matches!(c, '\u{aa}' | '\u{ba}' | '\u{c0}'..='\u{24f}' | '\u{1e00}'..='\u{1eff}');
        let humps = c.is_uppercase() && before.is_some_and(char::is_lowercase);
        let sinks = c.is_lowercase()
            && before.is_some_and(|c| c.is_ascii_uppercase())
            && after.is_some_and(|c| c.is_ascii_uppercase());
        return (is_latin || !beside) && !humps && !sinks;
    }
    let in_word = is_letter(before) && is_letter(after);
    match c {
        '’' => true,
        // Between two l, as in Catalan.
        '·' => before.is_some_and(is_l) && after.is_some_and(is_l),
        '“' | '”' | '‘' | '«' | '»' | '–' | '—' | '…' | '€' | '£' | '°' | '¿' | '¡' | '§' | '©' | '®' | '™' | '•'
        | '½' | '¼' | '¾' | '²' | '³' | '±' | '\u{a0}' => !in_word,
        _ => false,
    }
}

/// Returns the first word that is not ASCII.
fn word(text: &str) -> String {
    let is_part = |c: char| c.is_alphanumeric() || c == '’';
    let symbol = || text.chars().find(|c| !c.is_ascii()).map(String::from).unwrap_or_default();
    let first = text.split(|c| !is_part(c)).find(|word| !word.is_ascii()).map_or_else(symbol, str::to_owned);
    printable(&first.chars().take(SHOWN).collect::<String>())
}
