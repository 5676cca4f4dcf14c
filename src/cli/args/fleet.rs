//! The options for runs over many machines: `--nats` of `table`, `iter` and `get`, `worker` and `runs`.

use super::{HttpArgs, at_least_one};
use clap::builder::FalseyValueParser;
use clap::{Args, Subcommand, ValueHint};
use raudal::fleet::{Allow, Parts};
use raudal::units::parse_duration;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

const FLEET: &str = "Fleet";

/// Where NATS is, and the login for it. They are global, so that they may stand before and after `runs list`.
#[derive(Debug, Args)]
pub(crate) struct NatsArgs {
    /// The servers of NATS with JetStream, separated by commas: nats://host:4222
    #[arg(long, global = true, value_name = "URLS", env = "RAUDAL_NATS", hide_env_values = true, help_heading = FLEET)]
    pub(crate) nats: Option<String>,
    /// Log in to NATS with this credentials file
    #[arg(long, global = true, value_name = "FILE", env = "RAUDAL_NATS_CREDS", help_heading = FLEET, value_hint = ValueHint::FilePath)]
    pub(crate) nats_creds: Option<PathBuf>,
    /// Log in to NATS with the NKey whose seed is in this file
    #[arg(long, global = true, value_name = "FILE", env = "RAUDAL_NATS_NKEY", help_heading = FLEET, value_hint = ValueHint::FilePath)]
    pub(crate) nats_nkey: Option<PathBuf>,
    /// Trust the certificates in this PEM file for NATS, and connect with TLS only
    #[arg(long, global = true, value_name = "FILE", env = "RAUDAL_NATS_CA", help_heading = FLEET, value_hint = ValueHint::FilePath)]
    pub(crate) nats_ca: Option<PathBuf>,
    /// Show this client certificate to NATS, in a PEM file that also holds the key unless --nats-key is given
    #[arg(long, global = true, value_name = "FILE", env = "RAUDAL_NATS_CERT", help_heading = FLEET, value_hint = ValueHint::FilePath)]
    pub(crate) nats_cert: Option<PathBuf>,
    /// Read the key of that certificate from this PEM file
    #[arg(long, global = true, value_name = "FILE", env = "RAUDAL_NATS_KEY", help_heading = FLEET, value_hint = ValueHint::FilePath)]
    pub(crate) nats_key: Option<PathBuf>,
}

/// How a run is spread over a fleet.
#[derive(Debug, Args)]
pub(crate) struct FleetArgs {
    #[command(flatten)]
    pub(crate) nats: NatsArgs,
    /// Let the workers write their parts to this folder, which all machines share, to s3://bucket/folder, or to `nats` [default: nats]
    #[arg(long, value_name = "FOLDER|URL|nats", requires = "nats", value_parser = parts, env = "RAUDAL_PARTS", help_heading = FLEET)]
    pub(crate) parts: Option<Parts>,
    /// Name the run [default: a hash of its inputs and options, so that the same command finds it again]
    #[arg(long, value_name = "NAME", requires = "nats", env = "RAUDAL_RUN", help_heading = FLEET)]
    pub(crate) run: Option<String>,
    /// Announce the run and leave; the same command without --detach merges it
    #[arg(long, requires = "nats", env = "RAUDAL_DETACH", value_parser = FalseyValueParser::new(), help_heading = FLEET)]
    pub(crate) detach: bool,
    /// Read N inputs one after the other as one job [default: 1 to 64, by the number of inputs]
    #[arg(long, value_name = "N", requires = "nats", value_parser = at_least_one, env = "RAUDAL_CHUNK", help_heading = FLEET, hide_short_help = true)]
    pub(crate) chunk: Option<usize>,
    /// Give the jobs of a worker to others once it has not answered for this time
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = parse_duration, env = "RAUDAL_LEASE", help_heading = FLEET, hide_short_help = true)]
    pub(crate) lease: Duration,
    /// Give up an input once N workers have begun it and none has ended it
    #[arg(long, value_name = "N", default_value = "5", value_parser = at_least_one, env = "RAUDAL_DELIVERIES", help_heading = FLEET, hide_short_help = true)]
    pub(crate) deliveries: usize,
    /// The query, in words for the workers.
    #[arg(skip)]
    pub(crate) spec: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct WorkerArgs {
    #[command(flatten)]
    pub(crate) nats: NatsArgs,
    /// Read only from these: hosts, *.domain, https://host, `private` addresses, file:FOLDER [default: all public hosts, no files]
    #[arg(long, value_name = "LIST", value_parser = allow, env = "RAUDAL_ALLOW", help_heading = FLEET)]
    pub(crate) allow: Option<Allow>,
    /// Work through N chunks at once
    #[arg(short, long, value_name = "N", default_value = "16", value_parser = at_least_one, env = "RAUDAL_JOBS", help_heading = FLEET)]
    pub(crate) jobs: usize,
    /// The name of this worker in messages [default: one of its own]
    #[arg(long, value_name = "NAME", env = "RAUDAL_NAME", help_heading = FLEET)]
    pub(crate) name: Option<String>,
    /// Write parts here, if this machine sees the folder of the run under another path
    #[arg(long, value_name = "FOLDER|URL|nats", value_parser = parts, env = "RAUDAL_PARTS", help_heading = FLEET)]
    pub(crate) parts: Option<Parts>,
    /// On SIGTERM, go on for up to this time with what has begun, then give it back
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = parse_duration, env = "RAUDAL_DRAIN", help_heading = FLEET)]
    pub(crate) drain: Duration,
    #[command(flatten)]
    pub(crate) http: HttpArgs,
    /// The options that were given here, which win over those of a run.
    #[arg(skip)]
    pub(crate) given: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct RunsArgs {
    #[command(subcommand)]
    pub(crate) command: RunsCommand,
    #[command(flatten)]
    pub(crate) nats: NatsArgs,
}

#[derive(Clone, Debug, Subcommand)]
pub(crate) enum RunsCommand {
    /// List the runs: name, state, chunks done and all, open, inputs, machine, parts, separated by TABs
    List,
    /// List the workers: name, version, chunks at once and running, inputs and bytes so far, machine, separated by TABs
    Workers,
    /// Follow a run to its end
    Watch {
        /// The name of the run
        run: String,
    },
    /// Serve a page with the timeline of the fleet to a browser on this machine, and print its address
    Serve {
        /// Listen on this loopback address; port 0 is one of the system's choice
        #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0", env = "RAUDAL_RUNS_LISTEN")]
        listen: SocketAddr,
    },
    /// End a run; its parts stay, and the same command resumes with them
    Cancel {
        /// The name of the run
        run: String,
    },
    /// Remove all of a run: its jobs, its events and its parts
    Forget {
        /// The name of the run
        run: String,
    },
}

fn parts(text: &str) -> Result<Parts, String> {
    text.parse().map_err(|error| super::with_hint(&error))
}

fn allow(text: &str) -> Result<Allow, String> {
    text.parse().map_err(|error| super::with_hint(&error))
}
