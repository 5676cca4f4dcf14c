//! Filters the records of one text, and writes those that are kept as rows.

use std::ops::Range;

use memchr::{memchr, memrchr, memrchr_iter};

use super::filter::Bound;
use super::records::Record;
use super::rows::{end_record, write_field};
use super::scan::{field_end, unquote};
use super::tally::Count;

/// How to process each record of one text.
pub(super) struct RecordPlan {
    pub(super) filter: Option<Bound>,
    /// The output fields, in their order; all when `None`. A field that is `None` is empty.
    pub(super) select: Option<Vec<Option<usize>>>,
    pub(super) delimiter: u8,
    /// The fields that the filter and the output need, in ascending order.
    pub(super) wanted: Vec<usize>,
    /// Whether rows are only counted.
    pub(super) counts: bool,
    /// Where the wanted fields are. The other entries are meaningless.
    pub(super) fields: Vec<Range<usize>>,
    pub(super) scratch: Vec<u8>,
    /// Fields with text after their closing quote, among those written.
    pub(super) as_they_stand: Count,
}

impl RecordPlan {
    /// Appends the record to `out` if the filter accepts it.
    pub(super) fn keep(&mut self, bytes: &[u8], record: &Record, out: &mut Vec<u8>) -> bool {
        locate(bytes, record.quotes, self.delimiter, &self.wanted, &mut self.fields);
        if let Some(filter) = &mut self.filter
            && !filter.keeps(bytes, &self.fields, record.line)
        {
            return false;
        }
        if self.counts {
            return true;
        }
        let start = out.len();
        let mut odd = 0;
        match &self.select {
            None if !record.quotes && self.delimiter == b',' => out.extend_from_slice(bytes),
            None if self.delimiter == b',' => odd += canonical_record(bytes, &mut self.scratch, out),
            None => {
                let mut from = 0;
                loop {
                    let end = field_end(bytes, from, self.delimiter);
                    odd += canonical(&bytes[from..end], &mut self.scratch, out);
                    if end == bytes.len() {
                        break;
                    }
                    out.push(b',');
                    from = end + 1;
                }
            }
            Some(select) => {
                for (at, &field) in select.iter().enumerate() {
                    if at > 0 {
                        out.push(b',');
                    }
                    if let Some(field) = field {
                        odd += canonical(&bytes[self.fields[field].clone()], &mut self.scratch, out);
                    }
                }
            }
        }
        for _ in 0..odd {
            self.as_they_stand.one(record.line, bytes);
        }
        end_record(start, out);
        true
    }
}

/// Locates the wanted fields, which are in ascending order. Scans forward for those of the first
/// half and backward for the others, up to the last quote.
fn locate(bytes: &[u8], quotes: bool, delimiter: u8, wanted: &[usize], fields: &mut [Range<usize>]) {
    let plain = if quotes { memrchr(b'"', bytes).map_or(0, |quote| quote + 1) } else { 0 };
    let (mut rest, mut at, mut end) = (wanted, fields.len(), bytes.len());
    // The leftmost of these delimiters may end a quoted field; the forward scan locates that field.
    let mut delimiters = memrchr_iter(delimiter, &bytes[plain..]);
    while let Some((&last, before)) = rest.split_last()
        && last > fields.len() / 2
        && let Some(found) = delimiters.next()
    {
        let start = plain + found + 1;
        at -= 1;
        if at == last {
            fields[at] = start..end;
            rest = before;
        }
        end = start - 1;
    }
    let Some(&last) = rest.last() else { return };
    let mut from = 0;
    for field in fields.iter_mut().take(last + 1) {
        let end = field_end(bytes, from, delimiter);
        *field = from..end;
        from = end + 1;
    }
}

/// Appends a comma-separated record in canonical form. Only rewrites fields that contain a quote.
/// Returns how many have text after their closing quote.
fn canonical_record(bytes: &[u8], scratch: &mut Vec<u8>, out: &mut Vec<u8>) -> usize {
    let mut odd = 0;
    let mut from = 0;
    while let Some(quote) = memchr(b'"', &bytes[from..]).map(|at| from + at) {
        let start = memrchr(b',', &bytes[from..quote]).map_or(from, |comma| from + comma + 1);
        let end = field_end(bytes, start, b',');
        out.extend_from_slice(&bytes[from..start]);
        odd += canonical(&bytes[start..end], scratch, out);
        from = end;
    }
    out.extend_from_slice(&bytes[from..]);
    odd
}

/// Appends a field in canonical form, whatever its quoting was. Returns 1 if it has text after its
/// closing quote.
fn canonical(field: &[u8], scratch: &mut Vec<u8>, out: &mut Vec<u8>) -> usize {
    if field.first() != Some(&b'"') {
        write_field(field, b',', out);
        return 0;
    }
    scratch.clear();
    let is_clean = unquote(field, scratch);
    write_field(scratch, b',', out);
    usize::from(!is_clean)
}
