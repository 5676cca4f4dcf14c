//! Servers as people meet them: what they send is read if it can be read for certain, and is said where it is odd.

use std::path::Path;

use crate::common::{Answer, Finished, Server, gzip, raudal};

const TABLE: &str = "id,name\n1,a\n2,b\n";

fn table(server: &Server, path: &str) -> Finished {
    raudal(["table", "--retries", "0", "--progress", "none", &server.url(path)]).run()
}

/// Runs `get` into this folder.
fn get(folder: &Path, url: &str) -> Finished {
    raudal(["get", "--retries", "0", "--progress", "none", "-q", url]).arg("-d").arg(folder).run()
}

fn read(server: &Server, path: &str) -> Finished {
    let finished = table(server, path);
    assert_eq!((finished.code, finished.text()), (Some(0), TABLE), "{path}: {}", finished.stderr);
    finished
}

/// The table that one response gives.
#[track_caller]
fn read_one(answer: Answer) -> Finished {
    read(&Server::with("/a.csv", [answer]), "/a.csv")
}

#[track_caller]
fn refused(answer: Answer, code: i32, says: &str) {
    let server = Server::with("/a.csv", [answer]);
    let finished = table(&server, "/a.csv");
    assert_eq!((finished.code, finished.text()), (Some(code), ""), "{}", finished.stderr);
    assert!(finished.stderr.contains(says), "`{says}` is not in:\n{}", finished.stderr);
}

fn to(location: &str) -> Answer {
    Answer::redirect(location)
}

#[test]
fn a_cookie_that_is_set_in_a_redirect_is_sent_along_the_chain_only() {
    let server = Server::start([
        ("/a.csv", vec![to("/login?next=/a.csv"), Answer::ok(TABLE), to("/login?next=/a.csv"), Answer::ok(TABLE)]),
        ("/login?next=/a.csv", vec![to("/a.csv").header("Set-Cookie", "s=secret; Path=/; HttpOnly")]),
    ]);
    let url = server.url("/a.csv");
    let finished = raudal(["table", "-v", "-j", "1", "--progress", "none", &url, &format!("{url}#again")]).run();
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    let sent: Vec<_> = server.requests().iter().map(|request| request.header("cookie").map(str::to_owned)).collect();
    let secret = Some("s=secret".to_owned());
    assert_eq!(sent, [None, None, secret.clone(), None, None, secret], "each input has cookies of its own");
    assert!(!finished.stderr.contains("secret"), "{}", finished.stderr);
}

#[test]
fn a_cookie_does_not_go_to_another_host() {
    let other = Server::with("/a.csv", [Answer::ok(TABLE)]);
    let elsewhere = other.url("/a.csv").replace("127.0.0.1", "localhost");
    let server = Server::with("/a.csv", [to(&elsewhere).header("Set-Cookie", "s=secret; Path=/")]);
    read(&server, "/a.csv");
    assert_eq!(other.requests()[0].header("cookie"), None);
}

#[test]
fn a_content_encoding_is_undone_for_tables_although_it_was_declined() {
    for (encoding, body) in encoded() {
        let server = Server::with("/a.csv", [Answer::ok(body).header("Content-Encoding", encoding)]);
        let finished = read(&server, "/a.csv");
        assert!(!finished.stderr.contains("warning"), "{encoding}: {}", finished.stderr);
        let request = &server.requests()[0];
        assert_eq!((request.header("accept-encoding"), request.header("range")), (Some("identity"), None));
    }
    read_one(Answer::ok(TABLE).header("Content-Encoding", "utf-8"));
    let finished = read_one(Answer::ok(TABLE).header("Content-Encoding", "gzip"));
    assert!(finished.stderr.contains("the bytes are no gzip"), "{}", finished.stderr);
}

