//! Passes requests of the library to the caller's HTTP client, and keeps the error responses of the store.
//!
//! The library's errors hold the response only as text. Its client is replaceable, so what a request gets is
//! noted here, in a value that belongs to the operation's own task.

use crate::error_response::ErrorResponse;
use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt as _;
use object_store::ClientOptions;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpRequest, HttpResponse, HttpResponseBody, HttpService,
};
use raudal_common::lock;
use std::sync::{Arc, Mutex};

/// The most of an error's body that is read, in bytes.
const MOST: usize = 64 << 10;

tokio::task_local! {
    static HEARD: Arc<Mutex<Option<ErrorResponse>>>;
}

/// What went wrong with an operation: the library's error, and the last refusal of the store.
pub(crate) struct StoreFailure {
    pub(crate) error: object_store::Error,
    pub(crate) response: Option<ErrorResponse>,
}

/// Runs an operation of the library, and keeps the last error response of the store.
pub(crate) async fn listening<T>(operation: impl Future<Output = object_store::Result<T>>) -> Result<T, StoreFailure> {
    let heard = Arc::default();
    let done = HEARD.scope(Arc::clone(&heard), operation).await;
    done.map_err(|error| StoreFailure { error, response: lock(&heard).take() })
}

/// The caller's HTTP client, as the library wants it.
#[derive(Clone, Debug)]
pub(crate) struct Listener(pub(crate) reqwest::Client);

impl HttpConnector for Listener {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(self.clone()))
    }
}

#[async_trait]
impl HttpService for Listener {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        note(None);
        let response = self.0.call(request).await?;
        if response.status().is_success() {
            return Ok(response);
        }
        let (parts, body) = response.into_parts();
        let (mut stream, mut read) = (body.bytes_stream(), Vec::new());
        while let Some(bytes) = stream.next().await {
            read.extend_from_slice(&bytes?);
            if read.len() >= MOST {
                break;
            }
        }
        note(Some(ErrorResponse::new(parts.status, &parts.headers, &read)));
        Ok(HttpResponse::from_parts(parts, HttpResponseBody::from(Bytes::from(read))))
    }
}

fn note(response: Option<ErrorResponse>) {
    // A request outside of an operation is for credentials: nobody asks what it got.
    let _ = HEARD.try_with(|heard| *lock(heard) = response);
}
