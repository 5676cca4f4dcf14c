//! Formats bytes, rates and times for people, and parses them from the command line.
//!
//! Sizes are shown in powers of 1000 (`14.2 MB`), as disks and networks are sold. Input may use
//! either power: `512kB` is 512,000 bytes and `512KiB` is 524,288. A bare `512K` is refused,
//! because half of the tools read it as one and half as the other. All functions are pure.

use crate::{Error, Result};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Formats a size.
///
/// ```
/// assert_eq!(raudal_common::units::bytes(999), "999 B");
/// assert_eq!(raudal_common::units::bytes(14_200_000), "14.2 MB");
/// ```
pub fn bytes(bytes: u64) -> String {
    if bytes < 1000 { format!("{bytes} B") } else { scaled(bytes as f64) }
}

/// Formats a speed.
///
/// ```
/// assert_eq!(raudal_common::units::rate(7_140_000.0), "7.1 MB/s");
/// ```
pub fn rate(bytes_per_second: f64) -> String {
    if bytes_per_second.is_nan() || bytes_per_second < 999.5 {
        return format!("{:.0} B/s", bytes_per_second.max(0.0));
    }
    format!("{}/s", scaled(bytes_per_second))
}

/// Uses one decimal below 100 and none above: a reader takes in three figures at a glance.
fn scaled(mut value: f64) -> String {
    let mut unit = "B";
    for next in ["kB", "MB", "GB", "TB", "PB", "EB"] {
        // A value that would be rounded up to 1000 belongs to the next unit.
        if value < 999.5 {
            break;
        }
        value /= 1000.0;
        unit = next;
    }
    if value < 99.95 { format!("{value:.1} {unit}") } else { format!("{value:.0} {unit}") }
}

/// Formats a measured time, with three figures below a minute.
///
/// ```
/// use raudal_common::units::duration;
/// use std::time::Duration;
///
/// assert_eq!(duration(Duration::from_millis(1234)), "1.23 s");
/// assert_eq!(duration(Duration::from_micros(15_300)), "15.3 ms");
/// assert_eq!(duration(Duration::from_secs(125)), "2 min 5 s");
/// ```
pub fn duration(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    if time.is_zero() {
        "0 s".to_owned()
    } else if seconds >= 59.95 {
        countdown(time)
    } else if seconds >= 0.9995 {
        format!("{} s", three_figures(seconds))
    } else if seconds >= 0.999_5e-3 {
        format!("{} ms", three_figures(seconds * 1e3))
    } else if seconds >= 0.999_5e-6 {
        format!("{} µs", three_figures(seconds * 1e6))
    } else {
        format!("{} ns", time.as_nanos())
    }
}

fn three_figures(value: f64) -> String {
    if value < 9.995 {
        format!("{value:.2}")
    } else if value < 99.95 {
        format!("{value:.1}")
    } else {
        format!("{value:.0}")
    }
}

/// Formats a remaining time in whole seconds: decimals would only flicker.
///
/// ```
/// use raudal_common::units::countdown;
/// use std::time::Duration;
///
/// assert_eq!(countdown(Duration::from_millis(3600)), "4 s");
/// assert_eq!(countdown(Duration::from_secs(3 * 3600 + 120)), "3 h 2 min");
/// ```
pub fn countdown(time: Duration) -> String {
    let seconds = time.as_secs().saturating_add(u64::from(time.subsec_millis() >= 500));
    let (large, large_unit, small, small_unit) = match seconds {
        0..60 => return format!("{seconds} s"),
        60..3600 => (seconds / 60, "min", seconds % 60, "s"),
        3600..86_400 => (seconds / 3600, "h", seconds % 3600 / 60, "min"),
        _ => (seconds / 86_400, "d", seconds % 86_400 / 3600, "h"),
    };
    if small == 0 { format!("{large} {large_unit}") } else { format!("{large} {large_unit} {small} {small_unit}") }
}

/// The last second of the year 9999: RFC 3339 has years of four digits.
const LAST_DATE: Duration = Duration::from_secs(253_402_300_799);

/// Formats a moment as a date of RFC 3339, in UTC, with milliseconds. Moments before 1970 and after
/// 9999 become the nearest date that can be written.
///
/// ```
/// use raudal_common::units::date;
/// use std::time::{Duration, UNIX_EPOCH};
///
/// assert_eq!(date(UNIX_EPOCH + Duration::from_millis(951_782_400_250)), "2000-02-29T00:00:00.250Z");
/// ```
pub fn date(moment: SystemTime) -> String {
    humantime::format_rfc3339_millis(moment.clamp(UNIX_EPOCH, UNIX_EPOCH + LAST_DATE)).to_string()
}

