//! Reads a catalogue from its text.

use crate::catalogue::{Catalogue, Entry, Published};
use raudal_common::{Error, Result};
use std::collections::HashSet;

/// Columns with a meaning of their own.
const OURS: [&str; 3] = ["code", "name", "rows"];

impl Catalogue {
    /// Reads a catalogue. The [crate's documentation](crate) has its form.
    ///
    /// # Errors
    ///
    /// Fails with the kind [`Usage`](raudal_common::Kind::Usage), naming the line: no edition, a missing column, an
    /// invalid code or number, a code given twice.
    pub fn parse(text: &str) -> Result<Self> {
        let editions: Vec<Published> = text
            .lines()
            .take_while(|line| line.starts_with('#'))
            .filter_map(|line| line.strip_prefix("# edition "))
            .map(edition)
            .collect::<Result<_>>()?;
        if editions.is_empty() {
            return Err(Error::usage("a catalogue without an edition").hint("begin it with: # edition NAME URL"));
        }
        let mut reader = csv::ReaderBuilder::new().comment(Some(b'#')).from_reader(text.as_bytes());
        let columns: Vec<String> = reader.headers().map_err(|error| bad(&error))?.iter().map(str::to_owned).collect();
        let place = |column: &str| {
            let missing = || Error::usage(format!("a catalogue without the column {column}"));
            columns.iter().position(|name| name == column).ok_or_else(missing)
        };
        let [code, name, rows] = [place(OURS[0])?, place(OURS[1])?, place(OURS[2])?];
        let files: Vec<(usize, usize)> = editions
            .iter()
            .map(|edition| Ok((place(&format!("{}_file", edition.name))?, place(&format!("{}_member", edition.name))?)))
            .collect::<Result<_>>()?;
        let is_fact = |at: &usize| {
            ![code, name, rows].contains(at) && !files.iter().any(|(one, other)| [one, other].contains(&at))
        };
        let facts: Vec<usize> = (0..columns.len()).filter(is_fact).collect();
        let mut entries: Vec<Entry> = Vec::new();
        for record in reader.records() {
            let record = record.map_err(|error| bad(&error))?;
            let line = record.position().map_or(0, csv::Position::line);
            let cell = |at: usize| record.get(at).unwrap_or_default();
            let number = |at: usize| {
                let refused = || Error::usage(format!("line {line} of a catalogue: not a number: {}", cell(at)));
                cell(at).parse::<u64>().map_err(|_| refused())
            };
            if cell(code).parse::<u32>().is_err() {
                return Err(Error::usage(format!("line {line} of a catalogue: not a code: {}", cell(code))));
            }
            entries.push(Entry {
                code: cell(code).to_owned(),
                name: cell(name).to_owned(),
                rows: number(rows)?,
                files: files.iter().map(|&(file, member)| (cell(file).to_owned(), cell(member).to_owned())).collect(),
                facts: facts.iter().map(|&at| Ok((columns[at].clone(), number(at)?))).collect::<Result<_>>()?,
            });
        }
        entries.sort_by_key(Entry::number);
        let mut seen = HashSet::new();
        match entries.iter().find(|entry| !seen.insert(entry.number())) {
            Some(twice) => Err(Error::usage(format!("a catalogue has the code {} twice", twice.code))),
            None => Ok(Self { editions, entries }),
        }
    }
}

fn edition(line: &str) -> Result<Published> {
    match line.split_whitespace().collect::<Vec<_>>()[..] {
        [name, base_url] => Ok(Published { name: name.to_owned(), base_url: base_url.to_owned() }),
        _ => Err(Error::usage(format!("not an edition of a catalogue: {line}")).hint("write: # edition NAME URL")),
    }
}

fn bad(error: &csv::Error) -> Error {
    Error::usage(format!("not a catalogue: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_catalogue_that_is_none_is_refused_with_its_line() {
        let head = "# edition a http://h/\ncode,name,rows,a_file,a_member\n";
        for (text, message) in [
            ("code,name,rows\n", "a catalogue without an edition"),
            ("# edition a\n", "not an edition of a catalogue: a"),
            ("# edition a http://h/\ncode,name,rows,a_file\n", "a catalogue without the column a_member"),
            (&format!("{head}1,x,many,f,m\n"), "line 3 of a catalogue: not a number: many"),
            (&format!("{head}one,x,1,f,m\n"), "line 3 of a catalogue: not a code: one"),
            (&format!("{head}1,x,1,f,m\n01,y,1,g,m\n"), "a catalogue has the code 01 twice"),
        ] {
            assert_eq!(Catalogue::parse(text).expect_err(text).to_string(), message);
        }
        let error = Catalogue::parse(&format!("{head}1,x,1\n")).expect_err("too few cells").to_string();
        assert!(error.starts_with("not a catalogue: "), "{error}");
    }

    #[test]
    fn entries_are_in_the_order_of_their_codes_and_a_name_may_have_a_comma() {
        let text = "# edition a http://h/\ncode,name,people,rows,a_file,a_member\n\
                    10,\"Lake, the\",3,1,f.zip,*.csv\n2,Hill,4,1,g.zip,*.csv\n";
        let catalogue = Catalogue::parse(text).expect("a catalogue");
        let names: Vec<&str> = catalogue.entries().iter().map(|entry| entry.name.as_str()).collect();
        assert_eq!(names, ["Hill", "Lake, the"]);
        assert_eq!((catalogue.entries()[1].fact("people"), catalogue.entries()[1].fact("rows")), (Some(3), None));
    }
}
