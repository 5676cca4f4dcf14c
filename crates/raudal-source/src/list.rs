//! Reads the lists of `-i FILE`, one input per line.

use std::io::BufRead;
use std::sync::Arc;

use super::lines::each_line;
use super::{Input, Line, Location};
use raudal_common::{Error, Result};

/// Reads inputs, one per line: a URL or a path, then an optional TAB and a display name.
///
/// Blank lines and lines that begin with `#` are skipped. White space around a URL, a path or a
/// name is removed. Patterns are not expanded, so a line from [`Input::to_line`] gives the same
/// input, brackets included.
///
/// A line that is not an input becomes one that fails, with [`Input::refusal`] as its error: so one
/// bad line does not stop the others. Errors call the list `name`.
///
/// ```
/// use raudal_source::read_list;
///
/// let list = "# two archives\nhttps://example.org/01.zip\tAguascalientes\n\nfolder/[2].zip\nftp://h/3\n";
/// let inputs = read_list(list.as_bytes(), "list.txt")?;
/// assert_eq!(inputs.len(), 3);
/// assert_eq!(inputs[0].name, "Aguascalientes");
/// assert_eq!(inputs[1].name, "[2].zip");
/// let refusal = inputs[2].refusal().unwrap();
/// assert_eq!(refusal.to_string(), "list.txt: line 5: ftp://h/3: unsupported scheme: ftp");
/// # Ok::<(), raudal_common::Error>(())
/// ```
///
/// # Errors
///
/// Fails if the list cannot be read, or is not text.
pub fn read_list(reader: impl BufRead, name: &str) -> Result<Vec<Input>> {
    let list: Arc<str> = name.into();
    let mut inputs = Vec::new();
    each_line(reader, name, "a list is a text file with a URL or a path on each line", |line| {
        let at = Line { list: Arc::clone(&list), number: line.number };
        match line.text.and_then(read_line) {
            Ok(input) => inputs.extend(input.map(|input| input.at_line(at))),
            Err(error) => inputs.push(Input::refused(&line.raw, &error, at)),
        }
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
    let input = Input::new(Location::parse(place)?);
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
    fn a_bad_line_is_an_input_that_fails_with_its_place_and_the_others_go_on() {
        let long = "x".repeat(MAX_LINE + 1);
        let list = format!("http://h/a\n\nftp://h/b\tB\n\tname\n{long}\nhttp://me:secret@h:x/c\nlast.csv");
        let inputs = read_list(&[list.as_bytes(), b"\n\xff.csv\n"].concat()[..], "list.txt").expect("a list");
        let said: Vec<_> = inputs.iter().map(|input| input.refusal().map(|error| error.to_string())).collect();
        assert_eq!(
            said,
            [
                None,
                Some("list.txt: line 3: ftp://h/b: unsupported scheme: ftp".to_owned()),
                Some("list.txt: line 4: a name without a source: name".to_owned()),
                Some("list.txt: line 5: a line longer than 65536 bytes".to_owned()),
                Some("list.txt: line 6: http://h:x/c: not a URL: invalid port number".to_owned()),
                None,
                Some("list.txt: line 8: a line that is not UTF-8".to_owned()),
            ]
        );
        assert_eq!(
            inputs[1].refusal().and_then(|error| error.hint_text().map(str::to_owned)).as_deref(),
            Some("use http, https, file, s3, gs or az")
        );
        // What failed is written as it was, so that it can be corrected, but without credentials.
        assert_eq!((inputs[1].to_line().as_str(), inputs[4].to_line().as_str()), ("ftp://h/b\tB", "http://h:x/c"));
        assert_eq!(inputs[5].line.as_ref().map(|line| line.number), Some(7));
    }

    #[test]
    fn a_file_that_is_no_text_is_refused_as_a_whole() {
        let error = read("a.csv\nPK\0\u{1}\n").expect_err("not text");
        assert_eq!(error.to_string(), "list.txt: line 2: not a text file: a zero byte");
    }
}
