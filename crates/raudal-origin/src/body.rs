//! The body of a response: slices of shared bytes, sent at the pace of the link.

use super::pace::Pacer;
use super::stats::InFlight;
use hyper::body::{Body, Bytes, Frame, SizeHint};
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::time::{Instant, Sleep, sleep_until};

/// A body, and the request that it answers.
#[derive(Debug)]
pub(super) struct PacedBody {
    data: Bytes,
    pacer: Pacer,
    /// The bytes that wait to be sent, and the bucket to ask next.
    order: Option<(usize, usize)>,
    /// The wait that the last bucket asked for. It is made once and reset, because a body may have
    /// thousands of chunks.
    wait: Option<Pin<Box<Sleep>>>,
    waiting: bool,
    request: Option<InFlight>,
    /// Whether its length is announced.
    measured: bool,
}

impl PacedBody {
    /// Creates a body for this request. The request is in flight until the last byte is handed
    /// over; without a body, it ends at once.
    pub(super) fn new(data: Bytes, measured: bool, pacer: Pacer, request: InFlight) -> Self {
        pacer.begin(Instant::now());
        let request = (!data.is_empty()).then_some(request);
        Self { data, pacer, order: None, wait: None, waiting: false, request, measured }
    }

    fn wait_until(&mut self, at: Instant) {
        match &mut self.wait {
            Some(sleep) => sleep.as_mut().reset(at),
            None => self.wait = Some(Box::pin(sleep_until(at))),
        }
        self.waiting = true;
    }
}

impl Body for PacedBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let this = &mut *self;
        if this.data.is_empty() {
            return Poll::Ready(None);
        }
        loop {
            if let (true, Some(sleep)) = (this.waiting, &mut this.wait) {
                ready!(sleep.as_mut().poll(cx));
                this.waiting = false;
            }
            let (bytes, mut place) = this.order.unwrap_or_else(|| (this.pacer.chunk().min(this.data.len()), 0));
            let now = Instant::now();
            if let Some(at) = this.pacer.take(&mut place, bytes, now) {
                this.order = Some((bytes, place));
                if at > now {
                    this.wait_until(at);
                }
                continue;
            }
            this.order = None;
            let chunk = this.data.split_to(bytes);
            if let Some(request) = &this.request {
                request.sent(bytes);
            }
            if this.data.is_empty() {
                // This comes before the byte can reach the client: its next request must not find
                // this one in flight.
                this.request = None;
            }
            return Poll::Ready(Some(Ok(Frame::data(chunk))));
        }
    }

    fn is_end_stream(&self) -> bool {
        self.data.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        if self.measured { SizeHint::with_exact(self.data.len() as u64) } else { SizeHint::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pace::{SharedBucket, TokenBucket};
    use crate::stats::OriginCounters;
    use http_body_util::BodyExt as _;
    use std::sync::{Arc, Mutex};
    use std::time::Duration;

    fn body(pacer: &Pacer, len: usize, counters: &Arc<OriginCounters>) -> PacedBody {
        PacedBody::new(Bytes::from(vec![7; len]), true, pacer.clone(), counters.request())
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_takes_as_long_as_its_connection_allows_and_a_second_one_queues_behind_it() {
        let counters = Arc::default();
        let start = Instant::now();
        let pacer = Pacer::new(Some(100_000), None, start);
        for seconds in [1, 2] {
            let all = body(&pacer, 100_000, &counters).collect().await.expect("bytes").to_bytes();
            assert_eq!(all.len(), 100_000);
            // A timer's resolution is a millisecond.
            let due = Duration::from_secs(seconds);
            let taken = start.elapsed();
            assert!((due..=due + Duration::from_millis(5)).contains(&taken), "{taken:?}");
        }
        let stats = counters.snapshot();
        assert_eq!((stats.bytes, stats.in_flight, stats.peak_in_flight), (200_000, 0, 1));
    }

    #[tokio::test(start_paused = true)]
    async fn bodies_of_two_connections_share_the_link_fairly() {
        let counters = Arc::default();
        let start = Instant::now();
        let all: SharedBucket = Arc::new(Mutex::new(TokenBucket::new(100_000, start)));
        let timed = async |len| {
            body(&Pacer::new(None, Some(&all), start), len, &counters).collect().await.expect("bytes");
            start.elapsed().as_millis()
        };
        // The small one is done when twice its bytes have been sent, the large one when all have.
        let (small, large) = tokio::join!(timed(50_000), timed(150_000));
        assert!((950..=1050).contains(&small) && (1990..=2020).contains(&large), "{small} ms and {large} ms");
    }

    #[tokio::test]
    async fn a_request_is_no_longer_in_flight_when_its_last_byte_is_handed_over() {
        let counters: Arc<OriginCounters> = Arc::default();
        let mut body = body(&Pacer::default(), 10, &counters);
        assert_eq!(counters.snapshot().in_flight, 1);
        let frame = body.frame().await.expect("a frame").expect("data");
        assert_eq!((frame.data_ref().map(Bytes::len), counters.snapshot().in_flight), (Some(10), 0));
        drop(PacedBody::new(Bytes::new(), true, Pacer::default(), counters.request()));
        assert_eq!(counters.snapshot().in_flight, 0);
    }
}
