//! Compares the filter with an evaluator that is too simple to be wrong. False is 0, null is 1,
//! true is 2; `and` is the minimum, `or` is the maximum, `not` is 2 minus the value.

use std::fmt::Write;

use proptest::prelude::*;

use crate::{Filter, Query, read};

const COLUMNS: [&str; 3] = ["a", "B2", "c d"];

#[derive(Clone, Debug)]
enum Literal {
    Number(&'static str),
    Text(&'static str),
}

#[derive(Clone, Debug)]
enum Tree {
    Compare(usize, &'static str, Literal),
    /// The value comes first.
    Turned(usize, &'static str, Literal),
    In(usize, bool, Vec<Literal>),
    Between(usize, bool, Literal, Literal),
    Null(usize, bool),
    Like(usize, bool, bool, &'static str),
    Not(Box<Tree>),
    And(Box<Tree>, Box<Tree>),
    Or(Box<Tree>, Box<Tree>),
}

const NUMBERS: [&str; 8] = ["0", "1", "-1", "7", "0.5", "-2.25", "1000", "1e2"];
const TEXTS: [&str; 9] = ["", "N/D", "000", "x", "San Juan", "it's", "say \"hi\"", "ñ", "*"];
const CELLS: [&str; 22] = [
    "",
    " ",
    "0",
    "000",
    " 1 ",
    "-1",
    "+7",
    "0.50",
    ".5",
    "-2.25",
    "1000",
    "100",
    "1e2",
    "*",
    "N/D",
    "nan",
    "inf",
    "x",
    "San Juan",
    "it's",
    "say \"hi\"",
    "Ñ",
];
const PATTERNS: [&str; 8] = ["%", "", "_", "San %", "%a%n", "0__", "%_%\"%", "ñ"];
const TESTS: [&str; 6] = ["==", "!=", "<", "<=", ">", ">="];

fn literal() -> impl Strategy<Value = Literal> {
    prop_oneof![
        prop::sample::select(&NUMBERS[..]).prop_map(Literal::Number),
        prop::sample::select(&TEXTS[..]).prop_map(Literal::Text),
    ]
}

fn tree() -> impl Strategy<Value = Tree> {
    let column = 0..COLUMNS.len();
    let test = || prop::sample::select(&TESTS[..]);
    let leaf = prop_oneof![
        (column.clone(), test(), literal()).prop_map(|(c, t, l)| Tree::Compare(c, t, l)),
        (column.clone(), test(), literal()).prop_map(|(c, t, l)| Tree::Turned(c, t, l)),
        (column.clone(), any::<bool>(), prop::collection::vec(literal(), 1..4))
            .prop_map(|(c, negated, list)| Tree::In(c, negated, list)),
        (column.clone(), any::<bool>(), literal(), literal())
            .prop_map(|(c, n, low, high)| Tree::Between(c, n, low, high)),
        (column.clone(), any::<bool>()).prop_map(|(c, negated)| Tree::Null(c, negated)),
        (column, any::<bool>(), any::<bool>(), prop::sample::select(&PATTERNS[..]))
            .prop_map(|(c, negated, fold, pattern)| Tree::Like(c, negated, fold, pattern)),
    ];
    leaf.prop_recursive(4, 24, 2, |inner| {
        prop_oneof![
            inner.clone().prop_map(|one| Tree::Not(Box::new(one))),
            (inner.clone(), inner.clone()).prop_map(|(one, two)| Tree::And(Box::new(one), Box::new(two))),
            (inner.clone(), inner).prop_map(|(one, two)| Tree::Or(Box::new(one), Box::new(two))),
        ]
    })
}

impl Literal {
    fn write(&self, pandas: bool) -> String {
        match self {
            Self::Number(number) => (*number).to_owned(),
            Self::Text(text) if pandas && !text.contains('"') => format!("\"{text}\""),
            Self::Text(text) => format!("'{}'", text.replace('\'', "''")),
        }
    }

    /// Compares the cell with the literal, if possible.
    fn order(&self, cell: &str) -> Option<std::cmp::Ordering> {
        match self {
            Self::Text(text) if is_null(cell) && !is_null(text) => None,
            Self::Text(text) => Some(cell.as_bytes().cmp(text.as_bytes())),
            Self::Number(number) => {
                let cell: f64 = cell.trim().parse().ok().filter(|cell: &f64| cell.is_finite())?;
                cell.partial_cmp(&number.parse().expect("a number"))
            }
        }
    }
}

/// Precedence of the operators.
const OR: u8 = 1;
const AND: u8 = 2;
const NOT: u8 = 3;

impl Tree {
    /// Writes the expression with only the necessary parentheses.
    fn write(&self, pandas: bool, outer: u8) -> String {
        let column = |at: usize| match (COLUMNS[at], pandas) {
            (name, false) if !name.contains(' ') => name.to_owned(),
            (name, _) => format!("`{name}`"),
        };
        let not = |negated: bool| if negated { "not " } else { "" };
        let (text, own) = match self {
            Self::Compare(at, test, with) => {
                let test = if !pandas && *test == "==" { "=" } else { test };
                (format!("{} {test} {}", column(*at), with.write(pandas)), u8::MAX)
            }
            Self::Turned(at, test, with) => (format!("{} {test} {}", with.write(pandas), column(*at)), u8::MAX),
            Self::In(at, negated, list) => {
                let list: Vec<String> = list.iter().map(|literal| literal.write(pandas)).collect();
                let (open, close) = if pandas { ('[', ']') } else { ('(', ')') };
                (format!("{} {}in {open}{}{close}", column(*at), not(*negated), list.join(", ")), u8::MAX)
            }
            Self::Between(at, negated, low, high) => {
                let (low, high) = (low.write(pandas), high.write(pandas));
                (format!("{} {}between {low} and {high}", column(*at), not(*negated)), u8::MAX)
            }
            Self::Null(at, negated) => (format!("{} is {}null", column(*at), not(*negated)), u8::MAX),
            Self::Like(at, negated, fold, pattern) => {
                let like = if *fold { "ilike" } else { "like" };
                (format!("{} {}{like} {}", column(*at), not(*negated), Literal::Text(pattern).write(pandas)), u8::MAX)
            }
            Self::Not(one) if pandas => (format!("~({})", one.write(pandas, 0)), NOT),
            Self::Not(one) => (format!("not {}", one.write(pandas, NOT)), NOT),
            Self::And(one, two) => {
                let word = if pandas { "&" } else { "AND" };
                (format!("{} {word} {}", one.write(pandas, AND), two.write(pandas, AND)), AND)
            }
            Self::Or(one, two) => {
                let word = if pandas { "|" } else { "or" };
                (format!("{} {word} {}", one.write(pandas, OR), two.write(pandas, OR)), OR)
            }
        };
        if own < outer { format!("({text})") } else { text }
    }

    fn eval(&self, row: &[&str]) -> u8 {
        let truth = |truth: Option<bool>| truth.map_or(1, |truth| if truth { 2 } else { 0 });
        let negate = |negated: bool, truth: u8| if negated { 2 - truth } else { truth };
        let test = |test: &str, order: std::cmp::Ordering| match test {
            "==" => order.is_eq(),
            "!=" => order.is_ne(),
            "<" => order.is_lt(),
            "<=" => order.is_le(),
            ">" => order.is_gt(),
            _ => order.is_ge(),
        };
        match self {
            Self::Compare(at, op, with) => truth(with.order(row[*at]).map(|order| test(op, order))),
            Self::Turned(at, op, with) => truth(with.order(row[*at]).map(|order| test(op, order.reverse()))),
            Self::In(at, negated, list) => {
                let any = list.iter().map(|with| truth(with.order(row[*at]).map(std::cmp::Ordering::is_eq))).max();
                negate(*negated, any.unwrap_or(0))
            }
            Self::Between(at, negated, low, high) => {
                let low = truth(low.order(row[*at]).map(std::cmp::Ordering::is_ge));
                let high = truth(high.order(row[*at]).map(std::cmp::Ordering::is_le));
                negate(*negated, low.min(high))
            }
            Self::Null(at, negated) => negate(*negated, truth(Some(is_null(row[*at])))),
            Self::Like(at, ..) if is_null(row[*at]) => 1,
            Self::Like(at, negated, fold, pattern) => {
                let lower = |text: &str| if *fold { text.to_lowercase() } else { text.to_owned() };
                let [cell, pattern] = [lower(row[*at]), lower(pattern)].map(|text| text.chars().collect::<Vec<_>>());
                negate(*negated, truth(Some(like(&cell, &pattern))))
            }
            Self::Not(one) => 2 - one.eval(row),
            Self::And(one, two) => one.eval(row).min(two.eval(row)),
            Self::Or(one, two) => one.eval(row).max(two.eval(row)),
        }
    }
}

/// As the query says: `N/D` is null, and so is a blank cell.
fn is_null(cell: &str) -> bool {
    ["", "N/D"].contains(&cell.trim())
}

fn like(cell: &[char], pattern: &[char]) -> bool {
    match (pattern, cell) {
        ([], cell) => cell.is_empty(),
        (['%', rest @ ..], cell) => (0..=cell.len()).any(|at| like(&cell[at..], rest)),
        (['_', rest @ ..], [_, after @ ..]) => like(after, rest),
        ([c, rest @ ..], [d, after @ ..]) => c == d && like(after, rest),
        _ => false,
    }
}

fn quoted(cell: &str) -> String {
    format!("\"{}\"", cell.replace('"', "\"\""))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    #[test]
    fn the_filter_agrees_with_an_evaluator_that_is_too_simple_to_be_wrong(
        tree in tree(),
        rows in prop::collection::vec([prop::sample::select(&CELLS[..]), prop::sample::select(&CELLS[..]), prop::sample::select(&CELLS[..])], 1..6),
        pandas in any::<bool>(),
    ) {
        let text = tree.write(pandas, 0);
        let mut query = Query::new();
        query.filter = Some(Filter::parse(&text).map_err(|error| TestCaseError::fail(format!("{text}: {error:?}")))?);
        query.select = crate::Select::names(["ID"]);
        query.nulls = crate::Nulls::new(["N/D"]);
        let mut table = format!("ID,{}\n", COLUMNS.join(","));
        for (id, row) in rows.iter().enumerate() {
            let _ = writeln!(table, "{id},{}", row.map(quoted).join(","));
        }
        let kept = super::text(read(std::io::Cursor::new(table), "t.csv", &query, &()).expect("a good table"));
        let kept: Vec<usize> = kept.lines().map(|id| id.parse().expect("an ID")).collect();
        let expected: Vec<usize> = (0..rows.len()).filter(|&id| tree.eval(&rows[id]) == 2).collect();
        prop_assert_eq!(kept, expected, "{} over {:?}", text, rows);
    }
}
