//! Tests the page with invented comparisons: its structure, its escaping, and that it loads
//! nothing.

use super::fixture::{comparison, even, level, limit, ms, run, staged};
use super::*;
use raudal_pool::StageSpan;
use scraper::{Html, Selector};

fn page() -> (Comparison, String) {
    let name = |mut level: Level| {
        for job in level.runs.iter_mut().flat_map(|run| &mut run.jobs) {
            job.label = format!("<script>alert({})</script> & \"{}\"\u{1b}[2J", job.job, job.job);
            job.bytes = 1_500_000;
        }
        level
    };
    let stages = |at: u64| [("fetch", at + 300), ("wait", at + 320), ("decode", at + 400)];
    let one = run(1, (0..4).map(|n| staged(n, n * 400, &stages(n * 400))).collect());
    let mut four = run(2, (0..4).map(|n| staged(n, 0, &stages(0))).collect());
    let last = &mut four.jobs[3];
    last.stages.push(StageSpan::new("fetch", 2, ms(500), ms(600)));
    (last.attempts, four.wall) = (2, ms(600));
    let mut comparison = comparison(vec![name(level(1, vec![one])), name(level(4, vec![four]))]);
    comparison.workload = "<b>bold</b>".to_owned();
    let html = to_html(&comparison);
    (comparison, html)
}

fn count(html: &str, selector: &str) -> usize {
    Html::parse_document(html).select(&Selector::parse(selector).unwrap()).count()
}

/// Returns the first tag that is not balanced, as an XML parser would find it.
fn unbalanced(html: &str) -> Option<String> {
    let mut open: Vec<&str> = Vec::new();
    let body = html.strip_prefix("<!DOCTYPE html>\n")?;
    // Style holds no tags, but may hold `>`.
    let (before, rest) = body.split_once("<style>")?;
    let text = format!("{before}{}", rest.split_once("</style>")?.1);
    let text: &'static str = text.leak();
    for tag in text.split('<').skip(1) {
        let Some((tag, _)) = tag.split_once('>') else { return Some(tag.to_owned()) };
        if let Some(name) = tag.strip_prefix('/') {
            if open.pop() != Some(name) {
                return Some(format!("/{name}"));
            }
        } else if !tag.ends_with('/') {
            open.push(tag.split_ascii_whitespace().next()?);
        }
    }
    open.pop().map(str::to_owned)
}

#[test]
fn the_page_is_well_formed_and_holds_every_job_of_every_level() {
    let (_, html) = page();
    assert_eq!(unbalanced(&html), None);
    assert_eq!(count(&html, "html[lang=en] > head > title"), 1);
    assert_eq!(count(&html, "section"), 2);
    assert_eq!(count(&html, ".chart[role=img][aria-label]"), 2);
    assert_eq!(count(&html, "g.job > title"), 8);
    assert_eq!(count(&html, "details tr"), 2 + 8);
    // Three stages for each job, and one more for one job, with the pause before it.
    assert_eq!(count(&html, "g.job > rect"), 8 * 3 + 2);
    assert_eq!(count(&html, "ul.legend > li"), 4);
    assert!(html.contains("in <code>fetch</code>"), "stages are told apart from words");
    assert_eq!(count(&html, "ul.warn > li"), 1, "each level was measured once");
}

#[test]
fn names_from_outside_are_escaped_and_nothing_is_loaded() {
    let (_, html) = page();
    assert_eq!(count(&html, "script, link, img, iframe, object, [src], [href], [onload]"), 0);
    assert!(!html.contains("<b>bold</b>") && html.contains("&lt;b&gt;bold&lt;/b&gt;"));
    assert!(html.contains("&lt;script&gt;alert(3)&lt;/script&gt; &amp; &quot;3&quot;"));
    assert!(!html.contains('\u{1b}'));
    for outside in ["http:", "https:", "//", "@import"] {
        assert!(!html.contains(outside), "{outside}");
    }
    assert_eq!(html.matches("url(").count(), html.matches("fill=\"url(#look").count(), "only looks of this page");
    assert!(html.contains("default-src 'none'"));
}

#[test]
fn a_bar_stands_where_its_times_are_on_the_axis_that_all_levels_share() {
    let (_, html) = page();
    let document = Html::parse_document(&html);
    let bars = Selector::parse("g.job").unwrap();
    let rects = Selector::parse("rect").unwrap();
    let place = |bar: usize, rect: usize| {
        let bar = document.select(&bars).nth(bar).unwrap();
        let rect = bar.select(&rects).nth(rect).unwrap().value();
        (rect.attr("x").unwrap().to_owned(), rect.attr("width").unwrap().to_owned())
    };
    // The axis is as long as the sequential run, 1.6 s.
    assert_eq!(place(1, 0), ("25.000%".to_owned(), "18.750%".to_owned()));
    assert_eq!(place(4, 0), ("0.000%".to_owned(), "18.750%".to_owned()));
    let title = document.select(&Selector::parse("g.job > title").unwrap()).nth(7).unwrap();
    let title: String = title.text().collect();
    assert!(title.ends_with("waiting for a retry: 100 ms\nfetch: 100 ms\nattempts: 2\n1.5 MB"), "{title}");
}

