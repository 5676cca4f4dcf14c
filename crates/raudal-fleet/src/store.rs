//! Where parts live: a folder that all machines share, a bucket, or the broker's own object store.

use super::content::{Content, SpooledOrFile, bytes_of, open};
use super::part::spool;
pub use super::parts::Parts;
use async_nats::jetstream::Context;
use async_nats::jetstream::object_store::{self, ObjectStore};
use futures::StreamExt;
use raudal_common::{Error, Kind, Result, blocking};
use raudal_fetch::Carried;
use raudal_source::Object;
use std::collections::BTreeSet;
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use tokio::io::AsyncReadExt;

/// The object that proves that a worker sees the store of the submitter.
const MARK: &str = "run";
/// Tells a run from another one of the same name.
const ID: &str = "id";
/// The plan of the run.
pub(crate) const PLAN: &str = "plan";

/// The parts of one run.
#[derive(Clone)]
pub(crate) enum Store {
    Folder(PathBuf),
    #[cfg(feature = "cloud")]
    Cloud(raudal_fetch::Bucket),
    Nats {
        js: Box<Context>,
        bucket: String,
        store: Box<ObjectStore>,
    },
}

/// Whether a part was written, or was there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Put {
    Written,
    There,
}

impl Store {
    /// Makes the place of a run, or finds it.
    pub(crate) async fn create(parts: &Parts, run: &str, js: &Context) -> Result<Self> {
        match parts {
            Parts::Folder(folder) => {
                let folder = folder.join(format!("raudal-{run}"));
                let made = folder.clone();
                blocking(move || std::fs::create_dir_all(&made)).await?.map_err(|error| unusable(&folder, error))?;
                let store = Self::Folder(folder);
                store.put(MARK, bytes_of(run)).await?;
                Ok(store)
            }
            #[cfg(feature = "cloud")]
            Parts::Cloud(folder) => {
                let bucket = bucket(folder, run).await?;
                bucket.put(MARK, run.as_bytes()).await?;
                Ok(Self::Cloud(bucket))
            }
            #[cfg(not(feature = "cloud"))]
            Parts::Cloud(folder) => Err(absent(folder)),
            Parts::Nats => {
                let bucket = format!("raudal-parts-{run}");
                if let Ok(store) = js.get_object_store(&bucket).await {
                    return Ok(Self::Nats { js: Box::new(js.clone()), bucket, store: Box::new(store) });
                }
                let mut last = None;
                for replicas in super::broker::REPLICAS {
                    let config =
                        object_store::Config { bucket: bucket.clone(), num_replicas: replicas, ..Default::default() };
                    match js.create_object_store(config).await {
                        Ok(store) => {
                            return Ok(Self::Nats { js: Box::new(js.clone()), bucket, store: Box::new(store) });
                        }
                        Err(error) => last = Some(error),
                    }
                }
                let error = Error::new(Kind::Connect, "cannot create the object store of the run");
                Err(match last {
                    Some(last) => error.because(last),
                    None => error,
                })
            }
        }
    }

    /// Finds the place of a run that another machine has made.
    pub(crate) async fn open(parts: &Parts, run: &str, js: &Context) -> Result<Self> {
        match parts {
            Parts::Folder(folder) => {
                let folder = folder.join(format!("raudal-{run}"));
                let (mark, expected) = (folder.join(MARK), run.to_owned());
                let is_there = blocking(move || std::fs::read(mark).is_ok_and(|found| found == expected.as_bytes()));
                if is_there.await? {
                    return Ok(Self::Folder(folder));
                }
                Err(Error::new(
                    Kind::Io,
                    format!("this machine does not see the parts of the run: {}", folder.display()),
                )
                .hint("mount the folder here, or name its path on this machine with [`parts`]"))
            }
            #[cfg(feature = "cloud")]
            Parts::Cloud(folder) => {
                let bucket = bucket(folder, run).await?;
                if bucket.has(MARK).await? {
                    return Ok(Self::Cloud(bucket));
                }
                Err(Error::new(Kind::Io, format!("this machine does not see the parts of the run: {bucket}"))
                    .hint("check its environment: another server, or another account, may have a bucket of this name"))
            }
            #[cfg(not(feature = "cloud"))]
            Parts::Cloud(folder) => Err(absent(folder)),
            Parts::Nats => {
                let bucket = format!("raudal-parts-{run}");
                let store =
                    js.get_object_store(&bucket).await.map_err(|error| broken("cannot find the parts", error))?;
                Ok(Self::Nats { js: Box::new(js.clone()), bucket, store: Box::new(store) })
            }
        }
    }