/// Returns the date of this moment, to write it down. It may jump: waits and times go by `Instant`.
#[expect(clippy::disallowed_methods, reason = "the date is written, and nothing waits for it")]
pub fn now() -> SystemTime {
    SystemTime::now()
}

/// Parses a size: `0`, `4096`, `512KiB`, `1.5 MB`. Ignores case.
///
/// ```
/// use raudal_common::units::parse_bytes;
///
/// assert_eq!(parse_bytes("512KiB")?, 524_288);
/// assert_eq!(parse_bytes("1.5 MB")?, 1_500_000);
/// let error = parse_bytes("512K").unwrap_err();
/// assert_eq!(error.hint_text(), Some("write 512KiB for 1024-byte units, or 512kB for 1000-byte units"));
/// # Ok::<(), raudal_common::Error>(())
/// ```
pub fn parse_bytes(text: &str) -> Result<u64> {
    let (number, unit) = split(text);
    let factor = match unit.to_ascii_lowercase().as_str() {
        "" | "b" => 1_u64,
        "kb" => 1000,
        "mb" => 1000_u64.pow(2),
        "gb" => 1000_u64.pow(3),
        "tb" => 1000_u64.pow(4),
        "kib" => 1 << 10,
        "mib" => 1 << 20,
        "gib" => 1 << 30,
        "tib" => 1 << 40,
        "k" | "m" | "g" | "t" => {
            let letter = unit.to_ascii_uppercase();
            let small = if letter == "K" { "k" } else { &letter };
            return Err(Error::usage(format!("an ambiguous unit in a size: {}", text.trim())).hint(format!(
                "write {number}{letter}iB for 1024-byte units, or {number}{small}B for 1000-byte units"
            )));
        }
        _ => return Err(bad_size(text)),
    };
    // Whole numbers stay exact; a fraction may be rounded.
    if let Ok(whole) = number.parse::<u64>() {
        return whole.checked_mul(factor).ok_or_else(|| bad_size(text));
    }
    let value = decimal(number).ok_or_else(|| bad_size(text))? * factor as f64;
    if value < u64::MAX as f64 { Ok(value.round() as u64) } else { Err(bad_size(text)) }
}

fn bad_size(text: &str) -> Error {
    Error::usage(format!("not a size: {}", shown(text)))
        .hint("write a number and a unit, such as 4096, 512KiB, 1.5MB or 2GiB")
}

/// Parses a time: `80ms`, `0.5s`, `2m`, `1h30m`. A bare number is seconds, as in `curl` and
/// `sleep`.
///
/// ```
/// use raudal_common::units::parse_duration;
/// use std::time::Duration;
///
/// assert_eq!(parse_duration("80ms")?, Duration::from_millis(80));
/// assert_eq!(parse_duration("0.5")?, Duration::from_millis(500));
/// assert_eq!(parse_duration("1m30s")?, Duration::from_secs(90));
/// assert!(parse_duration("soon").is_err());
/// # Ok::<(), raudal_common::Error>(())
/// ```
pub fn parse_duration(text: &str) -> Result<Duration> {
    let bad = || {
        Error::usage(format!("not a time: {}", shown(text)))
            .hint("write a number and a unit, such as 80ms, 0.5s, 2m or 1h30m; a bare number is seconds")
    };
    let mut rest = text.trim();
    let mut seconds = 0.0;
    let mut last_unit = f64::INFINITY;
    loop {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let (number, tail) = rest.split_at(digits);
        let tail = tail.trim_start();
        let letters = tail.find(|c: char| !c.is_alphabetic()).unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(letters);
        let unit = match unit {
            "ns" => 1e-9,
            "us" | "µs" | "μs" => 1e-6,
            "ms" => 1e-3,
            "s" | "sec" => 1.0,
            "m" | "min" => 60.0,
            "h" => 3600.0,
            "d" => 86_400.0,
            // Only a single number may lack its unit: `1m30` is ambiguous.
            "" if last_unit.is_infinite() && tail.is_empty() => 1.0,
            _ => return Err(bad()),
        };
        // Units must decrease, each used once, so that a typo (`1s30m`) is refused.
        if unit >= last_unit {
            return Err(bad());
        }
        seconds += decimal(number).ok_or_else(bad)? * unit;
        last_unit = unit;
        rest = tail.trim_start();
        if rest.is_empty() {
            return Duration::try_from_secs_f64(seconds).map_err(|_| bad());
        }
    }
}

