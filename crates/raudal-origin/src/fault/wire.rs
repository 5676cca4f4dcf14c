//! A connection that misbehaves on purpose: it resets, closes, stalls or slows down at a chosen
//! byte of the head or the body.
//!
//! hyper writes a correct response. This file decides how much of it reaches the socket, and when.

use raudal_common::lock;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use hyper::body::{Buf as _, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

/// What is done to one response as it is sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct WireFault {
    pub(super) stop: Option<(WirePosition, ConnectionEnd)>,
    /// Bytes per second for the head.
    pub(super) head_rate: Option<u64>,
}

/// Where it is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WirePosition {
    Head,
    /// After this many bytes of the body.
    Body(u64),
}

/// How it ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ConnectionEnd {
    /// A real RST.
    Reset,
    /// A FIN, after these unexpected bytes.
    Close(Bytes),
    /// Nothing more, until the client hangs up.
    Stall,
}

/// What the connection's service tells the wire.
#[derive(Clone, Debug, Default)]
pub(crate) struct Script(Arc<Mutex<Option<WireProgress>>>);

impl Script {
    /// Sets how the next response is sent. The one before it is complete, because its client has
    /// sent a new request.
    pub(crate) fn play(&self, act: Option<WireFault>) {
        *self.lock() = act.map(|act| WireProgress { act, matched: 0, in_body: false, sent: 0 });
    }

    fn lock(&self) -> MutexGuard<'_, Option<WireProgress>> {
        lock(&self.0)
    }
}

/// How much of a response has been sent.
#[derive(Debug)]
struct WireProgress {
    act: WireFault,
    /// How many bytes of the empty line that ends the head were sent last.
    matched: usize,
    in_body: bool,
    /// Bytes of the body.
    sent: u64,
}

const END_OF_HEAD: &[u8] = b"\r\n\r\n";

/// What comes next.
#[derive(Debug, PartialEq, Eq)]
enum NextWrite {
    /// This many bytes, after a wait.
    Write(usize, Duration),
    ConnectionEnd(ConnectionEnd),
}

impl WireProgress {
    fn next(&self, buffer: &[u8]) -> NextWrite {
        let stop = self.act.stop.as_ref();
        if self.in_body {
            return match stop {
                Some((WirePosition::Body(at), end)) if self.sent >= *at => NextWrite::ConnectionEnd(end.clone()),
                Some((WirePosition::Body(at), _)) => {
                    NextWrite::Write((at - self.sent).min(buffer.len() as u64) as usize, Duration::ZERO)
                }
                _ => NextWrite::Write(buffer.len(), Duration::ZERO),
            };
        }
        if let Some((WirePosition::Head, end)) = stop {
            return NextWrite::ConnectionEnd(end.clone());
        }
        let head = self.head_in(buffer);
        match self.act.head_rate {
            // 20 ms worth of bytes at a time, but at least one byte.
            Some(rate) => {
                let piece = (rate / 50).clamp(1, head as u64) as usize;
                NextWrite::Write(piece, Duration::from_secs_f64(piece as f64 / rate as f64))
            }
            None => NextWrite::Write(head, Duration::ZERO),
        }
    }

    /// Returns how many of these bytes belong to the head.
    fn head_in(&self, buffer: &[u8]) -> usize {
        let mut matched = self.matched;
        let end = buffer.iter().position(|byte| {
            matched = advance(matched, *byte);
            matched == END_OF_HEAD.len()
        });
        end.map_or(buffer.len(), |at| at + 1)
    }

    fn wrote(&mut self, bytes: &[u8]) {
        if self.in_body {
            self.sent += bytes.len() as u64;
            return;
        }
        self.matched = bytes.iter().fold(self.matched, |matched, byte| advance(matched, *byte));
        self.in_body = self.matched == END_OF_HEAD.len();
    }

    /// Returns the end that is due when everything written has been sent.
    fn at_rest(&self) -> Option<ConnectionEnd> {
        match &self.act.stop {
            Some((WirePosition::Body(at), end)) if self.in_body && self.sent >= *at => Some(end.clone()),
            _ => None,
        }
    }
}

/// Returns how many bytes of the empty line are there after one more byte.
fn advance(matched: usize, byte: u8) -> usize {
    match byte {
        _ if END_OF_HEAD.get(matched) == Some(&byte) => matched + 1,
        b'\r' => 1,
        _ => 0,
    }
}

/// A connection that can be reset.
pub(crate) trait Reset {
    /// Makes closing it send an RST.
    fn reset_on_close(&self) -> io::Result<()>;
}

impl Reset for tokio::net::TcpStream {
    fn reset_on_close(&self) -> io::Result<()> {
        self.set_zero_linger()
    }
}

/// A stream that follows a script, if it has one.
#[derive(Debug)]
pub(crate) struct Wire<T> {
    inner: T,
    script: Option<Script>,
    wait: Option<Pin<Box<Sleep>>>,
    /// The bytes that an end in progress still has to send.
    last: Option<Bytes>,
}

impl<T> Wire<T> {
    pub(crate) fn new(inner: T, script: Option<Script>) -> Self {
        Self { inner, script, wait: None, last: None }
    }
}

