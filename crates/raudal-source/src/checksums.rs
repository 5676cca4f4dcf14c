//! Reads lists of checksums as `sha256sum` writes them, in either form.

use std::collections::HashMap;
use std::io::BufRead;

use super::lines::each_line;
use raudal_common::error::printable;
use raudal_common::{Error, Result};

const LINE: &str = "write 64 hexadecimal digits, two spaces and a name";

/// The SHA-256 of files, by name.
///
/// ```
/// use raudal_source::Checksums;
///
/// let list = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855 *data/empty.csv\n";
/// let sums = Checksums::read(list.as_bytes(), "SHA256SUMS")?;
/// assert!(sums.find("data/empty.csv").is_some());
/// assert!(sums.find("empty.csv").is_some_and(|sum| sum.starts_with("e3b0c442")));
/// assert!(sums.find("other.csv").is_none());
/// # Ok::<(), raudal_common::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Checksums {
    whole: HashMap<String, String>,
    /// By the last part of the name; `None` if two names share it and their digests differ.
    last: HashMap<String, Option<String>>,
}

impl Checksums {
    /// Reads a list. A line is `HEX  name`, `HEX *name` or `SHA256 (name) = HEX`. If it begins with
    /// a backslash, `\\`, `\n` and `\r` in the name stand for one character. Blank lines and
    /// comments (`#`) are skipped. Errors call the list `name`.
    ///
    /// # Errors
    ///
    /// Fails on any other line, on two digests for one name, or if the file cannot be read.
    pub fn read(reader: impl BufRead, name: &str) -> Result<Self> {
        let mut sums = Self::default();
        each_line(reader, name, LINE, |line| {
            let line = line.text?;
            if line.trim().is_empty() || line.starts_with('#') {
                return Ok(());
            }
            let malformed = || Error::usage("not a line from a list of SHA-256 checksums").hint(LINE);
            let (file, digest) = parse(line).ok_or_else(malformed)?;
            sums.add(&file, digest)
        })?;
        Ok(sums)
    }

    fn add(&mut self, file: &str, digest: String) -> Result<()> {
        let file = file.strip_prefix("./").unwrap_or(file);
        let last = file.rsplit(['/', '\\']).next().unwrap_or(file).to_owned();
        self.last
            .entry(last)
            .and_modify(|known| {
                // Two folders have a file of this name, so only the whole name is unambiguous.
                known.take_if(|known| *known != digest);
            })
            .or_insert_with(|| Some(digest.clone()));
        match self.whole.get(file) {
            Some(known) if *known != digest => {
                Err(Error::usage(format!("two checksums for one name: {}", printable(file))))
            }
            _ => {
                self.whole.insert(file.to_owned(), digest);
                Ok(())
            }
        }
    }

    /// Returns the digest of a file in lower-case hexadecimal. Looks up the whole name, else its
    /// last part if that is unambiguous.
    pub fn find(&self, name: &str) -> Option<&str> {
        let name = name.strip_prefix("./").unwrap_or(name);
        self.whole.get(name).or_else(|| self.last.get(name)?.as_ref()).map(String::as_str)
    }

    /// Returns the number of names.
    pub fn len(&self) -> usize {
        self.whole.len()
    }

    /// Returns whether there are none.
    pub fn is_empty(&self) -> bool {
        self.whole.is_empty()
    }
}

/// Parses a line into its name and digest.
fn parse(line: &str) -> Option<(String, String)> {
    let (escaped, line) = line.strip_prefix('\\').map_or((false, line), |line| (true, line));
    let (file, digest) = if let Some(rest) = line.strip_prefix("SHA256 (") {
        rest.rsplit_once(") = ")?
    } else {
        let (digest, file) = line.split_at_checked(64)?;
        (file.strip_prefix("  ").or_else(|| file.strip_prefix(" *"))?, digest)
    };
    let is_digest = digest.len() == 64 && digest.bytes().all(|b| b.is_ascii_hexdigit());
    let file = if escaped { unescape(file)? } else { file.to_owned() };
    (is_digest && !file.is_empty()).then(|| (file, digest.to_ascii_lowercase()))
}

fn unescape(text: &str) -> Option<String> {
    let mut plain = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        plain.push(match c {
            '\\' => match chars.next()? {
                'n' => '\n',
                'r' => '\r',
                '\\' => '\\',
                _ => return None,
            },
            c => c,
        });
    }
    Some(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    const B: &str = "BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB";

    fn read(text: &str) -> Result<Checksums> {
        Checksums::read(text.as_bytes(), "SUMS")
    }

    #[test]
    fn both_forms_and_both_marks_are_read() {
        let list = format!(
            "# made today\r\n{A}  a b.zip\n{B} *c.zip\r\n\nSHA256 (d (1).zip) = {A}\n\\{A}  e\\\\f\\ng\n\\SHA256 (h\\n) = {B}\n"
        );
        let sums = read(&list).expect("a list");
        for (name, digest) in [("a b.zip", A), ("c.zip", B), ("d (1).zip", A), ("e\\f\ng", A), ("h\n", B)] {
            assert_eq!(sums.find(name), Some(digest.to_ascii_lowercase().as_str()), "{name}");
        }
        assert_eq!(sums.len(), 5);
    }

    #[test]
    fn the_last_part_of_a_name_counts_where_it_says_which() {
        let sums =
            read(&format!("{A}  ./x/a.zip\n{A}  y/a.zip\n{A}  x/b.zip\n{B}  y/b.zip\n{A}  b.csv\n")).expect("a list");
        assert!(sums.find("a.zip").is_some(), "both are the same");
        assert!(sums.find("b.zip").is_none(), "which of the two?");
        assert!(sums.find("x/b.zip").is_some() && sums.find("./y/b.zip").is_some() && sums.find("b.csv").is_some());
    }

    #[test]
    fn what_is_no_list_is_refused_by_its_line() {
        for (text, report) in [
            (format!("{A}  a\nhello\n"), "SUMS: line 2: not a line from a list of SHA-256 checksums"),
            (format!("{A} a\n"), "SUMS: line 1: not a line from a list of SHA-256 checksums"),
            (format!("{A}  \n"), "SUMS: line 1: not a line from a list of SHA-256 checksums"),
            (format!("MD5 (a) = {A}\n"), "SUMS: line 1: not a line from a list of SHA-256 checksums"),
            (
                "d41d8cd98f00b204e9800998ecf8427e  a\n".into(),
                "SUMS: line 1: not a line from a list of SHA-256 checksums",
            ),
            (format!("\\{A}  a\\x\n"), "SUMS: line 1: not a line from a list of SHA-256 checksums"),
            (format!("{A}  a\n{B}  a\n"), "SUMS: line 2: two checksums for one name: a"),
            ("é".repeat(40), "SUMS: line 1: not a line from a list of SHA-256 checksums"),
        ] {
            assert_eq!(read(&text).expect_err(&text).report(), report);
        }
    }
}
