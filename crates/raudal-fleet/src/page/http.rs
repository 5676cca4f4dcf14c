//! One request on one connection. That is all that a page on loopback needs.

use super::board::Board;
use std::io;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

const PAGE: &str = include_str!("page.html");
/// A longer head is refused.
const HEAD: usize = 16 << 10;
/// How long a client may take for its request, and for taking the response.
const PATIENCE: Duration = Duration::from_secs(10);

/// Answers one request.
pub(super) async fn converse(mut socket: impl AsyncRead + AsyncWrite + Unpin, board: &Board) {
    let _ = tokio::time::timeout(PATIENCE, async {
        let head = read_head(&mut socket).await?;
        let (status, kind, body) = answer(&head, board);
        let head = format!(
            "HTTP/1.1 {status}\r\nContent-Type: {kind}; charset=utf-8\r\nContent-Length: {}\r\nCache-Control: no-store\r\n\
             X-Content-Type-Options: nosniff\r\nContent-Security-Policy: default-src 'none'; style-src 'unsafe-inline'; \
             script-src 'unsafe-inline'; connect-src 'self'; frame-ancestors 'none'\r\nConnection: close\r\n\r\n",
            body.len()
        );
        socket.write_all(head.as_bytes()).await?;
        socket.write_all(body.as_bytes()).await?;
        socket.shutdown().await
    })
    .await;
}

async fn read_head(socket: &mut (impl AsyncRead + Unpin)) -> io::Result<String> {
    let (mut head, mut piece) = (Vec::new(), [0; 2048]);
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        let read = socket.read(&mut piece).await?;
        if read == 0 || head.len() + read > HEAD {
            return Err(io::ErrorKind::InvalidData.into());
        }
        head.extend_from_slice(&piece[..read]);
    }
    Ok(String::from_utf8_lossy(&head).into_owned())
}

/// Returns the status, the type and the body.
fn answer(head: &str, board: &Board) -> (&'static str, &'static str, String) {
    let refused = |status, why: &str| (status, "text/plain", format!("{why}\n"));
    let mut lines = head.split("\r\n");
    let mut words = lines.next().unwrap_or_default().split(' ');
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let host = lines.find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("host").then(|| value.trim())
    });
    if !host.is_some_and(is_local) {
        return refused("403 Forbidden", "this page is only for this machine");
    }
    if method != "GET" {
        return refused("405 Method Not Allowed", "this page is only read");
    }
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    match path {
        "/" => ("200 OK", "text/html", PAGE.to_owned()),
        "/runs" => ("200 OK", "application/json", board.runs()),
        _ => {
            let from = query.strip_prefix("from=").and_then(|from| from.parse().ok()).unwrap_or_default();
            match path.strip_prefix("/run/").and_then(|run| board.run(run, from)) {
                Some(run) => ("200 OK", "application/json", run),
                None => refused("404 Not Found", "there is no such run"),
            }
        }
    }
}

/// Whether the value of a `Host` header names a loopback address.
fn is_local(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let address = name.trim_start_matches('[').trim_end_matches(']').parse::<std::net::IpAddr>();
    name.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn ask(request: &str) -> String {
        let (mut client, server) = tokio::io::duplex(1 << 20);
        client.write_all(request.as_bytes()).await.expect("room");
        converse(server, &Board::default()).await;
        let mut said = String::new();
        client.read_to_string(&mut said).await.expect("text");
        said
    }

    #[tokio::test]
    async fn only_requests_that_name_this_machine_are_answered() {
        for host in ["127.0.0.1:8080", "localhost:1", "LOCALHOST", "[::1]:8080", "127.3.2.1"] {
            let said = ask(&format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n")).await;
            assert!(said.starts_with("HTTP/1.1 200 OK\r\n") && said.contains("<!doctype html>"), "{host}: {said}");
        }
        for head in ["Host: evil.example:80", "Host: 127.0.0.1.evil.example", "X: 127.0.0.1", "Host: 8.8.8.8"] {
            let said = ask(&format!("GET /runs HTTP/1.1\r\n{head}\r\n\r\n")).await;
            assert!(said.starts_with("HTTP/1.1 403 "), "{head}: {said}");
        }
    }

    #[tokio::test]
    async fn what_is_not_there_and_what_is_no_request_get_no_page() {
        let ask_for = |line: &str| format!("{line} HTTP/1.1\r\nhost: localhost\r\n\r\n");
        assert!(ask(&ask_for("GET /runs")).await.ends_with("{\"runs\":[],\"workers\":[]}"));
        assert!(ask(&ask_for("GET /run/none?from=3")).await.starts_with("HTTP/1.1 404 "));
        assert!(ask(&ask_for("GET /../etc/passwd")).await.starts_with("HTTP/1.1 404 "));
        assert!(ask(&ask_for("POST /")).await.starts_with("HTTP/1.1 405 "));
        assert_eq!(ask(&format!("GET / HTTP/1.1\r\nX: {}", "x".repeat(HEAD))).await, "");
    }
}