#[test]
fn each_change_of_a_limit_is_a_mark_with_its_reason_and_a_line_of_a_list() {
    let mut auto = run(2, (0..4).map(|n| staged(n, 0, &[("fetch", 400)])).collect());
    auto.limits = vec![limit(0, 4, "to begin with"), limit(100, 8, "<no> byte"), limit(104, 4, "more did not help")];
    let html = to_html(&comparison(vec![even(1, 4, &[100]), level(Jobs::Auto, vec![auto])]));
    assert_eq!(unbalanced(&html), None);
    let document = Html::parse_document(&html);
    let titles = Selector::parse("g.limit > title").unwrap();
    let titles: Vec<String> = document.select(&titles).map(|title| title.text().collect()).collect();
    assert_eq!(titles.len(), 3);
    assert_eq!(titles[1], "https://a.example:443: at most 8 at a time from 100 ms: <no> byte");
    assert_eq!(count(&html, "g.limit > line[x1=\"25.000%\"]"), 1);
    assert_eq!(count(&html, "g.limit > text"), 2, "numbers that would lie upon each other are left to the list");
    assert_eq!(count(&html, "details > ul > li"), 3);
}

#[test]
fn many_jobs_are_drawn_by_slot_and_too_many_are_counted() {
    let html = to_html(&comparison(vec![even(8, 400, &[10]), even(64, 4000, &[10])]));
    assert_eq!(unbalanced(&html), None);
    assert!(
        html.contains(">slot 8</text>")
            && html.contains("2000 jobs are shown, the longest included; 2000 more are not.")
    );
    assert_eq!(count(&html, "g.job"), 2400);
}

#[test]
fn without_job_reports_the_page_has_all_but_the_timeline() {
    let html = to_html(&comparison(vec![level(1, vec![run(1, Vec::new())])]));
    assert_eq!(unbalanced(&html), None);
    assert!(html.contains("no timeline: the workload records no job reports"));
    assert_eq!((count(&html, "table"), count(&html, "svg")), (1, 0));
}

/// A job that goes through this many stages.
fn many_stages(count: usize) -> Comparison {
    let names: Vec<&'static str> = (0..count).map(|n| &*format!("stage {n}").leak()).collect();
    let stages: Vec<(&'static str, u64)> = names.into_iter().zip(1..).map(|(name, n)| (name, n * 10)).collect();
    comparison(vec![level(1, vec![run(1, vec![staged(0, 0, &stages)])])])
}

#[test]
fn each_stage_has_one_look_which_the_legend_explains() {
    let html = to_html(&many_stages(30));
    let document = Html::parse_document(&html);
    let select = |selector: &str| Selector::parse(selector).unwrap();
    let fills = |selector: &str| -> Vec<String> {
        document.select(&select(selector)).filter_map(|rect| rect.attr("fill").map(str::to_owned)).collect()
    };
    let (bars, legend) = (fills("g.job > rect"), fills("ul.legend rect"));
    let distinct: std::collections::BTreeSet<&String> = legend.iter().collect();
    assert_eq!((bars.len(), &bars, distinct.len()), (30, &legend, 30));
    // A look is a colour and a texture: no two patterns are drawn alike.
    let drawn: std::collections::BTreeSet<String> =
        document.select(&select("pattern")).map(|pattern| pattern.inner_html()).collect();
    assert_eq!(drawn.len(), 30);
    for fill in &bars {
        let id = fill.strip_prefix("url(#").and_then(|id| id.strip_suffix(')')).unwrap();
        assert_eq!(count(&html, &format!("pattern#{id}")), 1);
    }
}

#[test]
fn stages_beyond_those_that_can_be_told_apart_are_named_together() {
    let html = to_html(&many_stages(40));
    assert_eq!(count(&html, "ul.legend > li"), 30);
    assert!(html.contains("</svg>other stages</li>") && !html.contains("</svg>stage 29</li>"));
    assert!(html.contains("stage 35: 10.0 ms"), "the tooltip names it");
}

#[test]
fn each_cell_of_a_table_that_folds_has_its_heading() {
    let (_, html) = page();
    let document = Html::parse_document(&html);
    for cell in document.select(&Selector::parse("table.fold td, table.fold th[scope=row]").unwrap()) {
        assert!(cell.attr("data-label").is_some_and(|label| !label.is_empty()), "{}", cell.html());
    }
    assert_eq!(count(&html, "table"), count(&html, "table.fold"));
}
