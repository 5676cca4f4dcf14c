//! Templates for the names of files. Pure: an input in, a path inside one folder out.

use crate::run::name;
use raudal_common::error::printable;
use raudal_common::{Error, Result};
use raudal_source::{Input, Location};
use std::str::FromStr;

const HINT: &str = "a template may have {host}, {path}, {name}, {n} and, padded with zeros, {n:04}";

/// A template for the names of files: `{host}/{path}`, `{n:04}_{name}`.
///
/// | part | stands for |
/// |---|---|
/// | `{host}` | the host of the URL, and its port if the URL has one; nothing for a local file |
/// | `{path}` | the folders and the file of the URL, with its query, as `wget -x` has them |
/// | `{name}` | the name that the file has without a template |
/// | `{n}`, `{n:04}` | the position of the input, from 1; padded with zeros to that many digits |
///
/// If a list names an input, `{path}` ends with that name. Slashes make folders. Every folder and
/// file gets a name that is valid on all systems, so no file leaves the folder of the run.
///
/// ```
/// use raudal_pipeline::files::Template;
///
/// let template: Template = "{host}/{path}".parse()?;
/// assert!("{hots}/{path}".parse::<Template>().is_err());
/// # Ok::<(), raudal_common::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template(Vec<TemplatePart>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum TemplatePart {
    Text(String),
    Host,
    Path,
    Name,
    Number(usize),
}

impl FromStr for Template {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let refused = |message: String| Error::usage(message).hint(HINT);
        let (mut parts, mut rest) = (Vec::new(), text);
        while let Some((before, after)) = rest.split_once('{') {
            let (inside, after) =
                after.split_once('}').ok_or_else(|| refused(format!("a brace that is not closed: {text}")))?;
            parts.push(TemplatePart::Text(before.to_owned()));
            parts.push(match inside {
                "host" => TemplatePart::Host,
                "path" => TemplatePart::Path,
                "name" => TemplatePart::Name,
                "n" => TemplatePart::Number(0),
                other => {
                    let width = other.strip_prefix("n:").and_then(|width| width.parse().ok());
                    let width = width.filter(|width| (1..=20).contains(width));
                    TemplatePart::Number(width.ok_or_else(|| refused(format!("no such part of a name: {{{other}}}")))?)
                }
            });
            rest = after;
        }
        parts.push(TemplatePart::Text(rest.to_owned()));
        let template = Self(parts);
        // The text between the parts must stay as it is.
        let (literal, safe) = (template.fill("h", "p", "n", 1), template.filled("h", "p", "n", 1));
        if literal != safe {
            return Err(refused(format!("not a valid template for names: {}", printable(text))));
        }
        Ok(template)
    }
}

impl Template {
    fn has_name(&self) -> bool {
        self.0.contains(&TemplatePart::Name)
    }

    /// Returns the path of a file, with `name` as the name that it has without a template.
    fn path(&self, input: &Input, number: u64, name: &str) -> String {
        let host = match &input.location {
            Location::Url(url) => {
                let host = url.host_str().unwrap_or_default();
                url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
            }
            Location::File(_) | Location::Stdin => String::new(),
        };
        let mut path = input.location.path();
        if input.is_named {
            path.pop();
            path.push(input.name.clone());
        }
        // A query may have slashes.
        let path = path.iter().filter_map(|part| name::safe(&part.replace(['/', '\\'], "_")));
        let path: Vec<String> = path.collect();
        self.filled(&name::safe(&host).unwrap_or_default(), &path.join("/"), name, number)
    }

    /// Fills in the parts, and makes each folder and file of the result safe.
    fn filled(&self, host: &str, path: &str, name: &str, number: u64) -> String {
        let filled = self.fill(host, path, name, number);
        let parts: Vec<String> = filled.split('/').filter_map(name::safe).collect();
        if parts.is_empty() { name::NAMELESS.to_owned() } else { parts.join("/") }
    }

    fn fill(&self, host: &str, path: &str, name: &str, number: u64) -> String {
        let part = |part: &TemplatePart| match part {
            TemplatePart::Text(text) => text.clone(),
            TemplatePart::Host => host.to_owned(),
            TemplatePart::Path => path.to_owned(),
            TemplatePart::Name => name.to_owned(),
            TemplatePart::Number(width) => format!("{number:0width$}"),
        };
        self.0.iter().map(part).collect()
    }
}

/// Returns the name of an input if it is known before fetching: from a list, from a path, or from a
/// template that needs no response.
pub(super) fn known(template: Option<&Template>, input: &Input, number: u64) -> Option<String> {
    let given = if input.is_named || !input.location.is_remote() { name::safe(&input.name) } else { None };
    match template {
        Some(template) if given.is_some() || !template.has_name() => {
            Some(template.path(input, number, given.as_deref().unwrap_or_default()))
        }
        Some(_) => None,
        None => given,
    }
}

/// Returns the name of an input whose file is called `name` by the server or the URL.
pub(super) fn named(template: Option<&Template>, input: &Input, number: u64, name: &str) -> String {
    template.map_or_else(|| name.to_owned(), |template| template.path(input, number, name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(template: &str, input: &Input) -> String {
        let template: Template = template.parse().expect(template);
        template.path(input, 7, "theirs.csv")
    }

    fn input(url: &str) -> Input {
        Input::new(Location::parse(url).expect(url))
    }

    #[test]
    fn a_template_names_files_by_host_path_name_and_number() {
        for (template, url, name) in [
            ("{host}/{path}", "https://example.org/2023/data.csv", "example.org/2023/data.csv"),
            ("{host}/{path}", "http://127.0.0.1:8000/a%20b/", "127.0.0.1_8000/a b/index.html"),
            ("{host}/{path}", "http://[::1]/x?a=1/../2", "[__1]/x_a=1_.._2"),
            ("{host}/{path}", "http://h/%2e%2e/..%2F..%2Fetc/passwd", "h/%2F..%2Fetc/passwd"),
            ("{host}/{path}", "http://h/CON/.hidden/a:b", "h/_CON/hidden/a_b"),
            ("{host}/{path}", "http://h", "h/index.html"),
            ("{n}", "http://h/x", "7"),
            ("all/{n:04}_{name}", "http://h/x", "all/0007_theirs.csv"),
            ("{host}/{path}", "folder/../sub/a.csv", "folder/sub/a.csv"),
        ] {
            assert_eq!(path(template, &input(url)), name, "{template} {url}");
        }
        assert_eq!(path("{host}/{path}", &input("http://h/a/get?id=1").named("b.csv")), "h/a/b.csv");
    }

    #[test]
    fn a_template_that_is_none_is_refused() {
        for text in
            ["", "/{n}", "{n}/", "../{n}", "a//{n}", "{n", "{x}", "{n:}", "{n:99}", "{n:x}", "C:\\{n}", ".{n}", "{n}?"]
        {
            let error = text.parse::<Template>().expect_err(text);
            assert_eq!(error.kind(), raudal_common::Kind::Usage, "{text}");
        }
    }

    #[test]
    fn a_name_is_known_before_the_response_unless_the_template_has_theirs() {
        let url = input("http://h/a/b.csv");
        let known =
            |template: &str, input: &Input| super::known(Some(&template.parse().expect("a template")), input, 1);
        assert_eq!(known("{path}", &url).as_deref(), Some("a/b.csv"));
        assert_eq!(known("{n}_{name}", &url), None);
        assert_eq!(known("{n}_{name}", &url.named("c.csv")).as_deref(), Some("1_c.csv"));
        assert_eq!(super::known(None, &input("x/d.csv"), 1).as_deref(), Some("d.csv"));
    }
}
