//! A folder of a bucket whose objects are written once.

use crate::Http;
use crate::listen::listening;
use crate::stores::{BucketStore, Stores};
use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _};
use object_store::path::Path;
use object_store::{CopyOptions, Error as StoreError, ObjectStore, ObjectStoreExt, PutMode, PutOptions, PutPayload};
use raudal_common::{Error, Kind, Result};
use raudal_source::Object;
use std::fmt;
use std::io::Read;
use std::sync::Arc;

/// A longer object is sent in pieces of this size, in bytes. Services take at most 10,000 of them.
const PIECE: usize = 16 << 20;

/// The outcome of a request that creates an object.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Created {
    Yes,
    Not,
    /// The store cannot tell.
    Unknown,
}

/// A folder of a bucket. Its objects are complete or not there, and are never changed.
///
/// ```no_run
/// use raudal_cloud::{Bucket, Environment, Stores};
/// use raudal_source::Object;
/// use std::sync::Arc;
///
/// # #[tokio::main] async fn main() -> raudal_common::Result<()> {
/// let stores = Arc::new(Stores::new(Environment::of_process()));
/// let folder = Object::parse("s3://bucket/run-7")?;
/// let bucket = Bucket::open(&stores, &folder, &|_| Ok(reqwest::Client::new())).await?;
/// assert!(bucket.put("a.part", &b"written once"[..]).await?);
/// assert!(!bucket.put("a.part", &b"too late"[..]).await?);
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Bucket {
    stores: Arc<Stores>,
    store: Arc<dyn BucketStore>,
    folder: Object,
}

impl Bucket {
    /// Opens a folder. Nothing is asked of the store yet.
    ///
    /// # Errors
    ///
    /// Fails as [`Stores::sign`] does.
    pub async fn open(stores: &Arc<Stores>, folder: &Object, http: Http<'_>) -> Result<Self> {
        let store = stores.store(folder, http).await?;
        Ok(Self { stores: Arc::clone(stores), store, folder: folder.clone() })
    }

    /// Returns a folder in this one.
    ///
    /// # Errors
    ///
    /// Fails with a usage error for a name that cannot be a part of a key.
    pub fn below(&self, name: &str) -> Result<Self> {
        Ok(Self { folder: self.named(name)?, ..self.clone() })
    }

    fn named(&self, name: &str) -> Result<Object> {
        let folder = self.folder.key.trim_end_matches('/');
        let key = if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") };
        Object::new(self.folder.service, &self.folder.bucket, &key)
    }

    fn path(object: &Object) -> Result<Path> {
        Path::parse(&object.key)
            .map_err(|error| Error::usage("not a folder of a bucket").input(object.to_string()).because(error))
    }

    /// Runs an operation on an object. `special` says which errors are results.
    async fn on<T>(
        &self,
        object: &Object,
        operation: impl Future<Output = object_store::Result<T>>,
        special: impl FnOnce(&StoreError) -> Option<T>,
    ) -> Result<T> {
        match listening(operation).await {
            Ok(done) => Ok(done),
            Err(failed) => special(&failed.error)
                .map_or_else(|| Err(self.stores.explain(object, failed).input(object.to_string())), Ok),
        }
    }

