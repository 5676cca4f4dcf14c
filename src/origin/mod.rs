//! The embedded origin.
mod pack;
mod synth;
pub use synth::archive;
