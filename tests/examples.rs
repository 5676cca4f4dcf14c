//! Every example runs, and what it is there to show is seen. The numbers are those of the lessons, in
//! `examples/README.md`. Nothing here looks at a clock: order is checked where it is promised, a set where it is not,
//! a count where a bound is promised.
#![allow(missing_docs, unreachable_pub)]

#[path = "examples/harness.rs"]
mod harness;
#[path = "examples/hazards.rs"]
mod hazards;
#[path = "examples/machine.rs"]
mod machine;
#[path = "examples/pools.rs"]
mod pools;
#[path = "examples/processes.rs"]
mod processes;
#[path = "examples/programs.rs"]
mod programs;
#[path = "examples/tasks.rs"]
mod tasks;