    /// Writes an object unless it is there. Returns whether it was written. An object that is longer than
    /// 16 MiB may be written twice by two writers at the same moment, and is then that of one of them.
    ///
    /// # Errors
    ///
    /// Fails with an error that names the object and the reason of the store.
    pub async fn put(&self, name: &str, mut content: impl Read) -> Result<bool> {
        let object = self.named(name)?;
        let path = Self::path(&object)?;
        let mut read = || -> Result<Bytes> {
            let mut piece = Vec::new();
            content
                .by_ref()
                .take(PIECE as u64)
                .read_to_end(&mut piece)
                .map_err(|error| Error::io("cannot read the content of the object", error))?;
            Ok(piece.into())
        };
        let first = read()?;
        if first.len() < PIECE {
            let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
            let put = self.store.put_opts(&path, PutPayload::from(first.clone()), options);
            let special = |error: &StoreError| match error {
                StoreError::AlreadyExists { .. } => Some(Created::Not),
                StoreError::NotImplemented { .. } => Some(Created::Unknown),
                _ => None,
            };
            let created = self.on(&object, async { put.await.map(|_| Created::Yes) }, special).await?;
            let is_there = created != Created::Yes && self.has(name).await?;
            return match created {
                Created::Yes => Ok(true),
                _ if is_there => Ok(false),
                // S3 says so too while another writer has not ended yet, and may still fail.
                Created::Not => {
                    Err(Error::new(Kind::Reset, "another writer is at work on this object").input(object.to_string()))
                }
                // The store has no condition for that: AWS_CONDITIONAL_PUT=disabled.
                Created::Unknown => {
                    let put = self.store.put(&path, PutPayload::from(first));
                    self.on(&object, async { put.await.map(|_| true) }, |_| None).await
                }
            };
        }
        if self.has(name).await? {
            return Ok(false);
        }
        let mut upload = self.on(&object, self.store.put_multipart(&path), |_| None).await?;
        let mut piece = first;
        while !piece.is_empty() {
            let sent = self.on(&object, upload.put_part(PutPayload::from(piece)), |_| None).await;
            match sent.and_then(|()| read()) {
                Ok(next) => piece = next,
                Err(error) => {
                    // Pieces without an object cost money until they are given up.
                    let _ = upload.abort().await;
                    return Err(error);
                }
            }
        }
        self.on(&object, upload.complete(), |_| None).await.map(|_| true)
    }

    /// Returns whether an object is there.
    ///
    /// # Errors
    ///
    /// Fails as [`put`](Self::put) does.
    pub async fn has(&self, name: &str) -> Result<bool> {
        let object = self.named(name)?;
        let path = Self::path(&object)?;
        let is_absent = |error: &StoreError| matches!(error, StoreError::NotFound { .. }).then_some(false);
        self.on(&object, async { self.store.head(&path).await.map(|_| true) }, is_absent).await
    }

    /// Reads an object, piece by piece.
    ///
    /// # Errors
    ///
    /// Fails as [`put`](Self::put) does, and with the first error of `take`.
    pub async fn get(&self, name: &str, mut take: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
        let object = self.named(name)?;
        let path = Self::path(&object)?;
        let mut pieces = self.on(&object, self.store.get(&path), |_| None).await?.into_stream();
        while let Some(piece) = self.on(&object, async { pieces.next().await.transpose() }, |_| None).await? {
            take(&piece)?;
        }
        Ok(())
    }

    /// Returns the names of all objects in the folder.
    ///
    /// # Errors
    ///
    /// Fails as [`put`](Self::put) does.
    pub async fn names(&self) -> Result<Vec<String>> {
        let path = Self::path(&self.folder)?;
        let names = async {
            let list = ObjectStore::list(&*self.store, Some(&path));
            list.map_ok(|object| object.location.filename().unwrap_or_default().to_owned()).try_collect().await
        };
        self.on(&self.folder, names, |_| None).await
    }

    /// Gives an object another name.
    ///
    /// # Errors
    ///
    /// Fails as [`put`](Self::put) does.
    pub async fn rename(&self, name: &str, to: &str) -> Result<()> {
        let (object, other) = (self.named(name)?, self.named(to)?);
        let (from, to) = (Self::path(&object)?, Self::path(&other)?);
        let copied = async {
            self.store.copy_opts(&from, &to, CopyOptions::default()).await?;
            self.store.delete(&from).await
        };
        self.on(&object, copied, |_| None).await
    }

    /// Removes the folder with all that is in it.
    ///
    /// # Errors
    ///
    /// Fails as [`put`](Self::put) does.
    pub async fn remove(&self) -> Result<()> {
        for name in self.names().await? {
            let object = self.named(&name)?;
            let path = Self::path(&object)?;
            let is_absent = |error: &StoreError| matches!(error, StoreError::NotFound { .. }).then_some(());
            self.on(&object, self.store.delete(&path), is_absent).await?;
        }
        Ok(())
    }
}

impl fmt::Debug for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Bucket").field(&self.folder.to_string()).finish()
    }
}

impl fmt::Display for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.folder.fmt(f)
    }
}
