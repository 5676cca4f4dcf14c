//! One input that is fetched over several attempts, without a pool.

use std::io::Read;

use raudal::fetch::{Arriving, Body, Client, Expect, Options, Partial, Request, TransferProgress};
use raudal::source::Location;
use raudal::{Error, Result};
use tokio::sync::mpsc::UnboundedSender;

/// Returns bytes that look random and repeat only after a long period.
pub fn noise(length: usize) -> Vec<u8> {
    (0..length as u64).map(|i| (i.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 56) as u8).collect()
}

/// Notifies when the first bytes of a transfer have arrived.
#[derive(Default)]
pub struct Arrived(pub tokio::sync::Notify);

impl TransferProgress for Arrived {
    fn expected(&self, _: u64) {}
    fn advanced(&self, _: u64) {
        self.0.notify_one();
    }
}

/// All bytes of a body.
fn read(body: Body) -> Vec<u8> {
    let mut bytes = Vec::new();
    body.into_reader().read_to_end(&mut bytes).expect("a body is readable");
    bytes
}

/// One input, over as many attempts as a test makes.
pub struct Job {
    pub client: Client,
    pub location: Location,
    pub kept: Option<Partial>,
}

impl Job {
    /// Returns a job without attempts so far.
    pub fn new(options: &Options, url: &str) -> Self {
        let client = Client::new(options).expect("a client");
        Self { client, location: Location::parse(url).expect("a URL"), kept: None }
    }

    /// One attempt, and who is told of it.
    pub async fn attempt_watched(&mut self, progress: &dyn TransferProgress) -> Result<Vec<u8>> {
        let body = self.client.resume(&self.location, Expect::Table, progress, &mut self.kept).await?;
        Ok(read(body))
    }

    /// One attempt, and who may read the body while it arrives.
    pub async fn attempt_arriving(&mut self, arriving: UnboundedSender<Arriving>) -> Result<Vec<u8>> {
        let request = Request::new(&self.location).arriving(arriving);
        let fetched = self.client.send(request, &mut self.kept).await?;
        Ok(read(fetched.continue_value().expect("nobody declines it")))
    }

    /// Makes one attempt.
    pub async fn attempt(&mut self) -> Result<Vec<u8>> {
        self.attempt_watched(&()).await
    }

    /// Makes one attempt, which must fail.
    pub async fn fails(&mut self) -> Error {
        self.attempt().await.expect_err("a bad answer")
    }

    /// Makes attempts until one succeeds. Returns its bytes and the number of failed attempts.
    pub async fn attempts(&mut self, most: usize) -> (Vec<u8>, usize) {
        for failed in 0..most {
            match self.attempt().await {
                Ok(bytes) => return (bytes, failed),
                Err(error) => assert!(error.is_transient(), "{}", error.report()),
            }
        }
        panic!("no success in {most} attempts");
    }

    /// How many bytes are kept for the next attempt.
    pub fn received(&self) -> Option<u64> {
        self.kept.as_ref().map(Partial::received)
    }
}
