//! Observes the reading of an input.

/// Observes the reading of an input and can cancel it. `()` does neither.
pub trait Watch {
    /// Reports how many more uncompressed bytes and rows were read.
    fn advance(&self, bytes: u64, rows: u64) {
        let _ = (bytes, rows);
    }

    /// Returns whether to stop. Called between reads.
    fn cancelled(&self) -> bool {
        false
    }
}

impl Watch for () {}
