//! Tells a new connection from a reused one, so that a timeline can show what connecting costs.
//!
//! The HTTP library connects somewhere inside a request. A layer around its connector records when
//! connecting begins and ends, in a value that belongs to the request's own task. The request reads
//! that value each time it is polled.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering::Relaxed};
use std::task::{Context, Poll};

use tower_layer::Layer;
use tower_service::Service;

use crate::progress::{Stage, TransferProgress};

const NONE: u8 = 0;
const CONNECTING: u8 = 1;
const CONNECTED: u8 = 2;

tokio::task_local! {
    /// The connection state of the request that is being polled.
    static CONNECTION: Arc<AtomicU8>;
}

/// A request that was sent, and whether its connection had been used before.
pub(crate) struct Sent<T> {
    pub(crate) outcome: T,
    pub(crate) is_reused: bool,
}

/// Sends a request. Reports when it connects and when it waits for the first byte of the response.
pub(crate) async fn watched<T>(request: impl Future<Output = T>, progress: &dyn TransferProgress) -> Sent<T> {
    let connection = Arc::new(AtomicU8::new(NONE));
    let mut request = pin!(CONNECTION.scope(Arc::clone(&connection), request));
    let mut seen = None;
    let outcome = std::future::poll_fn(|cx| {
        let answer = request.as_mut().poll(cx);
        let now = connection.load(Relaxed);
        if seen.replace(now) != Some(now) {
            progress.stage(if now == CONNECTING { Stage::Connect } else { Stage::FirstByte });
        }
        answer
    })
    .await;
    Sent { outcome, is_reused: connection.load(Relaxed) == NONE }
}

/// The layer around the connector.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ConnectLayer;

impl<S> Layer<S> for ConnectLayer {
    type Service = ConnectService<S>;

    fn layer(&self, connector: S) -> ConnectService<S> {
        ConnectService(connector)
    }
}

#[derive(Clone, Debug)]
pub(crate) struct ConnectService<S>(S);

impl<S, Request> Service<Request> for ConnectService<S>
where
    S: Service<Request>,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = futures::future::BoxFuture<'static, Result<S::Response, S::Error>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let connecting = self.0.call(request);
        Box::pin(async move {
            note(CONNECTING);
            let connected = connecting.await;
            note(CONNECTED);
            connected
        })
    }
}

/// Records the state. A connection that finishes after its request took another one has no request,
/// so it is not recorded.
fn note(state: u8) {
    let _ = CONNECTION.try_with(|connection| connection.store(state, Relaxed));
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    /// Connects on the second poll.
    struct Slow;

    impl Service<()> for Slow {
        type Response = ();
        type Error = std::io::Error;
        type Future = futures::future::BoxFuture<'static, Result<(), std::io::Error>>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), std::io::Error>> {
            Poll::Ready(Ok(()))
        }

        fn call(&mut self, (): ()) -> Self::Future {
            Box::pin(async {
                tokio::task::yield_now().await;
                Ok(())
            })
        }
    }

    #[derive(Default)]
    struct Log(Mutex<Vec<Stage>>);

    impl TransferProgress for Log {
        fn expected(&self, _: u64) {}
        fn advanced(&self, _: u64) {}
        fn stage(&self, stage: Stage) {
            self.0.lock().unwrap().push(stage);
        }
    }

    #[tokio::test]
    async fn a_request_that_connects_says_so_and_one_that_does_not_waits_for_its_first_byte_at_once() {
        let log = Log::default();
        let mut connector = ConnectService(Slow);
        let sent = watched(connector.call(()), &log).await;
        assert!(sent.outcome.is_ok() && !sent.is_reused);
        assert_eq!(*log.0.lock().unwrap(), [Stage::Connect, Stage::FirstByte]);
        let log = Log::default();
        assert!(watched(std::future::ready(()), &log).await.is_reused);
        assert_eq!(*log.0.lock().unwrap(), [Stage::FirstByte]);
    }
}
