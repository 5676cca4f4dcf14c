//! Expands a source of the command line into inputs: the cross product of its pattern's parts,
//! created on demand.

use std::path::Path;
use std::sync::Arc;

use super::files;
use super::location::check_text;
use super::pattern::{PatternPart, parse, wrong};
use super::{Input, Location, glob, object};
use raudal_common::{Error, Result};

/// The maximum number of inputs for a pattern. A larger number is more likely a typo.
pub const MAX_INPUTS: u64 = 10_000_000;

/// The maximum number of globs that a pattern for local files stands for: each reads folders.
const MAX_GLOBS: u64 = 10_000;

/// Expands a URL, a URL pattern, a local path or a glob for local files. `-` is standard input.
///
/// The patterns are curl's: `[01-32]` (padded with zeros as written), `[0-100:10]`, `[a-z]` and
/// `{one,two}`. Write a backslash before a literal bracket. The last set varies fastest. A literal
/// IPv6 host, as in `http://[::1]:8000/`, needs no backslash. A text without `scheme://` is a local
/// path. If a file with exactly that name exists, its brackets are part of the name.
///
/// In a local path, `*` and `?` stand for letters of names, and `**` for any folders. The files that
/// match come in the order of their names. Names that begin with a dot need a dot in the pattern.
/// In the URL of a cloud store they make a [glob](Input::glob), which is not listed here.
///
/// ```
/// use raudal_source::expand;
///
/// let archives = expand("https://example.org/{a,b}/ITER_[01-32]_2020_csv.zip")?;
/// assert_eq!(archives.len(), 64);
/// assert_eq!(archives.last().map(|input| input.name), Some("ITER_32_2020_csv.zip".into()));
///
/// let error = expand("https://example.org/[01-").unwrap_err();
/// assert_eq!(error.to_string(), "https://example.org/[01-: a set that is not closed: [");
/// # Ok::<(), raudal_common::Error>(())
/// ```
///
/// # Errors
///
/// Fails with a usage error for a pattern that is malformed, stands for more than [`MAX_INPUTS`], or gives something
/// that is not a URL. Fails with [`Kind::Io`](raudal_common::Kind::Io) if no file matches a glob. All errors are
/// reported here, before the first input is taken.
pub fn expand(pattern: &str) -> Result<Expansion> {
    check_text(pattern)?;
    if pattern == "-" {
        return Ok(Expansion::of(vec![Input::new(Location::Stdin)]));
    }
    let is_url = pattern.contains("://");
    let is_literal = !is_url && Path::new(pattern).exists();
    let parts = if is_literal { vec![PatternPart::Text(pattern.to_owned())] } else { parse(pattern)? };
    let total = parts
        .iter()
        .try_fold(1_u64, |total, part| total.checked_mul(part.count()))
        .filter(|&total| total <= MAX_INPUTS)
        .ok_or_else(|| {
            let at = pattern.find(['[', '{']).unwrap_or_default();
            wrong(pattern, at, format!("the pattern expands to too many inputs: more than {MAX_INPUTS}"))
        })?;
    let mut expansion = Expansion { parts, listed: None, has_globs: false, next: 0, total };
    if !is_url && !is_literal && glob::is_glob(pattern) {
        if total > MAX_GLOBS {
            return Err(wrong(pattern, 0, format!("the pattern expands to too many globs: more than {MAX_GLOBS}")));
        }
        let all = (0..total).try_fold(Vec::new(), |all, at| files::add(all, &expansion.text(at), MAX_INPUTS))?;
        return Ok(Expansion::of(all));
    }

    // Once scheme and host are fixed, no path or query can make a URL bad, so one result is tested
    // for each beginning.
    let beginnings = expansion.beginnings();
    let mut same = total / beginnings;
    if expansion.may_be_no_key() && (0..total).step_by(same as usize).any(|at| object::is_object(&expansion.text(at))) {
        same = 1;
    }
    for index in (0..total).step_by(same as usize) {
        let text = expansion.text(index);
        if object::is_glob(&text) {
            Input::of_glob(&text)?;
            expansion.has_globs = true;
            continue;
        }
        if let Location::Stdin = Location::parse(&text)? {
            return Err(Error::usage("standard input cannot be part of a pattern: -").input(pattern));
        }
    }
    Ok(expansion)
}

/// The inputs of a source, created one by one on demand. It knows how many are left.
#[derive(Clone, Debug)]
#[must_use = "an expansion is lazy: it makes inputs as it is iterated over"]
pub struct Expansion {
    parts: Vec<PatternPart>,
    /// The inputs themselves, where they are not made of parts.
    listed: Option<Arc<[Input]>>,
    has_globs: bool,
    next: u64,
    total: u64,
}

