//! Faults on purpose: what a network, a proxy or a server under load does to an answer, at a request that is chosen.
//!
//! | file | what it knows |
//! |---|---|
//! | `spec` | what a fault is and when it strikes, as it is written. Pure |
//! | `draw` | which request is struck |
//! | `apply` | what becomes of its answer. Pure |
//! | `wire` | what becomes of its connection |

mod apply;
mod draw;
mod spec;
mod wire;

pub(super) use apply::{Asked, circle};
pub(super) use draw::{Faults, Struck, is_circle};
pub use spec::Fault;
pub(super) use wire::{Reset, Script, Wire};
