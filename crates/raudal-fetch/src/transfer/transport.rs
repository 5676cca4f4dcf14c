//! The state that all transfers of a client share: requests, the memory for bodies, one rate, and the
//! list of transfers that can be split.

use std::num::NonZeroU64;
use std::sync::Arc;

use crate::Options;
use crate::body::spool::Budget;
use crate::http::requests::HttpRequests;
use crate::transfer::rate::RateLimit;
use crate::transfer::segments::Transfers;
use crate::transfer::silence::Silences;
use raudal_common::{Error, Result};

/// The state that all transfers of a client share.
#[derive(Debug)]
pub(crate) struct Transport {
    pub(crate) requests: HttpRequests,
    pub(crate) budget: Arc<Budget>,
    pub(crate) transfers: Transfers,
    pub(crate) silences: Silences,
    limit: Option<RateLimit>,
}

impl Transport {
    pub(crate) fn new(options: &Options) -> Result<Self> {
        let (requests, budget) = (HttpRequests::new(options)?, Budget::new(options));
        Ok(Self {
            requests,
            budget,
            transfers: Transfers::default(),
            silences: Silences::default(),
            limit: limit(options)?,
        })
    }

    pub(crate) fn options(&self) -> &Options {
        self.requests.options()
    }

    /// Splits bytes into the chunks that may pass one at a time.
    pub(crate) fn paced<'a>(&self, bytes: &'a [u8]) -> std::slice::Chunks<'a, u8> {
        bytes.chunks(self.limit.as_ref().map_or(usize::MAX, RateLimit::piece))
    }

    /// Waits until the rate limit lets a chunk pass.
    pub(crate) async fn wait_for(&self, bytes: &[u8]) {
        if let Some(limit) = &self.limit {
            limit.pass(bytes.len()).await;
        }
    }
}

fn limit(options: &Options) -> Result<Option<RateLimit>> {
    let zero = || Error::usage("a rate limit of 0").hint("leave out [`limit_rate`] for no limit");
    options.limit_rate.map(|rate| NonZeroU64::new(rate).map(RateLimit::new).ok_or_else(zero)).transpose()
}
