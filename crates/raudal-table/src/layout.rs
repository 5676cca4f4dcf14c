//! How the columns of several headers fit together.

use std::collections::HashMap;

use super::column_names::{Names, quoted};
use super::columns::{align, cure, quoted_list};
use super::pick::ColumnsMode;
use super::query::Query;
use super::rows::Rows;
use raudal_common::{Error, Kind, Result};

/// The common columns of headers that come one after another.
///
/// A union grows at its end, so rows that were written before are only too short. An intersection
/// keeps the columns of the first header until the end, and remembers which of them were missing.
#[derive(Debug)]
pub(super) struct Layout {
    mode: ColumnsMode,
    names: Names,
    /// Headers so far.
    headers: u64,
    /// How many headers have each column.
    have: Vec<u64>,
    /// The place of each column, by its key.
    places: HashMap<String, usize>,
    /// The first columns that an intersection left out and the first header did not have.
    others: Vec<String>,
}

impl Layout {
    pub(super) fn new(query: &Query) -> Self {
        Self {
            mode: query.columns_mode,
            names: query.names(),
            headers: 0,
            have: Vec::new(),
            places: HashMap::new(),
            others: Vec::new(),
        }
    }

    /// Fits a header to the common columns, which are `all`. The first one must be in `all` already,
    /// or `all` must be empty.
    ///
    /// Returns, for each common column, its place in the header; `None` if they are the same.
    pub(super) fn place(&mut self, all: &mut Vec<String>, header: &[String]) -> Result<Option<Vec<Option<usize>>>> {
        if self.mode == ColumnsMode::Strict {
            let names = self.names;
            let order = align(all, header, names).map_err(|error| error.hint(cure(all, header, names)))?;
            return Ok(order.map(|order| order.into_iter().map(Some).collect()));
        }
        if self.headers == 0 && !all.is_empty() {
            let first = all.clone();
            self.add(all, &first)?;
        }
        self.add(all, header)
    }

    fn add(&mut self, all: &mut Vec<String>, header: &[String]) -> Result<Option<Vec<Option<usize>>>> {
        let keys: Vec<String> = header.iter().map(|name| self.names.key(name)).collect();
        let mut own: HashMap<&str, usize> = HashMap::with_capacity(keys.len());
        for (at, key) in keys.iter().enumerate() {
            if let Some(first) = own.insert(key, at) {
                let error = format!(
                    "the header has this name more than once, as columns {} and {}: {}",
                    first + 1,
                    at + 1,
                    quoted(&header[at])
                );
                return Err(Error::new(Kind::Headers, error)
                    .hint("give all columns names of their own with [`columns`], or leave them out with [`select`]"));
            }
        }
        let is_first = self.headers == 0;
        self.headers += 1;
        for (key, name) in keys.iter().zip(header) {
            match self.places.get(key) {
                Some(&place) => self.have[place] += 1,
                None if is_first || self.mode == ColumnsMode::Union => {
                    self.places.insert(key.clone(), self.have.len());
                    if all.len() == self.have.len() {
                        all.push(name.clone());
                    }
                    self.have.push(1);
                }
                None => {
                    if self.others.len() < 100 && !self.others.contains(name) {
                        self.others.push(name.clone());
                    }
                }
            }
        }
        let mut order = vec![None; self.have.len()];
        for (key, at) in own {
            if let Some(&place) = self.places.get(key) {
                order[place] = Some(at);
            }
        }
        let same = order.len() == header.len() && order.iter().enumerate().all(|(at, place)| *place == Some(at));
        Ok(if same { None } else { Some(order) })
    }

    /// The places in the common columns of those that the table has in the end.
    pub(super) fn kept(&self) -> Vec<usize> {
        let is_kept = |at: &usize| self.mode == ColumnsMode::Union || self.have[*at] == self.headers;
        (0..self.have.len()).filter(is_kept).collect()
    }

    /// Says which columns were not in all headers. `what` is what a header belongs to.
    pub(super) fn warning(&self, all: &[String], what: &str) -> Option<String> {
        let parts: Vec<&String> =
            all.iter().zip(&self.have).filter(|(_, have)| **have < self.headers).map(|(name, _)| name).collect();
        let named = |names: &[&String]| quoted_list(names.iter().map(|name| name.as_str()), 5);
        if self.mode == ColumnsMode::Union {
            return (!parts.is_empty()).then(|| {
                format!("not every {what} has these columns, so their cells are empty there: {}", named(&parts))
            });
        }
        let left_out: Vec<&String> = parts.into_iter().chain(&self.others).collect();
        (!left_out.is_empty())
            .then(|| format!("not every {what} has these columns, so they are left out: {}", named(&left_out)))
    }

    /// Brings the rows of several members to their common columns.
    pub(super) fn finish(self, mut rows: Rows, memory: usize) -> Result<Rows> {
        if self.headers < 2 {
            return Ok(rows);
        }
        if let Some(warning) = self.warning(&rows.header, "member") {
            rows.warnings.push(warning);
            let kept = self.kept();
            if kept.is_empty() {
                return Err(none_common("member"));
            }
            let header = kept.iter().map(|&at| rows.header[at].clone()).collect();
            let places: Vec<Option<usize>> = kept.into_iter().map(Some).collect();
            return rows.rearranged(header, &places, memory);
        }
        Ok(rows)
    }
}

/// The error for an intersection without columns.
pub(super) fn none_common(what: &str) -> Error {
    Error::new(Kind::Headers, format!("no column is in every {what}"))
        .hint("[`columns_mode`] union takes the columns of all of them")
}
