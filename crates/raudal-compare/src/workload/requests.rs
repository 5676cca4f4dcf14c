//! Makes many small API calls: each waits for its response, and moves hardly any data.

use super::work::{AtOnce, RunSettings, digest};
use super::{Latency, Setting, Stage, Unit, Workload, WorkloadRun, stage};
use futures::future::BoxFuture;
use raudal_common::{Error, Result};
use raudal_fetch::{Client, Expect};
use raudal_origin::Origin;
use raudal_pool::{Attempt, Observer};
use raudal_source::Location;
use std::io::Read as _;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How many calls are made, and how long the server takes to respond.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct RequestsOptions {
    /// The number of calls. Default: 40.
    pub requests: usize,
    /// How long the server waits before it responds. Default: 50 ms each.
    pub latency: Latency,
    /// The seed of the latencies, and of the figures in the responses.
    pub seed: u64,
    /// How long one call may take. Default: 30 s.
    pub timeout: Duration,
}

impl Default for RequestsOptions {
    fn default() -> Self {
        Self { requests: 40, latency: Duration::from_millis(50).into(), seed: 0, timeout: Duration::from_secs(30) }
    }
}

/// N small calls to the API of the embedded origin, over one client that reuses its connections.
///
/// The client lives as long as the workload. From the second run on, its connections are open
/// already, as in a program that calls an API all day. So use a warm-up run.
#[derive(Debug)]
pub struct Requests {
    origin: Origin,
    client: Client,
    timeout: Duration,
    calls: Vec<(usize, Location)>,
    latency: Latency,
    seed: u64,
}

impl Requests {
    /// Starts the origin and the client.
    ///
    /// # Errors
    ///
    /// Fails for 0 calls, and if there is no free port.
    ///
    /// ```
    /// use raudal_compare::workload::{Requests, RequestsOptions, Workload};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> raudal_common::Result<()> {
    /// let mut options = RequestsOptions::default();
    /// options.latency = "lognormal:2ms,0.5".parse()?;
    /// let requests = Requests::open(&options).await?;
    /// assert_eq!(requests.name(), "requests");
    /// requests.close().await;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn open(options: &RequestsOptions) -> Result<Self> {
        if options.requests == 0 {
            return Err(Error::usage("the number of calls must be at least 1: 0").hint("give at least 1"));
        }
        let mut of_origin = raudal_origin::Options::default();
        of_origin.seed = options.seed;
        let origin = Origin::start(of_origin).await?;
        let mut of_client = raudal_fetch::Options::default();
        // The pool keeps the time-out and names the call. The client's time-out is longer, so that
        // it does not fire first with another message.
        of_client.read_timeout = of_client.read_timeout.saturating_add(options.timeout);
        let client = Client::new(&of_client)?;
        let base = origin.url();
        let calls = options.latency.draws(options.requests, options.seed).into_iter().enumerate();
        let calls: Result<Vec<_>> = calls.map(|(n, think)| Ok((n, call(&base, n, think)?))).collect();
        let RequestsOptions { latency, seed, timeout, .. } = *options;
        Ok(Self { client, timeout, calls: calls?, origin, latency, seed })
    }

    async fn run_once(
        &self,
        at_once: AtOnce,
        observer: Arc<dyn Observer>,
        cancel: CancellationToken,
    ) -> Result<WorkloadRun> {
        let work = RunSettings { at_once, observer, cancel, timeout: Some(self.timeout) };
        let client = self.client.clone();
        let call = move |cx: Attempt, (_, location): (usize, Location)| {
            let client = client.clone();
            async move { answer(&client, &cx, &location).await }
        };
        work.run(self.calls.clone(), |(n, _)| format!("request {n}"), call).await
    }

    /// Shuts down the workload and its origin.
    pub async fn close(self) {
        self.origin.shutdown().await;
    }
}

/// Returns the URL of a call to which the server responds after `think`.
pub(super) fn call(base: &str, number: usize, think: Duration) -> Result<Location> {
    Location::parse(&format!("{base}api/{number}?latency={}ns", think.as_nanos()))
}

