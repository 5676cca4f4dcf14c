//! Dates, as cells and literals write them.

/// A day of the calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Date {
    year: u16,
    month: u8,
    day: u8,
}

/// How dates are written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Format(Vec<Part>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Year,
    /// Two digits: 69 to 99 are of the last century, as in POSIX.
    ShortYear,
    Month,
    Day,
    Hour,
    /// A minute or a second.
    Sixtieth,
    Just(u8),
}

impl Date {
    fn new(year: u16, month: u8, day: u8) -> Option<Self> {
        let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
        let days = match month {
            4 | 6 | 9 | 11 => 30,
            2 => 28 + u8::from(leap),
            1..=12 => 31,
            _ => return None,
        };
        (1..=days).contains(&day).then_some(Self { year, month, day })
    }

    /// Parses an ISO date, `2020-03-01`. A time of day may follow, after a blank or `T`; it does not
    /// count.
    pub(super) fn parse(cell: &[u8]) -> Option<Self> {
        let cell = cell.trim_ascii();
        let (date, rest) = cell.split_at_checked(10)?;
        let (year, month, day) = (&date[..4], &date[5..7], &date[8..]);
        if (date[4], date[7]) != (b'-', b'-') {
            return None;
        }
        let time = match rest {
            [] => true,
            [b' ' | b'T', time @ ..] => is_time(time),
            _ => false,
        };
        if !time {
            return None;
        }
        Self::new(number(year)?, number(month)? as u8, number(day)? as u8)
    }
}

/// Whether a text is a time of day: hours and minutes, then anything that belongs to a time.
fn is_time(text: &[u8]) -> bool {
    matches!(text, [a, b, b':', c, d, rest @ ..]
        if [a, b, c, d].iter().all(|c| c.is_ascii_digit())
            && rest.iter().all(|c| c.is_ascii_digit() || matches!(c, b':' | b'.' | b',' | b'+' | b'-' | b'Z' | b' ')))
}

fn number(digits: &[u8]) -> Option<u16> {
    digits.iter().try_fold(0_u16, |number, digit| {
        let digit = digit.is_ascii_digit().then(|| u16::from(digit - b'0'))?;
        number.checked_mul(10)?.checked_add(digit)
    })
}

impl Format {
    /// Parses a format with the signs of `strptime`: `%Y`, `%y`, `%m`, `%d`, `%H`, `%M`, `%S`, `%%`.
    ///
    /// # Errors
    ///
    /// Says what is wrong with it.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut bytes = text.bytes();
        while let Some(byte) = bytes.next() {
            parts.push(match byte {
                b'%' => match bytes.next() {
                    Some(b'Y') => Part::Year,
                    Some(b'y') => Part::ShortYear,
                    Some(b'm') => Part::Month,
                    Some(b'd') => Part::Day,
                    Some(b'H') => Part::Hour,
                    Some(b'M' | b'S') => Part::Sixtieth,
                    Some(b'%') => Part::Just(b'%'),
                    _ => return Err("the signs of a date are %Y, %y, %m, %d, %H, %M and %S".to_owned()),
                },
                byte => Part::Just(byte),
            });
        }
        let count = |wanted: &[Part]| parts.iter().filter(|part| wanted.contains(part)).count();
        if count(&[Part::Year, Part::ShortYear]) != 1 || count(&[Part::Month]) != 1 || count(&[Part::Day]) != 1 {
            return Err("a date has one year, one month and one day, as in '%d/%m/%Y'".to_owned());
        }
        Ok(Self(parts))
    }

    /// Parses a cell. Months, days and times may lack their leading zero.
    pub(super) fn date(&self, cell: &[u8]) -> Option<Date> {
        let mut rest = cell.trim_ascii();
        let (mut year, mut month, mut day) = (0, 0, 0);
        for part in &self.0 {
            let (least, most) = match part {
                Part::Just(byte) => {
                    rest = rest.strip_prefix(&[*byte])?;
                    continue;
                }
                Part::Year => (4, 4),
                Part::ShortYear => (2, 2),
                _ => (1, 2),
            };
            let digits = rest.iter().take(most).take_while(|c| c.is_ascii_digit()).count();
            if digits < least {
                return None;
            }
            let (found, after) = rest.split_at(digits);
            let found = number(found)?;
            rest = after;
            match part {
                Part::Year => year = found,
                Part::ShortYear => year = found + if found >= 69 { 1900 } else { 2000 },
                Part::Month => month = found as u8,
                Part::Day => day = found as u8,
                Part::Hour if found > 24 => return None,
                Part::Sixtieth if found > 60 => return None,
                _ => {}
            }
        }
        if rest.is_empty() { Date::new(year, month, day) } else { None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn date(text: &str) -> Option<Date> {
        Date::parse(text.as_bytes())
    }

    #[test]
    fn iso_dates_are_dates_with_or_without_a_time() {
        assert!(date("2020-02-29") < date("2020-03-01"));
        assert_eq!(date(" 2020-03-01T23:59:59.5+02:00 "), date("2020-03-01"));
        assert_eq!(date("2020-03-01 10:00"), date("2020-03-01"));
        for bad in [
            "",
            "2020",
            "2020-3-1",
            "2020-13-01",
            "2020-00-01",
            "2019-02-29",
            "1900-02-29",
            "2020-03-01x",
            "2020-03-01Tx",
            "2020/03/01",
            "２020-03-01",
        ] {
            assert_eq!(date(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_format_says_how_dates_are_written() {
        let parsed = |format: &str, text: &str| Format::parse(format).unwrap().date(text.as_bytes());
        assert_eq!(parsed("%d/%m/%Y", " 1/3/2020"), date("2020-03-01"));
        assert_eq!(parsed("%d.%m.%y %H:%M", "01.03.69 7:05"), date("1969-03-01"));
        assert_eq!(parsed("%Y%m%d", "20200301"), date("2020-03-01"));
        for bad in ["1/3/20", "1/3/2020 ", "31/2/2020", "1-3-2020", "", "1/3/2020x"] {
            let trims = bad.ends_with(' ');
            assert_eq!(parsed("%d/%m/%Y", bad).is_some(), trims, "{bad}");
        }
        for bad in ["", "%d/%m", "%Y-%m-%d-%d", "%j %Y %m %d", "%Y %m %d %"] {
            assert!(Format::parse(bad).is_err(), "{bad}");
        }
    }
}
