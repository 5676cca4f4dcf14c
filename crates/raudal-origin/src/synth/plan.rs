//! Distributes the entity's rows and people over municipalities and localities.
//!
//! Everything is decided from the top down, in whole numbers: the number of rows is known before a
//! row is written, and the people of all localities add up to the entity's real population.

use super::rng::Rng;
use raudal_catalogue::{Entry, iter_2020};

/// Municipalities with fewer rows than this get no rows 9998 and 9999, like the smallest real ones.
const SPECIALS_FROM: u64 = 8;

/// The fewest people for each row of a municipality, so that its seat stays larger than its
/// hamlets.
const PEOPLE_PER_ROW: u64 = 16;

/// Sizes that split the localities, except the seats of municipalities, into twenty equal parts.
/// Nearly half have one or two dwellings, as in Mexico. The upper sizes are chosen so that the
/// files are as large as INEGI's.
const SIZES: [u32; 21] = [1, 1, 2, 3, 3, 4, 5, 7, 9, 12, 17, 24, 35, 52, 80, 120, 190, 320, 600, 1_200, 3_000];

/// A locality before its figures are drawn.
#[derive(Clone, Copy, Debug)]
pub(super) struct Locality {
    pub(super) people: u32,
    /// Inhabited dwellings. With one or two of them, the figures are confidential.
    pub(super) dwellings: u32,
}

/// A municipality before its figures are drawn.
#[derive(Debug)]
pub(super) struct Municipality {
    pub(super) localities: Vec<Locality>,
    /// Whether it has the rows 9998 (localities of one dwelling) and 9999 (of two).
    pub(super) specials: [bool; 2],
}

/// How many data rows an entity's file has at this scale: the real number times the scale, but never fewer than its
/// three totals and two for each municipality.
pub(super) fn rows(entity: &Entry, scale: f64) -> u64 {
    let least = 3 + 2 * iter_2020::municipalities(entity);
    ((entity.rows as f64 * scale).round() as u64).max(least)
}

/// Shares out the rows and the people.
pub(super) fn plan(entity: &Entry, rows: u64, rng: &mut Rng) -> Vec<Municipality> {
    let count = iter_2020::municipalities(entity) as usize;
    // Rows besides the entity's three and each municipality's total: localities, and rows 9998 and 9999.
    let free = rows - 3 - count as u64;
    let even: Vec<u64> = (0..count).map(|_| 512 + u64::from(rng.below(1024))).collect();
    let units: Vec<u64> = share(free - count as u64, &even).map(|extra| 1 + extra).collect();
    // A cube makes a few municipalities large and many small.
    let steep: Vec<u64> = (0..count).map(|_| (40 + u64::from(rng.below(1000))).pow(3)).collect();
    let spread = iter_2020::population(entity) - PEOPLE_PER_ROW * free;
    let people: Vec<u64> =
        share(spread, &steep).zip(&units).map(|(extra, units)| extra + PEOPLE_PER_ROW * units).collect();
    units.iter().zip(people).enumerate().map(|(at, (&units, people))| municipality(at, units, people, rng)).collect()
}

/// Makes one municipality with `units` rows besides its total, and with `people` people.
fn municipality(at: usize, units: u64, people: u64, rng: &mut Rng) -> Municipality {
    let roomy = units >= SPECIALS_FROM;
    // Not every municipality has them. The position decides, so that even a small entity has both
    // cases.
    let specials = [roomy && at % 11 != 3, roomy && at % 7 != 2];
    let count = units - specials.iter().filter(|&&has| has).count() as u64;
    let mut localities: Vec<Locality> = (1..count).map(|_| hamlet(rng, specials)).collect();
    if let ([true, _], Some(first)) = (specials, localities.first_mut()) {
        *first = Locality { people: 3, dwellings: 1 };
    }
    if let ([_, true], Some(second)) = (specials, localities.get_mut(1)) {
        *second = Locality { people: 7, dwellings: 2 };
    }
    // The seat gets the remaining people: at least half of all.
    let all: u64 = localities.iter().map(|l| u64::from(l.people)).sum();
    if all > people / 2 {
        for locality in localities.iter_mut().filter(|l| l.dwellings > 2) {
            let people = (u64::from(locality.people) * (people / 2) / all).max(9) as u32;
            *locality = Locality { people, dwellings: 3.max(people * 27 / 100) };
        }
    }
    let rest: u64 = localities.iter().map(|l| u64::from(l.people)).sum();
    let seat = people.saturating_sub(rest) as u32;
    localities.insert(0, Locality { people: seat, dwellings: 3.max(seat * 10 / 37) });
    Municipality { localities, specials }
}

/// Makes a locality that is not the seat. A municipality without a row 9998 has no locality of one
/// dwelling, and without a row 9999 none of two.
fn hamlet(rng: &mut Rng, specials: [bool; 2]) -> Locality {
    let part = rng.below(20) as usize;
    let (low, high) = (SIZES[part], SIZES[part + 1]);
    let people = low + rng.below(high - low + 1);
    // 0.27 dwellings per person, rounded at random.
    let dwellings = ((people * 17_700 + rng.lane()) >> 16).max(1);
    match dwellings {
        1 | 2 if !specials[dwellings as usize - 1] => Locality { people: people + 9, dwellings: 3 },
        _ => Locality { people, dwellings },
    }
}

/// Splits `total` by weight, without a remainder.
fn share(total: u64, weights: &[u64]) -> impl Iterator<Item = u64> {
    let sum: u128 = weights.iter().map(|&w| u128::from(w)).sum();
    let mut weight = 0;
    let mut given = 0;
    weights.iter().map(move |&w| {
        weight += u128::from(w);
        let up_to = (u128::from(total) * weight / sum) as u64;
        let part = up_to - given;
        given = up_to;
        part
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use raudal_catalogue::iter_2020;

    #[test]
    fn rows_and_people_are_shared_out_to_the_last_one_at_any_scale() {
        for entity in iter_2020::catalogue().entries() {
            for scale in [0.001, 0.05, 1.0, super::super::MAX_SCALE] {
                let rows = rows(entity, scale);
                let plan = plan(entity, rows, &mut Rng::new(1, u64::from(entity.number())));
                let localities: usize = plan.iter().map(|m| m.localities.len()).sum();
                let specials: usize = plan.iter().flat_map(|m| m.specials).filter(|&has| has).count();
                assert_eq!((3 + plan.len() + localities + specials) as u64, rows, "{} at {scale}", entity.name);
                let people: u64 = plan.iter().flat_map(|m| &m.localities).map(|l| u64::from(l.people)).sum();
                assert_eq!(people, iter_2020::population(entity), "{} at {scale}", entity.name);
                assert_eq!(plan.len() as u64, iter_2020::municipalities(entity));
                assert!(plan.iter().all(|m| (1..=9997).contains(&m.localities.len())), "{} at {scale}", entity.name);
                assert!(plan.iter().flat_map(|m| &m.localities).all(|l| l.people > 0 && l.dwellings > 0));
            }
        }
    }

    #[test]
    fn the_rows_9998_and_9999_are_not_in_every_municipality() {
        let entity = &iter_2020::catalogue().entries()[0];
        let plan = plan(entity, rows(entity, 1.0), &mut Rng::new(1, 1));
        for special in [0, 1] {
            let has = plan.iter().filter(|m| m.specials[special]).count();
            assert!(0 < has && has < plan.len());
        }
    }
}
