//! Which cells are null.

/// The cells that hold no value: empty and blank ones, and those that consist of a token.
///
/// Blanks around a cell do not count. [`Filter`](crate::Filter) says what null means in a
/// comparison.
///
/// ```
/// use raudal_table::Nulls;
///
/// let nulls = Nulls::new(["*", "N/D"]);
/// assert!(nulls.contains("*") && nulls.contains(" N/D ") && nulls.contains(""));
/// assert!(!nulls.contains("n/d") && !nulls.contains("0"));
/// assert!(Nulls::default().contains(" ") && !Nulls::default().contains("*"));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Nulls(Vec<Vec<u8>>);

impl Nulls {
    /// Creates the set of these tokens. Blanks around a token do not count.
    pub fn new<T: AsRef<str>>(tokens: impl IntoIterator<Item = T>) -> Self {
        let mut set: Vec<Vec<u8>> =
            tokens.into_iter().map(|token| token.as_ref().as_bytes().trim_ascii().to_vec()).collect();
        set.retain(|token| !token.is_empty());
        set.sort_unstable();
        set.dedup();
        Self(set)
    }

    /// Returns whether the cell is null.
    #[inline]
    pub fn contains(&self, cell: impl AsRef<[u8]>) -> bool {
        let cell = cell.as_ref();
        // Most cells are decided by their first byte.
        if self.0.is_empty() && cell.first().is_some_and(|byte| !byte.is_ascii_whitespace()) {
            return false;
        }
        self.names(cell.trim_ascii())
    }

    fn names(&self, cell: &[u8]) -> bool {
        cell.is_empty() || self.0.iter().any(|token| token == cell)
    }

    /// Whether there are no tokens: only empty and blank cells are null.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
