//! Decodes a long input while it arrives. Its rows count only once the whole input has arrived and is verified.

use super::decoders::DecodePermit;
use super::shared::TableRun;
use crate::run::watch::JobWatch;
use raudal_fetch::{Arriving, Tail};
use raudal_pool::Attempt;
use raudal_source::Input;
use raudal_table::Rows;
use std::io::Read;
use std::sync::Arc;
use tokio::runtime::Handle;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::JoinHandle;

/// Decoding that runs on its own thread while the input arrives.
///
/// It returns no rows if it could not start or has failed. Then the whole input is decoded after it has arrived, and
/// that reports the error.
pub(crate) struct StreamingDecode(JoinHandle<Option<Provisional>>);

/// Rows that were read before the whole input had arrived.
struct Provisional {
    rows: Rows,
    arriving: Arriving,
    tail: Tail,
}

impl StreamingDecode {
    /// Decodes the body while it arrives. If the transfer starts again, so does the decoding. Ends with the transfer.
    pub(crate) async fn begin(
        shared: &Arc<TableRun>,
        context: &Attempt,
        input: &Input,
        mut bodies: UnboundedReceiver<Arriving>,
    ) -> Option<Self> {
        let mut begun = None;
        while let Some(arriving) = bodies.recv().await {
            begun = Self::decode(shared, context, input, arriving);
        }
        begun
    }

    /// Returns the rows, if the body has arrived and its last bytes are those that the decoding used.
    pub(crate) async fn rows(self, context: &Attempt) -> Option<Rows> {
        let Provisional { rows, arriving, tail } = self.0.await.ok()??;
        let rows = context.blocking(move || arriving.confirms(&tail).then_some(rows)).await?;
        context.advance(0, rows.rows_read());
        Some(rows)
    }

    fn decode(shared: &Arc<TableRun>, context: &Attempt, input: &Input, arriving: Arriving) -> Option<Self> {
        // The limit is the number of decoders, because each decoding holds a thread that waits.
        let thread_permit = Arc::clone(&shared.streaming).try_acquire_owned().ok()?;
        let (shared, context, input) = (Arc::clone(shared), context.clone(), input.clone());
        let (key, runtime) = (input.location.key(), Handle::current());
        Some(Self(tokio::task::spawn_blocking(move || {
            let _thread_permit = thread_permit;
            // An archive cannot be read without its directory, which is at the end.
            let mut magic = [0; 2];
            arriving.reader(Tail::default(), |_| ()).read_exact(&mut magic).ok()?;
            let tail = match &magic {
                b"PK" => {
                    if !arriving.has_tail() {
                        return None;
                    }
                    // Fetching the directory takes a connection of its own.
                    let _permit = context.permits().try_acquire(key.as_deref())?;
                    let fetched = context.token().run_until_cancelled(shared.client.tail(&arriving));
                    runtime.block_on(fetched)?.ok()?
                }
                _ => Tail::default(),
            };
            let mut decoder =
                YieldingPermit { shared: Arc::clone(&shared), runtime, permit: None, size: arriving.len() };
            decoder.take();
            let wait = move |begins| if begins { decoder.permit = None } else { decoder.take() };
            let (reader, query) = (arriving.reader(tail.clone(), wait), shared.query_for(&input));
            // A transfer that keeps breaking off makes no progress, even if rows were decoded.
            let watch = JobWatch::provisional(context);
            let rows = raudal_table::read_ahead(reader, &input.location.to_string(), &query, &watch).ok()?;
            Some(Provisional { rows, arriving, tail })
        })))
    }
}

/// The permit to decode. It is released while waiting for bytes.
struct YieldingPermit {
    shared: Arc<TableRun>,
    runtime: Handle,
    permit: Option<DecodePermit>,
    size: u64,
}

impl YieldingPermit {
    fn take(&mut self) {
        self.permit = Some(self.runtime.block_on(self.shared.decoders.acquire(self.size)));
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use raudal_fetch::{Client, Options, Request};
    use raudal_pool::{Context, Pool};
    use raudal_source::Location;
    use std::io::Write;
    use std::ops::ControlFlow;
    use tokio::sync::mpsc;

    const ROWS: u64 = 5 << 20;

    /// Serves a long enough table once, and returns its URL.
    fn served() -> String {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let url = format!("http://{}/a.csv", listener.local_addr().expect("an address"));
        std::thread::spawn(move || {
            let (mut client, _) = listener.accept().expect("a client");
            let body = format!("n\n{}", "1\n".repeat(ROWS as usize));
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
            let _ = client.read(&mut [0; 4096]);
            client.write_all(head.as_bytes()).and_then(|()| client.write_all(body.as_bytes())).expect("a reader");
        });
        url
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_long_table_was_decoded_by_the_time_it_is_there() {
        let client = Client::new(&Options::default()).expect("a client");
        let options = crate::Options { decoders: 1, ..crate::Options::default() };
        let shared = Arc::new(TableRun::new(&client, &options));
        let inputs = [Input::new(Location::parse(&served()).expect("a URL"))];
        let job = move |context: Context<Input>, input: Input| {
            let shared = Arc::clone(&shared);
            async move {
                let (arriving, bodies) = mpsc::unbounded_channel();
                let request = Request::new(&input.location).arriving(arriving);
                let mut partial = None;
                let fetch = shared.client.send(request, &mut partial);
                let (body, ahead) = tokio::join!(fetch, StreamingDecode::begin(&shared, &context, &input, bodies));
                let ControlFlow::Continue(body) = body? else { unreachable!("nobody judges it") };
                let rows = ahead.expect("a long body").rows(&context).await.map(|rows| rows.rows_read());
                assert!(!shared.decoders.are_busy());
                Ok::<_, raudal_common::Error>((body.len(), rows))
            }
        };
        let done = Pool::new(8).run(inputs, job).start().next().await.expect("a job").result.expect("a body");
        assert_eq!(done, (2 + 2 * ROWS, Some(ROWS)));
    }
}
