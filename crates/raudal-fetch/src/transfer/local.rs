//! Reads local files through the same interface as downloads. A regular file is read in place.

use std::fs::{File, Metadata};
use std::io::{self, ErrorKind, Read, Seek};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::mpsc;

use crate::body::file_writer::FileWriter;
use crate::body::spool::{Budget, Spool, Stored};
use crate::http::html::{LOOK, Look};
use crate::http::response::Head;
use crate::progress::TransferProgress;
use crate::request::Expect;
use crate::{Body, PartialFile};
use raudal_common::blocking;
use raudal_common::{Error, Kind, Result};
use raudal_source::Location;

/// Bytes per read from a pipe: the capacity of a Linux pipe.
const PIECE: usize = 64 * 1024;

/// Opens a file. Spools it first if it cannot seek (a FIFO, `/dev/stdin`).
pub(crate) async fn open(
    path: &Path,
    expect: Expect,
    progress: &dyn TransferProgress,
    budget: &Arc<Budget>,
) -> Result<Body> {
    let owned = path.to_owned();
    let opened = blocking(move || regular(&owned)).await?;
    let (stored, length, first) = match opened.map_err(|error| cannot_open(path, error))? {
        Some((file, length, first)) => {
            progress.expected(length);
            progress.advanced(length);
            (Stored::File(file), length, first)
        }
        None => pipe(Some(path.to_owned()), progress, budget).await?,
    };
    if length == 0 {
        return Err(Error::new(Kind::Empty, "the file is empty").transient(false));
    }
    checked(Location::File(path.to_owned()), stored, length, &first, expect)
}

/// Reads standard input to its end.
pub(crate) async fn stdin(expect: Expect, progress: &dyn TransferProgress, budget: &Arc<Budget>) -> Result<Body> {
    let (stored, length, first) = pipe(None, progress, budget).await?;
    if length == 0 {
        return Err(Error::new(Kind::Empty, "nothing comes from it: 0 bytes").transient(false));
    }
    checked(Location::Stdin, stored, length, &first, expect)
}

/// Returns the body, unless its first bytes are not what is expected.
fn checked(location: Location, stored: Stored, length: u64, first: &[u8], expect: Expect) -> Result<Body> {
    if expect == Expect::Table {
        let mut look = Look::default();
        look.more(first).and_then(|()| look.end()).map_err(|page| {
            Error::new(Kind::Impostor, page.message())
                .transient(false)
                .hint("[`links`] takes the links on a page for the inputs")
        })?;
    }
    Ok(Body { location, length, head: Head::default(), stored })
}

/// Copies a file into a partial file. The copy is complete or an error: it is never resumed.
pub(crate) async fn copy(
    path: &Path,
    expect: Expect,
    progress: &dyn TransferProgress,
    budget: &Arc<Budget>,
    file: &PartialFile,
) -> Result<Body> {
    into_file(open(path, expect, progress, budget).await?, file).await
}

/// Copies a body into a partial file.
pub(crate) async fn into_file(body: Body, file: &PartialFile) -> Result<Body> {
    let (location, length, head) = (body.location.clone(), body.length, body.head.clone());
    let (file, mut reader) = (file.clone(), body.into_reader());
    let copied = blocking(move || {
        let mut named = FileWriter::new(&file, None);
        let mut buffer = vec![0; PIECE];
        loop {
            let read = match reader.read(&mut buffer) {
                Ok(0) => break named.finish(),
                Ok(read) => read,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(cannot("cannot read the file", error)),
            };
            let mut rest = &buffer[..read];
            while !rest.is_empty() {
                rest = named.take(rest);
                if named.is_full() {
                    named.flush()?;
                }
            }
        }
    });
    Ok(Body { location, length, head, stored: copied.await??.into() })
}

/// Opens a regular file and reads its first bytes. Returns `None` for any other kind of file.
fn regular(path: &Path) -> io::Result<Option<(File, u64, Vec<u8>)>> {
    let metadata = std::fs::metadata(path)?;
    if metadata.is_dir() {
        return Err(ErrorKind::IsADirectory.into());
    }
    if !can_seek(&metadata) {
        return Ok(None);
    }
    let mut file = File::open(path)?;
    let mut first = Vec::new();
    (&mut file).take(LOOK as u64).read_to_end(&mut first)?;
    file.rewind()?;
    Ok(Some((file, metadata.len(), first)))
}

