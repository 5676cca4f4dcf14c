//! Records each input of a run, and compares it with the next run.

use raudal_common::lock;
use raudal_common::{Error, Kind, Result};
use raudal_fetch::Body;
use raudal_source::{Input, Location};
use raudal_table::Rows;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};

/// The version of the lock file format. Any other version is refused.
const FORM: u32 = 1;
const HINT: &str = "if the change is intended, run without [`locked`] to write a new lock file";

/// One input in a lock file. A field that is `None` was unknown, and is not compared.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Locked {
    /// The requested URL without credentials, or the path of a file.
    pub url: String,
    /// The name of the input.
    pub name: String,
    /// The URL after all redirects.
    pub final_url: Option<String>,
    /// Its size in bytes.
    pub size: u64,
    /// The SHA-256 of its bytes in hexadecimal.
    pub sha256: String,
    /// The server's `ETag`.
    pub etag: Option<String>,
    /// The server's `Last-Modified`, as the server writes it.
    pub last_modified: Option<String>,
    /// The members of the archive that were read; empty if it is not an archive.
    pub members: Option<Vec<String>>,
    /// Rows in the input, without its header, before any filter.
    pub rows: Option<u64>,
}

#[derive(Serialize, Deserialize)]
struct LockFile {
    form: u32,
    inputs: Vec<Locked>,
}

/// A record of the inputs of a run. A new lock in the run's [`RunOptions`](crate::RunOptions) records them. A lock
/// that was read from a file is compared with them.
///
/// ```
/// use raudal_pipeline::Lock;
///
/// let lock = Lock::parse(r#"{"form": 1, "inputs": []}"#)?;
/// assert!(lock.check(&[]).is_ok());
/// # Ok::<(), raudal_common::Error>(())
/// ```
#[derive(Debug, Default)]
pub struct Lock {
    expected: Option<BTreeMap<(String, String), Locked>>,
    found: Mutex<BTreeMap<u64, Locked>>,
}

impl Locked {
    /// Returns what is known of a body, with the SHA-256 of its bytes.
    pub(crate) fn of(input: &Input, body: &Body, sha256: String) -> Self {
        let from = Some(body.location()).filter(|location| location.is_remote()).map(Location::to_string);
        Self {
            final_url: from,
            etag: body.etag().map(str::to_owned),
            last_modified: body.last_modified().map(str::to_owned),
            ..Self::of_file(input, body.len(), sha256)
        }
    }

    /// Returns what is known of a file that already existed.
    pub(crate) fn of_file(input: &Input, size: u64, sha256: String) -> Self {
        let (url, name) = (input.location.to_string(), input.name.clone());
        Self { url, name, size, sha256, final_url: None, etag: None, last_modified: None, members: None, rows: None }
    }

    /// Adds what was read from the input.
    pub(crate) fn read(mut self, rows: &Rows) -> Self {
        (self.members, self.rows) = (Some(rows.members().to_vec()), Some(rows.rows_read()));
        self
    }

    /// Returns each field that both sides know and that differs: its name, the value found, the
    /// value expected.
    fn differences(&self, expected: &Self) -> Vec<(&'static str, String, String)> {
        let list = |members: &Option<Vec<String>>| members.as_ref().map(|members| members.join(", "));
        let number = |number: Option<u64>| number.map(|number| number.to_string());
        let fields = [
            ("sha256", Some(self.sha256.clone()), Some(expected.sha256.clone())),
            ("size", number(Some(self.size)), number(Some(expected.size))),
            ("final_url", self.final_url.clone(), expected.final_url.clone()),
            ("etag", self.etag.clone(), expected.etag.clone()),
            ("last_modified", self.last_modified.clone(), expected.last_modified.clone()),
            ("members", list(&self.members), list(&expected.members)),
            ("rows", number(self.rows), number(expected.rows)),
        ];
        let differs = |(field, found, expected): (&'static str, Option<String>, Option<String>)| match (found, expected)
        {
            (Some(found), Some(expected)) if found != expected => Some((field, found, expected)),
            _ => None,
        };
        fields.into_iter().filter_map(differs).collect()
    }
}

impl Lock {
    /// Parses a lock file. A run with this lock refuses any difference.
    ///
    /// # Errors
    ///
    /// Fails with the kind [`Usage`](Kind::Usage) if the text is not a lock file.
    pub fn parse(text: &str) -> Result<Self> {
        let hint = "write a lock file with [`lock`], without [`locked`]";
        let written: LockFile =
            serde_json::from_str(text).map_err(|error| Error::usage("not a lock file").because(error).hint(hint))?;
        if written.form != FORM {
            return Err(Error::usage(format!("unsupported version of the lock file: {}", written.form)).hint(hint));
        }
        let entries = written.inputs.into_iter().map(|entry| ((entry.url.clone(), entry.name.clone()), entry));
        Ok(Self { expected: Some(entries.collect()), found: Mutex::default() })
    }

