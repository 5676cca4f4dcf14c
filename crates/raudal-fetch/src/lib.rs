//! Turns URLs and local files into verified bytes.
//!
//! One [`Client`] serves a whole run. [`Client::fetch`] makes one attempt; the retry loop is the
//! pool's. It returns a [`Body`] whose status, type and length are correct, or an error that says
//! which one is not. [`Client::resume`] continues from the [`Partial`] body of an earlier attempt.
//! A body is held in memory while there is room, else in an unnamed temporary file. So memory stays
//! flat, and nothing is left behind.
//!
//! | file | content |
//! |---|---|
//! | `options` | the options of a client |
//! | `request`, `progress` | what to fetch, and who observes the transfer |
//! | `client` | the interface: checks the cache before the transfer |
//! | `http/` | HTTP: decisions, most of them pure; requests; TLS; connections |
//! | `http/redirect` | where a redirect may lead, and which credentials it may take |
//! | `http/response` | judges the head of a response |
//! | `http/range` | whether a body can be resumed, and whether a range fits |
//! | `http/conditional` | requests a body only if it has changed |
//! | `http/requests` | the requests of a client: headers, proxies, certificates |
//! | `http/coding` | which content codings must be undone |
//! | `http/cookie` | cookies that servers set in a chain of redirects |
//! | `http/cloud` | requests for objects in cloud stores |
//! | `http/source` | identifies the file that the bytes of a body belong to |
//! | `http/digest` | verifies the digests that a server sends |
//! | `http/disposition` | the file name that a server gives |
//! | `http/html` | tells an HTML page from data |
//! | `http/guard` | which addresses a client may request |
//! | `http/failure` | names the reason of a failed transfer |
//! | `http/retry_on` | which failures are retried |
//! | `http/netrc` | logins by host |
//! | `http/client_pool` | spreads requests over several HTTP/2 connections |
//! | `http/tls`, `http/connection` | trusted certificates; new connections, told from reused ones |
//! | `body/` | stores and reads bytes; independent of transfers |
//! | `body/spool` | the memory budget, then a temporary file |
//! | `body/partial_file`, `body/file_writer` | a file that outlives the run, its sidecar, its writer |
//! | `body/partial`, `body/resume` | a body that broke off, in this run or in an earlier one |
//! | `body/decode` | undoes the content codings of a body |
//! | `body/streaming` | reads a long body while it arrives |
//! | `body/reader` | reads and seeks in verified bytes |
//! | `body/carried` | a body on its way to another process |
//! | `transfer/` | brings bytes |
//! | `transfer/transport` | what all transfers share: requests, memory, one rate |
//! | `transfer/attempt`, `transfer/respond` | one attempt: request and redirects; body, the whole or the rest |
//! | `transfer/segments`, `transfer/balance` | chooses the transfer to split for an idle slot, and where. Pure |
//! | `transfer/hedge` | fetches a segment, or requests a stalled transfer a second time |
//! | `transfer/rate` | one rate for all connections |
//! | `transfer/local` | reads local files through the same interface |
//! | `transfer/part_reader` | reads parts of an input, over ranges |
//! | `cache/` | the bodies that earlier runs have fetched |

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

pub use body::carried::Carried;
pub use body::partial::Partial;
pub use body::partial_file::PartialFile;
pub use body::partial_file::already_there;
pub use body::reader::{Body, BodyReader};
pub use body::streaming::{Arriving, StreamingReader, Tail};
pub use cache::{Cache, CacheMode, Cached};
pub use client::{Client, IfChanged, Segment};
pub use http::conditional::Validators;
pub use http::disposition::file_name;
pub use http::guard::Guard;
pub use http::netrc::Netrc;
pub use http::response::parse_retry_after;
pub use http::retry_on::RetryOn;
pub use options::Options;
pub use progress::{Stage, TransferProgress};
#[cfg(feature = "cloud")]
pub use raudal_cloud::{Bucket, Environment};
pub use request::{Expect, Request, ResponseHead};
pub use transfer::part_reader::PartReader;
