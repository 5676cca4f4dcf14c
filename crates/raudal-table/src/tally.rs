//! What was dropped, changed or guessed while a text was read.

use raudal_common::error::printable;

/// How much of a value a message shows, in characters.
const SHOWN: usize = 40;

/// How often something happened, and where first.
#[derive(Clone, Debug, Default)]
pub(super) struct Count {
    pub(super) times: u64,
    first: Option<(u64, String)>,
}

impl Count {
    /// Counts one more. `line` and `bytes` say where and what.
    pub(super) fn one(&mut self, line: u64, bytes: &[u8]) {
        self.times += 1;
        self.first.get_or_insert_with(|| (line, quoted(bytes)));
    }

    /// Adds what was counted elsewhere, later.
    pub(super) fn add(&mut self, other: Self) {
        self.times += other.times;
        self.first = self.first.take().or(other.first);
    }

    /// The same with its line counted from the first line of the text, where it was counted from this one.
    pub(super) fn below(mut self, line: u64) -> Self {
        if let Some((first, _)) = &mut self.first {
            *first += line;
        }
        self
    }

    /// Where it happened first: `at line 3: "1,2"`.
    pub(super) fn place(&self) -> String {
        match &self.first {
            Some((line, what)) if self.times > 1 => format!("the first at line {line}: {what}"),
            Some((line, what)) => format!("at line {line}: {what}"),
            None => String::new(),
        }
    }
}

/// Formats a number of things: `1 byte`, `2 bytes`.
pub(super) fn counted(number: u64, one: &str) -> String {
    format!("{number} {one}{}", if number == 1 { "" } else { "s" })
}

/// Says that bytes after the end of something were left out.
pub(super) fn trailing(bytes: u64, what: &str) -> String {
    let (is, it_was) = if bytes == 1 { ("is", "it was") } else { ("are", "they were") };
    format!("{} after the end of the {what} {is} something else; {it_was} left out", counted(bytes, "byte"))
}

/// Says that bytes before an archive were skipped.
pub(super) fn leading(bytes: u64) -> String {
    let was = if bytes == 1 { "was" } else { "were" };
    format!("{} before the archive, as in self-extracting ones, {was} skipped", counted(bytes, "byte"))
}

/// Formats the beginning of a value for a message.
pub(super) fn quoted(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let first: String = text.chars().take(SHOWN).collect();
    let dots = if first.len() < text.len() { "…" } else { "" };
    format!("\"{}\"{dots}", printable(&first))
}

/// What happened while the records of a text were read.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// Short records, filled with empty fields.
    pub(super) padded: Count,
    /// Long records, cut to the length of the header.
    pub(super) cut: Count,
    /// Records left out because of their length.
    pub(super) skipped: Count,
    /// Records that repeat the header.
    pub(super) repeated: Count,
    /// Whether these were left out.
    pub(super) drops_repeated: bool,
    /// Records that end with a delimiter more than the header.
    pub(super) trailing: Count,
    /// Fields with text after their closing quote.
    pub(super) as_they_stand: Count,
    /// Records with an escape before a letter or a digit.
    pub(super) escaped_letters: Count,
    /// Quoted fields whose lines look like rows.
    pub(super) swallowed: Count,
    /// A header that looks like a row.
    pub(super) bare: Option<String>,
    /// One column where another delimiter finds several.
    pub(super) narrow: Option<String>,
    /// Empty lines at the end of a table of one column.
    pub(super) blank_tail: u64,
    pub(super) comments: Count,
    pub(super) end_marks: u64,
    /// Byte order marks before records.
    pub(super) marks: Count,
}

impl Tally {
    /// What the user must know.
    pub(super) fn warnings(&self) -> Vec<String> {
        let mut said = Vec::new();
        let mut say = |count: &Count, one: &str, many: &str| match count.times {
            0 => {}
            1 => said.push(format!("1 {one}, {}", count.place())),
            n => said.push(format!("{n} {many}, {}", count.place())),
        };
        say(&self.padded, "short record was filled with empty fields", "short records were filled with empty fields");
        say(&self.cut, "long record lost its surplus fields", "long records lost their surplus fields");
        say(
            &self.skipped,
            "record was left out for its number of fields",
            "records were left out for their number of fields",
        );
        if self.drops_repeated {
            say(&self.repeated, "repeated header was left out", "repeated headers were left out");
        } else {
            say(
                &self.repeated,
                "record repeats the header and was kept as a row ([`repeated_header`] drop leaves it out)",
                "records repeat the header and were kept as rows ([`repeated_header`] drop leaves them out)",
            );
        }
        say(
            &self.trailing,
            "record ends with a delimiter that the header lacks; what is empty after it was dropped",
            "records end with a delimiter that the header lacks; what is empty after it was dropped",
        );
        say(
            &self.as_they_stand,
            "field has text after its closing quote and was kept as it stands ([`quote`] none takes quotes for letters)",
            "fields have text after their closing quote and were kept as they stand ([`quote`] none takes quotes for \
             letters)",
        );
        say(
            &self.escaped_letters,
            "record has an escape before a letter, which was read as that letter: \\n is no line end here, and \\N no null",
            "records have an escape before a letter, which was read as that letter: \\n is no line end here, and \\N no null",
        );
        say(
            &self.swallowed,
            "field in quotes holds lines that look like rows ([`quote`] none takes quotes for letters)",
            "fields in quotes hold lines that look like rows ([`quote`] none takes quotes for letters)",
        );
        say(
            &self.marks,
            "byte order mark before a record was dropped; it looks like files that were joined",
            "byte order marks before records were dropped; it looks like files that were joined",
        );
        said.extend(self.narrow.clone().into_iter().chain(self.bare.clone()));
        match self.blank_tail {
            0 => {}
            1 => said.push("1 empty line at the end was not taken for a row".to_owned()),
            n => said.push(format!("{n} empty lines at the end were not taken for rows")),
        }
        said
    }

    /// What was asked for or is usual, for those who want to know.
    pub(super) fn notes(&self) -> Vec<String> {
        let mut said = Vec::new();
        match self.comments.times {
            0 => {}
            1 => said.push(format!("1 comment was left out, {}", self.comments.place())),
            n => said.push(format!("{n} comments were left out, {}", self.comments.place())),
        }
        if self.end_marks > 0 {
            said.push("the end mark of DOS (0x1A) at the end was dropped".to_owned());
        }
        said
    }
}
