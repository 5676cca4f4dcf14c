//! The result of a chunk: for each input what became of it, and its rows.
//!
//! ```text
//! "raudal part 1\n"
//! for each input: the length of what follows (u64), the length of a line (u64), the line as JSON, the rows
//! u64::MAX, the SHA-256 of everything before
//! ```

use super::protocol::InputLine;
use raudal_common::{Error, Kind, Result};
use raudal_table::Rows;
use sha2::{Digest, Sha256};
use std::io::{BufWriter, Read, Seek, SeekFrom, Write};
use tempfile::SpooledTempFile;

const MAGIC: &[u8] = b"raudal part 1\n";
/// Takes the place of a length after the last input.
const END: u64 = u64::MAX;
/// Bytes of a part in memory; a longer one is in a temporary file.
const MEMORY: usize = 256 << 10;
/// So few bytes are copied or checked at once: a change of threads would cost more, and each thread holds memory.
pub(crate) const FEW: usize = 32 << 10;
/// A longer line is damage.
const LONGEST_LINE: u64 = 16 << 20;

/// Returns an empty place for a part.
pub(crate) fn spool() -> SpooledTempFile {
    SpooledTempFile::new(MEMORY)
}

/// A part that is being written.
pub(crate) struct PartWriter(BufWriter<SpooledTempFile>);

impl PartWriter {
    pub(crate) fn new() -> Result<Self> {
        let mut out = BufWriter::new(spool());
        out.write_all(MAGIC).map_err(failed)?;
        Ok(Self(out))
    }

    /// Whether these rows are added without waiting for a disk.
    pub(crate) fn is_quick(&self, rows: Option<&Rows>) -> bool {
        !self.0.get_ref().is_rolled() && rows.is_none_or(|rows| rows.in_memory().is_some_and(|held| held <= FEW))
    }

    /// Whether it is ended without waiting, for a disk or for long.
    pub(crate) fn is_small(&mut self) -> bool {
        !self.0.get_ref().is_rolled() && self.0.stream_position().is_ok_and(|length| length <= FEW as u64)
    }

    /// Adds an input. It has rows unless it failed.
    pub(crate) fn add(&mut self, line: &InputLine, rows: Option<Rows>) -> Result<()> {
        let out = &mut self.0;
        let start = out.stream_position().map_err(failed)?;
        let text = super::protocol::bytes(line)?;
        out.write_all(&0u64.to_le_bytes())
            .and_then(|()| out.write_all(&(text.len() as u64).to_le_bytes()))
            .and_then(|()| out.write_all(&text))
            .map_err(failed)?;
        if let Some(rows) = rows {
            rows.write_to(out)?;
        }
        let end = out.stream_position().map_err(failed)?;
        out.seek(SeekFrom::Start(start))
            .and_then(|_| out.write_all(&(end - start - 8).to_le_bytes()))
            .and_then(|()| out.seek(SeekFrom::Start(end)))
            .map(drop)
            .map_err(failed)
    }

    /// Ends the part. Returns it from its first byte, and its length.
    pub(crate) fn finish(mut self) -> Result<(SpooledTempFile, u64)> {
        self.0.write_all(&END.to_le_bytes()).map_err(failed)?;
        let mut file = self.0.into_inner().map_err(|error| failed(error.into_error()))?;
        file.seek(SeekFrom::Start(0)).map_err(failed)?;
        let digest = digest(&mut file)?;
        file.write_all(&digest).map_err(failed)?;
        let length = file.stream_position().map_err(failed)?;
        file.seek(SeekFrom::Start(0)).map_err(failed)?;
        Ok((file, length))
    }
}

fn failed(error: std::io::Error) -> Error {
    Error::io(format!("cannot hold the result of a chunk in {}", std::env::temp_dir().display()), error)
        .hint("set TMPDIR to a folder with more space")
}

fn damaged(what: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::new(Kind::Corrupt, "a part is damaged").because(what)
}

fn digest(reader: &mut impl Read) -> Result<[u8; 32]> {
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 64 << 10];
    loop {
        match reader.read(&mut buffer) {
            Ok(0) => return Ok(hasher.finalize().into()),
            Ok(read) => hasher.update(&buffer[..read]),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(failed(error)),
        }
    }
}

