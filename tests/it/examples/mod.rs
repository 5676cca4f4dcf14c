//! Every example runs and shows what its lesson promises. The numbers are those of the lessons in
//! `examples/README.md`. Nothing here looks at a clock. Tests check the order where it is promised,
//! a set where it is not, and a count where a limit is promised.

mod hazards;
mod machine;
mod pools;
mod processes;
mod programs;
mod tasks;
