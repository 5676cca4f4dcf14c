//! A long body is read while it arrives. What was read counts only if the rest arrives and the
//! bytes are confirmed.
#![cfg(unix)]

use std::io::{Read, Seek, SeekFrom};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::common::{Answer, Gate, Job, Server, noise, zip};
use raudal::fetch::{Arriving, Client, Options, Tail};
use raudal::pipeline::{self, Summary};
use raudal::pool::Backoff;
use raudal::source::{Input, Location};
use raudal::table::{Filter, Sink, SinkOptions, Target};
use tokio::sync::mpsc::{self, UnboundedSender};

const TAG: &str = "\"v1\"";
const LENGTH: usize = 9 << 20;
const PIECE: usize = 1 << 20;

fn slow(data: &[u8], gate: &Gate) -> Answer {
    Answer::drip(data, PIECE, gate).header("ETag", TAG).header("Accept-Ranges", "bytes")
}

fn part(data: &[u8]) -> Answer {
    Answer::ranged(data).header("ETag", TAG).header("Accept-Ranges", "bytes")
}

/// The bytes that were read, and whether they were confirmed.
type Along = (std::io::Result<Vec<u8>>, bool);

/// Reads along on a thread of its own, what is sent first. The gate is opened once the first megabyte was read.
fn read_along(gate: &Gate) -> (UnboundedSender<Arriving>, JoinHandle<Option<Along>>) {
    let (sender, mut bodies) = mpsc::unbounded_channel::<Arriving>();
    let gate = gate.clone();
    let reading = std::thread::spawn(move || {
        let arriving = bodies.blocking_recv()?;
        let mut reader = arriving.reader(Tail::default(), |_| ());
        let mut bytes = vec![0; PIECE];
        let mut read = reader.read_exact(&mut bytes);
        gate.open();
        read = read.and_then(|()| reader.read_to_end(&mut bytes).map(drop));
        Some((read.map(|()| bytes), arriving.confirms(&Tail::default())))
    });
    (sender, reading)
}

