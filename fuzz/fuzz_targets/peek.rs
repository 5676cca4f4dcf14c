//! Looks at any bytes. What is found of a text that is there as a whole reads it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use raudal::table::{Query, peek, read};
use std::io::Cursor;

fuzz_target!(|bytes: &[u8]| {
    let Ok(found) = peek(Cursor::new(bytes), "a.csv", &Query::new()) else { return };
    let Some(table) = found.table else {
        assert!(found.problem.is_some());
        return;
    };
    assert!(table.cells.iter().all(|row| row.len() == table.columns.len()));
    // An archive is only looked at: its checksums may be wrong.
    if !table.whole || found.layers != ["plain text"] || table.cells.len() == 1000 {
        return;
    }
    let rows = read(Cursor::new(bytes), "a.csv", &table.query, &()).expect("what is found reads it");
    assert_eq!((rows.header().len(), rows.rows_read()), (table.columns.len(), table.cells.len() as u64));
});
