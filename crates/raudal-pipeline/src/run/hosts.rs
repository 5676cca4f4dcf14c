//! Remembers how many jobs hosts accepted and refused, so that `auto` begins there in the next run.

use raudal_common::atomic_file::AtomicFile;
use raudal_pool::{Learned, Pool};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::time::SystemTime;

/// The format of the file. A file in another format is ignored.
const FORM: u32 = 1;
/// The most hosts that are kept. The ones used longest ago are removed first.
const MOST: usize = 1000;
/// A file beyond this size was not written by this program.
const LARGEST: u64 = 1 << 20;
const DAY: u64 = 24 * 60 * 60;
/// How long the accepted number of jobs counts, in seconds.
const BORE: u64 = 30 * DAY;
/// How long a refusal counts, in seconds. The host may only have been busy.
const REFUSED: u64 = DAY;

/// A file that remembers how many jobs hosts accepted and refused, for later runs.
///
/// It holds only the scheme, name and port of hosts, and numbers: no path and no login. If the file cannot be read or
/// written, a run begins as if it were the first.
///
/// ```
/// use raudal_pipeline::{Hosts, Jobs, RunOptions};
///
/// let mut options = RunOptions::default();
/// options.concurrency = Jobs::Auto.into();
/// options.hosts = Some(Hosts::new("/home/me/.cache/raudal/hosts.json"));
/// ```
#[derive(Clone, Debug)]
pub struct Hosts(PathBuf);

#[derive(Debug, Default, Serialize, Deserialize)]
struct HostsFile {
    form: u32,
    hosts: BTreeMap<String, HostRecord>,
}

/// Times are in seconds since 1970.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct HostRecord {
    bore: usize,
    at: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    refused: Option<usize>,
    #[serde(default)]
    refused_at: u64,
}

impl Hosts {
    /// The name of the file in a cache folder.
    pub const FILE: &str = "hosts.json";

    /// Creates a memory of hosts in this file, which need not exist yet.
    pub fn new(file: impl Into<PathBuf>) -> Self {
        Self(file.into())
    }

    /// Returns what is known of each host and still counts. Blocks while it reads the file.
    pub(crate) fn known(&self) -> Vec<(String, Learned)> {
        let now = now();
        let counts = |at: u64, most| now.saturating_sub(at) <= most;
        let hosts = self.read().hosts.into_iter().filter(|(_, host)| counts(host.at, BORE));
        let learned =
            |host: HostRecord| Learned::new(host.bore, host.refused.filter(|_| counts(host.refused_at, REFUSED)));
        hosts.map(|(name, host)| (name, learned(host))).collect()
    }

    /// Adds what a run has learned. Blocks while it writes the file.
    pub(crate) fn record(&self, pool: &Pool) {
        let learned = pool.learned();
        if !learned.is_empty() {
            // The file is optional, so an error is ignored.
            let _ = self.write(learned);
        }
    }

    fn read(&self) -> HostsFile {
        let is_small = fs::metadata(&self.0).is_ok_and(|file| file.len() <= LARGEST);
        let text = is_small.then(|| fs::read(&self.0).ok()).flatten();
        let content: Option<HostsFile> = text.and_then(|text| serde_json::from_slice(&text).ok());
        content.filter(|content| content.form == FORM).unwrap_or_default()
    }

    fn write(&self, learned: Vec<(String, Learned)>) -> io::Result<()> {
        let (mut content, now) = (self.read(), now());
        content.form = FORM;
        for (name, Learned { bore, refused, .. }) in learned {
            let old = content.hosts.get(&name).filter(|_| refused.is_none());
            let (refused, refused_at) = old.map_or((refused, now), |old| (old.refused, old.refused_at));
            content.hosts.insert(name, HostRecord { bore, at: now, refused, refused_at });
        }
        while content.hosts.len() > MOST {
            let oldest = content.hosts.iter().min_by_key(|(_, host)| host.at).map(|(name, _)| name.clone());
            content.hosts.remove(&oldest.unwrap_or_default());
        }
        if let Some(folder) = self.0.parent() {
            let mut builder = fs::DirBuilder::new();
            builder.recursive(true);
            #[cfg(unix)]
            std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
            builder.create(folder)?;
        }
        let mut file = AtomicFile::of(&self.0)?;
        file.write_all(&serde_json::to_vec(&content).map_err(io::Error::other)?)?;
        file.publish(&self.0, true)
    }
}

fn now() -> u64 {
    #[expect(clippy::disallowed_methods, reason = "it is kept from one run to the next")]
    let now = SystemTime::now();
    now.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts() -> (tempfile::TempDir, Hosts) {
        let folder = tempfile::tempdir().unwrap();
        let hosts = Hosts::new(folder.path().join("new").join(Hosts::FILE));
        (folder, hosts)
    }

    fn known(hosts: &Hosts, name: &str) -> Option<Learned> {
        hosts.known().into_iter().find(|(host, _)| host == name).map(|(_, learned)| learned)
    }

    #[test]
    fn what_a_run_has_learned_is_there_for_the_next_one() {
        let (_folder, hosts) = hosts();
        assert!(hosts.known().is_empty());
        hosts
            .write(vec![("https://a:443".into(), Learned::new(40, None)), ("b".into(), Learned::new(3, Some(6)))])
            .unwrap();
        hosts
            .write(vec![("https://a:443".into(), Learned::new(12, None)), ("b".into(), Learned::new(4, None))])
            .unwrap();
        assert_eq!(known(&hosts, "https://a:443"), Some(Learned::new(12, None)));
        assert_eq!(known(&hosts, "b"), Some(Learned::new(4, Some(6))), "what it refused still counts");
        let many = (0..MOST).map(|n| (format!("h{n}"), Learned::new(8, None))).collect();
        hosts.write(many).unwrap();
        assert_eq!(hosts.known().len(), MOST);
    }

    #[test]
    fn a_refusal_counts_for_a_day_and_the_rest_for_a_month() {
        let (_folder, hosts) = hosts();
        hosts.write(vec![("a".into(), Learned::new(8, Some(20)))]).unwrap();
        let mut content = hosts.read();
        let age = |content: &mut HostsFile, seconds| {
            for host in content.hosts.values_mut() {
                (host.at, host.refused_at) = (host.at - seconds, host.refused_at - seconds);
            }
            fs::write(&hosts.0, serde_json::to_vec(&content).unwrap()).unwrap();
        };
        age(&mut content, 2 * DAY);
        assert_eq!(known(&hosts, "a"), Some(Learned::new(8, None)));
        age(&mut content, 30 * DAY);
        assert_eq!(known(&hosts, "a"), None);
    }

    #[test]
    fn a_file_that_is_damaged_or_of_another_form_is_as_none() {
        let (folder, hosts) = hosts();
        for bad in ["", "{", "[]", "{\"form\":2,\"hosts\":{}}", "{\"form\":1,\"hosts\":{\"a\":{\"bore\":-1,\"at\":1}}}"]
        {
            fs::create_dir_all(hosts.0.parent().unwrap()).unwrap();
            fs::write(&hosts.0, bad).unwrap();
            assert!(hosts.known().is_empty(), "{bad}");
            hosts.write(vec![("a".into(), Learned::new(8, None))]).unwrap();
            assert_eq!(hosts.known().len(), 1);
        }
        let nowhere = Hosts::new(folder.path().join("new").join(Hosts::FILE).join("below a file"));
        assert!(nowhere.write(vec![("a".into(), Learned::new(8, None))]).is_err() && nowhere.known().is_empty());
    }
}