/// `TABLE` in each coding.
fn encoded() -> [(&'static str, Vec<u8>); 4] {
    let zlib = |text: &str| {
        let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
        std::io::Write::write_all(&mut encoder, text.as_bytes()).expect("memory");
        encoder.finish().expect("memory")
    };
    // As the reference encoders write them.
    let brotli = b"\x8b\x07\x80\x69\x64\x2c\x6e\x61\x6d\x65\x0a\x31\x2c\x61\x0a\x32\x2c\x62\x0a\x03";
    let zstd = b"\x28\xb5\x2f\xfd\x20\x10\x81\x00\x00\x69\x64\x2c\x6e\x61\x6d\x65\x0a\x31\x2c\x61\x0a\x32\x2c\x62\x0a";
    [("gzip", gzip(TABLE)), ("deflate", zlib(TABLE)), ("br", brotli.to_vec()), ("zstd", zstd.to_vec())]
}

#[test]
fn a_body_whose_encoding_is_cut_or_whose_length_is_wrong_is_refused() {
    let whole = gzip(TABLE);
    let cut = &whole[..whole.len() - 3];
    refused(Answer::ok(cut).header("Content-Encoding", "gzip"), 6, "cannot be decoded as its Content-Encoding says");
    let short = Answer::short(&whole, whole.len() + 9).header("Content-Encoding", "gzip");
    refused(short, 6, &format!("{} of {} bytes", whole.len(), whole.len() + 9));
}

#[test]
fn digests_are_of_the_encoded_bytes() {
    use base64::Engine;
    use sha2::Digest;
    let encoded = gzip(TABLE);
    let digest = |bytes: &[u8]| {
        let sum = base64::engine::general_purpose::STANDARD.encode(sha2::Sha256::digest(bytes));
        format!("sha-256=:{sum}:")
    };
    let answer = Answer::ok(&encoded).header("Content-Encoding", "gzip");
    read_one(answer.clone().header("Repr-Digest", digest(&encoded)));
    refused(answer.header("Repr-Digest", digest(TABLE.as_bytes())), 6, "Repr-Digest");
}

#[test]
fn get_saves_the_decoded_file_unless_the_file_is_itself_compressed() {
    let folder = tempfile::tempdir().expect("a folder");
    let answer = || Answer::ok(gzip(TABLE)).header("Content-Encoding", "gzip").header("ETag", "\"x\"");
    let named = answer().header("Content-Disposition", "attachment; filename=\"c.csv.gz\"");
    let server = Server::start([("/a.csv", vec![answer()]), ("/b.csv.gz", vec![answer()]), ("/dl", vec![named])]);
    for path in ["/a.csv", "/b.csv.gz", "/dl"] {
        let finished = get(folder.path(), &server.url(path));
        assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    }
    let found = |name: &str| std::fs::read(folder.path().join(name)).expect(name);
    assert!(found("a.csv") == TABLE.as_bytes() && found("b.csv.gz") == gzip(TABLE) && found("c.csv.gz") == gzip(TABLE));
    assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 3, "nothing else is left");
}

#[test]
fn a_get_that_breaks_off_in_an_encoded_body_starts_again_and_leaves_nothing_half_done() {
    let folder = tempfile::tempdir().expect("a folder");
    let whole = gzip(TABLE);
    let cut = Answer::short(&whole[..20], whole.len()).header("Content-Encoding", "gzip").header("ETag", "\"x\"");
    let good = Answer::ok(&whole).header("Content-Encoding", "gzip").header("ETag", "\"x\"");
    let server = Server::with("/a.csv", [cut, good]);
    let url = server.url("/a.csv");
    let finished = raudal(["get", "-c", "--retry-delay", "1ms", "-q", &url]).arg("-d").arg(folder.path()).run();
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    assert_eq!(std::fs::read_to_string(folder.path().join("a.csv")).expect("a file"), TABLE);
    assert_eq!(server.requests()[1].header("range"), None);
}

#[test]
fn a_head_with_invalid_lines_is_read_without_them_and_with_a_warning() {
    let length = TABLE.len();
    for line in ["X Bad Header: 1", "no colon at all", ": no name", "X-Space : 1"] {
        let answer = format!("HTTP/1.1 200 OK\r\n{line}\r\nContent-Length: {length}\r\n\r\n{TABLE}");
        let finished = read_one(Answer::raw(answer));
        assert!(finished.stderr.contains("the head of the response has invalid lines"), "{line}: {}", finished.stderr);
    }
    // Nothing is wrong with these, for a client that is to be of use.
    let latin1 =
        [b"HTTP/1.1 200 S\xed\r\nX-Town: Poblaci\xf3n\r\nConnection: close\r\n\r\n", TABLE.as_bytes()].concat();
    for answer in [
        Answer::raw(latin1),
        Answer::raw(format!("HTTP/1.1 200\r\nContent-Length: {length}\r\n\r\n{TABLE}")),
        Answer::raw(format!("HTTP/1.0 200 OK\n\n{TABLE}")),
        Answer::ok(TABLE).header("Content-Length", length.to_string()),
        Answer::raw(format!("HTTP/1.1 200 OK\r\nContent-Length: {length}, {length}\r\n\r\n{TABLE}")),
    ] {
        let finished = read_one(answer);
        assert!(!finished.stderr.contains("warning"), "{}", finished.stderr);
    }
}

