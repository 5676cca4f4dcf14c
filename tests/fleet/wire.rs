//! A wire to the broker that can be cut, healed and slowed down.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

#[derive(Clone, Copy, PartialEq)]
enum Mode {
    Whole,
    /// Nothing comes through, and nobody is told: the connections stay.
    Cut,
    /// Each piece of 4 KiB takes this long.
    Slow(Duration),
    Gone,
}

struct Shared {
    mode: Mutex<Mode>,
    changed: Condvar,
    open: Mutex<Vec<TcpStream>>,
}

/// A proxy before the broker, for one worker.
pub struct Wire {
    port: u16,
    shared: Arc<Shared>,
}

impl Wire {
    pub fn to(broker: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let shared =
            Arc::new(Shared { mode: Mutex::new(Mode::Whole), changed: Condvar::new(), open: Mutex::default() });
        let of_thread = Arc::clone(&shared);
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                if *of_thread.mode.lock().expect("no panic") == Mode::Gone {
                    return;
                }
                let Ok(server) = TcpStream::connect(("127.0.0.1", broker)) else { continue };
                for (from, to) in [(&client, &server), (&server, &client)] {
                    let (from, to) = (from.try_clone().expect("a socket"), to.try_clone().expect("a socket"));
                    let shared = Arc::clone(&of_thread);
                    shared.open.lock().expect("no panic").push(from.try_clone().expect("a socket"));
                    std::thread::spawn(move || pump(from, to, &shared));
                }
            }
        });
        Self { port, shared }
    }

    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    pub fn cut(&self) {
        self.set(Mode::Cut);
    }

    pub fn heal(&self) {
        self.set(Mode::Whole);
    }

    pub fn slow(&self, piece: Duration) {
        self.set(Mode::Slow(piece));
    }

    fn set(&self, mode: Mode) {
        *self.shared.mode.lock().expect("no panic") = mode;
        self.shared.changed.notify_all();
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.set(Mode::Gone);
        // The thread waits for a client.
        drop(TcpStream::connect(("127.0.0.1", self.port)));
        for socket in self.shared.open.lock().expect("no panic").iter() {
            let _ = socket.shutdown(Shutdown::Both);
        }
    }
}

/// Copies one direction until either side closes.
fn pump(mut from: TcpStream, mut to: TcpStream, shared: &Shared) {
    let mut piece = [0; 4096];
    while let Ok(read @ 1..) = from.read(&mut piece) {
        let mut mode = shared.mode.lock().expect("no panic");
        while *mode == Mode::Cut {
            mode = shared.changed.wait(mode).expect("no panic");
        }
        if let Mode::Slow(pause) = *mode {
            mode = shared.changed.wait_timeout(mode, pause).expect("no panic").0;
        }
        if *mode == Mode::Gone {
            break;
        }
        drop(mode);
        if to.write_all(&piece[..read]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Both);
}
