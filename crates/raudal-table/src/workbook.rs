//! A sheet of an Excel workbook as CSV, row by row.
//!
//! A workbook holds values, not what Excel shows: a code stored as the number 7 and shown as `007`
//! is `7` here. Dates are numbers with a format; they come out as `2020-03-15` or
//! `2020-03-15 13:45:00`. Blank columns left of the table are left out. A row without a value is a
//! blank line, so that the lines of the CSV are the rows of the sheet, but for line ends in cells.

use std::cell::Cell;
use std::io::{BufReader, Read};
use std::ops::Range;
use std::rc::Rc;

use calamine::{DataRef, ExcelDateTime, Reader, SheetType, SheetVisible, Xlsx, XlsxCellReader, XlsxError};

use super::archive::Archive;
use super::columns::{list, nearest, shown};
use super::dialect::Dialect;
use super::input::Input;
use super::limits::Limits;
use super::rows::{end_record, write_field};
use super::verify::{Verify, broken};
use raudal_common::{Error, Kind, Result};

/// Bytes of the texts that all sheets share. They are held in memory.
const TEXTS: u64 = 512 << 20;
const BUFFER: usize = 64 << 10;
/// Rows of a sheet at most, as Excel has them. A place below is damage.
const MOST_ROWS: u32 = 1 << 20;

/// Checks the parts that hold the workbook: their checksums, and the bounds. `calamine` does
/// neither. Returns the compressed bytes of all of them, and the number of cells whose formula was
/// never calculated: they have no value.
pub(super) fn verify(
    archive: &mut Archive<'_>,
    limits: &Limits,
    outermost: &dyn Fn(u64) -> u64,
    cancelled: &dyn Fn() -> bool,
) -> Result<(u64, u64)> {
    let mut buffer = vec![0; BUFFER];
    let mut all = 0;
    let mut uncalculated = Uncalculated::default();
    for (at, member) in archive.members(None).iter().enumerate() {
        if !member.name.ends_with(&[".xml", ".rels"], false) {
            continue;
        }
        let with_name = |error: Error| error.member(member.name.text.clone());
        let (reader, promise, packed) = archive.member(at).map_err(with_name)?;
        if promise.size > TEXTS && member.name.ends_with(&["sharedstrings.xml"], false) {
            let error =
                Error::new(Kind::Bounds, format!("the texts of the workbook are larger than {} MiB", TEXTS >> 20));
            return Err(error.hint("save the sheet as CSV"));
        }
        let packed = outermost(packed);
        all += packed;
        let mut part = Verify::new(reader, Some(promise), packed, limits);
        loop {
            let count = part.read(&mut buffer).map_err(with_name)?;
            if count == 0 {
                break;
            }
            uncalculated.feed(&buffer[..count]);
            if cancelled() {
                return Err(Error::new(Kind::Cancelled, "cancelled"));
            }
        }
    }
    Ok((all, uncalculated.count))
}

/// Counts cells with a formula and no value. A program that is no spreadsheet writes such cells: it
/// leaves the calculation to Excel.
#[derive(Default)]
struct Uncalculated {
    count: u64,
    /// The end of the last piece, in which a mark may begin.
    tail: Vec<u8>,
}

impl Uncalculated {
    /// What follows the formula of such a cell.
    const MARKS: [&[u8]; 5] = [b"</f></c>", b"</f><v/></c>", b"</f><v /></c>", b"</f><v></v></c>", b"<f/></c>"];
    /// The longest of them but a byte.
    const TAIL: usize = 14;

    fn feed(&mut self, piece: &[u8]) {
        let kept = self.tail.len();
        self.tail.extend_from_slice(&piece[..piece.len().min(Self::TAIL)]);
        for mark in Self::MARKS {
            // In the seam, those that begin before the piece and end in it.
            let across = |at: &usize| at + mark.len() > kept && *at < kept;
            let in_seam = memchr::memmem::find_iter(&self.tail, mark).filter(across).count();
            self.count += (in_seam + memchr::memmem::find_iter(piece, mark).count()) as u64;
        }
        self.tail.truncate(kept);
        self.tail.extend_from_slice(&piece[piece.len().saturating_sub(Self::TAIL)..]);
        self.tail.drain(..self.tail.len().saturating_sub(Self::TAIL));
    }
}

/// A workbook with one of its sheets chosen.
pub(super) struct Workbook<'a> {
    book: Xlsx<BufReader<&'a mut dyn Input>>,
    sheet: String,
}

