//! Spans, with the feature `tracing`. A program of its own: whether a span is wanted is known to the whole process.

use raudal_pool::{Pool, Retry};
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tracing_subscriber::fmt::format::FmtSpan;

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn each_job_and_each_attempt_has_a_span_within_that_of_the_caller() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_writer(move || writer.clone())
        .with_span_events(FmtSpan::CLOSE)
        .with_ansi(false)
        .with_target(false)
        .without_time()
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let caller = tracing::info_span!("caller");
    let entered = caller.enter();
    let run = Pool::new(1)
        .run(["a"], |cx, _| async move {
            tracing::info!("within");
            if cx.attempt() == 1 { Err("again") } else { Ok(()) }
        })
        .label(|name| (*name).to_owned())
        .retry(Retry::with_delays(|| [Duration::from_secs(1)]))
        .start();
    let number = run.number();
    drop(entered);
    run.join().await;
    let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    let job = format!("caller:job{{run={number} job=0 label=\"a\"");
    // What a span took stands at the end of its line.
    let said = text.lines().map(|line| line.split(" time.busy").next().unwrap().trim()).collect::<Vec<_>>();
    assert_eq!(
        said,
        [
            format!("INFO {job}}}:attempt{{attempt=1}}: within"),
            format!("INFO {job}}}:attempt{{attempt=1 outcome=\"failed\"}}: close"),
            format!("INFO {job}}}:attempt{{attempt=2}}: within"),
            format!("INFO {job}}}:attempt{{attempt=2 outcome=\"succeeded\"}}: close"),
            format!("INFO {job} attempts=2 outcome=\"succeeded\"}}: close"),
        ]
    );
}
