//! The options for all HTTP requests.

use super::HTTP;
use clap::builder::FalseyValueParser;
use clap::{Args, ValueHint};
use raudal::table::Header;
use raudal::units::{parse_bytes, parse_duration};
use raudal::{Error, Result};
use std::path::PathBuf;
use std::time::Duration;

#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
#[derive(Debug, Args)]
pub(crate) struct HttpArgs {
    /// Give up on a connection that takes longer to open
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = parse_timeout, env = "RAUDAL_CONNECT_TIMEOUT", help_heading = HTTP)]
    pub(crate) connect_timeout: Duration,
    /// Give up when no data arrives for this time
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = parse_timeout, env = "RAUDAL_READ_TIMEOUT", help_heading = HTTP)]
    pub(crate) read_timeout: Duration,
    /// Limit the total download rate to SIZE per second
    #[arg(long, value_name = "SIZE", value_parser = parse_bytes, env = "RAUDAL_LIMIT_RATE", help_heading = HTTP)]
    pub(crate) limit_rate: Option<u64>,
    /// Send this header with every request: 'Name: value'. For tables also: the line that holds the header, such as 3, or `none`
    #[arg(short = 'H', long = "header", visible_alias = "http-header", value_name = "LINE", value_parser = header, env = "RAUDAL_HEADER", help_heading = HTTP)]
    pub(crate) headers: Vec<HeaderArg>,
    /// Send this User-Agent [default: raudal and its version]
    #[arg(short = 'A', long, value_name = "NAME", env = "RAUDAL_USER_AGENT", help_heading = HTTP)]
    pub(crate) user_agent: Option<String>,
    /// Add your contact to the User-Agent: a mail address or a URL
    #[arg(long, value_name = "TEXT", env = "RAUDAL_CONTACT", help_heading = HTTP)]
    pub(crate) contact: Option<String>,
    /// Use this proxy [default: from HTTP_PROXY, HTTPS_PROXY and NO_PROXY]
    #[arg(short = 'x', long, value_name = "URL", env = "RAUDAL_PROXY", help_heading = HTTP)]
    pub(crate) proxy: Option<String>,
    /// Use HTTP/2 if the server offers it: up to four transfers of a host share a connection
    #[arg(long, env = "RAUDAL_HTTP2", value_parser = FalseyValueParser::new(), help_heading = HTTP)]
    pub(crate) http2: bool,
    /// Follow redirects from https to http, without credentials
    #[arg(long, env = "RAUDAL_ALLOW_HTTP", value_parser = FalseyValueParser::new(), help_heading = HTTP)]
    pub(crate) allow_http: bool,
    /// Do not verify certificates: anyone on the network path can read and change the data
    #[arg(short = 'k', long, env = "RAUDAL_INSECURE", value_parser = FalseyValueParser::new(), help_heading = HTTP)]
    pub(crate) insecure: bool,
    /// Also trust the certificates in this PEM file
    #[arg(long, value_name = "FILE", env = "RAUDAL_CACERT", help_heading = HTTP, value_hint = ValueHint::FilePath)]
    pub(crate) cacert: Option<PathBuf>,
    /// Use this client certificate, in a PEM file that also holds the key unless --key is given
    #[arg(long, value_name = "FILE", env = "RAUDAL_CERT", help_heading = HTTP, value_hint = ValueHint::FilePath)]
    pub(crate) cert: Option<PathBuf>,
    /// Read the key of the client certificate from this PEM file
    #[arg(long, value_name = "FILE", env = "RAUDAL_KEY", requires = "cert", help_heading = HTTP, value_hint = ValueHint::FilePath)]
    pub(crate) key: Option<PathBuf>,
    /// Read the logins of hosts from this file [default: the file in $NETRC, else ~/.netrc]
    #[arg(long, value_name = "FILE", env = "RAUDAL_NETRC_FILE", help_heading = HTTP, value_hint = ValueHint::FilePath)]
    pub(crate) netrc_file: Option<PathBuf>,
    /// Do not read logins from a netrc file
    #[arg(long, env = "RAUDAL_NO_NETRC", value_parser = FalseyValueParser::new(), conflicts_with = "netrc_file", help_heading = HTTP)]
    pub(crate) no_netrc: bool,
}

/// A value of `--header`. curl has the option for HTTP, and tables need it for the line of their header. An HTTP header
/// always has a colon, so one option serves both.
#[derive(Clone, Debug)]
pub(crate) enum HeaderArg {
    Http(String, String),
    Table(Header),
}

impl HttpArgs {
    /// The headers of requests.
    pub(crate) fn http_headers(&self) -> Vec<(String, String)> {
        let http = |header: &HeaderArg| match header {
            HeaderArg::Http(name, value) => Some((name.clone(), value.clone())),
            HeaderArg::Table(_) => None,
        };
        self.headers.iter().filter_map(http).collect()
    }

    /// The line of the table's header, if it was given. The last one counts.
    pub(crate) fn table_header(&self) -> Option<Header> {
        self.headers.iter().rev().find_map(|header| match header {
            HeaderArg::Table(line) => Some(*line),
            HeaderArg::Http(..) => None,
        })
    }

    /// Refuses the line of a table's header, for a command that reads no table.
    pub(crate) fn refuse_table_header(&self) -> Result<(), Error> {
        match self.table_header() {
            None => Ok(()),
            Some(_) => Err(Error::usage("--header with a line of a table: this command reads no table")
                .hint("for an HTTP header, write --header 'Name: value'")),
        }
    }
}

fn header(text: &str) -> Result<HeaderArg, String> {
    match text.split_once(':') {
        Some((name, value)) if !name.trim().is_empty() => {
            Ok(HeaderArg::Http(name.trim().to_owned(), value.trim().to_owned()))
        }
        Some(_) => Err("it must have the form 'Name: value'".to_owned()),
        None => text.parse().map(HeaderArg::Table).map_err(|_| {
            "it must have the form 'Name: value'; for a table, the number of its header's line, or none".to_owned()
        }),
    }
}

/// Parses the longest time that something may take: within none, nothing succeeds.
fn parse_timeout(text: &str) -> Result<Duration> {
    match parse_duration(text)? {
        Duration::ZERO => Err(Error::usage(format!("it must be more than 0: {text}"))
            .hint("there is always a limit; for one that is never reached, give a long time, such as 24h")),
        time => Ok(time),
    }
}
