//! What a worker makes of an input: the rows of a table, or a file.

use super::jobs::JobInput;
use super::store::{Store, file_name};
use raudal_common::Result;
use raudal_fetch::{BodyReader, Carried};
use raudal_pipeline::files::Fetcher;
use raudal_pipeline::{Gate, InputRead, Reader};
use raudal_pool::Observer;
use raudal_source::Input;
use raudal_table::Rows;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// What a run does with its inputs.
pub(crate) enum Work {
    Tables(Box<Reader>),
    Files(Box<Fetcher>),
}

/// What was made of an input.
pub(crate) enum Made {
    Rows(Rows),
    /// Its bytes are in the store.
    File(Carried),
}

/// What surrounds the attempts at an input.
pub(crate) struct Around<'a> {
    pub(crate) gate: Arc<dyn Gate>,
    pub(crate) observer: Arc<dyn Observer>,
    pub(crate) cancel: &'a CancellationToken,
}

impl Work {
    /// Reads or fetches an input. The bytes of a file are in the store then. Returns `None` if it was cancelled.
    pub(crate) async fn read(
        &self,
        store: &Store,
        of: &JobInput,
        input: Input,
        around: Around<'_>,
    ) -> Result<Option<InputRead<Made>>> {
        let Around { gate, observer, cancel } = around;
        match self {
            Self::Tables(reader) => {
                let checksums = of.checksums(&input)?;
                let read = reader.read(input, checksums, gate, observer, cancel).await;
                Ok(read.map(|read| read.map(Made::Rows)))
            }
            Self::Files(fetcher) => match fetcher.fetch(input, of.sha256.clone(), gate, observer, cancel).await {
                Some(read) => put(store, of.i, read).await.map(Some),
                None => Ok(None),
            },
        }
    }
}

impl Made {
    /// How many rows were kept.
    pub(crate) fn rows(&self) -> u64 {
        match self {
            Self::Rows(rows) => rows.rows_kept(),
            Self::File(_) => 0,
        }
    }
}

/// Writes the bytes of a file beside the parts.
async fn put(store: &Store, i: u64, fetched: InputRead<(Carried, BodyReader)>) -> Result<InputRead<Made>> {
    let mut body = None;
    let fetched = fetched.map(|(carried, bytes)| {
        body = Some(bytes);
        Made::File(carried)
    });
    if let (Ok(Made::File(carried)), Some(bytes)) = (&fetched.result, body) {
        store.put(&file_name(i, carried), bytes).await?;
    }
    Ok(fetched)
}
