//! What a run has learned about the limit of a key, for the next run.

/// How many jobs of a key the other side can take. A run learns it for the next one.
///
/// ```
/// use raudal_pool::Learned;
///
/// let learned = Learned::new(16, Some(25));
/// assert_eq!((learned.bore, learned.refused), (16, Some(25)));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Learned {
    /// The limit that was last found good.
    pub bore: usize,
    /// The lowest limit at which attempts were refused or reset.
    pub refused: Option<usize>,
}

impl Learned {
    /// Creates what a run has learned of a key: the limit that was last found good, and the lowest
    /// limit at which attempts were refused.
    pub fn new(bore: usize, refused: Option<usize>) -> Self {
        Self { bore, refused }
    }
}
