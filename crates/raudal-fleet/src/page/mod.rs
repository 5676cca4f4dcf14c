//! A page of the fleet for a browser on this machine: the runs, their workers and their timeline.
//!
//! It has no login, so it is served on loopback addresses alone, and only to requests that name one: a page of
//! another site cannot read it under a name that leads here.

mod board;
mod http;

use super::broker::Broker;
use board::Board;
use raudal_common::{Error, Result};
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Serves a page about all runs until it is told to stop. Calls `ready` with its address, which has a port of the
/// system's choice if the given one is 0.
///
/// # Errors
///
/// A usage error for an address that other machines can reach; of kind [`Io`](raudal_common::Kind::Io), if it is
/// taken; an error of `ready`.
pub async fn serve(
    broker: &Broker,
    listen: SocketAddr,
    ready: impl FnOnce(SocketAddr) -> Result<()>,
    stop: CancellationToken,
) -> Result<()> {
    if !listen.ip().is_loopback() {
        return Err(Error::usage(format!("not an address of this machine alone: {listen}"))
            .hint("the page has no login: listen on 127.0.0.1, and forward the port with ssh -L"));
    }
    let listener = TcpListener::bind(listen).await;
    let listener = listener.map_err(|error| Error::io(format!("cannot listen on {listen}"), error))?;
    let address = listener.local_addr().map_err(|error| Error::io("cannot listen", error))?;
    ready(address)?;
    let board = Arc::new(Board::default());
    let (tasks, ends) = (TaskTracker::new(), stop.child_token());
    tasks.spawn(Arc::clone(&board).follow(broker.clone(), tasks.clone(), ends.clone()));
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => {
                // A client that is gone already is no matter.
                let Ok((socket, _)) = accepted else { continue };
                let (board, ends) = (Arc::clone(&board), ends.clone());
                tasks.spawn(async move { ends.run_until_cancelled(http::converse(socket, &board)).await; });
            }
        }
    }
    tasks.close();
    tasks.wait().await;
    Ok(())
}
