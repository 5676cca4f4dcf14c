//! The order in which inputs start: the biggest first, if sizes are known, so that none of them is
//! left for the end. The output stays in input order.

use crate::run::lock::Lock;
use raudal_fetch::Client;
use raudal_source::Input;
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// Up to this many inputs are sorted even if few run at once.
const FEW: usize = 64;

/// Inputs in the order in which they start.
pub(crate) type InputIter = Box<dyn Iterator<Item = Input> + Send>;

/// Sorts inputs by size if they are few, but more than start `at_first`. Then the number of waiting
/// results is as limited as in a run in input order. Returns their sizes too, in the order in which
/// they start, if they are few and all sizes are known. May read files.
pub(crate) fn plan(
    mut inputs: InputIter,
    at_first: usize,
    client: &Client,
    lock: Option<&Lock>,
) -> (InputIter, Option<StartOrder>, Vec<u64>) {
    let most = at_first.saturating_mul(4).max(FEW);
    if inputs.size_hint().0 > most {
        return (inputs, None, Vec::new());
    }
    let first: Vec<Input> = inputs.by_ref().take(most + 1).collect();
    if first.len() > most {
        return (Box::new(first.into_iter().chain(inputs)), None, Vec::new());
    }
    let size = |input: &Input| {
        lock.and_then(|lock| lock.size(input)).or(input.size).or_else(|| client.known_size(&input.location))
    };
    let sizes: Vec<Option<u64>> = first.iter().map(size).collect();
    let known =
        |indices: &[usize]| indices.iter().map(|&index| sizes[index]).collect::<Option<_>>().unwrap_or_default();
    let mut indices: Vec<usize> = (0..first.len()).collect();
    if at_first < 2 || first.len() <= at_first {
        return (Box::new(first.into_iter()), None, known(&indices));
    }
    // An input of unknown size may be the biggest.
    indices.sort_by_key(|&index| Reverse(sizes[index].unwrap_or(u64::MAX)));
    let begun: Vec<Input> = indices.iter().map(|&index| first[index].clone()).collect();
    let known = known(&indices);
    (Box::new(begun.into_iter()), Some(StartOrder { inputs: first, indices }), known)
}

/// The order in which inputs start.
pub(crate) struct StartOrder {
    /// The inputs in input order.
    inputs: Vec<Input>,
    /// The index in `inputs` of each job.
    indices: Vec<usize>,
}

/// A reorder buffer: holds results back until their turn. Without a plan, returns them at once.
pub(crate) struct ReorderBuffer<T> {
    plan: Option<StartOrder>,
    next: usize,
    waiting: BTreeMap<usize, T>,
}

impl<T> ReorderBuffer<T> {
    pub(crate) fn new(plan: Option<StartOrder>) -> Self {
        Self { plan, next: 0, waiting: BTreeMap::new() }
    }

    /// Takes the result of a job. Returns the results whose turn has come.
    pub(crate) fn put(&mut self, job: u64, result: T) -> Vec<T> {
        let Some(plan) = &self.plan else { return vec![result] };
        let index = usize::try_from(job).ok().and_then(|job| plan.indices.get(job).copied());
        self.waiting.insert(index.unwrap_or(plan.indices.len()), result);
        let mut ready = Vec::new();
        while let Some(result) = self.waiting.remove(&self.next) {
            ready.push(result);
            self.next += 1;
        }
        ready
    }

    /// Returns, after the run, the waiting results and the inputs that never started, in input
    /// order.
    pub(crate) fn rest(mut self) -> Vec<Result<T, Box<Input>>> {
        let inputs = self.plan.take().map(|plan| plan.inputs).unwrap_or_default();
        let rest = inputs.into_iter().enumerate().skip(self.next);
        rest.map(|(index, input)| self.waiting.remove(&index).ok_or_else(|| Box::new(input))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use raudal_fetch::Options;
    use raudal_source::Location;

    fn inputs(sizes: &[Option<u64>]) -> Vec<Input> {
        let input = |at, size| {
            let mut input = Input::new(Location::parse(&format!("http://h/{at}.zip")).expect("a URL"));
            input.size = size;
            input
        };
        sizes.iter().enumerate().map(|(at, &size)| input(at, size)).collect()
    }

    fn planned(sizes: &[Option<u64>], jobs: usize) -> Option<Vec<usize>> {
        let client = Client::new(&Options::default()).expect("a client");
        let (begun, plan, _) = plan(Box::new(inputs(sizes).into_iter()), jobs, &client, None);
        assert_eq!(begun.count(), sizes.len(), "none is lost");
        plan.map(|plan| plan.indices)
    }

    #[test]
    fn the_biggest_are_begun_first_and_those_of_unknown_size_before_them() {
        let some = [Some(3), Some(9), None, Some(9), Some(1)];
        assert_eq!(planned(&some, 2), Some(vec![2, 1, 3, 0, 4]));
        assert_eq!(planned(&[None, None, None], 2), Some(vec![0, 1, 2]), "nothing is known, nothing changes");
    }

    #[test]
    fn sizes_are_told_in_the_order_of_the_jobs_if_all_are_known() {
        let client = Client::new(&Options::default()).expect("a client");
        let told = |sizes: &[Option<u64>], jobs| plan(Box::new(inputs(sizes).into_iter()), jobs, &client, None).2;
        let known = [Some(3), Some(9), Some(1)];
        assert_eq!(told(&known, 2), [9, 3, 1]);
        assert_eq!(told(&known, 1), [3, 9, 1]);
        assert_eq!(told(&known, 3), [3, 9, 1]);
        assert!(told(&[Some(3), None], 1).is_empty() && told(&[Some(1); 65], 2).is_empty());
    }

    #[test]
    fn one_after_the_other_all_at_once_and_very_many_are_begun_as_they_come() {
        let some = [Some(3), Some(9), None, Some(9), Some(1)];
        assert_eq!(planned(&some, 1), None);
        assert_eq!(planned(&some, 5), None);
        assert_eq!(planned(&vec![Some(1); 65], 2), None);
        assert!(planned(&vec![Some(1); 64], 2).is_some());
    }

    #[test]
    fn results_come_in_their_places_and_after_a_stop_so_does_what_was_never_begun() {
        let inputs = inputs(&[None; 6]);
        let plan = |indices: &[usize]| Some(StartOrder { inputs: inputs.clone(), indices: indices.to_vec() });
        let mut buffer = ReorderBuffer::new(plan(&[1, 0, 4, 3, 2, 5]));
        assert!(buffer.put(0, 'b').is_empty());
        assert_eq!(buffer.put(1, 'a'), ['a', 'b']);
        assert!(buffer.put(2, 'e').is_empty());
        let rest = buffer.rest();
        let never = |index: usize| Err(Box::new(inputs[index].clone()));
        assert_eq!(rest, [never(2), never(3), Ok('e'), never(5)]);
        assert_eq!(ReorderBuffer::new(None).put(7, 'x'), ['x'], "without a plan there is nothing to wait for");
    }
}
