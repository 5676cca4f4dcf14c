//! The inputs that the arguments name, in order. Cloning the iterator starts a second pass.

use super::args::SourceArgs;
use raudal::source::{Expansion, Input, List, ListInputs, Location, expand};
use raudal::{Error, Result};
use std::fs::File;
use std::io::BufReader;
use std::path::Path;
use std::sync::Arc;

/// All inputs of a run. It is lazy, because a pattern or a list may have millions, but its length
/// is known.
#[derive(Clone)]
pub(crate) struct Inputs {
    patterns: Vec<Expansion>,
    pattern: usize,
    list: Option<ListInputs>,
    /// Inputs that a program gives.
    given: Arc<[Input]>,
    taken: usize,
}

impl Inputs {
    /// Parses the sources and the list. Their inputs come in this order.
    pub(crate) fn parse(args: &SourceArgs) -> Result<Self> {
        let inputs = Self::of(&args.sources, args.input.as_deref())?;
        let bad = inputs.bad_lines().next().filter(|_| args.strict_list);
        bad.map_or(Ok(inputs), Err)
    }

    fn of(sources: &[String], list: Option<&Path>) -> Result<Self> {
        let patterns = sources.iter().map(|source| expand(source)).collect::<Result<Vec<_>>>()?;
        let listed = list.map(self::list).transpose()?;
        let times = sources.iter().filter(|source| *source == "-").count()
            + listed.as_ref().map_or(0, List::from_stdin)
            + usize::from(list.is_some_and(|path| path.as_os_str() == "-"));
        let list = listed.map(|list| list.inputs());
        let inputs = Self { patterns, pattern: 0, list, given: Arc::default(), taken: 0 };
        if times > 1 {
            return Err(Error::usage("standard input is read once, and `-` is given more often").hint("give it once"));
        }
        if inputs.len() == 0 {
            return Err(Error::usage("nothing to do: no inputs").hint("give a URL or a file"));
        }
        Ok(inputs)
    }

    /// Returns the errors of the lines of the list that are not inputs.
    pub(crate) fn bad_lines(&self) -> impl Iterator<Item = Error> {
        self.list.clone().into_iter().flatten().filter_map(|input| input.refusal())
    }

    /// Whether there are globs for objects among them, which must be listed first.
    pub(crate) fn has_globs(&self) -> bool {
        self.patterns.iter().any(Expansion::has_globs)
    }

    /// Returns the name of the one of several inputs that is this file, if it is there.
    pub(crate) fn name_of(&self, path: &Path) -> Option<String> {
        let real = path.canonicalize().ok().filter(|_| self.len() > 1)?;
        let is_it = |input: &Input| match &input.location {
            // A look at the disk for each input would take long.
            Location::File(other) => {
                other.file_name() == path.file_name() && other.canonicalize().is_ok_and(|it| it == real)
            }
            _ => false,
        };
        self.clone().find(is_it).map(|_| path.display().to_string())
    }

    /// How many inputs are left.
    pub(crate) fn len(&self) -> u64 {
        let patterns: u64 = self.patterns[self.pattern..].iter().map(Expansion::len).sum();
        patterns
            + self.list.as_ref().map_or(0, |list| list.size_hint().0 as u64)
            + (self.given.len() - self.taken) as u64
    }
}

impl From<Vec<Input>> for Inputs {
    fn from(list: Vec<Input>) -> Self {
        Self { patterns: Vec::new(), pattern: 0, list: None, given: list.into(), taken: 0 }
    }
}

impl Iterator for Inputs {
    type Item = Input;

    fn next(&mut self) -> Option<Input> {
        while let Some(pattern) = self.patterns.get_mut(self.pattern) {
            if let Some(input) = pattern.next() {
                return Some(input);
            }
            self.pattern += 1;
        }
        if let Some(input) = self.list.as_mut().and_then(ListInputs::next) {
            return Some(input);
        }
        let input = self.given.get(self.taken)?.clone();
        self.taken += 1;
        Some(input)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let len = usize::try_from(self.len()).unwrap_or(usize::MAX);
        (len, Some(len))
    }
}

fn list(path: &Path) -> Result<List> {
    if path.as_os_str() == "-" {
        return List::read(std::io::stdin().lock(), "standard input");
    }
    let name = path.display().to_string();
    let file = File::open(path).map_err(|error| Error::io("cannot read the list of inputs", error).input(&name))?;
    List::read(BufReader::new(file), &name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_inputs_come_in_the_order_of_the_arguments_and_are_counted_before() {
        let sources = ["http://a.example/[1-2].csv", "http://b.example/x.csv"].map(str::to_owned);
        let inputs = Inputs::of(&sources, None).expect("good sources");
        assert_eq!(inputs.size_hint(), (3, Some(3)));
        let names: Vec<String> = inputs.clone().map(|input| input.name).collect();
        assert_eq!(names, ["1.csv", "2.csv", "x.csv"]);
        assert_eq!(inputs.skip(2).map(|input| input.name).collect::<Vec<_>>(), ["x.csv"]);
    }
}
