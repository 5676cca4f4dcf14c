//! The connection to NATS, and what a run has there: two streams and an entry.

use super::protocol::{
    BUCKET, Event, RunRecord, State, bytes, event_subject, events_stream, is_name, jobs_stream, run_key,
};
use async_nats::jetstream::consumer::{self, AckPolicy, DeliverPolicy, pull};
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::stream::{self, RetentionPolicy, StorageType};
use async_nats::jetstream::{self, Context, kv};
use async_nats::{ConnectErrorKind, ConnectOptions, ServerAddr};
use raudal_common::error::redact;
use raudal_common::{Error, Kind, Result};
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// As many replicas as the cluster bears.
pub(crate) const REPLICAS: [usize; 3] = [3, 2, 1];
/// How long the broker remembers the ids of messages.
const DUPLICATES: Duration = Duration::from_secs(120);
/// How long a request to the broker may take.
const PATIENCE: Duration = Duration::from_secs(4);
/// How often to connect at the start.
const TRIES: u32 = 5;
/// Messages of a subscription that wait for us. More of them are dropped, and streams deliver those
/// again. The client's own default is 65,536, which a slow reader would hold in memory.
const WAITING: usize = 4096;
/// The name of the one consumer of a run's jobs.
const CONSUMER: &str = "workers";

/// Where NATS is, and who we are. Nothing of it is ever shown but the addresses.
#[derive(Clone, Default)]
#[non_exhaustive]
pub struct Login {
    /// The addresses, separated by commas: `nats://a,nats://b`. A user and a password, or a token, may
    /// stand in the first: `nats://user:password@a`, `nats://token@a`. It is for all of them.
    pub servers: String,
    /// A file with a user's JWT and seed, as `nsc` writes it.
    pub credentials: Option<PathBuf>,
    /// A file with the seed of an `NKey`.
    pub nkey: Option<PathBuf>,
    /// A PEM file of certificate authorities to trust.
    pub ca: Option<PathBuf>,
    /// A PEM file with a client certificate.
    pub cert: Option<PathBuf>,
    /// A PEM file with its key.
    pub key: Option<PathBuf>,
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login").field("servers", &self.shown()).finish_non_exhaustive()
    }
}

impl Login {
    /// The addresses, without users and passwords.
    pub fn shown(&self) -> String {
        self.servers.split(',').map(|server| redact(server.trim())).collect::<Vec<_>>().join(",")
    }

    async fn options(&self, name: &str) -> Result<ConnectOptions> {
        let unreadable = |what: &str, path: &PathBuf, error: std::io::Error| {
            Error::io(format!("cannot read {what}"), error).input(path.display().to_string())
        };
        let mut options =
            ConnectOptions::new().name(name).request_timeout(Some(PATIENCE)).subscription_capacity(WAITING);
        // The client ignores the login in an address.
        let first = self.servers.split(',').next().and_then(|first| first.trim().parse::<ServerAddr>().ok());
        if let Some(user) = first.as_ref().and_then(ServerAddr::username).map(decoded) {
            options = match first.as_ref().and_then(ServerAddr::password).map(decoded) {
                Some(password) => options.user_and_password(user, password),
                None => options.token(user),
            };
        }
        if let Some(path) = &self.credentials {
            let read = options.credentials_file(path).await;
            options = read.map_err(|error| unreadable("the credentials of NATS", path, error))?;
        }
        if let Some(path) = &self.nkey {
            let seed = std::fs::read_to_string(path).map_err(|error| unreadable("the NKey", path, error))?;
            options = options.nkey(seed.trim().to_owned());
        }
        if let Some(path) = &self.ca {
            options = options.add_root_certificates(path.clone()).require_tls(true);
        }
        match (&self.cert, &self.key) {
            (Some(cert), key) => {
                let key = key.as_ref().unwrap_or(cert);
                options = options.add_client_certificate(cert.clone(), key.clone()).require_tls(true);
            }
            (None, Some(_)) => {
                return Err(Error::usage("a key for NATS without its certificate")
                    .hint("give the certificate with [`nats_cert`]"));
            }
            (None, None) => {}
        }
        Ok(options)
    }
}

fn decoded(text: &str) -> String {
    percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned()
}

/// A connection to NATS with `JetStream`. It comes back by itself when a server was gone.
#[derive(Clone)]
pub struct Broker {
    pub(crate) js: Context,
    pub(crate) kv: kv::Store,
    pub(crate) shown: String,
}

impl fmt::Debug for Broker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Broker").field("servers", &self.shown).finish_non_exhaustive()
    }
}

