//! Checks all inputs of a run before fetching: which are repeated, and which have no valid name.

use super::reserved::{HINT, key};
use super::template::{Template, known};
use crate::run::name;
use raudal_common::error::printable;
use raudal_common::{Error, Result};
use raudal_source::Input;
use sha2::{Digest, Sha256};
use std::collections::{HashMap, HashSet};

/// Returns why an input is refused before it is fetched: it is a bad line of a list, or its name is
/// not one for a file.
pub(super) fn refusal(input: &Input) -> Option<Error> {
    if let Some(error) = input.refusal() {
        return Some(error);
    }
    let safe = name::safe(&input.name);
    if !input.is_named || safe.as_deref() == Some(input.name.as_str()) {
        return None;
    }
    let error = input.place(Error::usage(format!("not a valid file name: {}", printable(&input.name))));
    Some(match safe {
        Some(name) => error.hint(format!("a valid name would be: {name}")),
        None => error,
    })
}

/// The inputs that are the same as an earlier one. They are fetched once.
#[derive(Debug, Default)]
pub(super) struct Repeated {
    /// Their positions among all inputs, in order.
    at: Vec<u64>,
    first: Option<String>,
}

impl Repeated {
    pub(super) fn find(inputs: impl Iterator<Item = Input>) -> Self {
        let (mut seen, mut repeated) = (HashSet::new(), Self::default());
        for (at, input) in (0..).zip(inputs) {
            if refusal(&input).is_none() && !seen.insert(digest(&input)) {
                repeated.at.push(at);
                repeated.first.get_or_insert_with(|| input.location.to_string());
            }
        }
        repeated
    }

    pub(super) fn len(&self) -> u64 {
        self.at.len() as u64
    }

    /// Returns the position of a job's input among all inputs.
    pub(super) fn position(&self, job: u64) -> u64 {
        // The k-th repeated input has its position minus k others before it.
        let mut before = 0;
        let mut later = self.at.len();
        while before < later {
            let middle = before.midpoint(later);
            if self.at[middle] - middle as u64 <= job { before = middle + 1 } else { later = middle }
        }
        job + before as u64
    }

    /// Returns a warning, if there are any.
    pub(super) fn warning(&self) -> Option<String> {
        let first = printable(self.first.as_ref()?);
        Some(match self.at.len() {
            1 => format!("an input is given twice, and fetched once: {first}"),
            n => format!("{n} inputs repeat an earlier one, and are fetched once; the first is: {first}"),
        })
    }

    /// Returns the inputs without the repeated ones.
    pub(super) fn skip<I: Iterator<Item = Input>>(&self, inputs: I) -> WithoutRepeats<I> {
        WithoutRepeats { inputs, at: 0, skipped: self.at.clone(), next: 0 }
    }
}

/// Inputs without those that are repeated.
#[derive(Clone, Debug)]
pub(super) struct WithoutRepeats<I> {
    inputs: I,
    at: u64,
    skipped: Vec<u64>,
    next: usize,
}

impl<I: Iterator<Item = Input>> Iterator for WithoutRepeats<I> {
    type Item = Input;

    fn next(&mut self) -> Option<Input> {
        loop {
            let input = self.inputs.next()?;
            self.at += 1;
            if self.skipped.get(self.next).is_none_or(|skipped| *skipped + 1 != self.at) {
                return Some(input);
            }
            self.next += 1;
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let skipped = self.skipped.len() - self.next;
        let (least, most) = self.inputs.size_hint();
        (least.saturating_sub(skipped), most.map(|most| most.saturating_sub(skipped)))
    }
}

/// There may be millions of URLs. A digest of each is enough to find one again.
fn digest(input: &Input) -> [u8; 16] {
    let given = if input.is_named { input.name.as_str() } else { "" };
    let whole = Sha256::new().chain_update(input.location.to_string()).chain_update([0]).chain_update(given).finalize();
    let mut digest = [0; 16];
    digest.copy_from_slice(&whole[..16]);
    digest
}

/// Checks inputs for failures that are known before fetching: lines that are not inputs, names that are not valid for
/// a file, two inputs with one name, an input given twice. A run reports these as failures of single inputs. `name`
/// is the template of the run's [`Options`](super::Options).
///
/// # Errors
///
/// Fails with the kind [`Usage`](raudal_common::Kind::Usage), naming the inputs.
///
/// ```
/// use raudal_pipeline::files::check;
/// use raudal_source::{Input, Location};
///
/// let input = |url| Location::parse(url).map(|location| Input::new(location).named("data.zip"));
/// let inputs = [input("https://example.org/a.zip")?, input("https://example.org/b.zip")?];
/// assert!(check(inputs.into_iter(), None).unwrap_err().to_string().contains("data.zip"));
/// # Ok::<(), raudal_common::Error>(())
/// ```
pub fn check(inputs: impl Iterator<Item = Input>, name: Option<&Template>) -> Result<()> {
    let (mut seen, mut names) = (HashSet::new(), HashMap::new());
    for (at, input) in (1..).zip(inputs) {
        if let Some(error) = refusal(&input) {
            return Err(error);
        }
        let source = input.location.to_string();
        if !seen.insert(digest(&input)) {
            return Err(input.place(Error::usage(format!("the same input twice: {source}")).hint(HINT)));
        }
        if let Some(name) = known(name, &input, at)
            && let Some(other) = names.insert(key(&name), source.clone())
        {
            let name = printable(&name);
            let message = format!("two inputs would have the same file name, {name}: {source} and {other}");
            return Err(Error::usage(message).hint(HINT));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use raudal_source::read_list;

    #[test]
    fn what_is_repeated_is_left_out_and_the_rest_keeps_its_position() {
        let list = "a\nb\na\nftp://x\nftp://x\na\tname\nb\nc\n";
        let inputs = read_list(list.as_bytes(), "list").expect("a list");
        let repeated = Repeated::find(inputs.iter().cloned());
        let left = repeated.skip(inputs.into_iter());
        assert_eq!((repeated.len(), left.size_hint()), (2, (6, Some(6))));
        let left: Vec<String> = left.map(|input| input.to_line()).collect();
        // Each bad line is said, and a file of another name is another file.
        assert_eq!(left, ["a", "b", "ftp://x", "ftp://x", "a\tname", "c"]);
        assert_eq!([0, 1, 2, 3, 4, 5, 6].map(|job| repeated.position(job)), [0, 1, 3, 4, 5, 7, 8]);
        assert!(repeated.warning().is_some_and(|said| said.ends_with("the first is: a")));
    }
}
