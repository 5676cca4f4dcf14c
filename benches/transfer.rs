//! From an origin on this machine to rows: sixteen small ITER archives are fetched, unzipped and
//! filtered into one table.
//!
//! The embedded origin serves them without latency, on its own runtime. The others share a runtime
//! of two workers, and keep their connections between runs. Bytes per second are bytes of CSV.
//! raudal's pipeline, at 1, 4 and 8 in flight, has its retries, timeouts and limits; the others
//! have none of these:
//!
//! - `sequential`: `reqwest`, `zip` and `csv` by hand, one archive after another;
//! - `buffer_unordered`: the same, eight in flight, each unzipped and filtered on a blocking
//!   thread.
//!
//! ```text
//! cargo bench --bench transfer -- --quick
//! ```

mod common;

use common::{Shared, by_zip_and_csv, totals};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use futures::{StreamExt, stream};
use raudal::catalogue::iter_2020;
use raudal::fetch::{self, Client};
use raudal::origin;
use raudal::pipeline;
use raudal::source::Input;
use raudal::workload::{Archives, Mirror};
use std::time::Duration;
use tokio::runtime::Runtime;

/// How many archives raudal has in flight.
const LEVELS: [usize; 3] = [1, 4, 8];

async fn pipeline(client: &Client, inputs: &[Input], jobs: usize) -> Vec<u8> {
    let mut options = pipeline::Options::default();
    (options.run.concurrency, options.query) = (jobs.into(), totals());
    let shared = Shared::default();
    let summary = pipeline::run(inputs.to_vec(), client, options, shared.sink()).await.expect("a table");
    assert!(summary.is_complete(), "{:?}", summary.failures);
    shared.take()
}

async fn get(client: &reqwest::Client, url: &str) -> bytes::Bytes {
    let answer = client.get(url).send().await.and_then(reqwest::Response::error_for_status);
    answer.expect("an answer").bytes().await.expect("a whole body")
}

async fn sequential(client: &reqwest::Client, urls: &[String]) -> Vec<u8> {
    let mut tables = Vec::new();
    for url in urls {
        tables.push(by_zip_and_csv(&get(client, url).await));
    }
    joined(tables)
}

async fn buffer_unordered(client: &reqwest::Client, urls: &[String], in_flight: usize) -> Vec<u8> {
    let mut tables: Vec<(usize, Vec<u8>)> = stream::iter(urls.iter().enumerate())
        .map(|(at, url)| async move {
            let archive = get(client, url).await;
            let table = tokio::task::spawn_blocking(move || by_zip_and_csv(&archive));
            (at, table.await.expect("no panic"))
        })
        .buffer_unordered(in_flight)
        .collect()
        .await;
    tables.sort_by_key(|(at, _)| *at);
    joined(tables.into_iter().map(|(_, table)| table))
}

/// Joins tables with the same header into one.
fn joined(tables: impl IntoIterator<Item = Vec<u8>>) -> Vec<u8> {
    let mut whole = Vec::new();
    for table in tables {
        let header = table.iter().position(|&byte| byte == b'\n').expect("a header") + 1;
        whole.extend_from_slice(if whole.is_empty() { &table } else { &table[header..] });
    }
    whole
}

/// Returns the number of bytes of CSV in all archives.
async fn uncompressed(client: &reqwest::Client, urls: &[String]) -> u64 {
    let mut total = 0;
    for url in urls {
        let bytes = get(client, url).await;
        let mut archive = zip::ZipArchive::new(std::io::Cursor::new(bytes)).expect("an archive");
        total += archive.by_index(0).expect("a member").size();
    }
    total
}

fn runtime() -> Runtime {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.expect("a runtime")
}

fn origin_to_rows(criterion: &mut Criterion) {
    let (server, runtime) = (runtime(), runtime());
    let mut options = origin::Options::default();
    options.scale = 0.1;
    let entities = iter_2020::catalogue().select("1-16").expect("codes of entities");
    let archives = server.block_on(Archives::open(&Mirror::Embedded(options), &entities, iter_2020::MICRODATOS));
    let archives = archives.expect("an origin");
    let inputs = &archives.inputs;
    let urls: &[String] = &inputs.iter().map(|input| input.location.to_string()).collect::<Vec<_>>();

    let ours = &Client::new(&fetch::Options::default()).expect("a client");
    // reqwest is built without a TLS provider, and needs one even though nothing here is encrypted.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let theirs = &reqwest::Client::builder().no_proxy().build().expect("a client");

    let expected = runtime.block_on(sequential(theirs, urls));
    assert!(runtime.block_on(buffer_unordered(theirs, urls, 8)) == expected, "buffer_unordered has other rows");
    for jobs in LEVELS {
        assert!(runtime.block_on(pipeline(ours, inputs, jobs)) == expected, "the pipeline has other rows");
    }

    let mut group = criterion.benchmark_group("origin_to_rows");
    group.sample_size(20).warm_up_time(Duration::from_secs(1)).measurement_time(Duration::from_secs(3));
    group.throughput(Throughput::Bytes(runtime.block_on(uncompressed(theirs, urls))));
    for jobs in LEVELS {
        group.bench_with_input(BenchmarkId::new("raudal", jobs), &jobs, |bench, &jobs| {
            bench.to_async(&runtime).iter(|| pipeline(ours, inputs, jobs));
        });
    }
    group.bench_function(BenchmarkId::new("sequential", 1), |bench| {
        bench.to_async(&runtime).iter(|| sequential(theirs, urls));
    });
    group.bench_function(BenchmarkId::new("buffer_unordered", 8), |bench| {
        bench.to_async(&runtime).iter(|| buffer_unordered(theirs, urls, 8));
    });
    group.finish();
    server.block_on(archives.close());
}

criterion_group!(benches, origin_to_rows);
criterion_main!(benches);
