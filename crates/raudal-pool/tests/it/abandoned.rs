//! Jobs that nobody wants any more let go of everything at once.

use raudal_pool::{JobError, Pool, Retry, SpawnError};
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, timeout};

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);

#[tokio::test(start_paused = true)]
async fn a_spawner_does_not_wait_for_the_retry_of_a_job_that_was_given_up() {
    let start = Instant::now();
    let spawner =
        Pool::new(1).spawner(|_, ()| async { Err::<(), _>("refused") }).retry(Retry::with_delays(|| [HOUR])).start();
    let handle = spawner.spawn(()).await;
    sleep(SECOND).await;
    drop(handle);
    let report = spawner.join().await;
    assert_eq!((report.cancelled, start.elapsed()), (1, SECOND));
}

#[tokio::test(start_paused = true)]
async fn twenty_thousand_inputs_behind_a_stuck_job_are_let_go_with_their_handles() {
    let spawner = Pool::new(1).spawner(|_, _input: Arc<()>| pending::<Result<(), String>>()).buffer(30_000).start();
    let input = Arc::new(());
    let stuck = spawner.spawn(input.clone()).await;
    let mut handles = Vec::new();
    for _ in 0..20_000 {
        handles.push(spawner.spawn(input.clone()).await);
    }
    sleep(SECOND).await;
    assert_eq!((Arc::strong_count(&input), spawner.len(), spawner.in_flight()), (20_001, 20_001, 1));
    drop(handles);
    tokio::task::yield_now().await;
    assert_eq!((Arc::strong_count(&input), spawner.len()), (1, 1));
    drop(stuck);
    assert_eq!(timeout(SECOND, spawner.join()).await.expect("nothing is left").cancelled, 20_001);
}

#[tokio::test(start_paused = true)]
async fn a_handle_that_is_aborted_gives_its_slot_to_the_next_job() {
    let spawner = Pool::new(1).spawner(|_, hangs: bool| async move {
        if hangs {
            pending::<()>().await;
        }
        Ok::<_, String>(())
    });
    let spawner = spawner.start();
    let (stuck, next) = (spawner.spawn(true).await, spawner.spawn(false).await);
    sleep(SECOND).await;
    stuck.abort();
    assert_eq!(timeout(SECOND, next).await.expect("it has a slot"), Ok(()));
    assert_eq!(stuck.await, Err(JobError::CANCELLED));
}

#[tokio::test(start_paused = true)]
async fn a_spawner_waits_for_room_or_gives_the_input_back() {
    let (gate, begun) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (open, tells) = (gate.clone(), begun.clone());
    let spawner = Pool::new(1)
        .spawner(move |_, n: u32| {
            let (gate, begun) = (gate.clone(), begun.clone());
            async move {
                begun.notify_one();
                gate.notified().await;
                Ok::<_, String>(n)
            }
        })
        .buffer(2)
        .start();
    let mut handles = vec![spawner.spawn(0).await];
    tells.notified().await;
    handles.push(spawner.try_spawn(1).unwrap());
    handles.push(spawner.try_spawn(2).unwrap());
    assert!(matches!(spawner.try_spawn(3), Err(SpawnError::Full(3))));
    assert!(timeout(SECOND, spawner.spawn(3)).await.is_err(), "it waits for room");
    assert_eq!((spawner.len(), spawner.in_flight(), spawner.is_empty()), (3, 1, false));
    open.notify_one();
    handles.push(timeout(SECOND, spawner.spawn(3)).await.expect("one of them has begun"));
    for (n, handle) in handles.into_iter().enumerate() {
        open.notify_one();
        assert_eq!(handle.await, Ok(n as u32));
    }
    assert!(spawner.is_empty());
    spawner.drain();
    assert!(matches!(spawner.try_spawn(4), Err(SpawnError::Closed(4))));
    assert_eq!(spawner.spawn(5).await.await, Err(JobError::CANCELLED));
    assert_eq!(spawner.join().await.succeeded, 4);
}

#[tokio::test(start_paused = true)]
async fn a_job_may_spawn_into_its_own_spawner_however_full_it_is() {
    let pool = Pool::new(1);
    let own = Arc::new(std::sync::OnceLock::<Arc<raudal_pool::Spawner<u32, u32, String>>>::new());
    let within = own.clone();
    let spawner = pool
        .spawner(move |_, n: u32| {
            let within = within.clone();
            async move {
                if n == 0 {
                    return Ok(1);
                }
                let spawner = within.get().expect("it is there").clone();
                let (left, right) = (spawner.spawn(n - 1).await, spawner.spawn(n - 1).await);
                // It waits for both: their jobs use its slot meanwhile.
                Ok(left.await.map_err(|e| e.to_string())? + right.await.map_err(|e| e.to_string())?)
            }
        })
        .buffer(1)
        .start();
    let spawner = Arc::new(spawner);
    assert!(own.set(spawner.clone()).is_ok());
    let root = spawner.spawn(6).await;
    assert_eq!(timeout(60 * SECOND, root).await.expect("it does not wait for itself"), Ok(64));
}

#[tokio::test(start_paused = true)]
async fn a_detached_job_goes_on() {
    let pool = Pool::new(1);
    let (tells, told) = tokio::sync::oneshot::channel();
    let tells = std::sync::Mutex::new(Some(tells));
    pool.spawn((), move |_, ()| {
        let tells = tells.lock().unwrap().take();
        async move {
            sleep(SECOND).await;
            let _ = tells.map(|tells| tells.send(7));
            Ok::<_, String>(())
        }
    })
    .detach();
    assert_eq!(told.await, Ok(7));
}

#[tokio::test]
async fn a_spawner_ends_however_many_jobs_came_before_it_began() {
    let spawner = Pool::new(2).spawner(|_, n: u32| async move { Ok::<_, String>(n) }).buffer(1000).start();
    for n in 0..1000 {
        // On this thread nothing else runs meanwhile.
        spawner.try_spawn(n).unwrap().detach();
    }
    assert_eq!(timeout(60 * SECOND, spawner.join()).await.expect("it ends").succeeded, 1000);
}