/// Checks a whole part: its length, its first bytes and its digest. Leaves it at its first input.
pub(crate) fn check(part: &mut (impl Read + Seek)) -> Result<()> {
    let length = part.seek(SeekFrom::End(0)).map_err(failed)?;
    let Some(body) = length.checked_sub(32).filter(|body| *body >= MAGIC.len() as u64 + 8) else {
        return Err(damaged(format!("{length} bytes are too few")));
    };
    part.seek(SeekFrom::Start(0)).map_err(failed)?;
    let found = digest(&mut part.by_ref().take(body))?;
    let mut expected = [0; 32];
    part.read_exact(&mut expected).map_err(damaged)?;
    if found != expected {
        return Err(damaged("its SHA-256 differs"));
    }
    rewind(part)
}

/// Goes to the first input.
pub(crate) fn rewind(part: &mut (impl Read + Seek)) -> Result<()> {
    part.seek(SeekFrom::Start(0)).map_err(failed)?;
    let mut magic = [0; MAGIC.len()];
    part.read_exact(&mut magic).map_err(damaged)?;
    if magic == MAGIC { Ok(()) } else { Err(damaged("another version wrote it")) }
}

/// Returns the length of the next input, and what became of it. Its rows follow. `None` after the
/// last one.
pub(crate) fn next(part: &mut impl Read) -> Result<Option<(u64, Vec<u8>)>> {
    let length = number(part)?;
    if length == END {
        return Ok(None);
    }
    let text = line_bytes(part, length)?;
    let rest = length - 8 - text.len() as u64;
    Ok(Some((rest, text)))
}

fn line_bytes(part: &mut impl Read, length: u64) -> Result<Vec<u8>> {
    let text = number(part)?;
    if text > LONGEST_LINE || text.checked_add(8).is_none_or(|text| text > length) {
        return Err(damaged(format!("a line of {text} bytes")));
    }
    let mut bytes = vec![0; text as usize];
    part.read_exact(&mut bytes).map_err(damaged)?;
    Ok(bytes)
}

/// Parses the line of an input.
pub(crate) fn line(bytes: &[u8]) -> Result<InputLine> {
    serde_json::from_slice(bytes).map_err(damaged)
}

fn number(part: &mut impl Read) -> Result<u64> {
    let mut bytes = [0; 8];
    part.read_exact(&mut bytes).map_err(damaged)?;
    Ok(u64::from_le_bytes(bytes))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use raudal_pool::{JobReport, Outcome};
    use raudal_table::{Query, read};
    use std::io::Cursor;

    /// The part of these inputs: rows, or none for one that failed.
    pub(crate) fn part(inputs: &[(u64, Option<&str>)]) -> Vec<u8> {
        let mut writer = PartWriter::new().expect("memory");
        for (i, text) in inputs {
            let report = JobReport::new(0, format!("{i}.csv"), Outcome::Succeeded);
            let error = Error::new(Kind::Status(404), "not found");
            let line = InputLine::of(*i, &report, text.is_none().then_some(&error), None);
            let rows =
                text.map(|text| read(Cursor::new(text.to_owned()), "x.csv", &Query::new(), &()).expect("a table"));
            writer.add(&line, rows).expect("memory");
        }
        let (mut file, length) = writer.finish().expect("memory");
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).expect("memory");
        assert_eq!(bytes.len() as u64, length);
        bytes
    }

    fn read_all(bytes: &[u8]) -> Result<Vec<(u64, bool)>> {
        let mut part = Cursor::new(bytes);
        check(&mut part)?;
        let mut all = Vec::new();
        while let Some((rest, text)) = next(&mut part)? {
            let line = line(&text)?;
            let mut rows = (&mut part).take(rest);
            if line.error.is_none() {
                Rows::read_from(&mut rows, 1 << 10)?;
            }
            assert_eq!(rows.limit(), 0);
            all.push((line.i, line.error.is_none()));
        }
        Ok(all)
    }

    #[test]
    fn a_part_gives_back_rows_and_failures() {
        let bytes = part(&[(3, Some("a\n1\n")), (9, None), (4, Some("a\n"))]);
        assert_eq!(read_all(&bytes).expect("whole"), [(3, true), (9, false), (4, true)]);
        assert!(read_all(&part(&[])).expect("whole").is_empty());
    }

    #[test]
    fn a_part_that_is_cut_or_changed_anywhere_is_refused_as_a_whole() {
        let bytes = part(&[(0, Some("a,b\n1,2\n")), (1, None)]);
        for at in 0..bytes.len() {
            assert_eq!(read_all(&bytes[..at]).expect_err("cut").kind(), Kind::Corrupt, "{at}");
            let mut flipped = bytes.clone();
            flipped[at] ^= 1;
            assert_eq!(read_all(&flipped).expect_err("flipped").kind(), Kind::Corrupt, "{at}");
        }
        assert!(read_all(&[bytes.as_slice(), b"x"].concat()).is_err());
    }
}
