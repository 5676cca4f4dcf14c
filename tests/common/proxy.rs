//! Stands before a server that always behaves, and breaks its answers off, or does something once a number of bytes was
//! sent: byte by byte what it sends, but not all.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

type Deed = Box<dyn FnOnce() + Send>;

/// How many bytes are still to go, and what is done then.
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

/// Passes connections on to another server, in pieces. It ends when it is dropped.
pub struct Proxy {
    address: SocketAddr,
    trigger: Arc<Trigger>,
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

impl Proxy {
    /// Passes on nothing in pieces larger than this.
    pub fn before(server: SocketAddr, piece: usize) -> Self {
        Self::breaking(server, [], piece)
    }

    /// The connection number *n* is closed once *n*th of these many bytes have been passed to the client, heads
    /// included; those after the last are left alone. Nothing is passed on in pieces larger than `piece`.
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

    /// The URL of a path, which begins with a slash.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Does this once so many bytes more were sent to clients; what was to be done before is forgotten.
    pub fn after(&self, bytes: u64, deed: impl FnOnce() + Send + 'static) {
        self.trigger.set(Some((bytes.max(1), Box::new(deed))));
    }

    /// Forgets what was to be done.
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
                // Whoever goes away ends the connection: nothing to report.
                connections.spawn(async move { drop(pass(client, server, most, piece, &trigger).await) });
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

/// Passes bytes both ways, until one side is done or the client has had its share.
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
                    // Others have their turn after each piece.
                    tokio::task::yield_now().await;
                }
            },
        }
    }
    Ok(())
}
