//! Lesson 30: scraping: an index page lists team pages, and each holds a table. They are joined
//! into one, with a column TEAM.
//!
//! ```sh
//! cargo run --example scrape > players.csv
//! ```
//!
//! Look for: the same table one page after the other and 8 at once, with bars on a terminal, and
//! both times. The page of one team does not exist: it is reported on stderr, and the others are
//! kept.
//!
//! In Python: `requests` and `BeautifulSoup` (or `pandas.read_html`) in a loop, then in a
//! `ThreadPoolExecutor`. raudal's own origin serves the pages, with a latency; the teams are
//! invented.

mod pace;

use raudal::fetch::{Client, Expect};
use raudal::origin::{self, Origin};
use raudal::pool::Pool;
use raudal::progress::{Progress, Style, Verbosity};
use raudal::source::Location;
use scraper::{ElementRef, Html, Selector};
use std::io::Read;
use std::time::Instant;

type Result<T, E = Box<dyn std::error::Error + Send + Sync>> = std::result::Result<T, E>;
type Row = Vec<String>;

/// A team of the index: its name and the address of its page.
type Team = (String, Location);

fn selector(css: &str) -> Result<Selector> {
    Selector::parse(css).map_err(|error| format!("{css}: {error}").into())
}

/// Returns the visible text of an element, including the text of links, with single spaces.
fn text(element: ElementRef<'_>) -> String {
    element.text().collect::<String>().split_whitespace().collect::<Vec<_>>().join(" ")
}

async fn page(client: &Client, location: &Location) -> Result<String> {
    let body = client.fetch(location, Expect::Any, &()).await?;
    let mut html = String::new();
    body.into_reader().read_to_string(&mut html)?; // a page is small: it is in memory already
    Ok(html)
}

/// Returns the teams of the index. Its links are relative to its own address.
fn teams(html: &str, index: &str) -> Result<Vec<Team>> {
    let links = selector("ul.equipos a[href]")?;
    let html = Html::parse_document(html);
    html.select(&links)
        .map(|link| {
            let address = format!("{index}{}", link.attr("href").unwrap_or_default());
            Ok((text(link), Location::parse(&address)?))
        })
        .collect()
}

/// Returns the header and the rows of a team's table. Empty cells are kept, or the columns would
/// shift.
fn table(html: &str) -> Result<Vec<Row>> {
    let (rows, cells) = (selector("table.plantilla tr")?, selector("th, td")?);
    let html = Html::parse_document(html);
    let table: Vec<Row> = html.select(&rows).map(|row| row.select(&cells).map(text).collect()).collect();
    if table.len() < 2 { Err("the page has no table of players".into()) } else { Ok(table) }
}

/// Fetches all pages, at most `jobs` at once, and joins them into one table. A page that fails is
/// reported.
async fn scrape(client: &Client, teams: &[Team], jobs: usize) -> Result<Vec<Row>> {
    let progress = Progress::new(Style::Auto, Verbosity::Normal);
    let pool = Pool::new(jobs);
    let client = client.clone();
    let mut run = pool
        .run(teams.to_vec(), move |_context, (_, location)| {
            let client = client.clone();
            async move {
                let html = page(&client, &location).await?;
                table(&html)
            }
        })
        .label(|team| team.0.clone())
        .observer(progress.observer())
        .ordered()
        .start();
    let mut all: Vec<Row> = Vec::new();
    while let Some(done) = run.next().await {
        match done.result {
            Ok(table) => {
                let mut rows = table.into_iter();
                let header = rows.next().unwrap_or_default();
                if all.is_empty() {
                    all.push(["TEAM".to_owned()].into_iter().chain(header).collect());
                }
                all.extend(rows.map(|row| [done.report.label.clone()].into_iter().chain(row).collect()));
            }
            Err(error) => progress.error(&format!("{}: {error}", done.report.label)),
        }
    }
    progress.finish();
    Ok(all)
}

#[tokio::main]
async fn main() -> Result<()> {
    let mut link = origin::Options::default();
    link.latency = pace::seconds(3.0);
    let origin = Origin::start(link).await?;
    let index = format!("{}teams/", origin.url());
    let client = Client::new(&raudal::fetch::Options::default())?;
    let teams = teams(&page(&client, &Location::parse(&index)?).await?, &index)?;
    eprintln!("{} teams are listed", teams.len());

    let mut tables = Vec::new();
    for jobs in [1, 8] {
        let start = Instant::now();
        let table = scrape(&client, &teams, jobs).await?;
        let (players, wall) = (table.len() - 1, start.elapsed().as_secs_f64());
        eprintln!("{jobs} at once: {players} players in {wall:.3} s");
        tables.push(table);
    }
    eprintln!("the tables are {}", if tables[0] == tables[1] { "equal" } else { "DIFFERENT" });
    let mut out = csv::Writer::from_writer(std::io::stdout());
    for row in &tables[0] {
        out.write_record(row)?;
    }
    out.flush()?;
    origin.shutdown().await;
    Ok(())
}
