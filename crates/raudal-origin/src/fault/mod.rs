//! Faults on purpose: what a network, a proxy or an overloaded server does to a response, for
//! chosen requests.
//!
//! | file | what it does |
//! |---|---|
//! | `spec` | reads a fault: what it does and when it applies. Pure |
//! | `draw` | decides which request it applies to |
//! | `apply` | changes the response. No I/O |
//! | `wire` | changes the connection |

mod apply;
mod draw;
mod spec;
mod wire;

pub(super) use apply::{RequestInfo, redirect_loop};
pub(super) use draw::{FaultInjector, InjectedFault, is_redirect_loop};
pub use spec::Fault;
pub(super) use wire::{Reset, Script, Wire};
