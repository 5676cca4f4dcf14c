//! A server that speaks TLS. Its certificate comes from an authority that no system trusts.
//!
//! The files in `tls/` were made once with openssl, for these tests alone, and expire in 2126: an
//! authority, and a key with its certificate for `localhost` and `127.0.0.1`; another authority,
//! and a client's certificate with its key. The keys are not secret.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned};

/// The certificate of the authority that signed the server's certificate.
pub fn authority() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/common/tls/ca.pem")
}

/// A client's certificate and its key.
pub fn client() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/common/tls/client.pem")
}

/// A server that sends one response to every request, on one connection after the other.
#[derive(Debug)]
pub struct SecureServer {
    address: SocketAddr,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl SecureServer {
    /// Answers every request with these bytes, including the head, and closes the connection.
    pub fn start(answer: impl Into<Vec<u8>>) -> Self {
        Self::serve(answer.into(), config(false))
    }

    /// The same, but only for clients that show the certificate of [`client`].
    pub fn for_known_clients(answer: impl Into<Vec<u8>>) -> Self {
        Self::serve(answer.into(), config(true))
    }

    fn serve(answer: Vec<u8>, config: Arc<ServerConfig>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address");
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            for socket in listener.incoming() {
                if stopped.load(Ordering::SeqCst) {
                    return;
                }
                // A client that does not trust the certificate hangs up. The tests expect that.
                drop(socket.and_then(|socket| converse(socket, &config, &answer)));
            }
        });
        Self { address, stop, thread: Some(thread) }
    }

    /// Returns the URL of a path, which begins with a slash.
    pub fn url(&self, path: &str) -> String {
        format!("https://localhost:{}{path}", self.address.port())
    }
}

impl Drop for SecureServer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        // The thread waits for a client, so connect to it.
        drop(TcpStream::connect(self.address));
        drop(self.thread.take().map(JoinHandle::join));
    }
}

fn config(asks: bool) -> Arc<ServerConfig> {
    let certificate = CertificateDer::from_pem_slice(include_bytes!("tls/server.pem")).expect("a certificate");
    let key = PrivateKeyDer::from_pem_slice(include_bytes!("tls/server.key")).expect("a key");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .expect("versions that ring has");
    let config = if asks {
        let mut known = RootCertStore::empty();
        let authority = CertificateDer::from_pem_slice(include_bytes!("tls/client-ca.pem")).expect("a certificate");
        known.add(authority).expect("an authority");
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(known), provider).build();
        config.with_client_cert_verifier(verifier.expect("a verifier"))
    } else {
        config.with_no_client_auth()
    };
    let config = config.with_single_cert(vec![certificate], key);
    Arc::new(config.expect("a key that fits its certificate"))
}

fn converse(socket: TcpStream, config: &Arc<ServerConfig>, answer: &[u8]) -> io::Result<()> {
    // A silent client that stays connected must not block the thread.
    socket.set_read_timeout(Some(Duration::from_secs(10)))?;
    let connection = ServerConnection::new(Arc::clone(config)).map_err(io::Error::other)?;
    let mut stream = StreamOwned::new(connection, socket);
    let mut request = Vec::new();
    let mut piece = [0; 1024];
    while !request.windows(4).any(|window| window == b"\r\n\r\n") {
        match stream.read(&mut piece)? {
            0 => return Ok(()),
            read => request.extend_from_slice(&piece[..read]),
        }
    }
    stream.write_all(answer)?;
    stream.conn.send_close_notify();
    stream.flush()
}
