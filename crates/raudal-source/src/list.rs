//! Reads the lists of `-i FILE`, one input per line.

use std::io::{BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::sync::{Arc, Mutex};

use super::lines::{LineReader, TextLine, each_line};
use super::{Input, Line, Location};
use raudal_common::{Error, Result, lock};
use tempfile::SpooledTempFile;

const HINT: &str = "a list is a text file with a URL or a path on each line";
/// A list longer than this, in bytes, is held in a temporary file.
const MEMORY: usize = 1 << 20;
/// Bytes of it that a pass reads at once.
const AHEAD: usize = 32 << 10;

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
    each_line(reader, name, HINT, |line| {
        inputs.extend(input(line, &list));
        Ok(())
    })?;
    Ok(inputs)
}

/// The input of a line, unless it is blank or a comment.
fn input(line: TextLine<'_>, list: &Arc<str>) -> Option<Input> {
    let at = Line { list: Arc::clone(list), number: line.number };
    match line.text.and_then(read_line) {
        Ok(input) => input.map(|input| input.at_line(at)),
        Err(error) => Some(Input::refused(&line.raw, &error, at)),
    }
}

/// A list that holds only its text, so that millions of inputs take little memory. A long text is in a temporary
/// file. Each pass parses the inputs again, as [`read_list`] does.
///
/// ```
/// use raudal_source::List;
///
/// let list = List::read("a.csv\n# no\nb.csv\n".as_bytes(), "list.txt")?;
/// assert_eq!(list.len(), 2);
/// assert_eq!(list.inputs().map(|input| input.name).collect::<Vec<_>>(), ["a.csv", "b.csv"]);
/// # Ok::<(), raudal_common::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct List {
    name: Arc<str>,
    text: Arc<Mutex<SpooledTempFile>>,
    inputs: u64,
    from_stdin: usize,
}

impl List {
    /// Copies the text of a list, and checks it.
    ///
    /// # Errors
    ///
    /// Fails as [`read_list`] does, and if the copy cannot be written.
    pub fn read(mut reader: impl BufRead, name: &str) -> Result<Self> {
        let mut text = SpooledTempFile::new(MEMORY);
        std::io::copy(&mut reader, &mut text)
            .and_then(|_| text.flush())
            .and_then(|()| text.seek(SeekFrom::Start(0)))
            .map_err(|error| Error::io("cannot read the list of inputs", error).input(name))?;
        let (name, mut inputs, mut from_stdin): (Arc<str>, _, _) = (name.into(), 0, 0);
        each_line(BufReader::with_capacity(AHEAD, &mut text), &name, HINT, |line| {
            if let Some(input) = input(line, &name) {
                inputs += 1;
                from_stdin += usize::from(input.location == Location::Stdin);
            }
            Ok(())
        })?;
        Ok(Self { name, text: Arc::new(Mutex::new(text)), inputs, from_stdin })
    }

    /// Returns how many inputs it has.
    pub fn len(&self) -> u64 {
        self.inputs
    }

    /// Returns whether it has none.
    pub fn is_empty(&self) -> bool {
        self.inputs == 0
    }

    /// Returns how many of its inputs are standard input.
    pub fn from_stdin(&self) -> usize {
        self.from_stdin
    }

    /// Begins a pass over its inputs.
    pub fn inputs(&self) -> ListInputs {
        ListInputs::at(self.clone(), 0, 0, self.inputs)
    }
}

/// The inputs of a [`List`]. A clone goes on from the same place.
///
/// If the copy of the list can no longer be read, all remaining inputs fail with that reason.
#[derive(Debug)]
pub struct ListInputs {
    list: List,
    reader: BufReader<TextReader>,
    /// Bytes, and lines, before the next line.
    place: u64,
    line: u64,
    left: u64,
    buffer: Vec<u8>,
}

impl ListInputs {
    fn at(list: List, place: u64, line: u64, left: u64) -> Self {
        let text = TextReader { text: Arc::clone(&list.text), place };
        Self { list, reader: BufReader::with_capacity(AHEAD, text), place, line, left, buffer: Vec::new() }
    }
}

impl Clone for ListInputs {
    fn clone(&self) -> Self {
        Self::at(self.list.clone(), self.place, self.line, self.left)
    }
}

impl Iterator for ListInputs {
    type Item = Input;

    fn next(&mut self) -> Option<Input> {
        self.left = self.left.checked_sub(1)?;
        let name = Arc::clone(&self.list.name);
        let mut lines =
            LineReader::from_line(&mut self.reader, &name, HINT, self.line, std::mem::take(&mut self.buffer));
        let found = loop {
            match lines.next() {
                Ok(Some(line)) => {
                    self.line = line.number;
                    if let Some(input) = input(line, &name) {
                        break input;
                    }
                }
                ended => {
                    let at = Line { list: Arc::clone(&name), number: self.line + 1 };
                    let error = ended.err().unwrap_or_else(|| Error::usage("the list breaks off"));
                    break Input::refused("", &error, at);
                }
            }
        };
        self.place += lines.read;
        self.buffer = lines.into_buffer();
        Some(found)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = usize::try_from(self.left).unwrap_or(usize::MAX);
        (left, Some(left))
    }
}

/// Reads a text that others read as well.
#[derive(Debug)]
struct TextReader {
    text: Arc<Mutex<SpooledTempFile>>,
    place: u64,
}

impl Read for TextReader {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let mut text = lock(&self.text);
        text.seek(SeekFrom::Start(self.place))?;
        let read = text.read(buffer)?;
        self.place += read as u64;
        Ok(read)
    }
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
    fn a_list_that_is_held_as_text_has_the_same_inputs_on_each_pass_and_from_each_place() {
        let long = "x".repeat(MAX_LINE + 9);
        let lines = |n: i32| format!("# {n}\nhttp://h/{n}.csv\tn {n}\r\n\nftp://h/{n}\n");
        let text = (0..2_000).map(lines).collect::<Vec<_>>().concat();
        for list in [String::new(), "\u{feff}a.csv".to_owned(), format!("{text}{long}\n-\n{text}{text}{text}")] {
            let all = read(&list).expect("a list");
            let held = List::read(list.as_bytes(), "list.txt").expect("a list");
            assert_eq!((held.len(), held.is_empty()), (all.len() as u64, all.is_empty()));
            assert_eq!(held.from_stdin(), list.matches("\n-\n").count());
            let (mut one, mut two) = (held.inputs(), held.inputs());
            for expected in &all {
                assert_eq!(one.next().as_ref(), Some(expected));
            }
            assert_eq!(one.next(), None);
            let at = all.len() / 2 + all.len() % 2;
            assert!(two.by_ref().take(at).eq(all.iter().take(at).cloned()));
            let three = two.clone();
            assert_eq!(three.size_hint().0, all.len() - at);
            assert!(two.eq(all.iter().skip(at).cloned()) && three.eq(all.iter().skip(at).cloned()));
        }
        assert!(List::read(&b"a.csv\nPK\0\n"[..], "list.txt").is_err());
    }

    #[test]
    fn a_file_that_is_no_text_is_refused_as_a_whole() {
        let error = read("a.csv\nPK\0\u{1}\n").expect_err("not text");
        assert_eq!(error.to_string(), "list.txt: line 2: not a text file: a zero byte");
    }
}
