//! What every kind of run shares: limits and policies, partial transfers, segments, locks and checksums.

pub(crate) mod alone;
pub(crate) mod concurrency;
pub(crate) mod failure;
pub(crate) mod hosts;
pub(crate) mod lock;
pub(crate) mod name;
pub(crate) mod options;
pub(crate) mod partials;
pub(crate) mod policies;
pub(crate) mod segments;
pub(crate) mod slowed;
pub(crate) mod verify;
pub(crate) mod watch;
