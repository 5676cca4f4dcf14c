//! The cloud stores of a client: signs requests, reads refusals, lists.

use reqwest::Response;
use reqwest::header::HeaderMap;
use url::Url;

use crate::http::cloud::Refusal;
use crate::http::requests::HttpRequests;
use raudal_common::Result;
#[cfg(not(feature = "cloud"))]
use raudal_common::{Error, Kind};
#[cfg(feature = "cloud")]
use raudal_source::Object;

/// The most of a refusal that is read, in bytes.
#[cfg(feature = "cloud")]
const MOST: usize = 64 << 10;

#[cfg(feature = "cloud")]
impl HttpRequests {
    /// Signs a request for an object. Returns the address that it goes to.
    pub(crate) async fn sign(&self, url: &Url, headers: &mut HeaderMap) -> Result<Url> {
        let Some(object) = Object::of(url) else { return Ok(url.clone()) };
        self.stores().sign(&object, headers, &|server| self.of_store(server)).await
    }

    /// Reads what a store says when it refuses.
    pub(crate) async fn refusal(&self, url: &Url, mut response: Response) -> Option<Refusal> {
        let object = Object::of(url)?;
        let (status, headers) = (response.status(), response.headers().clone());
        let mut body = Vec::new();
        while let Ok(Some(bytes)) = response.chunk().await {
            body.extend_from_slice(&bytes);
            if body.len() >= MOST {
                break;
            }
        }
        let response = raudal_cloud::ErrorResponse::new(status, &headers, &body);
        if self.stores().learn(&object, &response) {
            return Some(Refusal::Again);
        }
        Some(Refusal::Error(self.stores().refusal(&object, &response)))
    }

    /// Returns the inputs that a glob stands for, with their sizes.
    pub(crate) async fn list(&self, glob: &str) -> Result<Vec<raudal_source::Input>> {
        let object = Object::parse_glob(glob)?;
        let listed = self.stores().list(&object, &|server| self.of_store(server)).await?;
        let input = |listed: raudal_cloud::Listed| {
            let mut input = raudal_source::Input::new(raudal_source::Location::Url(listed.object.url()?));
            input.size = Some(listed.size);
            Ok(input)
        };
        listed.into_iter().map(input).collect()
    }

    /// Opens a folder of a bucket.
    pub(crate) async fn bucket(&self, folder: &Object) -> Result<raudal_cloud::Bucket> {
        raudal_cloud::Bucket::open(self.stores(), folder, &|server| self.of_store(server)).await
    }
}

#[cfg(not(feature = "cloud"))]
#[expect(clippy::unused_async, reason = "as with the feature")]
impl HttpRequests {
    pub(crate) async fn sign(&self, _: &Url, _: &mut HeaderMap) -> Result<Url> {
        Err(absent())
    }

    pub(crate) async fn refusal(&self, _: &Url, _: Response) -> Option<Refusal> {
        None
    }

    pub(crate) async fn list(&self, _: &str) -> Result<Vec<raudal_source::Input>> {
        Err(absent())
    }
}

#[cfg(not(feature = "cloud"))]
fn absent() -> Error {
    Error::new(Kind::Unsupported, "this program was built without cloud stores")
        .hint("build it with the cargo feature `cloud`")
}
