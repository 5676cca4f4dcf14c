//! HTTP(S) and local files become verified bytes.
//!
//! One [`Client`] serves a whole run; [`Client::fetch`] makes one attempt (the retry loop is the pool's) and ends in a
//! [`Body`] whose status, type and length were found right, or in an error that says which was not.
//! [`Client::resume`] goes on from the [`Partial`] body that the attempt before it left. A body is held in
//! memory while there is room, else in a temporary file without a name, so that memory stays flat and nothing is
//! left behind, whatever happens.
//!
//! | file | what it knows |
//! |---|---|
//! | `options` | what can be chosen |
//! | `client` | the interface: it puts the cache before the transfer |
//! | `http/` | decisions on what HTTP says, most of them pure; requests; TLS; connections |
//! | `http/redirect` | where a redirect may lead, and what goes along |
//! | `http/response` | what the head of a response says of its body |
//! | `http/range` | whether a body can go on, and what a part is worth |
//! | `http/conditional` | asks for a body only if it has changed |
//! | `http/requests` | the requests of a client: headers, proxies, certificates |
//! | `http/source` | what the bytes of a body are of |
//! | `http/digest` | what a server promises of its bytes |
//! | `http/disposition` | the name that a server gives a file |
//! | `http/html` | how an HTML page is told from data |
//! | `http/failure` | what a failed transfer is called |
//! | `http/retry_on` | which failures are worth another attempt |
//! | `http/netrc` | logins by host |
//! | `http/tls`, `http/connection` | trusted certificates; a new connection, told from one that is used again |
//! | `body/` | where bytes rest, and how they are read; knows nothing of transfers |
//! | `body/spool` | the memory budget, then a temporary file |
//! | `body/partial_file`, `body/file_writer` | a file that outlives the run, its sidecar, and what writes it |
//! | `body/partial`, `body/resume` | what is kept of a body that broke off, in this run and from an earlier one |
//! | `body/streaming` | a long body that is read while it arrives |
//! | `body/reader` | the verified bytes, read and sought |
//! | `transfer/` | how bytes come |
//! | `transfer/transport` | what all transfers share: requests, memory, one rate |
//! | `transfer/attempt` | one attempt: request, redirects, body; the whole or the rest |
//! | `transfer/segments`, `transfer/balance` | which transfer is split for an idle slot, and where. Pure |
//! | `transfer/hedge` | the connection that brings such a segment, or asks a second time for a stalled one |
//! | `transfer/rate` | one rate for all connections |
//! | `transfer/local` | files of this machine, by the same way |
//! | `cache/` | what earlier runs have fetched |

mod body;
mod cache;
mod client;
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzzing;
mod http;
mod options;
mod transfer;

pub use body::partial::Partial;
pub use body::partial_file::PartialFile;
pub use body::partial_file::already_there;
pub use body::reader::{Body, BodyReader};
pub use body::streaming::{Arriving, StreamingReader, Tail};
pub use cache::{Cache, CacheMode, Cached};
pub use client::Client;
pub use client::Help;
pub use http::disposition::file_name;
pub use http::netrc::Netrc;
pub use http::response::parse_retry_after;
pub use http::retry_on::RetryOn;
pub use options::Options;

use raudal_common::Result;
use url::Url;

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
    /// The head of an answer that is good: its body comes next. An error ends the transfer with this error.
    fn answered(&self, answered: &Answered<'_>) -> Result<()> {
        let _ = answered;
        Ok(())
    }
    /// The transfer is at this now: `connect`, `first byte` or `transfer`. A connection that is used again is not made:
    /// a request on it waits for its first byte from the start.
    fn stage(&self, stage: &'static str) {
        let _ = stage;
    }
    /// A long body has begun to arrive, in a file: it can be read before it is whole. Told once in each attempt.
    fn arriving(&self, arriving: &Arriving) {
        let _ = arriving;
    }
}

/// What is known of a body before it comes.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Answered<'a> {
    /// Where it comes from, after all redirects.
    pub from: &'a Url,
    /// The header `Content-Disposition`, as it is written: [`file_name`] reads it.
    pub disposition: Option<&'a str>,
    /// Its length, if it is known.
    pub length: Option<u64>,
}

impl Transfer for () {
    fn expected(&self, _: u64) {}
    fn advanced(&self, _: u64) {}
}
