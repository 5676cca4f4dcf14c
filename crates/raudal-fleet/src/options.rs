//! How a run is spread over a fleet.

use super::protocol::WorkerStatus;
use super::store::Parts;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Shows a message to the operator of a worker or of a run.
pub type Say = Arc<dyn Fn(&str) + Send + Sync>;

/// Shows what the workers of a run do.
pub type Watch = Arc<dyn Fn(&[WorkerStatus]) + Send + Sync>;

/// How a run is spread over the fleet.
#[derive(Clone)]
#[non_exhaustive]
pub struct SubmitOptions {
    /// Where the parts are written. Default: the broker.
    pub parts: Parts,
    /// The name of the run: letters, digits, `-` and `_`. Default: the hash of its inputs and of the
    /// query, so that the same command finds it again.
    pub run: Option<String>,
    /// What to do with each input, in words that the workers' [`Build`](crate::Build) understands.
    /// They must hold no secret.
    pub spec: Vec<String>,
    /// At most this many chunks of a host are open. Default: 8.
    pub per_host: usize,
    /// At most this many chunks are open. Default: 4096.
    pub open: usize,
    /// How long a worker that does not answer keeps its jobs. Default: 10 s.
    pub lease: Duration,
    /// An input that was begun this often, and never ended, is given up. Default: 5.
    pub deliveries: u32,
    /// Leave once the run is announced. Default: no.
    pub detach: bool,
    /// Inputs of a chunk. Default: as many as suit the number of inputs.
    pub chunk: Option<usize>,
    /// Shows messages. Default: nobody sees them.
    pub say: Say,
    /// Shows what the workers do, twice a second, by their names. Default: nobody sees it.
    pub watch: Watch,
}

impl Default for SubmitOptions {
    fn default() -> Self {
        Self {
            parts: Parts::Nats,
            run: None,
            spec: Vec::new(),
            per_host: 8,
            open: 4096,
            lease: Duration::from_secs(10),
            deliveries: 5,
            detach: false,
            chunk: None,
            say: Arc::new(|_| ()),
            watch: Arc::new(|_| ()),
        }
    }
}

impl fmt::Debug for SubmitOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SubmitOptions")
            .field("parts", &self.parts)
            .field("run", &self.run)
            .field("spec", &self.spec)
            .finish_non_exhaustive()
    }
}
