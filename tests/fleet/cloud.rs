//! Parts and inputs in a bucket, on a real broker and a server of S3 that others wrote.

use super::common::{Answer, Gate, Proxy, S3};
use super::harness::{Fleet, pattern, serve, tables, until};

fn start(test: &str) -> Option<(Fleet, S3)> {
    let (s3, mut fleet) = (S3::given(test)?, Fleet::start()?);
    fleet.variables = s3.environment().map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    Some((fleet, s3))
}

fn names(s3: &S3, run: &str) -> Vec<String> {
    s3.with(async |bucket| bucket.below(run)?.names().await)
}

fn submit<'a>(s3: &'a S3, more: &[&'a str]) -> Vec<&'a str> {
    let own = ["table", "--parts", s3.folder.as_str(), "--lease", "1s", "--progress", "none", "--run", "seven"];
    own.into_iter().chain(more.iter().copied()).collect()
}

#[test]
fn parts_in_a_bucket_give_the_bytes_of_one_machine_also_if_a_worker_is_killed() {
    let Some((fleet, s3)) = start("parts") else { return };
    let gate = Gate::new();
    let mut routes = tables(30);
    let last = routes[29].1.remove(0);
    routes[29].1 = vec![last.behind(&gate)];
    routes[4].1 = vec![Answer::status(404, "no")];
    let server = serve(&routes);
    let source = pattern(&server, 30);
    let killed = fleet.worker("a", &[]);
    let submitter = fleet.spawn(submit(&s3, &["-o", "fleet.csv", &source, "--chunk", "1"]));
    until("some parts", || names(&s3, "raudal-seven").iter().any(|name| name.starts_with("0000")).then_some(()));
    killed.kill();
    gate.open();
    let _worker = fleet.worker("b", &[]);
    let (code, said) = submitter.end();
    assert_eq!(code, Some(3), "{said}");
    assert_eq!(fleet.alone("alone.csv", &[&source]), Some(3));
    assert_eq!(fleet.read("fleet.csv"), fleet.read("alone.csv"));
    assert_eq!(names(&s3, "raudal-seven"), [] as [&str; 0], "parts are removed");
    assert!(!said.contains("Signature") && !said.contains("AWS4"), "{said}");
}

#[test]
fn a_store_whose_connections_break_costs_no_row() {
    let Some((mut fleet, s3)) = start("breaking") else { return };
    let server = serve(&tables(12));
    let source = pattern(&server, 12);
    let store = s3.server.trim_start_matches("http://").parse().expect("an address");
    // Most answers are longer than this: some requests are done, and their sender does not know.
    let breaks = (0..40).map(|n| if n % 3 == 0 { 100 } else { usize::MAX });
    let proxy = Proxy::breaking(store, breaks, 64 << 10);
    fleet.variables.push(("AWS_ENDPOINT_URL".into(), proxy.url("")));
    let _worker = fleet.worker("a", &[]);
    let (code, said) = fleet.spawn(submit(&s3, &["-o", "fleet.csv", &source, "--chunk", "1"])).end();
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(fleet.alone("alone.csv", &[&source]), Some(0));
    assert_eq!(fleet.read("fleet.csv"), fleet.read("alone.csv"));
}

#[test]
fn a_run_that_was_left_is_in_the_bucket_until_it_is_forgotten() {
    let Some((fleet, s3)) = start("left") else { return };
    let server = serve(&tables(6));
    let source = pattern(&server, 6);
    let (code, said) = fleet.spawn(submit(&s3, &["-o", "fleet.csv", &source, "--detach"])).end();
    assert_eq!(code, Some(0), "{said}");
    let _worker = fleet.worker("a", &[]);
    let watched = fleet.runs(&["list"]);
    assert!(watched.contains(&s3.folder), "{watched}");
    until("all parts", || {
        let has = |name: &String| name.starts_with("0000");
        names(&s3, "raudal-seven").iter().any(has).then_some(())
    });
    assert!(names(&s3, "raudal-seven").iter().any(|name| name == "run"));
    fleet.runs(&["forget", "seven"]);
    assert_eq!(names(&s3, "raudal-seven"), [] as [&str; 0], "nothing stays");
}

#[test]
fn a_worker_reads_objects_with_its_own_credentials_if_their_bucket_is_named() {
    let Some((fleet, s3)) = start("inputs") else { return };
    s3.with(async |bucket| {
        bucket.put("in/a.csv", &b"x\n1\n"[..]).await?;
        bucket.put("in/b.csv", &b"x\n2\n"[..]).await
    });
    let glob = format!("{}/in/*.csv", s3.folder);
    let bucket = s3.folder.rsplit_once('/').expect("a bucket").0;
    let refusing = fleet.worker("a", &[]);
    let (code, said) = fleet.spawn(submit(&s3, &["-o", "none.csv", &glob])).end();
    assert_ne!(code, Some(0), "{said}");
    assert!(said.contains(&format!("the worker does not allow this bucket: {bucket}")), "{said}");
    refusing.kill();
    let worker = fleet.spawn(["worker", "--name", "b", "--allow", bucket]);
    worker.wait_for("waits for runs");
    let (code, said) = fleet.spawn(submit(&s3, &["-o", "all.csv", &glob])).end();
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(fleet.read("all.csv"), "x\n1\n2\n");
}

#[test]
fn a_store_that_refuses_is_named_before_the_run_begins() {
    let Some((mut fleet, s3)) = start("refusing") else { return };
    let server = serve(&tables(2));
    fleet.variables.push(("AWS_SECRET_ACCESS_KEY".into(), "TheWrongSecret".into()));
    let (code, said) = fleet.spawn(submit(&s3, &["-o", "none.csv", &pattern(&server, 2)])).end();
    assert_eq!(code, Some(5), "{said}");
    assert!(
        said.contains(&format!("{}/raudal-seven/run: the store does not accept the credentials", s3.folder)),
        "{said}"
    );
    assert!(!said.contains("TheWrongSecret"), "{said}");
}
