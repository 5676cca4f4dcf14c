//! Converts tokens into `sqlparser`'s tree, then into ours. Refuses anything that is not listed
//! here, and shows its place and the fix.

use sqlparser::ast::{BinaryOperator, Expr, Spanned, UnaryOperator, Value};
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::{Location, Token};

use super::eval::{Like, Literal, Node, Test};
use super::lex::{Plain, caret, end, lower, refuse, tokens};
use super::number::Number;
use raudal_common::{Error, Result};

/// Maximum nesting of parentheses and `not`.
const DEPTH: usize = 100;

/// Parses a filter. Returns the columns that it names and its tree.
pub(super) fn parse(text: &str) -> Result<(Vec<String>, Node)> {
    let tokens = tokens(text)?;
    if tokens.is_empty() {
        return Err(Error::usage("the filter is empty").hint("as in: MUN == 0 and LOC == 0"));
    }
    let mut parser = Parser::new(&Plain).with_recursion_limit(DEPTH).with_tokens_with_locations(tokens);
    let expr = parser.parse_expr().map_err(|error| syntax(text, &error))?;
    let rest = parser.peek_token();
    if rest.token != Token::EOF {
        return Err(refuse(text, rest.span.start, &leftover(&rest.token)));
    }
    let mut builder = Builder { text, columns: Vec::new() };
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
    refuse(text, place.unwrap_or_else(|| end(text)), &what)
}

struct Builder<'a> {
    text: &'a str,
    columns: Vec<String>,
}

impl Builder<'_> {
    fn refuse(&self, expr: &Expr, why: &str) -> Error {
        refuse(self.text, start(expr), why)
    }

    /// Like [`Self::refuse`], and spells out the fix.
    fn fix(&self, expr: &Expr, why: &str, fix: &str) -> Error {
        let shown = caret(self.text, start(expr)).map(|shown| format!("\n{shown}")).unwrap_or_default();
        Error::usage(format!("bad filter: {why}")).hint(format!("write: {fix}{shown}"))
    }

    fn condition(&mut self, expr: &Expr) -> Result<Node> {
        match expr {
            Expr::Nested(inner) => self.condition(inner),
            Expr::UnaryOp { op: UnaryOperator::Not, expr } => Ok(Node::Not(Box::new(self.condition(expr)?))),
            Expr::BinaryOp { op: BinaryOperator::And, .. } => Ok(Node::All(self.chain(expr, &BinaryOperator::And)?)),
            Expr::BinaryOp { op: BinaryOperator::Or, .. } => Ok(Node::Any(self.chain(expr, &BinaryOperator::Or)?)),
            Expr::BinaryOp { left, op, right } => match test(op) {
                Some(test) => self.compare(expr, left, test, right),
                None => Err(self.refuse(expr, &format!("not supported: {op}"))),
            },
            Expr::InList { expr, list, negated } => {
                let column = self.column(expr)?;
                let list = list.iter().map(|item| self.literal(item)).collect::<Result<Vec<_>>>()?;
                Ok(negate(Node::In { column, list }, *negated))
            }
            Expr::Between { expr, negated, low, high } => {
                let column = self.column(expr)?;
                let low = Node::Compare { column, test: Test::AtLeast, with: self.literal(low)? };
                let high = Node::Compare { column, test: Test::AtMost, with: self.literal(high)? };
                Ok(negate(Node::All(vec![low, high]), *negated))
            }
            Expr::IsNull(expr) => Ok(Node::Null { column: self.column(expr)? }),
            Expr::IsNotNull(expr) => Ok(negate(Node::Null { column: self.column(expr)? }, true)),
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
            _ => Err(self.unsupported(expr)),
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
            && self::test(op).is_some()
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
        match (is_column(left), is_column(right)) {
            (true, false) => {
                let column = self.column(left)?;
                Ok(Node::Compare { column, test, with: self.literal(right)? })
            }
            (false, true) => {
                let with = self.literal(left)?;
                Ok(Node::Compare { column: self.column(right)?, test: test.turned(), with })
            }
            (true, true) => {
                let fix =
                    format!("{} {} '{}'", word(left).unwrap_or_default(), sign(test), word(right).unwrap_or_default());
                Err(self.fix(right, "two columns cannot be compared; is the second one text?", &fix))
            }
            (false, false) => match (self.literal(left), self.literal(right)) {
                (Err(error), _) | (_, Err(error)) => Err(error),
                _ => Err(self.refuse(whole, "a comparison needs a column; text is in quotes, a column is not")),
            },
        }
    }

    fn like(&mut self, expr: &Expr, pattern: &Expr, fold: bool) -> Result<Node> {
        let column = self.column(expr)?;
        let Literal::Text(text) = self.literal(pattern)? else {
            return Err(self.refuse(pattern, "like needs a pattern in quotes, as in like 'San %'"));
        };
        let text = if fold { text.to_lowercase() } else { text };
        let pattern = text
            .chars()
            .map(|c| match c {
                '%' => Like::Any,
                '_' => Like::One,
                c => Like::Just(c),
            })
            .collect();
        Ok(Node::Like { column, pattern, fold })
    }

    /// Returns the index of a column in the list.
    fn column(&mut self, expr: &Expr) -> Result<usize> {
        match bare(expr) {
            Expr::Identifier(name) => {
                let known = self.columns.iter().position(|column| *column == name.value);
                Ok(known.unwrap_or_else(|| {
                    self.columns.push(name.value.clone());
                    self.columns.len() - 1
                }))
            }
            Expr::Value(_) => Err(self.refuse(expr, "a column is expected here; text is in quotes, a column is not")),
            other => Err(self.unsupported(other)),
        }
    }

    fn literal(&self, expr: &Expr) -> Result<Literal> {
        let (sign, value) = match bare(expr) {
            Expr::UnaryOp { op: UnaryOperator::Minus, expr } => ("-", bare(expr)),
            Expr::UnaryOp { op: UnaryOperator::Plus, expr } => ("", bare(expr)),
            other => ("", other),
        };
        let signed = !std::ptr::eq(value, bare(expr));
        match value {
            Expr::Value(value) => match &value.value {
                Value::Number(number, false) if Number::parse(number.as_bytes()).is_some() => {
                    Ok(Literal::Number(format!("{sign}{number}")))
                }
                Value::SingleQuotedString(text) if !signed => Ok(Literal::Text(text.clone())),
                Value::Boolean(truth) => Err(self.fix(
                    expr,
                    "a cell is text or a number",
                    &format!("'{truth}', as it is spelled in the cells"),
                )),
                Value::Null => Err(self.fix(expr, "nothing equals null", "column is null")),
                _ => Err(self.refuse(expr, "neither a number nor a text in quotes")),
            },
            Expr::Identifier(name) => {
                Err(self.fix(expr, "a value is expected here, not a column", &format!("'{}'", name.value)))
            }
            other => Err(self.unsupported(other)),
        }
    }

    fn unsupported(&self, expr: &Expr) -> Error {
        match expr {
            Expr::CompoundIdentifier(names) => {
                let name: Vec<&str> = names.iter().map(|name| name.value.as_str()).collect();
                self.fix(expr, "a dot in the name of a column", &format!("`{}`", name.join(".")))
            }
            Expr::Function(_) => self.refuse(expr, "functions are not supported"),
            Expr::BinaryOp { op, .. }
                if test(op).is_some() || matches!(op, BinaryOperator::And | BinaryOperator::Or) =>
            {
                self.refuse(expr, "a condition in place of a column or a value")
            }
            Expr::BinaryOp { op, .. } => self.refuse(expr, &format!("arithmetic is not supported: {op}")),
            _ => self.refuse(
                expr,
                "not supported: only comparisons of a column with a value, in, between, like, is null, and, or, not",
            ),
        }
    }
}

