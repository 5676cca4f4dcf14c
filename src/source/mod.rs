//! What to fetch: the catalogue of the ITER archives, URL patterns, lists, local paths.

mod catalogue;

pub use catalogue::{Catalogue, Edition, Entity};
