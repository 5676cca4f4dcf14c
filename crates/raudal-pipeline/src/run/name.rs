//! File names. Pure: untrusted text in, a name that is valid on every system out.

use sha2::{Digest, Sha256};

use raudal_common::atomic_file::hex;
use raudal_source::Input;

/// The longest name, in bytes. File systems allow 255, and a partial file adds suffixes.
const LONGEST: usize = 180;
/// A longer part after the last dot is not an extension.
const LONGEST_EXTENSION: usize = 16;
/// The name of a file without any other name.
pub(crate) const NAMELESS: &str = "download";
/// The suffixes of a partial file and of what belongs to it.
const OURS: [&str; 4] = [".part", ".part.json", ".part.d", ".part.old.d"];

/// Returns a name for a file directly in one folder, as close to the text as possible: the part
/// after the last slash, without what controls a terminal, hides a file, or is forbidden on some
/// system. `None` if nothing is left.
pub(crate) fn safe(text: &str) -> Option<String> {
    let last = text.rsplit(['/', '\\']).next().unwrap_or_default();
    let name: String = last.chars().map(|c| if is_forbidden(c) { '_' } else { c }).collect();
    // A name of dots alone is a folder, and a leading dot hides a file. Windows drops trailing
    // dots.
    let name = name.trim_start_matches(|c: char| c == '.' || c.is_whitespace());
    let name = cut(name).trim_end_matches(|c: char| c == '.' || c.is_whitespace()).to_owned();
    if name.is_empty() {
        return None;
    }
    let name = if is_reserved(&name) { format!("_{name}") } else { name };
    let lower = name.to_ascii_lowercase();
    Some(if OURS.iter().any(|end| lower.ends_with(end)) { name + "_" } else { name })
}

/// Control characters, those that change the writing direction, and those that Windows forbids.
fn is_forbidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
        || "<>:\"|?*".contains(c)
}

/// Whether it is a Windows device name, with or without an extension, in any case.
fn is_reserved(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or_default().trim_end().to_ascii_lowercase();
    let is_numbered = |device: &str| {
        stem.strip_prefix(device).is_some_and(|rest| {
            let mut rest = rest.chars();
            matches!(rest.next(), Some('0'..='9' | '¹' | '²' | '³')) && rest.next().is_none()
        })
    };
    ["con", "prn", "aux", "nul", "conin$", "conout$"].contains(&stem.as_str())
        || is_numbered("com")
        || is_numbered("lpt")
}

/// Shortens a name to the maximum length. It keeps its extension, and gets a digest of the whole, so
/// that two long names stay two.
fn cut(name: &str) -> String {
    if name.len() <= LONGEST {
        return name.to_owned();
    }
    let digest = format!("-{}", &hex(&Sha256::digest(name))[..8]);
    let ending = format!("{digest}{}", extension(name));
    let mut end = LONGEST - ending.len();
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}{ending}", &name[..end])
}

/// Returns the extension of a name, with its dot: `.csv`, `.csv.gz`.
fn extension(name: &str) -> &str {
    let last = |name: &str| name.rfind('.').filter(|dot| name.len() - dot <= LONGEST_EXTENSION);
    let Some(dot) = last(name) else { return "" };
    let is_packed = [".gz", ".bz2", ".xz", ".zst", ".lz4"].iter().any(|end| name[dot..].eq_ignore_ascii_case(end));
    let begin = if is_packed { last(&name[..dot]).unwrap_or(dot) } else { dot };
    &name[begin..]
}

/// Returns the name of an input's partial file. It has the input's own name, if known, and a digest
/// of what was requested, so that the next run finds it and no other input does.
pub(crate) fn partial(input: &Input) -> String {
    let source = input.location.to_string();
    let given = if input.is_named { input.name.as_str() } else { "" };
    let digest = Sha256::new().chain_update(&source).chain_update([0]).chain_update(given).finalize();
    let name = safe(&input.name).unwrap_or_else(|| NAMELESS.to_owned());
    format!("{name}.{}.part", hex(&digest[..8]))
}

/// Endings of archives.
const ENDINGS: &[&str] =
    &[".zip", ".tar.gz", ".tar.bz2", ".tar.xz", ".tar.zst", ".tar.lz4", ".tgz", ".tbz2", ".txz", ".tzst", ".tar"];