impl Expansion {
    fn of(inputs: Vec<Input>) -> Self {
        Self { parts: Vec::new(), next: 0, total: inputs.len() as u64, listed: Some(inputs.into()), has_globs: false }
    }

    /// Returns how many inputs are left.
    pub fn len(&self) -> u64 {
        self.total - self.next
    }

    /// Returns whether there are [globs](Input::glob) among them.
    pub fn has_globs(&self) -> bool {
        self.has_globs
    }

    /// Returns whether none is left.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the number of different beginnings of its results, up to the end of the host.
    /// Returns 1 if no result can be a URL or empty.
    fn beginnings(&self) -> u64 {
        if !self.may_be_url() && self.is_never_empty() {
            return 1;
        }
        let mut after_scheme = false;
        let is_end_of_host = |part: &PatternPart| {
            let PatternPart::Text(text) = part else { return false };
            let rest = if after_scheme { text } else { text.split_once("://").map_or("", |(_, rest)| rest) };
            after_scheme |= text.contains("://");
            // In a file URL the third slash already ends the (empty) host.
            rest.contains(['/', '?', '#'])
        };
        let end = self.parts.iter().position(is_end_of_host).unwrap_or(self.parts.len());
        self.parts.iter().take(end).map(PatternPart::count).product()
    }

    /// Returns whether only some results may be valid keys of objects, because of a part `..`, a number sign or a
    /// percent sign.
    fn may_be_no_key(&self) -> bool {
        let is_text = |part: &PatternPart| matches!(part, PatternPart::Text(_));
        let has_percent = |part: &PatternPart| matches!(part, PatternPart::Text(text) if text.contains('%'));
        self.parts.iter().any(|part| matches!(part, PatternPart::Choice(_)))
            || (self.parts.iter().any(has_percent) && !self.parts.iter().all(is_text))
    }

    /// Returns whether no result can be empty or a lone hyphen, which names no file.
    fn is_never_empty(&self) -> bool {
        let is_something = |text: &String| !matches!(text.as_str(), "" | "-");
        self.parts.iter().any(|part| match part {
            PatternPart::Text(text) => is_something(text),
            PatternPart::Choice(words) => words.iter().all(is_something),
            _ => true,
        })
    }

    /// Returns whether a result may contain `://`, even if several parts form it.
    fn may_be_url(&self) -> bool {
        let begins = |text: &String| text.contains("://") || text.ends_with(':') || text.ends_with(":/");
        self.parts.iter().any(|part| match part {
            PatternPart::Text(text) => begins(text),
            PatternPart::Choice(words) => words.iter().any(begins),
            _ => false,
        })
    }

    /// Returns result number `index`: its digits in the mixed base of the parts. The last part
    /// varies fastest.
    fn text(&self, index: u64) -> String {
        let mut rest = index;
        let mut digits: Vec<u64> = self
            .parts
            .iter()
            .rev()
            .map(|part| {
                let digit = rest % part.count();
                rest /= part.count();
                digit
            })
            .collect();
        digits.reverse();
        self.parts.iter().zip(digits).map(|(part, digit)| part.value(digit)).collect()
    }
}

impl Iterator for Expansion {
    type Item = Input;

