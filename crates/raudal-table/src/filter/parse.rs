//! Converts tokens into `sqlparser`'s tree, then into ours. Refuses anything that is not listed
//! here or in `build`, and shows its place and the fix.

use sqlparser::ast::{BinaryOperator, Expr, UnaryOperator};
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::{Location, Token};

use regex::bytes::RegexBuilder;

use super::build::{Builder, sign, spelled, test, word};
use super::eval::{By, Like, Literal, Node, Test};
use super::lex::{Plain, end, lower, refuse, tokens};
use super::operand::{Is, Operand};
use raudal_common::{Error, Result};

/// Maximum nesting of parentheses and `not`.
const DEPTH: usize = 100;

/// The stack that [`DEPTH`] needs in a build that is not optimised, where `sqlparser` takes more than 40 KiB for each
/// level. Threads of tokio and of tests have 2 MiB.
const STACK: usize = 32 << 20;

/// Parses a filter. Returns the columns that it names and its tree.
pub(super) fn parse(text: &str) -> Result<(Vec<String>, Node)> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(STACK).spawn_scoped(scope, || parse_here(text));
        let thread = thread.map_err(|error| Error::io("cannot start a thread to read the filter", error))?;
        thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

fn parse_here(text: &str) -> Result<(Vec<String>, Node)> {
    let tokens = tokens(text)?;
    if tokens.is_empty() {
        return Err(Error::usage("the filter is empty").hint("as in: MUN == 0 and LOC == 0"));
    }
    let words = tokens.clone();
    let mut parser = Parser::new(&Plain).with_recursion_limit(DEPTH).with_tokens_with_locations(tokens);
    let expr = parser.parse_expr().map_err(|error| syntax(text, &error))?;
    let rest = parser.peek_token();
    if rest.token != Token::EOF {
        let error = refuse(text, rest.span.start, &leftover(&rest.token));
        let before: Vec<&Token> =
            words.iter().take_while(|word| word.span.start < rest.span.start).map(|word| &word.token).collect();
        return Err(match meant(&before, &rest.token) {
            Some(fix) => {
                let place = error.hint_text().map(|place| format!("\n{place}")).unwrap_or_default();
                error.hint(format!("write: {fix}{place}"))
            }
            None => error,
        });
    }
    let mut builder = Builder::new(text);
    let node = builder.condition(&expr)?;
    Ok((builder.columns, node))
}

fn leftover(token: &Token) -> String {
    match token {
        Token::Word(word) => format!("expected and, or, or the end before: {}", word.value),
        Token::RParen | Token::RBracket => "a closing bracket without an opening one".to_owned(),
        _ => format!("expected and, or, or the end before: {token}"),
    }
}

/// Words of SQL that are no part of a name.
const SQL: &[&str] =
    &["select", "from", "where", "order", "group", "limit", "having", "join", "case", "when", "then", "xor", "as"];

/// Returns how to write what ends a filter before its end: a name or a text of several words without quotes, or a word
/// of another language.
fn meant(before: &[&Token], rest: &Token) -> Option<String> {
    let Token::Word(word) = rest else { return None };
    let known = match word.value.to_lowercase().as_str() {
        "contains" | "includes" | "has" => Some("like '%…%'"),
        "startswith" | "begins" | "starts" => Some("starts with '…'"),
        "endswith" | "ends" => Some("like '%…'"),
        "regexp" | "rlike" | "matches" | "match" => Some("~ '…'"),
        "isnull" | "isna" => Some("is null"),
        "notnull" | "notna" => Some("is not null"),
        _ => None,
    };
    let is_sql = |word: &str| SQL.contains(&word.to_lowercase().as_str());
    if known.is_some() || is_sql(&word.value) {
        return known.map(str::to_owned);
    }
    let [before @ .., Token::Word(last)] = before else { return None };
    if is_sql(&last.value) {
        return None;
    }
    let sign = before.last().copied().unwrap_or(&Token::EOF);
    let is_compared = matches!(sign, Token::Eq | Token::Neq | Token::Lt | Token::Gt | Token::LtEq | Token::GtEq);
    let both = format!("{} {}", last.value, word.value);
    Some(if is_compared { format!("'{both}', if that is a text") } else { format!("`{both}`, if that is one column") })
}

