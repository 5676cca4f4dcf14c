//! What an input may cost.

const MIB: usize = 1 << 20;

/// What an input may cost at most. Each bound has an option that lifts it, and the error names it.
///
/// ```
/// let mut limits = raudal_table::Limits::default();
/// limits.field_bytes = 64 * 1024;
/// assert_eq!(limits.record_bytes(), 1024 * 1024);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Members of an archive, wanted or not: 10,000. Archives of more exist to exhaust their reader.
    pub members: u64,
    /// Uncompressed bytes of one member, as declared and as they come: 8 GiB.
    pub member_bytes: u64,
    /// Uncompressed bytes to a compressed one, looked at after the first MiB: 200. Deflate reaches 1032 on zeros;
    /// the real ITER archives stay under 25.
    pub ratio: u64,
    /// Bytes of one field as it is written, its quotes included: 1 MiB.
    pub field_bytes: usize,
}

impl Limits {
    /// Bytes of one record: sixteen fields of the largest size. What a record costs in memory is thereby bounded
    /// without an option of its own.
    pub fn record_bytes(&self) -> usize {
        self.field_bytes.saturating_mul(16)
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self { members: 10_000, member_bytes: 8 << 30, ratio: 200, field_bytes: MIB }
    }
}
