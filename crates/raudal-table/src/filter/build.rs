//! Converts the operands of conditions from `sqlparser`'s tree into ours, and spells out fixes.

use sqlparser::ast::{
    BinaryOperator, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, ObjectNamePart, Spanned,
    UnaryOperator, Value,
};
use sqlparser::tokenizer::Location;

use super::amount::Sum;
use super::date::{Date, Format};
use super::eval::{Literal, Test};
use super::lex::{caret, refuse};
use super::number::Number;
use super::operand::{Is, Operand};
use crate::column_names::unaccent;
use raudal_common::{Error, Result};

/// Maximum nesting of sums and functions. A long sum nests to the left.
const DEPTH: usize = 100;

pub(super) struct Builder<'a> {
    text: &'a str,
    /// The columns that were named so far.
    pub(super) columns: Vec<String>,
}

impl<'a> Builder<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, columns: Vec::new() }
    }

    pub(super) fn refuse(&self, expr: &Expr, why: &str) -> Error {
        refuse(self.text, start(expr), why)
    }

    /// Like [`Self::refuse`], and spells out the fix.
    pub(super) fn fix(&self, expr: &Expr, why: &str, fix: &str) -> Error {
        let shown = caret(self.text, start(expr)).map(|shown| format!("\n{shown}")).unwrap_or_default();
        Error::usage(format!("bad filter: {why}")).hint(format!("write: {fix}{shown}"))
    }

    /// What a condition is about: it has a column. In double quotes stands a column here.
    pub(super) fn subject(&mut self, expr: &Expr) -> Result<Operand> {
        if let Some(column) = self.quoted_column(expr) {
            return Ok(column);
        }
        match self.operand(expr, 0)? {
            of if of.has_column() => Ok(of),
            _ => Err(self.refuse(expr, "a column is expected here; text is in quotes, a column is not")),
        }
    }

    /// Returns the column that a text in double quotes names.
    pub(super) fn quoted_column(&mut self, expr: &Expr) -> Option<Operand> {
        match bare(expr) {
            Expr::Value(value) => match &value.value {
                Value::DoubleQuotedString(name) => Some(self.column(name)),
                _ => None,
            },
            _ => None,
        }
    }

    fn column(&mut self, name: &str) -> Operand {
        let known = self.columns.iter().position(|column| column == name);
        Operand::Column(known.unwrap_or_else(|| {
            self.columns.push(name.to_owned());
            self.columns.len() - 1
        }))
    }

    pub(super) fn operand(&mut self, expr: &Expr, depth: usize) -> Result<Operand> {
        if depth > DEPTH {
            return Err(self.refuse(expr, &format!("a sum of more than {DEPTH} parts")));
        }
        match bare(expr) {
            Expr::Identifier(name) => Ok(self.column(&name.value)),
            Expr::BinaryOp { left, op, right } => {
                let Some(sum) = sum(op) else { return Err(self.unsupported(expr)) };
                let one = self.addend(left, depth)?;
                let two = self.addend(right, depth)?;
                Ok(Operand::Sum(Box::new((one, sum, two))))
            }
            Expr::UnaryOp { op: UnaryOperator::Minus, expr: of } if !matches!(bare(of), Expr::Value(_)) => {
                let of = self.addend(of, depth)?;
                Ok(Operand::Sum(Box::new((Operand::Number("0".to_owned()), Sum::Minus, of))))
            }
            Expr::Function(function) => self.function(expr, function, depth),
            _ => self.value(expr),
        }
    }

    /// A part of a sum: a number, or a cell taken as one.
    fn addend(&mut self, expr: &Expr, depth: usize) -> Result<Operand> {
        if let Some(column) = self.quoted_column(expr) {
            return Ok(column);
        }
        let part = self.operand(expr, depth + 1)?;
        match part.is() {
            Is::Cell | Is::Number => Ok(part),
            Is::Text | Is::Date => Err(self.refuse(expr, "arithmetic takes columns and numbers")),
        }
    }

    fn function(&mut self, whole: &Expr, function: &Function, depth: usize) -> Result<Operand> {
        let name = match &function.name.0[..] {
            [ObjectNamePart::Identifier(name)] => name.value.to_ascii_lowercase(),
            _ => String::new(),
        };
        let of_list = match &function.args {
            FunctionArguments::List(list) if list.clauses.is_empty() && list.duplicate_treatment.is_none() => {
                &list.args[..]
            }
            _ => &[],
        };
        let plain = function.filter.is_none() && function.over.is_none() && function.within_group.is_empty();
        let arguments: Vec<&Expr> = of_list
            .iter()
            .filter_map(|argument| match argument {
                FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) if plain => Some(expr),
                _ => None,
            })
            .collect();
        let (of, format) = match (&name[..], &arguments[..]) {
            ("lower" | "unaccent" | "date", [of]) => (*of, None),
            ("date", [of, format]) => (*of, Some(*format)),
            ("lower" | "unaccent", _) => return Err(self.refuse(whole, &format!("{name}() takes one text"))),
            ("date", _) => return Err(self.refuse(whole, "date() takes a text, and perhaps its format: '%d/%m/%Y'")),
            _ => {
                return Err(self.refuse(whole, "functions other than lower(), unaccent() and date() are not supported"));
            }
        };
        // A text in double quotes is a column, unless it follows the word date.
        let operand = match self.quoted_column(of) {
            Some(column) => column,
            None => self.operand(of, depth + 1)?,
        };
        match (operand.is(), &name[..]) {
            (Is::Number | Is::Date, _) => Err(self.refuse(of, &format!("{name}() takes a column or a text"))),
            (_, "date") => {
                let format = format.map(|format| self.format(format)).transpose()?;
                match (operand, format) {
                    (Operand::Text(text), None) => self.date(of, &text),
                    (Operand::Text(_), Some(_)) => {
                        Err(self.refuse(of, "a written date has no format: date '2020-03-01'"))
                    }
                    (operand, format) => Ok(Operand::AsDate(Box::new(operand), format)),
                }
            }
            (_, name) => Ok(match operand {
                Operand::Text(text) if name == "lower" => Operand::Text(text.to_lowercase()),
                Operand::Text(text) => Operand::Text(unaccent(&text)),
                operand if name == "lower" => Operand::Lower(Box::new(operand)),
                operand => Operand::Unaccent(Box::new(operand)),
            }),
        }
    }

    fn format(&self, expr: &Expr) -> Result<Format> {
        match self.literal(expr)? {
            Literal::Text(format) => Format::parse(&format).map_err(|why| self.refuse(expr, &why)),
            Literal::Number(_) => Err(self.refuse(expr, "put a format in quotes: '%d/%m/%Y'")),
        }
    }

    fn date(&self, at: &Expr, text: &str) -> Result<Operand> {
        let date = Date::parse(text.as_bytes());
        date.map(Operand::Date).ok_or_else(|| self.refuse(at, "not a date: a date is written as '2020-03-01'"))
    }

    /// Takes a text for a date, as it is compared with one.
    pub(super) fn as_date(&self, at: &Expr, text: Operand) -> Result<Operand> {
        match text {
            Operand::Text(text) => self.date(at, &text),
            _ => Err(self.refuse(at, "a date compares with a date alone")),
        }
    }

    pub(super) fn value(&self, expr: &Expr) -> Result<Operand> {
        Ok(match self.literal(expr)? {
            Literal::Number(number) => Operand::Number(number),
            Literal::Text(text) => Operand::Text(text),
        })
    }

    pub(super) fn literal(&self, expr: &Expr) -> Result<Literal> {
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
                Value::SingleQuotedString(text) | Value::DoubleQuotedString(text) if !signed => {
                    Ok(Literal::Text(text.clone()))
                }
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

    pub(super) fn unsupported(&self, expr: &Expr) -> Error {
        match expr {
            Expr::CompoundIdentifier(names) => {
                let name: Vec<&str> = names.iter().map(|name| name.value.as_str()).collect();
                self.fix(expr, "a dot in the name of a column", &format!("`{}`", name.join(".")))
            }
            Expr::Function(_) => self.refuse(expr, "a value is expected here, not a function"),
            Expr::BinaryOp { op, .. } if sum(op).is_some() => self.refuse(expr, "a value is expected here, not a sum"),
            Expr::BinaryOp { .. } => self.refuse(expr, "a condition in place of a column or a value"),
            _ => self.refuse(
                expr,
                "not supported: only comparisons, in, between, like, starts with, ~, is null, and, or, not",
            ),
        }
    }
}