    fn next(&mut self) -> Option<Input> {
        if self.is_empty() {
            return None;
        }
        if let Some(listed) = &self.listed {
            let input = listed.get(self.next as usize).cloned();
            self.next += 1;
            return input;
        }
        let text = self.text(self.next);
        self.next += 1;
        let input = if object::is_glob(&text) { Input::of_glob(&text) } else { Location::parse(&text).map(Input::new) };
        Some(input.expect("`expand` tried whatever could fail"))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.len() as usize, usize::try_from(self.len()).ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use raudal_common::Kind;

    fn all(pattern: &str) -> Vec<String> {
        expand(pattern).expect(pattern).map(|input| input.location.to_string()).collect()
    }

    #[test]
    fn the_last_set_turns_fastest() {
        assert_eq!(
            all("http://h/{b,a}[08-10]"),
            ["08", "09", "10"]
                .map(|n| format!("http://h/b{n}"))
                .into_iter()
                .chain(["08", "09", "10"].map(|n| format!("http://h/a{n}")))
                .collect::<Vec<_>>()
        );
        assert_eq!(all("http://h/[8-10]"), ["http://h/8", "http://h/9", "http://h/10"]);
        assert_eq!(all("http://h/[C-A]".replace("C-A", "A-C").as_str()), ["http://h/A", "http://h/B", "http://h/C"]);
        assert_eq!(all("{http,https}://h/x"), ["http://h/x", "https://h/x"]);
    }

    #[test]
    fn a_huge_pattern_is_lazy_and_bounded() {
        let mut inputs = expand("http://h/[1-10000000]").expect("ten million");
        assert_eq!((inputs.len(), inputs.next().map(|i| i.name)), (10_000_000, Some("1".into())));
        assert_eq!(inputs.len(), 9_999_999);
        for pattern in ["http://h/[1-10000001]", "http://h/[0-99999999999][0-99999999999]", "[1-4000][1-4000]"] {
            let error = expand(pattern).expect_err(pattern);
            assert_eq!(error.kind(), Kind::Usage);
            assert_eq!(error.message(), "the pattern expands to too many inputs: more than 10000000");
        }
    }

    #[test]
    fn whatever_becomes_no_url_is_said_at_once() {
        let error = expand("http://h{,:x}/").expect_err("a bad port");
        assert_eq!(error.report(), "http://h:x/: not a URL: invalid port number");
        let error = expand("https:////h.o{r,%ba/}/[1-3]").expect_err("the host comes after the slashes");
        assert_eq!(error.report(), "https:////h.or/1: not a URL: empty host");
        let error = expand("{http,gopher}://h/[1-3]").expect_err("gopher");
        assert_eq!(error.message(), "unsupported scheme: gopher");
        assert!(expand("http://h/a http://h/b").is_err());
        for pattern in ["{a,}", "{a,-}", "{,a}{-,b}"] {
            assert_eq!(expand(pattern).expect_err(pattern).kind(), Kind::Usage, "{pattern}");
        }
        // A URL that only appears when the parts are joined.
        for pattern in ["x/{a,b:}//c", "{a,:}//c", "x:{a,/}{b,/}c", "x{a,:/}/[1-2]"] {
            assert_eq!(expand(pattern).expect_err(pattern).kind(), Kind::Usage, "{pattern}");
        }
        assert_eq!(all("-"), ["standard input"]);
    }

    #[test]
    fn only_what_may_differ_is_tried() {
        for (pattern, beginnings) in [
            ("http://h/[1-9]", 1),
            ("http://h{,:80}/[1-9]", 2),
            ("{http,https}://h[1-3]?[1-9]{:,/}", 6),
            ("http://h[1-3]{/,#}x[1-9]", 54),
            ("a[1-9]/b", 1),
            ("c:\\\\a[1-9]/b", 1),
            ("a[1-9]{/,:}b", 18),
            ("file://{,localhost}/[1-9]", 2),
        ] {
            assert_eq!(expand(pattern).map_or_else(|_| 0, |all| all.beginnings()), beginnings, "{pattern}");
        }
        assert_eq!(expand("http://h[1-2]/[1-5000000]").map(|all| all.len()).ok(), Some(10_000_000));
    }

    #[test]
    fn patterns_and_globs_for_objects_are_tried_before_the_first_input() {
        assert_eq!(all("{s3,gs}://b/[1-2].csv").len(), 4);
        assert_eq!(all("s3://b/%2[0-1]x"), ["s3://b/%20x", "s3://b/!x"]);
        for pattern in
            ["s3://b/{a,..}/c", "s3://b/.{a,}/c", "s3://b/%0[0-9]", "s3://b/{a,#}", "s3://b/{*,..}/*", "{s3,x}://b/*"]
        {
            assert_eq!(expand(pattern).expect_err(pattern).kind(), Kind::Usage, "{pattern}");
        }
        let globs: Vec<_> = expand("s3://b/[1-2]/*.c?v").expect("globs").collect();
        let seen: Vec<_> = globs.iter().map(|input| (input.location.to_string(), input.glob.as_deref())).collect();
        assert_eq!(seen, [("s3://b/1/".into(), Some("s3://b/1/*.c?v")), ("s3://b/2/".into(), Some("s3://b/2/*.c?v"))]);
        assert_eq!(globs[0].name, "s3://b/1/*.c?v");
    }

    #[test]
    fn a_local_path_may_hold_brackets() {
        let folder = tempfile::tempdir().expect("a folder");
        let literal = folder.path().join("a[1-2].csv");
        let path = literal.to_str().expect("text");
        assert_eq!(expand(path).expect("a pattern").len(), 2);
        std::fs::write(&literal, "x").expect("a file");
        assert_eq!(all(path), [path]);
        assert_eq!(all("folder with spaces/a.csv"), ["folder with spaces/a.csv"]);
        assert_eq!(
            expand("file:///tmp/a[1-3].csv").expect("files").next().map(|i| i.location.is_remote()),
            Some(false)
        );
    }

    #[test]
    fn any_pattern_at_all_ends_in_inputs_or_in_an_error() {
        proptest::proptest!(|(pattern in r"(http://h/|x/)?[\[\]{}\\,:/0-3a-c-]{0,12}")| {
            if let Ok(inputs) = expand(&pattern) {
                let announced = inputs.len();
                assert_eq!(inputs.take(1000).count() as u64, announced.min(1000));
            }
        });
    }
}
