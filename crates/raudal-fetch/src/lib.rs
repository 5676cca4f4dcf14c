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
//! | `request`, `progress` | what to fetch, and who is told how it gets on |
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
mod progress;
mod request;
mod transfer;

pub use body::partial::Partial;
pub use body::partial_file::PartialFile;
pub use body::partial_file::already_there;
pub use body::reader::{Body, BodyReader};
pub use body::streaming::{Arriving, StreamingReader, Tail};
pub use cache::{Cache, CacheMode, Cached};
pub use client::{Client, Segment};
pub use http::disposition::file_name;
pub use http::netrc::Netrc;
pub use http::response::parse_retry_after;
pub use http::retry_on::RetryOn;
pub use options::Options;
pub use progress::{Stage, TransferProgress};
pub use request::{Expect, Request, ResponseHead};
