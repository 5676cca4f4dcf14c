//! A span for each job and each attempt, with the feature `tracing`. Without the feature, this does nothing and costs
//! nothing.
//!
//! The span of a job is a child of the span in which its run was started. The future of an attempt runs inside the span
//! of the attempt, so its log events belong to that span.

#[cfg(feature = "tracing")]
mod spans {
    use tracing::field::Empty;
    use tracing::instrument::{Instrument, Instrumented};

    #[derive(Clone, Debug)]
    pub(crate) struct Span(tracing::Span);

    impl Span {
        /// The span of the caller.
        pub(crate) fn current() -> Self {
            Self(tracing::Span::current())
        }

        pub(crate) fn job(&self, run: u64, job: u64, label: &str) -> Self {
            Self(tracing::info_span!(parent: &self.0, "job", run, job, label, attempts = Empty, outcome = Empty))
        }

        pub(crate) fn attempt(&self, attempt: u32) -> Self {
            Self(tracing::info_span!(parent: &self.0, "attempt", attempt, outcome = Empty))
        }

        pub(crate) fn outcome(&self, outcome: &str) {
            self.0.record("outcome", outcome);
        }

        /// Ends the span of an attempt.
        pub(crate) fn end(self, outcome: &str) {
            self.outcome(outcome);
        }

        pub(crate) fn attempts(&self, attempts: u32) {
            self.0.record("attempts", attempts);
        }

        /// Makes a future inside the span, and runs it there.
        pub(crate) fn within<F: Future>(&self, make: impl FnOnce() -> F) -> Instrumented<F> {
            self.0.in_scope(make).instrument(self.0.clone())
        }
    }
}

#[cfg(not(feature = "tracing"))]
#[allow(clippy::unused_self)]
mod spans {
    #[derive(Clone, Debug)]
    pub(crate) struct Span;

    impl Span {
        pub(crate) fn current() -> Self {
            Self
        }

        pub(crate) fn job(&self, _run: u64, _job: u64, _label: &str) -> Self {
            Self
        }

        pub(crate) fn attempt(&self, _attempt: u32) -> Self {
            Self
        }

        pub(crate) fn outcome(&self, _outcome: &str) {}

        pub(crate) fn end(self, _outcome: &str) {}

        pub(crate) fn attempts(&self, _attempts: u32) {}

        pub(crate) fn within<F: Future>(&self, make: impl FnOnce() -> F) -> F {
            make()
        }
    }
}

pub(crate) use spans::Span;
