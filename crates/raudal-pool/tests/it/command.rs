//! Child processes as jobs. The programs are shells, so this is for systems that have one.
#![cfg(unix)]

use raudal_pool::{CommandError, JobError, Pool};
use std::time::Duration;
use tokio::process::Command;

fn shell(script: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", script]);
    command
}

async fn output(script: &'static str) -> Result<(String, String), CommandError> {
    let pool = Pool::new(8);
    let mut results = pool.map([script], |cx, script| async move { cx.output(shell(script)).await }).await;
    match results.pop().unwrap() {
        Ok(output) => Ok([output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap()).into()),
        Err(JobError::Failed(error)) => Err(error),
        Err(error) => panic!("{error}"),
    }
}

#[tokio::test]
async fn what_a_program_writes_is_returned_and_it_reads_nothing() {
    assert_eq!(output("cat; echo out; echo err >&2").await.unwrap(), ("out\n".to_owned(), "err\n".to_owned()));
}

#[tokio::test]
async fn a_program_that_fails_says_with_what_code_and_what_it_said_last() {
    let error = output("for n in 1 2 3 4 5 6; do echo line $n >&2; done; exit 3").await.unwrap_err();
    assert_eq!(error.to_string(), "the program failed: exit status: 3: line 3 / line 4 / line 5 / line 6",);
    let error = output("kill -TERM $$").await.unwrap_err();
    assert!(error.to_string().starts_with("the program failed: signal: 15"), "{error}");
}

#[tokio::test]
async fn a_program_that_does_not_exist_is_the_failure_of_its_job() {
    let pool = Pool::new(8);
    let results = pool.map(["/no/such/program"], |cx, path| async move { cx.output(Command::new(path)).await }).await;
    assert!(matches!(&results[0], Err(JobError::Failed(CommandError::Io(_)))), "{results:?}");
}

#[tokio::test]
async fn output_is_bounded_and_the_end_of_standard_error_is_kept() {
    let error = output("exec yes").await.unwrap_err();
    assert!(matches!(error, CommandError::TooMuch(_)), "{error}");
    let (_, stderr) = output("head -c 1000000 /dev/zero | tr '\\0' x >&2; printf the-end >&2").await.unwrap();
    assert_eq!(stderr.len(), 16 << 10);
    assert!(stderr.ends_with("xthe-end"));
}

/// Kill and wait are the job's own last act: when it is over, the process is neither running nor a zombie.
#[tokio::test]
async fn a_program_whose_attempt_ends_first_is_killed_and_awaited() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pid");
    // The pid stands in the file under its name only when it is whole.
    let script = format!("echo $$ > {0}.new; mv {0}.new {0}; exec sleep 1000", file.display());
    let pool = Pool::new(8);
    let run = pool.run([script], |cx, script| async move { cx.status(shell(&script)).await }).start();
    let pid = loop {
        if let Ok(text) = std::fs::read_to_string(&file) {
            break text.trim().parse::<i32>().unwrap();
        }
        tokio::task::yield_now().await;
    };
    let pid = rustix::process::Pid::from_raw(pid).unwrap();
    assert!(rustix::process::test_kill_process(pid).is_ok(), "it runs");
    assert_eq!(run.shutdown().await.cancelled, 1);
    assert!(rustix::process::test_kill_process(pid).is_err(), "a zombie would still be there");
}

#[tokio::test]
async fn a_program_that_takes_too_long_is_a_time_out() {
    let limit = Duration::from_millis(50);
    let pool = Pool::new(8);
    let report = pool
        .for_each([()], |cx, ()| async move { cx.status(shell("exec sleep 1000")).await })
        .attempt_timeout(limit)
        .await;
    assert_eq!(report.failures, [("timeout", 1)].into());
}
