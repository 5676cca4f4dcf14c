//! Reads the first line as a filter and the others as the cells of a row. The filter is refused, or
//! it decides; its `Display` text must decide the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use raudal::Kind;
use raudal::table::{self, Filter, Query};
use std::io::Cursor;

fn quoted(cell: &str) -> String {
    format!("\"{}\"", cell.replace('"', "\"\""))
}

fn keeps(filter: Filter, table: &str) -> Result<u64, Kind> {
    let mut query = Query::new();
    query.filter = Some(filter);
    table::read(Cursor::new(table), "a.csv", &query, &()).map(|rows| rows.rows_kept()).map_err(|error| error.kind())
}

fuzz_target!(|text: &str| {
    let (expression, cells) = text.split_once('\n').unwrap_or((text, ""));
    let filter = match Filter::parse(expression) {
        Ok(filter) => filter,
        Err(error) => {
            assert_eq!(error.kind(), Kind::Usage);
            assert!(error.hint_text().is_some(), "{error:?}");
            return;
        }
    };
    let header: Vec<String> = filter.columns().into_iter().map(quoted).chain(["last".to_owned()]).collect();
    let mut cells = cells.split('\n').map(quoted);
    let mut table = header.join(",");
    for _ in 0..3 {
        let row: Vec<String> = header.iter().map(|_| cells.next().unwrap_or_default()).collect();
        table = format!("{table}\n{}", row.join(","));
    }
    let again = Filter::parse(&filter.to_string()).expect("what a filter shows is a filter");
    assert_eq!(keeps(filter, &table), keeps(again, &table));
});