impl<'a> Workbook<'a> {
    /// Opens a workbook and chooses a sheet: by its name, by its position from 1, or else the only
    /// visible one that has cells.
    pub(super) fn open(input: &'a mut dyn Input, sheet: Option<&str>) -> Result<Self> {
        let mut book = Xlsx::new(BufReader::new(input)).map_err(unreadable)?;
        let sheet = choose(&mut book, sheet)?;
        Ok(Self { book, sheet })
    }

    /// Opens a workbook to look at it. Takes the first visible sheet with cells if there are several, and returns
    /// whether there are.
    pub(super) fn open_to_look(input: &'a mut dyn Input, sheet: Option<&str>) -> Result<(Self, bool)> {
        let mut book = Xlsx::new(BufReader::new(input)).map_err(unreadable)?;
        let error = match choose(&mut book, sheet) {
            Err(error) if sheet.is_none() && error.kind() == Kind::Member => error,
            chosen => return Ok((Self { sheet: chosen?, book }, false)),
        };
        for sheet in book.sheets_metadata().to_vec() {
            let may_be = is_table(&sheet) && sheet.visible == SheetVisible::Visible;
            if may_be && has_cells(&mut book, &sheet.name)? {
                return Ok((Self { sheet: sheet.name, book }, true));
            }
        }
        Err(error)
    }

    /// The names of the sheets that may be tables, in their order.
    pub(super) fn sheets(&self) -> Vec<String> {
        self.book.sheets_metadata().iter().filter(|sheet| is_table(sheet)).map(|sheet| sheet.name.clone()).collect()
    }

    pub(super) fn sheet(&self) -> &str {
        &self.sheet
    }

    /// Returns the rows of the sheet as CSV, without those that the dialect leaves out above and
    /// below, and what is found amiss while they are read.
    pub(super) fn rows(&mut self, dialect: &Dialect) -> Result<(Rows<'_, 'a>, Rc<Faults>)> {
        let above = u32::try_from(dialect.lines_above()).unwrap_or(u32::MAX);
        let mut rows = above..u32::MAX;
        if dialect.footer > 0 {
            let last = self.area(&rows)?.map_or(0, |area| area.rows);
            rows.end = last.saturating_sub(u32::try_from(dialect.footer).unwrap_or(u32::MAX));
        }
        let area = self.area(&rows)?;
        let faults = Rc::new(Faults::default());
        let cells = self.book.worksheet_cells_reader(&self.sheet).map_err(unreadable)?;
        let width = area.as_ref().map_or(0, |area| (area.last - area.first + 1) as usize);
        let rows = Rows {
            cells,
            first: area.map_or(0, |area| area.first),
            row: vec![Vec::new(); width],
            next: rows.start,
            wanted: rows,
            decimal: dialect.numbers.decimal,
            of: 0,
            held: None,
            out: Vec::new(),
            taken: 0,
            ended: false,
            faults: Rc::clone(&faults),
        };
        Ok((rows, faults))
    }

    /// Where these rows have values. What the sheet says of it may be wrong.
    fn area(&mut self, rows: &Range<u32>) -> Result<Option<Area>> {
        let mut cells = self.book.worksheet_cells_reader(&self.sheet).map_err(unreadable)?;
        let mut area: Option<Area> = None;
        while let Some(cell) = cells.next_cell().map_err(unreadable)? {
            let (row, column) = cell.get_position();
            if !is_empty(cell.get_value()) && rows.contains(&row) {
                let area = area.get_or_insert(Area { first: column, last: column, rows: 0 });
                (area.first, area.last) = (area.first.min(column), area.last.max(column));
                area.rows = area.rows.max(row.saturating_add(1));
            }
        }
        Ok(area)
    }
}

/// The first and the last column with a value, and the rows up to the last one.
struct Area {
    first: u32,
    last: u32,
    rows: u32,
}

fn is_table(sheet: &calamine::Sheet) -> bool {
    sheet.typ == SheetType::WorkSheet
}

