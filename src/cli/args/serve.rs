//! `raudal serve`, and the options of the origin wherever it is embedded.

use clap::Args;
use raudal::units::{parse_bytes, parse_duration};
use std::net::SocketAddr;
use std::time::Duration;

const ORIGIN: &str = "Embedded origin";

/// The end of `raudal serve --help`.
pub(crate) const HELP: &str = "\
Examples:
  raudal serve                                   on a free port, which is printed
  raudal serve --listen 127.0.0.1:8000 --latency 80ms --bandwidth-per-connection 512KiB
  raudal serve --fault 'reset@50%:p=0.1' --fault '503:n=1,after=2s' --seed 7

Faults: KIND[@WHERE][:ITEM,ITEM...]
  refuse          reset the connection without an answer
  stall[@WHERE]   never answer; or send the body up to there, then nothing
  drip            send the body at rate=1kB a second
  reset[@WHERE]   reset the connection there (a real RST); half-way unless it is said
  cut[@WHERE]     close the connection there in good order
  length[@WHERE]  announce this length (200% unless it is said), and send all there is
  content-range   answer a range, but say that it begins a byte later
  no-range        answer a range with the whole
  changed[@WHERE] break off there; later requests find other bytes and validators, and the same rows
  429, 503, ...   answer this status, with Retry-After: after=2s for seconds, until=2s for a date
  page, empty     answer 200 with an HTML page, with nothing
  flip[@WHERE]    flip a bit
  loop            redirect into a circle
  elsewhere       redirect to the same file on another host
  chunked         announce no length
  gzip            compress the body for the transfer
  slow-head       send the head at rate=1kB a second
  big-head[@SIZE] send a head of 1MiB
WHERE is a share of the body (50%) or a number of bytes (4096). Which requests are struck:
  p=0.1           each with this probability, as the seed decides
  n=1,3           the first and the third for each path; all, if nothing is said
  every=4         the fourth, the eighth, ... for each path
  match=GLOB      only those for such names; it stands last";

#[derive(Debug, Args)]
pub(crate) struct OriginArgs {
    /// Wait this long before each response of the embedded origin
    #[arg(long, value_name = "TIME", value_parser = parse_duration, env = "RAUDAL_LATENCY", help_heading = ORIGIN)]
    pub(crate) latency: Option<Duration>,
    /// Send at most so much a second on each connection
    #[arg(long, value_name = "SIZE", value_parser = parse_bytes, env = "RAUDAL_BANDWIDTH_PER_CONNECTION", help_heading = ORIGIN)]
    pub(crate) bandwidth_per_connection: Option<u64>,
    /// Send at most so much a second on all connections together
    #[arg(long, value_name = "SIZE", value_parser = parse_bytes, env = "RAUDAL_BANDWIDTH", help_heading = ORIGIN)]
    pub(crate) bandwidth: Option<u64>,
    /// Make archives of this size: 0.1 for a tenth of the rows
    #[arg(long, value_name = "X", value_parser = scale, env = "RAUDAL_SCALE", help_heading = ORIGIN)]
    pub(crate) scale: Option<f64>,
    /// Make other figures, and draw other faults: the same seed gives the same ones
    #[arg(long, value_name = "N", env = "RAUDAL_SEED", help_heading = ORIGIN)]
    pub(crate) seed: Option<u64>,
    /// Go wrong on purpose: KIND[@WHERE][:p=0.1|n=1,3|every=4][,match=GLOB], such as reset@50%:p=0.1. Of several, separated by `;` or each with --fault, the first that strikes a request is committed
    #[arg(long = "fault", value_name = "SPEC", value_delimiter = ';', env = "RAUDAL_FAULT", help_heading = ORIGIN)]
    pub(crate) faults: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    /// The address to listen on; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0", env = "RAUDAL_LISTEN")]
    pub(crate) listen: SocketAddr,
    #[command(flatten)]
    pub(crate) origin: OriginArgs,
}

fn scale(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(scale) if scale > 0.0 && scale <= 10.0 => Ok(scale),
        _ => Err("it must be a number above 0 and at most 10".to_owned()),
    }
}
