//! How long the jobs of a workload take: a distribution, and random draws from it that a seed
//! determines.

use raudal_common::units::{self, parse_duration};
use raudal_common::{Error, Result};
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// The longest draw, because the tail of a log-normal distribution is unbounded.
const LONGEST: Duration = Duration::from_secs(3600);

/// The widest spread: with a wider one, a single job would take most of the run.
const WIDEST: f64 = 3.0;

/// How long jobs take.
///
/// It is parsed from text: `50ms` or `fixed:50ms`, `uniform:10ms..90ms`, or `lognormal:50ms,0.5`
/// (the median, and the deviation of the logarithm; with 0.5, one job in six takes more than 1.6
/// times the median). Real servers are closest to the last one: most answers are quick, and some
/// are very slow.
///
/// ```
/// use raudal_compare::workload::Latency;
/// use std::time::Duration;
///
/// let latency: Latency = "uniform:10ms..90ms".parse()?;
/// let draws = latency.draws(40, 7);
/// assert!(draws.iter().all(|draw| (10..=90).contains(&draw.as_millis())));
/// assert_eq!(draws, latency.draws(40, 7), "the seed decides");
/// assert_eq!(Latency::from(Duration::from_millis(50)).to_string(), "50.0 ms each");
/// # Ok::<(), raudal_common::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Latency {
    /// Each job takes this long.
    Fixed(Duration),
    /// Any time from the first to the second, all equally likely.
    Uniform(Duration, Duration),
    /// Half of the jobs take less than the median. The deviation of the logarithm says how far the
    /// times spread.
    LogNormal(Duration, f64),
}

impl Latency {
    /// Returns what each of the jobs takes. The same seed gives the same draws. With more jobs, the
    /// first draws stay the same.
    pub fn draws(self, jobs: usize, seed: u64) -> Vec<Duration> {
        let mut rng = fastrand::Rng::with_seed(seed);
        (0..jobs).map(|_| self.draw(&mut rng)).collect()
    }

    /// Returns the latency as text that gives the same one when it is parsed.
    ///
    /// ```
    /// use raudal_compare::workload::Latency;
    ///
    /// let latency: Latency = "uniform: 10ms .. 90ms".parse()?;
    /// assert_eq!(latency.to_text(), "uniform:10ms..90ms");
    /// assert_eq!(latency.to_text().parse::<Latency>()?, latency);
    /// # Ok::<(), raudal_common::Error>(())
    /// ```
    pub fn to_text(self) -> String {
        match self {
            Self::Fixed(time) => format!("{time:?}"),
            Self::Uniform(from, to) => format!("uniform:{from:?}..{to:?}"),
            Self::LogNormal(median, deviation) => format!("lognormal:{median:?},{deviation}"),
        }
    }

    fn draw(self, rng: &mut fastrand::Rng) -> Duration {
        let seconds = match self {
            Self::Fixed(time) => return time.min(LONGEST),
            Self::Uniform(from, to) => from.as_secs_f64() + (to.saturating_sub(from)).as_secs_f64() * rng.f64(),
            Self::LogNormal(median, deviation) => median.as_secs_f64() * (deviation * normal(rng)).exp(),
        };
        Duration::try_from_secs_f64(seconds).unwrap_or(LONGEST).min(LONGEST)
    }
}