fn choose(book: &mut Xlsx<BufReader<&mut dyn Input>>, wanted: Option<&str>) -> Result<String> {
    let sheets = book.sheets_metadata().to_vec();
    let tables: Vec<_> = sheets.iter().filter(|sheet| is_table(sheet)).collect();
    let names = |sheets: &[&calamine::Sheet]| list(sheets.iter().map(|sheet| sheet.name.as_str()), 10);
    if let Some(wanted) = wanted {
        let lower = wanted.to_lowercase();
        let by_name = tables.iter().find(|sheet| sheet.name == wanted);
        let by_name = by_name.or_else(|| tables.iter().find(|sheet| sheet.name.to_lowercase() == lower));
        let by_place = || wanted.parse::<usize>().ok().and_then(|place| tables.get(place.checked_sub(1)?));
        return by_name.or_else(by_place).map(|sheet| sheet.name.clone()).ok_or_else(|| {
            let all: Vec<&str> = tables.iter().map(|sheet| sheet.name.as_str()).collect();
            let near: Vec<String> = nearest(wanted, &all).into_iter().map(shown).collect();
            let error = Error::new(Kind::Member, format!("no such sheet: {}", shown(wanted)));
            if near.is_empty() {
                error.hint(format!("the workbook has {}", names(&tables)))
            } else {
                error.hint(format!("did you mean {}?", near.join(" or ")))
            }
        });
    }
    let mut filled = Vec::new();
    for sheet in tables.iter().filter(|sheet| sheet.visible == SheetVisible::Visible) {
        if has_cells(book, &sheet.name)? {
            filled.push(*sheet);
        }
    }
    match filled.as_slice() {
        [one] => Ok(one.name.clone()),
        [] => {
            let error = Error::new(Kind::Empty, "the workbook has no cells in a visible sheet").transient(false);
            let hidden: Vec<_> =
                tables.iter().copied().filter(|sheet| sheet.visible != SheetVisible::Visible).collect();
            Err(if hidden.is_empty() {
                error
            } else {
                error.hint(format!("[`sheet`] reads a hidden one: {}", names(&hidden)))
            })
        }
        several => {
            Err(Error::new(Kind::Member, format!("{} sheets where one is expected: {}", several.len(), names(several)))
                .hint("name the one that is meant with [`sheet`]"))
        }
    }
}

fn has_cells(book: &mut Xlsx<BufReader<&mut dyn Input>>, name: &str) -> Result<bool> {
    let mut cells = book.worksheet_cells_reader(name).map_err(unreadable)?;
    while let Some(cell) = cells.next_cell().map_err(unreadable)? {
        if !is_empty(cell.get_value()) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// What was found amiss in the cells.
#[derive(Default)]
pub(super) struct Faults {
    errors: Cell<u64>,
    /// Whole numbers with more digits than a workbook holds.
    long: Cell<u64>,
}

impl Faults {
    pub(super) fn warnings(&self) -> Vec<String> {
        let errors = match self.errors.get() {
            0 => None,
            1 => Some("a cell holds an error of Excel, such as #N/A; it was read as text".to_owned()),
            count => Some(format!("{count} cells hold errors of Excel, such as #N/A; they were read as text")),
        };
        let long = match self.long.get() {
            0 => None,
            1 => Some("a cell holds a number of more than 15 digits, which a workbook rounds".to_owned()),
            count => Some(format!("{count} cells hold numbers of more than 15 digits, which a workbook rounds")),
        };
        errors.into_iter().chain(long).collect()
    }
}

/// The rows of a sheet as CSV, all of one width.
pub(super) struct Rows<'a, 'b> {
    cells: XlsxCellReader<'a, BufReader<&'b mut dyn Input>>,
    /// The first column.
    first: u32,
    /// The values of the row that is being put together.
    row: Vec<Vec<u8>>,
    of: u32,
    /// The rows that are wanted, and the next of them.
    wanted: Range<u32>,
    next: u32,
    /// The decimal mark of numbers: that of the texts beside them.
    decimal: char,
    /// The first cell of the next row.
    held: Option<(u32, u32, Vec<u8>)>,
    out: Vec<u8>,
    taken: usize,
    /// The cells have ended. Their reader must not be asked again.
    ended: bool,
    faults: Rc<Faults>,
}

impl Rows<'_, '_> {
    /// Puts the next row together. Returns whether there was one.
    fn next(&mut self) -> Result<bool> {
        self.row.iter_mut().for_each(Vec::clear);
        let mut any = false;
        if let Some((row, column, value)) = self.held.take() {
            any = true;
            self.of = row;
            self.put(column, value);
        }
        while !self.ended {
            let Some(cell) = self.cells.next_cell().map_err(unreadable)? else {
                self.ended = true;
                break;
            };
            if is_empty(cell.get_value()) {
                continue;
            }
            let (row, column) = cell.get_position();
            if !self.wanted.contains(&row) {
                continue;
            }
            let value = self.text(cell.get_value());
            if any && row < self.of {
                return Err(Error::new(Kind::Corrupt, "the rows of the sheet are out of order: damaged"));
            }
            if any && row > self.of {
                self.held = Some((row, column, value));
                break;
            }
            any = true;
            self.of = row;
            self.put(column, value);
        }
        if any {
            if self.of < self.next {
                return Err(Error::new(Kind::Corrupt, "the rows of the sheet are out of order: damaged"));
            }
            if self.of >= MOST_ROWS {
                return Err(Error::new(Kind::Corrupt, "a row below the last one of Excel: damaged"));
            }
            self.out.extend(std::iter::repeat_n(b'\n', (self.of - self.next) as usize));
            self.next = self.of + 1;
            let start = self.out.len();
            for (at, value) in self.row.iter().enumerate() {
                if at > 0 {
                    self.out.push(b',');
                }
                write_field(value, b',', &mut self.out);
            }
            end_record(start, &mut self.out);
        }
        Ok(any)
    }

    fn put(&mut self, column: u32, value: Vec<u8>) {
        if let Some(place) = column.checked_sub(self.first).and_then(|at| self.row.get_mut(at as usize)) {
            *place = value;
        }
    }

    fn text(&self, value: &DataRef<'_>) -> Vec<u8> {
        let text = match value {
            DataRef::Empty => String::new(),
            DataRef::Int(number) => number.to_string(),
            // So that one spelling holds for all cells of a column, those that are text too.
            DataRef::Float(number) => {
                self.faults.long.set(self.faults.long.get() + u64::from(is_long(*number)));
                float(*number).replace('.', self.decimal.encode_utf8(&mut [0; 4]))
            }
            DataRef::String(text) | DataRef::DateTimeIso(text) | DataRef::DurationIso(text) => text.clone(),
            DataRef::SharedString(text) => (*text).to_owned(),
            DataRef::Bool(truth) => if *truth { "TRUE" } else { "FALSE" }.to_owned(),
            DataRef::DateTime(moment) => date(moment),
            DataRef::Error(error) => {
                self.faults.errors.set(self.faults.errors.get() + 1);
                error.to_string()
            }
        };
        text.into_bytes()
    }
}

impl Read for Rows<'_, '_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if self.taken == self.out.len() {
            self.out.clear();
            self.taken = 0;
            while self.out.len() < buffer.len() && self.next().map_err(std::io::Error::other)? {}
        }
        let count = (self.out.len() - self.taken).min(buffer.len());
        buffer[..count].copy_from_slice(&self.out[self.taken..self.taken + count]);
        self.taken += count;
        Ok(count)
    }
}

