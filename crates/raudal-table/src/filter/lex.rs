//! Splits the text of a filter into tokens, and shows where errors are.
//!
//! `sqlparser`'s tokenizer does the splitting. What `pandas.query` spells differently from SQL is
//! rewritten. Every word that is not a keyword here becomes a quoted identifier, so a column may be
//! called `DATE`, `ORDER` or `INTERVAL`.

use std::iter::Peekable;
use std::slice;

use sqlparser::dialect::Dialect;
use sqlparser::keywords::Keyword;
use sqlparser::tokenizer::{Location, Span, Token, TokenWithSpan, Tokenizer, Word};

use raudal_common::{Error, Result};

/// Maximum number of tokens, without literals and commas. Each token may be a level of the tree,
/// whose drop is recursive. Lists may have any length.
const MOST_TOKENS: usize = 2_000;

/// The plainest dialect: words, backticks, and nothing specific to one database.
#[derive(Debug)]
pub(super) struct Plain;

impl Dialect for Plain {
    fn is_identifier_start(&self, ch: char) -> bool {
        ch.is_alphabetic() || ch == '_'
    }

    fn is_identifier_part(&self, ch: char) -> bool {
        ch.is_alphanumeric() || ch == '_'
    }
}

const OURS: [Keyword; 11] = [
    Keyword::AND,
    Keyword::OR,
    Keyword::NOT,
    Keyword::IN,
    Keyword::IS,
    Keyword::NULL,
    Keyword::BETWEEN,
    Keyword::LIKE,
    Keyword::ILIKE,
    Keyword::TRUE,
    Keyword::FALSE,
];

/// The tokenizer's signs for what SQL has no sign for. They are refused in the text itself.
const STARTS: Token = Token::DoubleTilde;
const STARTS_NOT: Token = Token::ExclamationMarkDoubleTilde;

/// Returns the tokens of a filter, in `sqlparser`'s spelling.
pub(super) fn tokens(text: &str) -> Result<Vec<TokenWithSpan>> {
    let raw = split(text)?;
    let mut rewriter = Rewriter { text, raw: raw.iter().peekable(), tokens: Vec::with_capacity(raw.len()), lists: 0 };
    while let Some(TokenWithSpan { token, span }) = rewriter.raw.next() {
        let token = match token {
            Token::Word(word) => rewriter.word(word, *span),
            other => rewriter.sign(other, *span)?,
        };
        rewriter.tokens.push(TokenWithSpan::new(token, *span));
    }
    let is_light = |token: &Token| {
        matches!(token, Token::Comma | Token::Number(..) | Token::SingleQuotedString(_) | Token::DoubleQuotedString(_))
    };
    if rewriter.tokens.iter().filter(|token| !is_light(&token.token)).count() > MOST_TOKENS {
        return Err(Error::usage(format!("the filter is too long: more than {MOST_TOKENS} words and signs"))
            .hint("the values of a list are not counted: column in [1, 2, 3]"));
    }
    Ok(rewriter.tokens)
}

/// Splits the text. Refuses comments, and drops the white space.
fn split(text: &str) -> Result<Vec<TokenWithSpan>> {
    let mut raw = Tokenizer::new(&Plain, text)
        .tokenize_with_location()
        .map_err(|error| refuse(text, error.location, &lower(&error.message)))?;
    if let Some(comment) =
        raw.iter().find(|raw| matches!(&raw.token, Token::Whitespace(space) if !space.to_string().trim().is_empty()))
    {
        return Err(refuse(text, comment.span.start, "comments are not supported"));
    }
    raw.retain(|raw| !matches!(raw.token, Token::Whitespace(_)));
    Ok(raw)
}

/// Rewrites what `pandas.query` spells differently from SQL.
struct Rewriter<'a> {
    text: &'a str,
    raw: Peekable<slice::Iter<'a, TokenWithSpan>>,
    tokens: Vec<TokenWithSpan>,
    /// Lists whose bracket is open.
    lists: usize,
}

