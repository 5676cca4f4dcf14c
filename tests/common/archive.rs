//! Archives made in memory.

use std::io::{Cursor, Write};

use zip::ZipWriter;
use zip::write::SimpleFileOptions;

/// Returns a zip with these members, deflated.
pub fn zip<'a>(members: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in members {
        zip.start_file(name, SimpleFileOptions::default()).expect("a member's name");
        zip.write_all(bytes).expect("memory does not fail");
    }
    zip.finish().expect("memory does not fail").into_inner()
}

/// Returns the bytes, gzipped.
pub fn gzip(bytes: impl AsRef<[u8]>) -> Vec<u8> {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gzip.write_all(bytes.as_ref()).expect("memory does not fail");
    gzip.finish().expect("memory does not fail")
}

/// Returns a zip whose only member has this name, in bytes that need not be UTF-8. The library that
/// writes archives takes text only, so the name is replaced afterwards.
pub fn zip_named(name: &[u8], bytes: &[u8]) -> Vec<u8> {
    let stand_in = "q".repeat(name.len());
    let mut archive = zip([(stand_in.as_str(), bytes)]);
    let places: Vec<usize> = archive
        .windows(name.len())
        .enumerate()
        .filter(|(_, at)| *at == stand_in.as_bytes())
        .map(|(at, _)| at)
        .collect();
    for at in places {
        archive[at..at + name.len()].copy_from_slice(name);
    }
    archive
}

/// Returns a tar archive with these members.
pub fn tar<'a>(members: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    for (name, bytes) in members {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        tar.append_data(&mut header, name, bytes).expect("memory does not fail");
    }
    tar.into_inner().expect("memory does not fail")
}

/// Returns an Excel workbook with these sheets, each with rows of texts (ECMA-376, part 1, 18).
#[allow(clippy::format_push_string, clippy::format_collect)] // short texts, easier to read so
pub fn workbook(sheets: &[(&str, &[&[&str]])]) -> Vec<u8> {
    let main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main";
    let office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";
    let package = "http://schemas.openxmlformats.org/package/2006/relationships";
    let (mut parts, mut list, mut links) = (Vec::new(), String::new(), String::new());
    for (at, (name, rows)) in sheets.iter().enumerate() {
        let id = at + 1;
        list += &format!("<sheet name=\"{name}\" sheetId=\"{id}\" r:id=\"r{id}\"/>");
        links +=
            &format!("<Relationship Id=\"r{id}\" Type=\"{office}/worksheet\" Target=\"worksheets/sheet{id}.xml\"/>");
        let cell = |text: &&str| format!("<c t=\"inlineStr\"><is><t>{text}</t></is></c>");
        let row = |row: &&[&str]| format!("<row>{}</row>", row.iter().map(cell).collect::<String>());
        let rows: String = rows.iter().map(row).collect();
        let sheet = format!("<worksheet xmlns=\"{main}\"><sheetData>{rows}</sheetData></worksheet>");
        parts.push((format!("xl/worksheets/sheet{id}.xml"), sheet));
    }
    let root = format!("<Relationship Id=\"a\" Type=\"{office}/officeDocument\" Target=\"xl/workbook.xml\"/>");
    let relations = |links: &str| format!("<Relationships xmlns=\"{package}\">{links}</Relationships>");
    let book = format!("<workbook xmlns=\"{main}\" xmlns:r=\"{office}\"><sheets>{list}</sheets></workbook>");
    parts.extend([
        ("_rels/.rels".to_owned(), relations(&root)),
        ("xl/workbook.xml".to_owned(), book),
        ("xl/_rels/workbook.xml.rels".to_owned(), relations(&links)),
    ]);
    zip(parts.iter().map(|(name, xml)| (name.as_str(), xml.as_bytes())))
}
