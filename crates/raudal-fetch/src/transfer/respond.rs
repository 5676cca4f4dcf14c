//! Sends the request of an attempt and follows redirects, to the first response that is not one.

use std::pin::pin;
use std::time::Duration;

use reqwest::header::{self, HeaderMap, HeaderValue};
use reqwest::{RequestBuilder, Response};
use tokio::time::{Instant, sleep};
use url::{Position, Url};

use crate::Partial;
use crate::http::client_pool::Load;
use crate::http::cloud::{self, Refusal};
use crate::http::conditional::Validators;
use crate::http::connection;
use crate::http::cookie::Cookies;
use crate::http::failure;
use crate::http::redirect;
use crate::http::response;
use crate::progress::TransferProgress;
use crate::transfer::silence::{self, SILENCE};
use crate::transfer::transport::Transport;
use raudal_common::error::redact;
use raudal_common::{Error, Kind, Result};
use raudal_source::Location;

/// As many kept connections to one host can be stale at once.
const MOST_STALE: usize = 64;

/// A response that is not a redirect.
pub(super) struct FinalResponse {
    pub(super) response: Response,
    /// The URL that it came from.
    pub(super) here: Url,
    /// Whether the request was for the rest, not for the whole body.
    pub(super) is_to_range: bool,
    /// Whether the request was for a body only if it has changed.
    pub(super) is_conditional: bool,
    /// The time from the request to the head of the response.
    pub(super) took: Duration,
    /// Whether its head is not HTTP as it should be.
    pub(super) is_bad_head: bool,
}

/// Sends a request for the whole body or for the missing bytes. Follows redirects, and returns the
/// first response that is not one.
pub(super) async fn respond(
    transport: &Transport,
    start: &Url,
    kept: Option<&Partial>,
    known: Option<&Validators>,
    progress: &dyn TransferProgress,
) -> Result<FinalResponse> {
    let (mut is_to_range, mut is_conditional) = (false, false);
    let mut last = follow_redirects(transport, start, progress, |here, headers| {
        is_to_range = kept.is_some_and(|partial| partial.ask(here, headers));
        is_conditional = !is_to_range && known.is_some_and(|known| known.ask(here, headers));
    })
    .await?;
    (last.is_to_range, last.is_conditional) = (is_to_range, is_conditional);
    Ok(last)
}

/// Sends a request, with the headers that `add` adds for each address. Follows redirects, and returns the first
/// response that is not one.
pub(super) async fn follow_redirects(
    transport: &Transport,
    start: &Url,
    progress: &dyn TransferProgress,
    mut add: impl FnMut(&Url, &mut HeaderMap) + Send,
) -> Result<FinalResponse> {
    let (mut here, mut cookies) = (start.clone(), Cookies::default());
    for _ in 0..=transport.options().max_redirects {
        let mut headers = HeaderMap::new();
        let requests = &transport.requests;
        let first = requests.get((start, &here), false, |dressed| {
            cookies.add(&here, dressed);
            add(&here, dressed);
            headers.clone_from(dressed);
        });
        let first = first.await?;
        let again = Again { transport, start, here: &here, headers };
        let begin = Instant::now();
        let mut sent = send_watched(first, &again, progress).await?;
        let is_bad_head = sent.as_ref().is_err_and(failure::is_bad_head);
        if is_bad_head {
            sent = send(again.request(true).await?, progress).await;
        }
        let response = sent.map_err(|error| {
            let fault = failure::before_answer(&error, transport.options());
            // The error names the input anyway, so name the host only if it is another one.
            match error.url() {
                Some(server) if cloud::is_object(&here) => {
                    elsewhere(&fault, &format!("the store at {}", server.origin().ascii_serialization()))
                }
                _ if here.host() == start.host() => fault,
                _ => elsewhere(&fault, &format!("after a redirect to {}", redact(here.as_str()))),
            }
        })?;
        if cloud::is_object(&here) && !cloud::is_expected(response.status().as_u16()) {
            let wait = response::retry_after(response.headers());
            match transport.requests.refusal(&here, response).await {
                Some(Refusal::Error(error)) => return Err(error.retry_after(wait)),
                _ => continue,
            }
        }
        if !redirect::is_redirect(response.status().as_u16()) {
            here.set_fragment(None);
            return Ok(FinalResponse {
                response,
                here,
                is_to_range: false,
                is_conditional: false,
                took: begin.elapsed(),
                is_bad_head,
            });
        }
        cookies.take(&here, response.headers());
        let target = response.headers().get(header::LOCATION).map(HeaderValue::as_bytes);
        here = redirect::next(&here, target, transport.options().allow_http)?;
    }
    Err(Error::new(Kind::Redirect, format!("too many redirects: more than {}", transport.options().max_redirects))
        .hint("the server may send requests in a circle: open the URL in a browser"))
}