/// Draws from the standard normal distribution (Box and Muller 1958). The second value of the
/// method is discarded, so each draw always uses two random numbers.
fn normal(rng: &mut fastrand::Rng) -> f64 {
    // `u` is in (0, 1], because the logarithm of 0 is infinite.
    let (u, v) = (1.0 - rng.f64(), rng.f64());
    (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos()
}

impl From<Duration> for Latency {
    fn from(time: Duration) -> Self {
        Self::Fixed(time)
    }
}

impl FromStr for Latency {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let bad = || {
            Error::usage(format!("not a latency: {}", raudal_common::error::printable(text)))
                .hint("write 50ms, uniform:10ms..90ms or lognormal:50ms,0.5 (the median, then the spread from 0 to 3)")
        };
        let time = |text: &str| parse_duration(text).map_err(|_| bad());
        match text.split_once(':') {
            None => time(text).map(Self::Fixed),
            Some(("fixed", rest)) => time(rest).map(Self::Fixed),
            Some(("uniform", rest)) => {
                let (from, to) = rest.split_once("..").ok_or_else(bad)?;
                let (from, to) = (time(from)?, time(to)?);
                if from > to {
                    return Err(Error::usage(format!("the range of a latency runs backwards: {text}"))
                        .hint("write the shorter time first, such as uniform:10ms..90ms"));
                }
                Ok(Self::Uniform(from, to))
            }
            Some(("lognormal", rest)) => {
                let (median, deviation) = rest.split_once(',').ok_or_else(bad)?;
                let deviation = deviation.trim().parse().map_err(|_| bad())?;
                // A NaN is in no range.
                if !(0.0..=WIDEST).contains(&deviation) {
                    return Err(bad());
                }
                Ok(Self::LogNormal(time(median)?, deviation))
            }
            Some(_) => Err(bad()),
        }
    }
}

/// For people: `50.0 ms each`, `10.0 ms to 90.0 ms each`.
impl fmt::Display for Latency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = |time: &Duration| units::duration(*time);
        match self {
            Self::Fixed(each) => write!(f, "{} each", time(each)),
            Self::Uniform(from, to) => write!(f, "{} to {} each", time(from), time(to)),
            Self::LogNormal(median, deviation) => write!(f, "log-normal around {} ({deviation})", time(median)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use raudal_common::Kind;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn a_latency_is_read_from_text() {
        for (text, latency) in [
            ("50ms", Latency::Fixed(ms(50))),
            ("fixed:0.5s", Latency::Fixed(ms(500))),
            ("uniform:10ms..90ms", Latency::Uniform(ms(10), ms(90))),
            ("uniform: 0 .. 1s", Latency::Uniform(ms(0), ms(1000))),
            ("lognormal:50ms,0.5", Latency::LogNormal(ms(50), 0.5)),
            ("lognormal:50ms, 0", Latency::LogNormal(ms(50), 0.0)),
        ] {
            assert_eq!(text.parse::<Latency>().expect(text), latency, "{text}");
        }
    }

    #[test]
    fn a_bad_latency_is_a_usage_error_that_names_the_cure() {
        let bad = ["", "soon", "fixed:", "uniform:10ms", "uniform:90ms..10ms", "lognormal:50ms", "normal:50ms,1"];
        let spreads =
            ["lognormal:50ms,-1", "lognormal:50ms,nan", "lognormal:50ms,9", "lognormal:x,1", "uniform:1s..-1s"];
        for text in bad.into_iter().chain(spreads) {
            let error = text.parse::<Latency>().expect_err(text);
            assert_eq!((error.kind(), error.hint_text().is_some()), (Kind::Usage, true), "{text}");
        }
    }

    #[test]
    fn the_seed_decides_and_the_first_of_many_are_those_of_few() {
        let latency = Latency::LogNormal(ms(50), 0.5);
        assert_eq!(latency.draws(10, 1), latency.draws(100, 1)[..10]);
        assert_ne!(latency.draws(10, 1), latency.draws(10, 2));
    }

    #[test]
    fn half_of_a_log_normal_lies_below_its_median_and_a_sixth_beyond_one_deviation() {
        let draws = Latency::LogNormal(ms(50), 0.5).draws(10_000, 3);
        let share = |of: f64| draws.iter().filter(|draw| draw.as_secs_f64() < of).count() as f64 / 10_000.0;
        assert!((share(0.050) - 0.5).abs() < 0.02, "{}", share(0.050));
        assert!((share(0.050 * 0.5_f64.exp()) - 0.841).abs() < 0.02, "{}", share(0.082));
    }

    #[test]
    fn no_draw_is_without_end() {
        let draws = Latency::LogNormal(Duration::from_secs(3000), 3.0).draws(1000, 0);
        assert!(draws.iter().all(|draw| *draw <= LONGEST) && draws.contains(&LONGEST));
        assert_eq!(Latency::Fixed(Duration::MAX).draws(1, 0), [LONGEST]);
    }
}