    /// Writes an object unless it is there. It has its name only once all of it is written.
    pub(crate) async fn put(&self, name: &str, object: impl Into<Content>) -> Result<Put> {
        let mut object = object.into();
        match self {
            Self::Folder(folder) => {
                let (folder, name) = (folder.clone(), name.to_owned());
                blocking(move || {
                    write(&folder, &name, &mut object).map_err(|error| unusable(&folder.join(name), error))
                })
                .await?
            }
            #[cfg(feature = "cloud")]
            Self::Cloud(bucket) => Ok(if bucket.put(name, object).await? { Put::Written } else { Put::There }),
            Self::Nats { store, .. } => {
                if self.has(name).await? {
                    return Ok(Put::There);
                }
                let mut reader = object.into_async();
                store.put(name, &mut reader).await.map_err(|error| broken("cannot write a part", error))?;
                Ok(Put::Written)
            }
        }
    }

    /// Returns a text that no other run has, not even one of the same name before or after it.
    pub(crate) async fn id(&self) -> Result<String> {
        self.put(ID, bytes_of(&super::protocol::nonce())).await?;
        let mut id = self.get(ID).await?;
        blocking(move || io::read_to_string(&mut id))
            .await?
            .map_err(|error| Error::io("cannot read which run this is", error))
    }

    /// Returns whether the object is there.
    pub(crate) async fn has(&self, name: &str) -> Result<bool> {
        match self {
            Self::Folder(folder) => {
                let path = folder.join(name);
                blocking(move || path.try_exists().map_err(|error| unusable(&path, error))).await?
            }
            #[cfg(feature = "cloud")]
            Self::Cloud(bucket) => bucket.has(name).await,
            Self::Nats { store, .. } => match store.info(name).await {
                Ok(info) => Ok(!info.deleted),
                Err(error) if error.kind() == object_store::InfoErrorKind::NotFound => Ok(false),
                Err(error) => Err(broken("cannot look for a part", error)),
            },
        }
    }

    /// Returns an object, from its first byte.
    pub(crate) async fn get(&self, name: &str) -> Result<SpooledOrFile> {
        match self {
            Self::Folder(folder) => {
                let path = folder.join(name);
                blocking(move || open(&path).map_err(|error| unusable(&path, error))).await?
            }
            #[cfg(feature = "cloud")]
            Self::Cloud(bucket) => {
                let mut out = spool();
                let take = |bytes: &[u8]| out.write_all(bytes).map_err(|error| Error::io("cannot hold a part", error));
                bucket.get(name, take).await?;
                out.seek(SeekFrom::Start(0)).map_err(|error| Error::io("cannot hold a part", error))?;
                Ok(SpooledOrFile::Spooled(out))
            }
            Self::Nats { store, .. } => {
                let mut object = store.get(name).await.map_err(|error| broken("cannot read a part", error))?;
                let (mut out, mut buffer) = (spool(), vec![0; 128 << 10]);
                loop {
                    let read = object.read(&mut buffer).await.map_err(|error| broken("cannot read a part", error))?;
                    if read == 0 {
                        break;
                    }
                    out.write_all(&buffer[..read]).map_err(|error| Error::io("cannot hold a part", error))?;
                }
                out.seek(SeekFrom::Start(0)).map_err(|error| Error::io("cannot hold a part", error))?;
                Ok(SpooledOrFile::Spooled(out))
            }
        }
    }

    /// Returns the chunks that have a part.
    pub(crate) async fn chunks(&self) -> Result<BTreeSet<u32>> {
        let names: Vec<String> = match self {
            Self::Folder(folder) => {
                let folder = folder.clone();
                blocking(move || {
                    let list = || -> io::Result<Vec<String>> {
                        std::fs::read_dir(&folder)?
                            .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
                            .collect()
                    };
                    list().map_err(|error| unusable(&folder, error))
                })
                .await??
            }
            #[cfg(feature = "cloud")]
            Self::Cloud(bucket) => bucket.names().await?,
            Self::Nats { store, .. } => {
                let mut list = store.list().await.map_err(|error| broken("cannot list the parts", error))?;
                let mut names = Vec::new();
                while let Some(info) = list.next().await {
                    names.push(info.map_err(|error| broken("cannot list the parts", error))?.name);
                }
                names
            }
        };
        Ok(names.iter().filter_map(|name| name.strip_suffix(".part")?.parse().ok()).collect())
    }

    /// Moves a damaged object out of the way, so that it can be written again.
    pub(crate) async fn quarantine(&self, name: &str) -> Result<()> {
        match self {
            Self::Folder(folder) => {
                let (path, aside) = (folder.join(name), folder.join(format!("{name}.damaged")));
                blocking(move || std::fs::rename(&path, aside).map_err(|error| unusable(&path, error))).await?
            }
            #[cfg(feature = "cloud")]
            Self::Cloud(bucket) => bucket.rename(name, &format!("{name}.damaged")).await,
            Self::Nats { store, .. } => {
                store.delete(name).await.map_err(|error| broken("cannot remove a damaged part", error))
            }
        }
    }

