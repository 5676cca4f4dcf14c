//! Entry points for `fuzz/` to the decisions on headers. Built only with `cfg(fuzzing)`.

use std::time::SystemTime;

use reqwest::StatusCode;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};

use crate::http::digest::Digests;
use crate::http::range::{self, RangeReply, ResumePoint, Validator};
use crate::http::response::Head;

/// Parses lines of `name: value`. Skips invalid lines.
fn headers(text: &str) -> HeaderMap {
    let lines = text.lines().filter_map(|line| {
        let (name, value) = line.split_once(':')?;
        Some((name.parse::<HeaderName>().ok()?, HeaderValue::from_str(value.trim()).ok()?))
    });
    let mut headers = HeaderMap::new();
    for (name, value) in lines.take(50) {
        headers.append(name, value);
    }
    headers
}

/// Judges the response to a range request. Returns the length of the range and of the whole file if
/// the range is accepted.
pub fn rest(received: u64, total: Option<u64>, status: u16, first: &str, answer: &str) -> Option<(u64, u64)> {
    let validator = Validator::strong(&headers(first))?;
    let kept = ResumePoint { received, total, validator: &validator, path: "/a.zip" };
    match range::judge(kept, status, &headers(answer)) {
        Ok(RangeReply::Rest { part, total }) => Some((part, total)),
        _ => None,
    }
}

/// Judges the head of the response to a plain request.
pub fn whole(status: u16, answer: &str) {
    if let Ok(status) = StatusCode::from_u16(status) {
        let _ = Head::judge(status, &headers(answer), "/a.csv.gz", SystemTime::UNIX_EPOCH);
    }
}

/// Parses the digests that a server sends, and verifies some bytes against them.
pub fn digests(answer: &str) {
    let mut digests = Digests::of_whole(&headers(answer));
    digests.update(b"hello");
    let _ = digests.verify();
}
