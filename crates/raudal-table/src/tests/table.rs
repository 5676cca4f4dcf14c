//! One table of many inputs: columns that differ, and rows picked from all of them.

use super::{read_query, stored, zip};
use crate::tests::sink::Shared;
use crate::{ColumnsMode, Filter, Format, Query, Sample, Select, Sink, SinkOptions, Table, Target, Written};
use proptest::prelude::*;
use raudal_common::{Kind, Result};

type Input<'a> = (&'a str, &'a str);

/// The table of these inputs, and the warnings about it.
fn made(query: &Query, options: SinkOptions, inputs: &[Input<'_>]) -> Result<(String, Written, Vec<String>)> {
    let shared = Shared::default();
    let sink = Sink::create(Target::Writer(Box::new(shared.clone())), options).unwrap();
    let mut table = Table::new(sink, query)?;
    for (name, text) in inputs {
        table.append(name, name, read_query(text.as_bytes(), name, query)?)?;
        if table.is_full() {
            break;
        }
    }
    let (written, warnings) = table.finish()?;
    Ok((shared.text(), written, warnings))
}

fn csv(query: &Query, inputs: &[Input<'_>]) -> String {
    made(query, SinkOptions::default(), inputs).unwrap_or_else(|error| panic!("{error:?}")).0
}

fn mode(columns: ColumnsMode) -> Query {
    let mut query = Query::new();
    query.columns_mode = columns;
    query
}

const YEARS: [Input<'static>; 3] = [
    ("2019.csv", "id,pop\n1,9\n2,8\n"),
    ("2020.csv", " pop,area,id\n7,\"5,0\",3\n"),
    ("2021.csv", "id,pop,area,new\n4,6,,x\n"),
];

#[test]
fn a_union_has_the_columns_of_all_inputs_in_the_order_of_their_first_appearance() {
    let (text, written, warnings) = made(&mode(ColumnsMode::Union), SinkOptions::default(), &YEARS).unwrap();
    assert_eq!(text, "id,pop,area,new\n1,9,,\n2,8,,\n3,7,\"5,0\",\n4,6,,x\n");
    assert_eq!((written.rows, written.columns), (4, 4));
    assert_eq!(warnings, ["not every input has these columns, so their cells are empty there: \"area\", \"new\""]);
    let mut options = SinkOptions::new(Format::Jsonl);
    options.source_column = Some("year".into());
    let (text, ..) = made(&mode(ColumnsMode::Union), options, &YEARS[..2]).unwrap();
    assert_eq!(text.lines().last(), Some("{\"year\":\"2020.csv\",\"id\":\"3\",\"pop\":\"7\",\"area\":\"5,0\"}"));
}

#[test]
fn an_intersection_has_the_columns_that_all_inputs_have() {
    let (text, _, warnings) = made(&mode(ColumnsMode::Intersection), SinkOptions::default(), &YEARS).unwrap();
    assert_eq!(text, "id,pop\n1,9\n2,8\n3,7\n4,6\n");
    assert_eq!(warnings, ["not every input has these columns, so they are left out: \"area\", \"new\""]);
    let reversed: Vec<Input<'_>> = YEARS.into_iter().rev().collect();
    assert_eq!(csv(&mode(ColumnsMode::Intersection), &reversed), "id,pop\n4,6\n3,7\n1,9\n2,8\n");
    let none = made(&mode(ColumnsMode::Intersection), SinkOptions::default(), &[("a", "x\n1\n"), ("b", "y\n1\n")]);
    let error = none.unwrap_err();
    assert_eq!((error.kind(), error.message()), (Kind::Headers, "no column is in every input"));
    assert_eq!(csv(&mode(ColumnsMode::Intersection), &YEARS[..1]), YEARS[0].1);
}

#[test]
fn strict_columns_are_compared_by_trimmed_names_and_the_first_spelling_stays() {
    let strict = mode(ColumnsMode::Strict);
    assert_eq!(csv(&strict, &[("a", "id,pop\n1,2\n"), ("b", " pop , id\n4,3\n")]), "id,pop\n1,2\n3,4\n");
    let differ: &[Input<'_>] = &[("a", "Año,pop\n1,2\n"), ("b", "pop,ANO\n4,3\n")];
    let error = made(&strict, SinkOptions::default(), differ).unwrap_err();
    assert_eq!(error.to_string(), "b: its columns differ: without \"Año\", with extra \"ANO\"");
    assert_eq!(
        error.hint_text(),
        Some(
            "compared with the first input: a; the names differ by case or accents alone: [`fold_names`] takes them for the same"
        )
    );
    let mut fold = strict.clone();
    fold.fold_names = true;
    assert_eq!(csv(&fold, differ), "Año,pop\n1,2\n3,4\n");
    fold.columns_mode = ColumnsMode::Union;
    assert_eq!(csv(&fold, differ), "Año,pop\n1,2\n3,4\n");
    let error = made(&strict, SinkOptions::default(), &YEARS).unwrap_err();
    assert!(error.hint_text().unwrap().contains("[`columns_mode`] union"), "{error:?}");
}

#[test]
fn members_of_an_archive_unite_as_inputs_do() {
    let members = YEARS.map(|(name, text)| stored(name, text.as_bytes()));
    let read = |query: &Query| {
        let mut query = query.clone();
        query.member = Some("*.csv".into());
        let rows = read_query(&zip(&members), "x.zip", &query)?;
        Ok::<_, raudal_common::Error>((rows.header().join("|"), rows.warnings().to_vec(), super::text(rows)))
    };
    let (header, warnings, rows) = read(&mode(ColumnsMode::Union)).unwrap();
    assert_eq!((&header[..], &rows[..]), ("id|pop|area|new", "1,9,,\n2,8,,\n3,7,\"5,0\",\n4,6,,x\n"));
    assert!(warnings.iter().any(|warning| warning.contains("not every member")), "{warnings:?}");
    let (header, _, rows) = read(&mode(ColumnsMode::Intersection)).unwrap();
    assert_eq!((&header[..], &rows[..]), ("id|pop", "1,9\n2,8\n3,7\n4,6\n"));
    let mut select = mode(ColumnsMode::Strict);
    select.select = Select::parse("pop as people,id").unwrap();
    let (header, _, rows) = read(&select).unwrap();
    assert_eq!((&header[..], &rows[..]), ("people|id", "9,1\n8,2\n7,3\n6,4\n"));
    select.select = Select::parse("area").unwrap();
    assert_eq!(read(&select).unwrap_err().to_string(), "x.zip: 2019.csv: no such column: \"area\"");
    select.columns_mode = ColumnsMode::Union;
    assert_eq!(read(&select).unwrap().2, "\"\"\n\"\"\n\"5,0\"\n\"\"\n");
    assert_eq!(read(&mode(ColumnsMode::Strict)).unwrap_err().kind(), Kind::Headers);
    select.pick.count = true;
    assert_eq!(read(&select).unwrap().2, "", "rows that are only counted are not held");
}

#[test]
fn in_a_union_a_name_that_no_input_has_is_an_error_and_one_that_some_have_is_null_elsewhere() {
    let mut query = mode(ColumnsMode::Union);
    query.filter = Some(Filter::parse("area is null").unwrap());
    assert_eq!(csv(&query, &YEARS), "id,pop,area,new\n1,9,,\n2,8,,\n4,6,,x\n");
    query.select = Select::parse("area,id").unwrap();
    assert_eq!(csv(&query, &YEARS), "area,id\n,1\n,2\n,4\n");
    query.select = Select::parse("aera,id").unwrap();
    let error = made(&query, SinkOptions::default(), &YEARS).unwrap_err();
    assert_eq!((error.kind(), error.message()), (Kind::Column, "no input has the column: \"aera\""));
}

#[test]
fn an_input_with_a_name_twice_is_refused_in_a_union_and_the_others_go_on() {
    let shared = Shared::default();
    let sink = Sink::create(Target::Writer(Box::new(shared.clone())), SinkOptions::default()).unwrap();
    let query = mode(ColumnsMode::Union);
    let mut table = Table::new(sink, &query).unwrap();
    let mut append = |name: &str, text: &str| {
        let rows = read_query(text.as_bytes(), name, &query).unwrap();
        table.append(name, name, rows)
    };
    append("a.csv", "x\n1\n").unwrap();
    let error = append("b.csv", "x,y,y\n1,2,3\n").unwrap_err();
    assert_eq!(error.kind(), Kind::Headers);
    assert!(error.to_string().starts_with("b.csv: the header has this name more than once"), "{error}");
    assert!(error.hint_text().is_some_and(|hint| hint.contains("[`columns`]")), "{error:?}");
    append("c.csv", "z\n3\n").unwrap();
    table.finish().unwrap();
    assert_eq!(shared.text(), "x,z\n1,\n,3\n");
}

#[test]
fn a_limit_takes_the_first_rows_in_input_order_and_then_the_table_is_full() {
    for (limit, rows) in [(1, "1,9\n"), (2, "1,9\n2,8\n"), (3, "1,9\n2,8\n3,7\n"), (9, "1,9\n2,8\n3,7\n4,6\n")] {
        for columns in [ColumnsMode::Strict, ColumnsMode::Union, ColumnsMode::Intersection] {
            let mut query = mode(columns);
            query.select = Select::parse("id,pop").unwrap();
            query.pick.limit = Some(limit);
            let (text, written, _) = made(&query, SinkOptions::default(), &YEARS).unwrap();
            assert_eq!(text, format!("id,pop\n{rows}"), "{limit} {columns}");
            assert_eq!(written.rows, limit.min(4));
        }
    }
}

#[test]
fn equal_rows_are_written_once_whatever_the_order_of_their_columns() {
    let inputs: &[Input<'_>] =
        &[("a", "x,y\n1,2\n1,2\n\"1\",2\n2,1\n"), ("b", "y,x\n2,1\n3,1\n"), ("c", "x,y\n1,3\n\"1,2\",\n1,\"2,\"\n")];
    for columns in [ColumnsMode::Strict, ColumnsMode::Union, ColumnsMode::Intersection] {
        let mut query = mode(columns);
        query.pick.distinct = true;
        assert_eq!(csv(&query, inputs), "x,y\n1,2\n2,1\n1,3\n\"1,2\",\n1,\"2,\"\n");
        query.pick.limit = Some(3);
        assert_eq!(csv(&query, inputs), "x,y\n1,2\n2,1\n1,3\n");
    }
    // A cell that is missing is empty.
    let mut query = mode(ColumnsMode::Union);
    query.pick.distinct = true;
    assert_eq!(csv(&query, &[("a", "x\n1\n"), ("b", "x,y\n1,\n1,2\n")]), "x,y\n1,\n1,2\n");
}

#[test]
fn a_sample_is_the_same_for_the_same_seed_and_keeps_the_order_of_the_inputs() {
    let text =
        |from: u32| "n\n".to_owned() + &(from..from + 500).fold(String::new(), |text, n| text + &n.to_string() + "\n");
    let (a, b) = (text(0), text(500));
    let inputs: &[Input<'_>] = &[("a", &a), ("b", &b)];
    let sample = |rows, seed| {
        let mut query = Query::new();
        query.memory = 64;
        query.pick.sample = Some(Sample { rows, seed });
        let text = csv(&query, inputs);
        text.lines().skip(1).map(|n| n.parse::<u32>().unwrap()).collect::<Vec<_>>()
    };
    let first = sample(10, 7);
    assert_eq!(first, sample(10, 7));
    assert_ne!(first, sample(10, 8));
    assert!(first.len() == 10 && first.is_sorted() && first.windows(2).all(|pair| pair[0] != pair[1]), "{first:?}");
    assert_eq!(sample(1000, 1), (0..1000).collect::<Vec<_>>());
    assert_eq!(sample(5000, 1).len(), 1000);
    // Each row is as likely: of 400 samples of 10 rows, about 2000 rows are of the second input.
    let late: usize = (0..400).map(|seed| sample(10, seed).iter().filter(|n| **n >= 500).count()).sum();
    assert!((1850..2150).contains(&late), "{late}");
}

#[test]
fn a_sample_has_its_sources_and_works_with_all_modes() {
    for columns in [ColumnsMode::Strict, ColumnsMode::Union, ColumnsMode::Intersection] {
        let mut query = mode(columns);
        query.select = Select::parse("id").unwrap();
        query.pick.sample = Some(Sample { rows: 9, seed: 0 });
        let mut options = SinkOptions::new(Format::Csv);
        options.source_column = Some("year".into());
        let (text, ..) = made(&query, options, &YEARS).unwrap();
        assert_eq!(text, "year,id\n2019.csv,1\n2019.csv,2\n2020.csv,3\n2021.csv,4\n");
    }
    let mut query = Query::new();
    query.filter = Some(Filter::parse("id > 100").unwrap());
    query.pick.sample = Some(Sample { rows: 9, seed: 0 });
    assert_eq!(csv(&query, &YEARS[..1]), "id,pop\n", "without rows there is a header");
}

#[test]
fn a_count_has_a_row_for_each_input_and_one_for_all() {
    let mut query = Query::new();
    query.filter = Some(Filter::parse("pop > 7").unwrap());
    query.pick.count = true;
    let expected = "input,read,kept\n2019.csv,2,2\n2020.csv,1,0\n2021.csv,1,0\ntotal,4,2\n";
    assert_eq!(csv(&query, &YEARS), expected, "columns may differ");
    query.columns_mode = ColumnsMode::Union;
    assert_eq!(csv(&query, &YEARS), expected);
}

#[test]
fn what_excludes_each_other_is_refused_before_anything_is_read() {
    let sample = Some(Sample { rows: 1, seed: 0 });
    for (limit, sample, distinct, count) in [
        (Some(0), None, false, false),
        (None, Some(Sample { rows: 0, seed: 0 }), false, false),
        (Some(1), sample, false, false),
        (Some(1), None, false, true),
        (None, sample, false, true),
        (None, None, true, true),
    ] {
        let mut query = Query::new();
        (query.pick.limit, query.pick.sample) = (limit, sample);
        (query.pick.distinct, query.pick.count) = (distinct, count);
        let error = query.check().unwrap_err();
        assert!(error.kind() == Kind::Usage && error.hint_text().is_some(), "{error:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Rows of any size wait in files, and come out as they would have without waiting.
    #[test]
    fn a_union_of_equal_columns_is_what_strict_columns_give(
        inputs in prop::collection::vec(prop::collection::vec([prop::sample::select(&["", "1", "\"x,\"", "\"a\nb\"", "\"q\"\"\""][..]), prop::sample::select(&["", "2", "é"][..])], 0..6), 1..5),
        memory in prop::sample::select(&[0, 1, 10, 1000][..]),
        distinct in any::<bool>(),
        limit in prop::option::of(1..9_u64),
    ) {
        let texts: Vec<String> = inputs.iter().map(|rows| format!("a,b\n{}", rows.iter().map(|row| row.join(",") + "\n").collect::<String>())).collect();
        let inputs: Vec<Input<'_>> = texts.iter().map(|text| ("x", &text[..])).collect();
        let mut query = mode(ColumnsMode::Strict);
        (query.memory, query.pick.distinct, query.pick.limit) = (memory, distinct, limit);
        let strict = csv(&query, &inputs);
        for columns in [ColumnsMode::Union, ColumnsMode::Intersection] {
            query.columns_mode = columns;
            prop_assert_eq!(&csv(&query, &inputs), &strict);
        }
        let all = csv(&mode(ColumnsMode::Strict), &inputs);
        if limit.is_none() && !distinct {
            prop_assert_eq!(all, strict);
        }
    }
}

#[test]
fn columns_that_get_names_by_their_place_are_refused_in_another_order() {
    let mut query = Query::new();
    query.dialect.columns = vec!["a".into(), "b".into()];
    let moved = [("2019.csv", "id,pop\n1,10\n"), ("2021.csv", "POP, id\n30,3\n")];
    for pick in [ColumnsMode::Strict, ColumnsMode::Union] {
        query.columns_mode = pick;
        let error = made(&query, SinkOptions::default(), &moved).unwrap_err();
        assert_eq!(error.kind(), Kind::Headers);
        assert_eq!(error.to_string(), "2021.csv: its columns are in another order: \" id\" is column 2, not 1");
        let hint = error.hint_text().unwrap();
        assert!(hint.starts_with("compared with the first input: 2019.csv; ") && hint.contains("[`select`]"), "{hint}");
        // Other names at the same places are what the setting is for.
        let renamed = [moved[0], ("2020.csv", "ID,POBTOT\n2,20\n"), ("2022.csv", "clave,id total\n4,40\n")];
        assert_eq!(csv(&query, &renamed), "a,b\n1,10\n2,20\n4,40\n");
    }
    query.columns_mode = ColumnsMode::Strict;
    query.member = Some("*.csv".into());
    let archive = zip(&[stored("2019.csv", moved[0].1.as_bytes()), stored("2021.csv", moved[1].1.as_bytes())]);
    let error = read_query(&archive, "x.zip", &query).unwrap_err();
    assert!(error.to_string().starts_with("x.zip: 2021.csv: its columns are in another order"), "{error}");
    query.dialect.header = crate::Header::None;
    query.member = None;
    assert_eq!(csv(&query, &moved).lines().count(), 5);
}
