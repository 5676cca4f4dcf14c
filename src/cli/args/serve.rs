//! `raudal serve`, and the options of the origin wherever it is embedded.

use clap::Args;
use raudal::units::{parse_bytes, parse_duration};
use std::net::SocketAddr;
use std::time::Duration;

const ORIGIN: &str = "Embedded origin";

/// The end of `raudal serve --help`.
pub(crate) const HELP: &str = "\
Examples:
  raudal serve                                   on a free port; prints the URL
  raudal serve --listen 127.0.0.1:8000 --latency 80ms --bandwidth-per-connection 512KiB
  raudal serve --fault 'reset@50%:p=0.1' --fault '503:n=1,after=2s' --seed 7

Faults: KIND[@WHERE][:ITEM,ITEM...]
  refuse          reset the connection without a response
  stall[@WHERE]   send no response; with @WHERE, stop sending the body there
  drip            send the body at 1 kB per second; rate=SIZE changes it
  reset[@WHERE]   reset the connection (a real RST), by default halfway through the body
  cut[@WHERE]     close the connection, by default halfway through the body
  length[@WHERE]  announce this length (default: 200%), but send the whole body
  content-range   answer a range request with a Content-Range that starts one byte late
  no-range        answer a range request with the whole body
  changed[@WHERE] break off, by default halfway; later requests get the same rows in other bytes
  429, 503, ...   answer with this status; after=2s adds Retry-After in seconds, until=2s as a date
  page, empty     answer 200 with an HTML page, or with an empty body
  flip[@WHERE]    flip a bit, by default a random one
  loop            redirect in a circle
  elsewhere       redirect to the same file on another host
  chunked         announce no length
  gzip            compress the body for the transfer
  slow-head       send the head at 1 kB per second; rate=SIZE changes it
  big-head[@SIZE] send a head of 1MiB, or of this size
WHERE is a share of the body (50%) or a number of bytes (4096). Items choose the requests:
  p=0.1           each request with this probability; the seed decides
  n=1,3           the first and the third request for each path (default: all requests)
  every=4         the fourth, the eighth, ... request for each path
  match=GLOB      only paths that match; it comes last";

#[derive(Debug, Args)]
pub(crate) struct OriginArgs {
    /// Delay each response of the embedded origin by this time
    #[arg(long, value_name = "TIME", value_parser = parse_duration, env = "RAUDAL_LATENCY", help_heading = ORIGIN)]
    pub(crate) latency: Option<Duration>,
    /// Limit the bandwidth of each connection to SIZE per second
    #[arg(long, value_name = "SIZE", value_parser = parse_bytes, env = "RAUDAL_BANDWIDTH_PER_CONNECTION", help_heading = ORIGIN)]
    pub(crate) bandwidth_per_connection: Option<u64>,
    /// Limit the total bandwidth to SIZE per second
    #[arg(long, value_name = "SIZE", value_parser = parse_bytes, env = "RAUDAL_BANDWIDTH", help_heading = ORIGIN)]
    pub(crate) bandwidth: Option<u64>,
    /// Scale the number of rows in the archives: 0.1 for a tenth
    #[arg(long, value_name = "X", value_parser = scale, env = "RAUDAL_SCALE", help_heading = ORIGIN)]
    pub(crate) scale: Option<f64>,
    /// Seed the random data and faults: the same seed gives the same ones
    #[arg(long, value_name = "N", env = "RAUDAL_SEED", help_heading = ORIGIN)]
    pub(crate) seed: Option<u64>,
    /// Inject a fault: KIND[@WHERE][:p=0.1|n=1,3|every=4][,match=GLOB], such as reset@50%:p=0.1. Repeat the option or separate faults with `;`; the first that applies to a request is injected
    #[arg(long = "fault", value_name = "SPEC", value_delimiter = ';', env = "RAUDAL_FAULT", help_heading = ORIGIN)]
    pub(crate) faults: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    /// Listen on this address; port 0 takes a free port
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
