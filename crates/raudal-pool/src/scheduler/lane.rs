//! The waiting jobs of one run that share a key, highest priority first.

use std::collections::VecDeque;

/// A waiting job: its place in the table of its run, and how many slots it needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct WaitingJob {
    pub(crate) id: usize,
    pub(crate) weight: usize,
}

/// First in, first out within a priority.
#[derive(Debug, Default)]
pub(super) struct Lane {
    /// Highest priority first; no level is empty. Nearly always there is one level.
    levels: Vec<(i32, VecDeque<WaitingJob>)>,
    /// Whether the lane is in its run's list of ready lanes.
    pub(super) listed: bool,
    /// Whether the lane waits for its key and is on the key's list.
    pub(super) blocked: bool,
}

impl Lane {
    pub(super) fn is_empty(&self) -> bool {
        self.levels.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.levels.iter().map(|(_, level)| level.len()).sum()
    }

    /// Adds a job. A retry goes `first`: before new jobs of the same priority.
    pub(super) fn push(&mut self, job: WaitingJob, priority: i32, first: bool) {
        let place = self.levels.partition_point(|(level, _)| *level > priority);
        if self.levels.get(place).is_none_or(|(level, _)| *level != priority) {
            self.levels.insert(place, (priority, VecDeque::new()));
        }
        let level = &mut self.levels[place].1;
        if first {
            level.push_front(job);
        } else {
            level.push_back(job);
        }
    }

    /// Returns the next job and its priority.
    pub(super) fn peek(&self) -> Option<(i32, WaitingJob)> {
        let (priority, level) = self.levels.first()?;
        Some((*priority, *level.front()?))
    }

    pub(super) fn pop(&mut self) -> Option<WaitingJob> {
        let level = &mut self.levels.first_mut()?.1;
        let job = level.pop_front();
        if level.is_empty() {
            self.levels.remove(0);
        }
        job
    }

    /// Removes a job from anywhere in the lane. Searches from the front: cancelled jobs are mostly there.
    pub(super) fn remove(&mut self, id: usize) -> bool {
        for place in 0..self.levels.len() {
            let level = &mut self.levels[place].1;
            if let Some(at) = level.iter().position(|job| job.id == id) {
                level.remove(at);
                if level.is_empty() {
                    self.levels.remove(place);
                }
                return true;
            }
        }
        false
    }

    pub(super) fn drain(&mut self) -> impl Iterator<Item = usize> + use<> {
        std::mem::take(&mut self.levels).into_iter().flat_map(|(_, level)| level).map(|job| job.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(lane: &mut Lane) -> Vec<usize> {
        std::iter::from_fn(|| lane.pop()).map(|job| job.id).collect()
    }

    #[test]
    fn a_higher_priority_goes_first_and_a_job_that_began_before_goes_first_of_its_own() {
        let mut lane = Lane::default();
        for (id, priority, first) in [(0, 0, false), (1, 5, false), (2, 0, false), (3, -1, false), (4, 0, true)] {
            lane.push(WaitingJob { id, weight: 1 }, priority, first);
        }
        assert_eq!(lane.peek(), Some((5, WaitingJob { id: 1, weight: 1 })));
        assert!(lane.remove(2) && !lane.remove(2));
        assert_eq!(all(&mut lane), [1, 4, 0, 3]);
        assert!(lane.is_empty() && lane.peek().is_none());
    }
}
