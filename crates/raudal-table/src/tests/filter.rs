//! Which rows a filter keeps, and how it refuses a bad expression.

use proptest::prelude::*;

use crate::{Filter, Query, read};
use raudal_common::Kind;

/// The `ID`s of the rows that the filter keeps.
fn kept(filter: &str, table: &str) -> Vec<String> {
    let mut query = Query::new();
    query.filter = Some(Filter::parse(filter).unwrap_or_else(|error| panic!("{filter}: {error:?}")));
    query.select = vec!["ID".into()];
    let rows = read(std::io::Cursor::new(table.to_owned()), "t.csv", &query, &()).unwrap();
    let text = String::from_utf8(rows.store.memory).unwrap();
    text.lines().map(str::to_owned).collect()
}

const ITER: &str = "ID,MUN,LOC,POBTOT,NOM_MUN,class name\n\
    a,000,0000,\"   22425\",Total,x\n\
    b,001,0000,900,\"San José, el\",y\n\
    c,001,0001,*,San Juan,\n\
    d,001,9998,N/D,\"say \"\"hi\"\"\",\n\
    e,002,9999,,it's,\n";

#[test]
fn the_filters_of_the_issue_work() {
    for (filter, ids) in [
        ("MUN == 0 and LOC == 0", "a"),
        ("LOC == '0000'", "a b"),
        ("LOC == '0'", ""),
        ("LOC not in [0, 9998, 9999]", "c"),
        ("MUN != 0 and LOC == 0", "b"),
        ("POBTOT > 1000 or NOM_MUN == \"San José, el\"", "a b"),
    ] {
        assert_eq!(kept(filter, ITER).join(" "), ids, "{filter}");
    }
}

#[test]
fn pandas_and_sql_say_the_same() {
    for (filter, ids) in [
        ("MUN = 1 AND NOT LOC IN (0)", "c d"),
        ("MUN == 1 & LOC != 0", "c d"),
        ("MUN == 0 | LOC == 1 & MUN == 1", "a c"),
        ("~(MUN == 1) & LOC < 9999", "a"),
        ("LOC between 1 and 9998", "c d"),
        ("LOC not between 1 and 9998", "a b e"),
        ("MUN <> 1", "a e"),
        ("1 < MUN", "e"),
        ("POBTOT is null", "e"),
        ("POBTOT IS NOT NULL AND MUN == 1", "b c d"),
        ("NOM_MUN like 'San %'", "b c"),
        ("NOM_MUN ilike 's_n j%'", "b c"),
        ("NOM_MUN not like '%a%'", "e"),
        ("`class name` == 'x'", "a"),
        ("NOM_MUN == 'say \"hi\"'", "d"),
        ("NOM_MUN == \"it's\" or NOM_MUN == 'it''s'", "e"),
        ("POBTOT > -1", "a b"),
        ("POBTOT in ['*', 900]", "b c"),
        ("((MUN == (2)))", "e"),
        ("MUN ==\n2", "e"),
    ] {
        assert_eq!(kept(filter, ITER).join(" "), ids, "{filter}");
    }
}

#[test]
fn a_cell_that_is_no_number_is_null_and_null_is_not_kept() {
    assert_eq!(kept("POBTOT == 5", ITER), [""; 0]);
    assert_eq!(kept("POBTOT != 900", ITER), ["a"]);
    assert_eq!(kept("not (POBTOT == 900)", ITER), ["a"]);
    assert_eq!(kept("POBTOT not in [900]", ITER), ["a"]);
    // Null or true is true. Null and false is false, so its negation is true.
    assert_eq!(kept("POBTOT == 5 or MUN == 2", ITER), ["e"]);
    assert_eq!(kept("not (POBTOT == 5 and MUN == 1)", ITER), ["a", "b", "e"]);
}

#[test]
fn columns_may_be_called_as_sql_words_are() {
    let table = "ID,date,ORDER,interval,case,año,select\n1,2,3,4,5,6,7\n";
    assert_eq!(
        kept("date == 2 and ORDER == 3 and interval == 4 and case == 5 and año == 6 and select == 7", table),
        ["1"]
    );
}

