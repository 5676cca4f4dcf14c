//! The main job on INEGI's real archives: in `../shared/iter` beside the project, or in the folder
//! that `RAUDAL_REAL_ARCHIVES` names. Without them, the tests say that they were skipped.

use crate::common::raudal;
use std::io::{Read, Write};
use std::path::PathBuf;

const MICRODATOS: &str = "ITER_01_2020_csv.zip";
const DATOS_ABIERTOS: &str = "iter_01_cpv2020_csv.zip";

fn real(name: &str) -> Option<String> {
    let folder = std::env::var_os("RAUDAL_REAL_ARCHIVES")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/iter"), PathBuf::from);
    let path = folder.join(name);
    if path.is_file() {
        return path.to_str().map(str::to_owned);
    }
    // Written past the capture of the test's output, so that the log shows it.
    let _ = writeln!(std::io::stderr(), "SKIPPED: real archives: no such file: {}", path.display());
    None
}

/// Returns the rows of a table without its header, split at commas. Only for columns whose cells
/// have no commas.
fn rows(arguments: &[&str]) -> Vec<Vec<String>> {
    let finished = raudal(["table", "-q"]).args(arguments).run();
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    finished.text().lines().skip(1).map(|line| line.split(',').map(str::to_owned).collect()).collect()
}

fn people(rows: &[Vec<String>], column: usize) -> u64 {
    rows.iter().map(|row| row[column].parse::<u64>().expect("a number of people")).sum()
}

#[test]
fn the_total_row_of_an_entity_is_found() {
    let Some(archive) = real(MICRODATOS) else { return };
    let finished = raudal(["table", &archive, "--where", "MUN == 0 and LOC == 0"])
        .args(["--select", "ENTIDAD,NOM_ENT,MUN,LOC,POBTOT"])
        .run();
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    assert_eq!(finished.text(), "ENTIDAD,NOM_ENT,MUN,LOC,POBTOT\n01,Aguascalientes,000,0000,1425607\n");
}

#[test]
fn the_municipalities_and_the_localities_add_up_to_the_entity() {
    let Some(archive) = real(MICRODATOS) else { return };
    let municipalities = rows(&[&archive, "--where", "MUN != 0 and LOC == 0", "--select", "MUN,POBTOT"]);
    assert_eq!((municipalities.len(), people(&municipalities, 1)), (11, 1_425_607));
    assert_eq!(rows(&[&archive, "--where", "LOC == '0000'", "--select", "MUN,POBTOT"]).len(), 12);
    let localities = rows(&[&archive, "--where", "LOC not in [0, 9998, 9999]", "--select", "MUN,POBTOT"]);
    assert_eq!(people(&localities, 1), 1_425_607);
}

#[test]
fn without_a_filter_every_row_comes_out_field_by_field_as_it_is() {
    let Some(archive) = real(MICRODATOS) else { return };
    let finished = raudal(["table", "-q", &archive]).run();
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    let mut zip = zip::ZipArchive::new(std::fs::File::open(&archive).expect("the archive")).expect("a zip");
    let mut member = Vec::new();
    zip.by_index(0).expect("a member").read_to_end(&mut member).expect("a good member");
    let member = member.strip_prefix(b"\xef\xbb\xbf").expect("a BOM");
    let records = |bytes: &[u8]| -> Vec<csv::ByteRecord> {
        let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(bytes);
        reader.byte_records().collect::<Result<_, _>>().expect("good records")
    };
    let (ours, theirs) = (records(&finished.stdout), records(member));
    assert_eq!(ours.len(), 1 + 2058);
    assert!(ours == theirs, "a field differs");
}

#[test]
fn the_other_edition_lists_its_members_and_gives_the_same_rows() {
    let (Some(one), Some(other)) = (real(MICRODATOS), real(DATOS_ABIERTOS)) else { return };
    let finished = raudal(["table", &other]).run();
    assert_eq!(finished.code, Some(7));
    for member in
        ["catalogos/tam_loc.csv.csv", "conjunto_de_datos_iter_01CSV20.csv", "diccionario_datos_iter_01CSV20.csv"]
    {
        assert!(finished.stderr.contains(member), "{}", finished.stderr);
    }
    let plain = raudal(["table", "-q", &one]).run();
    let chosen = raudal(["table", "-q", &other, "--member", "**/conjunto_de_datos/*.csv"]).run();
    assert_eq!((chosen.code, chosen.stdout == plain.stdout), (Some(0), true), "{}", chosen.stderr);
}

#[test]
fn iter_knows_where_the_data_of_each_edition_is() {
    let (Some(one), Some(_)) = (real(MICRODATOS), real(DATOS_ABIERTOS)) else { return };
    let folder = one.strip_suffix(MICRODATOS).expect("the folder");
    let iter = |edition| raudal(["iter", "-q", "--entities", "01", "--mirror", folder, "--edition", edition]).run();
    let (microdatos, abiertos) = (iter("microdatos"), iter("datosabiertos"));
    assert_eq!((microdatos.code, abiertos.code), (Some(0), Some(0)), "{}{}", microdatos.stderr, abiertos.stderr);
    assert_eq!(microdatos.text(), abiertos.text());
    assert_eq!(microdatos.text().lines().count(), 2);
}
