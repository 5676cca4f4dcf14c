//! Numbers that are calculated with: exact decimals as long as they fit, else `f64`.

use std::cmp::Ordering;

use super::number::Number;

/// A calculated number.
#[derive(Clone, Copy, Debug)]
pub(super) enum Amount {
    /// `digits / 10^scale`.
    Exact {
        digits: i128,
        scale: u32,
    },
    Float(f64),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sum {
    Plus,
    Minus,
    Times,
    Over,
}

/// More decimals are not needed, and more digits may not fit.
const MOST_DIGITS: usize = 36;

impl Amount {
    pub(super) fn of(number: &Number<'_>) -> Option<Self> {
        let float = || Some(number.as_f64()).filter(|float| float.is_finite()).map(Self::Float);
        let Some((negative, whole, fraction)) = number.digits() else { return float() };
        if whole.len() + fraction.len() > MOST_DIGITS {
            return float();
        }
        let digits = whole.iter().chain(fraction).fold(0_i128, |sum, digit| sum * 10 + i128::from(digit - b'0'));
        Some(Self::Exact { digits: if negative { -digits } else { digits }, scale: fraction.len() as u32 })
    }

    /// Returns the result of `self sum other`. Division by zero, and what exceeds `f64`, is null.
    pub(super) fn calculate(self, sum: Sum, other: Self) -> Option<Self> {
        self.exact(sum, other).or_else(|| {
            let (a, b) = (self.as_f64(), other.as_f64());
            let result = match sum {
                Sum::Plus => a + b,
                Sum::Minus => a - b,
                Sum::Times => a * b,
                Sum::Over => a / b,
            };
            result.is_finite().then_some(Self::Float(result))
        })
    }

    /// The exact result, if it is a decimal that fits.
    fn exact(self, sum: Sum, other: Self) -> Option<Self> {
        let (Self::Exact { digits: a, scale: of_a }, Self::Exact { digits: b, scale: of_b }) = (self, other) else {
            return None;
        };
        match sum {
            Sum::Times => Some(Self::Exact { digits: a.checked_mul(b)?, scale: of_a + of_b }),
            Sum::Plus | Sum::Minus => {
                let (a, b, scale) = aligned((a, of_a), (b, of_b))?;
                let digits = if sum == Sum::Plus { a.checked_add(b) } else { a.checked_sub(b) };
                Some(Self::Exact { digits: digits?, scale })
            }
            Sum::Over => None,
        }
    }

    pub(super) fn compare(self, other: Self) -> Option<Ordering> {
        if let (Self::Exact { digits: a, scale: of_a }, Self::Exact { digits: b, scale: of_b }) = (self, other)
            && let Some((a, b, _)) = aligned((a, of_a), (b, of_b))
        {
            return Some(a.cmp(&b));
        }
        self.as_f64().partial_cmp(&other.as_f64())
    }

    fn as_f64(self) -> f64 {
        match self {
            Self::Exact { digits, scale } => digits as f64 / 10_f64.powf(f64::from(scale)),
            Self::Float(float) => float,
        }
    }
}

/// Brings two decimals to one scale.
fn aligned((a, of_a): (i128, u32), (b, of_b): (i128, u32)) -> Option<(i128, i128, u32)> {
    let scale = of_a.max(of_b);
    let scaled = |digits: i128, of: u32| digits.checked_mul(10_i128.checked_pow(scale - of)?);
    Some((scaled(a, of_a)?, scaled(b, of_b)?, scale))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn amount(text: &str) -> Amount {
        Amount::of(&Number::parse(text.as_bytes()).unwrap()).unwrap()
    }

    fn check(a: &str, sum: Sum, b: &str, result: &str) {
        let found = amount(a).calculate(sum, amount(b)).unwrap();
        assert_eq!(found.compare(amount(result)), Some(Ordering::Equal), "{a} {sum:?} {b} is {found:?}");
    }

    #[test]
    fn decimals_are_exact() {
        check("0.1", Sum::Plus, "0.2", "0.3");
        check("9007199254740993", Sum::Minus, "1", "9007199254740992");
        check("-1.5", Sum::Times, "0.2", "-0.30");
        check("3", Sum::Over, "10", "0.3");
        check("1e2", Sum::Plus, "1", "101");
    }

    #[test]
    fn what_does_not_fit_goes_on_as_a_float_and_what_is_no_number_is_none() {
        let long = "9".repeat(40);
        check(&long, Sum::Times, "0", "0");
        let big = amount(&"9".repeat(36)).calculate(Sum::Times, amount(&"9".repeat(36))).unwrap();
        assert!(matches!(big, Amount::Float(_)));
        assert!(amount("1").calculate(Sum::Over, amount("0")).is_none());
        assert!(amount("0").calculate(Sum::Over, amount("0")).is_none());
        assert!(amount("1e308").calculate(Sum::Times, amount("10")).is_none());
        let tiny = amount("0.000000000000000000000000000000000001");
        assert_eq!(tiny.compare(amount("999999999999999999999999999999999999")), Some(Ordering::Less));
    }
}
