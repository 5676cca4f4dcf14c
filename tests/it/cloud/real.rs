//! A server of S3 that others wrote. Without one, these tests say that they are skipped.

use crate::common::{Finished, Program, Proxy, S3, gzip, noise, raudal};
use std::fs;

/// Runs the program. In its arguments, `S3:` stands for the folder.
fn program(s3: &S3, arguments: &[&str]) -> Program {
    let program = raudal(arguments.iter().map(|argument| argument.replace("S3:", &s3.folder)));
    s3.environment().into_iter().fold(program, |program, (name, value)| program.env(name, value))
}

fn run(s3: &S3, arguments: &[&str]) -> Finished {
    program(s3, arguments).run()
}

/// Stores objects, as the parts of a fleet are.
fn put(s3: &S3, objects: &[(&str, &[u8])]) {
    s3.with(async |bucket| {
        for (key, content) in objects {
            assert!(bucket.put(key, *content).await?, "{key} was there");
            assert!(!bucket.put(key, &b"other"[..]).await?, "{key} is written once");
            let mut stored = Vec::new();
            let take = |bytes: &[u8]| {
                stored.extend_from_slice(bytes);
                Ok(())
            };
            bucket.get(key, take).await?;
            assert!(stored == *content, "{key} is as it was");
        }
        Ok(())
    });
}

fn good(finished: &Finished) -> &str {
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    finished.text()
}

#[test]
fn tables_are_read_by_name_by_pattern_and_by_glob() {
    let Some(s3) = S3::given("table") else { return };
    let (a, b, c) = (gzip("n\n1\n"), gzip("n\n2\n"), &b"n\n3\n"[..]);
    put(
        &s3,
        &[("2024/a.csv.gz", &a), ("2024/b.csv.gz", &b), ("2024/05/día=1 (+&%25).csv", c), ("2025/d.txt", b"n\n4\n")],
    );
    assert_eq!(good(&run(&s3, &["table", "S3:/2024/a.csv.gz"])), "n\n1\n");
    assert_eq!(good(&run(&s3, &["table", "S3:/2024/{b,a}.csv.gz"])), "n\n2\n1\n");
    assert_eq!(good(&run(&s3, &["table", "S3:/2024/*.csv.gz"])), "n\n1\n2\n");
    assert_eq!(good(&run(&s3, &["table", "S3:/20[24-25]/**"])).lines().count(), 5);
    let from = run(&s3, &["table", "S3:/**/*.csv", "--source-column", "from", "-q"]);
    assert_eq!(good(&from), "from,n\ndía=1 (+&%25).csv,3\n");
    let listed = run(&s3, &["table", "S3:/2024/**", "-n"]);
    assert!(good(&listed).contains("/2024/05/d%C3%ADa=1%20(+&%2525).csv"), "{}", listed.text());
    assert_eq!(good(&program(&s3, &["table", "-i", "-"]).stdin(listed.text()).run()), "n\n3\n1\n2\n");
}

#[test]
fn what_is_not_there_or_not_allowed_is_said_by_the_store() {
    let Some(s3) = S3::given("refused") else { return };
    for (source, message) in [
        ("S3:/none.csv", "no such object in the bucket"),
        ("s3://no-such-bucket-at-all/a.csv", "no such bucket: no-such-bucket-at-all"),
        ("s3://no-such-bucket-at-all/*.csv", "no such bucket: no-such-bucket-at-all"),
        ("S3:/*.csv", "no object matches"),
    ] {
        let done = run(&s3, &["table", source]);
        assert_eq!(done.code, Some(5), "{}", done.stderr);
        assert!(done.stderr.contains(message), "{source}: {}", done.stderr);
    }
    let wrong = program(&s3, &["table", "S3:/a.csv"]).env("AWS_SECRET_ACCESS_KEY", "wrong").run();
    assert!(wrong.stderr.contains("does not accept the credentials: SignatureDoesNotMatch"), "{}", wrong.stderr);
    let unknown = program(&s3, &["table", "S3:/*"]).env("AWS_ACCESS_KEY_ID", "AKIAUNKNOWN").run();
    assert!(unknown.stderr.contains("does not accept the credentials: InvalidAccessKeyId"), "{}", unknown.stderr);
    put(&s3, &[("b.csv", b"x\n1\n")]);
    let skipped = program(&s3, &["table", "S3:/b.csv"]).env("AWS_SKIP_SIGNATURE", "true").run();
    assert!(skipped.stderr.contains("access denied, and requests are not signed"), "{}", skipped.stderr);
}