#[test]
fn what_is_not_understood_is_refused_with_its_place() {
    for (filter, message, hint) in [
        ("0 <= LOC <= 5", "chain", "0 <= LOC and LOC <= 5"),
        ("MUN == LOC == 0", "chain", "MUN == LOC and LOC == 0"),
        ("MUN == 0 LOC == 0", "before: LOC", "MUN == 0 LOC == 0\n           ^"),
        ("MUN ==", "found the end", "MUN ==\n        ^"),
        ("(MUN == 0", "found the end", "^"),
        ("MUN == 0)", "closing bracket", "\n          ^"),
        ("MUN == Jalisco", "two columns", "MUN == 'Jalisco'"),
        ("upper(MUN) == 'A'", "functions", "^"),
        ("MUN + 1 == 2", "arithmetic", "^"),
        ("MUN == 1 + 1", "arithmetic", "^"),
        ("MUN == null", "null", "is null"),
        ("MUN == true", "text or a number", "'true'"),
        ("a.b == 1", "a dot", "`a.b`"),
        ("MUN", "alone", "MUN == 1"),
        ("1", "alone", "^"),
        ("1 == 1", "needs a column", "^"),
        ("'MUN' in [1]", "column is expected", "^"),
        ("MUN == [1, 2]", "put in before", "^"),
        ("MUN in []", "", "^"),
        ("~MUN == 1", "parentheses", "^"),
        ("MUN == 'a", "", "^"),
        ("MUN == 1 -- or not", "comments", "^"),
        ("MUN == 0x1F", "", "^"),
        ("MUN like 5", "pattern", "^"),
        ("MUN in (select 1)", "", "^"),
        ("MUN == 1;", "", "^"),
        ("MUN = 'x'::int", "", "^"),
        ("case when 1 then 2 end", "", "^"),
        ("", "empty", "as in"),
        ("  ", "empty", "as in"),
    ] {
        let error = Filter::parse(filter).expect_err(filter);
        assert_eq!(error.kind(), Kind::Usage, "{filter}");
        assert!(error.message().contains(message), "{filter}: {error}");
        assert!(error.hint_text().unwrap_or_default().contains(hint), "{filter}: {error:?}");
    }
}

#[test]
fn depth_and_length_are_bounded() {
    let deep = [
        "(".repeat(100_000),
        format!("{}MUN == 0{}", "(".repeat(100_000), ")".repeat(100_000)),
        format!("{} MUN == 0", "not ".repeat(100_000)),
        format!("MUN == {}1", "- ".repeat(100_000)),
        format!("MUN == 0{}", " or MUN == 0".repeat(100_000)),
        format!("MUN == 1{}", " + 1".repeat(1_990)),
        format!("MUN {}", "== 1 ".repeat(1_990)),
        format!("{} MUN == 0", "~(".repeat(900)),
        format!("MUN{}", " is null".repeat(900)),
    ];
    for filter in deep {
        let error = Filter::parse(&filter).unwrap_err();
        assert!(error.kind() == Kind::Usage && error.hint_text().is_some(), "{}: {error:?}", &filter[..40]);
    }
    let or = format!("MUN == 0{}", " or MUN == 0".repeat(400));
    assert_eq!(kept(&or, ITER), ["a"]);
    let list = format!("MUN in [{}]", vec!["0"; 50_000].join(","));
    assert_eq!(kept(&list, ITER), ["a"]);
}

#[test]
fn a_column_that_is_not_there_is_named_with_its_neighbours() {
    let error = |filter: &str, table: &'static str| {
        let mut query = Query::new();
        query.filter = Some(Filter::parse(filter).unwrap());
        read(std::io::Cursor::new(table), "t.csv", &query, &()).unwrap_err()
    };
    let missed = error("POBTO == 1", "POBTOT,POBFEM,MUN\n1,2,3\n");
    assert_eq!((missed.kind(), missed.message()), (Kind::Column, "no such column: POBTO"));
    assert!(missed.hint_text().unwrap().starts_with("did you mean POBTOT"), "{missed:?}");
    assert_eq!(error("mun == 1", "POBTOT,MUN\n1,3\n").hint_text(), Some("did you mean MUN?"));
    assert_eq!(error("zzz == 1", "POBTOT,MUN\n1,3\n").hint_text(), Some("the header has POBTOT, MUN"));
    let twice = error("a == 1", "a,b,a\n1,2,3\n");
    assert_eq!((twice.kind(), twice.message().contains("columns 1 and 3")), (Kind::Column, true));
    // A duplicate name does no harm while nobody uses it.
    assert_eq!(kept("b == 2", "a,b,a,ID\n1,2,3,4\n"), ["4"]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn no_text_makes_the_parser_panic(words in proptest::collection::vec(
        prop_oneof![
            Just("a"), Just("=="), Just("and"), Just("or"), Just("not"), Just("in"), Just("["), Just("]"), Just("("), Just(")"),
            Just("1"), Just("'x'"), Just("\"y\""), Just("`z`"), Just("~"), Just("&"), Just("|"), Just("<"), Just("is"), Just("null"),
            Just("between"), Just("like"), Just(","), Just("-"), Just("."), Just("é"), Just("\n"), Just("'"), Just("$"), Just("::"),
        ], 0..14)) {
        let _ = Filter::parse(&words.join(" "));
        let _ = Filter::parse(&words.concat());
    }
}