#[test]
fn two_lengths_that_contradict_each_other_are_refused() {
    refused(
        Answer::ok(TABLE).header("Content-Length", "3"),
        4,
        "the response is not valid HTTP: invalid content-length",
    );
}

#[test]
fn a_head_of_many_lines_is_read() {
    read_one((0..300).fold(Answer::ok(TABLE), |answer, at| answer.header(&format!("X-{at}"), "a")));
}

#[test]
fn a_response_without_a_head_is_taken_as_it_comes_with_a_warning() {
    let finished = read_one(Answer::raw(TABLE));
    assert!(finished.stderr.contains("the response has no head (HTTP/0.9)"), "{}", finished.stderr);
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::with("/a.csv", [Answer::raw(TABLE)]);
    let finished = raudal(["get", "--retries", "0", &server.url("/a.csv")]).arg("-d").arg(folder.path()).run();
    assert_eq!(std::fs::read_to_string(folder.path().join("a.csv")).expect("a file"), TABLE);
    assert!(finished.stderr.contains("HTTP/0.9"), "{}", finished.stderr);
    refused(Answer::raw("SSH-2.0-OpenSSH_9.6\r\n"), 4, "the response is not HTTP");
    refused(Answer::raw(b"\x15\x03\x01\x00\x02\x02\x46"), 4, "the response is not HTTP");
}

#[test]
fn a_table_that_is_called_a_page_is_a_table() {
    for media_type in ["text/html", "text/html; charset=utf-8", "application/xhtml+xml"] {
        let finished = read_one(Answer::ok(TABLE).header("Content-Type", media_type));
        assert!(!finished.stderr.contains("warning"), "{}", finished.stderr);
    }
    let html = |body: &str| Answer::ok(body).header("Content-Type", "text/html");
    refused(html("<br />\n<b>Warning</b>: mysql_connect()\nid,name\n"), 4, "an HTML page in place of the data");
    refused(html("Sorry, not found\n"), 4, "an HTML page in place of the data: Sorry, not found");
}

#[test]
fn a_page_or_an_empty_body_that_leads_on_says_where_to() {
    let page = "<html><head><meta http-equiv=\"refresh\" content=\"0; url=/real.csv\"><title>Wait</title>";
    refused(Answer::ok(page), 4, "which may have the data: /real.csv");
    let server = Server::with("/a.csv", [Answer::empty().header("Refresh", "0; url=/real.csv")]);
    let finished = table(&server, "/a.csv");
    assert!(finished.stderr.contains(&format!("which may have the data: {}", server.url("/real.csv"))));
    assert_eq!(finished.code, Some(4));
}

#[test]
fn what_is_no_table_and_no_page_is_an_impostor_whatever_it_is_called() {
    for (body, what) in [
        ("{\"error\":{\"message\":\"quota exceeded\"}}\n", "JSON"),
        ("[{\"error\": 1}]", "JSON"),
        ("<?xml version=\"1.0\"?>\n<Error><Code>SlowDown</Code></Error>", "XML"),
        ("Service temporarily unavailable", "one line of text"),
    ] {
        for media_type in ["text/csv", "application/json", "text/plain", "application/octet-stream"] {
            let answer = Answer::ok(body).header("Content-Type", media_type);
            let what = if media_type == "application/json" { "stands where a table should be" } else { what };
            refused(answer, 4, what);
        }
    }
}

