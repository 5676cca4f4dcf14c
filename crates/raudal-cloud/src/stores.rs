//! The stores of a run: each service is looked for once, when its first object is asked for.

use crate::aws::Aws;
use crate::azure::Azure;
use crate::environment::Environment;
use crate::error_response::{ErrorResponse, Signed};
use crate::gcs::Gcs;
use crate::listen::{StoreFailure, listening};
use crate::secrets;
use crate::{Http, Listed};
use http::{HeaderMap, Uri};
use object_store::ObjectStore;
use object_store::client::{HttpRequest, HttpRequestBody};
use object_store::list::{PaginatedListOptions, PaginatedListStore};
use raudal_common::{Error, Kind, Result, lock};
use raudal_source::{MAX_INPUTS, Object, Service};
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};
use tokio::sync::OnceCell;
use url::Url;

/// Signs requests for objects, and lists them.
///
/// A request is signed in its headers, just before it is sent. A signature in the URL would work too, but it has
/// three drawbacks. It would appear in messages, proxy logs and caches. It would expire. And Google and Azure create
/// one only with keys of their own, not with the login of a person or of a machine. The caller sends the request, so
/// ranges, segments and resuming work as with any URL.
///
/// ```
/// use raudal_cloud::{Environment, Stores};
/// use raudal_source::Object;
///
/// # #[tokio::main] async fn main() -> raudal_common::Result<()> {
/// let environment: Environment = [
///     ("AWS_ACCESS_KEY_ID", "AKID"),
///     ("AWS_SECRET_ACCESS_KEY", "secret"),
///     ("AWS_ENDPOINT_URL", "http://127.0.0.1:9000"),
/// ]
/// .into_iter()
/// .collect();
/// let stores = Stores::new(environment);
///
/// let mut headers = http::HeaderMap::new();
/// let object = Object::parse("s3://bucket/a b.csv")?;
/// let url = stores.sign(&object, &mut headers, &|_| unreachable!("keys need no request")).await?;
/// assert_eq!(url.as_str(), "http://127.0.0.1:9000/bucket/a%20b.csv");
/// assert!(headers["authorization"].as_bytes().starts_with(b"AWS4-HMAC-SHA256 Credential=AKID/"));
/// # Ok(()) }
/// ```
#[derive(Debug, Default)]
pub struct Stores {
    environment: Environment,
    aws: OnceCell<Aws>,
    gcs: OnceCell<Gcs>,
    azure: OnceCell<Azure>,
    /// The regions of buckets, as far as their service has told them.
    regions: Mutex<HashMap<String, String>>,
}

/// A bucket as the library has it.
pub(crate) trait BucketStore: ObjectStore + PaginatedListStore {}
impl<S: ObjectStore + PaginatedListStore> BucketStore for S {}

impl Stores {
    /// Creates the stores of an environment. Nothing is read yet.
    pub fn new(environment: Environment) -> Self {
        Self { environment, ..Self::default() }
    }

    async fn aws(&self, http: Http<'_>) -> Result<&Aws> {
        self.aws.get_or_try_init(|| Aws::find(&self.environment, http)).await
    }

    async fn gcs(&self, http: Http<'_>) -> Result<&Gcs> {
        self.gcs.get_or_try_init(|| Gcs::find(&self.environment, http)).await
    }

    async fn azure(&self, http: Http<'_>) -> Result<&Azure> {
        self.azure.get_or_try_init(|| Azure::find(&self.environment, http)).await
    }

    /// Signs a GET request for an object: adds to its headers, and returns the URL to send it to. Headers
    /// that are added later are not signed.
    ///
    /// # Errors
    ///
    /// Fails with a usage error for a bucket in place of an object, and for an environment that contradicts itself.
    /// Fails if the credentials that the environment names cannot be obtained.
    pub async fn sign(&self, object: &Object, headers: &mut HeaderMap, http: Http<'_>) -> Result<Url> {
        if object.key.is_empty() || object.key.ends_with('/') {
            return Err(Error::usage("a bucket or a folder in place of an object")
                .hint("add a pattern, such as s3://bucket/folder/*.csv"));
        }
        let mut request = HttpRequest::new(HttpRequestBody::empty());
        // Signing takes text, and others are no part of it.
        let plain = headers.iter().filter(|(_, value)| value.to_str().is_ok());
        *request.headers_mut() = plain.map(|(name, value)| (name.clone(), value.clone())).collect();
        let url = secrets::server(&format!("{}/{}", self.base(object, http).await?, object.encoded_key()))?;
        *request.uri_mut() = uri(&url)?;
        match object.service {
            Service::S3 => {
                let aws = self.aws(http).await?;
                aws.sign(&mut request, &self.region(&object.bucket, &aws.region)).await?;
            }
            Service::Gcs => self.gcs(http).await?.sign(&mut request).await?,
            Service::Azure => self.azure(http).await?.sign(&mut request).await?,
        }
        // A shared access signature is in the query.
        let signed =
            Url::parse(&request.uri().to_string()).map_err(|error| Error::usage("not a URL").because(error))?;
        for (name, value) in request.headers() {
            let mut value = value.clone();
            value.set_sensitive(name == http::header::AUTHORIZATION || name.as_str().ends_with("-token"));
            headers.insert(name.clone(), value);
        }
        Ok(signed)
    }

    async fn base(&self, object: &Object, http: Http<'_>) -> Result<String> {
        Ok(match object.service {
            Service::S3 => {
                let aws = self.aws(http).await?;
                aws.base(&object.bucket, &self.region(&object.bucket, &aws.region))
            }
            Service::Gcs => self.gcs(http).await?.base(&object.bucket),
            Service::Azure => self.azure(http).await?.base(&object.bucket),
        })
    }

