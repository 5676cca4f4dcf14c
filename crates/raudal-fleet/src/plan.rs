//! Cuts inputs into chunks: of one host each where a host has more than a chunk, whole hosts packed
//! where not.
//!
//! A plan is a file, not a list in memory: a run may have millions of inputs. It follows from the
//! inputs alone, so a run that is resumed has the same chunks.

use super::jobs::{Job, JobInput};
use super::protocol::host_hash;
use raudal_common::{Error, Kind, Result};
use raudal_source::Input;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Read, Seek, SeekFrom, Write};

/// Inputs that may wait for their host's chunk to fill. Some 300 bytes each.
const MOST_WAITING: usize = 16_384;
/// A broker refuses messages of more than 1 MiB by default.
const MOST_BYTES: usize = 256 << 10;
/// A chunk has at most this many inputs: a worker that dies loses no more work.
const LARGEST: u64 = 64;
/// A run has this many chunks, if it has enough inputs, so that they spread over the workers.
const SPREAD: u64 = 2048;

/// Returns how many inputs a chunk has.
pub(crate) fn chunk_size(inputs: u64) -> usize {
    (inputs / SPREAD).clamp(1, LARGEST) as usize
}

/// A line of a plan.
#[derive(Serialize, Deserialize)]
struct Line {
    /// The hosts of the chunk, as hashes; none for local files.
    hosts: Vec<u64>,
    job: Job,
}

/// An input, and what workers are told of it.
pub(crate) type InputJob = (JobInput, Input);

/// The chunks of a run, in a file without a name.
pub(crate) struct Plan {
    file: File,
    pub(crate) chunks: Vec<Chunk>,
}

/// What is held in memory of a chunk.
pub(crate) struct Chunk {
    at: u64,
    pub(crate) hosts: Box<[u64]>,
    pub(crate) inputs: u32,
}

impl Plan {
    /// Cuts inputs into chunks of this size.
    pub(crate) fn new(jobs: impl Iterator<Item = Result<InputJob>>, size: usize) -> Result<Self> {
        let mut planner = Planner {
            out: BufWriter::new(tempfile::tempfile().map_err(failed)?),
            at: 0,
            chunks: Vec::new(),
            size,
            waiting: HashMap::new(),
            order: Vec::new(),
            count: 0,
        };
        for job in jobs {
            let (job, input) = job?;
            planner.put(job, &input)?;
        }
        planner.pack()?;
        let file = planner.out.into_inner().map_err(|error| failed(error.into_error()))?;
        Ok(Self { file, chunks: planner.chunks })
    }

    /// Reads a plan that another process has written.
    pub(crate) fn read(mut file: File) -> Result<Self> {
        file.seek(SeekFrom::Start(0)).map_err(failed)?;
        let (mut at, mut chunks) = (0, Vec::new());
        let mut lines = BufReader::new(file.try_clone().map_err(failed)?);
        let mut text = String::new();
        while lines.read_line(&mut text).map_err(failed)? > 0 {
            let line: Line = parse(&text)?;
            chunks.push(Chunk { at, hosts: line.hosts.into(), inputs: line.job.inputs.len() as u32 });
            at += text.len() as u64;
            text.clear();
        }
        Ok(Self { file, chunks })
    }

    /// Returns a chunk.
    pub(crate) fn job(&mut self, chunk: u32) -> Result<Job> {
        let place = self.chunks.get(chunk as usize).map(|chunk| chunk.at);
        let at = place.ok_or_else(|| Error::new(Kind::Internal, format!("no such chunk in the plan: {chunk}")))?;
        self.file.seek(SeekFrom::Start(at)).map_err(failed)?;
        let mut text = String::new();
        BufReader::new(&self.file).read_line(&mut text).map_err(failed)?;
        Ok(parse::<Line>(&text)?.job)
    }

    /// Returns all of its bytes.
    pub(crate) fn reader(&self) -> Result<File> {
        let mut file = self.file.try_clone().map_err(failed)?;
        file.seek(SeekFrom::Start(0)).map_err(failed)?;
        Ok(file)
    }
}

fn parse<T: for<'a> Deserialize<'a>>(text: &str) -> Result<T> {
    serde_json::from_str(text)
        .map_err(|error| Error::new(Kind::Corrupt, "the plan of the run is damaged").because(error))
}

fn failed(error: std::io::Error) -> Error {
    Error::io(format!("cannot hold the plan of the run in {}", std::env::temp_dir().display()), error)
        .hint("set TMPDIR to a folder with more space")
}

struct Planner {
    out: BufWriter<File>,
    at: u64,
    chunks: Vec<Chunk>,
    size: usize,
    /// The inputs of each host that do not fill a chunk yet.
    waiting: HashMap<Option<String>, Waiting>,
    /// Hosts in the order in which they came.
    order: Vec<Option<String>>,
    count: usize,
}

#[derive(Default)]
struct Waiting {
    inputs: Vec<JobInput>,
    bytes: usize,
    /// Whether the host has a chunk of its own already.
    big: bool,
}

