//! Statistics as pure functions, with their formulas. What is undefined is `None`, never 0.

use std::time::Duration;

/// Times of some runs, summed up.
///
/// With times `t1 … tn`: the mean is `m = Σ t / n`; the sample standard deviation is `s = √(Σ (t − m)² / (n − 1))`, and
/// is undefined for fewer than two times.
///
/// ```
/// use raudal::compare::Summary;
/// use std::time::Duration;
///
/// let times = [1, 2, 3, 6].map(Duration::from_secs);
/// let summary = Summary::of(&times).unwrap();
/// assert_eq!(summary.mean, Duration::from_secs(3));
/// assert_eq!(summary.median, Duration::from_millis(2500));
/// assert_eq!(Summary::of(&times[..1]).unwrap().stddev, None);
/// assert_eq!(Summary::of(&[]), None);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Summary {
    /// How many times there are.
    pub count: usize,
    /// Their mean.
    pub mean: Duration,
    /// Their sample standard deviation; `None` for a single one.
    pub stddev: Option<Duration>,
    /// The shortest.
    pub min: Duration,
    /// The longest.
    pub max: Duration,
    /// The one in the middle, or the mean of the two in the middle.
    pub median: Duration,
}

impl Summary {
    /// Sums up times; `None` if there are none.
    pub fn of(times: &[Duration]) -> Option<Self> {
        let (min, max) = (*times.iter().min()?, *times.iter().max()?);
        let seconds: Vec<f64> = times.iter().map(Duration::as_secs_f64).collect();
        let mean = mean(&seconds)?;
        Some(Self {
            count: times.len(),
            mean: Duration::try_from_secs_f64(mean).ok()?,
            stddev: stddev(&seconds, mean).and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()),
            min,
            max,
            median: Duration::try_from_secs_f64(median(&seconds)?).ok()?,
        })
    }
}

/// How many times as fast one level is as another, and how sure that is.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct SpeedUp {
    /// The ratio of the means.
    pub ratio: f64,
    /// How far it strays from run to run, from both deviations; `None` if one of them is undefined.
    pub uncertainty: Option<f64>,
}

impl SpeedUp {
    /// The speed-up of `level` over `baseline`; `None` if the level took no time at all.
    ///
    /// The ratio is `r = a / b` of the means of the baseline `a` and the level `b`. With their deviations `sa`, `sb` the
    /// uncertainty follows from the propagation of independent errors: `r · √((sa / a)² + (sb / b)²)`.
    ///
    /// ```
    /// use raudal::compare::{SpeedUp, Summary};
    /// use std::time::Duration;
    ///
    /// let one = Summary::of(&[9, 11].map(Duration::from_secs)).unwrap();
    /// let ten = Summary::of(&[2, 2].map(Duration::from_secs)).unwrap();
    /// let speed_up = SpeedUp::of(&one, &ten).unwrap();
    /// assert_eq!(speed_up.ratio, 5.0);
    /// assert!((speed_up.uncertainty.unwrap() - 0.707).abs() < 0.001);
    /// ```
    pub fn of(baseline: &Summary, level: &Summary) -> Option<Self> {
        let (a, b) = (baseline.mean.as_secs_f64(), level.mean.as_secs_f64());
        if b == 0.0 {
            return None;
        }
        let ratio = a / b;
        let uncertainty = baseline.stddev.zip(level.stddev).filter(|_| a > 0.0).map(|(sa, sb)| {
            let (sa, sb) = (sa.as_secs_f64() / a, sb.as_secs_f64() / b);
            ratio * sa.hypot(sb)
        });
        Some(Self { ratio, uncertainty })
    }

    /// Whether it can be told from 1: the difference is larger than the uncertainty. `None` if that is undefined.
    pub fn is_established(&self) -> Option<bool> {
        self.uncertainty.map(|uncertainty| (self.ratio - 1.0).abs() > uncertainty)
    }
}

/// How far each value lies from the median, in robust standard deviations: `0.6745 · (t − median) / MAD`, where the MAD
/// is the median distance from the median (Iglewicz and Hoaglin, 1993). One stray value does not hide itself by
/// widening the spread, as it does with the plain deviation. Empty if more than half of the values are equal.
pub(super) fn robust_scores(times: &[Duration]) -> Vec<f64> {
    let seconds: Vec<f64> = times.iter().map(Duration::as_secs_f64).collect();
    let Some(middle) = median(&seconds) else { return Vec::new() };
    let distances: Vec<f64> = seconds.iter().map(|t| (t - middle).abs()).collect();
    match median(&distances) {
        Some(mad) if mad > 0.0 => seconds.iter().map(|t| 0.6745 * (t - middle) / mad).collect(),
        _ => Vec::new(),
    }
}

fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

fn stddev(values: &[f64], mean: f64) -> Option<f64> {
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    (values.len() > 1).then(|| (squares / (values.len() - 1) as f64).sqrt())
}

fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => None,
        n if n % 2 == 1 => Some(sorted[middle]),
        _ => Some(f64::midpoint(sorted[middle - 1], sorted[middle])),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(times: &[u64]) -> Vec<Duration> {
        times.iter().map(|time| Duration::from_secs(*time)).collect()
    }

    #[test]
    fn the_deviation_is_that_of_a_sample() {
        let summary = Summary::of(&seconds(&[2, 4, 4, 4, 5, 5, 7, 9])).unwrap();
        let stddev = summary.stddev.unwrap().as_secs_f64();
        assert!((stddev - (32.0_f64 / 7.0).sqrt()).abs() < 1e-6, "{stddev}");
        assert_eq!((summary.min, summary.max), (Duration::from_secs(2), Duration::from_secs(9)));
    }

    #[test]
    fn one_run_has_no_deviation_and_its_speed_up_no_uncertainty() {
        let (one, ten) = (Summary::of(&seconds(&[10])).unwrap(), Summary::of(&seconds(&[2])).unwrap());
        let speed_up = SpeedUp::of(&one, &ten).unwrap();
        assert_eq!((speed_up.ratio, speed_up.uncertainty, speed_up.is_established()), (5.0, None, None));
    }

    #[test]
    fn no_time_at_all_has_no_speed_up() {
        let (one, none) = (Summary::of(&seconds(&[10, 10])).unwrap(), Summary::of(&seconds(&[0, 0])).unwrap());
        assert_eq!(SpeedUp::of(&one, &none), None);
        assert_eq!(SpeedUp::of(&none, &one).unwrap().uncertainty, None);
    }

    #[test]
    fn a_difference_within_the_uncertainty_is_not_established() {
        let (a, b) = (Summary::of(&seconds(&[8, 12])).unwrap(), Summary::of(&seconds(&[8, 11])).unwrap());
        assert_eq!(SpeedUp::of(&a, &b).unwrap().is_established(), Some(false));
    }

    #[test]
    fn a_stray_value_has_a_large_score() {
        let scores = robust_scores(&seconds(&[10, 11, 10, 12, 11, 90]));
        assert!(scores[5] > 14.0 && scores[..5].iter().all(|score| score.abs() < 2.0), "{scores:?}");
        assert!(robust_scores(&seconds(&[5, 5, 5, 9])).is_empty() && robust_scores(&[]).is_empty());
    }
}
