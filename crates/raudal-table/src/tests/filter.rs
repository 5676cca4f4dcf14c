//! Which rows a filter keeps, and how it refuses a bad expression.

use proptest::prelude::*;

use crate::{Filter, Query, read};
use raudal_common::Kind;

/// The `ID`s of the rows that the filter keeps.
fn kept(filter: &str, table: &str) -> Vec<String> {
    let mut query = Query::new();
    query.filter = Some(Filter::parse(filter).unwrap_or_else(|error| panic!("{filter}: {error:?}")));
    query.select = crate::Select::names(["ID"]);
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
fn text_is_matched_by_expressions_beginnings_and_without_case_or_accents() {
    let table = "ID,NOM,\"Población, total\",starts,with\n\
        a,Mérida,5,x,1\n\
        b,MERIDA,70,y,2\n\
        c,San José,,x,3\n\
        d,,3,x,4\n\
        e,\"say \"\"M\"\"\",08,,5\n";
    for (filter, ids) in [
        ("NOM ~ '^M'", "a b"),
        ("NOM ~ 'é'", "a c"),
        ("NOM ~ '(?i)^mé|JOSÉ$'", "a c"),
        ("NOM ~ 'y .M'", "e"),
        ("NOM !~ '^M'", "c e"),
        ("not NOM ~ '^M' | starts == 'y'", "b c e"),
        ("NOM ~ ('^M') and ~(NOM ~ 'A')", "a"),
        ("(NOM ~ '^M') & ~(starts == 'x')", "b"),
        ("NOM starts with 'M'", "a b"),
        ("NOM NOT STARTS WITH 'M'", "c e"),
        ("starts starts with 'x' and with == 1", "a"),
        ("with == 1 or starts == 'y'", "a b"),
        ("lower(NOM) == 'merida'", "b"),
        ("unaccent(NOM) == 'Merida'", "a"),
        ("unaccent(lower(NOM)) == 'merida'", "a b"),
        ("lower(unaccent(NOM)) in ['merida', 'san jose']", "a b c"),
        ("unaccent(lower(NOM)) == unaccent(lower('MÉRIDA'))", "a b"),
        ("lower(NOM) != 'merida'", "a c e"),
        ("lower(NOM) like 's%' or lower(NOM) ~ 'y'", "c e"),
        ("lower(NOM) starts with 'mé'", "a"),
        ("lower(NOM) is null", "d"),
        ("\"Población, total\" > 5", "b e"),
        ("`Población, total` > 5", "b e"),
        ("5 < \"Población, total\"", "b e"),
        ("\"Población, total\" is null", "c"),
        ("\"Población, total\" in [5, 8]", "a e"),
        ("\"Población, total\" between 3 and 5 and \"NOM\" ~ 'a'", "a"),
        ("\"NOM\" == \"MERIDA\"", "b"),
        ("lower(\"NOM\") == \"merida\"", "b"),
        ("\"Población, total\" * 2 == 16", "e"),
        ("NOM ilike '%É%'", "a c"),
    ] {
        assert_eq!(kept(filter, table).join(" "), ids, "{filter}");
    }
}

#[test]
fn columns_are_calculated_with_exactly() {
    let table = "ID,a,b,c\n\
        v,1,2,3\n\
        w,0.1,0.2,0.3\n\
        x,9007199254740993,0,9007199254740992\n\
        y,x,1,1\n\
        z,,1,1\n";
    for (filter, ids) in [
        ("a + b == c", "v w"),
        ("a + b != c", "x"),
        ("a - c == 1", "x"),
        ("a < b", "v w"),
        ("a > b", "x"),
        ("b >= a and c > b", "v w"),
        ("a == c + 1", "x"),
        ("a / b == 0.5", "v w"),
        ("a / b > 0 or b == 0", "v w x"),
        ("100 * a / c > 33 and a < 2", "v w"),
        ("a * -1 < -0.5", "v x"),
        ("-a == -1", "v"),
        ("a == 1 + 1 - 1", "v"),
        ("(a + b) * 2 == 6", "v"),
        ("a + b * 2 == 5", "v"),
        ("a + 1 is null", "y z"),
        ("a + b between 3 and 4", "v"),
        ("b between a and c", "v w"),
        ("a + 1 in [2, 3]", "v"),
    ] {
        assert_eq!(kept(filter, table).join(" "), ids, "{filter}");
    }
    let long = format!("a{} == 51", " + 1".repeat(50));
    assert_eq!(kept(&long, table), ["v"]);
}

#[test]
fn dates_are_compared_as_dates_where_they_are_typed() {
    let table = "ID,iso,dia,date\n\
        a,2020-02-29,29/2/2020,1\n\
        b,2020-03-01T10:00,01/03/2020,2\n\
        c,2021-01-01,1/1/2021,3\n\
        d,,,4\n\
        e,2020-3-1,2020-03-01,5\n";
    for (filter, ids) in [
        ("iso >= date '2020-03-01'", "b c"),
        ("iso == date '2020-03-01'", "b"),
        ("date \"2020-03-01\" > iso", "a"),
        ("iso != DATE '2020-03-01'", "a c"),
        ("iso between date '2020-02-29' and date '2020-03-01'", "a b"),
        ("date(dia, '%d/%m/%Y') < '2020-12-31'", "a b"),
        ("date(dia, '%d/%m/%Y') in ['2021-01-01', '2020-02-29']", "a c"),
        ("date(dia, '%d/%m/%Y') == date(iso)", "a b c"),
        ("date(dia, '%d/%m/%Y') is null", "d e"),
        ("date(iso) > '2020-12-31' or date == 1", "a c"),
        ("date > 4 and iso > '2020-2'", "e"),
    ] {
        assert_eq!(kept(filter, table).join(" "), ids, "{filter}");
    }
}

#[test]
fn cells_that_are_neither_null_nor_of_the_kind_they_are_compared_with_are_counted() {
    let mut query = Query::new();
    let filter = "a + 1 > 5 and a < 100 or date(d, '%d/%m/%Y') > '2020-01-01'";
    query.filter = Some(Filter::parse(filter).unwrap());
    let table = "a,d\n1,x\n\"12,5\",1/2/2019\n,\n7,2020-01-01\ny,\n";
    let rows = read(std::io::Cursor::new(table), "t.csv", &query, &()).unwrap();
    let warnings: Vec<&str> =
        rows.warnings().iter().filter_map(|said| said.split_once(" (").map(|(said, _)| said)).collect();
    assert_eq!(
        warnings,
        [
            "column \"a\": 2 cells were no number for the filter, and so null, the first at line 3: \"12,5\"",
            "column \"d\": 1 cell was no date for the filter, and so null, at line 2: \"x\"",
        ]
    );
}

#[test]
fn null_is_one_thing_everywhere() {
    let table = "ID,p,t\na,5,x\nb,*,*\nc,N/D,y\nd,,\ne, * ,N/D\nf,-9,z\ng,abc,w\n";
    let with = |filter: &str| {
        let mut query = Query::new();
        query.nulls = crate::Nulls::new(["*", "N/D", "-9"]);
        query.filter = Some(Filter::parse(filter).unwrap());
        query.select = crate::Select::names(["ID"]);
        super::text(read(std::io::Cursor::new(table), "t.csv", &query, &()).unwrap()).replace('\n', "")
    };
    for (filter, ids) in [
        ("p is null", "bcdef"),
        ("p is not null", "ag"),
        ("t is null", "bde"),
        ("p != 5", ""),
        ("p < 5", ""),
        ("p == -9", ""),
        ("p != 5 or p is null", "bcdef"),
        ("t != 'x'", "cfg"),
        ("t not in ['x', 'y']", "fg"),
        ("t not like 'x%'", "cfg"),
        ("t !~ 'x'", "cfg"),
        ("t not starts with 'x'", "cfg"),
        ("lower(t) != 'x'", "cfg"),
        ("p + 1 != 6", ""),
        // A text that is null itself is meant as the text.
        ("p == '*'", "b"),
        ("t != ''", "abcefg"),
        ("t in ['N/D', 'x']", "ae"),
    ] {
        assert_eq!(with(filter), ids, "{filter}");
    }
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
        ("MUN == Jalisco", "two columns", "MUN == 'Jalisco' for a text, MUN == Jalisco + 0 for numbers"),
        ("upper(MUN) == 'A'", "functions", "^"),
        ("MUN + 1", "sum alone", "^"),
        ("MUN + 'x' == 1", "arithmetic takes", "^"),
        ("MUN in [1 + 1]", "not a sum", "^"),
        ("MUN % 2 == 0", "rest of a division", "^"),
        ("1 + 1 == 2", "needs a column", "^"),
        ("MUN + 1 == 'x'", "does not compare with text", "^"),
        ("lower(NOM) == 5", "does not compare with text", "^"),
        ("date(d) == 5", "a date alone", "^"),
        ("date(d) == 'x'", "not a date", "^"),
        ("d == date '2020-02-30'", "not a date", "^"),
        ("d > 2020-03-01", "date '2020-03-01'", "^"),
        ("date(d, '%d/%m') == '2020-03-01'", "one year", "^"),
        ("date(d, 5) == '2020-03-01'", "format", "^"),
        ("lower(NOM, 1) == 'x'", "one text", "^"),
        ("lower(*) == 'x'", "one text", "^"),
        ("lower(NOM)", "function alone", "^"),
        ("lower(NOM) == 'San'", "never gives", "write: 'san'"),
        ("unaccent(NOM) starts with 'Mé'", "never gives", "write: 'Me'"),
        ("lower(NOM) in ['a', 'B']", "never gives", "write: 'b'"),
        ("lower(NOM) like 'San%'", "never gives", "write: 'san%'"),
        ("NOM starts with 5", "compares text", "starts with '5'"),
        ("MUN + 1 starts with 'a'", "text is expected", "^"),
        ("NOM ~ '('", "regular expression: unclosed group", "^"),
        ("NOM ~ 5", "in quotes", "^"),
        (r"NOM ~ '\w{1000}{1000}'", "too large", "^"),
        ("MUN == 0 && LOC == 0", "and is a word: &&", "write: and"),
        ("MUN == 0 || LOC == 0", "or is a word: ||", "write: or"),
        ("!(MUN == 0)", "not is a word: !", "write: not"),
        ("NOM ~* 'x'", "case", "(?i)"),
        ("NOM ~~ 'x'", "like is a word", "write: like"),
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
        assert_eq!(error.kind(), Kind::Usage, "{filter}: {error}");
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
        format!("MUN in [1] or 1{} between 1 and 2", " + MUN".repeat(990)),
        format!("lower(1{}) == 'x'", " + MUN".repeat(990)),
        format!("{}MUN{} == 'x'", "lower(".repeat(99), ")".repeat(99)),
        format!("{}MUN{} == 'x'", "lower(".repeat(990), ")".repeat(990)),
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
    assert_eq!((missed.kind(), missed.message()), (Kind::Column, "no such column: \"POBTO\""));
    assert!(missed.hint_text().unwrap().starts_with("did you mean \"POBTOT\""), "{missed:?}");
    assert_eq!(error("mun == 1", "POBTOT,MUN\n1,3\n").hint_text(), Some("did you mean \"MUN\"?"));
    assert_eq!(error("zzz == 1", "POBTOT,MUN\n1,3\n").hint_text(), Some("the header has \"POBTOT\", \"MUN\""));
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
            Just("starts with"), Just("not"), Just("date"), Just("lower("), Just("'2020-03-01'"), Just("+"), Just("/"), Just("!"), Just("&&"),
            Just("between"), Just("like"), Just(","), Just("-"), Just("."), Just("é"), Just("\n"), Just("'"), Just("$"), Just("::"),
        ], 0..14)) {
        let _ = Filter::parse(&words.join(" "));
        let _ = Filter::parse(&words.concat());
    }
}

