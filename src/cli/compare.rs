//! `raudal compare`: a workload at several levels.

use super::args::{CompareArgs, WorkloadArg};
use super::session::{Session, check_folder};
use super::table::entities;
use super::{print, setup};
use raudal::compare::{self, Plan, Turn};
use raudal::pool::Observer;
use raudal::source::Edition;
use raudal::table::Query;
use raudal::workload::{Archives, Iter, Mirror};
use raudal::{Kind, Result, origin};
use std::sync::Arc;
use std::time::Duration;

/// What the embedded origin is like in a comparison, unless it is said: a server some way off, that gives each
/// connection its share. On the loopback interface as it is, there would be nothing to wait for, and so nothing that
/// concurrency could buy.
const LATENCY: Duration = Duration::from_millis(80);
const BANDWIDTH_PER_CONNECTION: u64 = 8 << 20;

pub(crate) async fn compare(args: CompareArgs) -> Result<u8> {
    let WorkloadArg::Iter = args.workload;
    let entities = entities(args.entities.as_deref())?;
    let mut query = Query::new();
    query.filter = setup::filter(&args.filter)?;
    let options = setup::limits(&args.limits, query);
    let mut mirror = setup::mirror(Some(&args.mirror), &args.origin)?;
    let mut place = args.mirror.clone();
    if let Mirror::Embedded(origin) = &mut mirror {
        origin.latency = args.origin.latency.unwrap_or(LATENCY);
        origin.bandwidth_per_connection = args.origin.bandwidth_per_connection.or(Some(BANDWIDTH_PER_CONNECTION));
        place = describe(origin);
    }
    for path in [&args.export_json, &args.export_markdown] {
        check_folder(path.as_deref())?;
    }
    let plan = Plan::new(args.jobs.iter().copied())?.runs(args.runs)?.warmup(args.warmup);

    let session = Session::begin(&args.show, None, false);
    session.warn_of(&args.http);
    session.progress.note(&format!("{} archives from {place}", entities.len()));
    let token = session.signals.token().clone();
    let work = async {
        let archives = Archives::open(&mirror, &entities, Edition::from(args.edition)).await?;
        let workload = Iter::new(archives, setup::fetch_options(&args.http), options);
        let done = compare::compare(&workload, &plan, &Watch(&session), token.clone()).await;
        workload.close().await;
        done
    };
    let done = tokio::select! {
        biased;
        done = work => done,
        // The comparison itself stops in good order; this is for the making of the archives.
        () = async { token.cancelled().await; tokio::time::sleep(Duration::from_millis(900)).await } => {
            Err(raudal::Error::new(Kind::Cancelled, "cancelled"))
        }
    };
    session.progress.finish();
    let comparison = match (done, session.signals.stop()) {
        (Err(error), Some(stop)) if error.kind() == Kind::Cancelled => {
            session.progress.error(&format!("{}: nothing was compared", stop.words()));
            return Ok(stop.code());
        }
        (done, _) => done?,
    };
    if let Some(path) = &args.export_json {
        compare::export(path, &compare::to_json(&comparison)?)?;
    }
    if let Some(path) = &args.export_markdown {
        compare::export(path, &compare::to_markdown(&comparison))?;
    }
    print(compare::render_text(&comparison).as_bytes())
}

fn describe(origin: &origin::Options) -> String {
    use raudal::units;
    let per_connection = origin
        .bandwidth_per_connection
        .map_or(String::new(), |bytes| format!(", {} for each connection", units::rate(bytes as f64)));
    let all = origin.bandwidth.map_or(String::new(), |bytes| format!(", {} in all", units::rate(bytes as f64)));
    format!("the embedded origin: {} of latency{per_connection}{all}", units::duration(origin.latency))
}

/// Shows each run as it goes, and says what it took.
struct Watch<'a>(&'a Session);

impl compare::Watch for Watch<'_> {
    fn begin(&self, _: &Turn) -> Arc<dyn Observer> {
        self.0.observer()
    }

    fn done(&self, turn: &Turn, wall: Duration) {
        self.0.progress.note(&format!("{turn}, {}", raudal::units::duration(wall)));
    }
}
