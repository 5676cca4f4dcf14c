//! Rows that repeat the header, as in files that were joined: quoted otherwise, or with other blanks.

use crate::scan::{field_end, unquote};

/// Bytes of the first name that are compared for each row.
const START: usize = 8;

/// Tells rows that may repeat the header, at little cost for all others.
#[derive(Clone, Debug, Default)]
pub(super) struct Repeats {
    /// How the first name begins; empty if no row can repeat the header.
    start: Vec<u8>,
    /// The fewest and the most bytes of such a row.
    least: usize,
    most: usize,
}

impl Repeats {
    /// `header` is the record as it was written.
    pub(super) fn of(header: &[u8], separator: u8) -> Self {
        let mut least = 0;
        let mut fields = 0;
        each_field(header, separator, |name| {
            least += name.len() + 1;
            fields += 1;
        });
        let name = inner(header, separator);
        let length = name.iter().take(START).take_while(|byte| **byte != separator && **byte != b'"').count();
        let start = name.get(..length).unwrap_or_default().trim_ascii_end();
        // A header may begin with a column that has no name.
        let start = if start.is_empty() { name.get(..1).unwrap_or_default() } else { start };
        Self { start: start.to_vec(), least: least.saturating_sub(1), most: least * 2 + fields * 8 }
    }

    /// Whether the row needs a comparison field by field.
    #[inline]
    pub(super) fn may_be(&self, record: &[u8]) -> bool {
        let (Some(first), Some(wanted)) = (record.first(), self.start.first()) else { return false };
        (first == wanted || is_around(*first)) && self.begins(record)
    }

    fn begins(&self, record: &[u8]) -> bool {
        // The header may begin with a tab: the separator after an empty name.
        let first = self.start.first();
        let at = record.iter().position(|byte| Some(byte) == first || !is_around(*byte)).unwrap_or(record.len());
        record[at..].starts_with(&self.start) && (self.least..=self.most).contains(&record.len())
    }
}

/// What may stand before a name.
const fn is_around(byte: u8) -> bool {
    matches!(byte, b'"' | b' ' | b'\t')
}

/// The record from its first letter on.
fn inner(record: &[u8], separator: u8) -> &[u8] {
    let at = record.iter().position(|byte| *byte == separator || !is_around(*byte)).unwrap_or(record.len());
    &record[at..]
}

/// Whether two records have the same values, but for blanks around them.
pub(super) fn are_same(one: &[u8], other: &[u8], separator: u8) -> bool {
    let (mut ones, mut same) = (Vec::new(), 0);
    each_field(one, separator, |field| ones.push(field.to_vec()));
    let mut fields = 0;
    each_field(other, separator, |field| {
        same += usize::from(ones.get(fields).is_some_and(|one| one == field));
        fields += 1;
    });
    fields == ones.len() && same == fields
}

/// Gives the value of each field, without quotes and blanks around it.
fn each_field(record: &[u8], separator: u8, mut take: impl FnMut(&[u8])) {
    let (mut value, mut from) = (Vec::new(), 0);
    loop {
        let end = field_end(record, from, separator);
        value.clear();
        unquote(record.get(from..end).unwrap_or_default(), &mut value);
        take(value.trim_ascii());
        if end >= record.len() {
            break;
        }
        from = end + 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_known_again_whatever_is_around_its_names() {
        for (header, rows, others) in [
            (
                "id,name",
                &["id,name", "\"id\",\"name\"", " id , name", "id,\"name\" "][..],
                &["ida,nam", "id,name,x", "1,2", "id", "name,id"][..],
            ),
            ("\"id\",\"a \"\"b\"\"\"", &["id,\"a \"\"b\"\"\""], &["id,ab", ""]),
            (",x", &[",x", "\"\",x"], &["x,", "1,x"]),
        ] {
            let repeats = Repeats::of(header.as_bytes(), b',');
            let is_same =
                |row: &str| repeats.may_be(row.as_bytes()) && are_same(header.as_bytes(), row.as_bytes(), b',');
            assert!(rows.iter().all(|row| is_same(row)), "{header}");
            assert!(!others.iter().any(|row| is_same(row)), "{header}");
        }
        assert!(!Repeats::default().may_be(b"id"));
        let tabs = Repeats::of(b"\tx", b'\t');
        assert!(tabs.may_be(b"\tx") && are_same(b"\tx", b"\"\"\t x", b'\t'));
    }
}
