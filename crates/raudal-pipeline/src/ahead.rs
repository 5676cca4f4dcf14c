//! Decodes a long input while it arrives. The rows count only once the input is complete and
//! verified.

use super::decoders::Permit;
use super::jobs::Progress;
use super::shared::Shared;
use raudal_common::Result;
use raudal_common::lock;
use raudal_fetch::{Answered, Arriving, Tail, Transfer};
use raudal_pool::Attempt;
use raudal_source::Input;
use raudal_table::{Rows, Watch};
use std::io::Read;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

/// The result of decoding ahead. `None` if it could not start or failed: then the whole input is
/// decoded, and reports the error.
type Rowing = JoinHandle<Option<(Rows, Arriving, Tail)>>;

/// Reports a transfer to the pool, and starts to decode a long one.
pub(super) struct Ahead<'a> {
    shared: &'a Arc<Shared>,
    context: &'a Attempt,
    input: &'a Input,
    begun: Mutex<Option<Rowing>>,
}

impl<'a> Ahead<'a> {
    pub(super) fn new(shared: &'a Arc<Shared>, context: &'a Attempt, input: &'a Input) -> Self {
        Self { shared, context, input, begun: Mutex::default() }
    }

    /// Returns the rows of an arrived body, if they were decoded ahead and its last bytes match
    /// those used.
    pub(super) async fn rows(self) -> Option<Rows> {
        let begun = self.begun.into_inner().unwrap_or_else(PoisonError::into_inner)?;
        let (rows, arriving, tail) = begun.await.ok()??;
        let context = self.context;
        let rows = context.blocking(move || arriving.confirms(&tail).then_some(rows)).await?;
        context.advance(0, rows.rows_read());
        Some(rows)
    }
}

impl Transfer for Ahead<'_> {
    fn expected(&self, bytes: u64) {
        Progress(self.context).expected(bytes);
    }

    fn advanced(&self, bytes: u64) {
        Progress(self.context).advanced(bytes);
    }

    fn answered(&self, answered: &Answered<'_>) -> Result<()> {
        Progress(self.context).answered(answered)
    }

    fn stage(&self, stage: &'static str) {
        Progress(self.context).stage(stage);
    }

    fn arriving(&self, arriving: &Arriving) {
        // No more than may be decoded at once: each occupies a thread that waits.
        let Ok(place) = Arc::clone(&self.shared.ahead).try_acquire_owned() else { return };
        let (shared, context) = (Arc::clone(self.shared), self.context.clone());
        let (input, arriving) = (self.input.clone(), arriving.clone());
        let (key, runtime) = (input.location.key(), Handle::current());
        let begun = tokio::task::spawn_blocking(move || {
            let _place = place;
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
            let mut decoder = Decoder { shared: Arc::clone(&shared), runtime, permit: None, size: arriving.len() };
            decoder.take();
            let wait = move |begins| if begins { decoder.permit = None } else { decoder.take() };
            let (reader, query) = (arriving.reader(tail.clone(), wait), shared.query_for(&input));
            let rows = raudal_table::read_ahead(reader, &input.location.to_string(), &query, &Quiet(context)).ok()?;
            Some((rows, arriving, tail))
        });
        *lock(&self.begun) = Some(begun);
    }
}

/// The permit to decode. It is released while waiting for bytes.
struct Decoder {
    shared: Arc<Shared>,
    runtime: Handle,
    permit: Option<Permit>,
    size: u64,
}

impl Decoder {
    fn take(&mut self) {
        self.permit = Some(self.runtime.block_on(self.shared.decoders.acquire(self.size)));
    }
}

/// Only reports cancellation. Rows are reported once they count: rows decoded from a transfer that
/// keeps breaking off are not progress.
struct Quiet(Attempt);

impl Watch for Quiet {
    fn cancelled(&self) -> bool {
        self.0.token().is_cancelled()
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::super::decoders::Decoders;
    use super::super::jobs::Partials;
    use super::*;
    use raudal_fetch::{Client, Expect, Options};
    use raudal_pool::{Context, Pool};
    use raudal_source::Location;
    use raudal_table::Query;
    use std::io::Write;
    use std::sync::atomic::{AtomicBool, AtomicU64};
    use tokio::sync::Semaphore;

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
        let shared = Arc::new(Shared {
            client: client.clone(),
            query: Query::default(),
            decoders: Decoders::new(1),
            partials: Arc::new(Partials::default()),
            folder: None,
            checksums: None,
            lock: None,
            kept: AtomicU64::new(0),
            full: AtomicBool::new(false),
            ahead: Arc::new(Semaphore::new(1)),
        });
        let inputs = [Input::new(Location::parse(&served()).expect("a URL"))];
        let job = move |context: Context<Input>, input: Input| {
            let shared = Arc::clone(&shared);
            async move {
                let ahead = Ahead::new(&shared, &context, &input);
                let body = shared.client.fetch(&input.location, Expect::Table, &ahead).await?;
                let rows = ahead.rows().await.map(|rows| rows.rows_read());
                assert!(!shared.decoders.are_busy());
                Ok::<_, raudal_common::Error>((body.len(), rows))
            }
        };
        let done = Pool::new(8).run(inputs, job).start().next().await.expect("a job").result.expect("a body");
        assert_eq!(done, (2 + 2 * ROWS, Some(ROWS)));
    }
}
