//! The server: accepts connections, finds what a request asks for, and responds.
//!
//! A fault is applied between [`respond`] and the connection. There, a response is a plain value,
//! and nothing of it has been sent yet. Faults of the connection itself go to its [`Wire`].

use super::api::Call;
use super::archives::{ArchiveStore, ServedArchive};
use super::body::PacedBody;
use super::fault::{self, FaultInjector, InjectedFault, RequestInfo, Script, Wire};
use super::pace::{Pacer, SharedBucket};
use super::response::OriginResponse;
use super::stall::Stall;
use super::stats::OriginCounters;
use super::teams::{self, Team};
use super::{pages, synth};
use hyper::body::Incoming;
use hyper::header::{self, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use raudal_catalogue::{Edition, Entry, iter_2020};
use raudal_common::Result;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::Instant;

/// How long a client may take to send a request's head. An idle connection is closed after this
/// time too. nginx has 60 s for the first and 75 s for the second.
const HEAD_TIMEOUT: Duration = Duration::from_secs(60);

/// How long a client may go without reading a byte, like nginx's `send_timeout`.
const WRITE_TIMEOUT: Duration = Duration::from_secs(60);

/// How many bytes of a response hyper may hold before the socket takes them. It is small, so that
/// the pace and the counts match the network.
const BUFFER: usize = 64 * 1024;

/// The pause after a connection could not be accepted, mostly for lack of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What all connections share.
#[derive(Debug)]
pub(super) struct ServerState {
    pub(super) archives: ArchiveStore,
    pub(super) counters: Arc<OriginCounters>,
    pub(super) latency: Duration,
    pub(super) bandwidth_per_connection: Option<u64>,
    /// The bucket of all connections together.
    pub(super) bandwidth: Option<SharedBucket>,
    pub(super) faults: FaultInjector,
}

/// Serves until `stop`, then ends every connection and waits for it. Dropping the future ends them,
/// too.
pub(super) async fn serve(listener: TcpListener, shared: Arc<ServerState>, stop: impl Future<Output = ()>) {
    let mut connections = JoinSet::new();
    tokio::pin!(stop);
    loop {
        tokio::select! {
            () = &mut stop => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(connection(stream, Arc::clone(&shared)));
                }
                Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
            },
            // A task that panicked has closed its connection. Its client notices, and the others go
            // on.
            Some(_) = connections.join_next() => {}
        }
    }
    connections.shutdown().await;
}

/// Serves one connection, request after request.
async fn connection(stream: TcpStream, shared: Arc<ServerState>) {
    let _open = shared.counters.connection();
    // Small writes are on purpose: they make the pace.
    let _ = stream.set_nodelay(true);
    let pacer = Pacer::new(shared.bandwidth_per_connection, shared.bandwidth.as_ref(), Instant::now());
    let script = (!shared.faults.is_empty()).then(Script::default);
    let service = service_fn(|request| {
        let (shared, pacer, script) = (&shared, &pacer, script.as_ref());
        async move { Ok::<_, Infallible>(handle(shared, pacer, script, request).await) }
    });
    // The wire is outside, so that a stall on purpose does not count as a client that does not
    // read.
    let wire = Wire::new(Stall::new(stream, WRITE_TIMEOUT), script.clone());
    // An error here is the client's, which hung up, stalled or did not speak HTTP, or it is a fault
    // on purpose.
    let _ = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(BUFFER)
        .serve_connection(TokioIo::new(wire), service)
        .await;
}

/// Handles one request: returns the response after the latency of the link.
async fn handle(
    shared: &ServerState,
    pacer: &Pacer,
    script: Option<&Script>,
    mut request: Request<Incoming>,
) -> Response<PacedBody> {
    let in_flight = shared.counters.request();
    let injected = shared.faults.fault_for(request.uri().path(), request.headers().contains_key(header::RANGE));
    if let Some(injected) = injected {
        injected.to_request(request.headers_mut());
    }
    let think = Call::of(request.uri()).and_then(|call| call.think).unwrap_or_default();
    let pause = shared.latency.saturating_add(think);
    let latency = async {
        if !pause.is_zero() {
            tokio::time::sleep(pause).await;
        }
    };
    let (response, ()) = tokio::join!(respond(shared, &request), latency);
    let response = response.and_then(|response| inject(shared, script, injected, &request, response));
    let response =
        response.unwrap_or_else(|error| OriginResponse::plain(StatusCode::INTERNAL_SERVER_ERROR, error.report()));
    response.into_response(request.method(), pacer, in_flight)
}

