//! A small generator of pseudo-random numbers, written out so that its stream never changes.
//!
//! The archives promise the same bytes for the same seed on every machine and in every later version, so the
//! generator may not be a dependency that is free to improve itself. This is `SplitMix64` (Steele, Lea and Flood,
//! "Fast splittable pseudorandom number generators", OOPSLA 2014): one addition and three mixing steps a number.

const GAMMA: u64 = 0x9E37_79B9_7F4A_7C15;

/// A stream of numbers that only its seed decides.
#[derive(Clone, Debug)]
pub(crate) struct Rng {
    state: u64,
    /// Sixteen-bit pieces of the last number that are not used up yet.
    lanes: u64,
    left: u8,
}

impl Rng {
    /// The stream of `seed` and of what it is used for: streams for different uses are unrelated.
    pub(crate) fn new(seed: u64, purpose: u64) -> Self {
        Self { state: mix(seed ^ mix(purpose.wrapping_add(GAMMA))), lanes: 0, left: 0 }
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(GAMMA);
        mix(self.state)
    }

    /// A number below `bound` (0 for a bound of 0), by multiplication: the bias is below one in a million for the
    /// bounds used here, and there is no loop.
    pub(super) fn below(&mut self, bound: u32) -> u32 {
        ((u64::from(bound) * (self.next() >> 32)) >> 32) as u32
    }

    /// A number from 0 to 65,535: a quarter of the price of [`next`](Self::next).
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

    /// Whether an event of this probability, in 65,536ths, takes place.
    pub(super) fn chance(&mut self, in_65536: u32) -> bool {
        self.lane() < in_65536
    }

    /// One of these.
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
