//! What all transfers of a client share: requests, the memory for bodies, one rate, and who can be split.

use std::num::NonZeroU64;
use std::sync::Arc;

use crate::Options;
use crate::body::spool::Budget;
use crate::http::requests::HttpRequests;
use crate::transfer::rate::RateLimit;
use crate::transfer::segments::Transfers;
use raudal_common::{Error, Result};

/// What all transfers of a client share.
#[derive(Debug)]
pub(crate) struct Transport {
    pub(crate) requests: HttpRequests,
    pub(crate) budget: Arc<Budget>,
    pub(crate) transfers: Transfers,
    limit: Option<RateLimit>,
}

impl Transport {
    pub(crate) fn new(options: &Options) -> Result<Self> {
        let (requests, budget) = (HttpRequests::new(options)?, Budget::new(options));
        Ok(Self { requests, budget, transfers: Transfers::default(), limit: limit(options)? })
    }

    pub(crate) fn options(&self) -> &Options {
        self.requests.options()
    }

    /// The pieces in which bytes may pass, as fast as they may come.
    pub(crate) fn paced<'a>(&self, bytes: &'a [u8]) -> std::slice::Chunks<'a, u8> {
        bytes.chunks(self.limit.as_ref().map_or(usize::MAX, RateLimit::piece))
    }

    /// Waits until a piece may pass.
    pub(crate) async fn wait_for(&self, bytes: &[u8]) {
        if let Some(limit) = &self.limit {
            limit.pass(bytes.len()).await;
        }
    }
}

fn limit(options: &Options) -> Result<Option<RateLimit>> {
    let zero = || Error::usage("a rate at which nothing ever arrives: 0").hint("leave it out for no limit");
    options.limit_rate.map(|rate| NonZeroU64::new(rate).map(RateLimit::new).ok_or_else(zero)).transpose()
}
