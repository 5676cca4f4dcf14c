//! Turns arguments into the library's options.

use super::args::{BoundArgs, HttpArgs, LimitArgs, NameArgs, OriginArgs, RunArgs, TableArgs, VerifyArgs};
use super::dialect;
use raudal::fetch::Netrc;
use raudal::pipeline::{Concurrency, Jobs, RunOptions};
use raudal::pool::Backoff;
use raudal::source::Checksums;
use raudal::table::{Filter, Limits, MemberEncoding, Query, Sample, Select};
use raudal::workload::Mirror;
use raudal::{Error, Result, fetch, origin};
use std::fs::File;
use std::io::BufReader;
use std::path::PathBuf;
use std::sync::Arc;

pub(crate) fn origin_options(args: &OriginArgs) -> Result<origin::Options> {
    let mut options = origin::Options::default();
    options.latency = args.latency.unwrap_or(options.latency);
    options.bandwidth_per_connection = args.bandwidth_per_connection;
    options.bandwidth = args.bandwidth;
    options.scale = args.scale.unwrap_or(options.scale);
    options.seed = args.seed.unwrap_or(options.seed);
    // An empty variable names no fault.
    let faults = args.faults.iter().filter(|text| !text.is_empty());
    options.faults = faults.map(|text| text.parse()).collect::<Result<_>>()?;
    Ok(options)
}

/// Returns the mirror. The options of the embedded origin mean nothing to another server, so they
/// are refused there; the seed is also that of a sample, if the run `samples`.
pub(crate) fn mirror(name: Option<&str>, args: &OriginArgs, samples: bool) -> Result<Mirror> {
    if name == Some("embedded") {
        return Ok(Mirror::Embedded(origin_options(args)?));
    }
    let shaped = [
        ("--latency", args.latency.is_some()),
        ("--bandwidth-per-connection", args.bandwidth_per_connection.is_some()),
        ("--bandwidth", args.bandwidth.is_some()),
        ("--scale", args.scale.is_some()),
        ("--seed", args.seed.is_some() && !samples),
        ("--fault", !args.faults.is_empty()),
    ];
    if let Some((option, _)) = shaped.iter().find(|(_, given)| *given) {
        return Err(Error::usage(format!("only the embedded origin takes this option: {option}"))
            .hint("add --mirror embedded, or leave the option out"));
    }
    Ok(name.map_or(Mirror::Inegi, |url| Mirror::Url(url.to_owned())))
}

/// Returns the query. `seed` is that of a sample.
pub(crate) fn query(args: &TableArgs, http: &HttpArgs, filter: &str, seed: Option<u64>) -> Result<Query> {
    let mut query = Query::new();
    query.filter = self::filter(filter)?;
    // An empty list, as from an empty variable, selects all columns.
    let select: Vec<&str> = args.select.iter().map(String::as_str).filter(|item| !item.trim().is_empty()).collect();
    query.select = Select::parse(&select.join(","))?;
    let ask = &args.ask;
    query.columns_mode = ask.columns_mode;
    query.fold_names = ask.fold_names;
    query.pick.distinct = ask.distinct;
    query.pick.limit = ask.limit;
    query.pick.sample = ask.sample.map(|rows| Sample { rows, seed: seed.unwrap_or_default() });
    query.pick.count = ask.count;
    query.member.clone_from(&args.member);
    (query.dialect, query.encodings) = dialect::read(&args.dialect, http.table_header());
    query.nulls = args.dialect.nulls();
    // An empty variable names no sheet.
    query.sheet = args.sheet.clone().filter(|sheet| !sheet.is_empty());
    query.member_encoding = member_encoding(&args.names)?;
    query.limits = bounds(&args.bounds);
    let limits = &mut query.limits;
    limits.field_bytes = args.max_field_size.map_or(limits.field_bytes, |bytes| bytes as usize);
    query.check()?;
    Ok(query)
}

/// Returns the encoding of members' names, if one is given.
pub(crate) fn member_encoding(args: &NameArgs) -> Result<Option<MemberEncoding>> {
    let given = args.member_encoding.as_deref().filter(|label| !label.is_empty());
    given.map(MemberEncoding::parse).transpose()
}

/// Returns the limits for an archive.
pub(crate) fn bounds(args: &BoundArgs) -> Limits {
    let mut limits = Limits::default();
    limits.members = args.members.unwrap_or(limits.members);
    limits.member_bytes = args.member_size.unwrap_or(limits.member_bytes);
    limits.ratio = args.ratio.unwrap_or(limits.ratio);
    limits
}

/// Reads the checksums that inputs are verified against.
pub(crate) fn checksums(args: &VerifyArgs) -> Result<Option<Arc<Checksums>>> {
    let Some(path) = &args.checksums else { return Ok(None) };
    let name = path.display().to_string();
    let file = File::open(path).map_err(|error| Error::io("cannot read the checksums", error).input(&name))?;
    Checksums::read(BufReader::new(file), &name).map(Arc::new).map(Some)
}

/// An empty expression keeps every row.
pub(crate) fn filter(text: &str) -> Result<Option<Filter>> {
    if text.trim().is_empty() { Ok(None) } else { Filter::parse(text).map(Some) }
}

pub(crate) fn fetch_options(args: &HttpArgs) -> Result<fetch::Options> {
    let mut options = fetch::Options::default();
    options.connect_timeout = args.connect_timeout;
    options.read_timeout = args.read_timeout;
    options.limit_rate = args.limit_rate;
    options.headers = args.http_headers();
    options.user_agent.clone_from(&args.user_agent);
    options.contact.clone_from(&args.contact);
    options.proxy.clone_from(&args.proxy);
    options.http2 = args.http2;
    options.allow_http = args.allow_http;
    options.insecure = args.insecure;
    options.ca_cert.clone_from(&args.cacert);
    options.cert.clone_from(&args.cert);
    options.key.clone_from(&args.key);
    options.netrc = netrc(args)?;
    Ok(options)
}

/// Reads the netrc file: the given one, or the user's own if there is one.
fn netrc(args: &HttpArgs) -> Result<Netrc> {
    // Treats an empty variable as not set.
    let given = |path: PathBuf| Some(path).filter(|path| !path.as_os_str().is_empty());
    let named = args.netrc_file.clone().and_then(given).or_else(|| given(std::env::var_os("NETRC")?.into()));
    match (args.no_netrc, named) {
        (true, _) => Ok(Netrc::default()),
        (false, Some(path)) => Netrc::read(&path),
        (false, None) => match std::env::home_dir().and_then(given).map(|home| home.join(".netrc")) {
            Some(path) if path.exists() => Netrc::read(&path),
            _ => Ok(Netrc::default()),
        },
    }
}

/// The limits and policies of a run.
pub(crate) fn run_options(args: &RunArgs) -> RunOptions {
    let mut options = limits(&args.limits);
    options.concurrency = Concurrency::new(if args.sequential { Jobs::Most(1) } else { args.jobs });
    if let Some(most) = args.limits.per_host {
        options.concurrency = options.concurrency.per_host(most);
    }
    options.stop_after = if args.fail_fast { Some(1) } else { args.max_failures.map(|n| n as u64) };
    options
}

/// The options that are the same at every level of concurrency.
pub(crate) fn limits(args: &LimitArgs) -> RunOptions {
    let mut options = RunOptions::default();
    options.backoff = Backoff::default().retries(args.retries).first(args.retry_delay);
    options.retry_max_time = args.retry_max_time;
    options.retry_on = args.retry_on.clone().unwrap_or_default();
    options.rate = args.rate;
    options
}
