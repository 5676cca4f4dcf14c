//! Decides how much of the longest transfer a free connection takes over, so that all transfers of a
//! host finish together. Pure.
//!
//! Taking half of it is right only if nothing else is in flight. Halves finish at different times,
//! and each one frees a connection for another half. On a link with long round trips, these requests
//! would take most of the time. So we first compute the earliest time at which all transfers could
//! finish together. A free connection then takes as many bytes as it can bring until that time. This
//! needs about one request per connection, as in the wrap-around rule for divisible jobs (Robert
//! McNaughton, "Scheduling with Deadlines and Loss Functions", Management Science 6(1), 1959), with a
//! delay before each part.

use std::time::Duration;

/// The shortest segment that is worth a request is this long, plus a quarter of the time to the first
/// byte of a response.
const WORTH: Duration = Duration::from_millis(50);
/// The precision of the common finish time, in seconds. No network is more precise.
const EXACT: f64 = 0.001;

/// The state of the connections of a host. Times are in seconds from now.
#[derive(Debug)]
pub(crate) struct Balance<'a> {
    /// The remaining time of each transfer.
    pub(crate) left: &'a [f64],
    /// How many more connections are allowed.
    pub(crate) spare: usize,
    /// The time from a request to the head of its response.
    pub(crate) setup: f64,
}

impl Balance<'_> {
    /// Returns how much a free connection takes over from the transfer with this remaining time, in
    /// seconds of that transfer. Returns `None` if the transfer would hardly finish earlier.
    pub(crate) fn share(&self, longest: f64) -> Option<f64> {
        let least = self.setup / 4.0 + WORTH.as_secs_f64();
        let share = (self.end() - self.setup).max(least);
        let beyond = longest - self.setup - share;
        (beyond >= least).then_some(beyond.min(share))
    }

    /// Returns the earliest time at which all transfers can finish together: the work beyond that time
    /// is as much as the other connections can take over before it.
    fn end(&self) -> f64 {
        let lacks_time = |end: f64| {
            let beyond: f64 = self.left.iter().map(|left| (left - end).max(0.0)).sum();
            let early: f64 = self.left.iter().map(|left| (end - left - self.setup).max(0.0)).sum();
            beyond > early + self.spare as f64 * (end - self.setup).max(0.0)
        };
        let (mut early, mut late) = (0.0, self.left.iter().copied().fold(0.0, f64::max));
        while late - early > EXACT {
            let middle = f64::midpoint(early, late);
            if lacks_time(middle) { early = middle } else { late = middle }
        }
        late
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn balance(left: &[f64], spare: usize, setup: f64) -> Balance<'_> {
        Balance { left, spare, setup }
    }

    fn is_about(is: Option<f64>, wanted: f64) -> bool {
        is.is_some_and(|is| (is - wanted).abs() < 0.01)
    }

    #[test]
    fn of_one_transfer_a_free_connection_takes_the_half_less_what_its_answer_takes() {
        assert!(is_about(balance(&[4.0], 1, 0.2).share(4.0), 1.9));
        assert!(is_about(balance(&[4.0], 3, 0.2).share(4.0), 0.95), "three idle slots take as much each");
    }

    #[test]
    fn transfers_that_end_sooner_count_as_connections_that_will_be_free() {
        // The free connection takes the excess of the longest transfer. The short one will take that
        // of the other when it is done.
        let left = [4.0, 0.2, 3.9];
        let end = balance(&left, 1, 0.2).end();
        assert!((end - 2.125).abs() < 0.01, "{end}");
        assert!(is_about(balance(&left, 1, 0.2).share(4.0), 4.0 - end));
    }

    #[test]
    fn nothing_is_taken_that_would_hardly_bring_the_end_nearer() {
        // It would finish 0.09 s earlier, for a response that takes 0.2 s.
        assert!(balance(&[0.38], 1, 0.2).share(0.38).is_none());
        assert!(balance(&[0.42], 1, 0.2).share(0.42).is_some());
        assert!(balance(&[0.09], 1, 0.0).share(0.09).is_none());
        // No segment is too short, however many connections there are.
        for setup in 0..1000 {
            let setup = f64::from(setup) / 1000.0;
            let share = balance(&[3.0], 1000, setup).share(3.0);
            assert!(is_about(share, setup / 4.0 + 0.05), "{setup}: {share:?}");
        }
        assert!(balance(&[], 5, 0.2).share(0.0).is_none());
    }

    proptest! {
        #[test]
        fn everybody_ends_together_after_one_request_each(
            left in proptest::collection::vec(0.0..20.0_f64, 1..40),
            spare in 0_usize..40,
            setup in 0.001..0.5_f64,
        ) {
            let end = balance(&left, spare, setup).end();
            // The first moment at which the other connections can have brought the excess. Without
            // other connections, it is the end of the longest transfer.
            let is_enough = |end: f64| {
                let brought = |from: f64| (end - from - setup).max(0.0);
                let others = left.iter().filter(|own| **own < end).map(|own| brought(*own)).sum::<f64>();
                let beyond = left.iter().filter(|own| **own > end).map(|own| own - end).sum::<f64>();
                beyond <= others + spare as f64 * brought(0.0)
            };
            prop_assert!(is_enough(end) && (end < 2.0 * EXACT || !is_enough(end - 2.0 * EXACT)));
            let longest = left.iter().copied().fold(0.0, f64::max);
            prop_assert!(end <= longest);
            let total = left.iter().sum::<f64>();
            prop_assert!(end + EXACT >= total / (left.len() + spare) as f64, "no faster than all could together");
            if let Some(share) = balance(&left, spare, setup).share(longest) {
                prop_assert!(share > 0.0 && share < longest);
                prop_assert!(setup + share <= longest, "the segment does not end later");
            }
        }
    }
}
