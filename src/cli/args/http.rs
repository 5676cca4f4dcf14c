//! The options for all HTTP requests.

use super::HTTP;
use clap::builder::FalseyValueParser;
use clap::{Args, ValueHint};
use raudal::units::{parse_bytes, parse_duration};
use std::path::PathBuf;
use std::time::Duration;

#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
#[derive(Debug, Args)]
pub(crate) struct HttpArgs {
    /// How long connecting may take
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = parse_duration, env = "RAUDAL_CONNECT_TIMEOUT", help_heading = HTTP)]
    pub(crate) connect_timeout: Duration,
    /// How long a transfer may stand still
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = parse_duration, env = "RAUDAL_READ_TIMEOUT", help_heading = HTTP)]
    pub(crate) read_timeout: Duration,
    /// Receive at most so much a second, over all connections together
    #[arg(long, value_name = "SIZE", value_parser = parse_bytes, env = "RAUDAL_LIMIT_RATE", help_heading = HTTP)]
    pub(crate) limit_rate: Option<u64>,
    /// Send this header with each request: 'Name: value'
    #[arg(short = 'H', long = "http-header", value_name = "LINE", value_parser = header, env = "RAUDAL_HTTP_HEADER", help_heading = HTTP)]
    pub(crate) headers: Vec<(String, String)>,
    /// The User-Agent to send [default: raudal and its version]
    #[arg(short = 'A', long, value_name = "NAME", env = "RAUDAL_USER_AGENT", help_heading = HTTP)]
    pub(crate) user_agent: Option<String>,
    /// Say in the User-Agent how you can be reached: a mail address or a URL
    #[arg(long, value_name = "TEXT", env = "RAUDAL_CONTACT", help_heading = HTTP)]
    pub(crate) contact: Option<String>,
    /// Go through this proxy [default: as HTTP_PROXY, HTTPS_PROXY and NO_PROXY say]
    #[arg(short = 'x', long, value_name = "URL", env = "RAUDAL_PROXY", help_heading = HTTP)]
    pub(crate) proxy: Option<String>,
    /// Speak HTTP/2 where a server offers it: one connection for all transfers of a host
    #[arg(long, env = "RAUDAL_HTTP2", value_parser = FalseyValueParser::new(), help_heading = HTTP)]
    pub(crate) http2: bool,
    /// Follow redirects from https to http, without what was given for https
    #[arg(long, env = "RAUDAL_ALLOW_HTTP", value_parser = FalseyValueParser::new(), help_heading = HTTP)]
    pub(crate) allow_http: bool,
    /// Do not check certificates: anyone on the way can read and change what you fetch
    #[arg(short = 'k', long, env = "RAUDAL_INSECURE", value_parser = FalseyValueParser::new(), help_heading = HTTP)]
    pub(crate) insecure: bool,
    /// Trust the certificates in this PEM file as well
    #[arg(long, value_name = "FILE", env = "RAUDAL_CACERT", help_heading = HTTP, value_hint = ValueHint::FilePath)]
    pub(crate) cacert: Option<PathBuf>,
    /// Show this certificate to servers that ask for one: a PEM file, with its key unless --key names that
    #[arg(long, value_name = "FILE", env = "RAUDAL_CERT", help_heading = HTTP, value_hint = ValueHint::FilePath)]
    pub(crate) cert: Option<PathBuf>,
    /// The key of that certificate, in a PEM file
    #[arg(long, value_name = "FILE", env = "RAUDAL_KEY", requires = "cert", help_heading = HTTP, value_hint = ValueHint::FilePath)]
    pub(crate) key: Option<PathBuf>,
    /// Where logins by host are listed [default: what NETRC names, else ~/.netrc]
    #[arg(long, value_name = "FILE", env = "RAUDAL_NETRC_FILE", help_heading = HTTP, value_hint = ValueHint::FilePath)]
    pub(crate) netrc_file: Option<PathBuf>,
    /// Use no list of logins
    #[arg(long, env = "RAUDAL_NO_NETRC", value_parser = FalseyValueParser::new(), conflicts_with = "netrc_file", help_heading = HTTP)]
    pub(crate) no_netrc: bool,
}

fn header(text: &str) -> Result<(String, String), String> {
    match text.split_once(':') {
        Some((name, value)) if !name.trim().is_empty() => Ok((name.trim().to_owned(), value.trim().to_owned())),
        _ => Err("it must have the form 'Name: value'".to_owned()),
    }
}
