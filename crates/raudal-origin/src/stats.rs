//! What the origin counts: how concurrent its clients are, as the server sees it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};

/// The counts of an origin since it started, or since they were reset.
///
/// A request is in flight from the end of its head until its last body byte is handed to the
/// connection. So the count is never higher than what a client sees, except for requests that the
/// client gave up and the server has not noticed yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Requests, with or without a response.
    pub requests: u64,
    /// Requests to which a fault was applied.
    pub faults: u64,
    /// Bytes of response bodies.
    pub bytes: u64,
    /// Requests in flight now.
    pub in_flight: usize,
    /// The most requests that were in flight at one time.
    pub peak_in_flight: usize,
    /// Connections open now.
    pub connections: usize,
    /// The most connections that were open at one time.
    pub peak_connections: usize,
    /// Connections accepted in all.
    pub accepted: u64,
}

/// The counts behind [`Stats`]. Each is exact, but a snapshot does not read all of them at one
/// instant.
#[derive(Debug, Default)]
pub(super) struct OriginCounters {
    requests: AtomicU64,
    faults: AtomicU64,
    bytes: AtomicU64,
    in_flight: Gauge,
    connections: Gauge,
    accepted: AtomicU64,
}

/// A number that goes up and down, and its peak.
#[derive(Debug, Default)]
struct Gauge {
    now: AtomicUsize,
    peak: AtomicUsize,
}

impl Gauge {
    fn up(&self) {
        let now = self.now.fetch_add(1, Relaxed) + 1;
        self.peak.fetch_max(now, Relaxed);
    }
}

impl OriginCounters {
    /// Counts a request until the guard is dropped.
    pub(super) fn request(self: &Arc<Self>) -> InFlight {
        self.requests.fetch_add(1, Relaxed);
        self.in_flight.up();
        InFlight(Arc::clone(self), |counters| &counters.in_flight)
    }

    /// Counts a fault.
    pub(super) fn fault(&self) {
        self.faults.fetch_add(1, Relaxed);
    }

    /// Counts a connection until the guard is dropped.
    pub(super) fn connection(self: &Arc<Self>) -> InFlight {
        self.accepted.fetch_add(1, Relaxed);
        self.connections.up();
        InFlight(Arc::clone(self), |counters| &counters.connections)
    }

    pub(super) fn snapshot(&self) -> Stats {
        Stats {
            requests: self.requests.load(Relaxed),
            faults: self.faults.load(Relaxed),
            bytes: self.bytes.load(Relaxed),
            in_flight: self.in_flight.now.load(Relaxed),
            peak_in_flight: self.in_flight.peak.load(Relaxed),
            connections: self.connections.now.load(Relaxed),
            peak_connections: self.connections.peak.load(Relaxed),
            accepted: self.accepted.load(Relaxed),
        }
    }

    /// Resets the counts. What is open stays open, and is the new peak.
    pub(super) fn reset(&self) {
        for count in [&self.requests, &self.faults, &self.bytes, &self.accepted] {
            count.store(0, Relaxed);
        }
        for gauge in [&self.in_flight, &self.connections] {
            gauge.peak.store(gauge.now.load(Relaxed), Relaxed);
        }
    }
}

/// A request in flight, or an open connection.
#[derive(Debug)]
pub(super) struct InFlight(Arc<OriginCounters>, fn(&OriginCounters) -> &Gauge);

impl InFlight {
    /// Counts bytes of a body that are being sent.
    pub(super) fn sent(&self, bytes: usize) {
        self.0.bytes.fetch_add(bytes as u64, Relaxed);
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        (self.1)(&self.0).now.fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peak_outlives_what_made_it_and_a_reset_does_not_close_anything() {
        let counters = Arc::new(OriginCounters::default());
        let first = counters.request();
        drop(counters.request());
        first.sent(10);
        let stats = counters.snapshot();
        assert_eq!((stats.requests, stats.bytes, stats.in_flight, stats.peak_in_flight), (2, 10, 1, 2));
        counters.reset();
        let stats = counters.snapshot();
        assert_eq!((stats.requests, stats.bytes, stats.in_flight, stats.peak_in_flight), (0, 0, 1, 1));
    }
}