#[test]
fn files_are_the_same_bytes_although_connections_break_and_are_not_fetched_again() {
    let Some(s3) = S3::given("get") else { return };
    // Longer than one piece of an upload.
    let long = noise(17 << 20);
    put(&s3, &[("long.bin", &long), ("d/e/short.bin", b"short")]);
    let folder = tempfile::tempdir().expect("a folder");
    // The first connection is that of the listing: the server closes each one.
    let server = s3.server.trim_start_matches("http://").parse().expect("an address");
    let proxy = Proxy::breaking(server, [usize::MAX, 5_000_000], 64 << 10);
    let get = |more: &[&str]| {
        let arguments = ["get", "S3:/long.bin", "S3:/d/**", "-d", ".", "-j", "1", "--retry-delay", "1ms"];
        program(&s3, &arguments).env("AWS_ENDPOINT_URL", proxy.url("")).args(more).in_folder(folder.path()).run()
    };
    let first = get(&["--report", "report.json"]);
    good(&first);
    assert!(fs::read(folder.path().join("long.bin")).expect("a file") == long);
    assert_eq!(fs::read(folder.path().join("short.bin")).expect("a file"), b"short");
    assert!(first.stderr.contains("1 retry"), "{}", first.stderr);
    let again = get(&["--update"]);
    good(&again);
    assert!(again.stderr.contains("2 of them unchanged"), "{}", again.stderr);
}

#[test]
fn what_is_in_an_archive_is_seen_over_ranges_and_what_a_glob_stands_for_with_sizes() {
    let Some(s3) = S3::given("peek") else { return };
    let (table, long) = (&b"n,m\n1,2\n"[..], noise(4 << 20));
    let archive = crate::common::zip([("long.bin", &long[..]), ("t.csv", table)]);
    put(&s3, &[("d/a.zip", &archive), ("d/b.csv", table)]);
    let peeked = run(&s3, &["peek", "S3:/d/a.zip", "--format", "json"]);
    let seen: serde_json::Value = serde_json::from_str(good(&peeked)).expect("JSON");
    assert!(seen["fetched"].as_u64().is_some_and(|bytes| bytes < 1 << 20), "{seen}");
    assert!(peeked.text().contains("t.csv"), "{seen}");
    let listed = run(&s3, &["peek", "S3:/d/*"]);
    assert!(good(&listed).contains("/d/a.zip") && listed.text().contains("8 B"), "{}", listed.text());
    assert!(good(&run(&s3, &["peek", "S3:/d/b*"])).contains("raudal table"));
}

#[test]
fn an_object_is_written_once_also_where_the_store_knows_no_condition() {
    let Some(mut s3) = S3::given("once") else { return };
    put(&s3, &[("1.part", b"first")]);
    s3.more = Some(("AWS_CONDITIONAL_PUT", "disabled"));
    put(&s3, &[("2.part", b"second")]);
    let left = s3.with(async |bucket| {
        assert!(!bucket.put("1.part", &b"other"[..]).await?, "it is there");
        bucket.rename("1.part", "1.part.damaged").await?;
        assert!(!bucket.has("1.part").await? && bucket.has("1.part.damaged").await?);
        let names = bucket.names().await?;
        bucket.remove().await?;
        Ok((names, bucket.names().await?))
    });
    assert_eq!(left, (vec!["1.part.damaged".to_owned(), "2.part".to_owned()], Vec::new()));
}

#[test]
fn the_archives_of_iter_may_be_in_a_bucket() {
    let Some(s3) = S3::given("iter") else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let origin = raudal(["iter", "--mirror", "embedded", "--scale", "0.01", "-q", "--entities", "1"]).run();
    let archive = crate::common::zip([("ITER_01CSV20.csv", good(&origin).as_bytes())]);
    put(&s3, &[("ITER_01_2020_csv.zip", &archive)]);
    let done = program(&s3, &["iter", "--mirror", "S3:", "--entities", "1", "-q"]).in_folder(folder.path()).run();
    assert_eq!(good(&done), origin.text());
}
