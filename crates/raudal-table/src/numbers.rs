//! How numbers are written in cells.

use std::borrow::Cow;

use raudal_common::{Error, Result};

/// How the cells of an input write numbers.
///
/// It counts for comparisons with numbers and for typed output. Cells that are written as text stay
/// as they are.
///
/// ```
/// use raudal_table::Numbers;
///
/// let mut numbers = Numbers::default();
/// (numbers.decimal, numbers.thousands) = (',', Some('.'));
/// assert_eq!(numbers.plain("1.234,5").as_deref(), Some("1234.5"));
/// assert_eq!(numbers.plain("12.5"), None); // no group of three digits
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Numbers {
    /// The decimal mark: a point by default.
    pub decimal: char,
    /// The mark between groups of digits; none by default. A space stands for the no-break spaces
    /// too, and an apostrophe for the typographic one.
    pub thousands: Option<char>,
}

impl Default for Numbers {
    fn default() -> Self {
        Self { decimal: '.', thousands: None }
    }
}

impl Numbers {
    /// Checks the marks.
    ///
    /// # Errors
    ///
    /// A usage error if a mark is a digit, a sign or a letter, or if the two are the same.
    pub fn check(&self) -> Result<()> {
        let is_mark = |mark: char| !mark.is_alphanumeric() && !matches!(mark, '+' | '-' | '\n' | '\r');
        if !is_mark(self.decimal) {
            return Err(Error::usage(format!("this cannot be a decimal mark: {:?}", self.decimal)));
        }
        match self.thousands {
            Some(mark) if !is_mark(mark) => Err(Error::usage(format!("this cannot group digits: {mark:?}"))),
            Some(mark) if mark == self.decimal => {
                Err(Error::usage(format!("the decimal mark also groups the digits: {mark:?}"))
                    .hint("as in [`decimal`] , [`thousands`] ."))
            }
            _ => Ok(()),
        }
    }

    /// Whether numbers are written with a point and without groups.
    pub(super) fn is_plain(&self) -> bool {
        self.decimal == '.' && self.thousands.is_none()
    }

    /// Returns the number in the usual spelling: a point, no groups, no blanks around it. `None` if
    /// the cell is no number.
    pub fn plain<'a>(&self, cell: &'a str) -> Option<Cow<'a, str>> {
        let text = cell.trim();
        if self.is_plain() {
            return is_number(text).then_some(Cow::Borrowed(text));
        }
        let mut plain = String::with_capacity(text.len());
        self.respell(text, &mut plain);
        is_number(&plain).then_some(Cow::Owned(plain))
    }

    /// Appends the number in the usual spelling. What is no number in this spelling becomes empty.
    pub(super) fn respell(&self, cell: &str, out: &mut String) {
        let start = out.len();
        let text = cell.trim();
        let (whole, rest) = match text.find(self.decimal) {
            Some(at) => (&text[..at], Some(&text[at + self.decimal.len_utf8()..])),
            None => (text, None),
        };
        let digits = whole.trim_start_matches(['+', '-']);
        out.push_str(&whole[..whole.len() - digits.len()]);
        match self.thousands {
            Some(mark) if digits.contains(|c| is_same(c, mark)) => {
                if !has_groups(digits, mark) {
                    out.truncate(start);
                    return;
                }
                out.extend(digits.chars().filter(|c| !is_same(*c, mark)));
            }
            _ => out.push_str(digits),
        }
        if let Some(rest) = rest {
            out.push('.');
            out.push_str(rest);
        }
        // A point that is neither mark is no number here.
        let points = out[start..].matches('.').count();
        if points > usize::from(rest.is_some()) {
            out.truncate(start);
        }
    }
}

/// Whether it is a mark, or another spelling of it.
fn is_same(c: char, mark: char) -> bool {
    c == mark
        || match mark {
            ' ' => matches!(c, '\u{a0}' | '\u{202f}' | '\u{2009}'),
            '\'' => c == '\u{2019}',
            _ => false,
        }
}

/// Whether the digits are in groups: the last of three, those before it of two (as in India) or
/// three.
fn has_groups(digits: &str, mark: char) -> bool {
    let groups: Vec<&str> = digits.split(|c| is_same(c, mark)).collect();
    let Some(((first, last), middle)) = groups.split_first().and_then(|(first, rest)| {
        let (last, middle) = rest.split_last()?;
        Some(((first, last), middle))
    }) else {
        return false;
    };
    let is_group = |group: &str, least: usize| {
        (least..=3).contains(&group.len()) && group.bytes().all(|byte| byte.is_ascii_digit())
    };
    is_group(first, 1) && is_group(last, 3) && last.len() == 3 && middle.iter().all(|group| is_group(group, 2))
}

/// Whether the text is a number with a point, as [`Filter`](crate::Filter) reads one.
fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (mantissa, exponent) = match digits.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent.strip_prefix(['+', '-']).unwrap_or(exponent))),
        None => (digits, None),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    all_digits(whole)
        && all_digits(fraction)
        && !(whole.is_empty() && fraction.is_empty())
        && exponent.is_none_or(|exponent| !exponent.is_empty() && all_digits(exponent))
        && text.parse::<f64>().is_ok_and(f64::is_finite)
}