#[test]
fn words_that_are_no_filter_are_told_what_is() {
    for (filter, fix) in [
        ("Población total > 7", "`Población total`"),
        ("NOM == San José", "'San José'"),
        ("NOM contains 'x'", "like '%…%'"),
        ("NOM startswith 'x'", "starts with '…'"),
        ("NOM ends with 'x'", "like '%…'"),
        ("NOM regexp 'x'", "~ '…'"),
        ("POB isnull", "is null"),
        ("POB ≥ 5", ">="),
        ("POB => 5", ">="),
        ("NOM == “San José”", "straight quotes"),
        ("NOM == 'x' # c", "no sign of a filter"),
        ("POB is 5", "a value has =="),
    ] {
        let error = Filter::parse(filter).unwrap_err();
        let said = format!("{error} {}", error.hint_text().unwrap_or_default());
        assert!(said.contains(fix), "{filter}: {said}");
        assert!(!said.contains("token") && !said.contains("DISTINCT"), "{filter}: {said}");
    }
    let mut query = Query::new();
    query.filter = Some(Filter::parse("x-y == 1").unwrap());
    let error = read(std::io::Cursor::new("id,x-y\n1,2\n"), "a.csv", &query, &()).unwrap_err();
    assert!(error.hint_text().unwrap().contains("in backticks: `x-y`"), "{error:?}");
}