/// Makes one call, and returns the digest of its response.
pub(super) async fn answer(client: &Client, cx: &Attempt, location: &Location) -> Result<String> {
    let body = client.fetch(location, Expect::Any, cx).await?;
    cx.advance(0, 1);
    let mut bytes = Vec::new();
    // The body is a few bytes in memory, so reading it blocks no thread.
    body.into_reader().read_to_end(&mut bytes).map_err(|error| Error::io("cannot read the answer", error))?;
    Ok(digest(bytes))
}

impl Workload for Requests {
    fn name(&self) -> &'static str {
        "requests"
    }

    fn stages(&self) -> Vec<Stage> {
        stage::TRANSFER.to_vec()
    }

    fn settings(&self) -> Vec<Setting> {
        vec![
            Setting::new("requests", self.calls.len()),
            Setting::new("latency", self.latency.to_text()),
            Setting::new("seed", self.seed),
        ]
    }

    fn unit(&self) -> Unit {
        Unit::Jobs("requests")
    }

    fn run(
        &self,
        jobs: usize,
        observer: Arc<dyn Observer>,
        cancel: CancellationToken,
    ) -> BoxFuture<'_, Result<WorkloadRun>> {
        Box::pin(self.run_once(AtOnce::Most(jobs), observer, cancel))
    }

    fn run_auto(
        &self,
        observer: Arc<dyn Observer>,
        cancel: CancellationToken,
    ) -> Option<BoxFuture<'_, Result<WorkloadRun>>> {
        let host = self.calls.first()?.1.key()?;
        Some(Box::pin(self.run_once(AtOnce::Auto { host }, observer, cancel)))
    }
}

#[cfg(test)]
mod tests {
    use super::super::work::tests::{run, stages};
    use super::*;
    use raudal_common::Kind;
    use raudal_pool::LimitLog;

    fn options(latency: &str) -> RequestsOptions {
        RequestsOptions { requests: 12, latency: latency.parse().unwrap(), ..RequestsOptions::default() }
    }

    #[tokio::test]
    async fn calls_give_the_same_at_every_level_over_connections_that_are_kept() {
        let requests = Requests::open(&options("uniform:0ms..2ms")).await.unwrap();
        let (one, four) = (run(&requests, 1).await.unwrap(), run(&requests, 4).await.unwrap());
        assert_eq!((&one.digest, &one.parts, one.rows), (&four.digest, &four.parts, 12));
        assert_eq!(stages(&one)[0], ["connect", "first byte", "transfer"]);
        // The connection is reused.
        assert_eq!((&stages(&one)[1..], four.report.items), (&vec![vec!["first byte", "transfer"]; 11][..], 12));
        let stats = requests.origin.stats();
        assert!(stats.requests == 24 && stats.connections <= 5, "{stats:?}");
        requests.close().await;
    }

    #[tokio::test]
    async fn the_level_auto_gives_the_same_and_says_what_it_decides() {
        let mut options = options("300ms");
        options.requests = 20;
        let requests = Requests::open(&options).await.unwrap();
        let four = run(&requests, 4).await.unwrap();
        let log = Arc::new(LimitLog::default());
        let auto = requests.run_auto(Arc::clone(&log) as _, CancellationToken::new()).unwrap().await.unwrap();
        assert_eq!((&auto.digest, &auto.parts, auto.jobs.len()), (&four.digest, &four.parts, 20));
        let changes = log.changes();
        assert_eq!((changes[0].limit, &*changes[0].why, changes[1].limit), (6, "to begin with", 12));
        assert!(auto.report.peak_in_flight > 6, "a round of answers had come, so more were asked for: {changes:?}");
        requests.close().await;
    }

    #[tokio::test]
    async fn a_call_that_takes_too_long_is_named() {
        let slow = RequestsOptions { timeout: Duration::from_millis(5), ..options("1h") };
        let requests = Requests::open(&slow).await.unwrap();
        let error = run(&requests, 2).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Timeout, "{error}");
        assert!(error.to_string().starts_with("request 0: ") || error.to_string().contains("/api/"), "{error}");
    }

    #[tokio::test]
    async fn no_calls_at_all_is_a_usage_error() {
        let none = RequestsOptions { requests: 0, ..RequestsOptions::default() };
        assert_eq!(Requests::open(&none).await.unwrap_err().kind(), Kind::Usage);
    }
}
