//! What the tests share: a server that misbehaves on purpose, archives made in memory, and the program itself.
//!
//! - [`Server`] answers each path with a script, on a port of its own choosing and a thread of its own, so that tests
//!   with and without a runtime can use it; it remembers what it was asked.
//! - [`SecureServer`] does as much over TLS as certificates need to be tried.
//! - [`Gate`] holds an answer back until the test says so: nothing here sleeps.
//! - [`Proxy`] stands before any other server and breaks its answers off where the test says, or does something once a
//!   number of bytes was sent.
//! - [`Job`] is one input over several attempts.
//! - [`zip`] and [`gzip`] make archives.
//! - [`raudal`] runs the program in a clean environment and waits for it, but not for ever.

// Every test file includes this module, and none uses all of it.
#![allow(dead_code, unused_imports, unreachable_pub, missing_docs)]

mod answer;
mod archive;
mod job;
mod program;
mod proxy;
mod secure;
mod server;

pub use answer::{Answer, Gate};
pub use archive::{gzip, zip};
pub use job::{Arrived, Job, noise};
pub use program::{Finished, Program, raudal};
pub use proxy::Proxy;
pub use secure::{SecureServer, authority, client};
pub use server::{Request, Server};

use std::time::Duration;

/// How long anything that should happen is waited for before the test is given up: long, as machines may be busy.
pub const PATIENCE: Duration = Duration::from_secs(60);