impl Broker {
    /// Connects. `name` is what the broker's operator sees of us.
    ///
    /// # Errors
    ///
    /// Of kind [`Connect`](Kind::Connect), if no server answers, refuses us, or has no `JetStream`.
    pub async fn connect(login: &Login, name: &str) -> Result<Self> {
        let shown = login.shown();
        let servers = login.servers.split(',').map(str::trim).filter(|server| !server.is_empty());
        let servers = servers
            .map(str::parse::<ServerAddr>)
            .collect::<std::result::Result<Vec<_>, _>>()
            .map_err(|_| Error::usage(format!("not the address of NATS: {shown}")).hint("write nats://host:4222"))?;
        // A server that is just starting refuses or resets, or has no JetStream yet.
        let mut tries = TRIES;
        loop {
            tries -= 1;
            match Self::connect_once(login, name, servers.clone(), shown.clone()).await {
                Err(error) if tries > 0 && error.is_transient() => tokio::time::sleep(RETRY).await,
                connected => return connected,
            }
        }
    }

    async fn connect_once(login: &Login, name: &str, servers: Vec<ServerAddr>, shown: String) -> Result<Self> {
        let connected = login.options(name).await?.connect(servers).await;
        let client = connected.map_err(|error| {
            let is_refused =
                matches!(error.kind(), ConnectErrorKind::Authentication | ConnectErrorKind::AuthorizationViolation);
            let said = Error::new(Kind::Connect, format!("cannot connect to NATS: {shown}")).because(error);
            if is_refused {
                said.transient(false).hint("look at the login: [`nats_creds`], [`nats_nkey`], or in the address")
            } else {
                said.hint("start it with JetStream: nats-server -js")
            }
        })?;
        let js = jetstream::ContextBuilder::new().timeout(PATIENCE).ack_timeout(PATIENCE).build(client);
        let kv = bucket(&js).await?;
        Ok(Self { js, kv, shown })
    }

    /// Makes what a run needs, unless it is there. The record of a run that is there stays.
    pub(crate) async fn ensure(&self, record: &RunRecord) -> Result<RunRecord> {
        bucket(&self.js).await?;
        let run = &record.run;
        let jobs = stream::Config {
            name: jobs_stream(run),
            subjects: vec![format!("raudal.jobs.{run}.*")],
            retention: RetentionPolicy::WorkQueue,
            storage: StorageType::File,
            duplicate_window: DUPLICATES,
            ..Default::default()
        };
        let jobs = self.stream(jobs).await?;
        let consumer = pull::Config {
            durable_name: Some(CONSUMER.into()),
            ack_policy: AckPolicy::Explicit,
            ack_wait: record.lease(),
            // We count ourselves: a job never loops, and its inputs never vanish.
            max_deliver: -1,
            max_ack_pending: -1,
            deliver_policy: DeliverPolicy::All,
            ..Default::default()
        };
        jobs.get_or_create_consumer(CONSUMER, consumer)
            .await
            .map_err(|error| failed("cannot create the consumer of the run", error))?;
        let events = stream::Config {
            name: events_stream(run),
            subjects: vec![event_subject(run)],
            retention: RetentionPolicy::Limits,
            storage: StorageType::File,
            duplicate_window: DUPLICATES,
            ..Default::default()
        };
        self.stream(events).await?;
        if let Some(there) = self.record(run).await? {
            return Ok(there);
        }
        self.put_record(record).await?;
        Ok(record.clone())
    }

    async fn stream(&self, mut config: stream::Config) -> Result<stream::Stream> {
        if let Ok(there) = self.js.get_stream(&config.name).await {
            return Ok(there);
        }
        let mut last = None;
        for replicas in REPLICAS {
            config.num_replicas = replicas;
            match self.js.create_stream(config.clone()).await {
                Ok(stream) => return Ok(stream),
                Err(error) => last = Some(error),
            }
        }
        let error = Error::new(Kind::Connect, format!("cannot create a stream: {}", config.name));
        Err(match last {
            Some(last) => error.because(last),
            None => error,
        })
    }

    /// The record of a run, if there is one that this version reads.
    pub(crate) async fn record(&self, run: &str) -> Result<Option<RunRecord>> {
        let found = self.kv.get(run_key(run)).await.map_err(|error| failed("cannot look for the run", error))?;
        found.map(|bytes| parse_record(&bytes)).transpose()
    }

    pub(crate) async fn put_record(&self, record: &RunRecord) -> Result<()> {
        let put = self.kv.put(run_key(&record.run), bytes(record)?).await;
        put.map(drop).map_err(|error| failed("cannot announce the run", error))
    }

