//! Text encodings by name: those of the web, and the code pages of DOS.

use std::fmt;
use std::str::FromStr;

use encoding_rs::{DecoderResult, UTF_8};
use oem_cp::code_table as dos;

use super::columns::nearest;
use raudal_common::{Error, Result};

/// The encoding of a text: UTF-8, another encoding of the
/// [Encoding Standard](https://encoding.spec.whatwg.org/), or a code page of DOS such as `cp850`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Encoding(Scheme);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Scheme {
    Web(&'static encoding_rs::Encoding),
    /// The number of a code page, and the characters of its upper half.
    Dos(u16, &'static [char; 128]),
}

impl Encoding {
    /// UTF-8.
    pub const UTF_8: Self = Self::web(UTF_8);

    /// Finds an encoding by any of its labels, in any letter case. Python's spellings count too.
    ///
    /// ```
    /// use raudal_table::Encoding;
    /// assert_eq!(Encoding::parse("latin1")?.to_string(), "windows-1252");
    /// assert_eq!(Encoding::parse("IBM850")?.to_string(), "cp850");
    /// assert!(Encoding::parse("windows-1255x").unwrap_err().hint_text().unwrap().contains("windows-1255"));
    /// # Ok::<(), raudal_common::Error>(())
    /// ```
    pub fn parse(label: &str) -> Result<Self> {
        let wanted = label.trim().to_ascii_lowercase();
        let dashed = wanted.replace('_', "-");
        let other = ALIASES.iter().find(|(alias, _)| *alias == dashed).map(|(_, label)| *label);
        // `replacement` is the standard's name for encodings that must not be decoded.
        let web = |label: &str| encoding_rs::Encoding::for_label_no_replacement(label.as_bytes());
        if let Some(encoding) = web(&wanted).or_else(|| web(&dashed)).or_else(|| web(other?)) {
            return Ok(Self::web(encoding));
        }
        let page = ["cp", "ibm", "oem", "dos"].iter().find_map(|prefix| wanted.strip_prefix(prefix)).unwrap_or(&wanted);
        if let Some(scheme) = page.trim_start_matches(['-', '_']).parse().ok().and_then(code_page) {
            return Ok(Self(scheme));
        }
        let near = nearest(&wanted, LABELS);
        let hint = if near.is_empty() {
            format!("labels of the Encoding Standard are known, and code pages of DOS: {}", SOME.join(", "))
        } else {
            format!("did you mean {}?", near.join(" or "))
        };
        Err(Error::usage(format!("unknown encoding: {}", super::columns::shown(label))).hint(hint))
    }

    pub(super) const fn web(encoding: &'static encoding_rs::Encoding) -> Self {
        Self(Scheme::Web(encoding))
    }

    /// Whether this is the encoding of the web.
    pub(super) fn is(self, encoding: &'static encoding_rs::Encoding) -> bool {
        self == Self::web(encoding)
    }

    /// Whether each byte is a character of its own.
    pub(super) fn is_of_single_bytes(self) -> bool {
        match self.0 {
            Scheme::Web(encoding) => encoding.is_single_byte(),
            Scheme::Dos(..) => true,
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self.0 {
            Scheme::Web(encoding) => encoding.name(),
            Scheme::Dos(page, _) => LABELS
                .iter()
                .find(|label| label.strip_prefix("cp").is_some_and(|digits| digits.parse() == Ok(page)))
                .map_or("cp", |label| label),
        }
    }

    pub(super) fn decoder(self) -> Decoder {
        match self.0 {
            Scheme::Web(encoding) => Decoder::Web(Box::new(encoding.new_decoder_without_bom_handling())),
            Scheme::Dos(_, upper) => Decoder::Dos(upper),
        }
    }

    /// Decodes a whole text; `None` if a byte is invalid in it.
    pub(super) fn decode(self, bytes: &[u8]) -> Option<String> {
        match self.0 {
            Scheme::Web(encoding) => {
                encoding.decode_without_bom_handling_and_without_replacement(bytes).map(std::borrow::Cow::into_owned)
            }
            Scheme::Dos(_, upper) => Some(bytes.iter().map(|&byte| of_page(byte, upper)).collect()),
        }
    }
}

/// Decodes a stream.
pub(super) enum Decoder {
    Web(Box<encoding_rs::Decoder>),
    Dos(&'static [char; 128]),
}

impl Decoder {
    /// Decodes into UTF-8 and stops at invalid bytes. Returns what stopped it, the bytes read and
    /// the bytes written.
    pub(super) fn decode(&mut self, from: &[u8], to: &mut [u8], last: bool) -> (DecoderResult, usize, usize) {
        match self {
            Self::Web(decoder) => decoder.decode_to_utf8_without_replacement(from, to, last),
            Self::Dos(upper) => {
                let mut written = 0;
                for (read, &byte) in from.iter().enumerate() {
                    let c = of_page(byte, upper);
                    let Some(room) = to.get_mut(written..written + c.len_utf8()) else {
                        return (DecoderResult::OutputFull, read, written);
                    };
                    written += c.encode_utf8(room).len();
                }
                (DecoderResult::InputEmpty, from.len(), written)
            }
        }
    }
}

fn of_page(byte: u8, upper: &[char; 128]) -> char {
    match byte.checked_sub(128) {
        Some(at) => upper.get(usize::from(at)).copied().unwrap_or(char::REPLACEMENT_CHARACTER),
        None => char::from(byte),
    }
}

/// Returns a code page without undefined bytes. The Encoding Standard has 866 and 874.
fn code_page(page: u16) -> Option<Scheme> {
    let upper = match page {
        437 => &dos::DECODING_TABLE_CP437,
        720 => &dos::DECODING_TABLE_CP720,
        737 => &dos::DECODING_TABLE_CP737,
        775 => &dos::DECODING_TABLE_CP775,
        850 => &dos::DECODING_TABLE_CP850,
        852 => &dos::DECODING_TABLE_CP852,
        855 => &dos::DECODING_TABLE_CP855,
        858 => &dos::DECODING_TABLE_CP858,
        860 => &dos::DECODING_TABLE_CP860,
        861 => &dos::DECODING_TABLE_CP861,
        862 => &dos::DECODING_TABLE_CP862,
        863 => &dos::DECODING_TABLE_CP863,
        865 => &dos::DECODING_TABLE_CP865,
        869 => &dos::DECODING_TABLE_CP869,
        _ => return None,
    };
    Some(Scheme::Dos(page, upper))
}

impl Default for Encoding {
    fn default() -> Self {
        Self::UTF_8
    }
}

impl fmt::Display for Encoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Debug for Encoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Encoding({self})")
    }
}

/// Which encodings an input may have.
///
/// A byte order mark wins over all of them.
///
/// ```
/// use raudal_table::{Encodings, Query, read};
///
/// let mut query = Query::new();
/// query.encodings = "utf-8,windows-1252".parse()?;
/// let rows = read(std::io::Cursor::new(b"a\xf1o\n2020\n"), "x.csv", &query, &())?;
/// assert_eq!(rows.header(), ["año"]);
/// # Ok::<(), raudal_common::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Encodings {
    /// UTF-8, or what the server says where the bytes are not UTF-8.
    #[default]
    Told,
    /// The first of these in which the whole text is valid.
    List(Vec<Encoding>),
    /// UTF-8 where the whole text is valid, else the encoding that fits the whole text best.
    Auto,
}

