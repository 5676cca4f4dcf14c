//! Spreads requests over several connections to a host.
//!
//! HTTP/1.1 opens a connection for each request that is in flight. HTTP/2 sends all requests to a host over one
//! connection, so a lost packet delays all of them. On a lossy link, that is many times slower. The HTTP library
//! keeps one HTTP/2 connection to a host for each of its clients, so this pool has several clients. Once a connection
//! has stalled under several requests, each further request has its own, as with HTTP/1.1.

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
pub(crate) struct ClientPool<C> {
    clients: Vec<PooledClient<C>>,
    /// Requests in flight on one connection before another one is opened.
    streams: Arc<AtomicUsize>,
}

#[derive(Debug)]
struct PooledClient<C> {
    client: OnceLock<C>,
    /// Held once by the pool, and once by each request in flight.
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

impl<C> ClientPool<C> {
    pub(crate) fn new(http2: bool) -> Self {
        let client = || PooledClient { client: OnceLock::new(), load: Arc::new(()) };
        let clients = (0..if http2 { MOST_AFTER_STALL } else { 1 }).map(|_| client()).collect();
        Self { clients, streams: Arc::new(AtomicUsize::new(STREAMS)) }
    }

    /// Returns the client for the next request, and a guard that counts the request as in flight. `make` creates a
    /// client.
    pub(crate) fn next(&self, make: impl FnOnce() -> Result<C>) -> Result<(&C, Load)> {
        let in_flight = |client: &PooledClient<C>| Arc::strong_count(&client.load) - 1;
        let streams = self.streams.load(Relaxed);
        let most = if streams == STREAMS { MOST } else { MOST_AFTER_STALL };
        let clients = &self.clients[..most.min(self.clients.len())];
        // The first client that is not full, so that requests share connections that are open already.
        let free = clients.iter().find(|client| in_flight(client) < streams);
        let pooled = free.or_else(|| clients.iter().min_by_key(|client| in_flight(client))).unwrap_or(&self.clients[0]);
        let load = Load { count: Arc::clone(&pooled.load), streams: Arc::clone(&self.streams) };
        if let Some(client) = pooled.client.get() {
            return Ok((client, load));
        }
        let client = make()?;
        Ok((pooled.client.get_or_init(|| client), load))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns how many of these requests in flight each client gets.
    fn used(http2: bool, requests: usize) -> Vec<usize> {
        let (pool, clients) = (ClientPool::new(http2), std::cell::Cell::new(0));
        let make = || {
            clients.set(clients.get() + 1);
            Ok(clients.get())
        };
        let in_flight: Vec<_> =
            (0..requests).map(|_| pool.next(make).map(|(client, load)| (*client, load)).unwrap()).collect();
        (1..=clients.get()).map(|client| in_flight.iter().filter(|(of, _)| *of == client).count()).collect()
    }

    #[test]
    fn requests_in_flight_spread_over_connections_and_one_after_the_other_share_one() {
        assert_eq!(used(true, 1), [1]);
        assert_eq!(used(true, 9), [4, 4, 1]);
        assert_eq!(used(true, 64), [4; 16]);
        assert_eq!(used(true, 68), [5, 5, 5, 5, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4], "evenly beyond that");
        assert_eq!(used(false, 64), [64], "HTTP/1.1 has a connection for each by itself");
        let pool = ClientPool::new(true);
        for _ in 0..100 {
            let (client, _) = pool.next(|| Ok(7)).unwrap();
            assert_eq!(*client, 7);
        }
        assert_eq!(pool.clients.iter().filter(|client| client.client.get().is_some()).count(), 1);
    }

    #[test]
    fn once_a_shared_connection_stalls_each_further_request_has_its_own() {
        let (pool, clients) = (ClientPool::new(true), std::cell::Cell::new(0));
        let next = || {
            let make = || {
                clients.set(clients.get() + 1);
                Ok(clients.get())
            };
            pool.next(make).map(|(client, load)| (*client, load)).unwrap()
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
        let used: Vec<usize> = further.iter().take(63).map(|(client, _)| *client).collect();
        assert_eq!(used, (2..65).collect::<Vec<_>>());
        assert_eq!(clients.get(), 64, "no more than with HTTP/1.1");
    }

    #[test]
    fn a_client_that_cannot_be_made_is_an_error_and_is_tried_again() {
        let pool: ClientPool<u8> = ClientPool::new(true);
        assert!(pool.next(|| Err(raudal_common::Error::usage("no"))).is_err());
        assert_eq!(pool.next(|| Ok(1)).unwrap().0, &1);
    }
}
