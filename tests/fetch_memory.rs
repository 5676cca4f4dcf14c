//! Memory stays flat: 32 bodies of 4 MB, 122 MiB together, take at most about half of that. This
//! test has a file of its own, because the peak is that of the whole process.

#![cfg(target_os = "linux")]

mod common;

use common::{Answer, Gate, Server};
use futures::future::join_all;
use raudal::fetch::{Client, Expect, Options};
use raudal::source::Location;

/// Returns the peak memory of this process in MiB.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux has it");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a peak");
    line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") / 1024
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thirty_two_bodies_at_once_stay_under_64_mib() {
    let gate = Gate::new();
    let server = Server::with("/a", [Answer::ok(vec![b'x'; 4_000_000]).behind(&gate)]);
    let client = Client::new(&Options::default()).expect("a client");
    let location = Location::parse(&server.url("/a")).expect("a URL");
    let fetches = (0..32).map(|_| {
        let (client, location) = (client.clone(), location.clone());
        tokio::spawn(async move { client.fetch(&location, Expect::Table, &()).await })
    });
    let fetches: Vec<_> = fetches.collect();
    let server = tokio::task::spawn_blocking(move || {
        server.wait_for_in_flight(32);
        gate.open();
        server
    });
    let server = server.await.expect("32 at once");
    let bodies: Vec<_> = join_all(fetches).await.into_iter().map(|body| body.expect("no panic")).collect();
    assert!(bodies.iter().all(|body| body.as_ref().is_ok_and(|body| body.len() == 4_000_000)));
    assert_eq!(server.peak(), 32);
    // 8 MB of it belong to the server. The peak is 40 to 44 MiB on a quiet machine and 52 to 58 on
    // a busy one. With a single allocator arena it was 44 to 47 there too, so most of the
    // difference is memory that the arenas keep.
    assert!(peak() < 64, "the peak was {} MiB", peak());
}
