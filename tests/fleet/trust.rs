//! What a worker does not do for everybody, and what is never sent.

use super::harness::{Fleet, pattern, serve, tables, until};

#[test]
fn a_submitted_list_reads_neither_the_files_nor_the_network_of_a_worker() {
    let Some(fleet) = Fleet::start() else { return };
    let server = serve(&tables(2));
    let secret = fleet.at("secret.csv");
    std::fs::write(&secret, "a\n1\n").expect("room");
    let (url, file) = (server.url("/0.csv"), secret.display().to_string());
    let worker = fleet.spawn(["worker", "--name", "strict"]);
    worker.wait_for("waits for runs");
    let (code, said) = fleet.submit("out.csv", &[&url, &file]).end();
    assert_ne!(code, Some(0), "{said}");
    assert!(said.contains("this address is not allowed here: 127.0.0.1"), "{said}");
    assert!(said.contains("the worker does not allow its own files to be read"), "{said}");
    assert!(server.requests().is_empty());
    drop(worker);
    let allow = format!("127.0.0.1,file:{}", fleet.folder.path().display());
    let worker = fleet.spawn(["worker", "--name", "open", "--allow", &allow]);
    worker.wait_for("waits for runs");
    let (code, said) = fleet.submit("out.csv", &[&file, &file]).end();
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(fleet.read("out.csv"), "a\n1\n1\n");
}

#[test]
fn a_name_that_leads_to_a_private_address_and_a_redirect_there_are_refused() {
    let Some(fleet) = Fleet::start() else { return };
    let server = serve(&tables(1));
    let named = server.url("/0.csv").replace("127.0.0.1", "localhost");
    let redirects = serve(&[(
        "/r.csv".to_owned(),
        vec![super::common::Answer::redirect(server.url("/0.csv").replace("127.0.0.1", "localhost"))],
    )]);
    let first = fleet.worker("w", &[]);
    let (_, said) = fleet.submit("out.csv", &[&named, &redirects.url("/r.csv")]).end();
    assert_eq!(said.matches("does not allow this host: localhost").count(), 2, "{said}");
    assert!(server.requests().is_empty());
    let worker = fleet.spawn(["worker", "--name", "any", "--allow", "*"]);
    worker.wait_for("waits for runs");
    drop(first);
    let (_, said) = fleet.submit("out.csv", &[&named]).end();
    assert!(said.contains("this address is not allowed here: localhost is 127.0.0.1"), "{said}");
}

#[test]
fn secrets_are_refused_before_they_are_sent() {
    let Some(fleet) = Fleet::start() else { return };
    for (more, says) in [
        (["http://me:secret@127.0.0.1/a.csv", "--retries=0"], "a login in the URL of an input"),
        (["http://127.0.0.1/a.csv", "--header=Authorization: Bearer secret"], "belongs to each worker: --header"),
        (["http://127.0.0.1/a.csv", "--proxy=http://me:secret@proxy"], "belongs to each worker: --proxy"),
        (["http://127.0.0.1/a.csv", "--cache"], "has no effect yet: --cache"),
    ] {
        let (code, said) = fleet.submit("out.csv", &more).end();
        assert_eq!(code, Some(2), "{said}");
        assert!(said.contains(says) && !said.contains("secret"), "{said}");
    }
}

#[test]
fn a_worker_that_does_not_see_the_parts_says_so() {
    let Some(fleet) = Fleet::start() else { return };
    let server = serve(&tables(2));
    let elsewhere = fleet.at("elsewhere");
    std::fs::create_dir(&elsewhere).expect("room");
    let blind = fleet.worker("blind", &["--parts", elsewhere.to_str().expect("text")]);
    let run = fleet.submit("out.csv", &[&pattern(&server, 2)]);
    run.wait_for("blind: this machine does not see the parts of the run");
    drop(blind);
    let _worker = fleet.worker("sees", &[]);
    let (code, said) = run.end();
    assert_eq!(code, Some(0), "{said}");
    until("the worker", || fleet.runs(&["workers"]).starts_with("sees\t0.1.0\t16\t0\t").then_some(()));
}

#[test]
fn a_broker_that_is_not_there_is_an_error_without_its_password() {
    let Some(mut fleet) = Fleet::start() else { return };
    fleet.kill_broker();
    let url = fleet.url().replace("nats://", "nats://me:secret@");
    let (code, said) = fleet.submit("out.csv", &["http://127.0.0.1/a.csv", "--nats", &url]).end();
    assert_eq!(code, Some(4), "{said}");
    assert!(said.contains("cannot connect to NATS: nats://127.0.0.1") && !said.contains("secret"), "{said}");
}
