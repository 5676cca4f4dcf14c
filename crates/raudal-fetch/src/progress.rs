//! The observer of a transfer.

use raudal_pool::Attempt;

/// The stage of a transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Stage {
    /// Opens a new connection: name lookup, TCP and TLS. A request on a reused connection skips this
    /// stage.
    Connect,
    /// The request was sent, and no byte of the response has arrived.
    FirstByte,
    /// The body is arriving.
    Transfer,
}

impl Stage {
    /// Returns the name of the stage in events and reports.
    ///
    /// ```
    /// use raudal_fetch::Stage;
    ///
    /// assert_eq!(Stage::FirstByte.name(), "first byte");
    /// ```
    pub const fn name(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::FirstByte => "first byte",
            Self::Transfer => "transfer",
        }
    }
}

/// Observes a transfer. It cannot change the transfer: [`Request::accept`](crate::Request::accept)
/// judges a response.
///
/// `()` ignores everything. An [`Attempt`] of a pool counts the bytes and shows the stage in the
/// events of the run.
pub trait TransferProgress: Send + Sync {
    /// Receives the announced length of the whole body, in bytes. Not called without one.
    fn expected(&self, bytes: u64);

    /// Receives the number of bytes that have just arrived.
    fn advanced(&self, bytes: u64);

    /// Receives the stage that the transfer has reached.
    fn stage(&self, stage: Stage) {
        let _ = stage;
    }
}

impl TransferProgress for () {
    fn expected(&self, _: u64) {}
    fn advanced(&self, _: u64) {}
}

impl TransferProgress for Attempt {
    fn expected(&self, bytes: u64) {
        self.expect_bytes(bytes);
    }

    fn advanced(&self, bytes: u64) {
        self.advance(bytes, 0);
    }

    fn stage(&self, stage: Stage) {
        Attempt::stage(self, stage.name());
    }
}