impl From<Encoding> for Encodings {
    fn from(encoding: Encoding) -> Self {
        Self::List(vec![encoding])
    }
}

impl FromStr for Encodings {
    type Err = Error;

    /// Reads labels with commas between them, or `auto`.
    fn from_str(text: &str) -> Result<Self> {
        if text.trim().eq_ignore_ascii_case("auto") {
            return Ok(Self::Auto);
        }
        let list = text.split(',').map(Encoding::parse).collect::<Result<Vec<_>>>()?;
        if let Some(at) = (1..list.len()).find(|&at| list[..at].contains(&list[at])) {
            return Err(Error::usage(format!("an encoding is named twice: {}", list[at])));
        }
        Ok(Self::List(list))
    }
}

/// What others call encodings that the standard knows by another name.
const ALIASES: &[(&str, &str)] = &[
    ("latin-1", "windows-1252"),
    ("latin", "windows-1252"),
    ("ansi", "windows-1252"),
    ("utf-8-sig", "utf-8"),
    ("utf8-sig", "utf-8"),
    ("cp65001", "utf-8"),
    ("mac-roman", "macintosh"),
    ("macroman", "macintosh"),
    ("cp932", "shift_jis"),
    ("cp936", "gbk"),
    ("cp949", "euc-kr"),
    ("cp950", "big5"),
    ("cp874", "windows-874"),
];

/// Labels to name where no label is near.
const SOME: &[&str] = &["utf-8", "windows-1252", "iso-8859-15", "macintosh", "cp850", "cp437", "shift_jis", "big5"];

/// Common labels, to suggest the nearest ones for an unknown label.
const LABELS: &[&str] = &[
    "utf-8",
    "windows-1252",
    "iso-8859-1",
    "latin1",
    "iso-8859-15",
    "utf-16le",
    "utf-16be",
    "windows-1250",
    "windows-1251",
    "windows-1253",
    "windows-1254",
    "windows-1255",
    "windows-1256",
    "windows-1257",
    "windows-1258",
    "iso-8859-2",
    "iso-8859-5",
    "iso-8859-7",
    "koi8-r",
    "macintosh",
    "ibm866",
    "shift_jis",
    "euc-jp",
    "euc-kr",
    "gbk",
    "gb18030",
    "big5",
    "cp437",
    "cp720",
    "cp737",
    "cp775",
    "cp850",
    "cp852",
    "cp855",
    "cp858",
    "cp860",
    "cp861",
    "cp862",
    "cp863",
    "cp865",
    "cp866",
    "cp869",
];
