use super::*;
use crate::workload::work::tests::{run, stages};

fn options(queries: usize, connections: usize) -> DatabaseOptions {
    let latency = "uniform:0ms..3ms".parse().unwrap();
    DatabaseOptions { queries, latency, connections, ..DatabaseOptions::default() }
}

/// Returns the most jobs that were in a stage at once.
fn peak(run: &WorkloadRun, stage: &str) -> usize {
    let spans = || run.jobs.iter().flat_map(|job| &job.stages).filter(|span| span.stage == stage);
    spans().map(|one| spans().filter(|other| other.start <= one.start && one.start < other.end).count()).max().unwrap()
}

#[tokio::test]
async fn queries_give_the_same_at_every_level() {
    let database = Database::open(options(12, 3)).await.unwrap();
    let (one, many) = (run(&database, 1).await.unwrap(), run(&database, 12).await.unwrap());
    assert_eq!((&one.digest, &one.parts, one.rows), (&many.digest, &many.parts, 12));
    assert_eq!(stages(&many), vec![vec!["acquire", "query"]; 12]);
    assert_eq!((one.report.peak_in_flight, one.report.items), (1, 120));
    let distinct: std::collections::HashSet<_> = one.parts.iter().map(|part| &part.digest).collect();
    assert_eq!(distinct.len(), 12, "each job found something of its own");
}

#[tokio::test]
async fn the_pool_of_connections_is_a_semaphore_and_says_so() {
    let database = Database::open(options(1, 2)).await.unwrap();
    let bound = database.limit().unwrap();
    assert_eq!(bound.at_once, 2);
    assert!(bound.why.contains("2 connections") && bound.why.contains("[`connections`]"), "{}", bound.why);
}

#[tokio::test]
async fn writes_wait_for_one_another_at_any_level_and_all_of_them_last() {
    let database = Database::open(DatabaseOptions { write: true, ..options(10, 4) }).await.unwrap();
    let (one, many) = (run(&database, 1).await.unwrap(), run(&database, 10).await.unwrap());
    assert_eq!((&one.digest, &one.parts), (&many.digest, &many.parts));
    assert_eq!(stages(&many), vec![vec!["acquire", "begin", "write", "commit"]; 10]);
    assert_eq!(peak(&many, "write"), 1, "there is one writer");
    let bound = database.limit().unwrap();
    assert!(bound.at_once == 1 && bound.why.contains("one writer"), "{}", bound.why);
}

/// Compares the levels 1, 2 and 8, and returns the finding for level 8.
async fn finding(options: DatabaseOptions) -> crate::Finding {
    let database = Database::open(options).await.unwrap();
    let plan = crate::Plan::new([1, 2, 8]).unwrap().runs(1).unwrap();
    let comparison = crate::compare(&database, &plan, &(), CancellationToken::new()).await.unwrap();
    comparison.finding(&comparison.levels[2]).unwrap()
}

#[tokio::test]
async fn a_comparison_says_that_the_pool_of_connections_is_the_bound() {
    let options = DatabaseOptions { latency: "20ms".parse().unwrap(), ..options(24, 2) };
    let found = finding(options).await;
    assert_eq!(found.bound, crate::Bound::Shared, "{found}");
    assert!(found.because.contains("in `acquire` waiting for a connection of the pool"), "{found}");
    assert!(found.because.contains(" queries/s is no faster than with 2 jobs"), "{found}");
}

#[tokio::test]
async fn a_comparison_says_that_the_only_writer_is_the_bound() {
    let options = DatabaseOptions { write: true, latency: "10ms".parse().unwrap(), ..options(24, 8) };
    let found = finding(options).await;
    assert_eq!(found.bound, crate::Bound::Shared, "{found}");
    assert!(found.because.contains("in `begin` waiting for the only writer"), "{found}");
}