/// A request that may be sent again.
struct Again<'a> {
    transport: &'a Transport,
    /// The address whose slots count.
    start: &'a Url,
    here: &'a Url,
    headers: HeaderMap,
}

impl Again<'_> {
    async fn request(&self, is_lenient: bool) -> Result<(RequestBuilder, Load)> {
        let headers = |dressed: &mut HeaderMap| dressed.clone_from(&self.headers);
        self.transport.requests.get((self.start, self.here), is_lenient, headers).await
    }
}

/// Sends a request. Sends it a second time if it is not answered while others to this host are, once there is a slot for
/// that.
async fn send_watched(
    request: (RequestBuilder, Load),
    again: &Again<'_>,
    progress: &dyn TransferProgress,
) -> Result<reqwest::Result<Response>> {
    let transport = again.transport;
    let host = Location::Url(again.start.clone()).key();
    let (silences, begin) = (&transport.silences, Instant::now());
    let answered = silences.answered(host.as_deref());
    let mut first = pin!(send(request, progress));
    let room = async {
        sleep(SILENCE).await;
        let waiting = silences.enter(host.clone(), begin, answered);
        transport.transfers.wake();
        waiting.leave().await
    };
    let leave = tokio::select! {
        biased;
        sent = &mut first => {
            silences.record(host, begin.elapsed());
            return Ok(sent);
        }
        leave = room => leave,
    };
    // The stages are those of the first.
    let second = send(again.request(false).await?, &());
    let sent = tokio::select! {
        biased;
        sent = &mut first => sent,
        second = second => if silence::is_better(&second) { second } else { first.await },
    };
    drop(leave);
    Ok(sent)
}

/// Sends a request, again at once where a connection that was kept open turns out to be stale. That is no attempt: the
/// server has not answered this request.
async fn send((request, load): (RequestBuilder, Load), progress: &dyn TransferProgress) -> reqwest::Result<Response> {
    let mut response = send_afresh(request, progress).await?;
    response.extensions_mut().insert(load);
    Ok(response)
}

async fn send_afresh(mut request: RequestBuilder, progress: &dyn TransferProgress) -> reqwest::Result<Response> {
    for _ in 0..MOST_STALE {
        let Some(again) = request.try_clone() else { break };
        let sent = connection::watched(request.send(), progress).await;
        match sent.outcome {
            Err(error) if sent.is_reused && failure::is_stale(&error) => request = again,
            outcome => return outcome,
        }
    }
    connection::watched(request.send(), progress).await.outcome
}

/// Adds to the error of a response where it came from, if that is not where the request went first. Without the query,
/// which may be a key.
pub(super) fn behind_redirect(error: Error, asked: &Url, here: &Url) -> Error {
    let is_same = asked[Position::BeforeHost..Position::AfterQuery] == here[Position::BeforeHost..Position::AfterQuery];
    if is_same || cloud::is_object(asked) {
        return error;
    }
    let mut shown = here.clone();
    shown.set_query(None);
    elsewhere(&error, &format!("after a redirect to {}", redact(shown.as_str())))
}

/// Returns the same error, with the host that failed.
fn elsewhere(fault: &Error, host: &str) -> Error {
    let message = format!("{host}: {}", fault.report());
    let error = Error::new(fault.kind(), message).transient(fault.is_transient()).retry_after(fault.wait());
    match fault.hint_text() {
        Some(hint) => error.hint(hint),
        None => error,
    }
}
