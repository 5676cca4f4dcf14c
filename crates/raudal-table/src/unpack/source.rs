//! The compressed bytes below a decoder.
//!
//! Decoders wrap the errors of their source, or report the end of it as bad data. So the source
//! keeps its own error, and whether it has ended, for the layer above to tell the cases apart.

use std::cell::{Cell, RefCell};
use std::io::{self, BufRead, Read};
use std::rc::Rc;

const BUFFER: usize = 64 << 10;

/// What happened in a source.
#[derive(Default)]
pub(super) struct Fate {
    /// The error of the reader, to be reported in place of what a decoder makes of it.
    pub(super) failed: RefCell<Option<io::Error>>,
    /// Whether bytes were asked for beyond the end.
    pub(super) ended: Cell<bool>,
}

/// A buffered reader that can be looked into ahead.
pub(super) struct Source<'a> {
    inner: Box<dyn Read + 'a>,
    buffer: Box<[u8]>,
    start: usize,
    end: usize,
    pub(super) fate: Rc<Fate>,
}

impl<'a> Source<'a> {
    pub(super) fn new(inner: Box<dyn Read + 'a>) -> Self {
        Self { inner, buffer: vec![0; BUFFER].into(), start: 0, end: 0, fate: Rc::default() }
    }

    /// Returns the next bytes without taking them: `count`, or fewer at the end.
    pub(super) fn peek(&mut self, count: usize) -> io::Result<&[u8]> {
        if self.end - self.start < count {
            self.buffer.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
            while self.end < count {
                let more = self.fill()?;
                if more == 0 {
                    break;
                }
                self.end += more;
            }
        }
        Ok(&self.buffer[self.start..self.end.min(self.start + count)])
    }

    /// Skips so many bytes, or fails where the source ends before.
    pub(super) fn skip(&mut self, mut count: u64) -> io::Result<()> {
        while count > 0 {
            let here = self.fill_buf()?.len() as u64;
            if here == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let step = here.min(count);
            self.consume(step as usize);
            count -= step;
        }
        Ok(())
    }

    /// Reads to the end, and returns how many bytes there were.
    pub(super) fn rest(&mut self) -> io::Result<u64> {
        let mut count = 0;
        loop {
            let here = self.fill_buf()?.len();
            if here == 0 {
                return Ok(count);
            }
            count += here as u64;
            self.consume(here);
        }
    }

    /// Fills the buffer behind what it holds.
    fn fill(&mut self) -> io::Result<usize> {
        loop {
            match self.inner.read(&mut self.buffer[self.end..]) {
                Ok(count) => {
                    self.fate.ended.set(count == 0);
                    return Ok(count);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    let kind = error.kind();
                    *self.fate.failed.borrow_mut() = Some(error);
                    return Err(kind.into());
                }
            }
        }
    }
}

impl Read for Source<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let here = self.fill_buf()?;
        let count = here.len().min(buffer.len());
        buffer[..count].copy_from_slice(&here[..count]);
        self.consume(count);
        Ok(count)
    }
}

impl BufRead for Source<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
            self.end = self.fill()?;
        }
        Ok(&self.buffer[self.start..self.end])
    }

    fn consume(&mut self, count: usize) {
        self.start = (self.start + count).min(self.end);
    }
}