fn is_empty(value: &DataRef<'_>) -> bool {
    match value {
        DataRef::Empty => true,
        DataRef::String(text) => text.is_empty(),
        DataRef::SharedString(text) => text.is_empty(),
        _ => false,
    }
}

/// Whether a number is whole and has more digits than a workbook holds, as identifiers have.
fn is_long(number: f64) -> bool {
    (9_007_199_254_740_992.0..1e21).contains(&number.abs())
}

/// The shortest text that is the same number: `5`, not `5.0`.
fn float(number: f64) -> String {
    if number != 0.0 && !(1e-7..1e17).contains(&number.abs()) { format!("{number:e}") } else { number.to_string() }
}

/// A date without a time, a time without a date, or both, as ISO 8601 has it with a blank between.
fn date(moment: &ExcelDateTime) -> String {
    let value = moment.as_f64();
    // No day of Excel, which shows signs in its place.
    if !(0.0..2_958_466.0).contains(&value) && !moment.is_duration() {
        return float(value);
    }
    if moment.is_duration() {
        let seconds = (value * 86_400.0).round() as i64;
        let (sign, seconds) = if seconds < 0 { ("-", -seconds) } else { ("", seconds) };
        return format!("{sign}{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
    }
    let (year, month, day, hour, minute, second, milli) = moment.to_ymd_hms_milli();
    let fraction = if milli == 0 { String::new() } else { format!(".{milli:03}") };
    let time = format!("{hour:02}:{minute:02}:{second:02}{fraction}");
    match value {
        _ if (0.0..1.0).contains(&value) => time,
        _ if value.fract() == 0.0 => format!("{year:04}-{month:02}-{day:02}"),
        _ => format!("{year:04}-{month:02}-{day:02} {time}"),
    }
}

/// Converts an error of `calamine`.
fn unreadable(error: XlsxError) -> Error {
    match error {
        XlsxError::Io(error) => broken(error),
        XlsxError::Password => Error::new(Kind::Unsupported, "the workbook has a password").hint("save it without one"),
        error => Error::new(Kind::Corrupt, "the workbook cannot be read")
            .because(error)
            .hint("if Excel or LibreOffice opens it, save it there again as .xlsx, or as CSV"),
    }
}
