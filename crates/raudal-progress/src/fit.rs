//! Fits text into columns of a terminal.

use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

/// Adds blanks up to this many columns.
pub(super) fn pad(text: &str, width: usize) -> String {
    // `{:width$}` counts characters, but some characters are two columns wide.
    text.to_owned() + &" ".repeat(width.saturating_sub(text.width()))
}

/// Shortens a text to at most this many columns by cutting its middle: names differ at both ends.
pub(super) fn fit(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    if width < 3 {
        return "…".repeat(width.min(1));
    }
    let head = take(text.chars(), (width - 1) / 2);
    let tail = take(text.chars().rev(), width - 1 - head.width());
    head + "…" + &tail.chars().rev().collect::<String>()
}

fn take(chars: impl Iterator<Item = char>, width: usize) -> String {
    let mut used = 0;
    chars
        .take_while(|c| {
            used += c.width().unwrap_or(0);
            used <= width
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_cut_in_the_middle() {
        assert_eq!(fit("ITER_01_2020_csv.zip", 11), "ITER_…v.zip");
        assert_eq!(fit("人口普查.zip", 7), "人….zip");
        assert_eq!([0, 1, 2].map(|width| fit("abc", width)), ["", "…", "…"]);
    }
}
