//! Finds the input that kills workers.
//!
//! A job that comes again was begun before, and its worker died or was cut off. From then on, the
//! broker keeps which input was begun how often. One that never came to its end is given up alone;
//! the other inputs of the chunk are read.

use super::broker::{Broker, failed};
use super::protocol::{begun_key, bytes};
use raudal_common::{Error, Kind, Result};
use std::collections::BTreeMap;

/// How often each input of a chunk was begun and not ended. Only in jobs that come again.
pub(crate) struct Journal {
    broker: Broker,
    key: String,
    begun: BTreeMap<u64, u32>,
    /// How often an input may be begun.
    most: u32,
}

impl Journal {
    /// Opens the journal of a job that was delivered more than once; `None` for the first delivery.
    pub(crate) async fn open(
        broker: &Broker,
        run: &str,
        chunk: u32,
        delivered: i64,
        most: u32,
    ) -> Result<Option<Self>> {
        if delivered <= 1 {
            return Ok(None);
        }
        let key = begun_key(run, chunk);
        let kept = broker.kv.get(&key).await.map_err(|error| failed("cannot read what was begun", error))?;
        let begun = kept.and_then(|kept| serde_json::from_slice(&kept).ok()).unwrap_or_default();
        // The first delivery is not in the journal.
        Ok(Some(Self { broker: broker.clone(), key, begun, most: most.saturating_sub(1).max(1) }))
    }

    /// Notes that an input begins.
    ///
    /// # Errors
    ///
    /// Of kind [`Internal`](Kind::Internal), if it was begun too often already; of kind
    /// [`Connect`](Kind::Connect), if it cannot be noted.
    pub(crate) async fn begin(&mut self, input: u64) -> Result<()> {
        let begun = self.begun.entry(input).or_default();
        if *begun >= self.most {
            return Err(Error::new(
                Kind::Internal,
                format!("given up: {} workers have begun this input, and none came to its end", *begun + 1),
            )
            .hint("look at the workers' logs: it may take too much memory, or longer than they live"));
        }
        *begun += 1;
        self.write().await
    }

    /// Notes that an input came to its end. Written with the next one that begins.
    pub(crate) fn end(&mut self, input: u64) {
        self.begun.remove(&input);
    }

    /// Notes that an input was stopped by us, so that it does not count.
    pub(crate) async fn release(&mut self, input: u64) {
        if let Some(begun) = self.begun.get_mut(&input) {
            *begun = begun.saturating_sub(1);
            let _ = self.write().await;
        }
    }

    async fn write(&self) -> Result<()> {
        let put = self.broker.kv.put(&self.key, bytes(&self.begun)?).await;
        put.map(drop).map_err(|error| failed("cannot note what was begun", error))
    }
}