/// Returns the folder that an archive is extracted to: its name without `.zip` or `.tar.gz`.
pub(crate) fn folder(archive: &str) -> String {
    let stem = ENDINGS.iter().find_map(|ending| {
        let (stem, end) = archive.split_at_checked(archive.len().checked_sub(ending.len())?)?;
        (end.eq_ignore_ascii_case(ending) && !stem.is_empty()).then_some(stem)
    });
    stem.map_or_else(|| format!("{archive}.unzipped"), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use raudal_source::Location;

    #[test]
    fn an_archive_is_extracted_to_a_folder_of_its_name() {
        for (archive, to) in [
            ("a.zip", "a"),
            ("a.b.TAR.GZ", "a.b"),
            ("t.tgz", "t"),
            ("t.tar", "t"),
            (".zip", ".zip.unzipped"),
            ("a.exe", "a.exe.unzipped"),
            ("é", "é.unzipped"),
            ("aé.ZIP", "aé"),
            ("zip", "zip.unzipped"),
        ] {
            assert_eq!(folder(archive), to);
        }
    }

    #[test]
    fn a_name_is_what_is_left_of_a_text_from_outside() {
        for (text, name) in [
            ("a b.zip", Some("a b.zip")),
            ("población.csv", Some("población.csv")),
            ("../../etc/passwd", Some("passwd")),
            ("C:\\Windows\\x.dll", Some("x.dll")),
            ("/etc/passwd/", None),
            ("..", None),
            (".bashrc", Some("bashrc")),
            ("...a", Some("a")),
            (" . a. ", Some("a")),
            ("a\u{0}b\u{1b}[2Jc\n", Some("a_b_[2Jc_")),
            ("gpj.\u{202e}exe", Some("gpj._exe")),
            ("a:b|c?.csv", Some("a_b_c_.csv")),
            ("CON", Some("_CON")),
            ("nul.tar.gz", Some("_nul.tar.gz")),
            ("com1 .txt", Some("_com1 .txt")),
            ("LPT³", Some("_LPT³")),
            ("com10", Some("com10")),
            ("contact.csv", Some("contact.csv")),
            ("b.zip.0123456789abcdef.part", Some("b.zip.0123456789abcdef.part_")),
            ("x.PART.json", Some("x.PART.json_")),
            ("", None),
        ] {
            assert_eq!(safe(text).as_deref(), name, "{text:?}");
        }
        let long = safe(&("é".repeat(200) + ".csv.gz")).expect("a name");
        assert!(long.len() <= LONGEST && long.starts_with("éé") && long.ends_with(".csv.gz"), "{long}");
        let [one, other] = ["1", "2"].map(|end| safe(&format!("{}{end}.csv", "x".repeat(250))));
        assert!(one != other && one.is_some_and(|name| extension(&name) == ".csv"), "two long names stay two");
        assert_eq!(safe(&"x".repeat(300)).map(|name| name.len()), Some(LONGEST));
    }

    #[test]
    fn a_partial_file_is_found_again_by_its_input_alone() {
        let input = |url: &str| Input::new(Location::parse(url).expect(url));
        let name = partial(&input("https://h/a.zip?v=1"));
        assert!(name.starts_with("a.zip.") && name.rsplit('.').next() == Some("part"), "{name}");
        assert_eq!(name, partial(&input("https://me:secret@h/a.zip?v=1")), "credentials may change");
        assert_ne!(name, partial(&input("https://h/a.zip?v=2")));
        assert_ne!(name, partial(&input("https://h/a.zip?v=1").named("a.zip")));
        assert!(partial(&input(&format!("https://h/{}", "x".repeat(250)))).len() < 240);
    }

    proptest! {
        #[test]
        fn no_text_makes_a_name_that_is_not_one(text in "\\PC{0,300}|[./\\\\ :\u{0}-\u{20}a]{0,30}") {
            if let Some(name) = safe(&text) {
                let path = std::path::Path::new(&name);
                prop_assert_eq!(path.file_name(), Some(path.as_os_str()));
                prop_assert!(!name.starts_with('.') && !name.chars().any(is_forbidden) && name.len() <= LONGEST + 2);
                prop_assert_eq!(safe(&name), Some(name));
            }
        }
    }
}
