//! Spreads requests over several connections to a host.
//!
//! HTTP/1.1 opens a connection for each request that is in flight. HTTP/2 sends all requests to a host over one
//! connection, so a lost packet delays all of them. On a lossy link, that is many times slower. The HTTP library
//! keeps one HTTP/2 connection to a host for each of its clients, so this pool has several clients.

use std::sync::{Arc, OnceLock};

use raudal_common::Result;

/// Requests in flight on one HTTP/2 connection before another one is opened. One would be HTTP/1.1 again; with four, a
/// loss stops no more than three others.
const STREAMS: usize = 4;
/// The most HTTP/2 connections to a host: 64 requests in flight have four each.
const MOST: usize = 16;

/// Clients with connections of their own. Each is made when it is first needed.
#[derive(Debug)]
pub(crate) struct ClientPool<C>(Vec<PooledClient<C>>);

#[derive(Debug)]
struct PooledClient<C> {
    client: OnceLock<C>,
    /// Held once by the pool, and once by each request in flight.
    load: Arc<()>,
}

/// Counts as a request in flight until it is dropped.
#[derive(Clone, Debug)]
pub(crate) struct Load(#[expect(dead_code, reason = "it is counted")] Arc<()>);

impl<C> ClientPool<C> {
    pub(crate) fn new(http2: bool) -> Self {
        let pooled = || PooledClient { client: OnceLock::new(), load: Arc::new(()) };
        Self((0..if http2 { MOST } else { 1 }).map(|_| pooled()).collect())
    }

    /// Returns the client for the next request, and a guard that counts the request as in flight. `make` creates a
    /// client.
    pub(crate) fn next(&self, make: impl FnOnce() -> Result<C>) -> Result<(&C, Load)> {
        let in_flight = |pooled: &PooledClient<C>| Arc::strong_count(&pooled.load) - 1;
        // The first client that is not full, so that requests share connections that are open already.
        let free = self.0.iter().find(|pooled| in_flight(pooled) < STREAMS);
        let pooled = free.or_else(|| self.0.iter().min_by_key(|pooled| in_flight(pooled))).unwrap_or(&self.0[0]);
        let load = Load(Arc::clone(&pooled.load));
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
        assert_eq!(pool.0.iter().filter(|client| client.client.get().is_some()).count(), 1);
    }

    #[test]
    fn a_client_that_cannot_be_made_is_an_error_and_is_tried_again() {
        let pool: ClientPool<u8> = ClientPool::new(true);
        assert!(pool.next(|| Err(raudal_common::Error::usage("no"))).is_err());
        assert_eq!(pool.next(|| Ok(1)).unwrap().0, &1);
    }
}