    /// Returns whether the lock was read from a file, so that the run must match it.
    pub fn is_closed(&self) -> bool {
        self.expected.is_some()
    }

    /// Checks that these are exactly the inputs of the lock file. Needs no network.
    ///
    /// # Errors
    ///
    /// Fails with the kind [`Drift`](Kind::Drift) at the first difference.
    pub fn check<'a>(&self, inputs: impl IntoIterator<Item = &'a Input>) -> Result<()> {
        let Some(expected) = &self.expected else { return Ok(()) };
        let mut left = expected.clone();
        for input in inputs {
            if let Some(error) = input.refusal() {
                return Err(error);
            }
            let key = (input.location.to_string(), input.name.clone());
            left.remove(&key);
            if !expected.contains_key(&key) {
                return Err(Error::new(Kind::Drift, "not in the lock file").input(key.0).hint(HINT));
            }
        }
        match left.into_keys().next() {
            Some((url, _)) => {
                Err(Error::new(Kind::Drift, "in the lock file, but not among the inputs").input(url).hint(HINT))
            }
            None => Ok(()),
        }
    }

    /// Refuses any difference. The error is transient if the network may have damaged the bytes:
    /// the server says that they are unchanged.
    pub(crate) fn compare(&self, found: &Locked) -> Result<()> {
        let Some(expected) = &self.expected else { return Ok(()) };
        let Some(expected) = expected.get(&(found.url.clone(), found.name.clone())) else {
            return Err(Error::new(Kind::Drift, "not in the lock file").hint(HINT));
        };
        let differences = found.differences(expected);
        if differences.is_empty() {
            return Ok(());
        }
        let is_marked = found.etag.is_some() || found.last_modified.is_some();
        let is_damage = is_marked && differences.iter().all(|(field, ..)| matches!(*field, "sha256" | "size"));
        let said: Vec<String> = differences
            .into_iter()
            .map(|(field, found, expected)| {
                let [found, expected] = [found, expected].map(|text| raudal_common::error::printable(&text));
                format!("{field}: {found} instead of {expected}")
            })
            .collect();
        let message = format!("it differs from the lock file in {}", said.join("; "));
        Err(Error::new(Kind::Drift, message).hint(HINT).transient(is_damage))
    }

    /// Returns the size that an input had.
    pub(crate) fn size(&self, input: &Input) -> Option<u64> {
        Some(self.expected.as_ref()?.get(&(input.location.to_string(), input.name.clone()))?.size)
    }

    /// Records the input of a job, if it matches.
    pub(crate) fn hold(&self, job: u64, found: Locked) -> Result<()> {
        self.compare(&found)?;
        self.found().insert(job, found);
        Ok(())
    }

    /// Records an input that another process has read, if it matches.
    ///
    /// # Errors
    ///
    /// Fails with the kind [`Drift`](Kind::Drift) if it differs from the lock file.
    pub fn record(&self, index: u64, found: Locked) -> Result<()> {
        self.hold(index, found)
    }

    /// Takes a record out.
    pub(crate) fn take(&self) -> Option<Locked> {
        self.found().pop_first().map(|(_, found)| found)
    }

    /// Returns the text of a lock file for the inputs that succeeded. It is sorted, so it changes
    /// only when they do.
    pub fn text(&self) -> String {
        let mut inputs: Vec<Locked> = self.found().values().cloned().collect();
        inputs.sort();
        // A list of plain fields cannot fail to serialize.
        serde_json::to_string_pretty(&LockFile { form: FORM, inputs }).unwrap_or_default() + "\n"
    }

    fn found(&self) -> MutexGuard<'_, BTreeMap<u64, Locked>> {
        lock(&self.found)
    }
}
