//! S3 as it fails: refusals, other regions, transfers that break off, caches. The server is a script.

use super::{KEY, SECRET, listing, refusal, with_s3};
use crate::common::{Answer, Request, Server, noise, raudal};
use std::fs;
use std::path::Path;

const CSV: &str = "x\n1\n";

fn signature(request: &Request) -> String {
    let header = request.header("authorization").expect("a signature");
    assert!(header.starts_with(&format!("AWS4-HMAC-SHA256 Credential={KEY}/")), "{header}");
    let (_, signature) = header.rsplit_once("Signature=").expect("a signature");
    signature.to_owned()
}

/// All files below a folder, as text.
fn all_files(folder: &Path) -> String {
    let mut text = String::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        text.push_str(&path.display().to_string());
        if path.is_dir() {
            text.push_str(&all_files(&path));
        } else {
            text.push_str(&String::from_utf8_lossy(&fs::read(&path).expect("a file")));
        }
    }
    text
}

#[test]
fn a_transfer_that_breaks_off_goes_on_with_another_signature_and_no_file_or_message_has_one() {
    let file = noise(500_000);
    let whole = || Answer::ranged(&file).header("ETag", "\"v1\"");
    let server = Server::with(
        "/b/dir/f.bin",
        [
            whole().cut_after(200_000),
            Answer::status(503, refusal("SlowDown", "Wait.")),
            whole().cut_after(100_000),
            whole(),
        ],
    );
    let folder = tempfile::tempdir().expect("a folder");
    let run = |retries: &str| {
        let arguments =
            ["get", "s3://b/dir/f.bin", "-c", "-v", "--retry-delay", "1ms", "--retries", retries, "-j", "1"];
        with_s3(&server.url(""), &arguments).arg("--report").arg("report.json").in_folder(folder.path()).run()
    };
    let first = run("1");
    assert_ne!(first.code, Some(0), "{}", first.stderr);
    assert!(first.stderr.contains("s3://b/dir/f.bin: the store answered: 503 SlowDown: Wait."), "{}", first.stderr);
    let left = all_files(folder.path());
    assert!(left.contains("\"url\":\"s3://b/dir/f.bin\"") || left.contains("\"url\": \"s3://b/dir/f.bin\""), "{left}");
    let second = run("3");
    assert_eq!(second.code, Some(0), "{}", second.stderr);
    assert!(fs::read(folder.path().join("f.bin")).expect("a file") == file, "the same bytes");
    let requests = server.requests();
    let ranges: Vec<_> = requests.iter().map(|request| request.header("range")).collect();
    assert_eq!(ranges, [None, Some("bytes=200000-"), Some("bytes=200000-"), Some("bytes=300000-")]);
    assert!(requests[3].header("if-range") == Some("\"v1\"") && requests[3].header("x-amz-date").is_some());
    let seen = format!("{left}{}{}{}{}", all_files(folder.path()), first.stderr, second.stderr, second.text());
    for request in &requests {
        assert!(!seen.contains(&signature(request)));
    }
    for hidden in [SECRET, "Signature", "X-Amz"] {
        assert!(!seen.contains(hidden), "{hidden}");
    }
}

#[test]
fn a_signature_that_has_expired_is_made_anew() {
    let expired = Answer::status(403, refusal("AccessDenied", "Request has expired"));
    let server = Server::with("/b/a.csv", [expired, Answer::ok(CSV)]);
    let done = with_s3(&server.url(""), &["table", "s3://b/a.csv", "--retry-delay", "1ms"]).run();
    assert_eq!((done.code, done.text()), (Some(0), CSV), "{}", done.stderr);
    assert_eq!(server.requests().iter().map(signature).count(), 2);
}

