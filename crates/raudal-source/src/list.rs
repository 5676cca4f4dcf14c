//! Reads the lists of `-i FILE`, one input per line.

use std::io::BufRead;

use super::lines::each_line;
use super::{Input, Location};
use raudal_common::{Error, Result};

/// Reads inputs, one per line: a URL or a path, then an optional TAB and a display name.
///
/// Blank lines and lines that begin with `#` are skipped. White space around a URL, a path or a
/// name is removed. Patterns are not expanded, so a line from [`Input::to_line`] gives the same
/// input, brackets included. Errors call the list `name`.
///
/// ```
/// use raudal_source::read_list;
///
/// let list = "# two archives\nhttps://example.org/01.zip\tAguascalientes\n\nfolder/[2].zip\n";
/// let inputs = read_list(list.as_bytes(), "list.txt")?;
/// assert_eq!(inputs.len(), 2);
/// assert_eq!(inputs[0].name, "Aguascalientes");
/// assert_eq!(inputs[1].name, "[2].zip");
/// # Ok::<(), raudal_common::Error>(())
/// ```
pub fn read_list(reader: impl BufRead, name: &str) -> Result<Vec<Input>> {
    let mut inputs = Vec::new();
    each_line(reader, name, "a list is a text file with a URL or a path on each line", |line| {
        inputs.extend(read_line(line)?);
        Ok(())
    })?;
    Ok(inputs)
}

fn read_line(line: &str) -> Result<Option<Input>> {
    let (place, name) = match line.split_once('\t') {
        Some((place, name)) => (place.trim(), name.trim()),
        None => (line.trim(), ""),
    };
    if place.starts_with('#') || (place.is_empty() && name.is_empty()) {
        return Ok(None);
    }
    if place.is_empty() {
        return Err(Error::usage(format!("a name without a source: {name}")));
    }
    // The error already names the list and the line, so the location goes into the message.
    let location = Location::parse(place).map_err(|error| {
        let refused = Error::usage(error.report());
        match error.hint_text() {
            Some(hint) => refused.hint(hint),
            None => refused,
        }
    })?;
    let input = Input::new(location);
    Ok(Some(if name.is_empty() { input } else { input.named(name) }))
}

#[cfg(test)]
mod tests {
    use super::super::lines::MAX_LINE;
    use super::*;

    fn read(text: &str) -> Result<Vec<Input>> {
        read_list(text.as_bytes(), "list.txt")
    }

    #[test]
    fn comments_blank_lines_windows_line_ends_and_a_bom_are_no_matter() {
        let inputs =
            read("\u{feff}http://h/a.zip\r\n\r\n  # no\r\n  http://h/b.zip#part  \t  B b \r\n").expect("a list");
        let seen: Vec<_> = inputs.iter().map(|i| (i.location.to_string(), i.name.as_str())).collect();
        assert_eq!(seen, [("http://h/a.zip".into(), "a.zip"), ("http://h/b.zip#part".into(), "B b")]);
    }

    #[test]
    fn what_is_written_is_read_back_as_it_was() {
        let places = ["http://h/a[1-2]{x}.zip", "a b/[1].csv", "#odd.csv", " lead.csv", "a\tb.csv", "http:x://y"];
        let mut inputs: Vec<_> = places
            .iter()
            .map(|place| Input::new(Location::parse(place).unwrap_or_else(|_| Location::File(place.into()))))
            .collect();
        inputs.push(Input::new(Location::File("c.csv".into())).named("Señor C"));
        let written: String = inputs.iter().map(|input| input.to_line() + "\n").collect();
        let back = read(&written).expect(&written);
        for (input, back) in inputs.iter().zip(&back) {
            assert_eq!(input.name, back.name);
            match (&input.location, &back.location) {
                (Location::File(a), Location::File(b)) => {
                    assert_eq!(std::path::absolute(a).expect("a path"), std::path::absolute(b).expect("a path"));
                }
                (a, b) => assert_eq!(a, b),
            }
        }
        assert_eq!(inputs.len(), back.len());
    }

    #[test]
    fn credentials_are_not_written_into_a_list() {
        let input = Input::new(Location::parse("https://me:secret@h/a.zip").expect("a URL"));
        assert_eq!(input.to_line(), "https://h/a.zip");
    }

    #[test]
    fn a_bad_line_is_named_by_its_number() {
        let error = read("http://h/a\n\nftp://h/b\n").expect_err("ftp");
        assert_eq!(error.to_string(), "list.txt: line 3: ftp://h/b: unsupported scheme: ftp");
        let error = read("a.csv\n\tname\n").expect_err("no source");
        assert_eq!(error.to_string(), "list.txt: line 2: a name without a source: name");
        let error = read_list(&b"a.csv\n\xff\xfe\n"[..], "list.txt").expect_err("not text");
        assert_eq!(error.to_string(), "list.txt: line 2: a line that is not UTF-8");
        let error = read(&"x".repeat(MAX_LINE + 1)).expect_err("too long");
        assert_eq!(error.to_string(), "list.txt: line 1: a line longer than 65536 bytes");
    }
}