#[test]
fn a_page_in_place_of_a_file_never_gets_its_name() {
    let page = || Answer::page("No existe");
    let named = |name: &str| page().header("Content-Disposition", format!("attachment; filename={name}"));
    let server = Server::start([
        ("/a.zip", vec![page()]),
        ("/b.csv", vec![page(), page(), Answer::ok(TABLE)]),
        ("/c", vec![named("c.pdf")]),
        ("/d.csv?x=1", vec![Answer::ok("{\"error\": \"quota\"}")]),
        ("/e.tar", vec![Answer::ok("<?xml version=\"1.0\"?><Error/>")]),
        ("/f.json", vec![page()]),
        ("/g.json", vec![Answer::ok("{\"a\": 1}")]),
        ("/h.html", vec![page()]),
        ("/i", vec![page()]),
        ("/j.csv", vec![page()]),
        ("/k", vec![page()]),
        ("/l.csv", vec![named("l.html")]),
        ("/m.xls", vec![Answer::ok("<html><table></table></html>")]),
    ]);
    let lines = ["a.zip", "b.csv", "c", "d.csv?x=1", "e.tar", "f.json", "g.json", "h.html", "i", "l.csv", "m.xls"];
    let mut list: String = lines.iter().map(|path| server.url(&format!("/{path}")) + "\n").collect();
    list += &format!("{}\tj.html\n{}\tk.zip\n", server.url("/j.csv"), server.url("/k"));
    let folder = tempfile::tempdir().expect("a folder");
    let files = folder.path().join("files");
    std::fs::create_dir(&files).expect("a folder");
    std::fs::write(files.join("a.zip"), "good").expect("a file");
    let get = raudal(["get", "--update", "--retry-delay", "1ms", "-i", "-", "-d"]).arg(&files).stdin(list);
    let finished = get.run();
    assert_eq!(finished.code, Some(3), "{}", finished.stderr);
    let mut names: Vec<_> = std::fs::read_dir(&files)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .filter(|name| !name.starts_with('.'))
        .collect();
    names.sort();
    assert_eq!(names, ["a.zip", "b.csv", "g.json", "h.html", "i", "j.html", "l.html", "m.xls"], "{}", finished.stderr);
    assert_eq!(std::fs::read_to_string(files.join("a.zip")).expect("a file"), "good");
    assert_eq!(std::fs::read_to_string(files.join("b.csv")).expect("a file"), TABLE);
    for said in
        ["an HTML page in place of the data: No existe", "JSON in place of the data", "XML in place of the data"]
    {
        assert!(finished.stderr.contains(said), "{said}: {}", finished.stderr);
    }
}

#[test]
fn what_a_server_refuses_after_a_redirect_names_where_it_was() {
    for (target, said) in [
        ("/gone?key=secret", "/a.csv: after a redirect to http://H/gone: the server answered: 404"),
        ("/a.csv?n=1", "/a.csv: after a redirect to http://H/a.csv: the server answered: 404"),
    ] {
        let server =
            Server::start([("/a.csv", vec![Answer::redirect(target)]), (target, vec![Answer::status(404, "")])]);
        let finished = table(&server, "/a.csv");
        let host = server.url("").replace("http://", "");
        let stderr = finished.stderr.replace(host.trim_end_matches('/'), "H");
        assert!(stderr.contains(said) && !stderr.contains("secret"), "{stderr}");
        assert_eq!(finished.code, Some(5));
    }
}

#[test]
fn the_charset_of_the_media_type_is_used_where_no_encoding_is_given() {
    let latin1 = b"id,name\n1,Poblaci\xf3n\n";
    for charset in ["ISO-8859-1", "\"latin1\"", "windows-1252"] {
        let answer = Answer::ok(latin1).header("Content-Type", format!("text/csv; charset={charset}"));
        let server = Server::with("/a.csv", [answer]);
        let finished = raudal(["table", "-v", "--progress", "none", &server.url("/a.csv")]).run();
        assert_eq!(finished.text(), "id,name\n1,Población\n", "{charset}: {}", finished.stderr);
        assert!(finished.stderr.contains("windows-1252"), "{}", finished.stderr);
    }
    let wrong = Answer::ok("id,name\n1,Población\n").header("Content-Type", "text/csv; charset=ISO-8859-1");
    let finished = table(&Server::with("/a.csv", [wrong]), "/a.csv");
    assert_eq!(finished.text(), "id,name\n1,Población\n", "bytes that are UTF-8 win");
}