fn bare(mut expr: &Expr) -> &Expr {
    while let Expr::Nested(inner) = expr {
        expr = inner;
    }
    expr
}

fn is_column(expr: &Expr) -> bool {
    matches!(bare(expr), Expr::Identifier(_))
}

fn negate(node: Node, negated: bool) -> Node {
    if negated { Node::Not(Box::new(node)) } else { node }
}

fn test(op: &BinaryOperator) -> Option<Test> {
    Some(match op {
        BinaryOperator::Eq => Test::Equal,
        BinaryOperator::NotEq => Test::Unequal,
        BinaryOperator::Lt => Test::Less,
        BinaryOperator::LtEq => Test::AtMost,
        BinaryOperator::Gt => Test::More,
        BinaryOperator::GtEq => Test::AtLeast,
        _ => return None,
    })
}

fn sign(test: Test) -> &'static str {
    match test {
        Test::Equal => "==",
        Test::Unequal => "!=",
        Test::Less => "<",
        Test::AtMost => "<=",
        Test::More => ">",
        Test::AtLeast => ">=",
    }
}

/// Formats a column as written in a filter.
fn spelled(name: &str) -> String {
    let word = name.chars().all(|c| c.is_alphanumeric() || c == '_') && !name.starts_with(|c: char| c.is_numeric());
    if word { name.to_owned() } else { format!("`{name}`") }
}

/// Formats a column or a value as written in a filter. Returns `None` for anything larger, which
/// could be very large.
fn word(expr: &Expr) -> Option<String> {
    match bare(expr) {
        Expr::Identifier(name) => Some(spelled(&name.value)),
        Expr::Value(value) => Some(value.to_string()),
        Expr::UnaryOp { op: UnaryOperator::Minus, expr } => match &**expr {
            Expr::Value(value) => Some(format!("-{value}")),
            _ => None,
        },
        _ => None,
    }
}

/// Returns where an expression begins. It loops because `Spanned` would recurse into a long chain.
fn start(mut expr: &Expr) -> Location {
    while let Expr::BinaryOp { left, .. } = expr {
        expr = left;
    }
    expr.span().start
}
