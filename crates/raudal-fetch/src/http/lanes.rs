//! Spreads requests over several connections to a host.
//!
//! HTTP/1.1 opens a connection for each request that is in flight. HTTP/2 sends all requests of a host over one, and so a
//! lost packet stops all of them: on a link that loses packets that is many times slower. The HTTP library holds one
//! HTTP/2 connection to a host, so there are several of its clients: lanes. Once a connection has stalled under several
//! requests, each further request has a connection of its own, as with HTTP/1.1.

use raudal_common::Result;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// Requests in flight on one HTTP/2 connection before another one is opened. One would be HTTP/1.1 again; with four, a
/// loss stops no more than three others.
const STREAMS: usize = 4;
/// The most HTTP/2 connections to a host, with this many requests on each: 64 requests in flight have four each.
const MOST: usize = 16;
/// The most HTTP/2 connections to a host once one has stalled.
const MOST_AFTER_STALL: usize = MOST * STREAMS;
/// A connection has stalled if a response brings nothing for so long. TCP waits at least 0.2 s before it sends a packet
/// again whose loss no later one has shown, and twice as long each further time.
const STALL: Duration = Duration::from_millis(300);

/// Clients with connections of their own. Each is made when it is first needed.
#[derive(Debug)]
pub(crate) struct Lanes<C> {
    lanes: Vec<Lane<C>>,
    /// Requests in flight on one connection before another one is opened.
    streams: Arc<AtomicUsize>,
}

#[derive(Debug)]
struct Lane<C> {
    client: OnceLock<C>,
    /// Held once by the lane, and once by each request in flight.
    load: Arc<()>,
}

/// Counts as a request in flight until it is dropped.
#[derive(Clone, Debug)]
pub(crate) struct Load {
    count: Arc<()>,
    streams: Arc<AtomicUsize>,
}

impl Load {
    /// Records that its response has brought nothing for a while.
    pub(crate) fn waited(&self, time: Duration) {
        let is_shared = Arc::strong_count(&self.count) > 2;
        if time >= STALL && is_shared {
            self.streams.store(1, Relaxed);
        }
    }
}

impl<C> Lanes<C> {
    pub(crate) fn new(http2: bool) -> Self {
        let lane = || Lane { client: OnceLock::new(), load: Arc::new(()) };
        let lanes = (0..if http2 { MOST_AFTER_STALL } else { 1 }).map(|_| lane()).collect();
        Self { lanes, streams: Arc::new(AtomicUsize::new(STREAMS)) }
    }

    /// Returns the client for the next request, and what counts the request. `make` makes a client.
    pub(crate) fn next(&self, make: impl FnOnce() -> Result<C>) -> Result<(&C, Load)> {
        let in_flight = |lane: &Lane<C>| Arc::strong_count(&lane.load) - 1;
        let streams = self.streams.load(Relaxed);
        let most = if streams == STREAMS { MOST } else { MOST_AFTER_STALL };
        let lanes = &self.lanes[..most.min(self.lanes.len())];
        // The first lane with room, so that few requests share a connection that is open already.
        let free = lanes.iter().find(|lane| in_flight(lane) < streams);
        let lane = free.or_else(|| lanes.iter().min_by_key(|lane| in_flight(lane))).unwrap_or(&self.lanes[0]);
        let load = Load { count: Arc::clone(&lane.load), streams: Arc::clone(&self.streams) };
        if let Some(client) = lane.client.get() {
            return Ok((client, load));
        }
        let client = make()?;
        Ok((lane.client.get_or_init(|| client), load))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Which lanes this many requests in flight use, by how many of them each.
    fn used(http2: bool, requests: usize) -> Vec<usize> {
        let (lanes, clients) = (Lanes::new(http2), std::cell::Cell::new(0));
        let make = || {
            clients.set(clients.get() + 1);
            Ok(clients.get())
        };
        let in_flight: Vec<_> =
            (0..requests).map(|_| lanes.next(make).map(|(lane, load)| (*lane, load)).unwrap()).collect();
        (1..=clients.get()).map(|lane| in_flight.iter().filter(|(of, _)| *of == lane).count()).collect()
    }

    #[test]
    fn requests_in_flight_spread_over_connections_and_one_after_the_other_share_one() {
        assert_eq!(used(true, 1), [1]);
        assert_eq!(used(true, 9), [4, 4, 1]);
        assert_eq!(used(true, 64), [4; 16]);
        assert_eq!(used(true, 68), [5, 5, 5, 5, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4], "evenly beyond that");
        assert_eq!(used(false, 64), [64], "HTTP/1.1 has a connection for each by itself");
        let lanes = Lanes::new(true);
        for _ in 0..100 {
            let (lane, _) = lanes.next(|| Ok(7)).unwrap();
            assert_eq!(*lane, 7);
        }
        assert_eq!(lanes.lanes.iter().filter(|lane| lane.client.get().is_some()).count(), 1);
    }

    #[test]
    fn once_a_shared_connection_stalls_each_further_request_has_its_own() {
        let (lanes, clients) = (Lanes::new(true), std::cell::Cell::new(0));
        let next = || {
            let make = || {
                clients.set(clients.get() + 1);
                Ok(clients.get())
            };
            lanes.next(make).map(|(lane, load)| (*lane, load)).unwrap()
        };
        let (_, alone) = next();
        alone.waited(STALL);
        let shared = next();
        assert_eq!(shared.0, 1, "a request that stalls alone on its connection holds up no other one");
        shared.1.waited(STALL / 2);
        let third = next();
        assert_eq!(third.0, 1, "a short wait is no stall");
        shared.1.waited(STALL);
        let further: Vec<_> = (0..80).map(|_| next()).collect();
        let lanes: Vec<usize> = further.iter().take(63).map(|(lane, _)| *lane).collect();
        assert_eq!(lanes, (2..65).collect::<Vec<_>>());
        assert_eq!(clients.get(), 64, "no more than with HTTP/1.1");
    }

    #[test]
    fn a_client_that_cannot_be_made_is_an_error_and_is_tried_again() {
        let lanes: Lanes<u8> = Lanes::new(true);
        assert!(lanes.next(|| Err(raudal_common::Error::usage("no"))).is_err());
        assert_eq!(lanes.next(|| Ok(1)).unwrap().0, &1);
    }
}
