//! Who is told how a transfer gets on.

use raudal_pool::Attempt;

/// What a transfer is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Stage {
    /// A new connection is made: name, TCP and TLS. A request on a connection that is used again skips this stage.
    Connect,
    /// The request was sent, and nothing of the response has arrived.
    FirstByte,
    /// The body arrives.
    Transfer,
}

impl Stage {
    /// The name of the stage in events and reports.
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

/// Is told how a transfer gets on. It only listens: what a response says is judged by
/// [`Request::accept`](crate::Request::accept).
///
/// `()` ignores everything. An [`Attempt`] of a pool counts the bytes and shows the stage in the run's events.
pub trait TransferProgress: Send + Sync {
    /// The length that was announced for the whole body, in bytes. Not called where none was announced.
    fn expected(&self, bytes: u64);

    /// This many more bytes have arrived.
    fn advanced(&self, bytes: u64);

    /// The transfer has reached this stage.
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