#[test]
fn a_bucket_in_another_region_is_found_there() {
    let elsewhere =
        || Answer::status(301, refusal("PermanentRedirect", "No.")).header("x-amz-bucket-region", "eu-west-1");
    let page = listing(&[("d/a.csv", 4), ("d/b.txt", 4)], None);
    let server = Server::start([
        ("/b/d/a.csv", vec![elsewhere(), Answer::ok(CSV)]),
        ("/b?delimiter=%2F&list-type=2&prefix=d%2F", vec![elsewhere(), Answer::ok(page)]),
    ]);
    for source in ["s3://b/d/a.csv", "s3://b/d/*.csv"] {
        let done = with_s3(&server.url(""), &["table", source, "--retries", "0"]).run();
        assert_eq!((done.code, done.text()), (Some(0), CSV), "{}", done.stderr);
    }
    let regions: Vec<bool> = server
        .requests()
        .iter()
        .map(|r| r.header("authorization").is_some_and(|a| a.contains("/eu-west-1/s3/")))
        .collect();
    assert_eq!(regions, [false, true, false, true, true]);
    // The same region again, or none, is no way on.
    let server = Server::with("/b/a.csv", [elsewhere(), elsewhere()]);
    let done = with_s3(&server.url(""), &["table", "s3://b/a.csv"]).run();
    assert_eq!(done.code, Some(5), "{}", done.stderr);
    assert!(done.stderr.contains("s3://b/a.csv: the bucket is in another region"), "{}", done.stderr);
    assert_eq!(server.requests().len(), 2);
    let server = Server::with("/b/a.csv", [Answer::redirect("http://other.invalid/a.csv").with_status(307)]);
    let done = with_s3(&server.url(""), &["table", "s3://b/a.csv"]).run();
    assert!(done.stderr.contains("hint: set AWS_REGION to the region of the bucket"), "{}", done.stderr);
    assert_eq!(server.requests().len(), 1, "a signed request follows no redirect");
}

#[test]
fn each_refusal_names_the_input_and_the_cure() {
    for (status, code, message, hint) in [
        (404, "NoSuchKey", "no such object in the bucket: a.csv", "check"),
        (404, "NoSuchBucket", "no such bucket: b", "AWS_ENDPOINT_URL"),
        (403, "AccessDenied", "access denied", "may not read it"),
        (403, "SignatureDoesNotMatch", "the store does not accept the credentials", "AWS_PROFILE"),
        (400, "ExpiredToken", "the credentials have expired", "aws sso login"),
    ] {
        let server = Server::start([
            ("/b/a.csv", vec![Answer::status(status, refusal(code, "No."))]),
            ("/b?delimiter=%2F&list-type=2", vec![Answer::status(status, refusal(code, "No."))]),
        ]);
        for source in ["s3://b/a.csv", "s3://b/*.csv"] {
            let done = with_s3(&server.url(""), &["table", source]).run();
            assert_eq!(done.code, Some(5), "{}", done.stderr);
            // A listing finds no key.
            let message = if source.contains('*') {
                message.replace("object in the bucket: a.csv", "bucket: b")
            } else {
                message.to_owned()
            };
            assert!(done.stderr.contains(&format!("{source}: {message}")), "{}", done.stderr);
            assert!(done.stderr.contains(hint), "{}", done.stderr);
            assert!(!done.stderr.contains(SECRET), "{}", done.stderr);
        }
        assert_eq!(server.requests().len(), 2, "{code} is not asked for again");
    }
}

#[test]
fn without_credentials_a_public_bucket_is_read_and_another_one_says_what_is_missing() {
    let denied = Answer::status(403, refusal("AccessDenied", "No."));
    let page = listing(&[("a.csv", 4)], None);
    let server = Server::start([
        ("/b/a.csv", vec![Answer::ok(CSV)]),
        ("/b?delimiter=%2F&list-type=2", vec![Answer::ok(page)]),
        ("/c/a.csv", vec![denied]),
    ]);
    let run = |source: &str| {
        let program = raudal(["table", source, "--retries", "0"]).env("AWS_ENDPOINT_URL_S3", server.url("/"));
        program.env("AWS_EC2_METADATA_DISABLED", "true").run()
    };
    for source in ["s3://b/a.csv", "s3://b/*.csv"] {
        let done = run(source);
        assert_eq!((done.code, done.text()), (Some(0), CSV), "{}", done.stderr);
    }
    let done = run("s3://c/a.csv");
    assert!(done.stderr.contains("s3://c/a.csv: access denied, and no credentials were found"), "{}", done.stderr);
    assert!(server.requests().iter().all(|request| request.header("authorization").is_none()));
}

