//! Splits the text of a filter into tokens, and shows where errors are.
//!
//! `sqlparser`'s tokenizer does the splitting. What `pandas.query` spells differently from SQL is
//! rewritten. Every word that is not a keyword here becomes a quoted identifier, so a column may be
//! called `DATE`, `ORDER` or `INTERVAL`.

use sqlparser::dialect::Dialect;
use sqlparser::keywords::Keyword;
use sqlparser::tokenizer::{Location, Token, TokenWithSpan, Tokenizer, Word};

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
    let mut raw = Tokenizer::new(&Plain, text)
        .tokenize_with_location()
        .map_err(|error| refuse(text, error.location, &lower(&error.message)))?;
    if let Some(comment) =
        raw.iter().find(|raw| matches!(&raw.token, Token::Whitespace(space) if !space.to_string().trim().is_empty()))
    {
        return Err(refuse(text, comment.span.start, "comments are not supported"));
    }
    raw.retain(|raw| !matches!(raw.token, Token::Whitespace(_)));
    let mut tokens: Vec<TokenWithSpan> = Vec::with_capacity(raw.len());
    let mut levels = 0;
    // Whether each open bracket belongs to a list.
    let mut lists = Vec::new();
    let mut raw = raw.iter().peekable();
    while let Some(TokenWithSpan { token, span }) = raw.next() {
        let next = raw.peek().map(|next| &next.token);
        let previous = tokens.last().map(|token| &token.token);
        let after_in = matches!(previous, Some(Token::Word(word)) if word.keyword == Keyword::IN);
        let after_operand = previous.is_some_and(ends_operand);
        let token = match token {
            Token::DoubleEq => Token::Eq,
            Token::Ampersand => word("AND", Keyword::AND),
            Token::Pipe => word("OR", Keyword::OR),
            Token::Tilde if after_operand => Token::Tilde,
            Token::Tilde => {
                if next != Some(&Token::LParen) {
                    return Err(refuse(text, span.start, "put the condition after ~ in parentheses: ~(…)"));
                }
                word("NOT", Keyword::NOT)
            }
            token if foreign(token).is_some() => {
                let (why, fix) = foreign(token).unwrap_or_default();
                let place = caret(text, span.start).map(|place| format!("\n{place}")).unwrap_or_default();
                return Err(Error::usage(format!("bad filter: {why}: {token}")).hint(format!("write: {fix}{place}")));
            }
            Token::LBracket if after_in => {
                lists.push(());
                Token::LParen
            }
            Token::LBracket => {
                return Err(refuse(text, span.start, "put in before a list in brackets: column in [1, 2]"));
            }
            Token::RBracket if lists.pop().is_some() => Token::RParen,
            // A day written without quotes would be a subtraction.
            Token::Number(year, false) if is_bare_date(year, raw.clone()) => {
                return Err(refuse(
                    text,
                    span.start,
                    "put a date in quotes, and the word date before it: date '2020-03-01'",
                ));
            }
            // Text, or a column where only a column can stand.
            Token::Word(quoted) if quoted.quote_style == Some('"') => Token::DoubleQuotedString(quoted.value.clone()),
            Token::Word(plain) if is_word(plain, "starts") && next.is_some_and(is_with) => {
                match (after_operand, &tokens[..]) {
                    (true, _) => {
                        raw.next();
                        STARTS
                    }
                    (false, [.., before, not]) if is_not(&not.token) && ends_operand(&before.token) => {
                        raw.next();
                        tokens.pop();
                        STARTS_NOT
                    }
                    _ => column(plain),
                }
            }
            // `date '2020-03-01'`, as a call of the function
            Token::Word(plain) if is_word(plain, "date") && next.is_some_and(is_text) && !after_operand => {
                let Some(literal) = raw.next() else { continue };
                let literal = match &literal.token {
                    Token::Word(quoted) => Token::SingleQuotedString(quoted.value.clone()),
                    other => other.clone(),
                };
                tokens.extend([column(plain), Token::LParen, literal].map(|token| TokenWithSpan::new(token, *span)));
                levels += 3;
                Token::RParen
            }
            Token::Word(plain) if plain.quote_style.is_none() && OURS.contains(&plain.keyword) => {
                Token::Word(plain.clone())
            }
            Token::Word(name) => column(name),
            other => other.clone(),
        };
        let is_light = matches!(
            token,
            Token::Comma | Token::Number(..) | Token::SingleQuotedString(_) | Token::DoubleQuotedString(_)
        );
        levels += usize::from(!is_light);
        if levels > MOST_TOKENS {
            return Err(Error::usage(format!("the filter is too long: more than {MOST_TOKENS} words and signs"))
                .hint("the values of a list are not counted: column in [1, 2, 3]"));
        }
        tokens.push(TokenWithSpan::new(token, *span));
    }
    Ok(tokens)
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
