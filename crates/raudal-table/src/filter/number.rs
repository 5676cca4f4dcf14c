//! Numbers as written in cells, compared exactly.
//!
//! Identifiers of more than 15 digits are common. As `f64`, two different ones could become equal,
//! so digits are compared as digits. Only a number with an exponent is compared as an `f64`.

use std::cmp::Ordering;

/// A number, borrowed from its digits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Number<'a> {
    negative: bool,
    /// Without leading zeros.
    whole: &'a [u8],
    /// Without trailing zeros.
    fraction: &'a [u8],
    /// The value when there is an exponent, in place of the digits.
    float: Option<f64>,
    text: &'a [u8],
}

impl<'a> Number<'a> {
    /// Parses a number, with ASCII blanks around it: a sign, digits with at most one point, an
    /// exponent. Rejects infinity, NaN, hexadecimal and separators.
    pub(super) fn parse(cell: &'a [u8]) -> Option<Self> {
        let text = cell.trim_ascii();
        let (negative, digits) = match text {
            [b'-', rest @ ..] => (true, rest),
            [b'+', rest @ ..] => (false, rest),
            _ => (false, text),
        };
        let (whole, rest) = split_digits(digits);
        let (fraction, rest) = match rest {
            [b'.', rest @ ..] => split_digits(rest),
            _ => (&b""[..], rest),
        };
        if whole.is_empty() && fraction.is_empty() {
            return None;
        }
        let float = match rest {
            [] => None,
            [b'e' | b'E', exponent @ ..] => {
                let exponent = exponent.strip_prefix(b"-").or(exponent.strip_prefix(b"+")).unwrap_or(exponent);
                let (digits, rest) = split_digits(exponent);
                if digits.is_empty() || !rest.is_empty() {
                    return None;
                }
                Some(float(text).filter(|float| float.is_finite())?)
            }
            _ => return None,
        };
        let whole = &whole[whole.iter().take_while(|&&digit| digit == b'0').count()..];
        let fraction = &fraction[..fraction.iter().rposition(|&digit| digit != b'0').map_or(0, |last| last + 1)];
        let negative = negative && !(whole.is_empty() && fraction.is_empty());
        Some(Self { negative, whole, fraction, float, text })
    }

    pub(super) fn compare(&self, other: &Self) -> Ordering {
        if self.float.is_some() || other.float.is_some() {
            return self.as_f64().partial_cmp(&other.as_f64()).unwrap_or(Ordering::Equal);
        }
        let magnitude = |one: &Self, two: &Self| {
            one.whole
                .len()
                .cmp(&two.whole.len())
                .then_with(|| one.whole.cmp(two.whole))
                .then_with(|| one.fraction.cmp(two.fraction))
        };
        match (self.negative, other.negative) {
            (false, false) => magnitude(self, other),
            (true, true) => magnitude(other, self),
            (true, false) => Ordering::Less,
            (false, true) => Ordering::Greater,
        }
    }

    /// Returns whether it is negative, and its digits before and after the point. `None` if it has an
    /// exponent.
    pub(super) fn digits(&self) -> Option<(bool, &'a [u8], &'a [u8])> {
        self.float.is_none().then_some((self.negative, self.whole, self.fraction))
    }

    pub(super) fn as_f64(&self) -> f64 {
        self.float.or_else(|| float(self.text)).unwrap_or(f64::NAN)
    }
}

/// Returns the value of up to 18 digits and nothing else, which is what most cells with numbers are. Comparing such
/// values takes a fraction of the time of [`Number::compare`].
#[inline]
pub(super) fn few_digits(cell: &[u8]) -> Option<u64> {
    if !(1..=18).contains(&cell.len()) {
        return None;
    }
    cell.iter().try_fold(0, |value, byte| byte.is_ascii_digit().then(|| value * 10 + u64::from(byte - b'0')))
}

fn float(text: &[u8]) -> Option<f64> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

fn split_digits(text: &[u8]) -> (&[u8], &[u8]) {
    text.split_at(text.iter().take_while(|byte| byte.is_ascii_digit()).count())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compare(a: &str, b: &str) -> Ordering {
        Number::parse(a.as_bytes()).unwrap().compare(&Number::parse(b.as_bytes()).unwrap())
    }

    #[test]
    fn numbers_of_any_length_are_compared_exactly() {
        assert_eq!(
            compare("12345678901234567890123456789012345678901", "12345678901234567890123456789012345678902"),
            Ordering::Less
        );
        assert_eq!(compare("  0000 ", "-0.0"), Ordering::Equal);
        assert_eq!(compare("9007199254740993", "9007199254740992"), Ordering::Greater);
        assert_eq!(compare("-10", "-9.5"), Ordering::Less);
        assert_eq!(compare("0.30", ".3"), Ordering::Equal);
        assert_eq!(compare("0.05", "0.5"), Ordering::Less);
        assert_eq!(compare("1e3", "1000"), Ordering::Equal);
        assert_eq!(compare("-1.5e-1", "0"), Ordering::Less);
    }

    #[test]
    fn few_digits_are_compared_as_any_number_is() {
        let cells =
            ["0", "000", "7", "007", "10", "999999999999999999", "1000000000000000000", "-1", "+1", "1.0", "", " 7"];
        for a in cells {
            for b in cells {
                if let (Some(one), Some(two)) = (few_digits(a.as_bytes()), few_digits(b.as_bytes())) {
                    assert_eq!(one.cmp(&two), compare(a, b), "{a} {b}");
                }
            }
        }
        assert_eq!(few_digits(b"999999999999999999"), Some(999_999_999_999_999_999));
        assert_eq!(few_digits(b"007"), Some(7));
        for cell in ["", "1000000000000000000", "-1", "+1", "1.0", " 7", "7 ", "x", "\u{b2}"] {
            assert_eq!(few_digits(cell.as_bytes()), None, "{cell:?}");
        }
    }

    #[test]
    fn what_is_no_number_is_none() {
        for cell in [
            "", " ", "*", "N/D", "inf", "nan", "NaN", "0x10", "1_000", "1,5", "1 2", ".", "-", "1e", "1e999", "--1",
            "²",
        ] {
            assert!(Number::parse(cell.as_bytes()).is_none(), "{cell:?}");
        }
    }
}
