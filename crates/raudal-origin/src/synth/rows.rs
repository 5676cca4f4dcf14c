//! The figures of a row, and the row as text.
//!
//! A full set of archives has 56 million cells, so nothing here makes a `String` for a cell:
//! figures are drawn into an array and written straight into the file's buffer.

use super::columns::{Draw, FIGURES_LEN, POBFEM, POBMAS, POBTOT, figures};
use super::plan::Locality;
use super::rng::Rng;
use std::sync::LazyLock;

/// The figures of a row; means are in hundredths.
pub(super) type Figures = [u32; FIGURES_LEN];

/// The full width of the range of a share around its mean, in 65,536ths. With this value, the
/// archives compress about as well as INEGI's (4 to 1).
const SPREAD: u64 = 20_000;

/// Draws the figures of a locality.
pub(super) fn draw(locality: Locality, rng: &mut Rng) -> Figures {
    let Locality { people, dwellings } = locality;
    let mut row = [0; FIGURES_LEN];
    row[POBTOT] = people;
    row[POBFEM] = share(people, 33_500, people, rng);
    row[POBMAS] = people - row[POBFEM];
    let mut at = POBMAS + 1;
    while at < FIGURES_LEN {
        match figures()[at].draw {
            Draw::Share(of) => row[at] = share(people, of, people, rng),
            Draw::Split(of) => {
                let both = share(people, of, people, rng);
                let women = share(both, 33_000, both, rng);
                row[at] = both;
                row[at + 1] = women;
                row[at + 2] = both - women;
                at += 2;
            }
            Draw::Inhabited => row[at] = dwellings,
            Draw::AllDwellings => row[at] = dwellings + share(dwellings, 13_000, u32::MAX, rng),
            Draw::Mean(about) => row[at] = about * 3 / 4 + ((about * rng.lane() / 2) >> 16),
            Draw::Population | Draw::Part | Draw::MenPerWomen | Draw::Occupants => {}
        }
        at += 1;
    }
    derive(&mut row);
    row
}

/// Returns about `of` 65,536ths of `whole`, rounded at random, so that the figures of small places
/// are not all 0.
fn share(whole: u32, of: u32, most: u32, rng: &mut Rng) -> u32 {
    let lane = u64::from(rng.lane());
    let exact = u64::from(whole) * u64::from(of);
    let strayed = (exact * (65_536 - SPREAD / 2 + ((lane * SPREAD) >> 16))) >> 16;
    // The same lane, scrambled, does the rounding, because its low bits hardly change the figure
    // above.
    let rounding = (lane * 40_503) & 0xFFFF;
    (((strayed + rounding) >> 16) as u32).min(most)
}

/// Adds a row to a total; [`total`] corrects the means.
pub(super) fn add(total: &mut Figures, row: &Figures) {
    for (sum, figure) in total.iter_mut().zip(row) {
        *sum = sum.wrapping_add(*figure);
    }
}

/// Makes the sum of some rows a total row. A sum of means is not a mean, so means are set anew.
pub(super) fn total(mut sum: Figures) -> Figures {
    for (figure, cell) in figures().iter().zip(&mut sum) {
        if let Draw::Mean(about) = figure.draw {
            *cell = about;
        }
    }
    derive(&mut sum);
    sum
}

/// Computes the means that follow from other figures of the row.
fn derive(row: &mut Figures) {
    /// The positions of these means and of one of their parts. They are looked up once, because
    /// this runs for every row.
    static PLACES: LazyLock<[usize; 3]> = LazyLock::new(|| {
        [Draw::Inhabited, Draw::Occupants, Draw::MenPerWomen]
            .map(|draw| figures().iter().position(|figure| figure.draw == draw).unwrap_or_default())
    });
    let [inhabited, occupants, men_per_women] = *PLACES;
    let divided = |part: u64, by: u32| part.checked_div(u64::from(by)).unwrap_or(0) as u32;
    row[occupants] = divided(u64::from(row[POBTOT]) * 100, row[inhabited]);
    row[men_per_women] = divided(u64::from(row[POBMAS]) * 10_000, row[POBFEM]);
}

