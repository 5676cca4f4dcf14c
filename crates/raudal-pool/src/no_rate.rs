//! Stands in for the rates of a pool where the feature `rate` is off.

use std::sync::Arc;
use tokio::time::Instant;

#[derive(Debug, Default)]
pub(crate) struct Rates;

#[expect(clippy::unused_self, clippy::unnecessary_wraps, reason = "the interface is that of the real rates")]
impl Rates {
    pub(crate) fn new(_: Option<f64>, _: Option<f64>) -> Result<Self, crate::BuildError> {
        Ok(Self)
    }

    pub(crate) fn is_free(&self) -> bool {
        true
    }

    pub(crate) fn check(&self) -> Result<(), Instant> {
        Ok(())
    }

    pub(crate) fn check_key(&self, _: &Arc<str>) -> Result<(), Instant> {
        Ok(())
    }
}
