//! Records the hosts for which a run was slowed down, for the summary.

use raudal_common::lock;
use raudal_pool::{Event, EventKind, Limit, Observer};
use std::collections::BTreeMap;
use std::sync::Mutex;

/// Keeps the last limit of each host that was lowered because of repeated time-outs.
#[derive(Debug, Default)]
pub(crate) struct Slowed(Mutex<BTreeMap<String, usize>>);

impl Slowed {
    /// Returns the warnings for the user.
    pub(crate) fn warnings(&self) -> Vec<String> {
        let hosts = lock(&self.0);
        let warning = |(host, limit): (&String, &usize)| {
            let transfers = if *limit == 1 { "transfer" } else { "transfers" };
            format!("{host}: limited to {limit} {transfers} at a time after repeated time-outs")
        };
        hosts.iter().map(warning).collect()
    }
}

impl Observer for Slowed {
    fn observe(&self, event: &Event<'_>) {
        if let EventKind::LimitChanged { key, limit, why: Limit::REPEATED_TIMEOUTS } = event.kind {
            lock(&self.0).insert(key.to_owned(), limit);
        }
    }
}
