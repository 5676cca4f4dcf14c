//! Reads a long body while it arrives. A reader waits for bytes that are not written yet.

use raudal_common::lock;
use std::fmt;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use crate::http::source::BodySource;

/// A shorter body is read only once it is complete: decoding it takes too little time to matter.
pub(crate) const SHORTEST: u64 = 8 << 20;
/// How many bytes of a body's end are fetched ahead. A zip's directory takes about a hundred bytes
/// per member, and the comment after it up to 64 KiB. If the directory is longer, the reader waits
/// for its bytes as for any others.
pub(crate) const TAIL: u64 = 128 << 10;

/// How much of a body has arrived.
#[derive(Debug, Default)]
struct Flow {
    state: Mutex<FlowState>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct FlowState {
    /// `None` until the file exists.
    file: Option<Arc<File>>,
    /// How many bytes, from the start, can be read from the file.
    written: u64,
    /// Whether the body ended well; `None` until it ends.
    end: Option<bool>,
}

impl Flow {
    fn lock(&self) -> MutexGuard<'_, FlowState> {
        lock(&self.state)
    }

    fn wait_until(&self, done: impl Fn(&FlowState) -> bool) -> MutexGuard<'_, FlowState> {
        self.changed.wait_while(self.lock(), |state| !done(state)).unwrap_or_else(PoisonError::into_inner)
    }
}

/// Publishes how far the writing has come. Dropping it says that nothing more comes.
#[derive(Debug)]
pub(crate) struct Feed(Arc<Flow>);

impl Feed {
    pub(crate) fn new() -> Self {
        Self(Arc::default())
    }

    /// Publishes that this many bytes are in the file. If it cannot be opened again, readers wait
    /// for the end.
    pub(crate) fn written(&self, written: u64, open: impl FnOnce() -> Option<File>) {
        let mut state = self.0.lock();
        if state.file.is_none() {
            state.file = open().map(Arc::new);
        }
        state.written = written;
        self.0.changed.notify_all();
    }

    /// Publishes that the body is complete and verified.
    pub(crate) fn complete(&self) {
        self.0.lock().end = Some(true);
        self.0.changed.notify_all();
    }

    pub(crate) fn arriving(&self, length: u64, source: Option<Arc<BodySource>>) -> Arriving {
        Arriving { flow: Arc::clone(&self.0), length, source }
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        self.0.lock().end.get_or_insert(false);
        self.0.changed.notify_all();
    }
}

/// A long body that has begun to arrive, to be read before it is complete.
/// [`Request::arriving`](crate::Request::arriving) hands it over.
///
/// What is read from it is provisional. The bytes are right only if the transfer has ended well and
/// [`confirms`](Self::confirms) returns `true`.
#[derive(Clone)]
pub struct Arriving {
    flow: Arc<Flow>,
    length: u64,
    /// Where its last bytes can be fetched ahead.
    pub(crate) source: Option<Arc<BodySource>>,
}

impl Arriving {
    /// How many bytes there will be.
    #[expect(clippy::len_without_is_empty, reason = "what is short does not come this way")]
    pub fn len(&self) -> u64 {
        self.length
    }

    /// Whether its last bytes can be fetched ahead ([`Client::tail`](crate::Client::tail)): the
    /// server supports ranges and sends a strong validator.
    pub fn has_tail(&self) -> bool {
        self.source.is_some()
    }

    /// Returns a reader over the body, at its beginning. Reading blocks the thread until the bytes
    /// have arrived. The last bytes come from `tail`, if there is any. `wait` is called with `true`
    /// before each wait and with `false` after it.
    ///
    /// If the transfer breaks off, reading fails.
    pub fn reader(&self, tail: Tail, wait: impl FnMut(bool) + Send + 'static) -> StreamingReader {
        StreamingReader { arriving: self.clone(), tail, at: 0, wait: Box::new(wait) }
    }

    /// Waits until the transfer ends. Returns whether it ended well and the body ends in the bytes
    /// of `tail`.
    pub fn confirms(&self, tail: &Tail) -> bool {
        let state = self.flow.wait_until(|state| state.end.is_some());
        let (Some(true), Some(file)) = (state.end, state.file.clone()) else { return false };
        drop(state);
        let mut end = vec![0; tail.0.len()];
        let mut read = 0;
        while read < end.len() {
            match read_at(&file, &mut end[read..], self.length - (tail.0.len() - read) as u64) {
                Ok(more) if more > 0 => read += more,
                _ => return false,
            }
        }
        end == *tail.0
    }
}

impl fmt::Debug for Arriving {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Arriving").field("length", &self.length).finish_non_exhaustive()
    }
}

/// The last bytes of a body, fetched ahead. The default is empty.
#[derive(Clone, Debug)]
pub struct Tail(pub(crate) Arc<[u8]>);

impl Default for Tail {
    fn default() -> Self {
        Self(Arc::new([]))
    }
}

/// Reads a body while it arrives. Reading blocks: do it where blocking is allowed.
pub struct StreamingReader {
    arriving: Arriving,
    tail: Tail,
    at: u64,
    wait: Box<dyn FnMut(bool) + Send>,
}

impl StreamingReader {
    /// Waits until there are bytes at this position. Returns the file and the number of bytes.
    fn available(&mut self) -> io::Result<(Arc<File>, u64)> {
        let at = self.at;
        let ready = move |state: &FlowState| (state.file.is_some() && state.written > at) || state.end.is_some();
        let mut state = self.arriving.flow.lock();
        if !ready(&state) {
            drop(state);
            (self.wait)(true);
            drop(self.arriving.flow.wait_until(ready));
            (self.wait)(false);
            state = self.arriving.flow.lock();
        }
        match &state.file {
            Some(file) if state.written > at && state.end != Some(false) => Ok((Arc::clone(file), state.written - at)),
            _ => Err(gone()),
        }
    }
}

fn gone() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "the transfer broke off")
}

impl Read for StreamingReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.arriving.length;
        let tail = &self.tail.0;
        let ahead = length - tail.len() as u64;
        if self.at >= length || buffer.is_empty() {
            return Ok(0);
        }
        if self.at >= ahead {
            let read = (&tail[(self.at - ahead) as usize..]).read(buffer)?;
            self.at += read as u64;
            return Ok(read);
        }
        let (file, available) = self.available()?;
        let most = usize::try_from(available.min(ahead - self.at)).unwrap_or(usize::MAX).min(buffer.len());
        let read = read_at(&file, &mut buffer[..most], self.at)?;
        if read == 0 {
            // The file was truncated: another attempt of this transfer has begun at zero.
            return Err(gone());
        }
        self.at += read as u64;
        Ok(read)
    }
}

impl Seek for StreamingReader {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let to = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(step) => self.arriving.length.checked_add_signed(step),
            SeekFrom::Current(step) => self.at.checked_add_signed(step),
        };
        self.at = to.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}

impl fmt::Debug for StreamingReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamingReader")
            .field("arriving", &self.arriving)
            .field("at", &self.at)
            .finish_non_exhaustive()
    }
}

/// Reads at an offset without moving the writer's position.
#[cfg(unix)]
fn read_at(file: &File, buffer: &mut [u8], at: u64) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, buffer, at)
}

/// On other systems reading would move the writer's position, so streaming is not offered.
#[cfg(not(unix))]
fn read_at(_: &File, _: &mut [u8], _: u64) -> io::Result<usize> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Whether streaming pays off for a body of this length, and works on this system.
pub(crate) fn is_worth(length: u64) -> bool {
    cfg!(unix) && length >= SHORTEST
}
