//! Fetches inputs for another machine, which saves them.

use crate::run::alone::{Around, Gate, alone};
use crate::run::options::RunOptions;
use crate::run::partials::{KeptTransfer, Partials};
use crate::run::verify;
use crate::table::reader::InputRead;
use raudal_common::{Error, Kind, Result};
use raudal_fetch::{BodyReader, Carried, Client, Expect, Request};
use raudal_pool::{Attempt, Observer};
use raudal_source::Input;
use std::ops::ControlFlow;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// Fetches inputs as [`run()`](super::run()) does, with its retries and policies, and hands out their bytes instead of
/// saving them. [`take()`](super::take()) saves them, in this or in another process.
///
/// The limits on inputs in flight do not count here: each call fetches one input.
///
/// ```
/// use futures::future::BoxFuture;
/// use raudal_fetch::{Client, Options};
/// use raudal_pipeline::{Gate, RunOptions, files::Fetcher};
/// use raudal_pool::NoObserver;
/// use raudal_source::{Input, Location};
/// use std::sync::Arc;
/// use tokio_util::sync::CancellationToken;
///
/// struct Open;
///
/// impl Gate for Open {
///     fn pass(&self, _: &Input) -> BoxFuture<'_, ()> {
///         Box::pin(std::future::ready(()))
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> raudal_common::Result<()> {
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path().join("a.csv");
/// # std::fs::write(&path, "abc").unwrap();
/// let fetcher = Fetcher::new(&Client::new(&Options::default())?, RunOptions::default());
/// let input = Input::new(Location::File(path));
/// let stop = CancellationToken::new();
/// if let Some(fetched) = fetcher.fetch(input, None, Arc::new(Open), Arc::new(NoObserver), &stop).await {
///     let (carried, _bytes) = fetched.result?;
///     assert_eq!(carried.len(), 3);
/// }
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct Fetcher {
    client: Client,
    options: RunOptions,
}

impl Fetcher {
    /// Creates a fetcher.
    pub fn new(client: &Client, options: RunOptions) -> Self {
        Self { client: client.clone(), options }
    }

    /// Fetches an input, whose bytes must have this SHA-256, if that is known. The gate is asked before each attempt, and
    /// the observer sees the events of a run of one job. Returns `None` if it was cancelled.
    pub async fn fetch(
        &self,
        input: Input,
        sha256: Option<String>,
        gate: Arc<dyn Gate>,
        observer: Arc<dyn Observer>,
        cancel: &CancellationToken,
    ) -> Option<InputRead<(Carried, BodyReader)>> {
        let (partials, around) = (Arc::<Partials>::default(), Around { gate, observer, cancel });
        let (client, kept) = (self.client.clone(), Arc::clone(&partials));
        let fetched = alone(input, &self.options, partials, around, move |context, input| {
            let (client, kept, sha256) = (client.clone(), Arc::clone(&kept), sha256.clone());
            async move { attempt(&client, &kept, &context, &input, sha256).await }
        });
        let (result, report) = fetched.await?;
        Some(InputRead { result, locked: None, report })
    }
}

async fn attempt(
    client: &Client,
    partials: &Partials,
    context: &Attempt,
    input: &Input,
    expected: Option<String>,
) -> Result<(Carried, BodyReader)> {
    let KeptTransfer { mut partial, .. } = partials.take(context.job());
    let request = Request::new(&input.location).expect(Expect::Any).progress(context);
    let body = match client.send(request, &mut partial).await {
        Ok(ControlFlow::Continue(body)) => body,
        Ok(ControlFlow::Break(())) => {
            return Err(Error::new(Kind::Internal, "a body was declined without a check"));
        }
        Err(error) => {
            partials.keep(context.job(), KeptTransfer { partial, file: None });
            return Err(error);
        }
    };
    context.stage("verify");
    let verified = context.blocking(move || {
        let (carried, reader) = Carried::of(body)?;
        if let Some(expected) = &expected {
            verify::compare(carried.sha256(), expected)?;
        }
        Ok((carried, reader))
    });
    verified.await.map_err(|error: Error| {
        // It may be damage on the way.
        client.forget(&input.location);
        let again = error.kind() == Kind::Checksum && input.location.is_remote();
        error.transient(again)
    })
}
