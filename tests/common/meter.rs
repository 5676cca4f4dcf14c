//! Stands before a server and counts what it sends: at a number of bytes, something happens.

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
pub struct Meter {
    address: SocketAddr,
    trigger: Arc<Trigger>,
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

impl Meter {
    /// Passes on nothing in pieces larger than this.
    pub fn before(server: SocketAddr, piece: usize) -> Self {
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
                serve(listener, server, piece, shared, stopped).await;
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
        *self.trigger.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((bytes.max(1), Box::new(deed)));
    }

    /// Forgets what was to be done.
    pub fn forget(&self) {
        *self.trigger.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        let _ = self.stop.send(true);
        drop(self.thread.take().map(JoinHandle::join));
    }
}

async fn serve(
    listener: TcpListener,
    server: SocketAddr,
    piece: usize,
    trigger: Arc<Trigger>,
    mut stopped: watch::Receiver<bool>,
) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            _ = stopped.changed() => return,
            Ok((client, _)) = listener.accept() => {
                let trigger = Arc::clone(&trigger);
                // Whoever goes away ends the connection: nothing to report.
                connections.spawn(async move { drop(pass(client, server, piece, &trigger).await) });
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn pass(mut client: TcpStream, server: SocketAddr, piece: usize, trigger: &Trigger) -> io::Result<()> {
    client.set_nodelay(true)?;
    let mut server = TcpStream::connect(server).await?;
    let (mut asked, mut answered) = ([0; 1024], vec![0; piece]);
    loop {
        tokio::select! {
            read = client.read(&mut asked) => match read? {
                0 => return Ok(()),
                read => server.write_all(&asked[..read]).await?,
            },
            read = server.read(&mut answered) => match read? {
                0 => return Ok(()),
                read => {
                    client.write_all(&answered[..read]).await?;
                    trigger.sent(read as u64);
                    // Others have their turn after each piece.
                    tokio::task::yield_now().await;
                }
            },
        }
    }
}
