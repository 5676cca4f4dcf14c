//! Decompresses a file of one or more streams joined, in any of the formats told by [`Packing`].
//!
//! Each format's decoder reads one stream. What follows it is looked at here, the same way for all:
//! another stream, zero bytes (tapes and disks pad with them), or anything else, which is counted
//! and warned of. Bytes that are nearly the beginning of a stream are damage.

mod codec;
mod source;

use std::cell::RefCell;
use std::io::{self, Read};
use std::rc::Rc;

use codec::Codec;
pub(super) use codec::method;
use source::Source;

use super::signature::Packing;
use super::tally;
use raudal_common::{Error, Kind};

/// Memory that a decoder may take for its window: what `xz -9` and `zstd --ultra` need, twice.
const WINDOW: u64 = 128 << 20;

/// Warnings of the readers below, in the order in which they were found.
pub(super) type Notes = Rc<RefCell<Vec<String>>>;

/// The decompressed bytes of a file.
pub(super) struct Unpacked<'a> {
    packing: Packing,
    state: State<'a>,
    notes: Notes,
}

enum State<'a> {
    /// Before a stream; the first one has to be there.
    Between {
        source: Source<'a>,
        first: bool,
    },
    Within(Box<Codec<'a>>),
    Ended,
}

impl<'a> Unpacked<'a> {
    pub(super) fn new(packing: Packing, input: Box<dyn Read + 'a>, notes: &Notes) -> Self {
        let state = State::Between { source: Source::new(input), first: true };
        Self { packing, state, notes: Rc::clone(notes) }
    }

    /// Begins the stream that the source is at, if there is one.
    fn next(&mut self, mut source: Source<'a>, first: bool) -> io::Result<State<'a>> {
        if !first {
            skip_zeros(&mut source)?;
        }
        // Frames that hold no data, as `pzstd` writes (RFC 8878, section 3.1.2).
        if matches!(self.packing, Packing::Zstd | Packing::Lz4) {
            while let [0x50..=0x5f, 0x2a, 0x4d, 0x18, a, b, c, d, ..] = *source.peek(8)? {
                source.skip(8)?;
                source.skip(u64::from(u32::from_le_bytes([a, b, c, d])))?;
                skip_zeros(&mut source)?;
            }
        }
        let magic = self.packing.magic();
        let head = source.peek(magic.len())?;
        if head.is_empty() && !first {
            return Ok(State::Ended);
        }
        if first || head == magic {
            return Ok(State::Within(Box::new(Codec::new(self.packing, source)?)));
        }
        let alike = head.iter().zip(magic).filter(|(byte, wanted)| byte == wanted).count();
        if alike + 1 >= magic.len() || alike == head.len() {
            return Err(damaged(format!("a further {} stream in it is cut off or damaged", self.packing.name()), None));
        }
        let trailing = source.rest()?;
        self.notes.borrow_mut().push(tally::trailing(trailing, &format!("{} data", self.packing.name())));
        Ok(State::Ended)
    }
}

fn skip_zeros(source: &mut Source<'_>) -> io::Result<()> {
    while let [0, ..] = source.peek(1)? {
        source.skip(1)?;
    }
    Ok(())
}

impl Read for Unpacked<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            // An error leaves the reader at its end.
            self.state = match std::mem::replace(&mut self.state, State::Ended) {
                State::Ended => return Ok(0),
                State::Between { source, first } => self.next(source, first)?,
                State::Within(mut codec) => {
                    let count = codec.read(buffer)?;
                    if count > 0 {
                        self.state = State::Within(codec);
                        return Ok(count);
                    }
                    State::Between { source: codec.end()?, first: false }
                }
            };
        }
    }
}

/// An error of this crate in an error of a reader. `verify` takes it out again.
fn damaged(what: impl Into<String>, cause: Option<io::Error>) -> io::Error {
    let error = Error::new(Kind::Corrupt, what);
    io::Error::other(match cause {
        Some(cause) => error.because(cause),
        None => error,
    })
}