pub(super) fn bare(mut expr: &Expr) -> &Expr {
    while let Expr::Nested(inner) = expr {
        expr = inner;
    }
    expr
}

pub(super) fn sum(op: &BinaryOperator) -> Option<Sum> {
    Some(match op {
        BinaryOperator::Plus => Sum::Plus,
        BinaryOperator::Minus => Sum::Minus,
        BinaryOperator::Multiply => Sum::Times,
        BinaryOperator::Divide => Sum::Over,
        _ => return None,
    })
}

pub(super) fn test(op: &BinaryOperator) -> Option<Test> {
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

pub(super) fn sign(test: Test) -> &'static str {
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
pub(super) fn spelled(name: &str) -> String {
    let word = name.chars().all(|c| c.is_alphanumeric() || c == '_') && !name.starts_with(|c: char| c.is_numeric());
    if word { name.to_owned() } else { format!("`{name}`") }
}

/// Formats a column or a value as written in a filter. Returns `None` for anything larger, which
/// could be very large.
pub(super) fn word(expr: &Expr) -> Option<String> {
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
    loop {
        expr = match expr {
            Expr::BinaryOp { left, .. } => left,
            Expr::Between { expr, .. } | Expr::InList { expr, .. } | Expr::IsNull(expr) | Expr::IsNotNull(expr) => expr,
            // The name of a function, without its arguments.
            Expr::Function(function) => return function.name.span().start,
            other => return other.span().start,
        }
    }
}
