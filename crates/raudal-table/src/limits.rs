//! Bounds on the cost of an input.

const MIB: usize = 1 << 20;

/// Bounds on the cost of an input. Each has an option that raises it, and the error names the
/// option.
///
/// ```
/// let mut limits = raudal_table::Limits::default();
/// limits.field_bytes = 64 * 1024;
/// assert_eq!(limits.record_bytes(), 1024 * 1024);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Members of an archive, selected or not: 10,000. Archives with more exist to exhaust their
    /// reader.
    pub members: u64,
    /// Uncompressed bytes of one member, declared and actual: 8 GiB.
    pub member_bytes: u64,
    /// Uncompressed bytes per compressed byte, checked after the first MiB: 200. Deflate reaches
    /// 1032 on zeros; the real ITER archives stay under 25.
    pub ratio: u64,
    /// Bytes of one field as written, with its quotes: 1 MiB.
    pub field_bytes: usize,
}

impl Limits {
    /// Returns the bound on the bytes of one record: sixteen fields of the largest size. It limits
    /// the memory for a record without another option.
    pub fn record_bytes(&self) -> usize {
        self.field_bytes.saturating_mul(16)
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self { members: 10_000, member_bytes: 8 << 30, ratio: 200, field_bytes: MIB }
    }
}