fn can_seek(metadata: &Metadata) -> bool {
    metadata.is_file()
}

/// Spools a file that can be read only once, or standard input. It is read on a thread of its own: opening a FIFO waits
/// for its writer, perhaps for ever, and would keep the runtime from shutting down.
async fn pipe(
    path: Option<PathBuf>,
    progress: &dyn TransferProgress,
    budget: &Arc<Budget>,
) -> Result<(Stored, u64, Vec<u8>)> {
    let (sender, mut pieces) = mpsc::channel(1);
    std::thread::Builder::new()
        .name("raudal-pipe".into())
        .spawn(move || read_pipe(path.as_deref(), &sender))
        .map_err(|error| cannot("cannot read the file", error))?;
    let mut spool = Spool::new(budget, None);
    let mut first = Vec::new();
    while let Some(piece) = pieces.recv().await {
        let piece = piece.map_err(|error| cannot("cannot read the file", error))?;
        first.extend_from_slice(&piece[..piece.len().min(LOOK - first.len())]);
        spool.write(&piece).await?;
        progress.advanced(piece.len() as u64);
    }
    let length = spool.len();
    Ok((spool.finish().await?, length, first))
}

/// Sends the bytes of a pipe until it ends or the receiver is dropped.
fn read_pipe(path: Option<&Path>, sender: &mpsc::Sender<io::Result<Vec<u8>>>) {
    let opened: io::Result<Box<dyn Read>> = match path {
        Some(path) => File::open(path).map(|file| Box::new(file) as Box<dyn Read>),
        None => Ok(Box::new(io::stdin().lock())),
    };
    let mut pipe = match opened {
        Ok(pipe) => pipe,
        Err(error) => return drop(sender.blocking_send(Err(error))),
    };
    loop {
        let mut piece = vec![0; PIECE];
        let piece = match pipe.read(&mut piece) {
            Ok(0) => return,
            Ok(read) => {
                piece.truncate(read);
                Ok(piece)
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => Err(error),
        };
        let failed = piece.is_err();
        if sender.blocking_send(piece).is_err() || failed {
            return;
        }
    }
}

/// Returns the error for a path that cannot be opened. It may be a URL without its scheme.
fn cannot_open(path: &Path, error: io::Error) -> Error {
    let is_missing = error.kind() == ErrorKind::NotFound;
    let error = cannot("cannot open the file", error);
    if is_missing && is_url_like(path) {
        return error.hint("check the path; a URL begins with https:// or http://");
    }
    error
}

/// Whether a path begins like a URL: with `http:`, `www.`, or a host, in a folder that is not there.
fn is_url_like(path: &Path) -> bool {
    let mut parts = path.components().map(|part| part.as_os_str().to_string_lossy());
    let (Some(first), true) = (parts.next(), parts.next().is_some()) else { return false };
    let is_host = first.rsplit_once('.').is_some_and(|(name, top)| {
        !name.is_empty() && top.len() > 1 && top.bytes().all(|byte| byte.is_ascii_alphabetic())
    });
    let is_scheme = ["http:", "https:"].iter().any(|scheme| first.eq_ignore_ascii_case(scheme));
    is_scheme || is_host && !Path::new(&*first).exists()
}

fn cannot(what: &str, error: io::Error) -> Error {
    let hint = match error.kind() {
        ErrorKind::NotFound => Some("check the path"),
        ErrorKind::IsADirectory => Some("give the files in the folder"),
        ErrorKind::PermissionDenied => Some("you have no permission to read it"),
        _ => None,
    };
    let error = Error::io(what, error);
    match hint {
        Some(hint) => error.hint(hint),
        None => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_without_its_scheme_is_told_from_a_path() {
        for url in ["example.org/a.csv", "www.inegi.org.mx/x/y.zip", "http:/h/a.csv", "HTTPS:/h/a.csv"] {
            assert!(is_url_like(Path::new(url)), "{url}");
        }
        for path in ["a.csv", "data/a.csv", "./example.org/a", "/example.org/a", "v1.2/a.csv", ".cache/a", "src/x"] {
            assert!(!is_url_like(Path::new(path)), "{path}");
        }
    }
}
