//! Filters the records of one text, and writes those that are kept as rows.

use std::ops::Range;

use memchr::{memchr, memrchr, memrchr_iter};

use super::filter::{Bound, Counts};
use super::rows::{end_record, write_field};
use super::scan::{field_end, unquote};
use super::tally::Count;

/// How to process each record of one text.
#[derive(Clone)]
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
    /// Finds the wanted fields of a record. `known` is where it begins and where its delimiters are in a text, if that
    /// is known.
    #[inline]
    pub(super) fn locate(&mut self, bytes: &[u8], quotes: bool, known: Option<(usize, &[u32])>) {
        let Some((start, places)) = known else {
            return locate(bytes, quotes, self.delimiter, &self.wanted, &mut self.fields);
        };
        for &at in &self.wanted {
            let from = if at == 0 { 0 } else { places.get(at - 1).map_or(0, |place| *place as usize + 1 - start) };
            let end = places.get(at).map_or(bytes.len(), |place| *place as usize - start);
            self.fields[at] = from..end;
        }
    }

    /// Appends the [located](Self::locate) record to `out` if the filter accepts it. It begins on this line.
    #[inline]
    pub(super) fn keep(&mut self, bytes: &[u8], quotes: bool, line: u64, out: &mut Vec<u8>) -> bool {
        if let Some(filter) = &mut self.filter
            && !filter.keeps(bytes, &self.fields, line)
        {
            return false;
        }
        if !self.counts {
            self.write(bytes, quotes, line, out);
        }
        true
    }

    /// The same for another thread, with nothing counted.
    pub(super) fn fork(&self) -> Self {
        let mut fork = self.clone();
        let _ = fork.take_counts();
        fork
    }

    /// What was odd in the records since this was last asked for.
    pub(super) fn take_counts(&mut self) -> (Count, Counts) {
        let odd = self.filter.as_mut().map(Bound::take_counts).unwrap_or_default();
        (std::mem::take(&mut self.as_they_stand), odd)
    }

    /// Adds what was odd in later records, whose lines are counted from this one.
    pub(super) fn add_counts(&mut self, as_they_stand: Count, odd: Counts, line: u64) {
        self.as_they_stand.add(as_they_stand.below(line));
        if let Some(filter) = &mut self.filter {
            filter.add_counts(odd, line);
        }
    }

    /// Appends a record that is kept.
    fn write(&mut self, bytes: &[u8], quotes: bool, line: u64, out: &mut Vec<u8>) {
        let start = out.len();
        let mut odd = 0;
        match &self.select {
            None if !quotes && self.delimiter == b',' => out.extend_from_slice(bytes),
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
            self.as_they_stand.one(line, bytes);
        }
        end_record(start, out);
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
