//! The JSON that programs read has the fields that the schemas in `docs/schemas` describe, and no
//! others.

use crate::common::{Answer, Server, raudal};
use serde_json::{Value, json};
use std::path::Path;

/// Compiles a schema in which fields that it does not describe are errors, so that nothing is
/// written that is not described.
fn compiled(name: &str) -> (boon::Schemas, boon::SchemaIndex) {
    let mut compiler = boon::Compiler::new();
    for file in ["report-1.json", "events-1.json", "compare-1.json", "peek-1.json"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/schemas").join(file);
        let mut schema: Value = serde_json::from_slice(&std::fs::read(path).expect("a schema")).expect("JSON");
        close(&mut schema);
        let id = schema["$id"].as_str().expect("an id").to_owned();
        compiler.add_resource(&id, schema).expect("a schema");
    }
    let mut schemas = boon::Schemas::new();
    let index = compiler.compile(&format!("https://raudal.invalid/schemas/{name}"), &mut schemas);
    let index = index.unwrap_or_else(|error| panic!("{name}: {error:#}"));
    (schemas, index)
}

fn close(schema: &mut Value) {
    match schema {
        Value::Object(object) => {
            object.values_mut().for_each(close);
            // A schema of an object, not a field named `properties`.
            if object.contains_key("properties") && object.contains_key("type") {
                object.insert("additionalProperties".to_owned(), json!(false));
            }
        }
        Value::Array(items) => items.iter_mut().for_each(close),
        _ => {}
    }
}

fn check(name: &str, documents: &[Value]) {
    let (schemas, index) = compiled(name);
    for document in documents {
        if let Err(error) = schemas.validate(document, index) {
            panic!("{name}: {error:#}\n{document:#}");
        }
    }
}

#[test]
fn events_and_reports_are_as_their_schemas_say() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start([
        ("/1.csv", vec![Answer::status(503, ""), Answer::ok(*b"n\n1\n")]),
        ("/2.csv", vec![Answer::status(404, "")]),
    ]);
    let url = server.url("/[1-2].csv");
    for (command, output) in [("get", ["-d", "files"]), ("table", ["-o", "out.csv"])] {
        let finished =
            raudal([command, &url, "--progress", "json", "-v", "--retry-delay", "1ms", "--report", "report.json"])
                .args(output)
                .in_folder(&folder)
                .run();
        assert_eq!(finished.code, Some(3), "{}", finished.stderr);
        let events: Vec<Value> =
            finished.stderr.lines().map(|line| serde_json::from_str(line).expect("an event")).collect();
        for kind in ["run_started", "attempt_started", "attempt_failed", "job_finished", "run_finished", "message"] {
            assert!(events.iter().any(|event| event["event"] == kind), "{kind}: {}", finished.stderr);
        }
        check("events-1.json", &events);
        let report = std::fs::read(folder.path().join("report.json")).expect("a report");
        let report: Value = serde_json::from_slice(&report).expect("JSON");
        assert!(report["ended"].as_str() >= report["started"].as_str() && report["started"].is_string(), "{report}");
        assert!(!report["failed"].as_array().expect("failures").is_empty(), "{report}");
        check("report-1.json", &[report]);
    }
}

#[test]
fn a_comparison_is_as_its_schema_says() {
    let finished = raudal(["compare", "requests", "-j", "1,4,auto", "-r", "2", "-w", "0", "--requests", "8"])
        .args(["--latency", "2ms", "--export-json", "-"])
        .run();
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    check("compare-1.json", &[serde_json::from_slice(&finished.stdout).expect("JSON alone on standard output")]);
}

#[test]
fn what_was_seen_of_an_input_is_as_its_schema_says() {
    let folder = tempfile::tempdir().expect("a folder");
    let archive = crate::common::zip([("a.csv", &b"id;n\n007;*\n008;1\n"[..]), ("b.csv", b"")]);
    std::fs::write(folder.path().join("a.zip"), archive).expect("a file");
    std::fs::write(folder.path().join("a.pdf"), "%PDF-1.7").expect("a file");
    std::fs::write(folder.path().join("a.html"), "<html><a href=1.csv>").expect("a file");
    let server = Server::with("/a.csv", [Answer::ranged("a\n1\n").header("ETag", "\"a\"")]);
    let url = server.url("/a.csv");
    let seen = ["a.zip", "a.pdf", "a.html", ".", "*.*", &url].map(|source| {
        let finished = raudal(["peek", source, "--format", "json"]).in_folder(&folder).run();
        assert_eq!(finished.code, Some(0), "{source}: {}", finished.stderr);
        serde_json::from_slice(&finished.stdout).expect("JSON")
    });
    check("peek-1.json", &seen);
}

#[test]
fn a_document_that_is_not_as_the_schema_says_is_found() {
    let (schemas, index) = compiled("events-1.json");
    let line = |extra: Value| {
        let mut line = json!({"event": "stage", "job": 0, "stage": "decode", "run": 1, "t": 0.5, "time": "2026-01-02T03:04:05.000Z"});
        line.as_object_mut().expect("an object").extend(extra.as_object().expect("an object").clone());
        schemas.validate(&line, index).is_ok()
    };
    assert!(line(json!({})));
    assert!(!line(json!({"unknown": 1})) && !line(json!({"t": "0.5"})) && !line(json!({"time": "yesterday"})));
}
