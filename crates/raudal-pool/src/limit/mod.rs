//! How many jobs may be in flight: a number, or a limit that adapts to what the other side can take.

mod adaptive;
mod controller;
mod learned;
mod log;

pub(crate) use adaptive::{Adaptive, Change, Meter};
use controller::FIRST;
pub use learned::Learned;
pub use log::{LimitChange, LimitLog};

/// How many jobs may be in flight: a number, or a limit that adapts.
///
/// ```
/// use raudal_pool::{Limit, Pool};
///
/// // At most 64 in flight in all. For each key the limit begins at 6 and grows, up to 16, while throughput grows.
/// let pool = Pool::builder().jobs(64).per_key(Limit::auto(16)).build()?;
/// assert_eq!(pool.limit(), 64);
/// # Ok::<(), raudal_pool::BuildError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Limit {
    /// At most this many.
    Fixed(usize),
    /// Begins at 6 and grows, up to this many, while throughput grows. See [`Limit::auto`].
    Auto(usize),
}

impl Limit {
    /// The reason for lowering a limit after three time-outs in a row: the `why` of
    /// [`EventKind::LimitChanged`](crate::EventKind::LimitChanged).
    pub const REPEATED_TIMEOUTS: &'static str = "repeated time-outs";

    /// Creates a limit that begins at 6 and grows, up to `most`, while throughput grows.
    ///
    /// Throughput is what jobs report with [`Attempt::advance`](crate::Attempt::advance), and the number of jobs that
    /// succeed. At first, the limit doubles with each round of answers. A round is over when as many attempts have
    /// made progress as the last step added. A step up that does not bring 5 % more throughput is taken back.
    /// Failures that show an overload of the other side lower the limit: see
    /// [`RunBuilder::pressure`](crate::RunBuilder::pressure).
    pub fn auto(most: usize) -> Self {
        Self::Auto(most)
    }

    /// Returns the highest value that the limit can have.
    pub fn most(self) -> usize {
        match self {
            Self::Fixed(most) | Self::Auto(most) => most,
        }
    }

    pub(crate) fn adaptive(self) -> Option<usize> {
        match self {
            Self::Fixed(_) => None,
            Self::Auto(most) => Some(most),
        }
    }

    /// Returns the first value of the limit.
    pub fn first(self) -> usize {
        match self {
            Self::Fixed(limit) => limit,
            Self::Auto(most) => most.min(FIRST),
        }
    }
}

impl From<usize> for Limit {
    fn from(limit: usize) -> Self {
        Self::Fixed(limit)
    }
}

/// What a failed attempt says about the load on the other side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Pressure {
    /// Nothing.
    None,
    /// The other side refused the attempt or broke it off, so it may be overloaded.
    Refused,
    /// The other side did not respond in time. Three of these in a row, with no success between them, halve the limit
    /// of the key, whether that limit is fixed or adapts.
    TimedOut,
}
