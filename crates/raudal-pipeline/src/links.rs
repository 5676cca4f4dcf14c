//! Inputs that are the links on pages.

use crate::run::failure::failure;
use crate::run::options::RunOptions;
use crate::run::partials::Partials;
use crate::run::policies::{self, policies};
use crate::run::slowed::Slowed;
use raudal_common::{Error, Kind, Result, blocking};
use raudal_fetch::{Client, Expect};
use raudal_pool::{Context, NoObserver};
use raudal_source::{FoundLinks, Input, Links, Location};
use std::collections::HashSet;
use std::io::Read;
use std::sync::Arc;
use url::Url;

/// The longest page that is accepted, in bytes.
const LONGEST: u64 = 64 << 20;

/// The inputs that were found as links on pages.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Linked {
    /// The inputs, in the order of the pages and of the links on each page, without duplicates.
    pub inputs: Vec<Input>,
    /// Warnings about links that were left out.
    pub warnings: Vec<String>,
}

/// Fetches pages, and returns the matching links on them as inputs. The inputs themselves are not fetched.
///
/// Pages are fetched with the limits and the retries of the options, without their observer, lock and checksums.
///
/// # Errors
///
/// Fails with the error of the first page that cannot be fetched or has no link that matches, because the list of
/// inputs would be incomplete.
pub async fn linked(pages: Vec<Input>, client: &Client, options: &RunOptions, links: &Links) -> Result<Linked> {
    let mut options = options.clone();
    options.observer = Arc::new(NoObserver);
    let pool = policies::build(policies::pool(&options))?;
    let (client, of_page) = (client.clone(), Arc::new(links.clone()));
    let job = move |_: Context<Input>, page: Input| {
        let (client, links) = (client.clone(), Arc::clone(&of_page));
        async move { on_page(&client, &page.location, &links).await }
    };
    let (partials, slowed) = (Arc::new(Partials::default()), Arc::new(Slowed::default()));
    let mut run = policies(pool.run(pages, job), &options, partials, Arc::clone(&slowed)).ordered().start();
    let (mut linked, mut seen) = (Linked::default(), HashSet::new());
    while let Some(done) = run.next().await {
        let Some(page) = done.input else { continue };
        let source = page.location.to_string();
        let found = match done.result {
            Ok(found) if found.inputs.is_empty() => Err(found.none(links).input(&source)),
            Ok(found) => Ok(found),
            Err(error) => Err(failure(error, &page).unwrap_or_else(|| Error::new(Kind::Cancelled, "cancelled"))),
        };
        match found {
            Ok(found) => {
                linked.warnings.extend(found.warning().map(|warning| format!("{source}: {warning}")));
                linked.inputs.extend(found.inputs.into_iter().filter(|input| seen.insert(input.location.clone())));
            }
            Err(error) => {
                run.shutdown().await;
                return Err(error);
            }
        }
    }
    run.join().await;
    linked.warnings.extend(slowed.warnings());
    Ok(linked)
}

async fn on_page(client: &Client, location: &Location, links: &Links) -> Result<FoundLinks> {
    if let Location::Stdin = location {
        return Err(Error::usage("the links of a page on standard input have no base URL")
            .hint("give the URL of the page, or a file"));
    }
    let body = client.resume(location, Expect::Any, &(), &mut None).await?;
    if body.len() > LONGEST {
        return Err(Error::new(Kind::Bounds, format!("the page is longer than {} MiB", LONGEST >> 20))
            .input(location.to_string())
            .hint("if it is the data itself, leave out [`links`]"));
    }
    // Links are relative to the address of the page after redirects.
    let at = address(body.location())
        .ok_or_else(|| Error::new(Kind::Io, "the path of the page cannot be a URL").input(location.to_string()))?;
    let links = links.clone();
    let read = move || -> std::io::Result<FoundLinks> {
        let mut page = Vec::new();
        body.into_reader().read_to_end(&mut page)?;
        Ok(links.on(&page, &at))
    };
    blocking(read).await?.map_err(|error| Error::io("cannot read the page", error))
}

/// Returns the URL that the links on a page are relative to. Standard input has none.
pub(crate) fn address(page: &Location) -> Option<Url> {
    match page {
        Location::Url(url) => Some(url.clone()),
        Location::File(path) => std::path::absolute(path).ok().and_then(|path| Url::from_file_path(path).ok()),
        Location::Stdin => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use raudal_source::expand;

    async fn of(pages: &[(&str, &str)], glob: &str) -> Result<Linked> {
        let folder = tempfile::tempdir().expect("a folder");
        let mut inputs = Vec::new();
        for (name, page) in pages {
            let path = folder.path().join(name);
            std::fs::write(&path, page).expect("a page");
            inputs.extend(expand(path.to_str().expect("text"))?);
        }
        let client = Client::new(&raudal_fetch::Options::default())?;
        linked(inputs, &client, &RunOptions::default(), &Links::new(glob)?).await
    }

    #[tokio::test]
    async fn the_links_of_several_pages_are_one_list_without_repeats() {
        let pages = [
            ("a.html", "<a href=2.csv><a href=1.csv><a href=x.pdf><a href=https://h/3.csv>"),
            ("b.html", "<a href=1.csv><a href=0.csv>"),
        ];
        let linked = of(&pages, "*.csv").await.expect("links");
        let names: Vec<&str> = linked.inputs.iter().map(|input| input.name.as_str()).collect();
        assert_eq!(names, ["2.csv", "1.csv", "0.csv"]);
        assert!(linked.warnings[0].contains("a.html: 1 link that matches leads to other hosts (h)"));
    }

    #[tokio::test]
    async fn a_page_without_links_or_that_is_missing_is_an_error() {
        let error = of(&[("a.html", "<a href=x.pdf>")], "*.csv").await.expect_err("no links");
        assert!(error.to_string().contains("a.html: no link on the page matches: *.csv"), "{error}");
        assert_eq!(error.hint_text(), Some("its links are x.pdf"));
        let error = linked(
            vec![Input::new(Location::Stdin)],
            &Client::new(&raudal_fetch::Options::default()).expect("a client"),
            &RunOptions::default(),
            &Links::new("*").expect("a glob"),
        )
        .await
        .expect_err("no address");
        assert_eq!(error.kind(), Kind::Usage);
    }
}
