//! A proxy in front of a correct server. It breaks responses off, or runs a function after a number
//! of bytes. What it passes on is unchanged.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

type Deed = Box<dyn FnOnce() + Send>;

/// How many bytes are left until the function runs, and the function.
#[derive(Default)]
struct Trigger(Mutex<Option<(u64, Deed)>>);

impl Trigger {
    fn set(&self, deed: Option<(u64, Deed)>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = deed;
    }

    fn sent(&self, bytes: u64) {
        let mut trigger = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((left, _)) = trigger.as_mut() {
            *left = left.saturating_sub(bytes);
        }
        if let Some((_, deed)) = trigger.take_if(|(left, _)| *left == 0) {
            deed();
        }
    }
}

/// Passes connections on to another server, in pieces. It stops when it is dropped.
pub struct Proxy {
    address: SocketAddr,
    trigger: Arc<Trigger>,
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

impl Proxy {
    /// Passes everything on, in pieces of at most this size.
    pub fn before(server: SocketAddr, piece: usize) -> Self {
        Self::breaking(server, [], piece)
    }

    /// Closes connection *n* once the *n*th number of bytes has been passed to the client, heads
    /// included. Later connections are not closed. Pieces have at most `piece` bytes.
    pub fn breaking(server: SocketAddr, breaks: impl IntoIterator<Item = usize>, piece: usize) -> Self {
        let breaks: Vec<usize> = breaks.into_iter().collect();
        let (stop, stopped) = watch::channel(false);
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        listener.set_nonblocking(true).expect("a socket that does not block");
        let address = listener.local_addr().expect("an address");
        let trigger = Arc::new(Trigger::default());
        let shared = Arc::clone(&trigger);
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                let listener = TcpListener::from_std(listener).expect("a listener");
                serve(listener, server, breaks, piece, shared, stopped).await;
            });
        });
        Self { address, trigger, stop, thread: Some(thread) }
    }

    /// Returns the URL of a path, which begins with a slash.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Runs this function once that many more bytes have been sent to clients. It replaces an
    /// earlier one.
    pub fn after(&self, bytes: u64, deed: impl FnOnce() + Send + 'static) {
        self.trigger.set(Some((bytes.max(1), Box::new(deed))));
    }

    /// Removes the function.
    pub fn forget(&self) {
        self.trigger.set(None);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.stop.send(true);
        drop(self.thread.take().map(JoinHandle::join));
    }
}

async fn serve(
    listener: TcpListener,
    server: SocketAddr,
    breaks: Vec<usize>,
    piece: usize,
    trigger: Arc<Trigger>,
    mut stopped: watch::Receiver<bool>,
) {
    let mut connections = JoinSet::new();
    let mut breaks = breaks.into_iter();
    loop {
        tokio::select! {
            _ = stopped.changed() => return,
            Ok((client, _)) = listener.accept() => {
                let (most, trigger) = (breaks.next().unwrap_or(usize::MAX), Arc::clone(&trigger));
                // A client that goes away ends its connection: nothing to report.
                connections.spawn(async move { drop(pass(client, server, most, piece, &trigger).await) });
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

/// Passes bytes both ways, until one side closes or the client has received its share.
async fn pass(
    mut client: TcpStream,
    server: SocketAddr,
    mut left: usize,
    piece: usize,
    trigger: &Trigger,
) -> io::Result<()> {
    client.set_nodelay(true)?;
    let mut server = TcpStream::connect(server).await?;
    let (mut asked, mut answered) = ([0; 1024], vec![0; piece]);
    while left > 0 {
        let room = piece.min(left);
        tokio::select! {
            read = client.read(&mut asked) => match read? {
                0 => return Ok(()),
                read => server.write_all(&asked[..read]).await?,
            },
            read = server.read(&mut answered[..room]) => match read? {
                0 => return Ok(()),
                read => {
                    client.write_all(&answered[..read]).await?;
                    left -= read;
                    trigger.sent(read as u64);
                    // Lets other tasks run after each piece.
                    tokio::task::yield_now().await;
                }
            },
        }
    }
    Ok(())
}
