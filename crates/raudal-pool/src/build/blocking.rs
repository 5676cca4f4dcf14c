//! Runs of closures that block, and inputs that block.

use super::output;
use super::setters::RunBuilder;
use crate::attempt::Attempt;
use crate::context::Context;
use crate::pool::Pool;
use futures_core::Stream;
use futures_util::stream::{self, Iter};
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use tokio::sync::mpsc;

/// A closure that runs on a blocking thread.
pub(crate) type Threaded<T, E> = Pin<Box<dyn Future<Output = Result<T, E>> + Send>>;

fn threaded<I, T, E, F>(job: F) -> impl Fn(Context<I>, I) -> Threaded<T, E>
where
    I: Send + 'static,
    T: Send + 'static,
    E: Send + 'static,
    F: Fn(&Attempt, I) -> Result<T, E> + Send + Sync + 'static,
{
    let job = Arc::new(job);
    move |cx, input| {
        let (job, attempt) = (Arc::clone(&job), cx.as_attempt().clone());
        Box::pin(async move {
            let inside = attempt.clone();
            attempt.blocking(move || job(&inside, input)).await
        })
    }
}

impl Pool {
    /// Like [`run`](Self::run), for a closure that blocks: each attempt runs on a blocking thread, as many at once as
    /// the limits and the threads of the runtime (512 by default) allow.
    ///
    /// A thread cannot be stopped from outside. An attempt that runs out of time, or is cancelled, is over when its
    /// closure returns: a long one should look at [`Attempt::is_cancelled`] from time to time. A closure that has not
    /// begun when its run is cancelled never begins. The time of an attempt begins with its closure.
    ///
    /// ```
    /// use raudal_pool::Pool;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let mut run = Pool::new(4)
    ///     .run_blocking(0..10_u64, |cx, n| {
    ///         (0..1000).try_fold(n, |sum, more| if cx.is_cancelled() { Err("told to stop") } else { Ok(sum + more) })
    ///     })
    ///     .start();
    /// while let Some(done) = run.next().await {
    ///     assert!(done.result.is_ok());
    /// }
    /// # }
    /// ```
    #[expect(clippy::type_complexity, reason = "an alias cannot hold the closure")]
    pub fn run_blocking<In, T, E, F>(
        &self,
        inputs: In,
        job: F,
    ) -> RunBuilder<
        'static,
        Iter<In::IntoIter>,
        impl Fn(Context<In::Item>, In::Item) -> Threaded<T, E> + use<In, T, E, F>,
        In::Item,
        T,
        E,
        output::Results,
    >
    where
        In: IntoIterator,
        In::Item: Send + 'static,
        T: Send + 'static,
        E: Send + 'static,
        F: Fn(&Attempt, In::Item) -> Result<T, E> + Send + Sync + 'static,
    {
        let mut builder = self.builder_of(stream::iter(inputs), threaded(job));
        builder.policy.time_limits.is_blocking = true;
        builder
    }

    /// Runs closures that block, and returns their results in the order of the input. See
    /// [`run_blocking`](Self::run_blocking) and [`map`](Self::map).
    ///
    /// ```
    /// use raudal_pool::Pool;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let sizes = Pool::new(4).map_blocking(["Cargo.toml", "src"], |_cx, path| std::fs::metadata(path)).await;
    /// assert!(sizes.iter().all(Result::is_ok));
    /// # }
    /// ```
    #[expect(clippy::type_complexity, reason = "an alias cannot hold the closure")]
    pub fn map_blocking<In, T, E, F>(
        &self,
        inputs: In,
        job: F,
    ) -> RunBuilder<
        'static,
        Iter<In::IntoIter>,
        impl Fn(Context<In::Item>, In::Item) -> Threaded<T, E> + use<In, T, E, F>,
        In::Item,
        T,
        E,
        output::List,
    >
    where
        In: IntoIterator,
        In::Item: Send + 'static,
        T: Send + 'static,
        E: Send + 'static,
        F: Fn(&Attempt, In::Item) -> Result<T, E> + Send + Sync + 'static,
    {
        let mut builder = self.builder_of(stream::iter(inputs), threaded(job));
        builder.policy.time_limits.is_blocking = true;
        builder.policy.complete = true;
        builder
    }

    /// Like [`run`](Self::run), over an iterator whose `next` blocks: it is pulled on a blocking thread, one input
    /// ahead. An iterator that blocks in [`run`](Self::run) would hold up a thread of the runtime.
    ///
    /// ```
    /// use raudal_pool::Pool;
    /// use std::io::BufRead;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// // Lines of a file, or of standard input.
    /// let lines = std::io::BufReader::new(&b"a\nbc\n"[..]).lines();
    /// let run = Pool::new(4).run_blocking_input(lines, |_cx, line| async move { line.map(|line| line.len()) }).start();
    /// assert_eq!(run.join().await.succeeded, 2);
    /// # }
    /// ```
    ///
    /// # Panics
    ///
    /// Panics outside of a tokio runtime. Taking the results rethrows a panic of the iterator.
    pub fn run_blocking_input<In, T, E, F, Fut>(
        &self,
        inputs: In,
        job: F,
    ) -> RunBuilder<
        'static,
        impl Stream<Item = In::Item> + Send + use<In, T, E, F, Fut>,
        F,
        In::Item,
        T,
        E,
        output::Results,
    >
    where
        In: IntoIterator,
        In::IntoIter: Send + 'static,
        In::Item: Send + 'static,
        F: Fn(Context<In::Item>, In::Item) -> Fut,
        Fut: Future<Output = Result<T, E>>,
    {
        let (sender, mut receiver) = mpsc::channel(1);
        let mut inputs = Some(inputs.into_iter());
        let mut thread = None;
        let stream = stream::poll_fn(move |cx| {
            if let Some(inputs) = inputs.take() {
                let sender = sender.clone();
                thread = Some(tokio::task::spawn_blocking(move || {
                    for input in inputs {
                        if sender.blocking_send(input).is_err() {
                            break;
                        }
                    }
                }));
            }
            if let Poll::Ready(input) = receiver.poll_recv(cx) {
                return Poll::Ready(input);
            }
            let Some(pulling) = &mut thread else { return Poll::Ready(None) };
            match Pin::new(pulling).poll(cx) {
                Poll::Pending => Poll::Pending,
                Poll::Ready(Err(error)) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
                Poll::Ready(_) => {
                    thread = None;
                    // The last input that it sent.
                    Poll::Ready(receiver.try_recv().ok())
                }
            }
        });
        self.builder_of(stream, job)
    }
}