#[test]
fn a_write_that_is_lost_or_that_nobody_made_is_found_out() {
    let run = WorkloadRun::new(raudal_pool::RunReport::default(), "").part("write 0", "a").part("write 1", "b");
    let found = |rows: &[(u32, &str)]| rows.iter().map(|(n, d)| (*n, (*d).to_owned())).collect::<Vec<_>>();
    assert!(check_writes(&run, &found(&[(0, "a"), (1, "b")])).is_ok());
    for (rows, place) in [
        (found(&[(0, "a")]), ": write 1"),
        (found(&[(1, "b")]), ": write 0"),
        (found(&[(0, "a"), (1, "x")]), ": write 1"),
        (found(&[(0, "a"), (1, "b"), (7, "c")]), ": 7"),
    ] {
        let error = check_writes(&run, &rows).unwrap_err();
        assert!(error.kind() == Kind::Checksum && error.to_string().ends_with(place), "{error}");
    }
}

#[tokio::test]
async fn a_query_that_is_too_slow_is_named_and_its_connection_comes_back() {
    let slow = DatabaseOptions {
        latency: Duration::from_secs(3600).into(),
        timeout: Duration::from_millis(5),
        ..options(2, 1)
    };
    let database = Database::open(slow).await.unwrap();
    for _ in 0..2 {
        let error = run(&database, 2).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Timeout, "{error}");
        assert!(error.to_string().contains("query") && error.hint_text().is_some(), "{error}");
    }
}

#[tokio::test]
async fn a_writer_that_never_comes_free_is_waited_for_no_longer_than_the_time_out() {
    let slow = DatabaseOptions {
        write: true,
        latency: Duration::from_secs(3600).into(),
        timeout: Duration::from_millis(5),
        ..options(2, 2)
    };
    let database = Database::open(slow).await.unwrap();
    assert_eq!(run(&database, 2).await.unwrap_err().kind(), Kind::Timeout);
    // The transaction that held the writer was rolled back.
    #[cfg_attr(not(feature = "postgres"), expect(irrefutable_let_patterns, reason = "there may be a server"))]
    let Backend::SqliteDatabase(sqlite) = &database.server else { panic!("it is SQLite") };
    assert_eq!(sqlite.writes().await.unwrap(), []);
}

#[tokio::test]
async fn a_cancelled_run_stops_its_queries_and_is_no_result() {
    let slow = DatabaseOptions { latency: Duration::from_secs(3600).into(), ..options(4, 2) };
    let database = Database::open(slow).await.unwrap();
    let stop = CancellationToken::new();
    let (running, ()) = tokio::join!(database.run(4, Arc::new(raudal_pool::NoObserver), stop.clone()), async {
        tokio::time::sleep(Duration::from_millis(2)).await;
        stop.cancel();
    });
    assert_eq!(running.unwrap_err().kind(), Kind::Cancelled);
}

#[tokio::test]
async fn bad_options_are_usage_errors_with_a_cure_that_show_no_credentials() {
    let with = |url: &str| DatabaseOptions { url: Some(url.to_owned()), ..DatabaseOptions::default() };
    for bad in [
        options(0, 1),
        options(1, 0),
        with("host=db password=secret"),
        with("mysql://me:secret@db/x"),
        with("postgres://me:12/secret@db/x"),
        DatabaseOptions { write: true, ..with("postgres://me:secret@db/x") },
        DatabaseOptions { folder: Some("/tmp".into()), ..with("postgres://me:secret@db/x") },
        #[cfg(not(feature = "postgres"))]
        with("postgres://me:secret@db/x"),
    ] {
        let shown = format!("{bad:?}");
        let error = Database::open(bad).await.unwrap_err();
        assert_eq!((error.kind(), error.hint_text().is_some()), (Kind::Usage, true), "{error}");
        assert!(!format!("{error:?} {shown}").contains("secret"), "{error:?} {shown}");
    }
}

#[tokio::test]
async fn a_folder_that_is_none_is_an_error_that_names_it() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let bad = DatabaseOptions { folder: Some(file.path().into()), ..options(1, 1) };
    let error = Database::open(bad).await.unwrap_err();
    assert!(error.kind() == Kind::Io && error.to_string().contains(&*file.path().to_string_lossy()), "{error}");
}
