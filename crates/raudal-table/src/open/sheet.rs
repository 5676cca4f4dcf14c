//! A sheet of a workbook as a table.

use std::io::Read;

use super::{Found, Layer, Walk};
use crate::archive::Archive;
use crate::columns::shown;
use crate::tally::counted;
use crate::verify::Verify;
use crate::workbook::{self, Workbook};
use raudal_common::{Error, Kind, Result};

impl Walk<'_> {
    pub(super) fn workbook(&mut self, mut archive: Archive<'_>, layer: &Layer) -> Result<()> {
        let visitor = &*self.visitor;
        let limits = &self.query.limits;
        let (packed, uncalculated) =
            workbook::verify(&mut archive, limits, &|packed| layer.outermost(packed), &|| visitor.cancelled())?;
        let mut workbook = Workbook::open(archive.into_inner(), self.query.sheet.as_deref())?;
        let sheet = workbook.sheet().to_owned();
        let inner = layer.deeper(&sheet, None)?;
        let path = inner.member.clone().unwrap_or_default();
        let with_name = |error: Error| error.member(path.clone());
        if layer.is_member && layer.glob.is_some() {
            return Err(
                Error::new(Kind::Member, "a workbook has sheets, no members").hint("name its sheet with [`sheet`]")
            );
        }
        let (rows, faults) = workbook.rows(&self.query.dialect).map_err(with_name)?;
        let mut bytes = Verify::new(Box::new(rows) as Box<dyn Read>, None, packed, limits);
        let found = Found { name: &inner.name, member: Some(&path), is_sheet: true };
        self.visitor.table(&mut bytes, &found).map_err(with_name)?;
        drop(bytes);
        if uncalculated > 0 {
            let (hold, are) =
                if uncalculated == 1 { ("holds a formula", "it is") } else { ("hold formulas", "they are") };
            self.visitor.warn(format!(
                "{} of the workbook {hold} that no program has calculated, so {are} empty: open it in Excel or \
                 LibreOffice, and save it",
                counted(uncalculated, "cell")
            ));
        }
        for warning in faults.warnings() {
            self.visitor.warn(format!("{}: {warning}", shown(&path)));
        }
        Ok(())
    }
}
