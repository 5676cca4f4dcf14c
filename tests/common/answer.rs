//! The responses of a scripted server: pieces of bytes, gates between them, and an end.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::Semaphore;

/// One response to one request.
#[derive(Clone, Debug)]
pub struct Answer {
    pub(super) status: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<Step>,
    pub(super) framing: Framing,
    pub(super) end: End,
    /// The file, if ranges of it can be requested, and how much of a range is sent.
    pub(super) ranged: Option<Ranged>,
}

/// A file that is served in ranges.
#[derive(Clone, Debug)]
pub(super) struct Ranged {
    file: Bytes,
    /// The most bytes that the body of a response has.
    most: usize,
}

/// How the client is told where the body ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// By its length, which may be false.
    Length(usize),
    Chunked,
    /// By the end of the connection, as in HTTP/1.0.
    Close,
    /// The steps are the whole response: no head is written.
    Raw,
}

#[derive(Clone, Debug)]
pub(super) enum Step {
    /// Shared, not copied, so that a memory test counts only the client's bytes.
    Send(Bytes),
    /// Sends the head, then waits for the gate.
    Wait(Gate),
    /// Waits for the gate before sending the head.
    Hold(Gate),
}

/// What happens to the connection after the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// It stays open for the next request.
    Keep,
    /// It is closed normally.
    Close,
    /// It is reset: a real RST.
    Reset,
    /// It stays open and silent until the client hangs up or the server is dropped.
    Stall,
}

impl Answer {
    /// 200 with this body and its right length.
    pub fn ok(body: impl AsRef<[u8]>) -> Self {
        Self::status(200, body)
    }

    /// Any status with this body. The reason phrase does not matter.
    pub fn status(code: u16, body: impl AsRef<[u8]>) -> Self {
        let body = body.as_ref();
        Self {
            status: format!("{code} Said So"),
            headers: Vec::new(),
            framing: Framing::Length(body.len()),
            body: vec![Step::Send(Bytes::copy_from_slice(body))],
            end: End::Keep,
            ranged: None,
        }
    }

    /// 200 with this body. A `Range: bytes=N-` or `bytes=N-M` gets a 206 with that part if
    /// `If-Range` names this response's `ETag` or `Last-Modified`, or a 416 if the range begins
    /// after the end.
    pub fn ranged(file: impl AsRef<[u8]>) -> Self {
        let file = Bytes::copy_from_slice(file.as_ref());
        Self { ranged: Some(Ranged { file, most: usize::MAX }), ..Self::ok("") }
    }

    /// The same response, but the body and the connection break off after this many bytes.
    pub fn cut_after(mut self, bytes: usize) -> Self {
        if let Some(ranged) = &mut self.ranged {
            ranged.most = bytes;
        }
        self.then_close()
    }

    /// A redirect by 302.
    pub fn redirect(to: impl AsRef<str>) -> Self {
        Self::status(302, "moved").header("Location", to)
    }

    /// 200 with an HTML page, as INEGI's server sends for a missing file.
    pub fn page(title: &str) -> Self {
        Self::ok(format!("<!DOCTYPE html>\r\n<html><head><title>{title}</title></head><body>...</body></html>"))
            .header("Content-Type", "text/html; charset=utf-8")
    }

    /// 200 with an empty body.
    pub fn empty() -> Self {
        Self::ok("")
    }

    /// 200 that announces `length` bytes, sends this body and closes.
    pub fn short(body: impl AsRef<[u8]>, length: usize) -> Self {
        Self { framing: Framing::Length(length), end: End::Close, ..Self::ok(body) }
    }

    /// 200 that announces `length` bytes, sends this body and resets the connection.
    pub fn reset_after(body: impl AsRef<[u8]>, length: usize) -> Self {
        Self { end: End::Reset, ..Self::short(body, length) }
    }

    /// 200 that announces `length` bytes, sends this body and then stays silent.
    pub fn stall_after(body: impl AsRef<[u8]>, length: usize) -> Self {
        Self { end: End::Stall, ..Self::short(body, length) }
    }

    /// No response: the connection is reset once the request is read.
    pub fn reset() -> Self {
        Self { end: End::Reset, ..Self::raw("") }
    }

    /// No response: the connection is closed once the request is read.
    pub fn close() -> Self {
        Self::raw("")
    }

    /// No response, and the connection stays open.
    pub fn stall() -> Self {
        Self { end: End::Stall, ..Self::raw("") }
    }

    /// Sends these bytes as the whole response, including the head, and closes the connection.
    pub fn raw(bytes: impl AsRef<[u8]>) -> Self {
        Self { framing: Framing::Raw, end: End::Close, ..Self::ok(bytes) }
    }

    /// 200 in chunks of this size, without a length.
    pub fn chunked(body: impl AsRef<[u8]>, size: usize) -> Self {
        let body = body.as_ref().chunks(size).map(|piece| Step::Send(Bytes::copy_from_slice(piece))).collect();
        Self { framing: Framing::Chunked, body, ..Self::ok("") }
    }

