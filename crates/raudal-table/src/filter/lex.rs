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

/// Returns the tokens of a filter, in `sqlparser`'s spelling.
pub(super) fn tokens(text: &str) -> Result<Vec<TokenWithSpan>> {
    let raw = Tokenizer::new(&Plain, text)
        .tokenize_with_location()
        .map_err(|error| refuse(text, error.location, &lower(&error.message)))?;
    let mut tokens: Vec<TokenWithSpan> = Vec::with_capacity(raw.len());
    let mut levels = 0;
    // Whether each open bracket belongs to a list.
    let mut lists = Vec::new();
    for (at, TokenWithSpan { token, span }) in raw.iter().enumerate() {
        let previous = tokens.last().map(|token| &token.token);
        let after_in = matches!(previous, Some(Token::Word(word)) if word.keyword == Keyword::IN);
        let token = match token {
            Token::Whitespace(space) if space.to_string().trim().is_empty() => continue,
            Token::Whitespace(_) => return Err(refuse(text, span.start, "comments are not supported")),
            Token::DoubleEq => Token::Eq,
            Token::Ampersand => word("AND", Keyword::AND),
            Token::Pipe => word("OR", Keyword::OR),
            Token::Tilde => {
                let next = raw[at + 1..].iter().find(|next| !matches!(next.token, Token::Whitespace(_)));
                if next.is_none_or(|next| next.token != Token::LParen) {
                    return Err(refuse(text, span.start, "put the condition after ~ in parentheses: ~(…)"));
                }
                word("NOT", Keyword::NOT)
            }
            Token::LBracket if after_in => {
                lists.push(());
                Token::LParen
            }
            Token::LBracket => {
                return Err(refuse(text, span.start, "put in before a list in brackets: column in [1, 2]"));
            }
            Token::RBracket if lists.pop().is_some() => Token::RParen,
            Token::Word(quoted) if quoted.quote_style == Some('"') => Token::SingleQuotedString(quoted.value.clone()),
            Token::Word(plain) if plain.quote_style.is_none() && OURS.contains(&plain.keyword) => {
                Token::Word(plain.clone())
            }
            Token::Word(column) => {
                Token::Word(Word { value: column.value.clone(), quote_style: Some('"'), keyword: Keyword::NoKeyword })
            }
            other => other.clone(),
        };
        levels += usize::from(!matches!(token, Token::Comma | Token::Number(..) | Token::SingleQuotedString(_)));
        if levels > MOST_TOKENS {
            return Err(Error::usage(format!("the filter is too long: more than {MOST_TOKENS} words and signs"))
                .hint("the values of a list are not counted: column in [1, 2, 3]"));
        }
        tokens.push(TokenWithSpan::new(token, *span));
    }
    Ok(tokens)
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
