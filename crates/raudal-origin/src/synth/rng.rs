//! A small pseudo-random number generator, implemented here so that its stream never changes.
//!
//! The archives promise the same bytes for the same seed on every machine and in every later
//! version. A dependency might change its generator, so none is used. This is `SplitMix64` (Steele,
//! Lea and Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014): one addition and
//! three mixing steps per number.

const GAMMA: u64 = 0x9E37_79B9_7F4A_7C15;

/// A stream of numbers that depends only on its seed.
#[derive(Clone, Debug)]
pub(crate) struct Rng {
    state: u64,
    /// The unused sixteen-bit pieces of the last number.
    lanes: u64,
    left: u8,
}

impl Rng {
    /// Creates the stream of a seed and a purpose. Streams for different purposes are unrelated.
    pub(crate) fn new(seed: u64, purpose: u64) -> Self {
        Self { state: mix(seed ^ mix(purpose.wrapping_add(GAMMA))), lanes: 0, left: 0 }
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(GAMMA);
        mix(self.state)
    }

    /// Returns a number below `bound` (0 for a bound of 0), by multiplication, without a loop. The
    /// bias is at most `bound` in 2³².
    pub(super) fn below(&mut self, bound: u32) -> u32 {
        ((u64::from(bound) * (self.next() >> 32)) >> 32) as u32
    }

    /// Returns a number from 0 to 65,535, at a quarter of the cost of [`next`](Self::next).
    pub(super) fn lane(&mut self) -> u32 {
        if self.left == 0 {
            self.lanes = self.next();
            self.left = 4;
        }
        let lane = self.lanes as u16;
        self.lanes >>= 16;
        self.left -= 1;
        u32::from(lane)
    }

    /// Returns true with this probability, in 65,536ths.
    pub(super) fn chance(&mut self, in_65536: u32) -> bool {
        self.lane() < in_65536
    }

    /// Returns one of these at random.
    pub(super) fn pick<'a, T: ?Sized>(&mut self, from: &[&'a T]) -> &'a T {
        from[self.below(from.len() as u32) as usize]
    }
}

/// The output function of `SplitMix64`.
const fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stream_is_the_published_one() {
        // The first outputs of the reference implementation for a state of 1234567.
        let mut rng = Rng { state: 1_234_567, lanes: 0, left: 0 };
        assert_eq!(rng.next(), 6_457_827_717_110_365_317);
        assert_eq!(rng.next(), 3_203_168_211_198_807_973);
    }

    #[test]
    fn a_bound_is_kept() {
        let mut rng = Rng::new(1, 2);
        assert!((0..1000).all(|_| rng.below(7) < 7));
        assert_eq!(rng.below(0), 0);
    }
}
