//! Bytes that do not match the server's digest are refused, and none of them is kept.

use crate::common::{Answer, Job, Server, noise};
use raudal::Kind;
use raudal::fetch::Options;
use sha2::{Digest, Sha256, Sha512};

const TAG: &str = "\"v1\"";

fn base64(bytes: &[u8]) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

fn sha256(bytes: &[u8]) -> String {
    format!("sha-256=:{}:", base64(&Sha256::digest(bytes)))
}

fn sha512(bytes: &[u8]) -> String {
    format!("sha-512=:{}:", base64(&Sha512::digest(bytes)))
}

#[tokio::test]
async fn a_body_is_held_to_the_digests_that_come_with_it() {
    let data = noise(300_000);
    for field in ["Repr-Digest", "Content-Digest"] {
        for (digest, name) in [(sha256 as fn(&[u8]) -> String, "sha-256"), (sha512, "sha-512")] {
            let server = Server::with(
                "/a",
                [
                    Answer::ok(&data).header("ETag", TAG).header(field, digest(&data[1..])),
                    Answer::chunked(&data, 7_000).header(field, digest(&data)),
                ],
            );
            let mut job = Job::new(&Options::default(), &server.url("/a"));
            let error = job.fails().await;
            let message = format!("the bytes do not match the digest from the server: {field} {name}");
            assert_eq!((error.kind(), error.message()), (Kind::Checksum, message.as_str()));
            assert!(error.is_transient());
            assert_eq!(job.received(), None, "nothing to go on from");
            assert!(job.attempt().await.expect("the right bytes") == data);
        }
    }
}

#[tokio::test]
async fn a_digest_that_means_nothing_is_ignored() {
    for digest in ["", "sha-256", "sha-256=:AAAA:", "md5=:AAAA:", "sha-256=:not base64:"] {
        let server = Server::with("/a", [Answer::ok("data").header("Repr-Digest", digest)]);
        assert!(Job::new(&Options::default(), &server.url("/a")).attempt().await.is_ok(), "{digest}");
    }
}

#[tokio::test]
async fn the_digest_of_the_whole_is_taken_over_all_attempts() {
    let data = noise(1000);
    let mut flipped = data.clone();
    flipped[700] ^= 1;
    let file = |data: &[u8], digest: &str| Answer::ranged(data).header("ETag", TAG).header("Repr-Digest", digest);
    let right = sha256(&data);
    let server = Server::with(
        "/a",
        [
            file(&data, &right).cut_after(400),
            // The server confirms the version, but the bytes are wrong: all of them are discarded.
            Answer::ranged(&flipped).header("ETag", TAG),
            file(&data, &right).cut_after(500),
            file(&data, &right),
        ],
    );
    let mut job = Job::new(&Options::default(), &server.url("/a"));
    job.fails().await;
    assert_eq!(job.fails().await.kind(), Kind::Checksum);
    assert_eq!(job.received(), None);
    job.fails().await;
    assert!(job.attempt().await.expect("the right bytes") == data);
    let ranges: Vec<_> = server.requests().iter().map(|r| r.header("range").map(str::to_owned)).collect();
    assert_eq!(ranges, [None, Some("bytes=400-".into()), None, Some("bytes=500-".into())]);
}

#[tokio::test]
async fn a_part_is_held_to_its_own_digest_and_must_be_of_the_same_whole() {
    let data = noise(1000);
    let whole = || Answer::ranged(&data).header("ETag", TAG).header("Repr-Digest", sha256(&data));
    let part = || Answer::ranged(&data).header("ETag", TAG).header("Content-Digest", sha256(&data[400..]));
    let server = Server::start([
        ("/right", vec![whole().cut_after(400), part()]),
        ("/wrong", vec![whole().cut_after(400), part().header("Content-Digest", sha256(&data)), whole()]),
        // The digest is known before the body is read, so the whole file is requested at once.
        ("/other", vec![whole().cut_after(400), part().header("Repr-Digest", sha256(b"other")), whole()]),
    ]);
    let mut job = Job::new(&Options::default(), &server.url("/right"));
    assert!(job.attempts(2).await.0 == data);
    let mut job = Job::new(&Options::default(), &server.url("/wrong"));
    job.fails().await;
    assert_eq!(job.fails().await.kind(), Kind::Checksum);
    assert!(job.attempt().await.expect("the whole") == data);
    let mut job = Job::new(&Options::default(), &server.url("/other"));
    assert_eq!(job.attempts(3).await, (data, 1));
}
