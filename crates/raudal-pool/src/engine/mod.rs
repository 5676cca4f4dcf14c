//! Runs the jobs of a run.
//!
//! | file | what it does |
//! |---|---|
//! | `job` | a job, from its arrival to its result |
//! | `core` | the state of a run: its jobs, its counts, its phase |
//! | `outcome` | decides after an attempt: another attempt, or the end of the job |
//! | `attempt` | runs one attempt until it returns, panics, is cancelled or times out |
//! | `source` | pulls inputs |
//! | `worker` | one task that runs attempts in its slot, one after the other |
//! | `driver` | the task that drives a run |
//! | `local` | a run in the task of its caller |
//! | `run_handle` | a run without its types, for handles and controls |
//!
//! A worker records the end of its attempt and takes the next job itself, so a job needs no new task and no wake-up. The
//! driver waits for everything that takes time: an input that is not ready, a timer, room for a result, the end of the
//! run. No lock is held while the user's code runs: functions, inputs, observers, destructors.

mod attempt;
mod core;
mod driver;
mod job;
mod local;
mod outcome;
mod run_handle;
mod source;
mod worker;

pub(crate) use self::core::Core;
pub(crate) use driver::{drive, join};
pub(crate) use job::{HandleSender, JobLocation, Reply};
pub(crate) use local::LocalEngine;
pub(crate) use run_handle::RunHandle;
pub(crate) use source::Engine;
