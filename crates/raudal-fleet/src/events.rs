//! Follows the events of a run.

use super::broker::{Broker, RETRY, failed};
use super::protocol::{Event, events_stream};
use async_nats::jetstream::consumer::{DeliverPolicy, pull};
use futures::StreamExt;
use raudal_common::Result;

/// The events of a run, from the first or from a later one. It finds its place again after the broker was gone.
pub(crate) struct Events {
    broker: Broker,
    run: String,
    /// The sequence of the next event.
    next: u64,
    /// When the broker got the last one, by its clock, in milliseconds since 1970.
    at_ms: i64,
    messages: Option<pull::Ordered>,
}

/// What comes next in a run.
#[derive(Debug)]
pub(crate) enum Next {
    Event(Event),
    /// A message that is no event, and why.
    Unreadable(String),
    /// The broker has lost the stream.
    Gone,
}

impl Events {
    pub(crate) fn new(broker: &Broker, run: &str) -> Self {
        Self { broker: broker.clone(), run: run.to_owned(), next: 1, at_ms: 0, messages: None }
    }

    /// Waits for the next event. May be dropped and called again.
    pub(crate) async fn next(&mut self) -> Next {
        loop {
            let Some(messages) = &mut self.messages else {
                match Self::open(self.broker.clone(), events_stream(&self.run), self.next).await {
                    Ok(Some(messages)) => self.messages = Some(messages),
                    Ok(None) => {
                        self.next = 1;
                        tokio::time::sleep(RETRY).await;
                        return Next::Gone;
                    }
                    Err(_) => tokio::time::sleep(RETRY).await,
                }
                continue;
            };
            match messages.next().await {
                Some(Ok(message)) => {
                    if let Ok(info) = message.info() {
                        self.next = info.stream_sequence + 1;
                        let ms = info.published.unix_timestamp_nanos() / 1_000_000;
                        self.at_ms = i64::try_from(ms).unwrap_or_default();
                    }
                    return match serde_json::from_slice(&message.payload) {
                        Ok(event) => Next::Event(event),
                        Err(error) => Next::Unreadable(error.to_string()),
                    };
                }
                Some(Err(_)) | None => self.messages = None,
            }
        }
    }

    /// When the broker got the last event that was given, by its clock, in milliseconds since 1970.
    /// For people only.
    pub(crate) fn at_ms(&self) -> i64 {
        self.at_ms
    }

    /// Whether there are events that were not given yet. `false` if the broker does not say.
    pub(crate) async fn is_behind(&self) -> bool {
        let stream = self.broker.js.get_stream(events_stream(&self.run)).await;
        stream.is_ok_and(|stream| stream.cached_info().state.last_sequence >= self.next)
    }

    async fn open(broker: Broker, stream: String, next: u64) -> Result<Option<pull::Ordered>> {
        let stream = match broker.js.get_stream(stream).await {
            Ok(stream) => stream,
            Err(error) if is_missing(&error) => return Ok(None),
            Err(error) => return Err(failed("cannot find the events of the run", error)),
        };
        // A broker that has lost the stream and made a new one counts from 1 again.
        let last = stream.cached_info().state.last_sequence;
        let start = if next > last + 1 { 1 } else { next };
        let config = pull::OrderedConfig {
            deliver_policy: DeliverPolicy::ByStartSequence { start_sequence: start },
            ..Default::default()
        };
        let consumer = stream.create_consumer(config).await.map_err(|error| failed("cannot follow the run", error))?;
        consumer.messages().await.map(Some).map_err(|error| failed("cannot follow the run", error))
    }
}

/// Whether the broker says that there is no such stream.
fn is_missing(error: &async_nats::jetstream::context::GetStreamError) -> bool {
    use async_nats::jetstream::ErrorCode;
    use async_nats::jetstream::context::GetStreamErrorKind;
    matches!(error.kind(), GetStreamErrorKind::JetStream(error) if error.error_code() == ErrorCode::STREAM_NOT_FOUND)
}