#[test]
fn the_files_of_the_aws_command_line_are_read() {
    let server = Server::with("/b/a.csv", [Answer::ok(CSV)]);
    let home = tempfile::tempdir().expect("a folder");
    fs::create_dir(home.path().join(".aws")).expect("a folder");
    let keys =
        format!("[work]\naws_access_key_id = {KEY}\naws_secret_access_key = {SECRET}\naws_session_token = token\n");
    fs::write(home.path().join(".aws/credentials"), keys).expect("a file");
    let config = format!("[profile work]\nregion = sa-east-1\nendpoint_url = {}\n", server.url("/"));
    fs::write(home.path().join(".aws/config"), config).expect("a file");
    let run =
        |profile: &str| raudal(["table", "s3://b/a.csv"]).env("HOME", home.path()).env("AWS_PROFILE", profile).run();
    let done = run("work");
    assert_eq!((done.code, done.text()), (Some(0), CSV), "{}", done.stderr);
    let request = &server.requests()[0];
    assert!(request.header("authorization").is_some_and(|header| header.contains("/sa-east-1/s3/")));
    assert_eq!(request.header("x-amz-security-token"), Some("token"));
    let done = run("none");
    assert_eq!(done.code, Some(2), "{}", done.stderr);
    assert!(done.stderr.contains("no such profile of AWS: none"), "{}", done.stderr);
}

#[test]
fn the_cache_has_an_object_under_its_own_name_and_asks_with_a_signature_of_its_own() {
    let server = Server::with(
        "/b/a.csv",
        [Answer::ok(CSV).header("ETag", "\"v1\""), Answer::status(304, "").header("ETag", "\"v1\"")],
    );
    let cache = tempfile::tempdir().expect("a folder");
    let folder = cache.path().to_str().expect("text");
    for _ in 0..2 {
        let done = with_s3(&server.url(""), &["table", "s3://b/a.csv", "--cache", "--cache-dir", folder]).run();
        assert_eq!((done.code, done.text()), (Some(0), CSV), "{}", done.stderr);
    }
    let requests = server.requests();
    assert_eq!(requests[1].header("if-none-match"), Some("\"v1\""));
    assert_ne!(requests[0].header("x-amz-date"), None);
    let kept = all_files(cache.path());
    assert!(kept.contains("s3://b/a.csv"));
    assert!(requests.iter().all(|request| !kept.contains(&signature(request))));
    let listed = raudal(["cache", "list", "--cache-dir", folder]).run();
    assert!(listed.text().contains("s3://b/a.csv"), "{}", listed.text());
}

#[test]
fn a_long_listing_comes_in_pages_and_its_sizes_are_known() {
    let first = listing(&[("d/2.csv", 4), ("d", 0), ("d/x/3.csv", 4)], Some("t1"));
    let server = Server::start([
        ("/b?list-type=2&prefix=d", vec![Answer::ok(first)]),
        ("/b?continuation-token=t1&list-type=2&prefix=d", vec![Answer::ok(listing(&[("d/1.csv", 4)], None))]),
    ]);
    let done = with_s3(&server.url(""), &["table", "s3://b/d**", "s3://b/d*/**", "-n"]).run();
    assert_eq!(done.code, Some(0), "{} {:?}", done.stderr, server.paths());
    let deep = ["s3://b/d/1.csv", "s3://b/d/2.csv", "s3://b/d/x/3.csv"].join("\n");
    assert!(done.text().ends_with(&format!("{deep}\n")), "{}", done.text());
}

#[test]
fn a_list_may_hold_objects_and_their_stars_are_letters() {
    let server = Server::start([("/b/%2A.csv", vec![Answer::ok(CSV)]), ("/b/a%20b.csv", vec![Answer::ok(CSV)])]);
    let list = "s3://b/*.csv\ns3://b/a b.csv\tname\ns3://b/c?.csv\n";
    let done = with_s3(&server.url(""), &["table", "-i", "-", "-q"]).stdin(list).run();
    assert_eq!(done.code, Some(3), "{} {:?}", done.stderr, server.paths());
    assert!(done.stderr.contains("write %3F for ?"), "{}", done.stderr);
    assert!(done.text().starts_with("x\n1\n1\n"), "{}", done.text());
}
