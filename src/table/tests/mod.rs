//! The tests of this room, a file for each of its parts.

mod filter;
