//! What each attempt of a job is handed: the attempt itself, and the way to add further jobs.

use crate::attempt::Attempt;
use crate::inbox::InboxSender;
use std::fmt;
use std::ops::Deref;

/// Passed to each attempt of a job: an [`Attempt`] that can also [spawn](Self::spawn) further jobs of the same run.
/// Cheap to clone.
pub struct Context<I> {
    attempt: Attempt,
    sender: InboxSender<I>,
}

impl<I> Clone for Context<I> {
    fn clone(&self) -> Self {
        Self { attempt: self.attempt.clone(), sender: self.sender.clone() }
    }
}

impl<I> fmt::Debug for Context<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.attempt.fmt(f)
    }
}

impl<I> Deref for Context<I> {
    type Target = Attempt;

    fn deref(&self) -> &Attempt {
        &self.attempt
    }
}

impl<I> Context<I> {
    pub(crate) fn new(attempt: Attempt, sender: InboxSender<I>) -> Self {
        Self { attempt, sender }
    }

    /// Adds a job to the run of this one. Never waits: the input is queued in memory. The run ends when the last of
    /// its jobs is done, so a crawler needs nothing else.
    ///
    /// The new job has its own number, and its result comes with the others of the run. There,
    /// [`Completed::parent`](crate::Completed::parent) names this job. In a run that is stopping, the new job ends as
    /// cancelled.
    ///
    /// ```
    /// use raudal_pool::Pool;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// // Each number leads to the two below it.
    /// let mut run = Pool::new(4)
    ///     .run([3_u32], |cx, n| async move {
    ///         for below in n.saturating_sub(2)..n {
    ///             cx.spawn(below);
    ///         }
    ///         Ok::<_, String>(n)
    ///     })
    ///     .start();
    /// let mut visited = Vec::new();
    /// while let Some(done) = run.next().await {
    ///     visited.push(done.result.unwrap());
    /// }
    /// visited.sort();
    /// assert_eq!(visited, [0, 0, 0, 1, 1, 2, 3]);
    /// # }
    /// ```
    pub fn spawn(&self, input: I) {
        self.sender.send(input, Some(self.job()));
    }

    /// Returns the attempt, which does not depend on the type of the inputs. Use it in functions that only report
    /// progress.
    pub fn as_attempt(&self) -> &Attempt {
        &self.attempt
    }
}
