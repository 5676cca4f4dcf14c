//! Tests what each export holds.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_level_without_a_complete_run_has_no_figures_in_any_export() {
    let comparison = cancelled_in(4).await;
    assert_eq!(comparison.levels[1].runs.len(), 0);
    assert!(render_text(&comparison).lines().any(|line| line.starts_with("    10 ") && line.contains('–')));
    let json: serde_json::Value = serde_json::from_str(&to_json(&comparison).unwrap()).unwrap();
    assert!(json["levels"][1]["mean_seconds"].is_null() && json["levels"][1]["speed_up"].is_null());
    assert_eq!(to_csv(&comparison).lines().count(), 1 + 1);
    assert!(to_markdown(&comparison).contains("| 10 | – | – | – |"), "{}", to_markdown(&comparison));
    assert!(to_html(&comparison).contains("stopped in run 4") && to_trace(&comparison).is_ok());
    assert!(render_timeline(&comparison, 80).contains("no timeline"));
}

#[tokio::test(start_paused = true)]
async fn every_export_and_the_page_name_the_conditions() {
    let mut comparison = measure(&Fake::new(), 1).await.unwrap();
    comparison.conditions = fixture::conditions();
    let json: serde_json::Value = serde_json::from_str(&to_json(&comparison).unwrap()).unwrap();
    let trace: serde_json::Value = serde_json::from_str(&to_trace(&comparison).unwrap()).unwrap();
    for conditions in [&json["conditions"], &trace["otherData"]["conditions"]] {
        assert_eq!(conditions["started"], "2026-01-02T03:04:05.000Z");
        assert_eq!(
            (&conditions["settings"]["latency"], &conditions["settings"]["seed"]),
            (&"80ms".into(), &"7".into())
        );
        assert_eq!(conditions["machine"]["memory_bytes"], 8_192_000_000_u64);
    }
    let run = &json["levels"][0]["runs"][0];
    let length = run["wall_seconds"].as_f64().unwrap();
    assert!(run["ended"].as_str() > run["started"].as_str() && length > 10.0, "{run}");
    for export in [to_csv(&comparison), to_markdown(&comparison), to_html(&comparison), render_text(&comparison)] {
        for part in ["raudal compare fake --seed=7", "latency 80ms", "seed 7", "1.2.3", "linux x86_64, Some CPU"] {
            assert!(export.contains(part), "{part}: {export}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn json_holds_every_run_and_null_for_what_is_undefined() {
    let mut fake = Fake::new();
    fake.result = |_, jobs| {
        let mut report = report(jobs);
        report.bytes = 0;
        Ok(WorkloadRun::new(report, "d1"))
    };
    let json = to_json(&measure(&fake, 1).await.unwrap()).unwrap();
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["schema"], "raudal.compare/1");
    let (one, ten) = (&json["levels"][0], &json["levels"][1]);
    for field in ["stddev_seconds", "speed_up", "speed_up_uncertainty", "bytes_per_second"] {
        assert!(one.as_object().unwrap().contains_key(field) && one[field].is_null(), "{field}");
    }
    assert!(ten["speed_up"].as_f64().unwrap() > 9.0);
    assert_eq!(ten["runs"].as_array().unwrap().len(), 1);
    assert_eq!(ten["runs"][0]["report"]["peak_in_flight"], 10);
    assert_eq!(json["warnings"][0]["warning"], "single-run");
}

#[tokio::test(start_paused = true)]
async fn markdown_is_a_table_with_its_warnings() {
    let markdown = to_markdown(&measure(&Fake::new(), 1).await.unwrap());
    let lines: Vec<&str> = markdown.lines().collect();
    assert_eq!(lines[2], "| jobs | mean ± σ | min … max | speed-up | efficiency | overlap | peak | throughput |");
    assert!(lines[4].starts_with("| 1 | "), "{markdown}");
    assert!(lines.iter().any(|line| line.starts_with("- warning: each level")), "{markdown}");
}

#[test]
fn an_export_replaces_a_file_as_a_whole_and_names_what_it_could_not_write() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.json");
    export(&path, "one").unwrap();
    export(&path, "two").unwrap();
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "two");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside it");

    for path in [folder.path().join("no/such/folder.json"), folder.path().to_owned()] {
        let error = export(&path, "three").unwrap_err();
        assert_eq!(error.kind(), Kind::Io);
        assert!(error.to_string().contains(&path.display().to_string()), "{error}");
    }
}
