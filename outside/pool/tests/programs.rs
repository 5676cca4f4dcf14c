//! What people build with a pool.

use axum::Router;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::routing::get;
use raudal_pool::{Backoff, JobError, MapError, Pool, Retry};
use std::cell::RefCell;
use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tower::{Service, ServiceExt, service_fn};

/// What the handlers share: one pool, and how many were inside of the backend at most.
#[derive(Clone)]
struct Shared {
    pool: Pool,
    inside: Arc<(AtomicUsize, AtomicUsize)>,
}

async fn backend(shared: Shared, name: String) -> Result<String, String> {
    let (now, peak) = &*shared.inside;
    peak.fetch_max(now.fetch_add(1, SeqCst) + 1, SeqCst);
    tokio::task::yield_now().await;
    now.fetch_sub(1, SeqCst);
    if name.is_empty() { Err("who?".to_owned()) } else { Ok(format!("hello {name}")) }
}

async fn hello(
    State(shared): State<Shared>,
    Query(query): Query<HashMap<String, String>>,
) -> Result<String, (StatusCode, String)> {
    let name = query.get("name").cloned().unwrap_or_default();
    let job = shared.pool.clone();
    job.run_one(name, move |_cx, name| backend(shared.clone(), name))
        .attempt_timeout(Duration::from_secs(5))
        .await
        .map_err(|error| match error {
            JobError::Failed(error) => (StatusCode::BAD_REQUEST, error),
            error => (StatusCode::BAD_GATEWAY, error.to_string()),
        })
}

async fn request(address: std::net::SocketAddr, path: String) -> anyhow::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(format!("GET {path} HTTP/1.0\r\n\r\n").as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_handlers_of_a_server_share_one_pool() -> anyhow::Result<()> {
    let shared = Shared { pool: Pool::new(3), inside: Arc::default() };
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let app = Router::new().route("/hello", get(hello)).with_state(shared.clone());
    let server = tokio::spawn(async move { axum::serve(listener, app).await });
    // The client has a pool of its own. `?` works on what `try_map` returns.
    let client = Pool::new(20);
    let answers =
        client.try_map((0..100).map(|n| format!("/hello?name={n}")), move |_cx, path| request(address, path)).await?;
    assert!(answers[7].ends_with("hello 7"), "{}", answers[7]);
    assert!(request(address, "/hello".to_owned()).await?.starts_with("HTTP/1.0 400"));
    assert!(shared.inside.1.load(SeqCst) <= 3);
    server.abort();
    Ok(())
}

#[tokio::test]
async fn a_tcp_stream_may_be_an_input() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let accepts = futures_util::stream::unfold(listener, |listener| async {
        let (stream, _) = listener.accept().await.ok()?;
        Some((stream, listener))
    });
    let echo = |_cx, mut stream: TcpStream| async move {
        let mut byte = [0];
        stream.read_exact(&mut byte).await?;
        stream.write_all(&byte).await?;
        Ok::<_, std::io::Error>(byte[0])
    };
    let mut run = Pool::new(8).run_stream(accepts, echo).start();
    for n in 0..20 {
        let mut client = TcpStream::connect(address).await?;
        client.write_all(&[n]).await?;
        assert_eq!(client.read_u8().await?, n);
        assert_eq!(run.next().await.ok_or("it goes on")?.result?, n);
    }
    run.shutdown().await;
    Ok(())
}

#[tokio::test]
async fn a_crawler_visits_what_it_finds() {
    /// A page with its links.
    async fn fetch(page: u64) -> Result<Vec<u64>, Infallible> {
        tokio::task::yield_now().await;
        Ok((1..=3).map(|n| 3 * page + n).filter(|page| *page < 1000).collect())
    }
    let pages = Arc::new(Mutex::new(Vec::new()));
    let found = pages.clone();
    let report = Pool::new(16)
        .for_each([0], move |cx, page| {
            let found = found.clone();
            async move {
                for link in fetch(page).await? {
                    cx.spawn(link);
                }
                found.lock().unwrap().push(page);
                Ok::<_, Infallible>(())
            }
        })
        .await;
    let mut pages = pages.lock().unwrap().clone();
    pages.sort_unstable();
    assert_eq!((report.succeeded, pages), (1000, (0..1000).collect()));
}

#[tokio::test(start_paused = true)]
async fn a_tower_service_may_be_the_job() -> anyhow::Result<()> {
    let calls = Arc::new(AtomicUsize::new(0));
    let count = calls.clone();
    let service = service_fn(move |n: u32| {
        let first = count.fetch_add(1, SeqCst) == 0;
        async move { if first { Err(anyhow::anyhow!("not yet")) } else { Ok(n * n) } }
    });
    // Whatever layers a service has, it is cloned for each attempt.
    let service = tower::ServiceBuilder::new().concurrency_limit(2).service(service);
    let squares = Pool::new(4)
        .try_map(0..10, move |_cx, n| {
            let mut service = service.clone();
            async move { service.ready().await?.call(n).await }
        })
        .retry(Retry::new(Backoff::default()))
        .await?;
    assert_eq!((squares[9], calls.load(SeqCst)), (81, 11));
    Ok(())
}

#[tokio::test]
async fn a_job_may_borrow() -> anyhow::Result<()> {
    let text = String::from("to be or not to be");
    let counts = RefCell::new(HashMap::new());
    let lengths = Pool::new(4)
        .local(text.split(' '), |_cx, word| {
            let counts = &counts;
            async move {
                tokio::task::yield_now().await;
                *counts.borrow_mut().entry(word).or_insert(0) += 1;
                Ok::<_, Infallible>(word.len())
            }
        })
        .try_map()
        .await
        .map_err(MapError::without_input)?;
    assert_eq!(lengths, [2, 2, 2, 3, 2, 2]);
    assert_eq!(counts.borrow()["be"], 2);
    Ok(())
}

#[tokio::test]
async fn one_pool_is_a_field_and_serves_jobs_of_several_types() -> anyhow::Result<()> {
    struct Client {
        pool: Pool,
    }
    impl Client {
        async fn sizes(&self, names: &[String]) -> anyhow::Result<Vec<usize>> {
            Ok(self.pool.try_map(names.to_vec(), |_cx, name| async move { anyhow::Ok(name.len()) }).await?)
        }
        async fn parsed(&self, text: &'static str) -> anyhow::Result<u32> {
            Ok(self.pool.run_one(text, |_cx, text| async move { text.parse::<u32>() }).await?)
        }
    }
    fn is_send_sync<T: Send + Sync + Clone>(_: &T) {}
    let client = Client { pool: Pool::new(2) };
    is_send_sync(&client.pool);
    assert_eq!(client.sizes(&["a".to_owned(), "bc".to_owned()]).await?, [1, 2]);
    assert_eq!(client.parsed("7").await?, 7);
    assert_eq!(client.parsed("x").await.unwrap_err().to_string(), "invalid digit found in string");
    Ok(())
}
