//! Objects in cloud stores: S3 and servers that speak its protocol, Google Cloud Storage, Azure Blob Storage.
//!
//! [`Stores`] makes an HTTP request for an [`Object`](raudal_source::Object) that any client can send, lists the
//! objects of a glob, and opens a [`Bucket`] for objects that are written once. It sends its own requests over the
//! client of the caller, so proxies, certificates and limits are the same. Its settings come from the
//! [`Environment`], under the names that the services' own programs use.
//!
//! | file | content |
//! |---|---|
//! | `environment`, `profile` | variables, and the files of the AWS command line |
//! | `secrets` | credentials that are found or not, and never shown |
//! | `aws`, `gcs`, `azure` | one service each: its server, its credentials, its signatures |
//! | `error_response` | what a refusal means, and what to do. Pure |
//! | `listen` | the caller's HTTP client, which notes refusals |
//! | `stores` | all services of a run: signs, lists |
//! | `bucket` | a folder whose objects are written once |

mod aws;
mod azure;
mod bucket;
mod environment;
mod error_response;
mod gcs;
mod listen;
mod profile;
mod secrets;
mod stores;

pub use bucket::Bucket;
pub use environment::Environment;
pub use error_response::ErrorResponse;
pub use stores::Stores;

/// Returns the HTTP client for a server.
pub type Http<'a> = &'a (dyn Fn(&url::Url) -> raudal_common::Result<reqwest::Client> + Sync);

/// An object that a glob stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Listed {
    /// Its name.
    pub object: raudal_source::Object,
    /// Its size in bytes.
    pub size: u64,
}
