//! Which delimiter and which encoding a text is read with, and what is said of it.

use std::borrow::Cow;

use encoding_rs::WINDOWS_1252;

use super::encoding::{Encoding, Encodings};
use super::query::Query;
use super::rows::Rows;
use super::signature::file_name;
use super::tally::counted;
use super::text::Utf8Lines;
use raudal_common::{Error, Kind};

/// Returns the delimiter, if nothing in the text or the query says another. What the server says is
/// about the whole input, not about a member of it.
pub(super) fn delimiter(query: &Query, name: &str, is_member: bool) -> u8 {
    let extension = |name: &str| file_name(name).rsplit_once('.').map(|(_, extension)| extension.to_owned());
    let is_tabs = |extension: &str| matches!(extension, "tsv" | "tab");
    let served = &query.served;
    let by_server =
        || served.file_name.as_deref().and_then(extension).is_some_and(|it| is_tabs(&it)) || served.has_tabs();
    match extension(name).as_deref() {
        Some(extension) if is_tabs(extension) => b'\t',
        Some("csv") => b',',
        _ if !is_member && by_server() => b'\t',
        _ => b',',
    }
}

/// Returns the encoding that is tried first.
pub(super) fn first(query: &Query) -> Encoding {
    match &query.encodings {
        Encodings::List(list) => list.first().copied().unwrap_or_default(),
        Encodings::Told | Encodings::Auto => Encoding::UTF_8,
    }
}

/// Returns the encodings to decide between.
///
/// UTF-8 comes before what the server says: many servers say ISO-8859-1 of everything, and text in
/// another encoding is hardly ever valid UTF-8.
pub(super) fn encodings(query: &Query) -> Cow<'_, Encodings> {
    match &query.encodings {
        Encodings::Told => {
            Cow::Owned(Encodings::List([Encoding::UTF_8].into_iter().chain(query.served.charset).collect()))
        }
        named => Cow::Borrowed(named),
    }
}

/// Returns whether another encoding may cure the error.
pub(super) fn may_cure(query: &Query, error: &Error) -> bool {
    let has_others = match encodings(query).as_ref() {
        Encodings::List(list) => list.iter().any(|other| *other != first(query)),
        _ => true,
    };
    // UTF-16 read as UTF-8 has NUL bytes, which are an error of CSV.
    has_others && matches!(error.kind(), Kind::Encoding | Kind::Csv)
}

/// Says that letters of a text are likely wrong: they are UTF-8, but were not read so.
pub(super) fn say_utf8_lines(read_as: Encoding, lines: &Utf8Lines, rows: &mut Rows) {
    if lines.count > 0 && lines.others == 0 {
        rows.warnings.push(format!(
            "all of it is valid UTF-8, but it was read as {read_as}, so its letters may be wrong ([`encoding`] \
             utf-8,{read_as} tries UTF-8 first)"
        ));
    } else if lines.count > 0 && read_as.is(WINDOWS_1252) {
        rows.warnings.push(format!(
            "{} of it {}, but it was read as {read_as}, so letters are wrong there, the first on line {}; it looks like \
             files that were joined",
            counted(lines.count, "line"),
            if lines.count == 1 { "is UTF-8" } else { "are UTF-8" },
            lines.first
        ));
    }
}

/// Says which encoding a text was read with, if that was not plain from the query.
pub(super) fn say_encoding(query: &Query, found: Encoding, is_marked: bool, rows: &mut Rows) {
    match &query.encodings {
        Encodings::List(list) if is_marked && !list.contains(&found) => {
            rows.notes.push(format!("its byte order mark says {found}, and wins over [`encoding`]"));
        }
        Encodings::List(list) if list.len() > 1 => rows.notes.push(format!("its encoding: {found}")),
        Encodings::Auto if found == Encoding::UTF_8 || is_marked => rows.notes.push(format!("its encoding: {found}")),
        Encodings::Auto => rows.warnings.push(format!("[`encoding`] auto found that it is {found}")),
        Encodings::Told if is_marked && found != Encoding::UTF_8 => {
            rows.notes.push(format!("its byte order mark says {found}"));
        }
        Encodings::Told if found != Encoding::UTF_8 => {
            rows.notes.push(format!("its encoding, as the server says: {found}"));
        }
        Encodings::Told => {
            // Text that is valid UTF-8 is hardly ever anything else, whatever the server says.
            if let Some(said) = query.served.charset.filter(|said| *said != found && !is_marked) {
                rows.notes.push(format!("the server says {said}, but it is valid {found}, and was read so"));
            }
        }
        Encodings::List(_) => {}
    }
}