impl Rewriter<'_> {
    fn previous(&self) -> Option<&Token> {
        self.tokens.last().map(|token| &token.token)
    }

    fn is_after_operand(&self) -> bool {
        self.previous().is_some_and(ends_operand)
    }

    fn next_is(&mut self, is: impl FnOnce(&Token) -> bool) -> bool {
        self.raw.peek().is_some_and(|next| is(&next.token))
    }

    fn sign(&mut self, token: &Token, span: Span) -> Result<Token> {
        let refused = |what: &str| Err(refuse(self.text, span.start, what));
        Ok(match token {
            Token::DoubleEq => Token::Eq,
            Token::Ampersand => word("AND", Keyword::AND),
            Token::Pipe => word("OR", Keyword::OR),
            Token::Tilde if self.is_after_operand() => Token::Tilde,
            Token::Tilde if self.raw.peek().is_some_and(|next| next.token == Token::LParen) => {
                word("NOT", Keyword::NOT)
            }
            Token::Tilde => return refused("put the condition after ~ in parentheses: ~(…)"),
            token if foreign(token).is_some() => {
                let (why, fix) = foreign(token).unwrap_or_default();
                let place = caret(self.text, span.start).map(|place| format!("\n{place}")).unwrap_or_default();
                return Err(Error::usage(format!("bad filter: {why}: {token}")).hint(format!("write: {fix}{place}")));
            }
            Token::LBracket if matches!(self.previous(), Some(Token::Word(word)) if word.keyword == Keyword::IN) => {
                self.lists += 1;
                Token::LParen
            }
            Token::LBracket => return refused("put in before a list in brackets: column in [1, 2]"),
            Token::RBracket if self.lists > 0 => {
                self.lists -= 1;
                Token::RParen
            }
            // A day written without quotes would be a subtraction.
            Token::Number(year, false) if is_bare_date(year, self.raw.clone()) => {
                return refused("put a date in quotes, and the word date before it: date '2020-03-01'");
            }
            other => other.clone(),
        })
    }

    fn word(&mut self, word: &Word, span: Span) -> Token {
        // Text, or a column where only a column can stand.
        if word.quote_style == Some('"') {
            return Token::DoubleQuotedString(word.value.clone());
        }
        if is_word(word, "starts") && self.next_is(is_with) {
            return self.starts().unwrap_or_else(|| column(word));
        }
        if is_word(word, "date") && self.next_is(is_text) && !self.is_after_operand() {
            return self.date(word, span);
        }
        let is_ours = word.quote_style.is_none() && OURS.contains(&word.keyword);
        if is_ours { Token::Word(word.clone()) } else { column(word) }
    }

    /// `starts with`, after an operand, or after one and `not`.
    fn starts(&mut self) -> Option<Token> {
        let token = match &self.tokens[..] {
            _ if self.is_after_operand() => STARTS,
            [.., before, not] if is_not(&not.token) && ends_operand(&before.token) => {
                self.tokens.pop();
                STARTS_NOT
            }
            _ => return None,
        };
        self.raw.next();
        Some(token)
    }

    /// `date '2020-03-01'`, as a call of the function.
    fn date(&mut self, name: &Word, span: Span) -> Token {
        let literal = self.raw.next().map(|literal| match &literal.token {
            Token::Word(quoted) => Token::SingleQuotedString(quoted.value.clone()),
            other => other.clone(),
        });
        let call = [Some(column(name)), Some(Token::LParen), literal];
        self.tokens.extend(call.into_iter().flatten().map(|token| TokenWithSpan::new(token, span)));
        Token::RParen
    }
}

/// What a sign of another language means, and how it is written here.
fn foreign(token: &Token) -> Option<(&'static str, &'static str)> {
    Some(match token {
        Token::Overlap => ("and is a word", "and"),
        Token::StringConcat => ("or is a word", "or"),
        Token::ExclamationMark | Token::DoubleExclamationMark => ("not is a word", "not"),
        Token::TildeAsterisk => ("case is ignored by the expression itself", "~ '(?i)…'"),
        Token::ExclamationMarkTildeAsterisk => ("case is ignored by the expression itself", "!~ '(?i)…'"),
        Token::DoubleTilde => ("like is a word", "like"),
        Token::DoubleTildeAsterisk => ("ilike is a word", "ilike"),
        Token::ExclamationMarkDoubleTilde => ("not like are words", "not like"),
        Token::ExclamationMarkDoubleTildeAsterisk => ("not ilike are words", "not ilike"),
        Token::DuckIntDiv => ("not a sign of a filter", "/"),
        Token::Mod => ("the rest of a division is not supported", "another condition than %"),
        Token::Caret => ("powers are not supported", "x * x"),
        Token::RArrow | Token::Char('≥') => ("not a sign of a filter", ">="),
        Token::Char('≤') => ("not a sign of a filter", "<="),
        Token::Char('≠') => ("not a sign of a filter", "!="),
        Token::Char('“' | '”' | '‘' | '’' | '«' | '»') => ("a text stands in straight quotes", "'…'"),
        _ => return None,
    })
}