/// Appends the figures, each after a comma; the one at `missing` is `N/D`.
pub(super) fn write(row: &Figures, missing: Option<usize>, out: &mut Vec<u8>) {
    for (at, (figure, &value)) in figures().iter().zip(row).enumerate() {
        if missing == Some(at) {
            out.extend_from_slice(b",N/D");
        } else if figure.draw.is_mean() {
            mean(value, out);
        } else if figure.padded {
            padded(value, out);
        } else {
            number(value, out);
        }
    }
}

/// Appends the figures of a locality of one or two dwellings: all but three are confidential.
pub(super) fn write_confidential(row: &Figures, out: &mut Vec<u8>) {
    for (at, (figure, &value)) in figures().iter().zip(row).enumerate() {
        if at == POBTOT || matches!(figure.draw, Draw::Inhabited | Draw::AllDwellings) {
            number(value, out);
        } else {
            out.extend_from_slice(b",*");
        }
    }
}

/// `,0` to `,999`: nine of ten cells.
const SMALL: [[u8; 4]; 1000] = {
    let mut table = [[b','; 4]; 1000];
    let mut n = 0;
    while n < 1000 {
        let digits = [b'0' + (n / 100) as u8, b'0' + (n / 10 % 10) as u8, b'0' + (n % 10) as u8];
        let skip = if n < 10 {
            2
        } else if n < 100 {
            1
        } else {
            0
        };
        let mut i = skip;
        while i < 3 {
            table[n][1 + i - skip] = digits[i];
            i += 1;
        }
        n += 1;
    }
    table
};

/// Appends a comma and a number.
pub(super) fn number(value: u32, out: &mut Vec<u8>) {
    if let Some(text) = SMALL.get(value as usize) {
        // One instruction copies four bytes; two or three bytes take a call.
        let end = out.len() + 2 + usize::from(value > 9) + usize::from(value > 99);
        out.extend_from_slice(text);
        out.truncate(end);
    } else {
        out.push(b',');
        digits(value, 0, out);
    }
}

/// Appends a number with at least `least` digits.
pub(super) fn digits(mut value: u32, least: usize, out: &mut Vec<u8>) {
    let mut text = [b'0'; 10];
    let mut start = text.len();
    while value > 0 || start == text.len() {
        start -= 1;
        text[start] = b'0' + (value % 10) as u8;
        value /= 10;
    }
    out.extend_from_slice(&text[start.min(text.len() - least)..]);
}

/// Appends a comma and hundredths as a decimal number without trailing zeros: `94.9`, as INEGI
/// does.
fn mean(hundredths: u32, out: &mut Vec<u8>) {
    number(hundredths / 100, out);
    let part = (hundredths % 100) as u8;
    if part > 0 {
        out.extend_from_slice(&[b'.', b'0' + part / 10]);
        if !part.is_multiple_of(10) {
            out.push(b'0' + part % 10);
        }
    }
}

/// Appends a comma and a number, padded with spaces on its left to nine characters.
fn padded(value: u32, out: &mut Vec<u8>) {
    let len = 1 + value.checked_ilog10().unwrap_or(0) as usize;
    out.extend_from_slice(&b",         "[..=9_usize.saturating_sub(len)]);
    digits(value, 0, out);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).expect("ASCII")
    }

    #[test]
    fn numbers_are_written_as_inegi_does() {
        for value in [0, 7, 10, 99, 100, 999, 1000, 126_014_024, u32::MAX] {
            assert_eq!(text(|out| number(value, out)), format!(",{value}"));
            assert_eq!(text(|out| padded(value, out)), format!(",{value:>9}"));
            assert_eq!(text(|out| digits(value, 4, out)), format!("{value:04}"));
        }
        assert_eq!(text(|out| mean(9490, out)), ",94.9");
        assert_eq!(text(|out| mean(205, out)), ",2.05");
        assert_eq!(text(|out| mean(400, out)), ",4");
    }

    #[test]
    fn women_and_men_make_the_whole_in_every_split() {
        let row = draw(Locality { people: 4_321, dwellings: 1_000 }, &mut Rng::new(3, 3));
        assert_eq!(row[POBFEM] + row[POBMAS], 4_321);
        for (at, figure) in figures().iter().enumerate() {
            if let Draw::Split(_) = figure.draw {
                assert_eq!(row[at], row[at + 1] + row[at + 2], "{}", figure.name);
            }
        }
    }
}
