//! What the tests share: a server that misbehaves on purpose, archives made in memory, and the
//! program itself.
//!
//! - [`Server`] answers each path from a script. It chooses its own port and runs on its own
//!   thread, so tests with and without a runtime can use it. It records the requests.
//! - [`SecureServer`] speaks enough TLS to test certificates.
//! - [`Gate`] holds a response back until the test lets it through: nothing here sleeps.
//! - [`Proxy`] stands in front of any other server. It breaks responses off at chosen places, or
//!   runs a function after a number of bytes.
//! - [`Job`] is one input over several attempts.
//! - [`zip`] and [`gzip`] make archives.
//! - [`raudal`] runs the program in a clean environment and waits for it, with a limit.

// Every test file includes this module, but none uses all of it.
#![allow(dead_code, unused_imports, unreachable_pub, missing_docs)]

mod answer;
mod archive;
mod job;
mod program;
mod proxy;
#[cfg(feature = "cloud")]
mod s3;
mod secure;
mod server;

pub use answer::{Answer, Gate};
pub use archive::{gzip, tar, workbook, zip, zip_named};
pub use job::{Arrived, Job, noise};
pub use program::{Finished, Program, raudal};
pub use proxy::Proxy;
#[cfg(feature = "cloud")]
pub use s3::S3;
pub use secure::{SecureServer, authority, client};
pub use server::{Request, Server};

use std::time::Duration;

/// How long a test waits for an event before it fails. It is long because machines may be busy.
pub const PATIENCE: Duration = Duration::from_secs(60);