/// Parses a rate as a number per second: `5/s`, `30/min`, `0.5/s`, `100/h`.
///
/// ```
/// use raudal_common::units::parse_rate;
///
/// assert_eq!(parse_rate("5/s")?, 5.0);
/// assert_eq!(parse_rate("30/min")?, 0.5);
/// assert!(parse_rate("0/s").is_err());
/// # Ok::<(), raudal_common::Error>(())
/// ```
pub fn parse_rate(text: &str) -> Result<f64> {
    let bad = || {
        Error::usage(format!("not a rate: {}", shown(text)))
            .hint("write a number above 0 and a unit of time, such as 5/s, 30/min or 100/h")
    };
    let (number, unit) = text.trim().split_once('/').ok_or_else(bad)?;
    let seconds = match unit.trim() {
        "s" | "sec" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        _ => return Err(bad()),
    };
    let per_second = decimal(number.trim()).ok_or_else(bad)? / seconds;
    if per_second > 0.0 { Ok(per_second) } else { Err(bad()) }
}

/// Splits a text into a number and the rest.
fn split(text: &str) -> (&str, &str) {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    (number, unit.trim_start())
}

/// Parses a plain decimal. Rejects a sign, an exponent and `inf`, although `f64` accepts them.
fn decimal(text: &str) -> Option<f64> {
    let plain = text.bytes().all(|b| b.is_ascii_digit() || b == b'.') && text.bytes().any(|b| b.is_ascii_digit());
    plain.then(|| text.parse().ok()).flatten()
}

fn shown(text: &str) -> String {
    if text.trim().is_empty() { "(empty)".to_owned() } else { crate::error::printable(text) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_that_cannot_be_written_is_the_nearest_one_that_can() {
        assert_eq!(date(UNIX_EPOCH - Duration::from_secs(9)), "1970-01-01T00:00:00.000Z");
        assert_eq!(date(UNIX_EPOCH + LAST_DATE + Duration::from_secs(9)), "9999-12-31T23:59:59.000Z");
    }
    use crate::Kind;

    #[test]
    fn a_size_never_shows_a_thousand_of_a_unit() {
        let shown = [0, 999, 1000, 99_949, 99_950, 999_499, 999_500, 1_000_000, u64::MAX].map(bytes);
        assert_eq!(
            shown,
            ["0 B", "999 B", "1.0 kB", "99.9 kB", "100 kB", "999 kB", "1.0 MB", "1.0 MB", "18.4 EB"].map(String::from)
        );
        assert_eq!([0.0, -3.0, 999.4, 999.6, f64::NAN].map(rate), ["0 B/s", "0 B/s", "999 B/s", "1.0 kB/s", "0 B/s"]);
    }

    #[test]
    fn a_time_changes_its_unit_where_its_figures_would_overflow() {
        let shown =
            [0, 7, 999, 1000, 999_400, 999_600, 59_940_000, 60_000_000].map(|us| duration(Duration::from_micros(us)));
        assert_eq!(
            shown,
            ["0 s", "7.00 µs", "999 µs", "1.00 ms", "999 ms", "1.00 s", "59.9 s", "1 min"].map(String::from)
        );
        assert_eq!(duration(Duration::from_nanos(5)), "5 ns");
        assert_eq!(countdown(Duration::from_secs(2 * 86_400 + 3600)), "2 d 1 h");
        let _no_overflow = countdown(Duration::MAX);
    }

    #[test]
    fn a_bad_quantity_is_a_usage_error_that_names_the_cure() {
        for text in ["", "MB", "1.2.3MB", "-1", "1e3", "5 parsecs", "99999999999999999999", "20000000TiB", "inf"] {
            let error = parse_bytes(text).expect_err(text);
            assert_eq!((error.kind(), error.hint_text().is_some()), (Kind::Usage, true), "{text}");
        }
        for text in ["", "s", "1m30", "1s30m", "1m1m", "-1s", "nan", "1..5s", "99999999999999999999d"] {
            let error = parse_duration(text).expect_err(text);
            assert_eq!((error.kind(), error.hint_text().is_some()), (Kind::Usage, true), "{text}");
        }
        for text in ["", "5", "0/s", "-1/s", "5/year", "/s", "x/s"] {
            let error = parse_rate(text).expect_err(text);
            assert_eq!((error.kind(), error.hint_text().is_some()), (Kind::Usage, true), "{text}");
        }
    }

    #[test]
    fn good_quantities_are_read_exactly() {
        assert_eq!(parse_bytes("18446744073709551615").unwrap(), u64::MAX);
        assert_eq!(parse_bytes("8 GiB").unwrap(), 8 << 30);
        assert_eq!(parse_bytes(" 0.5kb ").unwrap(), 500);
        assert_eq!(parse_duration("1h 30m").unwrap(), Duration::from_secs(5400));
        assert_eq!(parse_duration("250 us").unwrap(), Duration::from_micros(250));
        assert_eq!(parse_duration("0").unwrap(), Duration::ZERO);
    }
}
