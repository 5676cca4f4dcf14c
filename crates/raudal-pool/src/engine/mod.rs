//! What becomes of the jobs of a run: which begins, and what its end means.
//!
//! | file | what it knows |
//! |---|---|
//! | `job` | a job, from its arrival to its result |
//! | `core` | the state of a run: its jobs, its counts, how it ends |
//! | `outcome` | what the end of an attempt means: another one, or the end of the job |
//! | `attempt` | what ends one attempt, whatever happens in it |
//! | `source` | pulls inputs |
//! | `worker` | a slot at work: one attempt after the other, as one task |
//! | `driver` | the task that owns a run |
//! | `local` | a run in the task of its caller |
//!
//! A worker that is done with an attempt accounts for it and takes the next one itself, so no task is made and none is
//! woken for a job. The driver is for what takes time: an input that is not ready, the end of a wait, room for a result,
//! the end of the run. No lock is held while the user's code runs: functions, inputs, observers, destructors.

mod attempt;
mod core;
mod driver;
mod job;
mod local;
mod outcome;
mod source;
mod worker;

pub(crate) use self::core::{Core, RunHandle};
pub(crate) use driver::{drive, join};
pub(crate) use job::{Reply, Ticket, Whereabouts};
pub(crate) use local::Local;
pub(crate) use source::Engine;
