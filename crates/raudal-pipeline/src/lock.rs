//! What each input of a run was, written down, and held against the next run.

use raudal_common::lock;
use raudal_common::{Error, Kind, Result};
use raudal_fetch::Body;
use raudal_source::{Input, Location};
use raudal_table::Rows;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};

/// The form of a lock file. One of another form is refused.
const FORM: u32 = 1;
const HINT: &str = "if it is meant to be so, run without [`locked`] to write the lock file anew";

/// One input as it was: what a lock file says of it. What is `None` was not known, and is not compared.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Locked {
    /// What was asked for, without credentials; or the path of a file.
    pub url: String,
    /// What the input is called.
    pub name: String,
    /// Where it came from, after all redirects.
    pub final_url: Option<String>,
    /// The length of its bytes.
    pub size: u64,
    /// Their SHA-256 in hexadecimal.
    pub sha256: String,
    /// The server's mark for this version of them.
    pub etag: Option<String>,
    /// When they last changed, as the server writes it.
    pub last_modified: Option<String>,
    /// The members of the archive that were read; none for what is no archive.
    pub members: Option<Vec<String>>,
    /// Rows in the input, without its header, before any filter.
    pub rows: Option<u64>,
}

#[derive(Serialize, Deserialize)]
struct Written {
    form: u32,
    inputs: Vec<Locked>,
}

/// What the inputs of a run were. It is filled by the run that it is in the [`Options`](super::Options) of; one that was
/// read from a file holds the run to it.
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
    /// What is known of a body, and the SHA-256 of its bytes.
    pub(super) fn of(input: &Input, body: &Body, sha256: String) -> Self {
        let from = Some(body.location()).filter(|location| location.is_remote()).map(Location::to_string);
        Self {
            final_url: from,
            etag: body.etag().map(str::to_owned),
            last_modified: body.last_modified().map(str::to_owned),
            ..Self::of_file(input, body.len(), sha256)
        }
    }

    /// What is known of bytes that were there already.
    pub(super) fn of_file(input: &Input, size: u64, sha256: String) -> Self {
        let (url, name) = (input.location.to_string(), input.name.clone());
        Self { url, name, size, sha256, final_url: None, etag: None, last_modified: None, members: None, rows: None }
    }

    /// The same, with what was read from it.
    pub(super) fn read(mut self, rows: &Rows) -> Self {
        (self.members, self.rows) = (Some(rows.members().to_vec()), Some(rows.rows_read()));
        self
    }

    /// Each field of which both know something, and not the same: its name, what was found, what was expected.
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
    /// The lock that a file holds: a run with it is refused whatever differs.
    ///
    /// # Errors
    ///
    /// Of the kind [`Usage`](Kind::Usage) for a text that is no lock.
    pub fn parse(text: &str) -> Result<Self> {
        let hint = "it is written by [`lock`] without [`locked`]";
        let written: Written =
            serde_json::from_str(text).map_err(|error| Error::usage("not a lock file").because(error).hint(hint))?;
        if written.form != FORM {
            return Err(Error::usage(format!("a lock file of another form: {}", written.form)).hint(hint));
        }
        let entries = written.inputs.into_iter().map(|entry| ((entry.url.clone(), entry.name.clone()), entry));
        Ok(Self { expected: Some(entries.collect()), found: Mutex::default() })
    }

    /// Whether the run is held to something.
    pub fn is_closed(&self) -> bool {
        self.expected.is_some()
    }

    /// Whether these are the inputs that it knows: all of them and no other. Without a network.
    ///
    /// # Errors
    ///
    /// Of the kind [`Drift`](Kind::Drift), for the first that is not.
    pub fn check<'a>(&self, inputs: impl IntoIterator<Item = &'a Input>) -> Result<()> {
        let Some(expected) = &self.expected else { return Ok(()) };
        let mut left = expected.clone();
        for input in inputs {
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

    /// Refuses what differs. What a network may have done to the bytes is worth another try: as far as the server knows,
    /// they are those that they were.
    pub(super) fn compare(&self, found: &Locked) -> Result<()> {
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
                format!("{field}: {found} in place of {expected}")
            })
            .collect();
        let message = format!("it differs from the lock file in {}", said.join("; "));
        Err(Error::new(Kind::Drift, message).hint(HINT).transient(is_damage))
    }

    /// How many bytes an input has, if it is what it was.
    pub(super) fn size(&self, input: &Input) -> Option<u64> {
        Some(self.expected.as_ref()?.get(&(input.location.to_string(), input.name.clone()))?.size)
    }

    /// Writes down what the input of a job was, if it is what it should be.
    pub(super) fn hold(&self, job: u64, found: Locked) -> Result<()> {
        self.compare(&found)?;
        self.found().insert(job, found);
        Ok(())
    }

    /// What the inputs were that came to a good end, as the text of a lock file: sorted, so that it changes only where
    /// they do.
    pub fn text(&self) -> String {
        let mut inputs: Vec<Locked> = self.found().values().cloned().collect();
        inputs.sort();
        // A list of plain fields: nothing in it can fail.
        serde_json::to_string_pretty(&Written { form: FORM, inputs }).unwrap_or_default() + "\n"
    }

    fn found(&self) -> MutexGuard<'_, BTreeMap<u64, Locked>> {
        lock(&self.found)
    }
}
