//! Statistics as pure functions, with their formulas. An undefined value is `None`, never 0.

use std::time::Duration;

/// A difference below this share counts as none, because nobody would act on it.
const NEGLIGIBLE: f64 = 0.02;
/// A difference up to this counts as none, because timers count in whole milliseconds.
const GRAIN: Duration = Duration::from_millis(1);

/// Returns whether two times differ by more than the grain of the clock, and by at least 2 % of the
/// second.
pub(super) fn differ(time: Duration, from: Duration) -> bool {
    let difference = time.abs_diff(from);
    difference > GRAIN && difference.as_secs_f64() >= NEGLIGIBLE * from.as_secs_f64()
}

/// A summary of the times of several runs.
///
/// With times `t1 … tn`, the mean is `m = Σ t / n`. The sample standard deviation is
/// `s = √(Σ (t − m)² / (n − 1))`; it is undefined for fewer than two times.
///
/// ```
/// use raudal_compare::Summary;
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
    /// The middle one, or the mean of the two middle ones.
    pub median: Duration,
}

impl Summary {
    /// Summarizes times; `None` if there are none.
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

    /// Returns the standard error of the mean as a share of the mean, `s / (√n · m)`: how far the
    /// mean of as many other runs would typically differ. `None` if the deviation is undefined or
    /// the mean is 0.
    ///
    /// ```
    /// use raudal_compare::Summary;
    /// use std::time::Duration;
    ///
    /// let times = [9, 11, 9, 11].map(Duration::from_secs);
    /// let error = Summary::of(&times).unwrap().relative_error().unwrap();
    /// assert!((error - 0.0577).abs() < 0.0001);
    /// ```
    pub fn relative_error(&self) -> Option<f64> {
        let mean = self.mean.as_secs_f64();
        self.stddev.filter(|_| mean > 0.0).map(|s| s.as_secs_f64() / (self.count as f64).sqrt() / mean)
    }
}

/// How many times as fast one level is as another, with the uncertainty.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct SpeedUp {
    /// The ratio of the means.
    pub ratio: f64,
    /// The uncertainty of the ratio, from both deviations; `None` if one of them is undefined.
    pub uncertainty: Option<f64>,
}

impl SpeedUp {
    /// Computes the speed-up of `level` over `baseline`; `None` if the level took no time at all.
    ///
    /// The ratio is `r = a / b`, where `a` is the mean of the baseline and `b` the mean of the
    /// level. With their deviations `sa` and `sb`, the uncertainty is
    /// `r · √((sa / a)² + (sb / b)²)`, the propagation of independent errors.
    ///
    /// ```
    /// use raudal_compare::{SpeedUp, Summary};
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

    /// Returns whether the ratio differs from 1 by more than the uncertainty, and by at least 2 %.
    /// `None` if the uncertainty is undefined.
    pub fn is_established(&self) -> Option<bool> {
        let difference = (self.ratio - 1.0).abs();
        self.uncertainty.map(|uncertainty| difference > uncertainty && difference >= NEGLIGIBLE)
    }

    /// Returns whether the levels are equally fast: the ratio differs from 1 by less than 2 %, with
    /// its uncertainty, if that is known.
    ///
    /// ```
    /// use raudal_compare::{SpeedUp, Summary};
    /// use std::time::Duration;
    ///
    /// let [one, ten] = [[1000, 1002], [1001, 1005]].map(|times| times.map(Duration::from_millis));
    /// let speed_up = SpeedUp::of(&Summary::of(&one).unwrap(), &Summary::of(&ten).unwrap()).unwrap();
    /// assert!(speed_up.is_negligible() && speed_up.is_established() == Some(false));
    /// ```
    pub fn is_negligible(&self) -> bool {
        (self.ratio - 1.0).abs() + self.uncertainty.unwrap_or(0.0) < NEGLIGIBLE
    }
}

/// Returns how far each value lies from the median, in robust standard deviations:
/// `0.6745 · (t − median) / MAD`, where the MAD is the median distance from the median (Iglewicz
/// and Hoaglin, 1993). An outlier hardly widens this spread. With the standard deviation, it could
/// hide itself that way. The result is empty if more than half of the values are equal.
pub(super) fn robust_scores(times: &[Duration]) -> Vec<f64> {
    let seconds: Vec<f64> = times.iter().map(Duration::as_secs_f64).collect();
    let Some(middle) = median(&seconds) else { return Vec::new() };
    let distances: Vec<f64> = seconds.iter().map(|t| (t - middle).abs()).collect();
    match median(&distances) {
        Some(mad) if mad > 0.0 => seconds.iter().map(|t| 0.6745 * (t - middle) / mad).collect(),
        _ => Vec::new(),
    }
}

