//! Reads the plain rows of a text in blocks, on all cores that are idle.
//!
//! One thread reads the bytes and cuts them into blocks behind row ends, which it finds by the number
//! of quotes: a line end after an odd number of quotes is likely in a field. Blocks are decoded, split,
//! filtered and written on any thread, and counted in their order. That a block begins with a row
//! is known once the block before it was read to its end.
//!
//! [`Records`] reads what is not plain: the beginning, the end, and each row that is blank, ragged,
//! invalid or cut at a wrong place. The bytes from there on are given back to it, and it reads on
//! until its buffer is empty. So the rows, the counts and the errors are those of one thread.
//!
//! | module | what it does |
//! |---|---|
//! | `bitmap` | finds short and quoted rows |
//! | `block` | reads the rows of a block |
//! | `feed` | gives bytes back |
//! | `crew` | the threads |

mod bitmap;
mod block;
mod crew;
mod feed;

use std::thread;

use block::{Block, Parsed};
pub(super) use crew::Reading;
use crew::{Crew, Line, Most, Next};
pub(super) use feed::Feed;

use super::plan::RecordPlan;
use super::records::Records;
use super::rows::Rows;
use super::text::Bytes;
use super::watch::Watch;
use raudal_common::Result;

/// Bytes of a block, as of the buffer of [`Records`].
const SIZE: usize = 256 << 10;

/// How often [`Records`] reads a buffer before blocks are tried again, at most.
const LONGEST_REST: u32 = 64;

/// Blocks after which rows count as plain again.
const PLAIN: usize = 16;

/// How blocks are made and read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    size: usize,
    most: Most,
    /// Bytes that [`Records`] hold at once.
    #[cfg(test)]
    pub(super) buffer: usize,
}

impl Default for Plan {
    fn default() -> Self {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        Self {
            size: SIZE,
            most: Most { helpers: cores - 1, reading: cores },
            #[cfg(test)]
            buffer: SIZE,
        }
    }
}

#[cfg(test)]
impl Plan {
    /// Blocks of this size (0: none), and so many threads beside the first one, whatever else runs.
    pub(super) fn of(size: usize, helpers: usize, buffer: usize) -> Self {
        Self { size, most: Most { helpers, reading: usize::MAX }, buffer }
    }
}

/// Reads a text in blocks where that is possible.
pub(super) struct Blocks {
    plan: Plan,
    /// How often to leave a buffer to [`Records`], now and after the next row that is not plain.
    rest: u32,
    next_rest: u32,
    spare: Vec<Block>,
}

/// Where rows go.
pub(super) struct Output<'a> {
    pub(super) rows: &'a mut Rows,
    pub(super) watch: &'a dyn Watch,
}

impl Blocks {
    pub(super) fn new(plan: Plan) -> Self {
        Self { plan, rest: 0, next_rest: 1, spare: Vec::new() }
    }

    /// Reads rows as long as they are plain. Does nothing where the records must go on.
    pub(super) fn read<B: Bytes>(
        &mut self,
        records: &mut Records<'_, Feed<B>>,
        plan: &mut RecordPlan,
        output: &mut Output<'_>,
    ) -> Result<()> {
        if self.plan.size == 0 || !records.may_leave() {
            return Ok(());
        }
        if self.rest > 0 {
            self.rest -= 1;
            return Ok(());
        }
        let Some(carry) = records.leave() else { return Ok(()) };
        let shape = records.shape();
        let crew = Crew::new(self.plan.most, &shape);
        let read = thread::scope(|scope| {
            let line = Line::new(scope, &crew, plan.fork());
            self.in_order(line, carry, records, plan, output)
        })?;
        if read >= PLAIN {
            self.next_rest = 1;
        }
        self.rest = self.next_rest;
        self.next_rest = (self.next_rest * 2).min(LONGEST_REST);
        Ok(())
    }

