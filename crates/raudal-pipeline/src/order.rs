//! The order in which inputs are begun: the biggest first, where that is known, so that none of them is left for the end.
//! What comes out is in the order of the input all the same.

use super::lock::Lock;
use raudal_fetch::Client;
use raudal_source::Input;
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// So many inputs are put in order even where few run at once.
const FEW: usize = 64;

/// Inputs as they are begun.
pub(super) type Begun = Box<dyn Iterator<Item = Input> + Send>;

/// Puts inputs in order if all of them together are few, and more than are begun `at_first`. The results that wait for
/// their turn are then bounded as they are in a run that begins with the first. It may read files.
pub(super) fn plan(mut inputs: Begun, at_first: usize, client: &Client, lock: Option<&Lock>) -> (Begun, Option<Plan>) {
    let most = at_first.saturating_mul(4).max(FEW);
    if at_first < 2 || inputs.size_hint().0 > most {
        return (inputs, None);
    }
    let first: Vec<Input> = inputs.by_ref().take(most + 1).collect();
    if first.len() > most || first.len() <= at_first {
        return (Box::new(first.into_iter().chain(inputs)), None);
    }
    let size = |input: &Input| {
        lock.and_then(|lock| lock.size(input)).or(input.size).or_else(|| client.known_size(&input.location))
    };
    // One of which nothing is known may be the biggest of all.
    let sizes: Vec<u64> = first.iter().map(|input| size(input).unwrap_or(u64::MAX)).collect();
    let mut places: Vec<usize> = (0..first.len()).collect();
    places.sort_by_key(|&place| Reverse(sizes[place]));
    let begun: Vec<Input> = places.iter().map(|&place| first[place].clone()).collect();
    (Box::new(begun.into_iter()), Some(Plan { inputs: first, places }))
}

/// In which order inputs are begun.
pub(super) struct Plan {
    /// In their own order.
    inputs: Vec<Input>,
    /// The place in it of each job.
    places: Vec<usize>,
}

/// Holds results back until it is their turn. Without a plan it is at once.
pub(super) struct Turns<T> {
    plan: Option<Plan>,
    next: usize,
    waiting: BTreeMap<usize, T>,
}

impl<T> Turns<T> {
    pub(super) fn new(plan: Option<Plan>) -> Self {
        Self { plan, next: 0, waiting: BTreeMap::new() }
    }

    /// Takes the result of a job, and gives those whose turn it is now.
    pub(super) fn put(&mut self, job: u64, result: T) -> Vec<T> {
        let Some(plan) = &self.plan else { return vec![result] };
        let place = usize::try_from(job).ok().and_then(|job| plan.places.get(job).copied());
        self.waiting.insert(place.unwrap_or(plan.places.len()), result);
        let mut ready = Vec::new();
        while let Some(result) = self.waiting.remove(&self.next) {
            ready.push(result);
            self.next += 1;
        }
        ready
    }

    /// The run is over: what still waits for its turn, and in between the inputs that were never begun.
    pub(super) fn rest(mut self) -> Vec<Result<T, Box<Input>>> {
        let inputs = self.plan.take().map(|plan| plan.inputs).unwrap_or_default();
        let rest = inputs.into_iter().enumerate().skip(self.next);
        rest.map(|(place, input)| self.waiting.remove(&place).ok_or_else(|| Box::new(input))).collect()
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
        let (begun, plan) = plan(Box::new(inputs(sizes).into_iter()), jobs, &client, None);
        assert_eq!(begun.count(), sizes.len(), "none is lost");
        plan.map(|plan| plan.places)
    }

    #[test]
    fn the_biggest_are_begun_first_and_those_of_unknown_size_before_them() {
        let some = [Some(3), Some(9), None, Some(9), Some(1)];
        assert_eq!(planned(&some, 2), Some(vec![2, 1, 3, 0, 4]));
        assert_eq!(planned(&[None, None, None], 2), Some(vec![0, 1, 2]), "nothing is known, nothing changes");
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
        let plan = |places: &[usize]| Some(Plan { inputs: inputs.clone(), places: places.to_vec() });
        let mut turns = Turns::new(plan(&[1, 0, 4, 3, 2, 5]));
        assert!(turns.put(0, 'b').is_empty());
        assert_eq!(turns.put(1, 'a'), ['a', 'b']);
        assert!(turns.put(2, 'e').is_empty());
        let rest = turns.rest();
        let never = |place: usize| Err(Box::new(inputs[place].clone()));
        assert_eq!(rest, [never(2), never(3), Ok('e'), never(5)]);
        assert_eq!(Turns::new(None).put(7, 'x'), ['x'], "without a plan there is nothing to wait for");
    }
}