    /// Removes everything of the run.
    pub(crate) async fn remove(&self) -> Result<()> {
        match self {
            Self::Folder(folder) => {
                let folder = folder.clone();
                blocking(move || match std::fs::remove_dir_all(&folder) {
                    Err(error) if error.kind() != ErrorKind::NotFound => Err(unusable(&folder, error)),
                    _ => Ok(()),
                })
                .await?
            }
            #[cfg(feature = "cloud")]
            Self::Cloud(bucket) => bucket.remove().await,
            Self::Nats { js, bucket, .. } => match js.get_object_store(bucket).await {
                Ok(_) => js.delete_object_store(bucket).await.map_err(|error| broken("cannot remove the parts", error)),
                Err(_) => Ok(()),
            },
        }
    }
}

/// Opens the folder of a run in a bucket. Requests to it take proxies and certificates from the environment:
/// the options of a run are for its inputs.
#[cfg(feature = "cloud")]
async fn bucket(folder: &Object, run: &str) -> Result<raudal_fetch::Bucket> {
    let client = raudal_fetch::Client::new(&raudal_fetch::Options::default())?;
    client.bucket(folder).await?.below(&format!("raudal-{run}"))
}

#[cfg(not(feature = "cloud"))]
fn absent(folder: &Object) -> Error {
    Error::usage(format!("this program was built without cloud stores: {folder}"))
        .hint("the released programs have them; one that is built from source needs the cargo feature `cloud`")
}

/// Returns the name of a chunk's part.
pub(crate) fn part_name(chunk: u32) -> String {
    format!("{chunk:08}.part")
}

/// Returns the name of the bytes of an input. Another version of the input has another name.
pub(crate) fn file_name(i: u64, carried: &Carried) -> String {
    format!("{i:08}-{}.file", carried.sha256())
}

/// Writes under a name of its own, then links it to its final name, if that is free.
///
/// Nothing is synced: that would take longer than a small chunk. After a power cut, the parts of the last
/// seconds may be gone or damaged. Both are noticed, and their chunks are done again.
fn write(folder: &Path, name: &str, object: &mut impl Read) -> io::Result<Put> {
    let to = folder.join(name);
    if to.try_exists()? {
        return Ok(Put::There);
    }
    let mut file = tempfile::Builder::new().prefix(".raudal-").suffix(".tmp").tempfile_in(folder)?;
    io::copy(object, file.as_file_mut())?;
    match file.persist_noclobber(&to) {
        Ok(_) => Ok(Put::Written),
        Err(error) if error.error.kind() == ErrorKind::AlreadyExists => Ok(Put::There),
        Err(error) => Err(error.error),
    }
}

fn unusable(path: &Path, error: io::Error) -> Error {
    Error::io(format!("cannot use the parts: {}", path.display()), error)
}

fn broken(what: &str, error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::new(Kind::Connect, what).because(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_part_is_written_once_and_what_is_there_stays() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = Store::Folder(folder.path().to_owned());
        assert_eq!(store.put("00000003.part", bytes_of("first")).await.expect("written"), Put::Written);
        assert_eq!(store.put("00000003.part", bytes_of("second")).await.expect("there"), Put::There);
        let mut text = String::new();
        store.get("00000003.part").await.expect("there").read_to_string(&mut text).expect("text");
        assert_eq!(text, "first");
        std::fs::write(folder.path().join(".raudal-x.tmp"), "half").expect("room");
        assert_eq!(store.chunks().await.expect("a list").into_iter().collect::<Vec<_>>(), [3]);
        store.quarantine("00000003.part").await.expect("set aside");
        assert!(!store.has("00000003.part").await.expect("known"));
    }

    #[test]
    fn two_writers_at_the_same_moment_leave_one_part_and_no_other_file() {
        let folder = tempfile::tempdir().expect("a folder");
        let put = |n: u8| {
            let path = folder.path().to_owned();
            std::thread::spawn(move || {
                write(&path, "1.part", &mut vec![n; 100_000].as_slice()).expect("written or there")
            })
        };
        let all: Vec<_> = (0..8).map(put).collect();
        let written = all.into_iter().map(|one| one.join().expect("no panic")).filter(|put| *put == Put::Written);
        assert_eq!(written.count(), 1);
        assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 1);
        let bytes = std::fs::read(folder.path().join("1.part")).expect("a part");
        assert!(bytes.len() == 100_000 && bytes.iter().all(|byte| *byte == bytes[0]), "not mixed");
    }
}
