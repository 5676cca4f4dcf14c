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
//! | `client` | what a run shares: connections, headers, memory |
//! | `attempt` | request, redirects, body; the whole or the rest |
//! | `hop` | where a redirect may lead, and what goes along. Pure |
//! | `netrc` | logins by host. Pure |
//! | `answer` | what a response's head says of its body. Pure |
//! | `range` | whether a body can go on, and what a part is worth. Pure |
//! | `digest` | what a server promises of its bytes. Pure |
//! | `connect` | a new connection, told from one that is used again |
//! | `split` | which transfer another connection may help, and where it is cut. Pure |
//! | `help` | that other connection |
//! | `follow` | a long body that is read while it arrives |
//! | `partial` | what is kept of a body that broke off |
//! | `page` | how an HTML page is told from data. Pure |
//! | `fault` | what a failed transfer is called |
//! | `spool` | memory, then a temporary file |
//! | `place` | a file that outlives the run, and its sidecar |
//! | `restore` | a body on its way to such a file, and what an earlier run left there |
//! | `disposition` | the name that a server gives a file. Pure |
//! | `cache` | what earlier runs have fetched |
//! | `rate` | one rate for all connections |
//! | `retry_on` | which failures are worth another try. Pure |
//! | `body` | the verified bytes, read and sought |
//! | `local` | files of this machine on the same road |
//! | `tls` | which certificates are believed |

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