    /// Begins blocks, and counts those that were read. Returns how many that are.
    fn in_order<B: Bytes>(
        &mut self,
        mut line: Line<'_, '_>,
        carry: Vec<u8>,
        records: &mut Records<'_, Feed<B>>,
        plan: &mut RecordPlan,
        output: &mut Output<'_>,
    ) -> Result<usize> {
        let mut source = Source { carry, size: self.plan.size, is_open: true, has_quotes: true };
        let (mut begun, mut read) = (0, 0);
        let mut unread = Vec::new();
        loop {
            while source.is_open && line.has_room() {
                let spare = self.spare.pop().unwrap_or_default();
                if let Some(block) = source.next(records.feed()?, spare)? {
                    line.put(block);
                    begun += 1;
                }
                // A short text needs no thread.
                if begun > 1 {
                    line.hire();
                }
            }
            let block = match line.next()? {
                Next::First(block) => block,
                Next::Later => continue,
                Next::End => break,
            };
            count(&block.parsed, records, plan, output)?;
            if !block.is_whole() {
                unread.push((block.parsed.stop, block));
                unread.extend(line.rest()?.into_iter().map(|block| (0, block)));
                break;
            }
            read += 1;
            source.has_quotes = block.parsed.has_quotes;
            self.spare.push(block);
        }
        let pieces = unread.into_iter().map(|(from, mut block)| {
            block.text.truncate(block.end);
            (block.text, from)
        });
        let pieces = pieces.chain([(source.carry, 0)]).collect();
        records.feed()?.give_back(pieces);
        Ok(read)
    }
}

/// Counts what was read of a block.
fn count<B: Bytes>(
    parsed: &Parsed,
    records: &mut Records<'_, Feed<B>>,
    plan: &mut RecordPlan,
    output: &mut Output<'_>,
) -> Result<()> {
    let rows = &mut *output.rows;
    rows.rows_read += parsed.rows;
    rows.rows_kept += parsed.kept;
    rows.store.extend(&parsed.out)?;
    plan.add_counts(parsed.as_they_stand.clone(), parsed.odd.clone(), records.line());
    records.pass(parsed.rows, parsed.lines);
    output.watch.advance(0, parsed.rows);
    Ok(())
}

/// Cuts bytes into blocks.
struct Source {
    /// What was read and is in no block. It may be no text.
    carry: Vec<u8>,
    size: usize,
    is_open: bool,
    /// Whether quotes were in the last block that was read. To count them takes time.
    has_quotes: bool,
}

impl Source {
    /// Returns the next block. `None` once the rest cannot be cut: it is short, or a quote in it is
    /// not where it should be.
    fn next<B: Bytes>(&mut self, feed: &mut Feed<B>, mut block: Block) -> Result<Option<Block>> {
        let mut filled = self.carry.len();
        let room = self.size.max(filled * 2);
        if block.text.len() < room {
            block.text.resize(room, 0);
        }
        block.text[..filled].copy_from_slice(&self.carry);
        while filled < room && self.is_open {
            let count = feed.read(&mut block.text[filled..room])?;
            self.is_open = count > 0;
            filled += count;
        }
        if block.cut(filled, self.has_quotes) {
            self.carry.clear();
            self.carry.extend_from_slice(&block.text[block.end..filled]);
            return Ok(Some(block));
        }
        self.is_open = false;
        block.text.truncate(filled);
        self.carry = block.text;
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tally::Count;
    use crate::text::Text;
    use crate::{Dialect, Encoding, Limits};
    use std::io::Read;

    struct Plain<'a>(&'a [u8]);

    impl Bytes for Plain<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
            Ok(self.0.read(buffer).expect("in memory"))
        }
    }

    #[test]
    fn all_rows_between_the_first_buffer_and_the_last_block_are_read_in_blocks() {
        let text = format!("a,b\n{}", "\"x\ny\",1\n".repeat(1000));
        for helpers in [0, 2] {
            let (dialect, limits) = (Dialect::default(), Limits::default());
            let text = Text::new(Feed::new(Plain(text.as_bytes())), Encoding::UTF_8);
            let mut records = Records::new(text, &dialect, b',', &limits);
            records.hold(256);
            records.header().expect("a header");
            let mut plan = RecordPlan {
                filter: None,
                select: None,
                delimiter: b',',
                wanted: Vec::new(),
                counts: true,
                fields: vec![0..0; 2],
                scratch: Vec::new(),
                as_they_stand: Count::default(),
            };
            let mut rows = Rows::default();
            let mut blocks = Blocks::new(Plan::of(1000, helpers, 256));
            let mut others = 0;
            loop {
                while records.next_plain().is_some() {
                    others += 1;
                }
                let mut output = Output { rows: &mut rows, watch: &() };
                blocks.read(&mut records, &mut plan, &mut output).expect("good rows");
                if records.next_any().expect("good rows").is_none() {
                    break;
                }
                others += 1;
            }
            assert_eq!(rows.rows_read + others, 1000);
            assert!(rows.rows_read > 850, "{others} rows one after another");
            assert_eq!(records.line(), 2002);
        }
    }
}