impl Planner {
    fn put(&mut self, job: JobInput, input: &Input) -> Result<()> {
        let host = input.location.key();
        if !self.waiting.contains_key(&host) {
            self.order.push(host.clone());
        }
        let waiting = self.waiting.entry(host.clone()).or_default();
        waiting.bytes += size_of_input(&job);
        waiting.inputs.push(job);
        self.count += 1;
        if waiting.inputs.len() >= self.size || waiting.bytes >= MOST_BYTES {
            let inputs = std::mem::take(&mut waiting.inputs);
            (waiting.bytes, waiting.big) = (0, true);
            self.count -= inputs.len();
            self.write(hosts([&host]), inputs)?;
        }
        if self.count >= MOST_WAITING { self.pack() } else { Ok(()) }
    }

    /// Packs what waits: hosts that had a chunk already by themselves, the others together.
    fn pack(&mut self) -> Result<()> {
        let (mut packed, mut of, mut bytes) = (Vec::new(), Vec::new(), 0);
        for host in std::mem::take(&mut self.order) {
            let Some(waiting) = self.waiting.remove(&host).filter(|waiting| !waiting.inputs.is_empty()) else {
                continue;
            };
            if waiting.big || host.is_none() {
                self.write(hosts([&host]), waiting.inputs)?;
                continue;
            }
            if !packed.is_empty() && (packed.len() + waiting.inputs.len() > self.size || bytes >= MOST_BYTES) {
                self.write(std::mem::take(&mut of), std::mem::take(&mut packed))?;
                bytes = 0;
            }
            bytes += waiting.bytes;
            packed.extend(waiting.inputs);
            of.extend(hosts([&host]));
        }
        self.count = 0;
        if packed.is_empty() { Ok(()) } else { self.write(of, packed) }
    }

    fn write(&mut self, hosts: Vec<u64>, inputs: Vec<JobInput>) -> Result<()> {
        let chunk = u32::try_from(self.chunks.len())
            .map_err(|_| Error::usage("too many chunks for one run").hint("split the list of inputs"))?;
        self.chunks.push(Chunk { at: self.at, hosts: hosts.clone().into(), inputs: inputs.len() as u32 });
        let mut text = super::protocol::bytes(&Line { hosts, job: Job { chunk, inputs } })?.to_vec();
        text.push(b'\n');
        self.at += text.len() as u64;
        self.out.write_all(&text).map_err(failed)
    }
}

fn hosts<'a>(hosts: impl IntoIterator<Item = &'a Option<String>>) -> Vec<u64> {
    hosts.into_iter().flatten().map(|host| host_hash(host)).collect()
}

/// About as many bytes as it takes in a message.
fn size_of_input(input: &JobInput) -> usize {
    let text = |text: &Option<String>| text.as_ref().map_or(0, String::len);
    input.place.len() + text(&input.name) + text(&input.member) + 32
}

/// Reads a whole plan into a file without a name.
pub(crate) fn into_file(reader: &mut impl Read) -> Result<File> {
    let mut file = tempfile::tempfile().map_err(failed)?;
    std::io::copy(reader, &mut file).map_err(failed)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use raudal_source::Location;

    fn input(host: usize, n: usize) -> Input {
        Input::new(Location::parse(&format!("http://h{host}/{n}.csv")).expect("a URL"))
    }

    fn plan(hosts: &[usize], size: usize) -> Plan {
        let inputs = hosts.iter().enumerate().map(|(n, host)| input(*host, n));
        Plan::new(inputs.zip(0..).map(|(input, i)| Ok((JobInput::of(i, &input, None)?, input))), size).expect("a plan")
    }

    fn indices(plan: &mut Plan) -> Vec<Vec<u64>> {
        (0..plan.chunks.len() as u32)
            .map(|chunk| plan.job(chunk).expect("a chunk").inputs.iter().map(|input| input.i).collect())
            .collect()
    }

    #[test]
    fn a_big_host_has_chunks_of_its_own_and_small_ones_share() {
        let mut plan = plan(&[1, 1, 2, 1, 3, 1, 1, 4], 2);
        assert_eq!(indices(&mut plan), [vec![0, 1], vec![3, 5], vec![6], vec![2, 4], vec![7]]);
        let hosts: Vec<usize> = plan.chunks.iter().map(|chunk| chunk.hosts.len()).collect();
        assert_eq!(hosts, [1, 1, 1, 2, 1]);
    }

    #[test]
    fn the_number_of_chunks_suits_the_number_of_inputs() {
        assert_eq!([1, 32, 5_000, 100_000, 1_000_000].map(chunk_size), [1, 1, 2, 48, 64]);
    }

    proptest! {
        #[test]
        fn every_input_is_in_one_chunk_and_a_plan_reads_back(hosts in proptest::collection::vec(0..9usize, 0..200), size in 1..9usize) {
            let mut plan = plan(&hosts, size);
            let mut all: Vec<u64> = indices(&mut plan).concat();
            prop_assert!(indices(&mut plan).iter().all(|chunk| !chunk.is_empty() && chunk.len() <= size));
            all.sort_unstable();
            prop_assert_eq!(all, (0..hosts.len() as u64).collect::<Vec<_>>());
            let mut again = Plan::read(into_file(&mut plan.reader().expect("a file")).expect("a file")).expect("a plan");
            prop_assert_eq!(indices(&mut again), indices(&mut plan));
            prop_assert!(plan.chunks.iter().zip(&again.chunks).all(|(a, b)| a.hosts == b.hosts && a.inputs == b.inputs));
        }
    }
}