/// Whether an operand may end with this token, so that what follows stands between two.
fn ends_operand(token: &Token) -> bool {
    match token {
        Token::Word(word) => word.keyword == Keyword::NoKeyword,
        Token::Number(..) | Token::SingleQuotedString(_) | Token::DoubleQuotedString(_) | Token::RParen => true,
        _ => false,
    }
}

fn is_word(word: &Word, wanted: &str) -> bool {
    word.quote_style.is_none() && word.value.eq_ignore_ascii_case(wanted)
}

fn is_with(token: &Token) -> bool {
    matches!(token, Token::Word(word) if is_word(word, "with"))
}

fn is_not(token: &Token) -> bool {
    matches!(token, Token::Word(word) if word.keyword == Keyword::NOT)
}

fn is_text(token: &Token) -> bool {
    match token {
        Token::SingleQuotedString(_) => true,
        Token::Word(word) => word.quote_style == Some('"'),
        _ => false,
    }
}

/// Whether the tokens after a number make it a day: `2020-03-01`.
fn is_bare_date<'a>(year: &str, mut after: impl Iterator<Item = &'a TokenWithSpan>) -> bool {
    let mut two_digits = || {
        let dash = after.next().is_some_and(|token| token.token == Token::Minus);
        dash && matches!(after.next().map(|token| &token.token), Some(Token::Number(digits, false)) if digits.len() == 2)
    };
    year.len() == 4 && two_digits() && two_digits()
}

fn column(name: &Word) -> Token {
    Token::Word(Word { value: name.value.clone(), quote_style: Some('"'), keyword: Keyword::NoKeyword })
}

fn word(value: &str, keyword: Keyword) -> Token {
    Token::Word(Word { value: value.to_owned(), quote_style: None, keyword })
}

/// Returns a usage error that shows the place in the text.
pub(super) fn refuse(text: &str, at: Location, why: &str) -> Error {
    let error = Error::usage(format!("bad filter: {why}"));
    match caret(text, at) {
        Some(shown) => error.hint(shown),
        None => error,
    }
}

/// Returns the line of the text with a caret under the place. Cuts a long line around it.
pub(super) fn caret(text: &str, at: Location) -> Option<String> {
    const NEAR: usize = 40;
    let row = usize::try_from(at.line).ok()?.checked_sub(1)?;
    let column = usize::try_from(at.column).ok()?.checked_sub(1)?;
    let line: Vec<char> = text.lines().nth(row)?.chars().collect();
    let column = column.min(line.len());
    let from = if column > NEAR + 20 { column - NEAR } else { 0 };
    let cut: String = line[from..].iter().take(NEAR * 2).map(|c| if c.is_control() { ' ' } else { *c }).collect();
    let before: String = line[from..column].iter().collect();
    let dots = if from > 0 { "…" } else { "" };
    let width = unicode_width::UnicodeWidthStr::width(before.as_str()) + dots.chars().count();
    Some(format!("here:\n  {dots}{cut}\n  {:width$}^", ""))
}

/// Returns the end of a text.
pub(super) fn end(text: &str) -> Location {
    let line = text.lines().count().max(1);
    let column = text.lines().last().map_or(0, |last| last.trim_end().chars().count());
    Location::new(line as u64, column as u64 + 1)
}

/// Lower-cases the first letter, as in our own messages.
pub(super) fn lower(message: &str) -> String {
    let mut letters = message.chars();
    letters.next().map(|first| first.to_lowercase().chain(letters).collect()).unwrap_or_default()
}
