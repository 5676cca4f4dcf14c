//! Every example runs, and what it is there to show is seen. The numbers are those of the lessons, in
//! `examples/README.md`. Nothing here looks at a clock: order is checked where it is promised, a set where it is not,
//! a count where a bound is promised.

mod hazards;
mod machine;
mod pools;
mod processes;
mod programs;
mod tasks;
