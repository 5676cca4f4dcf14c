//! Guesses from the beginning of a text what separates its fields and which line is the header.
//!
//! Only two things use it: [`Delimiter::Auto`](super::dialect::Delimiter::Auto), and hints.

use super::rewrite::{Rewriter, Rules};
use super::scan::Scan;

/// What tables have between their fields, the usual first.
pub(super) const USUAL: [u8; 4] = *b",;\t|";

/// Those, and what is rare: it is only named in hints. The last two are those of databases.
pub(super) const RARE: [u8; 9] = *b",;\t|^~:\x1f\x01";

/// How much text is looked at, in bytes and in records.
const HEAD: usize = 64 << 10;
const RECORDS: usize = 200;

/// A reading of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Layout {
    pub(super) delimiter: u8,
    /// Lines above the one that looks like the header.
    pub(super) above: u64,
    /// Whether that is the first record: only blank lines and comments are above it.
    pub(super) is_first: bool,
    /// Fields of the header.
    pub(super) fields: usize,
    /// Records of as many fields, the header included.
    pub(super) run: usize,
    /// Whether all records that were looked at have as many.
    pub(super) is_even: bool,
    /// Whether the last record that was looked at is one of them.
    pub(super) is_last: bool,
}

/// Returns the best reading with one of the delimiters, if any gives two fields or more. `rules`
/// says the rest; `whole` says that no more text follows.
pub(super) fn sniff(
    text: &[u8],
    whole: bool,
    delimiters: &[u8],
    rules: Rules,
    comment: Option<&str>,
) -> Option<Layout> {
    let (head, whole) = if text.len() > HEAD { (&text[..HEAD], false) } else { (text, whole) };
    let layouts = delimiters.iter().filter(|delimiter| Some(**delimiter) != rules.quote).filter_map(|&delimiter| {
        let records = records(head, whole, Rules { delimiter, ..rules }, comment);
        longest_run(delimiter, &records)
    });
    // Of two that are as good, the first one.
    layouts.reduce(|best, layout| if layout.score() > best.score() { layout } else { best })
}

impl Layout {
    fn score(&self) -> (bool, usize, usize) {
        (self.is_even, self.run, self.fields)
    }
}

/// Returns the longest run of records with the same number of fields, two or more.
fn longest_run(delimiter: u8, records: &[(u64, usize)]) -> Option<Layout> {
    let mut best: Option<Layout> = None;
    let mut from = 0;
    while let Some(&(above, fields)) = records.get(from) {
        let run = records[from..].iter().take_while(|(_, other)| *other == fields).count();
        if fields > 1 {
            let layout = Layout {
                delimiter,
                above,
                is_first: from == 0,
                fields,
                run,
                is_even: run == records.len(),
                is_last: from + run == records.len(),
            };
            if best.is_none_or(|best| layout.score() > best.score()) {
                best = Some(layout);
            }
        }
        from += run;
    }
    best
}

/// Whether [`records`] has returned fewer records than the text has.
pub(super) fn is_cut(text: &[u8], records: usize) -> bool {
    text.len() > HEAD || records >= RECORDS
}

/// Returns the lines above each record, and its number of fields.
pub(super) fn records(text: &[u8], whole: bool, rules: Rules, comment: Option<&str>) -> Vec<(u64, usize)> {
    let mut rewriter = Rewriter::default();
    let (mut records, mut at, mut line) = (Vec::new(), 0, 0);
    while at < text.len() && records.len() < RECORDS {
        let rest = &text[at..];
        let is_comment = comment.is_some_and(|comment| rest.starts_with(comment.as_bytes()));
        let rules = if is_comment { Rules { quote: None, escape: None, ..rules } } else { rules };
        let Scan::Record { end, fields, lines, .. } = rewriter.scan(rest, rules, whole) else { break };
        if end > 0 && !is_comment {
            records.push((line, fields));
        }
        line += lines + 1;
        at += end + if rest[end..].starts_with(b"\r\n") { 2 } else { 1 };
    }
    records
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Option<(char, u64, usize)> {
        let rules = Rules { delimiter: b',', quote: Some(b'"'), escape: None, trim: false };
        sniff(text.as_bytes(), true, &USUAL, rules, Some("#"))
            .map(|layout| (char::from(layout.delimiter), layout.above, layout.fields))
    }

    #[test]
    fn the_delimiter_is_what_gives_the_most_records_of_one_length() {
        assert_eq!(of("id;rate;x\n1;12,5;a\n2;7,5;b\n"), Some((';', 0, 3)));
        assert_eq!(of("id\tname\n1\ta, b\n2\tc\n"), Some(('\t', 0, 2)));
        assert_eq!(of("id|name\n"), Some(('|', 0, 2)));
        assert_eq!(of("\"a;b\",c\n\"1;2\",3\n"), Some((',', 0, 2)));
        assert_eq!(of("date;usd\n20240102;3,9\n20240103;4,0\n\nkod;nazwa;x\n"), Some((';', 0, 2)));
        assert_eq!(of("phone\n111\n"), None);
        assert_eq!(of(""), None);
    }

    #[test]
    fn the_header_is_where_the_longest_run_begins() {
        assert_eq!(of("A table\nof 2020; by us\n\nid,name,x\n1,a,b\n2,c,d\n"), Some((',', 3, 3)));
        assert_eq!(of("# a,b,c,d\nid;name\n1;a\n"), Some((';', 1, 2)));
        assert_eq!(of("Title\n\"of\n2020\"\nid,name\n1,a\n"), Some((',', 3, 2)));
    }
}