impl<T: AsyncWrite + Reset + Unpin> Wire<T> {
    /// Ends the connection: the error makes hyper drop it.
    fn end(&mut self, cx: &mut Context<'_>, end: ConnectionEnd) -> Poll<io::Error> {
        match end {
            // This ends only when the client hangs up, which hyper notices by reading.
            ConnectionEnd::Stall => Poll::Pending,
            ConnectionEnd::Reset => match self.inner.reset_on_close() {
                Ok(()) => Poll::Ready(io::ErrorKind::ConnectionReset.into()),
                Err(error) => Poll::Ready(error),
            },
            ConnectionEnd::Close(more) => {
                let last = self.last.get_or_insert(more);
                while last.has_remaining() {
                    match ready!(Pin::new(&mut self.inner).poll_write(cx, last)) {
                        Ok(count) => last.advance(count),
                        Err(error) => return Poll::Ready(error),
                    }
                }
                // The connection is over, even if the FIN could not be sent.
                let _ = ready!(Pin::new(&mut self.inner).poll_shutdown(cx));
                Poll::Ready(io::ErrorKind::BrokenPipe.into())
            }
        }
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Wire<T> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(cx, buf)
    }
}

impl<T: AsyncWrite + Reset + Unpin> AsyncWrite for Wire<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        let Some(script) = this.script.clone() else { return Pin::new(&mut this.inner).poll_write(cx, buf) };
        let mut script = script.lock();
        let Some(progress) = script.as_mut() else { return Pin::new(&mut this.inner).poll_write(cx, buf) };
        let bytes = match progress.next(buf) {
            NextWrite::ConnectionEnd(end) => return this.end(cx, end).map(Err),
            NextWrite::Write(bytes, wait) => {
                if !wait.is_zero() {
                    ready!(this.wait.get_or_insert_with(|| Box::pin(sleep(wait))).as_mut().poll(cx));
                }
                bytes
            }
        };
        let written = ready!(Pin::new(&mut this.inner).poll_write(cx, &buf[..bytes]))?;
        this.wait = None;
        progress.wrote(&buf[..written]);
        Poll::Ready(Ok(written))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.script.is_none() {
            return Pin::new(&mut self.inner).poll_write_vectored(cx, bufs);
        }
        let first = bufs.iter().find(|buf| !buf.is_empty()).map_or(&[][..], |buf| &**buf);
        self.poll_write(cx, first)
    }

    fn is_write_vectored(&self) -> bool {
        self.script.is_none() && self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        ready!(Pin::new(&mut this.inner).poll_flush(cx))?;
        let end = this.script.as_ref().and_then(|script| script.lock().as_ref().and_then(WireProgress::at_rest));
        match end {
            Some(end) => this.end(cx, end).map(Err),
            None => Poll::Ready(Ok(())),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RESPONSE: &[u8] = b"HTTP/1.1 200 OK\r\na: b\r\n\r\nbody";

    /// Returns how many bytes of a response are sent before its end, in buffers of this size.
    fn sent(stop: (WirePosition, ConnectionEnd), size: usize) -> usize {
        let mut progress =
            WireProgress { act: WireFault { stop: Some(stop), head_rate: None }, matched: 0, in_body: false, sent: 0 };
        let mut rest = RESPONSE;
        loop {
            let buffer = &rest[..size.min(rest.len())];
            match progress.next(buffer) {
                NextWrite::Write(bytes, _) if !buffer.is_empty() => {
                    progress.wrote(&buffer[..bytes]);
                    rest = &rest[bytes..];
                }
                NextWrite::ConnectionEnd(_) => return RESPONSE.len() - rest.len(),
                NextWrite::Write(..) => {
                    assert!(progress.at_rest().is_some(), "an end behind the last byte");
                    return RESPONSE.len();
                }
            }
        }
    }

    #[test]
    fn a_response_stops_at_the_very_byte_whatever_the_buffers_are() {
        for size in 1..=RESPONSE.len() {
            assert_eq!(sent((WirePosition::Head, ConnectionEnd::Reset), size), 0, "{size}");
            for at in 0..=4 {
                assert_eq!(
                    sent((WirePosition::Body(at), ConnectionEnd::Reset), size),
                    RESPONSE.len() - 4 + at as usize,
                    "{size} {at}"
                );
            }
        }
    }

    #[test]
    fn a_line_end_within_the_head_does_not_end_it() {
        assert_eq!([b'\r', b'\n', b'\r', b'\r', b'\n'].iter().fold(0, |m, b| advance(m, *b)), 2);
        assert_eq!(b"\r\n\r\n".iter().fold(0, |m, b| advance(m, *b)), 4);
    }

    #[test]
    fn a_slow_head_takes_its_time_and_the_body_does_not() {
        let act = WireFault { stop: None, head_rate: Some(100) };
        let mut progress = WireProgress { act, matched: 0, in_body: false, sent: 0 };
        assert_eq!(progress.next(RESPONSE), NextWrite::Write(2, Duration::from_millis(20)));
        progress.wrote(&RESPONSE[..RESPONSE.len() - 4]);
        assert_eq!(progress.next(b"body"), NextWrite::Write(4, Duration::ZERO));
    }
}