/// Returns Spearman's rank correlation of the values with their positions: 1 if each value is
/// larger than the one before, −1 if each is smaller, about 0 if there is no order. Equal values
/// share the mean of their ranks. `None` for fewer than three values, or if all are equal.
pub(super) fn trend(values: &[f64]) -> Option<f64> {
    let n = values.len();
    // The mean rank: the number of smaller values, plus half of the other equal ones.
    let rank = |value: f64| {
        let smaller = values.iter().filter(|v| **v < value).count() as f64;
        let equal = values.iter().filter(|v| (**v - value).abs() == 0.0).count() as f64;
        smaller + (equal - 1.0) / 2.0
    };
    let middle = (n as f64 - 1.0) / 2.0;
    let (mut product, mut places, mut ranks) = (0.0, 0.0, 0.0);
    for (place, value) in values.iter().enumerate() {
        let (x, y) = (place as f64 - middle, rank(*value) - middle);
        (product, places, ranks) = (product + x * y, places + x * x, ranks + y * y);
    }
    (n > 2 && ranks > 0.0).then(|| product / (places * ranks).sqrt())
}

/// Fits the straight line `y = a + b·x` by least squares. Returns `(a, b, R²)`; `R²` is the share
/// of the variance of `y` that the line explains. `None` for fewer than three points, or if all `x`
/// or all `y` are equal.
pub(super) fn line(points: &[(f64, f64)]) -> Option<(f64, f64, f64)> {
    let n = points.len() as f64;
    let (mx, my) = (points.iter().map(|p| p.0).sum::<f64>() / n, points.iter().map(|p| p.1).sum::<f64>() / n);
    let (mut xx, mut xy, mut yy) = (0.0, 0.0, 0.0);
    for (x, y) in points {
        let (dx, dy) = (x - mx, y - my);
        (xx, xy, yy) = (xx + dx * dx, xy + dx * dy, yy + dy * dy);
    }
    (points.len() > 2 && xx > 0.0 && yy > 0.0).then(|| (my - xy / xx * mx, xy / xx, xy * xy / (xx * yy)))
}

pub(super) fn mean(values: &[f64]) -> Option<f64> {
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
    fn a_trend_is_a_correlation_of_ranks() {
        assert_eq!(trend(&[1.0, 2.0, 5.0, 9.0]), Some(1.0));
        assert_eq!(trend(&[9.0, 5.0, 2.0]), Some(-1.0));
        // Ranks 0, 1.5, 1.5, 3: the ties lower the correlation a little.
        assert!((trend(&[1.0, 2.0, 2.0, 3.0]).unwrap() - 0.9487).abs() < 1e-4);
        assert_eq!((trend(&[1.0, 1.0, 1.0]), trend(&[1.0, 2.0])), (None, None));
    }

    #[test]
    fn a_line_through_points_says_how_much_it_explains() {
        let (a, b, r2) = line(&[(0.0, 1.0), (1.0, 3.0), (2.0, 5.0)]).unwrap();
        assert!((a - 1.0).abs() + (b - 2.0).abs() + (r2 - 1.0).abs() < 1e-9);
        let (_, _, r2) = line(&[(0.0, 1.0), (1.0, 0.0), (2.0, 1.0), (3.0, 0.0)]).unwrap();
        assert!((r2 - 0.2).abs() < 1e-9, "{r2}");
        assert_eq!(line(&[(1.0, 1.0), (1.0, 2.0), (1.0, 3.0)]), None);
    }

    #[test]
    fn a_stray_value_has_a_large_score() {
        let scores = robust_scores(&seconds(&[10, 11, 10, 12, 11, 90]));
        assert!(scores[5] > 14.0 && scores[..5].iter().all(|score| score.abs() < 2.0), "{scores:?}");
        assert!(robust_scores(&seconds(&[5, 5, 5, 9])).is_empty() && robust_scores(&[]).is_empty());
    }
}