    /// 200 whose body ends with the connection.
    pub fn until_close(body: impl AsRef<[u8]>) -> Self {
        Self { framing: Framing::Close, end: End::Close, ..Self::ok(body) }
    }

    /// 200 in pieces of this size; each piece waits for the gate.
    pub fn drip(body: impl AsRef<[u8]>, size: usize, gate: &Gate) -> Self {
        let body = body.as_ref();
        let pieces = body
            .chunks(size)
            .flat_map(|piece| [Step::Wait(gate.clone()), Step::Send(Bytes::copy_from_slice(piece))])
            .collect();
        Self { framing: Framing::Length(body.len()), body: pieces, ..Self::ok("") }
    }

    /// The same response, which waits for the gate before its head.
    pub fn behind(mut self, gate: &Gate) -> Self {
        self.body.insert(0, Step::Hold(gate.clone()));
        self
    }

    /// The same response with another status.
    pub fn with_status(mut self, code: u16) -> Self {
        self.status = format!("{code} Said So");
        self
    }

    /// The same response with one more header.
    pub fn header(mut self, name: &str, value: impl AsRef<str>) -> Self {
        self.headers.push((name.to_owned(), value.as_ref().to_owned()));
        self
    }

    /// The same response, but the connection closes normally after it. A chunked body loses its
    /// last chunk.
    pub fn then_close(mut self) -> Self {
        self.end = End::Close;
        self
    }

    /// The same response, but the connection is reset after it.
    pub fn then_reset(mut self) -> Self {
        self.end = End::Reset;
        self
    }

    /// The same response, but the connection then stays open and silent.
    pub fn then_stall(mut self) -> Self {
        self.end = End::Stall;
        self
    }

    /// Returns the response to a request with these headers. A ranged file gives the right part.
    pub(super) fn to(mut self, range: Option<&str>, if_range: Option<&str>) -> Self {
        let Some(Ranged { file, most }) = self.ranged.take() else { return self };
        let own = |name: &str| self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str());
        let is_same = if_range.is_none_or(|named| [own("ETag"), own("Last-Modified")].contains(&Some(named)));
        let total = file.len();
        let asked = range.filter(|_| is_same).and_then(|range| range.strip_prefix("bytes=")?.split_once('-'));
        let from: Option<usize> = asked.and_then(|(from, _)| from.parse().ok());
        let end = asked.and_then(|(_, last)| last.parse::<usize>().ok()).map_or(total, |last| total.min(last + 1));
        let body = match from {
            Some(from) if from >= total => {
                self.status = "416 Said So".into();
                self.headers.push(("Content-Range".into(), format!("bytes */{total}")));
                Bytes::new()
            }
            Some(from) => {
                self.status = "206 Said So".into();
                self.headers.push(("Content-Range".into(), format!("bytes {from}-{}/{total}", end - 1)));
                file.slice(from..end)
            }
            None => file,
        };
        if self.framing != Framing::Chunked {
            self.framing = Framing::Length(body.len());
        }
        self.body = vec![Step::Send(body.slice(..body.len().min(most)))];
        self
    }

    /// The same response without an announced length.
    pub fn without_length(mut self) -> Self {
        self.framing = Framing::Chunked;
        self
    }

    /// Returns the head as it is sent.
    pub(super) fn head(&self) -> Vec<u8> {
        let mut lines = match self.framing {
            Framing::Raw => return Vec::new(),
            _ => vec![format!("HTTP/1.1 {}", self.status)],
        };
        match self.framing {
            Framing::Length(length) => lines.push(format!("Content-Length: {length}")),
            Framing::Chunked => lines.push("Transfer-Encoding: chunked".into()),
            Framing::Close | Framing::Raw => {}
        }
        if self.end == End::Close {
            lines.push("Connection: close".into());
        }
        lines.extend(self.headers.iter().map(|(name, value)| format!("{name}: {value}")));
        (lines.join("\r\n") + "\r\n\r\n").into_bytes()
    }
}

/// Holds responses back until the test lets them through. Clones are the same gate.
#[derive(Clone, Debug)]
pub struct Gate(Arc<Semaphore>);

impl Gate {
    /// Returns a closed gate.
    pub fn new() -> Self {
        Self(Arc::new(Semaphore::new(0)))
    }

    /// Lets this many responses, or pieces of them, through.
    pub fn let_through(&self, count: usize) {
        self.0.add_permits(count);
    }

    /// Lets everything through from now on.
    pub fn open(&self) {
        // Waiting on a closed semaphore returns at once.
        self.0.close();
    }

    pub(super) async fn pass(&self) {
        if let Ok(permit) = self.0.acquire().await {
            permit.forget();
        }
    }
}

impl Default for Gate {
    fn default() -> Self {
        Self::new()
    }
}