    pub(crate) async fn set_state(&self, run: &str, state: State) -> Result<()> {
        let Some(mut record) = self.record(run).await? else { return Err(no_run(run)) };
        record.state = state;
        self.put_record(&record).await
    }

    /// The consumer of a run's jobs.
    pub(crate) async fn consumer(&self, run: &str) -> Result<consumer::Consumer<pull::Config>> {
        self.js
            .get_consumer_from_stream(CONSUMER, jobs_stream(run))
            .await
            .map_err(|error| failed("cannot find the jobs of the run", error))
    }

    /// Publishes a message once, and waits until it is stored. With an id, the broker drops a second
    /// one.
    pub(crate) async fn publish(&self, subject: String, payload: bytes::Bytes, id: Option<String>) -> Result<()> {
        let mut message = PublishMessage::build().payload(payload);
        if let Some(id) = id {
            message = message.message_id(id);
        }
        self.send(subject, message).await.map(drop)
    }

    /// Writes an entry that the broker removes after this time, by its own clock. With a revision,
    /// only over that one; 0 is for an entry that is not there.
    pub(crate) async fn put_expiring(
        &self,
        key: &str,
        value: bytes::Bytes,
        ttl: Duration,
        revision: Option<u64>,
    ) -> Result<u64> {
        let ttl = Duration::from_secs(ttl.as_secs_f64().ceil().max(1.0) as u64);
        let mut message = PublishMessage::build().payload(value).ttl(ttl);
        if let Some(revision) = revision {
            message = message.expected_last_subject_sequence(revision);
        }
        self.send(format!("$KV.{BUCKET}.{key}"), message).await
    }

    async fn send(&self, subject: String, message: PublishMessage) -> Result<u64> {
        let sent = self.js.send_publish(subject, message).await;
        let ack = sent.map_err(|error| failed("cannot publish", error))?;
        ack.await.map(|ack| ack.sequence).map_err(|error| failed("the broker did not take a message", error))
    }

    /// Tells everybody who watches a run.
    pub(crate) async fn tell(&self, run: &str, event: &Event, id: Option<String>) -> Result<()> {
        self.publish(event_subject(run), bytes(event)?, id).await
    }

    /// Removes the streams and all entries of a run.
    pub(crate) async fn remove(&self, run: &str) -> Result<()> {
        for stream in [jobs_stream(run), events_stream(run)] {
            if self.js.get_stream(&stream).await.is_ok() {
                self.js.delete_stream(&stream).await.map_err(|error| failed("cannot remove a stream", error))?;
            }
        }
        let purged = self.kv.purge(run_key(run)).await;
        purged.map_err(|error| failed("cannot remove the run", error))?;
        for prefix in ["pause", "begun", "lead"] {
            let subject = format!("$KV.{BUCKET}.{prefix}.{run}");
            let end = if prefix == "lead" { "" } else { ".>" };
            let purged = self.kv.stream.purge().filter(format!("{subject}{end}")).await;
            purged.map_err(|error| failed("cannot remove the entries of the run", error))?;
        }
        Ok(())
    }
}

async fn bucket(js: &Context) -> Result<kv::Store> {
    if let Ok(there) = js.get_key_value(BUCKET).await {
        return Ok(there);
    }
    let mut last = None;
    for num_replicas in REPLICAS {
        let config = kv::Config {
            bucket: BUCKET.into(),
            history: 1,
            storage: StorageType::File,
            num_replicas,
            limit_markers: Some(Duration::from_secs(60)),
            ..Default::default()
        };
        match js.create_key_value(config).await {
            Ok(store) => return Ok(store),
            Err(error) => last = Some(error),
        }
    }
    let error = Error::new(Kind::Connect, "cannot use JetStream")
        .hint("NATS needs JetStream (nats-server -js), and must be of version 2.11 or later");
    Err(match last {
        Some(last) => error.because(last),
        None => error,
    })
}

pub(crate) fn parse_record(bytes: &[u8]) -> Result<RunRecord> {
    let record: RunRecord = serde_json::from_slice(bytes)
        .map_err(|error| Error::new(Kind::Unsupported, "another version of raudal wrote this run").because(error))?;
    if is_name(&record.run) {
        return Ok(record);
    }
    Err(Error::new(Kind::Unsupported, "a run with a name that is none"))
}

pub(crate) fn no_run(run: &str) -> Error {
    Error::usage(format!("no such run: {run}")).hint("the list of runs shows those that are there")
}

/// An error of the broker. It may be gone for a while, so trying again may help.
pub(crate) fn failed(what: &str, error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::new(Kind::Connect, what).because(error)
}

/// The wait before the broker is asked again.
pub(crate) const RETRY: Duration = Duration::from_millis(300);