/// Applies the fault, if there is one, to the response.
fn inject(
    shared: &ServerState,
    script: Option<&Script>,
    injected: Option<InjectedFault>,
    request: &Request<Incoming>,
    response: OriginResponse,
) -> Result<OriginResponse> {
    let (response, act) = match injected {
        Some(injected) => {
            shared.counters.fault();
            injected.to_response(response, &RequestInfo::of(request), &shared.faults)?
        }
        None => (response, None),
    };
    if let Some(script) = script {
        script.play(act);
    }
    Ok(response)
}

/// Finds what is asked for, and decides on the response.
async fn respond(shared: &ServerState, request: &Request<Incoming>) -> Result<OriginResponse> {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let mut refused =
            OriginResponse::plain(StatusCode::METHOD_NOT_ALLOWED, "GET and HEAD are allowed\n".to_owned());
        refused.headers.push((header::ALLOW, HeaderValue::from_static("GET, HEAD")));
        return Ok(refused);
    }
    let path = request.uri().path();
    if !shared.faults.is_empty() && fault::is_redirect_loop(path) {
        return fault::redirect_loop(path);
    }
    if let Some(call) = Call::of(request.uri()) {
        return Ok(OriginResponse::json(call.respond(shared.archives.seed())));
    }
    Ok(match route(path) {
        Route::Index => OriginResponse::page(pages::index()),
        Route::Archive(entity, edition) => {
            let archive = shared.archives.get(entity, edition).await?;
            OriginResponse::archive(request, &shared.faults.version(path, archive).await?)
        }
        Route::Tiny(number) => {
            // This takes a few microseconds, less than a blocking thread would cost.
            let archive = ServedArchive::new(synth::tiny(number, shared.archives.seed())?);
            OriginResponse::archive(request, &shared.faults.version(path, archive).await?)
        }
        Route::Teams => OriginResponse::page(teams::index()),
        Route::Team(team) => OriginResponse::page(teams::page(team)),
        Route::Missing => OriginResponse::page(pages::missing()),
    })
}

/// What a path names.
#[derive(Debug, PartialEq, Eq)]
enum Route {
    Index,
    Archive(&'static Entry, Edition),
    Tiny(u64),
    Teams,
    Team(&'static Team),
    Missing,
}

/// Finds the route of a path. The last segment is the name of a file, in upper or lower case.
/// Folders do not matter, so INEGI's own paths work. Nothing is read from a disk, so no path can
/// leave a folder.
fn route(path: &str) -> Route {
    if path == "/" {
        return Route::Index;
    }
    if path == "/teams/" {
        return Route::Teams;
    }
    if let Some(team) = teams::find(path) {
        return Route::Team(team);
    }
    let name = path.rsplit('/').next().unwrap_or_default();
    if let Some((entity, edition)) = iter_2020::catalogue().find_file(name) {
        return Route::Archive(entity, edition);
    }
    let name = name.to_ascii_lowercase();
    let number = name.strip_prefix("tiny_").and_then(|rest| rest.strip_suffix(".zip"));
    match number.filter(|digits| digits.bytes().all(|b| b.is_ascii_digit())).map(str::parse) {
        Some(Ok(number)) => Route::Tiny(number),
        _ => Route::Missing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_segment_decides_in_any_case_of_letters() {
        let veracruz = &iter_2020::catalogue().entries()[29];
        for path in ["/ITER_30_2020_csv.zip", "/contenidos/programas/ccpv/2020/microdatos/iter/iter_30_2020_CSV.ZIP"] {
            assert_eq!(route(path), Route::Archive(veracruz, iter_2020::MICRODATOS), "{path}");
        }
        assert_eq!(route("/x/iter_30_cpv2020_csv.zip"), Route::Archive(veracruz, iter_2020::DATOS_ABIERTOS));
        assert_eq!(route("/"), Route::Index);
        assert_eq!(route("/a/tiny_00042.zip"), Route::Tiny(42));
        for path in
            ["/ITER_33_2020_csv.zip", "/tiny_.zip", "/tiny_+1.zip", "/tiny_99999999999999999999.zip", "/../a", "/a/"]
        {
            assert_eq!(route(path), Route::Missing, "{path}");
        }
    }
}
