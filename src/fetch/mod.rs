//! HTTP(S) and local files become verified bytes.
//!
//! One [`Client`] serves a whole run; [`Client::fetch`] makes one attempt (the retry loop is the pool's) and ends in a
//! [`Body`] whose status, type and length were found right, or in an error that says which was not. A body is held in
//! memory while there is room, else in a temporary file without a name, so that memory stays flat and nothing is
//! left behind, whatever happens.
//!
//! | file | what it knows |
//! |---|---|
//! | `options` | what can be chosen |
//! | `client` | the attempt: request, redirects, body |
//! | `hop` | where a redirect may lead, and what goes along. Pure |
//! | `answer` | what a response's head says of its body. Pure |
//! | `page` | how an HTML page is told from data. Pure |
//! | `fault` | what a failed transfer is called |
//! | `spool` | memory, then a temporary file |
//! | `body` | the verified bytes, read and sought |
//! | `local` | files of this machine on the same road |
//! | `tls` | which certificates are believed |
//!
//! Resuming a body that broke off belongs between `client` and `spool`: a spool can be carried over to another
//! request, and an `answer` knows its validators.

mod answer;
mod body;
mod client;
mod fault;
mod hop;
mod local;
mod options;
mod page;
mod spool;
mod tls;

pub use answer::parse_retry_after;
pub use body::{Body, BodyReader};
pub use client::Client;
pub use options::Options;

/// What the bytes are wanted for, and so what may not come in their place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Expect {
    /// An archive or a table: an HTML page is an impostor.
    #[default]
    Table,
    /// Any file, HTML too.
    Any,
}

/// Is told how a transfer gets on, in deltas. `()` does not want to know.
pub trait Transfer: Send + Sync {
    /// The length that was announced for the whole body. Not called where none was.
    fn expected(&self, bytes: u64);
    /// So many bytes more have arrived.
    fn advanced(&self, bytes: u64);
}

impl Transfer for () {
    fn expected(&self, _: u64) {}
    fn advanced(&self, _: u64) {}
}
