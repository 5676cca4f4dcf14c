//! Tiny archives: one CSV of four rows, one archive for each number, for runs over very many
//! inputs.

use super::names::MARK;
use super::rng::Rng;
use crate::pack::{ZipMember, pack};
use raudal_catalogue::iter_2020;
use raudal_common::Result;
use std::fmt::Write as _;

/// The columns: keys, names and one figure of the large files.
const HEADER: &str = "ENTIDAD,NOM_ENT,MUN,NOM_MUN,LOC,NOM_LOC,POBTOT";

/// Returns the bytes of `tiny_<number>.zip`.
pub(crate) fn tiny(number: u64, seed: u64) -> Result<Vec<u8>> {
    let entities = iter_2020::catalogue().entries();
    let entity = &entities[(number % entities.len() as u64) as usize];
    let mut rng = Rng::new(seed ^ 0x7174_6E79, number);
    let people = [1 + rng.below(50_000), 1 + rng.below(500)];
    let sum = people[0] + people[1];
    let (code, name) = (&entity.code, &entity.name);
    let mut csv = format!("\u{feff}{HEADER}\r\n");
    // Writing to a String cannot fail.
    let _ = write!(csv, "{code},{name},000,Total de la entidad {name},0000,Total de la Entidad,{sum}\r\n");
    let _ = write!(csv, "{code},{name},001,Primero{MARK},0000,Total del Municipio,{sum}\r\n");
    let _ = write!(csv, "{code},{name},001,Primero{MARK},0001,Cabecera{MARK},{}\r\n", people[0]);
    let _ = write!(csv, "{code},{name},001,Primero{MARK},0002,\"El Cerro (Norte, Sur){MARK}\",{}\r\n", people[1]);
    pack(&[ZipMember::new(format!("tiny_{number}.csv"), &[csv.as_bytes()])])
}

/// Returns the invented figure in the API's response for this number.
pub(crate) fn figure(number: u64, seed: u64) -> u32 {
    Rng::new(seed ^ 0x6170_6921, number).below(1_000_000)
}
