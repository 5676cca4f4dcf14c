//! Files of this machine, on the same road as a download. A regular file is read where it lies.

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

/// How much is read from a pipe at a time: what a Linux pipe holds.
const PIECE: usize = 64 * 1024;

/// Opens a file. What cannot be sought in (a FIFO, `/dev/stdin`) is spooled first.
pub(crate) async fn open(
    path: &Path,
    expect: Expect,
    progress: &dyn TransferProgress,
    budget: &Arc<Budget>,
) -> Result<Body> {
    let owned = path.to_owned();
    let opened = blocking(move || regular(&owned)).await?;
    let (stored, length, first) = match opened.map_err(|error| cannot("cannot open the file", error))? {
        Some((file, length, first)) => {
            progress.expected(length);
            progress.advanced(length);
            (Stored::File(file), length, first)
        }
        None => pipe(path, progress, budget).await?,
    };
    if length == 0 {
        return Err(Error::new(Kind::Empty, "the file is empty").transient(false));
    }
    if expect == Expect::Table {
        let mut look = Look::default();
        look.more(&first)
            .and_then(|()| look.end())
            .map_err(|message| Error::new(Kind::Impostor, message).transient(false))?;
    }
    Ok(Body { location: Location::File(path.to_owned()), length, head: Head::default(), stored })
}

/// Copies a file into a partial file: a copy is whole or it is an error, there is nothing to go on with.
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
    let (file, sha256) = copied.await??;
    Ok(Body { location, length, head, stored: Stored::Kept(file, sha256) })
}

/// Opens a regular file and reads its first bytes. `None` for what is not one.
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

/// Spools what can only be read once. A thread of its own reads: opening a FIFO waits for its writer, perhaps for
/// ever, and the runtime would wait with it when the program ends.
async fn pipe(path: &Path, progress: &dyn TransferProgress, budget: &Arc<Budget>) -> Result<(Stored, u64, Vec<u8>)> {
    let (sender, mut pieces) = mpsc::channel(1);
    let owned = path.to_owned();
    std::thread::Builder::new()
        .name("raudal-pipe".into())
        .spawn(move || read_pipe(&owned, &sender))
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

/// Sends what a pipe gives, until it ends or nobody listens any more.
fn read_pipe(path: &PathBuf, sender: &mpsc::Sender<io::Result<Vec<u8>>>) {
    let mut pipe = match File::open(path) {
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

fn cannot(what: &str, error: io::Error) -> Error {
    let hint = match error.kind() {
        ErrorKind::NotFound => Some("check the path"),
        ErrorKind::IsADirectory => Some("name the files in the folder"),
        ErrorKind::PermissionDenied => Some("you may not read it"),
        _ => None,
    };
    let error = Error::io(what, error);
    match hint {
        Some(hint) => error.hint(hint),
        None => error,
    }
}