fn ended(reading: JoinHandle<Option<Along>>) -> Option<Along> {
    reading.join().expect("no panic")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_has_arrived_is_read_before_the_rest_is_sent() {
    let (data, gate) = (noise(LENGTH), Gate::new());
    let server = Server::with("/a", [slow(&data, &gate)]);
    gate.let_through(2);
    let (arriving, reading) = read_along(&gate);
    let bytes = Job::new(&Options::default(), &server.url("/a")).attempt_arriving(arriving).await.expect("a body");
    assert!(bytes == data);
    let (read, confirmed) = ended(reading).expect("a long body");
    assert!(read.expect("all of it") == data && confirmed);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transfer_that_breaks_off_ends_the_reading_and_the_next_one_is_read_from_the_start() {
    let (data, gate) = (noise(LENGTH), Gate::new());
    let broken = Answer::short(&data[..5 * PIECE], LENGTH).header("ETag", TAG).then_reset();
    let server = Server::with("/a", [broken, part(&data)]);
    let mut job = Job::new(&Options::default(), &server.url("/a"));
    let (arriving, reading) = read_along(&gate);
    job.attempt_arriving(arriving).await.expect_err("cut short");
    let (read, confirmed) = ended(reading).expect("a long body");
    assert!(read.is_err() && !confirmed);
    let (arriving, reading) = read_along(&gate);
    assert!(job.attempt_arriving(arriving).await.expect("the rest") == data);
    assert!(server.requests()[1].header("range").is_some(), "it goes on");
    let (read, confirmed) = ended(reading).expect("a long body");
    assert!(read.expect("all of it") == data && confirmed);
}

#[tokio::test]
async fn a_body_that_is_short_or_of_unknown_length_is_not_read_along() {
    for answer in [Answer::ok(noise(LENGTH / 9)), Answer::ok(noise(LENGTH)).without_length()] {
        let server = Server::with("/a", [answer]);
        let (arriving, reading) = read_along(&Gate::new());
        Job::new(&Options::default(), &server.url("/a")).attempt_arriving(arriving).await.expect("a body");
        assert!(ended(reading).is_none());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_last_bytes_are_fetched_ahead_and_held_against_those_that_come() {
    let data = noise(LENGTH);
    let other = {
        let mut other = data.clone();
        other[LENGTH - 1] ^= 1;
        other
    };
    let page = Answer::page("gone").with_status(404);
    for (answer, comes, agrees) in [
        (part(&data), true, true),
        (part(&other), true, false),
        (Answer::ranged(&data).header("ETag", "\"v2\""), false, false),
        (Answer::ok(&data).header("ETag", TAG), false, false),
        (part(&data).cut_after(100), false, false),
        (page, false, false),
    ] {
        let server = Server::with("/a", [part(&data), answer]);
        let mut job = Job::new(&Options::default(), &server.url("/a"));
        let (sender, mut bodies) = mpsc::unbounded_channel();
        let client = job.client.clone();
        let tail = async {
            let arriving: Arriving = bodies.recv().await.expect("a long body");
            assert!(arriving.has_tail());
            let tail = client.tail(&arriving).await;
            (arriving, tail)
        };
        let (bytes, (arriving, tail)) = tokio::join!(job.attempt_arriving(sender), tail);
        assert!(bytes.expect("a body") == data, "it goes on as if nothing had been");
        let range = format!("bytes={}-{}", LENGTH - (128 << 10), LENGTH - 1);
        assert_eq!(server.requests()[1].header("range"), Some(range.as_str()));
        assert_eq!(tail.is_ok(), comes);
        let Ok(tail) = tail else { continue };
        assert_eq!(arriving.confirms(&tail), agrees);
        let mut reader = arriving.reader(tail, |_| ());
        let mut end = Vec::new();
        reader.seek(SeekFrom::End(-7)).expect("within");
        reader.read_to_end(&mut end).expect("the last bytes");
        assert_eq!(end == data[LENGTH - 7..], agrees);
    }
}

/// A table that hardly compresses, with one wanted row in a thousand.
fn csv() -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(7);
    let mut text = b"n,noise\n".to_vec();
    for n in 0..100_000 {
        let noise: String = std::iter::repeat_with(|| random.alphanumeric()).take(130).collect();
        text.extend_from_slice(format!("{},{noise}\n", n % 1000).as_bytes());
    }
    text
}

async fn table(server: &Server, jobs: usize) -> (raudal::Result<Summary>, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let output = folder.path().join("out.csv");
    let mut options = pipeline::Options::default();
    options.run.concurrency = jobs.into();
    options.run.backoff = Backoff::default().retries(1).first(Duration::from_millis(1));
    options.query.filter = Some(Filter::parse("n == 7").expect("a filter"));
    let inputs = [Input::new(Location::parse(&server.url("/a.zip")).expect("a URL"))];
    let sink = Sink::create(Target::File(output.clone()), SinkOptions::default()).expect("a sink");
    let client = Client::new(&Options::default()).expect("a client");
    let summary = pipeline::run(inputs, &client, options, sink).await;
    (summary, std::fs::read_to_string(output).unwrap_or_default())
}

fn stored(name: &str, bytes: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    writer.start_file(name, options).expect("a name");
    writer.write_all(bytes).expect("room");
    writer.finish().expect("an archive").into_inner()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_archive_that_is_decoded_as_it_comes_gives_the_rows_of_one_that_is_not() {
    let csv = csv();
    let wanted: String = std::iter::once("n,noise\n".to_owned())
        .chain(
            String::from_utf8(csv.clone())
                .expect("text")
                .lines()
                .filter(|line| line.starts_with("7,"))
                .map(|line| format!("{line}\n")),
        )
        .collect();
    for archive in [stored("a.csv", &csv), zip([("b/a.csv", csv.as_slice()), ("readme.txt", b"read me")])] {
        assert!(archive.len() > LENGTH, "{}", archive.len());
        let lies = {
            let mut lies = archive.clone();
            let end = lies.len() - 30;
            lies[end..].fill(0);
            lies
        };
        for (answers, jobs, is_ahead) in [
            (vec![part(&archive); 40], 8, true),
            (vec![part(&archive); 40], 1, false),
            (vec![Answer::ok(&archive); 40], 8, false),
            ([vec![part(&archive), part(&lies)], vec![part(&archive); 40]].concat(), 8, true),
            ([vec![part(&archive).cut_after(5 * PIECE)], vec![part(&archive); 40]].concat(), 8, true),
        ] {
            let server = Server::with("/a.zip", answers);
            let (summary, rows) = table(&server, jobs).await;
            let summary = summary.expect("a table");
            assert!(rows == wanted, "{} bytes of rows", rows.len());
            let tail = format!("bytes={}-{}", archive.len() - (128 << 10), archive.len() - 1);
            let asked = server.requests().iter().any(|request| request.header("range") == Some(tail.as_str()));
            assert_eq!(asked, is_ahead, "the directory comes ahead where there is a connection for it");
            assert_eq!((summary.rows_read, summary.rows_kept, summary.failures.len()), (100_000, 100, 0));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damage_that_is_met_ahead_is_told_as_it_always_is() {
    let good = stored("a.csv", &csv());
    let mut damaged = good.clone();
    damaged[4 * PIECE] ^= 1;
    let server = Server::with("/a.zip", vec![part(&damaged); 40]);
    let (summary, rows) = table(&server, 8).await;
    let summary = summary.expect("a run");
    assert_eq!(rows, "");
    let error = &summary.failures[0].error;
    assert_eq!(error.kind(), raudal::Kind::Checksum, "{}", error.report());
    assert!(error.report().contains("a.csv"), "{}", error.report());
}
