//! Credentials, for all services: they are found or not, and never shown.

use crate::error_response::Signed;
use http::HeaderValue;
use object_store::{BackoffConfig, CredentialProvider, RetryConfig};
use raudal_common::{Error, Kind, Result};
use std::error::Error as StdError;
use std::sync::Arc;
use std::time::Duration;
use url::Url;

/// How long to look for credentials of this machine. Its own network answers at once, or there is none.
const PROBE: Duration = Duration::from_secs(2);
/// How long to wait for credentials that the environment asks for.
const PATIENCE: Duration = Duration::from_secs(30);

/// Credentials that were looked for.
#[derive(Debug)]
pub(crate) enum Credentials<P> {
    /// These sign each request.
    Of(P),
    /// There are none, so requests are not signed: public buckets need no more.
    Nothing,
    /// The environment says that requests are not signed.
    Skipped,
}

impl<P> Credentials<P> {
    pub(crate) fn signed(&self) -> Signed {
        match self {
            Self::Of(_) => Signed::Yes,
            Self::Nothing => Signed::No,
            Self::Skipped => Signed::Skipped,
        }
    }
}

/// Tries a source of credentials. One that nobody asked for, such as the network of a machine in a cloud,
/// may be missing.
pub(crate) async fn probe<C: Send + Sync>(
    provider: Arc<dyn CredentialProvider<Credential = C>>,
    is_asked_for: bool,
    service: &str,
) -> Result<Credentials<Arc<dyn CredentialProvider<Credential = C>>>> {
    let limit = if is_asked_for { PATIENCE } else { PROBE };
    match tokio::time::timeout(limit, provider.get_credential()).await {
        Ok(Ok(_)) => Ok(Credentials::Of(provider)),
        _ if !is_asked_for => Ok(Credentials::Nothing),
        Ok(Err(error)) => Err(unusable(service, &error)),
        Err(_) => Err(Error::new(Kind::Timeout, format!("no credentials for {service} within {limit:?}"))),
    }
}

/// The retries of a request for credentials.
pub(crate) fn once() -> RetryConfig {
    RetryConfig { max_retries: 1, retry_timeout: PATIENCE, ..RetryConfig::default() }
}

/// The retries of requests to a store.
pub(crate) fn retries() -> RetryConfig {
    let backoff = BackoffConfig { init_backoff: Duration::from_millis(200), ..BackoffConfig::default() };
    RetryConfig { max_retries: 4, retry_timeout: Duration::from_secs(60), backoff }
}

/// Refuses what cannot be sent, so that the library does not have to.
pub(crate) fn check(secret: &str, what: &str) -> Result<()> {
    if secret.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(());
    }
    Err(Error::usage(format!("a space or a special letter in the {what}")).hint("copy them again"))
}

pub(crate) fn bearer(token: &str) -> Result<HeaderValue> {
    check(token, "token")?;
    let mut value = HeaderValue::from_str(&format!("Bearer {token}"))
        .map_err(|_| Error::usage("the token has letters that cannot be sent"))?;
    value.set_sensitive(true);
    Ok(value)
}

/// Returns the URL of a server that the environment names.
pub(crate) fn server(text: &str) -> Result<Url> {
    let url = Url::parse(text).map_err(|error| not_a_server(text).because(error))?;
    let is_server = matches!(url.scheme(), "http" | "https") && url.username().is_empty() && url.password().is_none();
    if is_server { Ok(url) } else { Err(not_a_server(text)) }
}

fn not_a_server(text: &str) -> Error {
    Error::usage("not the URL of a server").input(text).hint("such as https://host:9000; check AWS_ENDPOINT_URL")
}

/// Returns the error for credentials that cannot be used.
pub(crate) fn unusable(service: &str, error: &object_store::Error) -> Error {
    Error::usage(format!("cannot use the credentials for {service}")).because(root(error))
}

/// Returns the error for credentials that cannot be renewed.
pub(crate) fn gone(service: &str, error: &object_store::Error) -> Error {
    Error::new(Kind::Connect, format!("cannot renew the credentials for {service}")).because(root(error))
}

/// Returns the message of the innermost cause: the outer ones repeat addresses, which may hold a token.
pub(crate) fn root(error: &(dyn StdError + 'static)) -> String {
    let mut innermost = error;
    while let Some(cause) = innermost.source() {
        innermost = cause;
    }
    innermost.to_string()
}