    fn region(&self, bucket: &str, default: &str) -> String {
        lock(&self.regions).get(bucket).map_or_else(|| default.to_owned(), String::clone)
    }

    /// Records the region of a bucket, if its service has named one that was not used yet. Returns whether it has:
    /// then the same request, signed again, goes there.
    pub fn learn(&self, object: &Object, response: &ErrorResponse) -> bool {
        let (Service::S3, Some(aws), Some(region)) = (object.service, self.aws.get(), response.other_region()) else {
            return false;
        };
        let before = self.region(&object.bucket, &aws.region);
        let is_new = before != region && !lock(&self.regions).contains_key(&object.bucket);
        if is_new {
            lock(&self.regions).insert(object.bucket.clone(), region.to_owned());
        }
        is_new
    }

    /// Returns the error for a response that is not a success.
    pub fn refusal(&self, object: &Object, response: &ErrorResponse) -> Error {
        let region = self.aws.get().map(|aws| self.region(&object.bucket, &aws.region));
        response.error(object, self.signed(object.service), region.as_deref())
    }

    fn signed(&self, service: Service) -> Signed {
        let signed = match service {
            Service::S3 => self.aws.get().map(Aws::signed),
            Service::Gcs => self.gcs.get().map(Gcs::signed),
            Service::Azure => self.azure.get().map(Azure::signed),
        };
        signed.unwrap_or(Signed::No)
    }

    pub(crate) async fn store(&self, object: &Object, http: Http<'_>) -> Result<Arc<dyn BucketStore>> {
        let client = http(&secrets::server(&self.base(object, http).await?)?)?;
        let (environment, bucket, retries) = (&self.environment, object.bucket.as_str(), secrets::retries());
        let built = match object.service {
            Service::S3 => {
                let aws = self.aws(http).await?;
                let builder = aws.builder(environment, bucket, &self.region(bucket, &aws.region), client);
                builder.with_retry(retries).build().map(|store| Arc::new(store) as Arc<dyn BucketStore>)
            }
            Service::Gcs => {
                let builder = self.gcs(http).await?.builder(environment, bucket, client);
                builder.with_retry(retries).build().map(|store| Arc::new(store) as Arc<dyn BucketStore>)
            }
            Service::Azure => {
                let builder = self.azure(http).await?.builder(environment, bucket, client);
                builder.with_retry(retries).build().map(|store| Arc::new(store) as Arc<dyn BucketStore>)
            }
        };
        built.map_err(|error| Error::usage("cannot use the store").because(secrets::root(&error)))
    }

    /// Returns the objects that a glob stands for, in the order of their keys. Only names below its
    /// [prefix](Object::prefix) are listed.
    ///
    /// # Errors
    ///
    /// Fails, naming the glob, if it cannot be listed or stands for more than [`MAX_INPUTS`].
    pub async fn list(&self, glob: &Object, http: Http<'_>) -> Result<Vec<Listed>> {
        let listed = match self.list_once(glob, http).await {
            Err(failed) if failed.response.as_ref().is_some_and(|response| self.learn(glob, response)) => {
                self.list_once(glob, http).await
            }
            listed => listed,
        };
        listed.map_err(|failed| {
            // It is about the bucket: the glob is no key.
            let bucket = Object::new(glob.service, &glob.bucket, "");
            bucket.map_or_else(|error| error, |bucket| self.explain(&bucket, failed))
        })?
    }

    async fn list_once(&self, glob: &Object, http: Http<'_>) -> Result<Result<Vec<Listed>>, StoreFailure> {
        let store = match self.store(glob, http).await {
            Ok(store) => store,
            Err(error) => return Ok(Err(error)),
        };
        let (prefix, mut found, mut folders) = (glob.prefix(), BTreeMap::new(), Vec::new());
        let mut options = PaginatedListOptions {
            delimiter: (!glob.is_deep()).then_some("/".into()),
            ..PaginatedListOptions::default()
        };
        loop {
            let page =
                listening(store.list_paginated(Some(prefix).filter(|prefix| !prefix.is_empty()), options.clone()))
                    .await?;
            for object in page.result.objects {
                let key = object.location.as_ref();
                if object.size == 0 {
                    folders.push(key.to_owned());
                }
                if glob.matches(key) {
                    found.insert(key.to_owned(), object.size);
                }
            }
            if found.len() as u64 > MAX_INPUTS {
                return Ok(Err(Error::usage(format!("more objects match than {MAX_INPUTS}"))));
            }
            options.page_token = page.page_token;
            if options.page_token.is_none() {
                break;
            }
        }
        // Consoles mark a folder with an empty object whose key ends with a slash. The library drops the slash.
        for folder in folders {
            let below = format!("{folder}/");
            if found.range(below.clone()..).next().is_some_and(|(key, _)| key.starts_with(&below)) {
                found.remove(&folder);
            }
        }
        let listed = found
            .into_iter()
            .map(|(key, size)| Ok(Listed { object: Object::new(glob.service, &glob.bucket, &key)?, size }));
        Ok(listed.collect())
    }

    pub(crate) fn explain(&self, object: &Object, failed: StoreFailure) -> Error {
        match failed.response {
            Some(response) => self.refusal(object, &response),
            None if matches!(failed.error, object_store::Error::InvalidPath { .. }) => Error::new(
                Kind::Unsupported,
                "the bucket has a key with an empty part, such as a//b, which cannot be listed",
            )
            .hint("give the objects in a list, or a pattern below another folder"),
            None => Error::new(Kind::Connect, "cannot reach the store").because(secrets::root(&failed.error)),
        }
    }
}

fn uri(url: &Url) -> Result<Uri> {
    url.as_str().parse().map_err(|error: http::uri::InvalidUri| Error::usage("not a URL").because(error))
}
