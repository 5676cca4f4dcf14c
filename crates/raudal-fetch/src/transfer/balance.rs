//! How much of the longest transfer a free connection should take over, so that all of a host end together. Pure.
//!
//! To take half of it is right only while nothing else is under way. Halves end one after the other, and each end frees
//! a connection for a half of a half: on a link with long round trips those requests are what the time is spent on. So the
//! end that all could have in common is worked out first, and a free connection takes as much as it can bring until then:
//! about one request for each connection, as in the wrap-around rule for jobs that may be divided (Robert McNaughton, "Scheduling with
//! Deadlines and Loss Functions", Management Science 6(1), 1959), with a delay before each part.

use std::time::Duration;

/// The least that is worth a request, beyond a quarter of the time that its answer takes to come.
const WORTH: Duration = Duration::from_millis(50);
/// How exactly an end is worked out, in seconds: finer than any network keeps time.
const EXACT: f64 = 0.001;

/// The connections of a host, in seconds from now.
#[derive(Debug)]
pub(crate) struct Balance<'a> {
    /// How long each transfer has to go.
    pub(crate) left: &'a [f64],
    /// How many more connections there may be.
    pub(crate) spare: usize,
    /// How long an answer takes to come.
    pub(crate) setup: f64,
}

impl Balance<'_> {
    /// How many seconds' worth of bytes a free connection is to take over from the transfer that has so long to go.
    /// `None`: its end would hardly come nearer.
    pub(crate) fn share(&self, longest: f64) -> Option<f64> {
        let least = self.setup / 4.0 + WORTH.as_secs_f64();
        let share = (self.end() - self.setup).max(least);
        let beyond = longest - self.setup - share;
        (beyond >= least).then_some(beyond.min(share))
    }

    /// The end that all could have in common: what is left beyond it is as much as the others can bring until then.
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
        // The free one brings what goes beyond the end of the longest, and the short one will take that of the other.
        let left = [4.0, 0.2, 3.9];
        let end = balance(&left, 1, 0.2).end();
        assert!((end - 2.125).abs() < 0.01, "{end}");
        assert!(is_about(balance(&left, 1, 0.2).share(4.0), 4.0 - end));
    }

    #[test]
    fn nothing_is_taken_that_would_hardly_bring_the_end_nearer() {
        // The end would come nearer by 0.09 s, for an answer that takes 0.2 s.
        assert!(balance(&[0.38], 1, 0.2).share(0.38).is_none());
        assert!(balance(&[0.42], 1, 0.2).share(0.42).is_some());
        assert!(balance(&[0.09], 1, 0.0).share(0.09).is_none());
        // However many connections there are, none asks for crumbs.
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
            // The first moment by which the others can have brought what goes beyond it; without them, the longest's.
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