/// Converts a parser error. The parser gives the place only within its message.
fn syntax(text: &str, error: &ParserError) -> Error {
    let (ParserError::ParserError(message) | ParserError::TokenizerError(message)) = error else {
        return Error::usage(format!("bad filter: nested more than {DEPTH} deep"))
            .hint("remove parentheses and not where they are not needed");
    };
    let (what, place) = message.rsplit_once(" at Line: ").unwrap_or((message, ""));
    let place = place
        .split_once(", Column: ")
        .and_then(|(line, column)| Some(Location::new(line.parse().ok()?, column.parse().ok()?)));
    let what = lower(what).replace("found: EOF", "found the end").replace("found: ", "found ");
    // What the parser knows of SQL is no help here.
    let what = match what.as_str() {
        what if what.starts_with("no infix parser") => "this is no sign of a filter",
        what if what.starts_with("expected: [NOT] NULL") => "is stands before null or not null; a value has ==",
        what => what,
    };
    refuse(text, place.unwrap_or_else(|| end(text)), what)
}

impl Builder<'_> {
    fn condition(&mut self, expr: &Expr) -> Result<Node> {
        match expr {
            Expr::Nested(inner) => self.condition(inner),
            Expr::UnaryOp { op: UnaryOperator::Not, expr } => Ok(Node::Not(Box::new(self.condition(expr)?))),
            Expr::BinaryOp { op: BinaryOperator::And, .. } => Ok(Node::All(self.chain(expr, &BinaryOperator::And)?)),
            Expr::BinaryOp { op: BinaryOperator::Or, .. } => Ok(Node::Any(self.chain(expr, &BinaryOperator::Or)?)),
            Expr::BinaryOp { left, op, right } => self.between(expr, left, op, right),
            Expr::InList { expr, list, negated } => {
                let of = self.subject(expr)?;
                let node = if let Operand::Column(column) = of {
                    let list = list.iter().map(|item| self.literal(item)).collect::<Result<Vec<_>>>()?;
                    Node::In { column, list }
                } else {
                    let equals = |item: &Expr| {
                        let with = self.value(item)?;
                        self.compared(expr, of.clone(), Test::Equal, item, with)
                    };
                    Node::Any(list.iter().map(equals).collect::<Result<Vec<_>>>()?)
                };
                Ok(negate(node, *negated))
            }
            Expr::Between { expr, negated, low, high } => {
                let of = self.subject(expr)?;
                let mut end = |test, end: &Expr| {
                    let with = self.operand(end, 0)?;
                    self.compared(expr, of.clone(), test, end, with)
                };
                let ends = vec![end(Test::AtLeast, low)?, end(Test::AtMost, high)?];
                Ok(negate(Node::All(ends), *negated))
            }
            Expr::IsNull(expr) => Ok(Node::Null(self.subject(expr)?)),
            Expr::IsNotNull(expr) => Ok(negate(Node::Null(self.subject(expr)?), true)),
            Expr::Like { negated, any: false, expr, pattern, escape_char: None } => {
                self.like(expr, pattern, false).map(|node| negate(node, *negated))
            }
            Expr::ILike { negated, any: false, expr, pattern, escape_char: None } => {
                self.like(expr, pattern, true).map(|node| negate(node, *negated))
            }
            Expr::Identifier(name) => {
                Err(self.fix(expr, "a column alone is not a condition", &format!("{} == 1", spelled(&name.value))))
            }
            Expr::Value(_) => Err(self.refuse(expr, "a value alone is not a condition")),
            Expr::Function(_) => Err(self.refuse(expr, "a function alone is not a condition")),
            _ => Err(self.unsupported(expr)),
        }
    }

    /// A condition with a sign between two operands.
    fn between(&mut self, whole: &Expr, left: &Expr, op: &BinaryOperator, right: &Expr) -> Result<Node> {
        match op {
            BinaryOperator::PGRegexMatch => self.matches(left, right),
            BinaryOperator::PGRegexNotMatch => Ok(negate(self.matches(left, right)?, true)),
            BinaryOperator::PGLikeMatch => self.starts(left, right),
            BinaryOperator::PGNotLikeMatch => Ok(negate(self.starts(left, right)?, true)),
            _ => match test(op) {
                Some(test) => self.compare(whole, left, test, right),
                None if super::build::sum(op).is_some() => {
                    Err(self.refuse(whole, "a sum alone is not a condition: compare it with something"))
                }
                None => Err(self.refuse(whole, &format!("not supported: {op}"))),
            },
        }
    }

    /// Returns the parts of `a and b and c`, which the parser nests to the left. It loops because
    /// the chain may be long.
    fn chain(&mut self, expr: &Expr, by: &BinaryOperator) -> Result<Vec<Node>> {
        let mut parts = Vec::new();
        let mut rest = expr;
        while let Expr::BinaryOp { left, op, right } = rest
            && op == by
        {
            parts.push(&**right);
            rest = left;
        }
        parts.push(rest);
        parts.into_iter().rev().map(|part| self.condition(part)).collect()
    }

    fn compare(&mut self, whole: &Expr, left: &Expr, test: Test, right: &Expr) -> Result<Node> {
        if let Expr::BinaryOp { left: first, op, right: middle } = left
            && super::build::test(op).is_some()
        {
            return Err(match (word(first), word(middle), word(right)) {
                (Some(first), Some(middle), Some(last)) => {
                    let op = if *op == BinaryOperator::Eq { "==".to_owned() } else { op.to_string() };
                    let fix = format!("{first} {op} {middle} and {middle} {} {last}", sign(test));
                    self.fix(whole, "a chain of comparisons", &fix)
                }
                _ => self.refuse(whole, "a chain of comparisons: write a <= b and b <= c"),
            });
        }
        let (mut of, mut with) = (self.operand(left, 0)?, self.operand(right, 0)?);
        if !of.has_column() && !with.has_column() {
            // In double quotes stands a column, where there is no other.
            if let Some(column) = self.quoted_column(left) {
                of = column;
            } else if let Some(column) = self.quoted_column(right) {
                with = column;
            } else {
                return Err(self.refuse(whole, "a comparison needs a column; text is in quotes, a column is not"));
            }
        }
        if let (Operand::Column(_), Operand::Column(_), Test::Equal | Test::Unequal) = (&of, &with, test) {
            let [one, two] = [left, right].map(|side| word(side).unwrap_or_default());
            let fix = format!(
                "{one} {sign} '{}' for a text, {one} {sign} {two} + 0 for numbers",
                two.trim_matches('`'),
                sign = sign(test)
            );
            return Err(self.fix(right, "two columns, and nothing says what they are; is the second one text?", &fix));
        }
        if matches!((&of, &with), (Operand::Number(_) | Operand::Text(_), Operand::Column(_))) {
            return self.compared(right, with, test.turned(), left, of);
        }
        self.compared(left, of, test, right, with)
    }

    /// Compares two operands as what their forms say.
    fn compared(&self, left: &Expr, of: Operand, test: Test, right: &Expr, with: Operand) -> Result<Node> {
        match (of, with) {
            (Operand::Column(column), Operand::Number(number)) => {
                Ok(Node::Compare { column, test, with: Literal::Number(number) })
            }
            (Operand::Column(column), Operand::Text(with)) => {
                Ok(Node::Compare { column, test, with: Literal::Text(with) })
            }
            (of, with) => {
                let (of, with) = match (of.is(), with.is()) {
                    (Is::Date, Is::Text) => (of, self.as_date(right, with)?),
                    (Is::Text, Is::Date) => (self.as_date(left, of)?, with),
                    _ => (of, with),
                };
                let by = match (of.is(), with.is()) {
                    (Is::Date, Is::Date | Is::Cell) | (Is::Cell, Is::Date) => By::Date,
                    (Is::Number | Is::Cell, Is::Number | Is::Cell) => By::Number,
                    (Is::Text, Is::Text | Is::Cell) | (Is::Cell, Is::Text) => By::Text,
                    (Is::Date, _) | (_, Is::Date) => {
                        return Err(self.refuse(right, "a date compares with a date alone"));
                    }
                    _ => return Err(self.refuse(right, "a number does not compare with text")),
                };
                self.reachable(left, &of, test, &with)?;
                self.reachable(right, &with, test, &of)?;
                Ok(Node::Operands { left: of, test, right: with, by })
            }
        }
    }

    /// Refuses a text that a function can never give: `lower(NOM) == 'Ayala'`.
    fn reachable(&self, at: &Expr, of: &Operand, test: Test, with: &Operand) -> Result<()> {
        match with {
            Operand::Text(with) if matches!(test, Test::Equal | Test::Unequal) => self.gives(at, of, with),
            _ => Ok(()),
        }
    }

    fn gives(&self, at: &Expr, of: &Operand, text: &str) -> Result<()> {
        let applied = of.applied(text);
        if applied == text {
            return Ok(());
        }
        Err(self.fix(at, "this function never gives a text with such letters", &format!("'{applied}'")))
    }

    fn like(&mut self, expr: &Expr, pattern: &Expr, fold: bool) -> Result<Node> {
        let of = self.text_subject(expr)?;
        let Literal::Text(text) = self.literal(pattern)? else {
            return Err(self.refuse(pattern, "like needs a pattern in quotes, as in like 'San %'"));
        };
        let text = if fold { text.to_lowercase() } else { text };
        self.gives(pattern, &of, &text)?;
        let pattern = text
            .chars()
            .map(|c| match c {
                '%' => Like::Any,
                '_' => Like::One,
                c => Like::Just(c),
            })
            .collect();
        Ok(Node::Like { of, pattern, fold })
    }

    fn matches(&mut self, expr: &Expr, pattern: &Expr) -> Result<Node> {
        let of = self.text_subject(expr)?;
        let Literal::Text(text) = self.literal(pattern)? else {
            return Err(self.refuse(pattern, "~ needs a regular expression in quotes, as in ~ '^San '"));
        };
        let regex = RegexBuilder::new(&text).size_limit(1 << 20).build().map_err(|error| {
            let why = match error {
                regex::Error::CompiledTooBig(_) => "the regular expression is too large".to_owned(),
                error => {
                    // The last line says what is wrong, the others draw where.
                    let text = error.to_string();
                    let last = text.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
                    format!("bad regular expression: {last}")
                }
            };
            self.refuse(pattern, &why)
        })?;
        Ok(Node::Matches { of, regex })
    }

    fn starts(&mut self, expr: &Expr, with: &Expr) -> Result<Node> {
        let of = self.text_subject(expr)?;
        match self.literal(with)? {
            Literal::Text(text) => {
                self.gives(with, &of, &text)?;
                Ok(Node::Starts { of, with: text })
            }
            // The digits as the cell has them, with its zeros.
            Literal::Number(number) => {
                Err(self.fix(with, "starts with compares text", &format!("starts with '{number}'")))
            }
        }
    }

    /// An operand that is text, or a cell taken as text.
    fn text_subject(&mut self, expr: &Expr) -> Result<Operand> {
        let of = self.subject(expr)?;
        match of.is() {
            Is::Cell | Is::Text => Ok(of),
            Is::Number | Is::Date => Err(self.refuse(expr, "text is expected here: a column, lower() or unaccent()")),
        }
    }
}

fn negate(node: Node, negated: bool) -> Node {
    if negated { Node::Not(Box::new(node)) } else { node }
}
