//! A body on its way to another process: its facts as a message, its bytes as a stream.

use std::io::{ErrorKind, Read, Seek, SeekFrom};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::body::partial_file::PartialFile;
use crate::body::reader::{Body, BodyReader};
use crate::body::spool::Stored;
use crate::http::response::Head;
use raudal_common::atomic_file::hex;
use raudal_common::{Error, Kind, Result};
use raudal_source::Location;

/// Bytes that are copied at a time.
const BUFFER: usize = 128 * 1024;

/// What is known of a body, without its bytes. One process sends it as JSON beside the bytes, and another one makes a
/// [`Body`] of both.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Carried {
    /// The final address, after all redirects, without credentials.
    from: String,
    length: u64,
    sha256: String,
    head: Head,
}

impl Carried {
    /// Describes a body, and returns a reader over its bytes. Reads all of them first: call it where blocking is allowed.
    ///
    /// # Errors
    ///
    /// Of kind [`Io`](Kind::Io), if they cannot be read.
    ///
    /// ```
    /// use raudal_fetch::{Carried, Client, Expect, Options, PartialFile};
    /// use raudal_source::Location;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> raudal_common::Result<()> {
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let path = folder.path().join("a.csv");
    /// # std::fs::write(&path, "abc").unwrap();
    /// let client = Client::new(&Options::default())?;
    /// let location = Location::File(path);
    /// let (carried, bytes) = Carried::of(client.fetch(&location, Expect::Any, &()).await?)?;
    ///
    /// let file = PartialFile::open(&folder.path().join("b.csv.part"), false)?;
    /// let body = carried.arrive(bytes, &location, &file)?;
    /// assert_eq!((body.len(), body.sha256()), (3, Some(carried.sha256())));
    /// # Ok(()) }
    /// ```
    pub fn of(body: Body) -> Result<(Self, BodyReader)> {
        let known = body.sha256().map(str::to_owned);
        let (from, length, head) = (body.location().to_string(), body.len(), body.head.clone());
        let mut reader = body.into_reader();
        let sha256 = known.map_or_else(|| digest(&mut reader), Ok)?;
        Ok((Self { from, length, sha256, head }, reader))
    }

    /// The SHA-256 of the bytes, in hexadecimal.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// How many bytes there are.
    #[expect(clippy::len_without_is_empty, reason = "an empty body is refused")]
    pub fn len(&self) -> u64 {
        self.length
    }

    /// The header `Content-Disposition`, as the server sent it.
    pub fn disposition(&self) -> Option<&str> {
        self.head.disposition.as_deref()
    }

    /// What was wrong with the response and was put up with, for the user.
    pub fn warnings(&self) -> &[String] {
        &self.head.warnings
    }

    /// The final address of the bytes, after all redirects, without credentials. `asked` is the location that was asked
    /// for: a local file may have another path on another machine.
    pub fn from(&self, asked: &Location) -> String {
        if asked.is_remote() { self.from.clone() } else { asked.to_string() }
    }

    /// Copies the bytes to a file, which they replace, and checks them. `asked` is the location that was asked for.
    ///
    /// It reads and writes files: call it where blocking is allowed.
    ///
    /// # Errors
    ///
    /// Of kind [`Corrupt`](Kind::Corrupt), if the bytes are not those that were sent; of kind [`Io`](Kind::Io), if they
    /// cannot be read or written.
    pub fn arrive(&self, mut bytes: impl Read, asked: &Location, file: &PartialFile) -> Result<Body> {
        let (mut hasher, mut at) = (Sha256::new(), 0);
        let failed = |error| Error::io("cannot read what another machine has fetched", error);
        each(&mut bytes, failed, |bytes| {
            file.write(at, bytes)?;
            hasher.update(bytes);
            at += bytes.len() as u64;
            Ok(())
        })?;
        if at != self.length || hex(&hasher.finalize()) != self.sha256 {
            return Err(Error::new(Kind::Corrupt, "what another machine has fetched is damaged"));
        }
        let location = if asked.is_remote() { Location::parse(&self.from)? } else { asked.clone() };
        let stored = Stored::Kept(file.reader()?, self.sha256.clone());
        Ok(Body { location, length: self.length, head: self.head.clone(), stored })
    }
}

/// Returns the SHA-256 of all bytes, and goes back to their beginning.
fn digest(reader: &mut BodyReader) -> Result<String> {
    let failed = |error| Error::io("cannot read what was fetched", error);
    let mut hasher = Sha256::new();
    each(reader, failed, |bytes| {
        hasher.update(bytes);
        Ok(())
    })?;
    reader.seek(SeekFrom::Start(0)).map_err(failed)?;
    Ok(hex(&hasher.finalize()))
}

/// Reads all bytes, piece by piece.
fn each(
    reader: &mut impl Read,
    failed: impl Fn(std::io::Error) -> Error,
    mut take: impl FnMut(&[u8]) -> Result<()>,
) -> Result<()> {
    let mut buffer = vec![0; BUFFER];
    loop {
        match reader.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(read) => take(&buffer[..read])?,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(failed(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_that_are_cut_or_changed_anywhere_are_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = PartialFile::open(&folder.path().join("x.part"), false).expect("a file");
        let (whole, asked) = (b"town,people\n", Location::parse("https://h/a").expect("a URL"));
        let sha256 = hex(&Sha256::digest(whole));
        let head = Head { disposition: Some("attachment; filename=b".to_owned()), ..Head::default() };
        let sent = Carried { from: "https://h/b".to_owned(), length: whole.len() as u64, sha256, head };
        let sent: Carried = serde_json::from_str(&serde_json::to_string(&sent).expect("JSON")).expect("the same");
        for at in 0..whole.len() {
            let mut flipped = *whole;
            flipped[at] ^= 1;
            for bad in [&whole[..at], &flipped, &[whole.as_slice(), b"x"].concat()] {
                assert_eq!(sent.arrive(bad, &asked, &file).expect_err("damage").kind(), Kind::Corrupt, "{at}");
            }
        }
        let body = sent.arrive(whole.as_slice(), &asked, &file).expect("whole");
        assert_eq!((body.location().to_string().as_str(), body.disposition()), ("https://h/b", sent.disposition()));
        let mut text = String::new();
        body.into_reader().read_to_string(&mut text).expect("text");
        assert_eq!(text.as_bytes(), whole);
    }
}
