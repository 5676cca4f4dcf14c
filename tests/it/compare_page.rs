//! A real comparison of the main job on the embedded origin, in every output format.

use raudal::catalogue::iter_2020;
use raudal::compare::{self, Jobs, Plan, render_timeline, to_csv, to_html, to_json, to_trace};
use raudal::workload::{Archives, Iter, Mirror};
use raudal::{fetch, origin, pipeline};
use std::path::Path;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

#[tokio::test(flavor = "multi_thread")]
async fn a_real_comparison_is_shown_in_every_form() {
    let mut server = origin::Options::default();
    server.latency = Duration::from_millis(30);
    server.bandwidth_per_connection = Some(1 << 20);
    server.scale = 0.1;
    let entities = iter_2020::catalogue().select("01-12").unwrap();
    let archives = Archives::open(&Mirror::Embedded(server), &entities, iter_2020::MICRODATOS).await.unwrap();
    let workload = Iter::new(archives, fetch::Options::default(), pipeline::Options::default());
    let plan = Plan::new([Jobs::Most(1), Jobs::Most(2), Jobs::Most(6), Jobs::Auto]).unwrap().runs(2).unwrap();
    let comparison = compare::compare(&workload, &plan, &(), CancellationToken::new()).await.unwrap();
    workload.close().await;

    // The job reports come from the observer, because the workload itself keeps none.
    for level in &comparison.levels {
        assert!(level.runs.iter().all(|run| run.jobs.len() == 12), "{} jobs", level.jobs);
        assert_eq!(comparison.ideal(level).is_some_and(|ideal| ideal.longest.is_some()), level.jobs != Jobs::Auto);
        assert_eq!(level.highest_limit().is_some(), level.jobs == Jobs::Auto);
    }

    let timeline = render_timeline(&comparison, 100);
    assert_eq!(timeline.lines().filter(|line| line.starts_with("  in flight")).count(), 4, "{timeline}");
    assert!(["connect", "first byte", "transfer", "decode"].iter().all(|stage| timeline.contains(stage)), "{timeline}");
    assert_eq!(to_csv(&comparison).lines().count(), 1 + 8);

    let html = to_html(&comparison);
    // A digest or a long name does not make the page wider than a small screen.
    for element in ["h1 {", "p, ul {", "dd {", "footer {"] {
        let rule = html.lines().find(|line| line.starts_with(element)).expect(element);
        assert!(rule.contains("overflow-wrap: anywhere"), "{rule}");
    }
    assert_eq!(html.matches("<g class=\"job\">").count(), 4 * 12);
    let decided = comparison.level(Jobs::Auto).unwrap().median_run().unwrap().limits.len();
    assert_eq!(html.matches("<g class=\"limit\">").count(), decided);

    let trace: serde_json::Value = serde_json::from_str(&to_trace(&comparison).unwrap()).unwrap();
    let events = trace["traceEvents"].as_array().unwrap();
    assert_eq!(events.iter().filter(|event| event["cat"] == "job").count(), 4 * 12);
    assert_eq!(events.iter().filter(|event| event["cat"] == "limit").count(), decided);

    let json: serde_json::Value = serde_json::from_str(&to_json(&comparison).unwrap()).unwrap();
    assert!(json["levels"][2]["ideal_seconds"].as_f64().is_some_and(|seconds| seconds > 0.0));

    // The results are kept, so that people can look at them.
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    compare::export(&folder.join("compare.html"), &html).unwrap();
    compare::export(&folder.join("compare.trace.json"), &trace.to_string()).unwrap();
    compare::export(&folder.join("compare.txt"), &(compare::render_text(&comparison) + "\n" + &timeline)).unwrap();
}
