//! The names of members: how their bytes are read, and which of them are no data.
//!
//! A zip archive says of each name whether it is UTF-8. Otherwise it is in the code page of the
//! machine that wrote it, which the archive does not say: code page 437 by the specification, 850
//! on Windows in western Europe and Latin America. Where nothing was said, both readings are shown
//! and either can be named.

use std::fmt;

use oem_cp::code_table::DECODING_TABLE_CP_MAP;
use oem_cp::code_table_type::TableType;

use super::columns::{nearest, shown};
use raudal_common::{Error, Result, glob};

/// The code page that the specification of zip sets (APPNOTE, appendix D).
const SPECIFIED: u16 = 437;
/// The code page of Windows in western Europe and Latin America.
const WESTERN: u16 = 850;

/// Common labels, to suggest the nearest ones for an unknown label.
const LABELS: &[&str] = &["cp437", "cp850", "cp852", "cp866", "windows-1252", "shift_jis", "gbk", "utf-8"];

/// The encoding of members' names that are not UTF-8.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct MemberEncoding(Table);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Table {
    /// A code page of DOS, which the Encoding Standard does not have.
    Oem(u16),
    Web(&'static encoding_rs::Encoding),
}

impl MemberEncoding {
    /// Finds an encoding by its label, in any letter case: a code page of DOS such as `cp850`, or a
    /// label of the [Encoding Standard](https://encoding.spec.whatwg.org/).
    ///
    /// ```
    /// use raudal_table::MemberEncoding;
    /// assert_eq!(MemberEncoding::parse("CP850")?.to_string(), "cp850");
    /// assert_eq!(MemberEncoding::parse("shift_jis")?.to_string(), "Shift_JIS");
    /// assert!(MemberEncoding::parse("cp8500").unwrap_err().hint_text().unwrap().contains("cp850"));
    /// # Ok::<(), raudal_common::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Fails if there is no such encoding.
    pub fn parse(label: &str) -> Result<Self> {
        let lower = label.trim().to_ascii_lowercase();
        let number =
            ["cp", "ibm", "oem", "dos-"].iter().find_map(|prefix| lower.strip_prefix(prefix)).unwrap_or(&lower);
        if let Ok(number) = number.parse::<u16>()
            && DECODING_TABLE_CP_MAP.contains_key(&number)
        {
            return Ok(Self(Table::Oem(number)));
        }
        if let Some(encoding) = encoding_rs::Encoding::for_label_no_replacement(label.as_bytes()) {
            return Ok(Self(Table::Web(encoding)));
        }
        let near = nearest(&lower, LABELS);
        let error = Error::usage(format!("no such encoding: {label}"));
        Err(if near.is_empty() {
            error.hint("often it is cp850, cp437, windows-1252 or shift_jis")
        } else {
            error.hint(format!("did you mean {}?", near.join(" or ")))
        })
    }

    fn decode(self, raw: &[u8]) -> String {
        match self.0 {
            Table::Oem(number) => oem(number, raw),
            Table::Web(encoding) => encoding.decode_without_bom_handling(raw).0.into_owned(),
        }
    }
}

impl fmt::Display for MemberEncoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Table::Oem(number) => write!(f, "cp{number}"),
            Table::Web(encoding) => f.write_str(encoding.name()),
        }
    }
}

impl fmt::Debug for MemberEncoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MemberEncoding({self})")
    }
}

fn oem(number: u16, raw: &[u8]) -> String {
    DECODING_TABLE_CP_MAP
        .get(&number)
        .map_or_else(|| String::from_utf8_lossy(raw).into_owned(), |table: &TableType| table.decode_string_lossy(raw))
}

/// The name of a member.
#[derive(Clone, Debug)]
pub(super) struct Name {
    pub(super) raw: Vec<u8>,
    /// The name as it is read, with `/` between folders.
    pub(super) text: String,
    /// Another reading, if the bytes are not UTF-8 and no encoding was given.
    other: Option<String>,
}

impl Name {
    pub(super) fn new(raw: Vec<u8>, encoding: Option<MemberEncoding>) -> Self {
        let (text, other) = match (std::str::from_utf8(&raw), encoding) {
            (Ok(text), _) => (text.to_owned(), None),
            (Err(_), Some(encoding)) => (encoding.decode(&raw), None),
            (Err(_), None) => (oem(SPECIFIED, &raw), Some(oem(WESTERN, &raw))),
        };
        let other = other.filter(|other| *other != text);
        Self { raw, text, other }
    }

    /// Whether the archive does not say how its bytes are to be read.
    pub(super) fn is_ambiguous(&self) -> bool {
        self.other.is_some()
    }

    /// The name for a message, with both readings if there are two.
    pub(super) fn shown(&self) -> String {
        match &self.other {
            Some(other) => format!("{} (in cp850: {})", shown(&self.text), shown(other)),
            None => shown(&self.text),
        }
    }

    /// Whether the pattern, in lower case, matches a reading of the name.
    pub(super) fn matches(&self, pattern: &str) -> bool {
        let readings = [Some(&self.text), self.other.as_ref()];
        readings.into_iter().flatten().any(|name| {
            let name = name.to_lowercase();
            glob::matches(pattern, &name) || name.contains('\\') && glob::matches(pattern, &name.replace('\\', "/"))
        })
    }

    /// Whether it is the name of a folder.
    pub(super) fn is_folder(&self) -> bool {
        matches!(self.raw.last(), Some(b'/' | b'\\'))
    }

    /// Whether the member is what a file manager leaves in folders, and no data.
    pub(super) fn is_hidden(&self) -> bool {
        let parts: Vec<&str> = self.text.split(['/', '\\']).collect();
        let base = parts.last().copied().unwrap_or_default();
        parts.contains(&"__MACOSX")
            || base.starts_with("._")
            || [".ds_store", "thumbs.db", "desktop.ini"].contains(&base.to_lowercase().as_str())
    }

    /// Whether the name would lead out of the folder that it is extracted to.
    pub(super) fn climbs(&self) -> bool {
        let raw_climbs = |name: &[u8]| {
            let mut parts = name.split(|&byte| byte == b'/' || byte == b'\\');
            parts.clone().next().is_some_and(|first| first.is_empty() || first.get(1) == Some(&b':'))
                || parts.any(|part| part == b"..")
        };
        raw_climbs(&self.raw) || raw_climbs(self.text.as_bytes())
    }

    /// Whether the last part of the name ends so, in any letter case; compressed too if `packed`.
    pub(super) fn ends_with(&self, endings: &[&str], packed: bool) -> bool {
        let name = self.text.to_lowercase();
        let name = if packed { super::signature::unpacked_name(&name) } else { name };
        endings.iter().any(|ending| name.ends_with(ending))
    }
}
