//! What a program that hosts the commands gives each of them.

use super::args::HttpArgs;
use raudal::progress::Progress;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// What a host gives a command.
#[derive(Clone, Debug)]
pub struct Host {
    /// Shows the progress, the warnings and the notes.
    pub progress: Progress,
    /// Ends the command early when it is cancelled.
    pub cancel: CancellationToken,
}

impl Host {
    pub(super) fn warn_of(&self, http: &HttpArgs) {
        if http.insecure {
            self.progress.error("warning: certificates are not checked ([`insecure`])");
        }
    }

    /// Cancels the run when the deadline passes.
    pub(super) async fn until<T>(&self, deadline: Option<Duration>, run: impl Future<Output = T>) -> T {
        let deadline = async {
            match deadline {
                Some(deadline) => tokio::time::sleep(deadline).await,
                None => std::future::pending().await,
            }
        };
        tokio::pin!(run);
        tokio::select! {
            done = &mut run => return done,
            () = deadline => self.cancel.cancel(),
        }
        run.await
    }
}
